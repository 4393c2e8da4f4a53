package layer

import (
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// SealUpper makes an upper directory the same tree as its layer would be
// after writing and unpacking (rule 11), so that later steps see the same
// whether they stand on a live snapshot or on a restored one. items are what
// [FromUpper] gave for dir, with the same options.
func SealUpper(dir string, items []Item, opts UpperOptions) error {
	s := &sealer{dir: dir, want: make(map[string]Entry, len(items))}
	write := UnpackOptions{UIDs: opts.UIDs, GIDs: opts.GIDs}
	for i := range items {
		s.want[seenKey(&items[i].Entry)] = items[i].Entry
	}
	fd, err := unix.Open(dir, openDirFlags, 0)
	if err != nil {
		return fmt.Errorf("seal %s: %w", dir, err)
	}
	d := &dirWriter{opts: write, chain: []openDir{{"", fd}}, late: map[string]Entry{}}
	defer d.close()
	if err := s.prune(fd, ""); err != nil {
		return fmt.Errorf("seal %s: %w", dir, err)
	}
	for i := range items {
		if err := s.restore(d, &items[i].Entry); err != nil {
			return fmt.Errorf("seal %s: %w", dir, err)
		}
	}
	return nil
}

type sealer struct {
	dir  string
	want map[string]Entry
}

// prune removes what the layer does not hold.
func (s *sealer) prune(fd int, dir string) error {
	names, err := readNames(fd)
	if err != nil {
		return fmt.Errorf("read directory %q: %w", dir, err)
	}
	for _, name := range names {
		path := joinPath(dir, name)
		var st unix.Stat_t
		if err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return fmt.Errorf("look at %q: %w", path, err)
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			err = s.pruneFile(fd, name, path, &st)
		} else {
			err = s.pruneDir(fd, name, path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *sealer) pruneFile(fd int, name, path string, st *unix.Stat_t) error {
	key := path
	if isWhiteout(st, nil) {
		key = seenKey(&Entry{Path: path, Type: Whiteout})
	}
	if _, ok := s.want[key]; ok {
		return nil
	}
	if err := unix.Unlinkat(fd, name, 0); err != nil {
		return fmt.Errorf("remove %q: %w", path, err)
	}
	return nil
}

func (s *sealer) pruneDir(fd int, name, path string) error {
	sub, err := unix.Openat(fd, name, openDirFlags, 0)
	if err != nil {
		return fmt.Errorf("open directory %q: %w", path, err)
	}
	err = s.prune(sub, path)
	_ = unix.Close(sub)
	if err != nil {
		return err
	}
	if _, ok := s.want[path]; ok {
		return nil
	}
	// Nothing of it is wanted, so all below it is gone by now.
	if err := unix.Unlinkat(fd, name, unix.AT_REMOVEDIR); err != nil {
		return fmt.Errorf("remove directory %q: %w", path, err)
	}
	return nil
}

// restore makes an entry what it would be after unpacking: whiteouts
// explicit, overlay's own marks gone, parents of outputs as they were.
func (s *sealer) restore(d *dirWriter, e *Entry) error {
	switch e.Type {
	case Whiteout:
		return d.whiteout(e.Path)
	case Opaque:
		return d.opaque(e.Path)
	case Symlink, Fifo, Hardlink:
		return nil
	}
	file := filepath.Join(s.dir, filepath.FromSlash(e.Path))
	xattrs, err := readXattrs(file)
	if err != nil {
		return fmt.Errorf("read attributes of %q: %w", e.Path, err)
	}
	for name, value := range xattrs {
		kept := keepXattr(name) && e.Xattrs[name] == value
		// Marks of a security module, and those that overlay keeps for
		// itself, are the machine's; the opaque mark alone changes the tree.
		if kept || !keepXattr(name) && !strings.HasSuffix(name, ".overlay.opaque") {
			continue
		}
		if name == "security.capability" {
			continue // the same capability, written for this user namespace
		}
		if s.opaqueWanted(e, name) {
			continue
		}
		if err := unix.Lremovexattr(file, name); err != nil {
			return fmt.Errorf("remove attribute %q of %q: %w", name, e.Path, err)
		}
	}
	if e.Type == Dir {
		return s.restoreDir(d, e)
	}
	return nil
}

func (s *sealer) opaqueWanted(e *Entry, name string) bool {
	_, ok := s.want[seenKey(&Entry{Path: e.Path, Type: Opaque})]
	return ok && strings.HasSuffix(name, ".overlay.opaque")
}

// restoreDir gives a parent of an output the metadata that it has in the
// layer; every other directory has it already.
func (s *sealer) restoreDir(d *dirWriter, e *Entry) error {
	fd, err := d.open(e.Path)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("look at %q: %w", e.Path, err)
	}
	uid, gid, err := d.owner(*e)
	if err != nil {
		return err
	}
	if st.Mode&0o7777 == e.Mode && int(st.Uid) == uid && int(st.Gid) == gid {
		return nil
	}
	d.uid, d.gid = -1, -1
	return d.finish(fd, *e)
}
