package layer

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// FromUpper reads what a step changed from the upper directory of its
// overlay, by the rules of a layer: deletions are explicit, mount stubs and
// what equals the layers below are dropped, sockets are dropped with a note,
// ids and capabilities are the container's. Every parent of an entry is
// among the items, so the result is a layer as [Write] wants it. Files have
// been hashed, in parallel; Open reads them from dir.
func FromUpper(dir string, opts UpperOptions) (items []Item, notes []string, err error) {
	u := &upper{dir: dir, opts: opts, inodes: make(map[inode]string)}
	u.resolveOutputs()
	fd, err := unix.Open(dir, openDirFlags, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("read changes: open %s: %w", dir, err)
	}
	if err := u.walk(fd, "", opts.Below != nil); err != nil {
		return nil, nil, fmt.Errorf("read changes: %w", err)
	}
	if err := u.hash(); err != nil {
		return nil, nil, fmt.Errorf("read changes: %w", err)
	}
	items, err = u.finish()
	if err != nil {
		return nil, nil, err
	}
	return items, u.notes, nil
}

// resolveOutputs finds where outputs really are: with lib → usr/lib below,
// a step that makes /lib/x changes usr/lib/x.
func (u *upper) resolveOutputs() {
	if u.opts.Below == nil || u.opts.Outputs == nil {
		return
	}
	place := newPlacer(u.opts.Below)
	outputs := make([]string, 0, len(u.opts.Outputs))
	for _, out := range u.opts.Outputs {
		if at, err := place.leaf(out); err == nil {
			out = at
		}
		outputs = append(outputs, out)
	}
	u.opts.Outputs = outputs
}

type inode struct{ dev, ino uint64 }

// upper collects the entries of an upper directory.
type upper struct {
	dir    string
	opts   UpperOptions
	items  []Item
	keep   []bool // beside items: may not be dropped as equal
	inodes map[inode]string
	notes  []string
}

func (u *upper) add(e Entry, keep bool) {
	item := Item{Entry: e}
	if e.Type == File {
		path := filepath.Join(u.dir, filepath.FromSlash(e.Path))
		item.Open = func() (io.ReadCloser, error) {
			f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
			if err != nil || u.opts.Stop == nil {
				return f, err
			}
			return stopped{f, u.opts.Stop}, nil
		}
	}
	u.items = append(u.items, item)
	u.keep = append(u.keep, keep)
}

// stopped is a file that is read until somebody says stop.
type stopped struct {
	io.ReadCloser
	stop func() error
}

// Read is io.Reader.
func (s stopped) Read(p []byte) (int, error) {
	if err := s.stop(); err != nil {
		return 0, err
	}
	return s.ReadCloser.Read(p)
}

// walk reads a directory and closes it. merged says that the table of what
// is below this directory applies to it.
func (u *upper) walk(fd int, dir string, merged bool) error {
	defer func() { _ = unix.Close(fd) }()
	names, err := readNames(fd)
	if err != nil {
		return fmt.Errorf("read directory %q: %w", dir, err)
	}
	// Sorted, so that the first name of a hard link group is found first.
	slices.Sort(names)
	for _, name := range names {
		if err := u.entry(fd, dir, name, merged); err != nil {
			return err
		}
	}
	return nil
}

