package deb

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// Whoever asks for a frame while it is decoded waits for it; a failure is
// told to all of them, and tried again by the next.
func TestFrameIsDecodedOnce(t *testing.T) {
	t.Parallel()
	c, err := newFrameCache()
	if err != nil {
		t.Fatal(err)
	}
	k := frameKey{&source{}, 3}
	failure := errors.New("no")
	if _, err := c.read(k, nil, 0, 4, func(frameKey) ([]byte, error) { return nil, failure }); !errors.Is(err, failure) {
		t.Fatalf("the error is %v", err)
	}
	var decoded atomic.Int64
	started, release := make(chan struct{}), make(chan struct{})
	decode := func(frameKey) ([]byte, error) {
		if decoded.Add(1) == 1 {
			close(started)
		}
		<-release
		return []byte("data"), nil
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if i > 0 {
				<-started
			}
			data := make([]byte, 4)
			if n, err := c.read(k, data, 0, 4, decode); n != 4 || string(data) != "data" || err != nil {
				t.Errorf("%d bytes, %q, %v", n, data, err)
			}
		})
	}
	<-started
	close(release)
	wg.Wait()
	if n := decoded.Load(); n != 1 {
		t.Errorf("it was decoded %d times", n)
	}
}

func TestFramesAreBounded(t *testing.T) {
	t.Parallel()
	c, err := newFrameCache()
	if err != nil {
		t.Fatal(err)
	}
	s := &source{}
	decoded := 0
	get := func(i int) {
		p := make([]byte, 1)
		n, err := c.read(frameKey{s, i}, p, 0, 1, func(k frameKey) ([]byte, error) { decoded++; return []byte{byte(k.index)}, nil })
		if n != 1 || err != nil || p[0] != byte(i) {
			t.Fatalf("frame %d is %d bytes, %v, %v", i, n, p, err)
		}
	}
	for i := range maxFrames {
		get(i)
	}
	get(0)         // so that 1 is the oldest
	get(maxFrames) // which takes the place of 1
	get(0)
	if decoded != maxFrames+1 || len(c.items) != maxFrames {
		t.Errorf("%d were decoded, %d are kept", decoded, len(c.items))
	}
	if get(1); decoded != maxFrames+2 {
		t.Error("the oldest one was kept")
	}
}

// A frame is kept until its last file has been read, and its memory goes to
// the next, but never while somebody copies out of it.
func TestFramesAreKeptUntilTheyWereRead(t *testing.T) {
	t.Parallel()
	c, err := newFrameCache()
	if err != nil {
		t.Fatal(err)
	}
	s := &source{}
	c.announce(s, 10, 20)          // a file in frame 0
	c.announce(s, frameSize-1, 2)  // one in 0 and 1
	c.announce(s, 2*frameSize, 10) // one in 2
	c.announce(s, 50, 0)           // an empty one
	var buffers [][]byte
	decode := func(k frameKey) ([]byte, error) {
		b := c.buffer(frameSize)[:frameSize]
		b[0], b[frameSize-1] = byte(k.index), byte(k.index)
		buffers = append(buffers, b)
		return b, nil
	}
	read := func(i, from, left int) {
		t.Helper()
		if n, err := c.read(frameKey{s, i}, make([]byte, left), from, int64(left), decode); err != nil || n == 0 {
			t.Fatalf("frame %d gives %d bytes, %v", i, n, err)
		}
	}
	read(0, 10, 20)
	if len(c.items) != 1 {
		t.Fatalf("%d frames are kept while one is to be read again", len(c.items))
	}
	slow := c.hold(frameKey{s, 0}, decode) // a reader in the middle of it
	read(0, frameSize-1, 2)
	if len(c.items) != 0 || len(c.free) != 0 {
		t.Errorf("%d frames are kept, and %d buffers are free while one of them is held", len(c.items), len(c.free))
	}
	read(1, 0, 1)
	if slow.data[0] != 0 || len(buffers) != 2 || &buffers[0][0] == &buffers[1][0] {
		t.Errorf("frame 0 was written over while it was read")
	}
	c.release(frameKey{s, 0}, slow, false)
	read(2, 0, 10)
	if same := &buffers[2][0] == &buffers[0][0] || &buffers[2][0] == &buffers[1][0]; !same {
		t.Error("the third frame has new memory")
	}
	if len(c.items)+len(c.left)+len(c.free) != 0 {
		t.Errorf("at the end there are %d frames, %d announced, %d buffers", len(c.items), len(c.left), len(c.free))
	}
	if read(1, 0, 1); len(buffers) != 4 || c.items[frameKey{s, 1}] == nil {
		t.Error("a frame that is read again later is not kept in order of use")
	}
}

// What is in the store is not read before it is needed; one that was damaged
// there is fetched anew by Install.
func TestDecodeLeavesWhatIsThere(t *testing.T) {
	t.Parallel()
	store := dirStore(t.TempDir())
	u := Unpacker{Store: store}
	data := spec{files: []file{{name: "./usr/f", content: "x"}}}.bytes(t)
	p := packageOf("x", "1", "amd64", data)
	opened := 0
	p.Open = func(context.Context) (io.ReadCloser, error) {
		opened++
		return io.NopCloser(bytes.NewReader(data)), nil
	}
	for range 3 {
		if err := u.Decode(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	if opened != 1 {
		t.Errorf("the archive was read %d times", opened)
	}
	stored := filepath.Join(string(store), p.key())
	if err := os.WriteFile(stored, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := u.Decode(t.Context(), p); err != nil || opened != 1 {
		t.Errorf("decoding what is there: %v, read %d times", err, opened)
	}
	r, err := u.Install(t.Context(), Request{Arch: "amd64", Packages: []Package{p}})
	if err != nil || opened != 2 {
		t.Fatalf("installing what was damaged: %v, read %d times", err, opened)
	}
	if got := content(t, r, "usr/f"); got != "x" {
		t.Errorf("the file is %q", got)
	}
	if !find(t, r, "usr/f").Proven {
		t.Error("a file of a package is hashed again")
	}
}
