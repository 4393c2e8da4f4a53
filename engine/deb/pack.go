package deb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/specbuild/specbuild/engine/layer"
)

// A stored archive is, in this order:
//
//	frames    the contents of all files one after another, cut every
//	          frameSize bytes, each cut a zstd frame of its own
//	table     one zstd frame of text: a line a frame (its compressed
//	          length), a line a control file, a line an entry
//	trailer   packMagic, the table's offset and length (big endian)
//
// So any file is found by dividing its offset, and reading a layer in the
// order of paths decodes most frames once.
const (
	packFormat = "deb1" // part of every key; changes with anything below
	packMagic  = "sb" + packFormat + "\r\n"

	// frameSize: at 256 KiB nginx's closure with its CA certificates is
	// 16.1 MB, with 1 MiB 15.3 MB; a small file read alone decodes a frame.
	frameSize   = 256 << 10
	trailerSize = len(packMagic) + 16
	// maxTable bounds the memory for a table that was damaged on disk.
	maxTable = 1 << 30
)

// entry is one of a .deb's data archive, by the path that the .deb has.
type entry struct {
	layer.Entry
	offset int64  // of a file's content in the uncompressed stream
	md5    string // of a file, where the database needs it
	interp string // the program of a first line #!, of an executable
}

// segment is a control file's place in the uncompressed stream.
type segment struct{ offset, size int64 }

// table is all that is known of an archive without its contents.
type table struct {
	frames  []int64 // compressed offsets; one more than there are frames
	size    int64   // of the uncompressed stream
	order   []string
	control map[string]segment // by name, "control", "postinst", …
	entries []entry            // in the order of the .deb
}

// packer writes a stored archive.
type packer struct {
	w     io.Writer
	enc   *zstd.Encoder
	buf   []byte // of the frame in the making
	out   []byte
	at    int64 // written to w
	table table
}

func newPacker(w io.Writer) (*packer, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	return &packer{w: w, enc: enc, buf: make([]byte, 0, frameSize),
		table: table{control: map[string]segment{}}}, nil
}

// Write appends to the uncompressed stream.
func (p *packer) Write(b []byte) (int, error) {
	n := len(b)
	p.table.size += int64(n)
	for len(b) > 0 {
		k := min(len(b), frameSize-len(p.buf))
		p.buf = append(p.buf, b[:k]...)
		b = b[k:]
		if len(p.buf) == frameSize {
			if err := p.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (p *packer) flush() error {
	p.table.frames = append(p.table.frames, p.at)
	p.out = p.enc.EncodeAll(p.buf, p.out[:0])
	p.buf = p.buf[:0]
	p.at += int64(len(p.out))
	_, err := p.w.Write(p.out)
	return err
}

// finish writes the last frame, the table and the trailer.
func (p *packer) finish() (table, error) {
	if len(p.buf) > 0 {
		if err := p.flush(); err != nil {
			return table{}, err
		}
	}
	p.table.frames = append(p.table.frames, p.at)
	packed := p.enc.EncodeAll(p.table.encode(), nil)
	tail := append(packed, packMagic...)
	tail = binary.BigEndian.AppendUint64(tail, uint64(p.at))
	tail = binary.BigEndian.AppendUint64(tail, uint64(len(packed)))
	_, err := p.w.Write(tail)
	return p.table, err
}

func (t *table) encode() []byte {
	b := fmt.Appendf(nil, "size %d\n", t.size)
	for _, at := range t.frames {
		b = fmt.Appendf(b, "frame %d\n", at)
	}
	for _, name := range t.order {
		s := t.control[name]
		b = fmt.Appendf(b, "control %d %d %q\n", s.offset, s.size, name)
	}
	for i := range t.entries {
		e := &t.entries[i]
		b = fmt.Appendf(b, "%c %o %d %d %d %d %q %q %q %q %q\n", e.Type, e.Mode, e.UID, e.GID, e.Size, e.offset,
			e.Path, e.Link, e.Digest, e.md5, e.interp)
	}
	return b
}

var errDamaged = errors.New("the stored archive is damaged")

// readTable reads the table from the end of a stored archive.
func readTable(b Blob, dec *zstd.Decoder) (*table, error) {
	tail := make([]byte, trailerSize)
	if b.Size() < int64(trailerSize) {
		return nil, errDamaged
	}
	end := b.Size() - int64(trailerSize)
	if _, err := b.ReadAt(tail, end); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	at := int64(binary.BigEndian.Uint64(tail[len(packMagic):]))
	size := int64(binary.BigEndian.Uint64(tail[len(packMagic)+8:]))
	if string(tail[:len(packMagic)]) != packMagic || at < 0 || size < 0 || size > maxTable || at+size != end {
		return nil, errDamaged
	}
	packed := make([]byte, size)
	if _, err := b.ReadAt(packed, at); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	text, err := dec.DecodeAll(packed, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return decodeTable(string(text))
}

func decodeTable(text string) (*table, error) {
	t := &table{control: map[string]segment{}}
	for line := range strings.Lines(text) {
		f := &fields{rest: strings.TrimSuffix(line, "\n")}
		switch kind := f.word(); kind {
		case "size":
			t.size = f.number(10)
		case "frame":
			t.frames = append(t.frames, f.number(10))
		case "control":
			s := segment{f.number(10), f.number(10)}
			name := f.quoted()
			t.control[name], t.order = s, append(t.order, name)
		default:
			var e entry
			e.Type = layer.Type(kind[0])
			e.Mode, e.UID, e.GID = uint32(f.number(8)), int(f.number(10)), int(f.number(10))
			e.Size, e.offset = f.number(10), f.number(10)
			e.Path, e.Link, e.Digest = f.quoted(), f.quoted(), f.quoted()
			e.md5, e.interp = f.quoted(), f.quoted()
			t.entries = append(t.entries, e)
		}
		if f.bad {
			return nil, errDamaged
		}
	}
	if int64(len(t.frames)) != (t.size+frameSize-1)/frameSize+1 {
		return nil, errDamaged
	}
	return t, nil
}

// fields reads the words of a line of a table; bad stays set.
type fields struct {
	rest string
	bad  bool
}

func (f *fields) word() string {
	w, rest, _ := strings.Cut(f.rest, " ")
	f.rest = rest
	if w == "" {
		f.bad = true
		return " "
	}
	return w
}

func (f *fields) number(base int) int64 {
	n, err := strconv.ParseInt(f.word(), base, 64)
	f.bad = f.bad || err != nil || n < 0
	return n
}

func (f *fields) quoted() string {
	if strings.HasPrefix(f.rest, `""`) { // most of them
		f.rest = strings.TrimPrefix(f.rest[2:], " ")
		return ""
	}
	q, err := strconv.QuotedPrefix(f.rest)
	if err != nil {
		f.bad = true
		return ""
	}
	f.rest = strings.TrimPrefix(f.rest[len(q):], " ")
	s, err := strconv.Unquote(q)
	f.bad = f.bad || err != nil
	return s
}
