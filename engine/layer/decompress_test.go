package layer

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"

	"github.com/specbuild/specbuild/engine/layer/blob"
)

// compress is a blob of the tar, and its media type.
func compress(t testing.TB, kind string, tar []byte) (packed []byte, mediaType string) {
	t.Helper()
	c := blob.Compressor{Kind: kind, Workers: 3}
	var out bytes.Buffer
	if _, _, err := c.Compress(&out, bytes.NewReader(tar)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), c.MediaType()
}

func TestDecompress(t *testing.T) {
	t.Parallel()
	data, _ := writeTar(t, manyFiles(400, 10<<10))
	for _, kind := range []string{"gzip", "zstd", "none"} {
		packed, named := compress(t, kind, data)
		for _, mediaType := range []string{named, ""} {
			r, err := Decompress(bytes.NewReader(packed), mediaType, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, data) || r.Close() != nil {
				t.Errorf("%s: %d bytes of %d, %v", kind, len(got), len(data), err)
			}
		}
	}
	_, err := Decompress(bytes.NewReader(data), "application/vnd.docker.image.rootfs.diff.tar.gzip", Limits{})
	wantError(t, err, "does not start like that")
}

func TestDecompressForeignGzip(t *testing.T) {
	t.Parallel()
	var members bytes.Buffer
	for _, part := range []string{"one ", "two ", "three"} {
		w := gzip.NewWriter(&members)
		if _, err := io.WriteString(w, part); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Decompress(&members, "application/vnd.oci.image.layer.v1.tar+gzip", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != "one two three" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestDecompressionBomb(t *testing.T) {
	t.Parallel()
	zeros := make([]byte, 80<<20)
	for _, kind := range []string{"gzip", "zstd"} {
		packed, _ := compress(t, kind, zeros)
		r, err := Decompress(bytes.NewReader(packed), "", Limits{Ratio: 50})
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, r)
		wantError(t, err, "decompression bomb")
	}
}
