package deb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// indexFields are the fields kept of a stanza, in the order of a record.
var indexFields = [...]string{
	"Package", "Version", "Architecture", "Filename", "Size", "SHA256", "Installed-Size", "Priority",
	"Multi-Arch", "Essential", "Pre-Depends", "Depends", "Recommends", "Conflicts", "Breaks", "Provides",
}

// record is a stanza's values of indexFields.
type record [len(indexFields)]string

var errIndex = errors.New("malformed index")

// pkg is the package of a record that was checked when its table was made.
func (r *record) pkg(source string) *Package {
	size, _ := strconv.ParseInt(r[4], 10, 64)
	installed, _ := strconv.ParseInt(r[6], 10, 64) // optional in the format
	return &Package{
		Name: r[0], Version: r[1], Arch: r[2], Source: source, Path: r[3], Size: size, SHA256: r[5],
		InstalledSize: installed, Priority: r[7], MultiArch: r[8], Essential: r[9] == "yes",
		PreDepends: r[10], Depends: r[11], Recommends: r[12], Conflicts: r[13], Breaks: r[14], Provides: r[15],
	}
}

func (r *record) check() error {
	size, err := strconv.ParseInt(r[4], 10, 64)
	if err != nil || size <= 0 || len(r[5]) != 64 || r[3] == "" || r[1] == "" || r[2] == "" {
		return fmt.Errorf("%w: package %q lacks a version, an architecture, a file name, a size or a SHA256", errIndex, r[0])
	}
	return nil
}

// readRecords reads a Packages file.
func readRecords(packages string) ([]record, error) {
	out := make([]record, 0, strings.Count(packages, "\n\n")+1)
	var r record
	last := -1 // the field that a folded line belongs to
	flush := func() error {
		defer func() { r, last = record{}, -1 }()
		if r == (record{}) {
			return nil
		}
		out = append(out, r)
		return r.check()
	}
	for rest := packages; rest != ""; {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			if err := flush(); err != nil {
				return nil, err
			}
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			if last >= 0 {
				r[last] += " " + strings.TrimSpace(line)
			}
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		if last = slices.Index(indexFields[:], name); last >= 0 {
			r[last] = strings.TrimSpace(value)
		}
	}
	return out, flush()
}

// table is a component's packages for one architecture, sorted by name, in a
// form that is written to disk and looked up as it is: names and who provides
// what stand uncompressed, the stanzas in blocks that are decompressed when
// one of theirs is asked for. A table never changes.
type table struct {
	names    lines  // of each stanza
	provided lines  // sorted
	by       []byte // for each line of provided, the stanza that provides it
	relied   []int  // stanzas that are Essential, required, or apt
	ends     []byte // of each block in blocks
	blocks   []byte
	zstd     *zstd.Decoder
}

// perBlock is the number of stanzas in a block: 64 make some 20 kB, which are
// decompressed in 30 µs, and compress within a tenth as well as the whole.
const perBlock = 64

// lines are strings, found by number or by value; ends has where each ends.
type lines struct {
	text string
	ends []byte
}

func number32(b []byte, i int) int { return int(binary.LittleEndian.Uint32(b[4*i:])) }

func (l lines) len() int { return len(l.ends) / 4 }

func (l lines) at(i int) string {
	from := 0
	if i > 0 {
		from = number32(l.ends, i-1)
	}
	return l.text[from:number32(l.ends, i)]
}

func (l lines) all() []string {
	out := make([]string, l.len())
	for i := range out {
		out[i] = l.at(i)
	}
	return out
}

// find is where a value stands, from the first to before the second; the
// lines are sorted.
func (l lines) find(s string) (from, to int) {
	low, high := 0, l.len()
	for low < high {
		if mid := int(uint(low+high) >> 1); l.at(mid) < s {
			low = mid + 1
		} else {
			high = mid
		}
	}
	for to = low; to < l.len() && l.at(to) == s; to++ {
	}
	return low, to
}

func newLines(all []string) lines {
	var l lines
	l.text = strings.Join(all, "")
	l.ends = make([]byte, 0, 4*len(all))
	end := 0
	for _, s := range all {
		end += len(s)
		l.ends = binary.LittleEndian.AppendUint32(l.ends, uint32(end))
	}
	return l
}

