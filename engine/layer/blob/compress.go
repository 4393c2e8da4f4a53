// Package blob turns the tar of a layer into the blob that a registry holds:
// compressed on all cores, with the same bytes on any number of them, and in
// chunks, so that what another layer has too is not compressed again.
package blob

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

// gzipLevel is the one level of all gzip layers (docs/adr/0003-gzip-level.md).
const gzipLevel = 3

// The parts of a compressor's id that change its bytes. A golden test fails
// when the library's output changes and these do not.
const (
	gzipID = "gzip+klauspost1.20.3+l3+chunks1"
	zstdID = "zstd+klauspost1.20.3+default+w4m+chunks1"
)

// ChunkCache finds compressed chunks by key, so that an unchanged part of a
// layer is not compressed again. It is used from several goroutines. What Get
// gives is the caller's.
type ChunkCache interface {
	Get(key string) ([]byte, bool)
}

// Chunk is where a compressed chunk lies in a blob.
type Chunk struct {
	Key    string // for a ChunkCache
	Offset int64  // bytes
	Size   int64  // bytes
	Sum    uint32 // CRC-32C of the stretch
}

// Compressor turns a layer's tar into a blob. The zero value is gzip without
// a cache.
type Compressor struct {
	Kind    string     // "gzip" (also ""), "zstd" or "none"
	Cache   ChunkCache // nil for none
	Workers int        // chunks at once; 0 for one a core

	encoders *sync.Pool // of *flate.Writer; nil: each blob has its own
}

// Shared is the same compressor, whose blobs take their encoders from one pool.
// An encoder has a megabyte of tables, which is much beside a layer of some kB:
// of 400 small images a third of all memory was those.
func (c Compressor) Shared() Compressor {
	c.encoders = new(sync.Pool)
	return c
}

// Compressors are all kinds there are, without a cache.
func Compressors() []Compressor { return []Compressor{{Kind: "gzip"}, {Kind: "zstd"}, {Kind: "none"}} }

// ID names everything that the blob's bytes depend on beside the tar. The
// key of a blob is (DiffID, ID).
func (c Compressor) ID() string {
	switch c.Kind {
	case "", "gzip":
		return gzipID
	case "zstd":
		return zstdID
	}
	return c.Kind
}

// MediaType is the OCI media type of the blobs (image-spec v1.1, layer.md).
func (c Compressor) MediaType() string {
	const tar = "application/vnd.oci.image.layer.v1.tar"
	switch c.Kind {
	case "", "gzip":
		return tar + "+gzip"
	case "none":
		return tar
	}
	return tar + "+" + c.Kind
}

// codec is one way of compressing: parts that only make sense together.
type codec struct {
	header []byte
	chunk  func(raw, out []byte) ([]byte, error) // into out, where that has room; used from several goroutines
	footer func(crc uint32, size int64) []byte
}

func (c Compressor) codec(workers int) (codec, error) {
	switch c.Kind {
	case "", "gzip":
		pool := c.encoders
		if pool == nil {
			pool = new(sync.Pool)
		}
		return gzipCodec(pool, gzipLevel), nil
	case "zstd":
		return zstdCodec(workers)
	case "none":
		return codec{chunk: func(raw, _ []byte) ([]byte, error) { return raw, nil }}, nil
	}
	return codec{}, fmt.Errorf("there is no compression %q; it is gzip, zstd or none", c.Kind)
}

// gzipCodec writes one RFC 1952 member for the whole layer: independent
// deflate streams, each ended by a sync flush, need no border in the format.
// Concatenated members were tried and dropped: programs that inflate once
// read the first and stop, with no error.
func gzipCodec(pool *sync.Pool, level int) codec {
	return codec{
		header: []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff},
		chunk: func(raw, space []byte) ([]byte, error) {
			out := bytes.NewBuffer(space)
			w, ok := pool.Get().(*flate.Writer)
			if ok {
				w.Reset(out)
			} else {
				var err error
				if w, err = flate.NewWriter(out, level); err != nil {
					return nil, err
				}
			}
			_, err := w.Write(raw)
			err = errors.Join(err, w.Flush())
			pool.Put(w)
			return out.Bytes(), err
		},
		footer: func(crc uint32, size int64) []byte {
			out := []byte{3, 0} // an empty last block
			out = binary.LittleEndian.AppendUint32(out, crc)
			return binary.LittleEndian.AppendUint32(out, uint32(size))
		},
	}
}

