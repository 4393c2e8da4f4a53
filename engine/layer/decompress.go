package layer

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
)

// ratioFree is how many bytes are unpacked before the ratio is judged: a
// small file of zeros is no attack.
const ratioFree = 64 << 20

// Decompress gives the tar of a layer's blob: gzip (all its members), zstd
// (all its frames) or plain. The media type may be "" or one that says
// nothing; if it names a compression and the blob is something else, that is
// an error. Output beyond limits.Ratio bytes for each byte of input is one
// too, while reading.
func Decompress(r io.Reader, mediaType string, limits Limits) (io.ReadCloser, error) {
	in := &ratioReader{in: bufio.NewReaderSize(r, 128<<10), ratio: limits.withDefaults().Ratio}
	kind := in.kind()
	want := ""
	for _, name := range []string{"gzip", "zstd"} {
		if strings.HasSuffix(mediaType, "+"+name) || strings.HasSuffix(mediaType, "."+name) {
			want = name
		}
	}
	if want != "" && kind != want {
		return nil, fmt.Errorf("decompress layer: the media type %q says %s, but the blob does not start like that", mediaType, want)
	}
	if kind != "gzip" && kind != "zstd" {
		kind = ""
	}
	if err := in.open(kind); err != nil {
		return nil, fmt.Errorf("decompress layer: %w", err)
	}
	return in, nil
}

// ratioReader decompresses and compares what came out with what went in.
type ratioReader struct {
	in    *bufio.Reader
	out   io.Reader
	done  func()
	ratio int64
	read  int64
	made  int64
}

// kind looks at the first bytes; "" is anything unknown. Names and media
// types are claims, the bytes are what will be read.
func (r *ratioReader) kind() string {
	start, _ := r.in.Peek(6)
	for _, m := range []struct{ kind, magic string }{
		{"gzip", "\x1f\x8b"},
		{"zstd", "\x28\xb5\x2f\xfd"},
		{"zstd", "\x50\x2a\x4d\x18"}, // a frame to skip: of its sixteen magics, the one that tools write
		{"xz", "\xfd7zXZ\x00"},
		{"bzip2", "BZh"},
		{"zip", "PK\x03\x04"},
		{"zip", "PK\x05\x06"}, // an empty one
	} {
		if bytes.HasPrefix(start, []byte(m.magic)) {
			return m.kind
		}
	}
	return ""
}

func (r *ratioReader) open(kind string) (err error) {
	counted := bufio.NewReaderSize(readerFunc(func(p []byte) (int, error) {
		n, err := r.in.Read(p)
		r.read += int64(n)
		return n, err
	}), 32<<10)
	switch kind {
	case "gzip":
		r.out, err = gzip.NewReader(counted)
	case "zstd":
		var dec *zstd.Decoder
		// The window bounds memory: 128 MB is what zstd --long makes.
		dec, err = zstd.NewReader(counted, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err == nil {
			r.out, r.done = dec, dec.Close
		}
	case "xz":
		r.out, err = xz.NewReader(counted, 128<<20)
	case "bzip2":
		r.out = bzip2.NewReader(counted)
	default:
		r.out = counted
	}
	return err
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func (r *ratioReader) Read(p []byte) (int, error) {
	n, err := r.out.Read(p)
	r.made += int64(n)
	if r.made > ratioFree && r.made/r.ratio > r.read {
		return 0, fmt.Errorf("%d bytes unpack to more than %d: this looks like a decompression bomb", r.read, r.made)
	}
	return n, err
}

// Close ends the decoder; the underlying reader stays open.
func (r *ratioReader) Close() error {
	if r.done != nil {
		r.done()
	}
	return nil
}
