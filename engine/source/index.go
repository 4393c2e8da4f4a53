package source

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The file: magic; a block of records for each folder; a table with path,
// place, length and CRC-32C of each block, sorted by path; the table's place,
// and its CRC. Numbers are little-endian.
const (
	indexMagic  = "specbuild stat 1\n"
	indexFooter = 8 + 4
	recordFixed = 6*8 + sha256.Size // what follows a record's name
)

// record is what the index knows of one file. One without a name is empty.
type record struct {
	name string
	meta meta
	sum  [sha256.Size]byte
}

// index is an open stat index; nil is an empty one.
type index struct {
	data  []byte
	unmap func()
	dirs  []indexDir
}

type indexDir struct {
	path  string
	off   uint64
	size  uint64
	check uint32
}

// openIndex gives nil for an index that is missing or damaged: it is only
// ever a shortcut.
func openIndex(path string) *index {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() < int64(len(indexMagic)+indexFooter) {
		return nil
	}
	data, unmap, err := mapFile(f, int(info.Size()))
	if err != nil {
		return nil
	}
	x := &index{data: data, unmap: unmap}
	if !x.readTable() {
		x.close()
		return nil
	}
	return x
}

func (x *index) close() {
	if x != nil {
		x.unmap()
	}
}

func (x *index) readTable() bool {
	foot := uint64(len(x.data) - indexFooter)
	at := binary.LittleEndian.Uint64(x.data[foot:])
	if !strings.HasPrefix(string(x.data[:len(indexMagic)]), indexMagic) || at > foot ||
		binary.LittleEndian.Uint32(x.data[foot+8:]) != checksum(x.data[at:foot]) {
		return false
	}
	r := reader{b: x.data[at:foot]}
	for len(r.b) > 0 && !r.bad {
		d := indexDir{path: r.text(), off: r.uvarint(), size: r.uvarint(), check: uint32(r.uvarint())}
		if d.off > at || d.size > at-d.off {
			return false
		}
		x.dirs = append(x.dirs, d)
	}
	return !r.bad
}

// find gives the records of a folder, by name.
func (x *index) find(dir string) []record {
	block := x.block(dir)
	r := reader{b: block}
	var list []record
	for len(r.b) > 0 && !r.bad {
		list = append(list, r.record())
	}
	if r.bad {
		return nil
	}
	return list
}

func (x *index) block(dir string) []byte {
	if x == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(x.dirs, dir, func(d indexDir, p string) int { return strings.Compare(d.path, p) })
	if !ok {
		return nil
	}
	d := x.dirs[i]
	b := x.data[d.off : d.off+d.size]
	if checksum(b) != d.check {
		return nil
	}
	return b
}

func findRecord(list []record, name string) (record, bool) {
	i, ok := slices.BinarySearchFunc(list, name, func(r record, n string) int { return strings.Compare(r.name, n) })
	if !ok {
		return record{}, false
	}
	return list[i], true
}

// reader takes numbers and texts off a block; bad once there are too few
// bytes.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) text() string { return string(r.take(r.uvarint())) }

func (r *reader) record() record {
	rec := record{name: r.text()}
	rec.meta, rec.sum = r.fixed()
	return rec
}

// fixed is what follows a record's name.
func (r *reader) fixed() (m meta, sum [sha256.Size]byte) {
	b := r.take(recordFixed)
	if b == nil {
		return m, sum
	}
	n := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
	m = meta{dev: n(0), ino: n(1), mode: uint32(n(2)), size: int64(n(3)), mtime: int64(n(4)), ctime: int64(n(5))}
	copy(sum[:], b[6*8:])
	return m, sum
}