func (u *upper) entry(at int, dir, name string, merged bool) error {
	path := joinPath(dir, name)
	wanted := u.opts.wanted(path)
	if !wanted && !u.opts.leadsTo(path) {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Fstatat(at, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("look at %q: %w", path, err)
	}
	xattrs, err := u.xattrs(path, &st)
	if err != nil {
		return err
	}
	if isWhiteout(&st, xattrs) {
		u.deletion(path, wanted, merged)
		return nil
	}
	if err := checkNames(path); err != nil {
		return err
	}
	e, skip, err := u.describe(at, name, path, &st, xattrs)
	if err != nil || skip {
		return err
	}
	if e.Type != Dir {
		if wanted {
			u.add(e, st.Nlink > 1)
		}
		return nil
	}
	return u.directory(at, name, e, xattrs, wanted, merged)
}

// deletion adds a whiteout, if there is something to delete.
func (u *upper) deletion(path string, wanted, merged bool) {
	if !wanted {
		// A step that deletes a parent of an output deletes the output.
		u.add(Entry{Path: path, Type: Whiteout}, true)
		return
	}
	if u.opts.Below != nil {
		if _, ok := u.opts.Below.Lookup(path); !ok || !merged {
			return
		}
	}
	u.add(Entry{Path: path, Type: Whiteout}, true)
}

func (u *upper) directory(at int, name string, e Entry, xattrs map[string]string, wanted, merged bool) error {
	if hasOverlayMark(xattrs, "redirect") {
		return fmt.Errorf("%q was moved by overlay's redirect_dir, so its content is not here; mount with redirect_dir=nofollow", e.Path)
	}
	opaque := overlayMark(xattrs, "opaque") == "y"
	if !wanted && u.opts.Below != nil && !opaque {
		e = newPlacer(u.opts.Below).existing(e.Path) // only a parent: what it was stays
	}
	u.add(e, opaque)
	fd, err := unix.Openat(at, name, openDirFlags, 0)
	if err != nil {
		return fmt.Errorf("open directory %q: %w", e.Path, err)
	}
	if !opaque {
		if merged {
			old, ok := u.opts.Below.Lookup(e.Path)
			merged = ok && old.Type == Dir
		}
		return u.walk(fd, e.Path, merged)
	}
	if u.opts.Below == nil {
		u.add(Entry{Path: e.Path, Type: Opaque}, true)
		return u.walk(fd, e.Path, false)
	}
	if err := u.explicit(fd, e.Path, merged); err != nil {
		_ = unix.Close(fd)
		return err
	}
	return u.walk(fd, e.Path, false)
}

// explicit writes an opaque directory as one whiteout for each child below
// that the step has not put there again (OCI prefers these). A directory
// that is there again hides what it had in the same way.
func (u *upper) explicit(fd int, dir string, merged bool) error {
	if !merged {
		return nil
	}
	for child := range u.opts.Below.Children(dir) {
		_, name := splitPath(child.Path)
		var st unix.Stat_t
		err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
		switch {
		case err == unix.ENOENT || err == nil && isWhiteout(&st, nil):
			if u.opts.wanted(child.Path) || u.opts.leadsTo(child.Path) {
				u.add(Entry{Path: child.Path, Type: Whiteout}, true)
			}
		case err != nil:
			return fmt.Errorf("look at %q: %w", child.Path, err)
		case child.Type == Dir && st.Mode&unix.S_IFMT == unix.S_IFDIR:
			sub, err := unix.Openat(fd, name, openDirFlags, 0)
			if err != nil {
				return fmt.Errorf("open directory %q: %w", child.Path, err)
			}
			err = u.explicit(sub, child.Path, true)
			_ = unix.Close(sub)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func isWhiteout(st *unix.Stat_t, xattrs map[string]string) bool {
	if st.Mode&unix.S_IFMT == unix.S_IFCHR {
		return st.Rdev == 0
	}
	return st.Mode&unix.S_IFMT == unix.S_IFREG && st.Size == 0 && hasOverlayMark(xattrs, "whiteout")
}

// describe turns what was found into an entry. skip is for what a layer
// leaves out.
func (u *upper) describe(at int, name, path string, st *unix.Stat_t, xattrs map[string]string) (e Entry, skip bool, err error) {
	e = Entry{Path: path, Mode: st.Mode & 0o7777, Xattrs: keptXattrs(xattrs)}
	if e.UID, err = toContainer(u.opts.UIDs, int(st.Uid)); err != nil {
		return e, false, fmt.Errorf("owner of %q: %w", path, err)
	}
	if e.GID, err = toContainer(u.opts.GIDs, int(st.Gid)); err != nil {
		return e, false, fmt.Errorf("group of %q: %w", path, err)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		e.Type = Dir
	case unix.S_IFREG:
		return e, false, u.regular(&e, st, xattrs)
	case unix.S_IFLNK:
		e.Type, e.Mode = Symlink, 0o777
		e.Link, err = readLink(at, name)
	case unix.S_IFIFO:
		e.Type = Fifo
	case unix.S_IFSOCK:
		u.notes = append(u.notes, fmt.Sprintf("the socket %q is not kept: it means nothing without the process that listens", "/"+path))
		return e, true, nil
	default:
		err = fmt.Errorf("%q is a device; a layer holds none, the runtime makes them in /dev", path)
	}
	return e, false, err
}

func (u *upper) regular(e *Entry, st *unix.Stat_t, xattrs map[string]string) error {
	if hasOverlayMark(xattrs, "metacopy") {
		return fmt.Errorf("%q has only its metadata here (overlay's metacopy), its content would be zeros; mount with metacopy=off", e.Path)
	}
	if st.Size > sparseSize && st.Blocks*512 < st.Size/sparseShare {
		return fmt.Errorf("%q is sparse: %d bytes, of which %d are on disk; a layer would hold all of them, so delete it in the step or write it smaller", e.Path, st.Size, st.Blocks*512)
	}
	e.Type, e.Size = File, st.Size
	if st.Nlink < 2 {
		return nil
	}
	id := inode{st.Dev, st.Ino}
	if first, ok := u.inodes[id]; ok {
		*e = Entry{Path: e.Path, Type: Hardlink, Mode: e.Mode, UID: e.UID, GID: e.GID, Link: first}
	} else if u.opts.wanted(e.Path) {
		u.inodes[id] = e.Path
	}
	return nil
}

func readLink(at int, name string) (string, error) {
	buf := make([]byte, 4096)
	n, err := unix.Readlinkat(at, name, buf)
	if err != nil {
		return "", fmt.Errorf("read link %q: %w", name, err)
	}
	return string(buf[:n]), nil
}

// xattrs reads all attributes of an entry.
func (u *upper) xattrs(path string, st *unix.Stat_t) (map[string]string, error) {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK, unix.S_IFSOCK, unix.S_IFCHR:
		return nil, nil
	}
	out, err := readXattrs(filepath.Join(u.dir, filepath.FromSlash(path)))
	if err != nil {
		return nil, fmt.Errorf("read attributes of %q: %w", path, err)
	}
	return out, nil
}

func readXattrs(file string) (map[string]string, error) {
	var small [1024]byte
	names := small[:]
	n, err := unix.Llistxattr(file, names)
	if err == unix.ERANGE {
		names = make([]byte, 64<<10) // XATTR_LIST_MAX
		n, err = unix.Llistxattr(file, names)
	}
	if err == unix.ENOTSUP || n == 0 && err == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := make(map[string]string)
	value := make([]byte, 256)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names[:n]), "\x00"), "\x00") {
		k, err := unix.Lgetxattr(file, name, value)
		if err == unix.ERANGE {
			value = make([]byte, 64<<10) // XATTR_SIZE_MAX
			k, err = unix.Lgetxattr(file, name, value)
		}
		if err != nil {
			return nil, err
		}
		out[name] = string(value[:k])
	}
	return out, nil
}

