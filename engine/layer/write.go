package layer

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Format is the version of the bytes that Write makes. It is in every key:
// a golden test fails when bytes change and this does not.
const Format = "l1"

// MTime is the one modification time in every layer, 1980-01-01T00:00:00Z
// in Unix seconds: constant, so that equal files are equal layers on every
// day and machine, and the first that zip can say (0 breaks wheels and jars).
const MTime = 315532800

// xattrPrefix is how PAX records name extended attributes.
const xattrPrefix = "SCHILY.xattr."

// blockSize is what Write collects before it hashes and passes on: the
// hand-over costs nothing beside hashing (0.2 ms), and a block stays in a
// core's cache meanwhile.
const blockSize = 256 << 10

// firstBlock is what the first block of a layer begins with: most layers of a
// monorepo are a few kB, and 3,200 of them, 400 images', took 800 MB of blocks.
const firstBlock = 16 << 10

// Written is what a layer came to.
type Written struct {
	Empty  bool   // there was nothing to write: no layer, and nothing below is set
	DiffID string // "sha256:…" of the tar
	Size   int64  // bytes of the tar
	TOC    *TOC   // with the digests of all files
	// Offsets holds, for each entry of the TOC, where the content of a file
	// starts in the tar; -1 for everything else.
	Offsets []int64
}

// Write writes items as a normalised tar (rules 6 to 9 of a layer: names,
// order, headers, hard links). Items may come in any order; of hard links,
// the first path becomes the file. Contents are streamed: 50,000 items cost
// their entries and a few blocks. A file whose content does not have the
// stated size, or digest where one is stated, is an error that names it.
func Write(w io.Writer, items []Item) (Written, error) {
	if len(items) == 0 {
		return Written{Empty: true}, nil
	}
	items, err := arrange(items)
	if err != nil {
		return Written{}, fmt.Errorf("write layer: %w", err)
	}
	sink := newHashSink(w)
	out, err := writeItems(sink, items)
	sum, sinkErr := sink.close()
	if errors.Is(err, errStopped) {
		err = nil // sinkErr says why
	}
	if err = errors.Join(err, sinkErr); err != nil {
		return Written{}, fmt.Errorf("write layer: %w", err)
	}
	out.DiffID, out.Size = sum, sink.size
	return out, nil
}

func writeItems(sink *hashSink, items []Item) (Written, error) {
	tw := tar.NewWriter(sink)
	out := Written{TOC: &TOC{Entries: make([]Entry, len(items))}, Offsets: make([]int64, len(items))}
	ahead := readAhead(items)
	defer ahead.stop()
	for i := range items {
		e := items[i].Entry
		hdr, err := header(&e)
		if err != nil {
			return Written{}, err
		}
		if err := tw.WriteHeader(hdr); err != nil {
			return Written{}, fmt.Errorf("header of %q: %w", e.Path, err)
		}
		out.Offsets[i] = -1
		if e.Type == File {
			out.Offsets[i] = sink.size
			if e.Digest, err = ahead.copy(tw, i); err != nil {
				return Written{}, fmt.Errorf("content of %q: %w", e.Path, err)
			}
		}
		out.TOC.Entries[i] = e
	}
	if err := tw.Close(); err != nil {
		return Written{}, fmt.Errorf("end of the tar: %w", err)
	}
	return out, nil
}

// arrange checks items and puts them in the order of a layer, hard links
// behind their file. The argument is left as it is.
func arrange(items []Item) ([]Item, error) {
	items = slices.Clone(items)
	slices.SortStableFunc(items, func(a, b Item) int { return compareEntries(&a.Entry, &b.Entry) })
	leaf := ""
	for i := range items {
		e := &items[i].Entry
		if err := checkEntry(e); err != nil {
			return nil, err
		}
		if i > 0 && compareEntries(&items[i-1].Entry, e) == 0 {
			return nil, fmt.Errorf("%q is there twice", e.Path)
		}
		if leaf != "" && under(e.Path, leaf) {
			return nil, fmt.Errorf("%q is below %q, which is no directory", e.Path, leaf)
		}
		if !e.Type.deletes() && e.Type != Dir {
			leaf = e.Path
		}
		if e.Type == File && items[i].Open == nil {
			return nil, fmt.Errorf("%q has no content", e.Path)
		}
	}
	return items, groupLinks(items)
}

func checkEntry(e *Entry) error {
	if !validPath(e.Path) || e.Path == "" && e.Type != Opaque {
		return fmt.Errorf("%q is not a clean relative path", e.Path)
	}
	if e.Type == Char || e.Type == Block {
		return fmt.Errorf("%q is a device; a layer holds none, the runtime makes them in /dev", e.Path)
	}
	for name := range e.Xattrs {
		if strings.Contains(name, "=") {
			return fmt.Errorf("%q has an extended attribute %q; a tar cannot hold one with %q in its name", e.Path, name, "=")
		}
	}
	return checkNames(e.Path)
}

