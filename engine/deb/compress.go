package deb

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/specbuild/specbuild/engine/xz"
)

// An xz member from minParallel bytes on has several blocks (39 of 51
// packages of Debian's from 3 MB on), which are worth being held in memory
// and decoded in parallel; above maxParallel memory is worth more.
const (
	minParallel = 3 << 20
	maxParallel = 256 << 20
)

// decompress opens a member of a .deb by the ending of its name (deb(5)).
func decompress(ctx context.Context, m arMember, limit int64) (io.ReadCloser, error) {
	switch {
	case strings.HasSuffix(m.name, ".tar"):
		return io.NopCloser(m.body), nil
	case strings.HasSuffix(m.name, ".tar.xz"):
		if minParallel <= m.size && m.size <= maxParallel {
			return parallelXZ(ctx, m, limit)
		}
		x, err := xz.NewReader(m.body)
		if err != nil {
			return nil, fmt.Errorf("xz: %w", err)
		}
		return io.NopCloser(x), nil
	case strings.HasSuffix(m.name, ".tar.gz"):
		return gzip.NewReader(m.body)
	case strings.HasSuffix(m.name, ".tar.zst"):
		z, err := zstd.NewReader(m.body, zstd.WithDecoderMaxWindow(xz.MaxDictionary), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		return z.IOReadCloser(), nil
	}
	return nil, errors.New("a compression that is not known (known are xz, gz, zst and none)")
}

// parallelXZ decodes a member block by block. Closing the reader ends the
// decoding.
func parallelXZ(ctx context.Context, m arMember, limit int64) (io.ReadCloser, error) {
	var packed bytes.Buffer
	if n, err := packed.ReadFrom(m.body); err != nil || n < m.size {
		return nil, errors.Join(err, io.ErrUnexpectedEOF)
	}
	r, w := io.Pipe()
	go func() {
		// One byte more than allowed, for the reader to find the bomb.
		_, err := xz.Copy(ctx, w, bytes.NewReader(packed.Bytes()), m.size, limit+1)
		w.CloseWithError(err)
	}()
	return r, nil
}
