package xz

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"

	"github.com/mikelolasagasti/xz"
)

// Sizes of xz-file-format 1.2.0, sections 2.1.1, 2.1.2 and 5.
const (
	headerSize = 12
	footerSize = 12
	// maxIndex bounds the index: 1 MiB holds at least 50,000 blocks, an
	// archive of terabytes at xz's own block sizes.
	maxIndex = 1 << 20
)

var (
	headerMagic = []byte{0xFD, '7', 'z', 'X', 'Z', 0}
	footerMagic = []byte{'Y', 'Z'}
)

// errNotOneStream sends a file to the serial decoder.
var errNotOneStream = errors.New("not a single stream with a sound index")

// block is one record of the index.
type block struct {
	offset   int64 // in the file
	unpadded int64 // header, compressed data and check, as the index records it
	decoded  int64 // uncompressed bytes
}

// padded is the length of the block in the file.
func (b block) padded() int64 { return (b.unpadded + 3) &^ 3 }

// index is what the end of a file says of its only stream.
type index struct {
	header [headerSize]byte
	list   []block
}

// readIndex reads the index at the end of a file of one stream, and checks
// that its blocks fill the file exactly. Sizes in it are claims: decoding
// verifies them.
func readIndex(src io.ReaderAt, size int64) (*index, error) {
	if size < headerSize+footerSize || size%4 != 0 {
		return nil, errNotOneStream
	}
	x := &index{}
	var footer [footerSize]byte
	if err := readFull(src, x.header[:], 0); err != nil {
		return nil, err
	}
	if err := readFull(src, footer[:], size-footerSize); err != nil {
		return nil, err
	}
	backward := (int64(binary.LittleEndian.Uint32(footer[4:8])) + 1) * 4
	if !bytes.Equal(x.header[:6], headerMagic) || !bytes.Equal(footer[10:], footerMagic) ||
		!bytes.Equal(x.header[6:8], footer[8:10]) ||
		binary.LittleEndian.Uint32(footer[:4]) != crc32.ChecksumIEEE(footer[4:10]) ||
		backward > maxIndex || backward > size-headerSize-footerSize {
		return nil, errNotOneStream
	}
	raw := make([]byte, backward)
	if err := readFull(src, raw, size-footerSize-backward); err != nil {
		return nil, err
	}
	if err := x.parse(raw, size-footerSize-backward); err != nil {
		return nil, err
	}
	return x, nil
}

// parse reads the records of an index whose blocks must end at end.
func (x *index) parse(raw []byte, end int64) error {
	body, sum := raw[:len(raw)-4], raw[len(raw)-4:]
	if len(body) < 2 || body[0] != 0 || binary.LittleEndian.Uint32(sum) != crc32.ChecksumIEEE(body) {
		return errNotOneStream
	}
	body = body[1:]
	count, n := binary.Uvarint(body)
	if n <= 0 || count == 0 || count > uint64(len(body)) {
		return errNotOneStream
	}
	body = body[n:]
	at := int64(headerSize)
	for range count {
		unpadded, n := binary.Uvarint(body)
		if n <= 0 {
			return errNotOneStream
		}
		decoded, m := binary.Uvarint(body[n:])
		if m <= 0 || unpadded == 0 || unpadded > uint64(end-at) || decoded > 1<<62 {
			return errNotOneStream
		}
		body = body[n+m:]
		b := block{offset: at, unpadded: int64(unpadded), decoded: int64(decoded)}
		x.list = append(x.list, b)
		at += b.padded()
	}
	if at != end || len(bytes.Trim(body, "\x00")) != 0 {
		return errNotOneStream
	}
	return nil
}

// largest is the size of the largest block when decoded.
func (x *index) largest() int64 {
	n := int64(0)
	for _, b := range x.list {
		n = max(n, b.decoded)
	}
	return n
}

// stream is a valid file of one block: the header as it is, the block as it
// is, and an index and footer of our own.
func (x *index) stream(src io.ReaderAt, b block) io.Reader {
	tail := []byte{0}
	tail = binary.AppendUvarint(tail, 1)
	tail = binary.AppendUvarint(tail, uint64(b.unpadded))
	tail = binary.AppendUvarint(tail, uint64(b.decoded))
	for len(tail)%4 != 0 {
		tail = append(tail, 0)
	}
	tail = binary.LittleEndian.AppendUint32(tail, crc32.ChecksumIEEE(tail))
	var footer [footerSize]byte
	binary.LittleEndian.PutUint32(footer[4:], uint32(len(tail)/4-1))
	copy(footer[8:], x.header[6:8])
	binary.LittleEndian.PutUint32(footer[:], crc32.ChecksumIEEE(footer[4:10]))
	copy(footer[10:], footerMagic)
	return io.MultiReader(
		bytes.NewReader(x.header[:]),
		io.NewSectionReader(src, b.offset, b.padded()),
		bytes.NewReader(append(tail, footer[:]...)))
}

// decode fills dst, which is as long as the index says, and reads on to the
// end, where the decoder compares checks and sizes.
func (x *index) decode(ctx context.Context, src io.ReaderAt, b block, dst []byte) error {
	z, err := xz.NewReader(x.stream(src, b), MaxDictionary)
	if err != nil {
		return noEOF(err)
	}
	r := canceler{ctx, z}
	if err := fill(r, dst); err != nil {
		return err
	}
	var one [1]byte
	switch n, err := io.ReadFull(r, one[:]); {
	case n != 0:
		return errors.New("data is longer than the index says")
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

// fill is io.ReadFull in stretches, so that a canceled context is seen soon.
func fill(r io.Reader, dst []byte) error {
	for len(dst) > 0 {
		n, err := io.ReadFull(r, dst[:min(len(dst), 1<<20)])
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return fmt.Errorf("data is shorter than the index says: %w", io.ErrUnexpectedEOF)
			}
			return err
		}
		dst = dst[n:]
	}
	return nil
}

// copy decodes blocks in parallel and writes them in order. A slot is taken
// before a block is allocated and given back when it is written, so memory is
// bounded by slots, not by how far the fastest worker runs ahead.
func (x *index) copy(ctx context.Context, dst io.Writer, src io.ReaderAt, limit int64) (int64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type decoded struct {
		data []byte
		err  error
	}
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	results := make([]chan decoded, len(x.list))
	for i := range results {
		results[i] = make(chan decoded, 1)
	}
	go func() {
		for i, b := range x.list {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			go func() {
				data := make([]byte, b.decoded)
				err := x.decode(ctx, src, b, data)
				results[i] <- decoded{data, err}
			}()
		}
	}()
	written := int64(0)
	for i := range results {
		if written+x.list[i].decoded > limit {
			return written, fmt.Errorf("decode xz: %w of %d bytes", ErrTooLarge, limit)
		}
		var d decoded
		select {
		case d = <-results[i]:
		case <-ctx.Done():
			return written, ctx.Err()
		}
		if d.err != nil {
			return written, fmt.Errorf("decode xz: block %d of %d: %w", i+1, len(results), d.err)
		}
		n, err := dst.Write(d.data)
		written += int64(n)
		if err != nil {
			return written, fmt.Errorf("write decoded data: %w", err)
		}
		<-slots
	}
	return written, nil
}

func readFull(src io.ReaderAt, p []byte, at int64) error {
	n, err := src.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	return noEOF(err)
}
