package layer

import (
	"archive/tar"
	"bytes"
	"io"
	"sync/atomic"
	"testing"
)

// reading tells whether it is being read from.
type reading struct {
	r  io.Reader
	in atomic.Bool
}

func (r *reading) Read(p []byte) (int, error) {
	r.in.Store(true)
	defer r.in.Store(false)
	return r.r.Read(p)
}

// A layer is refused at its first entry while more of it is read ahead: the
// reader is the caller's again, who will close it.
func TestNobodyReadsALayerThatWasRefused(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []tar.Header{{Name: "../x"}, {Name: "big", Size: 16 << 20}} {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Write(make([]byte, 16<<20)); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		r := &reading{r: bytes.NewReader(b.Bytes())}
		if _, _, _, err := ReadTOC(r, ReadOptions{}); err == nil {
			t.Fatal("an entry that leaves the layer was read")
		}
		if r.in.Load() {
			t.Fatal("the layer is still being read")
		}
	}
}