// newTable sorts records and packs them.
func newTable(records []record) (*table, error) {
	order := make([]int, len(records)) // the records are large to move
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(records[a][0], records[b][0]) })
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	t := &table{}
	names := make([]string, 0, len(order))
	var provides []provision
	var block []byte
	for i, n := range order {
		r := &records[n]
		names = append(names, r[0])
		if r[9] == "yes" || r[7] == "required" || r[0] == "apt" {
			t.relied = append(t.relied, i)
		}
		for _, rel := range slices.Concat(parseRelations(r[15])...) {
			provides = append(provides, provision{rel.name, i})
		}
		for _, v := range r {
			block = append(append(block, v...), '\n')
		}
		if i%perBlock == perBlock-1 || i == len(order)-1 {
			t.blocks = w.EncodeAll(block, t.blocks)
			t.ends = binary.LittleEndian.AppendUint32(t.ends, uint32(len(t.blocks)))
			block = block[:0]
		}
	}
	t.names = newLines(names)
	t.provide(provides)
	if err := w.Close(); err != nil {
		return nil, err
	}
	return t, t.open()
}

// provision says that a stanza provides a name.
type provision struct {
	name   string
	stanza int
}

func (t *table) provide(all []provision) {
	slices.SortStableFunc(all, func(a, b provision) int { return strings.Compare(a.name, b.name) })
	all = slices.Compact(all)
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = p.name
		t.by = binary.LittleEndian.AppendUint32(t.by, uint32(p.stanza))
	}
	t.provided = newLines(names)
}

func (t *table) open() (err error) {
	t.zstd, err = zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxIndexSize), zstd.WithDecoderConcurrency(1))
	return err
}

// find is the stanzas of a name, from the first to before the second.
func (t *table) find(name string) (from, to int) { return t.names.find(name) }

// providers are the stanzas that provide a name.
func (t *table) providers(name string) []int {
	from, to := t.provided.find(name)
	var out []int
	for i := from; i < to; i++ {
		out = append(out, number32(t.by, i))
	}
	return out
}

// stanza reads one.
func (t *table) stanza(n int) (*record, error) {
	from, b := 0, n/perBlock
	if b > 0 {
		from = number32(t.ends, b-1)
	}
	raw, err := t.zstd.DecodeAll(t.blocks[from:number32(t.ends, b)], nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errIndex, err)
	}
	text := string(raw)
	for range n % perBlock * len(indexFields) {
		_, text, _ = strings.Cut(text, "\n")
	}
	var r record
	for i := range r {
		var v string
		v, text, _ = strings.Cut(text, "\n")
		r[i] = strings.Clone(v) // not the whole block for it
	}
	return &r, nil
}

// encode is the table as it is kept: a number for the length of each part,
// then the parts; what is looked up is compressed as one.
func (t *table) encode() ([]byte, error) {
	var relied []byte
	for _, n := range t.relied {
		relied = binary.LittleEndian.AppendUint32(relied, uint32(n))
	}
	var head []byte
	for _, part := range [][]byte{[]byte(t.names.text), t.names.ends, []byte(t.provided.text), t.provided.ends, t.by, relied, t.ends} {
		head = binary.LittleEndian.AppendUint32(head, uint32(len(part)))
		head = append(head, part...)
	}
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil, err
	}
	packed := w.EncodeAll(head, nil)
	if err := w.Close(); err != nil {
		return nil, err
	}
	out := binary.LittleEndian.AppendUint32(nil, uint32(len(packed)))
	return slices.Concat(out, packed, t.blocks), nil
}

// decodeTable is the inverse of encode, for bytes whose digest was checked.
func decodeTable(raw []byte) (*table, error) {
	t := &table{}
	if err := t.open(); err != nil {
		return nil, err
	}
	if len(raw) < 4 || len(raw)-4 < number32(raw, 0) {
		return nil, errIndex
	}
	n := number32(raw, 0)
	head, err := t.zstd.DecodeAll(raw[4:4+n], nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errIndex, err)
	}
	var parts [7][]byte
	for i := range parts {
		if len(head) < 4 || len(head)-4 < number32(head, 0) {
			return nil, errIndex
		}
		size := number32(head, 0)
		parts[i], head = head[4:4+size], head[4+size:]
	}
	t.names, t.provided = lines{string(parts[0]), parts[1]}, lines{string(parts[2]), parts[3]}
	t.by, t.ends, t.blocks = parts[4], parts[6], raw[4+n:]
	for i := range len(parts[5]) / 4 {
		t.relied = append(t.relied, number32(parts[5], i))
	}
	return t, nil
}