// zstdCodec writes one frame a chunk; frames may follow each other (RFC
// 8878, 3) and every decoder reads them all. A window larger than a chunk
// finds nothing more, and costs its memory in each worker.
func zstdCodec(workers int) (codec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(workers), zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(chunkMax))
	if err != nil {
		return codec{}, fmt.Errorf("make a zstd encoder: %w", err)
	}
	return codec{chunk: func(raw, out []byte) ([]byte, error) { return enc.EncodeAll(raw, out), nil }}, nil
}

// Writer compresses the tar that is written to it. Close it to finish
// the blob; also after an error, to end its goroutines.
type Writer struct {
	codec   codec
	cache   ChunkCache
	id      string
	split   splitter
	chunk   []byte
	seen    int         // bytes of the chunk that the splitter has passed
	free    chan []byte // buffers of chunks that are written
	spare   chan []byte // and of what they were compressed to
	order   chan *job   // in the order of the tar, so bounds what is under way
	jobs    chan *job
	done    chan struct{}
	closed  bool
	out     io.Writer
	digest  string
	size    int64
	made    []Chunk
	failure error
	broken  atomic.Bool // failure is set, or will be at once
}

// job is a chunk on its way.
type job struct {
	raw, packed []byte
	buffer      []byte // that raw lies in
	crc         uint32
	key         string // of a chunk that was not found; "" otherwise
	sum         uint32
	err         error
	ready       chan struct{}
}

// NewWriter starts a blob on out.
func (c Compressor) NewWriter(out io.Writer) (*Writer, error) {
	workers := c.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	codec, err := c.codec(workers)
	if err != nil {
		return nil, err
	}
	return c.start(out, codec, workers), nil
}

func (c Compressor) start(out io.Writer, codec codec, workers int) *Writer {
	b := &Writer{
		codec: codec, cache: c.Cache, id: c.ID(), out: out, free: make(chan []byte, 2*workers+2), spare: make(chan []byte, 2*workers+2),
		// Two chunks a worker under way: one in work, one ready, so memory
		// is bounded and no worker waits for the reader.
		order: make(chan *job, 2*workers), jobs: make(chan *job, 2*workers), done: make(chan struct{}),
	}
	if c.Kind == "none" {
		b.cache = nil // there is nothing to save, and chunks are the buffers that are used again
	}
	for range workers {
		go b.work()
	}
	go b.assemble()
	return b
}

// Compress makes a blob of a whole tar: its digest and its size in bytes.
func (c Compressor) Compress(out io.Writer, tar io.Reader) (digest string, size int64, err error) {
	b, err := c.NewWriter(out)
	if err != nil {
		return "", 0, err
	}
	_, err = b.ReadFrom(tar)
	if err = errors.Join(err, b.Close()); err != nil {
		return "", 0, fmt.Errorf("compress layer: %w", err)
	}
	digest, size = b.Blob()
	return digest, size, nil
}

// readSize is how much of a tar is taken at once: what lies behind a border in it
// is copied into the next chunk.
const readSize = 128 << 10

// Write takes the next bytes of the tar. It fails, and the blob is closed, once
// the blob could not be written.
func (b *Writer) Write(p []byte) (int, error) {
	if b.broken.Load() {
		return 0, b.Close()
	}
	for part := range slices.Chunk(p, readSize) {
		b.room(len(part))
		b.chunk = append(b.chunk, part...)
		b.scan()
	}
	return len(p), nil
}