// groupLinks makes the first path of each group of hard links the file
// (rule 7), so that the bytes do not depend on which name was found first.
func groupLinks(items []Item) error {
	first := make(map[string]int) // the group's name (its file's path as given) → its first item
	files := make(map[string]int)
	for i := range items {
		group := items[i].Link
		switch items[i].Type {
		case File:
			group = items[i].Path
			files[group] = i
		case Hardlink:
		default:
			continue
		}
		if _, ok := first[group]; !ok {
			first[group] = i
		}
	}
	for i := range items {
		if items[i].Type != Hardlink {
			continue
		}
		if _, ok := files[items[i].Link]; !ok {
			return fmt.Errorf("%q is a hard link to %q, which is no file in this layer", items[i].Path, items[i].Link)
		}
	}
	contents := make(map[string]Item, len(files))
	for group, i := range files {
		contents[group] = items[i]
	}
	for i := range items {
		group := items[i].Link
		switch items[i].Type {
		case File:
			group = items[i].Path
		case Hardlink:
		default:
			continue
		}
		file, path := contents[group], items[i].Path
		if i == first[group] {
			items[i] = file
			items[i].Path = path
			continue
		}
		items[i] = Item{Entry: Entry{Path: path, Type: Hardlink, Mode: file.Mode, UID: file.UID, GID: file.GID, Link: items[first[group]].Path}}
	}
	return nil
}

// header gives an entry's tar header: ustar where it fits, else PAX.
func header(e *Entry) (*tar.Header, error) {
	h := &tar.Header{Name: e.Path, Mode: int64(e.Mode), Uid: e.UID, Gid: e.GID, ModTime: time.Unix(MTime, 0)}
	switch e.Type {
	case Dir:
		h.Typeflag, h.Name = tar.TypeDir, e.Path+"/"
	case File:
		h.Typeflag, h.Size = tar.TypeReg, e.Size
	case Symlink:
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.Link
	case Hardlink:
		h.Typeflag, h.Linkname = tar.TypeLink, e.Link
	case Fifo:
		h.Typeflag = tar.TypeFifo
	case Whiteout:
		dir, name := splitPath(e.Path)
		h = &tar.Header{Typeflag: tar.TypeReg, Name: joinPath(dir, whiteoutPrefix+name), ModTime: h.ModTime}
	case Opaque:
		h = &tar.Header{Typeflag: tar.TypeReg, Name: joinPath(e.Path, opaqueName), ModTime: h.ModTime}
	default:
		return nil, fmt.Errorf("%q has the unknown type %q", e.Path, e.Type)
	}
	if e.Type == Hardlink || len(e.Xattrs) == 0 {
		return h, nil
	}
	h.PAXRecords = make(map[string]string, len(e.Xattrs))
	for _, name := range slices.Sorted(maps.Keys(e.Xattrs)) {
		h.PAXRecords[xattrPrefix+name] = e.Xattrs[name]
	}
	return h, nil
}

// hashSink collects blocks, passes them on and hashes them, both in a
// goroutine of its own, so that reading files and hashing the tar use two
// cores.
type hashSink struct {
	w     io.Writer
	sum   hash.Hash
	size  int64  // of all that was written
	block []byte // being collected
	full  chan []byte
	free  chan []byte
	stop  chan struct{} // closed when nothing can be passed on any more
	done  chan error
}

func newHashSink(w io.Writer) *hashSink {
	s := &hashSink{
		w: w, sum: sha256.New(), full: make(chan []byte, 3), free: make(chan []byte, 4),
		stop: make(chan struct{}), done: make(chan error, 1),
	}
	go s.run()
	return s
}

// run drains to the end also after an error, so that no writer ever blocks.
func (s *hashSink) run() {
	var err error
	for block := range s.full {
		if err == nil {
			s.sum.Write(block)
			if _, err = s.w.Write(block); err != nil {
				close(s.stop)
			}
		}
		select {
		case s.free <- block:
		default:
		}
	}
	s.done <- err
}

func (s *hashSink) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if s.block == nil {
			select {
			case s.block = <-s.free:
				s.block = s.block[:0]
			default:
				s.block = make([]byte, 0, s.room())
			}
		}
		n := min(len(p), blockSize-len(s.block))
		s.block = append(s.block, p[:n]...)
		p = p[n:]
		if len(s.block) == blockSize {
			select {
			case <-s.stop:
				return 0, errStopped
			default:
			}
			s.full <- s.block
			s.block = nil
		}
	}
	s.size += int64(total)
	return total, nil
}

// room is that of a new block.
func (s *hashSink) room() int {
	if s.size == 0 {
		return firstBlock
	}
	return blockSize
}

// errStopped ends the writing of a layer; close says what stopped it.
var errStopped = errors.New("the layer cannot be written")

func (s *hashSink) close() (digest string, err error) {
	if len(s.block) > 0 {
		s.full <- s.block
	}
	close(s.full)
	err = <-s.done
	return "sha256:" + hex.EncodeToString(s.sum.Sum(nil)), err
}