func (r record) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(r.name)))
	b = append(b, r.name...)
	for _, n := range []uint64{r.meta.dev, r.meta.ino, uint64(r.meta.mode), uint64(r.meta.size), uint64(r.meta.mtime), uint64(r.meta.ctime)} {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	return append(b, r.sum[:]...)
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// saveIndex writes what is known of folders over what is in the index now,
// which may be more than was there when it was opened: other processes write
// theirs. Folders that were not read keep their records.
func saveIndex(path string, folders map[string]*listing, coarse int64) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := lockFile(lock); err != nil {
		return err
	}
	old := openIndex(path)
	defer old.close()
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp*")
	if err != nil {
		return err
	}
	err = errors.Join(writeIndex(tmp, old, folders, coarse), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err
}

func writeIndex(w io.Writer, old *index, folders map[string]*listing, coarse int64) error {
	dirs := slices.Collect(maps.Keys(folders))
	if old != nil {
		for _, d := range old.dirs {
			if folders[d.path] == nil && !vanished(d.path, folders) {
				dirs = append(dirs, d.path)
			}
		}
	}
	slices.Sort(dirs)
	out := bufio.NewWriterSize(w, 1<<16)
	if _, err := out.WriteString(indexMagic); err != nil {
		return err
	}
	at := uint64(len(indexMagic))
	var table, block []byte
	for _, d := range dirs {
		block = block[:0]
		if l := folders[d]; l != nil && l.stale {
			block = l.merge(block, old.find(d), coarse)
		} else {
			block = append(block, old.block(d)...)
		}
		if len(block) == 0 {
			continue
		}
		if _, err := out.Write(block); err != nil {
			return fmt.Errorf("writing the stat index: %w", err)
		}
		table = binary.AppendUvarint(table, uint64(len(d)))
		table = append(table, d...)
		table = binary.AppendUvarint(table, at)
		table = binary.AppendUvarint(table, uint64(len(block)))
		table = binary.AppendUvarint(table, uint64(checksum(block)))
		at += uint64(len(block))
	}
	sum := checksum(table)
	table = binary.LittleEndian.AppendUint64(table, at)
	table = binary.LittleEndian.AppendUint32(table, sum)
	if _, err := out.Write(table); err != nil {
		return fmt.Errorf("writing the stat index: %w", err)
	}
	return out.Flush()
}

// vanished reports whether the deepest folder above that was read has no such
// folder any more.
func vanished(dir string, folders map[string]*listing) bool {
	for dir != "" {
		up, name := split(dir)
		if l := folders[up]; l != nil {
			i := l.find(name)
			return i < 0 || l.files[i].kind != kindDir
		}
		dir = up
	}
	return false
}

// merge appends the records of a folder: of files that were looked at what is
// known now, of others what was known before.
func (l *listing) merge(b []byte, old []record, coarse int64) []byte {
	for i := range l.files {
		f := &l.files[i]
		if f.kept {
			b = record{name: f.name, meta: f.meta.cut(coarse), sum: f.sum}.append(b)
		} else if r, ok := findRecord(old, f.name); ok && !f.looked && f.kind != kindDir {
			b = r.append(b)
		}
	}
	return b
}

// recall takes from a block of the index what it knows of files that were
// looked at, and notes whether the block is right as it is.
func (l *listing) recall(block []byte, coarse int64) {
	l.recalled = true
	r := reader{b: block}
	i := 0
	for len(r.b) > 0 {
		name := r.take(r.uvarint())
		m, sum := r.fixed()
		if r.bad {
			l.stale = true
			return
		}
		for i < len(l.files) && l.files[i].name < string(name) {
			i++
		}
		if i == len(l.files) || l.files[i].name != string(name) || l.files[i].kind == kindDir {
			l.stale = true // it is gone
			continue
		}
		switch f := &l.files[i]; {
		case !f.looked:
		case f.meta.cut(coarse) == m:
			f.sum, f.hashed, f.kept = sum, true, true
		default:
			l.stale = true
		}
	}
}

// cut gives the times as a coarse clock would have made them; 0 is none.
func (m meta) cut(coarse int64) meta {
	if coarse > 0 {
		m.mtime -= m.mtime % coarse
		m.ctime -= m.ctime % coarse
	}
	return m
}
