package layer

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Limits bound what a layer or an archive may do to the one who reads it.
// Zero means the default.
type Limits struct {
	Entries int   // entries of one layer; 5,000,000
	Path    int   // bytes of a path; 4096 (PATH_MAX)
	Depth   int   // names in a path; 512
	Size    int64 // bytes of all files together; no limit (Unpack: the free space)
	Ratio   int64 // unpacked bytes for each packed one, beyond the first 64 MB; 1100, above what deflate can reach
}

func (l Limits) withDefaults() Limits {
	if l.Entries == 0 {
		l.Entries = 5_000_000
	}
	if l.Path == 0 {
		l.Path = 4096
	}
	if l.Depth == 0 {
		l.Depth = 512
	}
	if l.Size == 0 {
		l.Size = 1 << 62
	}
	if l.Ratio == 0 {
		l.Ratio = 1100
	}
	return l
}

// ReadOptions say how a layer's tar is read.
type ReadOptions struct {
	Limits Limits
	// Devices keeps device nodes, as bases may have them; otherwise they
	// are an error.
	Devices bool
	// Keep is filled by ReadTOC with the contents of the files whose paths
	// are its keys, such as etc/passwd.
	Keep map[string][]byte
}

// ReadTOC makes the table of contents of a tar by streaming it: nothing is
// written. diffID and size are of the tar's bytes. A tar that Unpack would
// refuse is refused here too. The table is in the order of a layer whatever
// the order of the tar.
func ReadTOC(r io.Reader, opts ReadOptions) (toc *TOC, diffID string, size int64, err error) {
	in := newHashReader(r)
	defer in.stop()
	s := newScanner(in, opts)
	entries, err := s.scan(func(e *Entry, content io.Reader) error {
		if e.Type != File {
			return nil
		}
		var keep bytes.Buffer
		out := io.Writer(nil)
		if _, ok := opts.Keep[e.Path]; ok {
			out = &keep
		}
		if err := s.digest(e, content, out); err != nil {
			return err
		}
		if out != nil {
			opts.Keep[e.Path] = keep.Bytes()
		}
		return nil
	})
	if err != nil {
		return nil, "", 0, fmt.Errorf("read layer: %w", err)
	}
	diffID, size, err = in.finish()
	if err != nil {
		return nil, "", 0, fmt.Errorf("read layer: %w", err)
	}
	return &TOC{Entries: entries}, diffID, size, nil
}

// scanner reads a tar entry by entry, and refuses what would leave the
// layer's own directory or swamp the reader.
type scanner struct {
	tar    *tar.Reader
	opts   ReadOptions
	limits Limits
	seen   map[string]int  // path → place in entries; deletions are kept apart by a zero byte
	linked map[string]bool // files that have hard links
	parent map[string]bool // directories that were not stated but used
	out    []Entry
	size   int64
	sparse int64 // bytes of sparse files so far
	buf    []byte
}

func newScanner(r io.Reader, opts ReadOptions) *scanner {
	return &scanner{
		tar: tar.NewReader(r), opts: opts, limits: opts.Limits.withDefaults(),
		seen: make(map[string]int), linked: make(map[string]bool), parent: make(map[string]bool), buf: make([]byte, smallFile),
	}
}

// scan calls each for every entry, in the order of the tar, with the content
// of a file, and gives the entries in the order of a layer. each may set the
// entry's digest.
func (s *scanner) scan(each func(*Entry, io.Reader) error) ([]Entry, error) {
	for {
		h, err := s.tar.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("after %d entries: %w", len(s.out), err)
		}
		e, skip, err := s.entry(h)
		if err != nil {
			return nil, fmt.Errorf("entry %q: %w", h.Name, err)
		}
		if skip {
			continue
		}
		if err := each(&e, s.tar); err != nil {
			return nil, fmt.Errorf("entry %q: %w", h.Name, err)
		}
		s.remember(e)
	}
	out := slices.Clone(s.out)
	sortEntries(out)
	return out, nil
}

// remember adds an entry; a later one of the same path replaces the former,
// as unpacking does.
func (s *scanner) remember(e Entry) {
	key := seenKey(&e)
	if e.Type == Hardlink {
		s.linked[e.Link] = true
	}
	for dir, _ := splitPath(e.Path); dir != "" && !s.parent[dir]; dir, _ = splitPath(dir) {
		if _, stated := s.seen[dir]; stated {
			break
		}
		s.parent[dir] = true
	}
	if i, ok := s.seen[key]; ok {
		s.out[i] = e
		return
	}
	s.seen[key] = len(s.out)
	s.out = append(s.out, e)
}

