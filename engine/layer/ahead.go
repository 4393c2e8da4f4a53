package layer

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"runtime"
	"sync"
)

// smallFile is the size up to which a file is read and hashed ahead by a
// worker; a larger one is read when it is its turn. aheadFiles small files
// are under way at once, so 64 MB of contents at most and 1 MB for a tree of
// sources.
const (
	smallFile  = 256 << 10
	aheadFiles = 256
)

// ahead reads the contents of items, the small ones in parallel and before
// their turn: opening 50,000 files one after the other is what a copy of
// sources would wait for.
type ahead struct {
	items   []Item
	results []chan content // one for each small file
	tokens  chan struct{}  // one for each small file under way
	quit    chan struct{}
	workers sync.WaitGroup
	large   []byte
	buffers [20]sync.Pool // of small files that are written, by the logarithm of their size
}

// content is a small file that was read, or why it could not be.
type content struct {
	data   []byte
	buffer *[]byte // that data lies in
	digest string
	err    error
}

func readAhead(items []Item) *ahead {
	a := &ahead{items: items, results: make([]chan content, len(items)), tokens: make(chan struct{}, aheadFiles), quit: make(chan struct{})}
	jobs := make(chan int, aheadFiles)
	for i := range items {
		if a.small(i) {
			a.results[i] = make(chan content, 1)
		}
	}
	for range min(runtime.GOMAXPROCS(0), 8) {
		a.workers.Go(func() {
			for i := range jobs {
				buffer := a.buffer(items[i].Size + 1)
				data, digest, err := readSmall(&items[i], *buffer)
				a.results[i] <- content{data, buffer, digest, err}
			}
		})
	}
	a.workers.Go(func() {
		defer close(jobs)
		for i := range items {
			if a.results[i] == nil {
				continue
			}
			select {
			case a.tokens <- struct{}{}:
				jobs <- i // never blocks: as many places as tokens
			case <-a.quit:
				return
			}
		}
	})
	return a
}

func (a *ahead) small(i int) bool {
	return a.items[i].Type == File && a.items[i].Size <= smallFile
}

// stop ends the workers and waits for them: no item is opened afterwards.
func (a *ahead) stop() {
	close(a.quit)
	a.workers.Wait()
}

// copy writes the content of an item and gives its digest.
func (a *ahead) copy(w io.Writer, i int) (digest string, err error) {
	item := &a.items[i]
	if !a.small(i) {
		return a.copyLarge(w, item)
	}
	c := <-a.results[i]
	a.results[i] = nil
	<-a.tokens
	if c.err != nil {
		return "", c.err
	}
	_, err = w.Write(c.data)
	a.done(c.buffer)
	return c.digest, err
}

// buffer gives n bytes or more.
func (a *ahead) buffer(n int64) *[]byte {
	if b, ok := a.buffers[class(n)].Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 1<<class(n))
	return &b
}

// done takes a buffer back.
func (a *ahead) done(b *[]byte) { a.buffers[class(int64(len(*b)))].Put(b) }

// class is the number of a power of two that n bytes fit into.
func class(n int64) int { return bits.Len64(uint64(n - 1)) }

// readSmall reads a file into a buffer that has room for one byte more.
func readSmall(item *Item, buffer []byte) (data []byte, digest string, err error) {
	r, err := item.Open()
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	data = buffer[:item.Size+1] // to see a file that has grown
	n, err := io.ReadFull(r, data)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, "", err
	}
	data = data[:n]
	if item.Proven {
		return data, item.Digest, checkContent(item, int64(n), item.Digest)
	}
	digest = digestOf(sha256.Sum256(data))
	return data, digest, checkContent(item, int64(n), digest)
}

func (a *ahead) copyLarge(w io.Writer, item *Item) (digest string, err error) {
	r, err := item.Open()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if a.large == nil {
		a.large = make([]byte, blockSize)
	}
	content := onlyReader{io.LimitReader(r, item.Size+1)}
	if item.Proven {
		n, err := io.CopyBuffer(onlyWriter{w}, content, a.large)
		if err != nil {
			return "", err
		}
		return item.Digest, checkContent(item, n, item.Digest)
	}
	sum := sha256.New()
	n, err := io.CopyBuffer(io.MultiWriter(sum, onlyWriter{w}), content, a.large)
	if err != nil {
		return "", err
	}
	digest = digestOf([sha256.Size]byte(sum.Sum(nil)))
	return digest, checkContent(item, n, digest)
}

// checkContent compares what was read with what the entry, and so the key of
// the step, says: a context file may change while it is copied.
func checkContent(item *Item, size int64, digest string) error {
	if size != item.Size || item.Digest != "" && item.Digest != digest {
		return fmt.Errorf("the file changed while it was read (%d bytes were expected)", item.Size)
	}
	return nil
}

// onlyWriter and onlyReader hide ReadFrom and WriteTo, which would bring
// small buffers of their own.
type onlyWriter struct{ io.Writer }
type onlyReader struct{ io.Reader }