// hash fills the digests, two or more files at once.
func (u *upper) hash() error {
	jobs := make(chan int)
	workers := min(runtime.GOMAXPROCS(0), 8)
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			a := &ahead{}
			for i := range jobs {
				var err error
				if u.items[i].Size <= smallFile {
					b := a.buffer(u.items[i].Size + 1)
					_, u.items[i].Digest, err = readSmall(&u.items[i], *b)
					a.done(b)
				} else {
					u.items[i].Digest, err = a.copyLarge(io.Discard, &u.items[i])
				}
				if err != nil && errs[w] == nil {
					errs[w] = fmt.Errorf("%q: %w", u.items[i].Path, err)
				}
			}
		})
	}
	for i := range u.items {
		if u.items[i].Type == File {
			jobs <- i
		}
	}
	close(jobs)
	wg.Wait()
	return errors.Join(errs...)
}

// finish drops what is no change, deepest first, checks the outputs, and
// gives the rest in order.
func (u *upper) finish() ([]Item, error) {
	stubs := make(map[string]bool, len(u.opts.Stubs))
	for _, stub := range u.opts.Stubs {
		stubs[stub] = true
	}
	busy := make(map[string]bool) // directories with something kept in them
	for i := range u.items {
		if e := &u.items[i].Entry; e.Type.deletes() {
			dir, _ := deletionPlace(e)
			for _, dir := range ancestors(dir) {
				busy[dir] = true
			}
		}
	}
	var out []Item
	for i := len(u.items) - 1; i >= 0; i-- {
		e := &u.items[i].Entry
		drop := !u.keep[i] && u.equal(e) || stubs[e.Path] && emptyFile(e)
		if e.Type == Dir {
			stub := stubs[e.Path] || !u.opts.wanted(e.Path)
			drop = (drop || stub) && !busy[e.Path]
		}
		if drop {
			continue // a directory's children were judged before it
		}
		parent, _ := splitPath(e.Path)
		busy[parent] = true
		out = append(out, u.items[i])
	}
	slices.SortStableFunc(out, func(a, b Item) int { return compareEntries(&a.Entry, &b.Entry) })
	return out, u.checkOutputs(out)
}

func emptyFile(e *Entry) bool { return e.Type == File && e.Size == 0 }

// equal reports whether below has the very same entry (rule 4).
func (u *upper) equal(e *Entry) bool {
	if u.opts.Below == nil || e.Type.deletes() {
		return false
	}
	old, ok := u.opts.Below.Lookup(e.Path)
	if ok && old.Type == Hardlink {
		_, old, _ = u.opts.Below.Content(e.Path)
	}
	return ok && old.Type == e.Type && old.Mode == e.Mode && old.UID == e.UID && old.GID == e.GID &&
		old.Size == e.Size && old.Link == e.Link && old.Digest == e.Digest && maps.Equal(old.Xattrs, e.Xattrs)
}

// checkOutputs demands that each output is there after the step, be it from
// below.
func (u *upper) checkOutputs(items []Item) error {
	if len(u.opts.Outputs) == 0 {
		return nil
	}
	below := u.opts.Below
	if below == nil {
		below = &Tree{}
	}
	toc := &TOC{}
	for i := range items {
		toc.Entries = append(toc.Entries, items[i].Entry)
	}
	after, err := below.With(toc)
	if err != nil {
		return fmt.Errorf("look for outputs: %w", err)
	}
	for _, out := range u.opts.Outputs {
		if _, err := after.Resolve(out); err != nil {
			return fmt.Errorf("the output %q does not exist after the step", "/"+out)
		}
	}
	return nil
}
