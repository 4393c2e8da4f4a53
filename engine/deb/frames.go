package deb

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// frameCache keeps frames that will be read again. A layer is written in the
// order of paths, which goes to and fro between packages, and a package's own
// order is not always that of paths. A frame stays until the last of the files
// that were announced has been read, and its memory is the next one's: of the
// 200 frames of nginx's closure 44 are held at most.
type frameCache struct {
	dec *zstd.Decoder

	mu    sync.Mutex
	used  int64
	items map[frameKey]*cachedFrame
	left  map[frameKey]int // readings that were announced and are to come
	free  [][]byte         // buffers that nobody holds any more, of frameSize
}

type frameKey struct {
	source *source
	index  int
}

// cachedFrame is a frame that somebody decodes or has decoded; done is closed
// when data or err is there. Its buffer is used again when nobody holds it and
// it is in the cache no more.
type cachedFrame struct {
	data []byte
	err  error
	done chan struct{}
	held int
	used int64
}

// maxFrames bounds the cache at 32 MiB: above that, those that were not read
// for longest go, announced or not.
const maxFrames = 128

func newFrameCache() (*frameCache, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxTable))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	return &frameCache{dec: dec, items: map[frameKey]*cachedFrame{}, left: map[frameKey]int{}}, nil
}

// announce says that a piece of a stream will be read once, to its end.
func (c *frameCache) announce(s *source, offset, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := offset / frameSize; size > 0 && i <= (offset+size-1)/frameSize; i++ {
		c.left[frameKey{s, int(i)}]++
	}
}

// read copies what a frame has from an offset on; left is how much of it and
// the frames behind it the reader will have read at its end.
func (c *frameCache) read(k frameKey, p []byte, from int, left int64, decode func(k frameKey) ([]byte, error)) (int, error) {
	f := c.hold(k, decode)
	n, err := 0, f.err
	switch {
	case err != nil:
	case from >= len(f.data):
		err = errDamaged
	default:
		n = copy(p, f.data[from:])
	}
	c.release(k, f, err != nil || int64(n) == left || from+n == frameSize)
	return n, err
}

// hold gives a frame, decoded by whoever asks first: files that lie side by
// side are read at the same time.
func (c *frameCache) hold(k frameKey, decode func(k frameKey) ([]byte, error)) *cachedFrame {
	c.mu.Lock()
	c.used++
	f, ok := c.items[k]
	if !ok {
		c.evict()
		f = &cachedFrame{done: make(chan struct{})}
		c.items[k] = f
	}
	f.used = c.used
	f.held++
	c.mu.Unlock()
	if ok {
		<-f.done
		return f
	}
	f.data, f.err = decode(k)
	close(f.done)
	return f
}

// release lets go of a frame, which the reader has done with if last is true.
func (c *frameCache) release(k frameKey, f *cachedFrame, last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.held--
	if last && c.left[k] > 0 {
		if c.left[k]--; c.left[k] == 0 {
			delete(c.left, k)
			c.drop(k, f)
		}
		if len(c.left) == 0 { // what is read now is read by the way
			c.free = nil
		}
	}
	if f.err != nil { // it may be there next time
		c.drop(k, f)
	}
	c.recycle(f, c.items[k] != f)
}

func (c *frameCache) drop(k frameKey, f *cachedFrame) {
	if c.items[k] == f {
		delete(c.items, k)
	}
}

// recycle takes back the buffer of a frame that is out of the cache.
func (c *frameCache) recycle(f *cachedFrame, out bool) {
	if out && f.held == 0 && cap(f.data) >= frameSize && len(c.left) > 0 {
		c.free = append(c.free, f.data)
		f.data = nil
	}
}

// evict makes place for a frame. The lock is held.
func (c *frameCache) evict() {
	if len(c.items) < maxFrames {
		return
	}
	var oldest frameKey
	at := int64(-1)
	for key, f := range c.items {
		if at < 0 || f.used < at {
			oldest, at = key, f.used
		}
	}
	f := c.items[oldest]
	delete(c.items, oldest)
	c.recycle(f, true)
}

// buffer gives n bytes, of a frame that is done with if there is one.
func (c *frameCache) buffer(n int) []byte {
	if n <= frameSize {
		n = frameSize
		c.mu.Lock()
		defer c.mu.Unlock()
		if last := len(c.free) - 1; last >= 0 {
			b := c.free[last]
			c.free = c.free[:last]
			return b[:0]
		}
	}
	return make([]byte, 0, n)
}

func (c *frameCache) giveBack(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cap(b) >= frameSize && len(c.left) > 0 {
		c.free = append(c.free, b)
	}
}

// decodeFrame reads a frame of the archive from the store.
func (a *archive) decodeFrame(k frameKey) ([]byte, error) {
	frames, i := a.source.frames, k.index
	b, err := a.source.store.Open(a.source.key)
	if err != nil {
		return nil, fmt.Errorf("open the decoded %s: %w", a.Package, err)
	}
	defer b.Close()
	size := int(a.frames[i+1] - a.frames[i])
	packed := frames.buffer(size)[:size]
	defer frames.giveBack(packed)
	if _, err := b.ReadAt(packed, a.frames[i]); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the decoded %s: %w", a.Package, err)
	}
	data, err := frames.dec.DecodeAll(packed, frames.buffer(frameSize))
	if err != nil {
		return nil, fmt.Errorf("read the decoded %s: %w: %w", a.Package, errDamaged, err)
	}
	return data, nil
}