func seenKey(e *Entry) string {
	if e.Type.deletes() {
		return e.Path + "\x00" + string(e.Type)
	}
	return e.Path
}

// lookup gives what the layer has brought so far.
func (s *scanner) lookup(path string) (*Entry, bool) {
	i, ok := s.seen[path]
	if !ok {
		return nil, false
	}
	return &s.out[i], true
}

// entry checks a header and turns it into an entry. skip is for headers
// that stand for nothing.
func (s *scanner) entry(h *tar.Header) (e Entry, skip bool, err error) {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return Entry{}, true, nil
	}
	if strings.HasPrefix(h.Name, "/") {
		return Entry{}, false, errors.New("the name is absolute")
	}
	path, err := cleanPath(h.Name)
	if err != nil {
		return Entry{}, false, err
	}
	if err := s.checkLimits(path, h); err != nil {
		return Entry{}, false, err
	}
	e, err = fromHeader(h, path)
	if err != nil {
		return Entry{}, false, err
	}
	if e.Path == "" && e.Type != Dir && e.Type != Opaque {
		return Entry{}, false, errors.New("the root must be a directory")
	}
	if (e.Type == Char || e.Type == Block) && !s.opts.Devices {
		return Entry{}, false, errors.New("is a device; a layer may hold none")
	}
	if err := s.checkPlace(&e); err != nil {
		return Entry{}, false, err
	}
	return e, false, nil
}

func (s *scanner) checkLimits(path string, h *tar.Header) error {
	l := s.limits
	if len(s.out) >= l.Entries {
		return fmt.Errorf("is one of more than %d entries", l.Entries)
	}
	if len(path) > l.Path || len(h.Linkname) > l.Path {
		return fmt.Errorf("has a path of more than %d bytes", l.Path)
	}
	if strings.Count(path, "/") >= l.Depth {
		return fmt.Errorf("is more than %d directories deep", l.Depth)
	}
	if h.Size < 0 || h.Size > l.Size-s.size {
		return fmt.Errorf("with its %d bytes the layer holds more than the %d that there is room for", h.Size, l.Size)
	}
	s.size += h.Size
	if isSparse(h) {
		// Its holes cost the sender nothing, and us all their bytes.
		if s.sparse += h.Size; s.sparse > sparseSize {
			return fmt.Errorf("makes the sparse files of the layer larger than %d bytes", sparseSize)
		}
	}
	return nil
}

// isSparse reports whether a file has holes, in GNU's old form or in one of
// its PAX forms.
func isSparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// checkPlace refuses an entry that is reached through something that is no
// directory, that turns one thing into another, or that links out of the
// layer. Each layer is unpacked into a directory of its own, so only what
// the same layer brought can be followed.
func (s *scanner) checkPlace(e *Entry) error {
	if err := s.checkChain(e.Path); err != nil {
		return err
	}
	if e.Type == Opaque {
		if at, ok := s.lookup(e.Path); ok && at.Type != Dir {
			return fmt.Errorf("%q is a %s in the same layer", e.Path, at.Type.noun())
		}
	}
	if old, ok := s.seen[seenKey(e)]; ok && s.out[old].Type != e.Type {
		return fmt.Errorf("is there twice, as a %s and as a %s", s.out[old].Type.noun(), e.Type.noun())
	}
	if s.parent[e.Path] && !e.Type.deletes() && e.Type != Dir {
		return fmt.Errorf("is a %s, but the same layer has something below it", e.Type.noun())
	}
	if s.linked[e.Path] && !e.Type.deletes() {
		return errors.New("is there twice, and a hard link to the first was made in between")
	}
	if e.Type != Hardlink {
		return nil
	}
	if err := s.checkChain(e.Link); err != nil {
		return fmt.Errorf("hard link to %q: %w", e.Link, err)
	}
	to, ok := s.lookup(e.Link)
	if !ok {
		return fmt.Errorf("is a hard link to %q, which the layer has not brought", e.Link)
	}
	if to.Type == Hardlink { // name the file itself
		e.Link = to.Link
		to, _ = s.lookup(to.Link)
	}
	if to.Type != File || to.Path == e.Path {
		return fmt.Errorf("is a hard link to %q, which is a %s", to.Path, to.Type.noun())
	}
	// A link is the same inode, whatever its header says.
	e.Mode, e.UID, e.GID, e.Xattrs = to.Mode, to.UID, to.GID, nil
	return nil
}