// ReadFrom takes the tar up to its end, without a buffer between.
func (b *Writer) ReadFrom(r io.Reader) (n int64, err error) {
	for {
		if b.broken.Load() {
			return n, b.Close()
		}
		b.room(readSize)
		at := len(b.chunk)
		k, err := r.Read(b.chunk[at : at+readSize])
		b.chunk = b.chunk[:at+k]
		n += int64(k)
		b.scan()
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// firstChunk is the room of a chunk that may be all there is.
const firstChunk = 32 << 10

// room makes place for n more bytes. A chunk that outgrows the usual gets room
// for the largest at once: what is not written to costs nothing.
func (b *Writer) room(n int) {
	size := len(b.chunk) + n
	switch {
	case size <= cap(b.chunk):
		return
	case size <= firstChunk:
		size = firstChunk
	case size <= chunkMean:
		size = chunkMean
	default:
		size = max(chunkMax+2*readSize, size, 2*cap(b.chunk))
	}
	b.chunk = append(make([]byte, 0, size), b.chunk...)
}

// scan cuts what was taken at its borders.
func (b *Writer) scan() {
	for b.seen < len(b.chunk) {
		n, border := b.split.next(b.chunk[b.seen:])
		b.seen += n
		switch {
		case border:
			b.cut(b.seen)
		case b.split.full():
			// The header is in the chunk by now; a border falls before it.
			if b.split.judge() {
				b.cut(b.seen - tarBlock)
			}
		}
	}
}

// cut sends the first n bytes of the chunk off.
func (b *Writer) cut(n int) {
	if n <= 0 {
		return
	}
	j := &job{raw: b.chunk[:n:n], buffer: b.chunk[:0], ready: make(chan struct{})}
	rest := b.chunk[n:]
	b.chunk = nil
	select {
	case b.chunk = <-b.free:
	default:
	}
	b.seen -= n
	b.room(len(rest))
	b.chunk = append(b.chunk, rest...)
	b.order <- j
	b.jobs <- j
}

// Close finishes the blob and reports the first error.
func (b *Writer) Close() error {
	if b.closed {
		return b.failure
	}
	b.closed = true
	b.cut(len(b.chunk))
	close(b.jobs)
	close(b.order)
	<-b.done
	return b.failure
}

// Blob gives the digest ("sha256:…") and the size in bytes, after Close.
func (b *Writer) Blob() (digest string, size int64) { return b.digest, b.size }

// Chunks are those that the cache did not have, after Close: for whoever puts
// the blob where the cache finds it.
func (b *Writer) Chunks() []Chunk { return b.made }

func (b *Writer) work() {
	for j := range b.jobs {
		j.crc = crc32.ChecksumIEEE(j.raw)
		b.pack(j)
		close(j.ready)
	}
}

// pack compresses a chunk, or finds it compressed.
func (b *Writer) pack(j *job) {
	key := ""
	if b.cache != nil {
		sum := sha256.Sum256(j.raw)
		key = hex.EncodeToString(sum[:]) + " " + b.id
		if packed, ok := b.cache.Get(key); ok {
			j.packed = packed
			return
		}
	}
	j.packed, j.err = b.codec.chunk(j.raw, b.space(len(j.raw)))
	if key != "" {
		j.key, j.sum = key, crc32.Checksum(j.packed, crc32.MakeTable(crc32.Castagnoli))
	}
}

// space is memory for what n bytes come to.
func (b *Writer) space(n int) []byte {
	select {
	case used := <-b.spare:
		if cap(used) >= n/2 {
			return used[:0]
		}
	default:
	}
	return make([]byte, 0, n/2+64)
}

// assemble writes the chunks in order. It goes on to the end also after an
// error, so that no writer blocks.
func (b *Writer) assemble() {
	defer close(b.done)
	sum := sha256.New()
	write := func(p []byte) {
		if b.failure != nil || len(p) == 0 {
			return
		}
		sum.Write(p)
		b.size += int64(len(p))
		if _, err := b.out.Write(p); err != nil {
			b.failure = fmt.Errorf("write blob: %w", err)
			b.broken.Store(true)
		}
	}
	write(b.codec.header)
	crc, raw := uint32(0), int64(0)
	for j := range b.order {
		<-j.ready
		if j.err != nil && b.failure == nil {
			b.failure = fmt.Errorf("compress: %w", j.err)
		}
		if j.key != "" {
			b.made = append(b.made, Chunk{Key: j.key, Offset: b.size, Size: int64(len(j.packed)), Sum: j.sum})
		}
		write(j.packed)
		crc = combineCRC(crc, j.crc, int64(len(j.raw)))
		raw += int64(len(j.raw))
		giveBack(b.free, j.buffer)
		if b.id != "none" { // where it is the same memory
			giveBack(b.spare, j.packed)
		}
	}
	if b.codec.footer != nil {
		write(b.codec.footer(crc, raw))
	}
	b.digest = "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

func giveBack(list chan []byte, buffer []byte) {
	select {
	case list <- buffer:
	default:
	}
}

// combineCRC gives the CRC-32 of two pieces of data from the CRC of each and
// the length of the second: appending n zero bytes is a linear map on the 32
// bits over GF(2), applied here by squaring (zlib's crc32_combine).
func combineCRC(a, b uint32, n int64) uint32 {
	var odd, even [32]uint32
	odd[0] = crc32.IEEE
	for i := 1; i < 32; i++ {
		odd[i] = 1 << (i - 1)
	}
	square(&even, &odd) // two zero bits
	square(&odd, &even) // four
	for from, to := &odd, &even; n > 0; n >>= 1 {
		square(to, from)
		if n&1 != 0 {
			a = times(to, a)
		}
		from, to = to, from
	}
	return a ^ b
}

func times(m *[32]uint32, v uint32) uint32 {
	var sum uint32
	for i := 0; v != 0; i, v = i+1, v>>1 {
		if v&1 != 0 {
			sum ^= m[i]
		}
	}
	return sum
}

func square(to, from *[32]uint32) {
	for i := range from {
		to[i] = times(from, from[i])
	}
}
