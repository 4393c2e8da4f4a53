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
	if _, err := c.get(k, func() ([]byte, error) { return nil, failure }); !errors.Is(err, failure) {
		t.Fatalf("the error is %v", err)
	}
	var decoded atomic.Int64
	started, release := make(chan struct{}), make(chan struct{})
	decode := func() ([]byte, error) {
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
			if data, err := c.get(k, decode); string(data) != "data" || err != nil {
				t.Errorf("%q, %v", data, err)
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
		data, err := c.get(frameKey{s, i}, func() ([]byte, error) { decoded++; return []byte{byte(i)}, nil })
		if err != nil || data[0] != byte(i) {
			t.Fatalf("frame %d is %v, %v", i, data, err)
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