func (s *scanner) checkChain(path string) error {
	for dir, _ := splitPath(path); dir != ""; dir, _ = splitPath(dir) {
		if at, ok := s.lookup(dir); ok {
			if at.Type != Dir {
				return fmt.Errorf("is below %q, which is a %s in the same layer", dir, at.Type.noun())
			}
			return nil // what is above was checked when this came
		}
	}
	return nil
}

// digest reads a file's content, also into out if that is not nil.
func (s *scanner) digest(e *Entry, r io.Reader, out io.Writer) error {
	sum := sha256.New()
	w := io.Writer(sum)
	if out != nil {
		w = io.MultiWriter(sum, onlyWriter{out})
	}
	n, err := io.CopyBuffer(w, onlyReader{r}, s.buf)
	if err == nil && n != e.Size {
		err = io.ErrUnexpectedEOF
	}
	e.Digest = "sha256:" + hex.EncodeToString(sum.Sum(nil))
	return err
}

// fromHeader turns a header into an entry. Both forms of deletion are known
// by their names.
func fromHeader(h *tar.Header, path string) (Entry, error) {
	dir, name := splitPath(path)
	if name == opaqueName {
		return Entry{Path: dir, Type: Opaque}, nil
	}
	if gone, ok := strings.CutPrefix(name, whiteoutPrefix); ok {
		switch {
		case strings.HasPrefix(gone, whiteoutPrefix):
			return Entry{}, errors.New("is a mark of a storage driver (aufs), not a file")
		case gone == "" || gone == "." || gone == "..":
			return Entry{}, fmt.Errorf("deletes %q, which is no name", gone)
		}
		return Entry{Path: joinPath(dir, gone), Type: Whiteout}, nil
	}
	if err := checkNames(dir); err != nil {
		return Entry{}, err
	}
	e := Entry{Path: path, Mode: uint32(h.Mode) & 0o7777, UID: h.Uid, GID: h.Gid}
	for key, value := range h.PAXRecords {
		if attr, ok := strings.CutPrefix(key, xattrPrefix); ok && keepXattr(attr) {
			if e.Xattrs == nil {
				e.Xattrs = make(map[string]string)
			}
			e.Xattrs[attr] = value
		}
	}
	if h.Uid < 0 || h.Gid < 0 {
		return Entry{}, fmt.Errorf("has the owner %d:%d", h.Uid, h.Gid)
	}
	return e, e.setType(h)
}

func (e *Entry) setType(h *tar.Header) error {
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		e.Type, e.Size = File, h.Size
	case tar.TypeDir:
		e.Type = Dir
	case tar.TypeSymlink:
		e.Type, e.Link, e.Mode = Symlink, h.Linkname, 0o777
		if h.Linkname == "" {
			return errors.New("is a symlink to nothing")
		}
	case tar.TypeLink:
		if strings.HasPrefix(h.Linkname, "/") {
			return fmt.Errorf("is a hard link to the absolute path %q", h.Linkname)
		}
		link, err := cleanPath(h.Linkname)
		if err != nil {
			return fmt.Errorf("is a hard link out of the layer: %w", err)
		}
		e.Type, e.Link = Hardlink, link
	case tar.TypeFifo:
		e.Type = Fifo
	case tar.TypeChar, tar.TypeBlock:
		e.Type, e.Major, e.Minor = Char, h.Devmajor, h.Devminor
		if h.Typeflag == tar.TypeBlock {
			e.Type = Block
		}
	default:
		return fmt.Errorf("has the type %q, which a layer cannot hold", h.Typeflag)
	}
	return nil
}

// keepXattr reports whether an extended attribute belongs into a layer (rule
// 3): what describes the file, not what the file system or a security module
// of one machine wrote beside it.
func keepXattr(name string) bool {
	if strings.HasPrefix(name, "user.overlay.") {
		return false
	}
	return name == "security.capability" || strings.HasPrefix(name, "user.") || strings.HasPrefix(name, "system.posix_acl_")
}
