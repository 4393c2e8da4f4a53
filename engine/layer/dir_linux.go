package layer

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// dirWriter makes entries below a directory. It works on descriptors and
// opens one name at a time without following links, so nothing that the tree
// holds can lead it elsewhere; it keeps the chain of directories down to the
// last entry open, which for a sorted layer is one open a directory.
type dirWriter struct {
	opts  UnpackOptions
	chain []openDir // the root first
	late  map[string]Entry
	umask uint32
	uid   int // what new files belong to
	gid   int
	buf   []byte
}

type openDir struct {
	path string
	fd   int
}

const openDirFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

// newDirWriter opens dir, which must exist and be empty.
func newDirWriter(dir string, opts UnpackOptions) (*dirWriter, error) {
	fd, err := unix.Open(dir, openDirFlags, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	if names, err := readNames(fd); err != nil || len(names) > 0 {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("unpack into %s: not an empty directory", dir)
	}
	return &dirWriter{
		opts: opts, chain: []openDir{{"", fd}}, late: make(map[string]Entry),
		umask: processUmask(), uid: os.Geteuid(), gid: os.Getegid(), buf: make([]byte, smallFile),
	}, nil
}

// readNames lists an open directory, without "." and "..".
func readNames(fd int) ([]string, error) {
	var names []string
	buf := make([]byte, 32<<10)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return names, err
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}

// processUmask reads the umask without changing it, which would race with
// every other goroutine; all bits when it cannot be told.
func processUmask() uint32 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0o777
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "Umask:"); ok {
			if mask, err := strconv.ParseUint(strings.TrimSpace(text), 8, 32); err == nil {
				return uint32(mask)
			}
		}
	}
	return 0o777
}

func (d *dirWriter) close() {
	for _, open := range d.chain {
		_ = unix.Close(open.fd)
	}
	d.chain = nil
}

// parent opens the directory of a path, making what is missing, and gives
// the path's last name.
func (d *dirWriter) parent(path string) (fd int, name string, err error) {
	dir, name := splitPath(path)
	fd, err = d.open(dir)
	return fd, name, err
}

func (d *dirWriter) open(dir string) (fd int, err error) {
	last := len(d.chain) - 1
	for d.chain[last].path != dir && !under(dir, d.chain[last].path) {
		_ = unix.Close(d.chain[last].fd)
		d.chain = d.chain[:last]
		last--
	}
	at := d.chain[last]
	for at.path != dir {
		rest := dir
		if at.path != "" {
			rest = dir[len(at.path)+1:]
		}
		name, _, _ := strings.Cut(rest, "/")
		path := joinPath(at.path, name)
		fd, err := unix.Openat(at.fd, name, openDirFlags, 0)
		if errors.Is(err, unix.ENOENT) {
			fd, err = d.missing(at.fd, name, path)
		}
		if err != nil {
			return 0, fmt.Errorf("open directory %q: %w", path, err)
		}
		at = openDir{path, fd}
		d.chain = append(d.chain, at)
	}
	return at.fd, nil
}

// missing makes a parent that the layer has not stated (yet).
func (d *dirWriter) missing(at int, name, path string) (fd int, err error) {
	e := Entry{Path: path, Type: Dir, Mode: 0o755}
	if d.opts.Below != nil {
		if below, ok := d.opts.Below.Lookup(path); ok && below.Type == Dir {
			e = below
		}
	}
	if err := d.mkdir(at, name, e); err != nil {
		return 0, err
	}
	return unix.Openat(at, name, openDirFlags, 0)
}

// dir makes a directory, or gives one that is there its metadata.
func (d *dirWriter) dir(e Entry) error {
	if e.Path == "" {
		d.late[""] = e
		return nil
	}
	at, name, err := d.parent(e.Path)
	if err != nil {
		return err
	}
	err = d.mkdir(at, name, e)
	if errors.Is(err, unix.EEXIST) {
		var st unix.Stat_t
		if err := unix.Fstatat(at, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return fmt.Errorf("look at %q: %w", e.Path, err)
		}
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			d.late[e.Path] = e
			return nil
		}
		// Only a deletion of what is below can stand here.
		if err := unix.Unlinkat(at, name, 0); err != nil {
			return fmt.Errorf("replace %q: %w", e.Path, err)
		}
		if err := d.mkdir(at, name, e); err != nil {
			return fmt.Errorf("make directory %q: %w", e.Path, err)
		}
		return d.opaque(e.Path)
	}
	if err != nil {
		return fmt.Errorf("make directory %q: %w", e.Path, err)
	}
	return nil
}

// mkdir makes a directory at once as it is to be, if it can be worked in
// then; else its metadata comes last.
func (d *dirWriter) mkdir(at int, name string, e Entry) error {
	plain := e.Mode&0o700 == 0o700 && d.born(e) && len(e.Xattrs) == 0
	if _, timed := d.opts.MTimes[e.Path]; plain && !timed {
		return unix.Mkdirat(at, name, e.Mode)
	}
	err := unix.Mkdirat(at, name, 0o700)
	if err == nil {
		d.late[e.Path] = e
	}
	return err
}

// born reports whether something new has the entry's mode and owner at once.
func (d *dirWriter) born(e Entry) bool {
	if e.Mode&^0o777 != 0 || e.Mode&d.umask != 0 {
		return false
	}
	if d.opts.Unprivileged {
		return true
	}
	uid, gid, err := d.owner(e)
	return err == nil && uid == d.uid && gid == d.gid
}

// file makes a file; write gets it open and empty.
func (d *dirWriter) file(e Entry, write func(fd int) error) (err error) {
	at, name, err := d.parent(e.Path)
	if err != nil {
		return err
	}
	mode := uint32(0o600)
	if d.born(e) {
		mode = e.Mode
	}
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(at, name, flags, mode)
	if errors.Is(err, unix.EEXIST) {
		if err = unix.Unlinkat(at, name, 0); err == nil {
			fd, err = unix.Openat(at, name, flags, mode)
		}
	}
	if err != nil {
		return fmt.Errorf("make file %q: %w", e.Path, err)
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	if err := write(fd); err != nil {
		return fmt.Errorf("write file %q: %w", e.Path, err)
	}
	return d.finish(fd, e)
}

// finish sets owner, attributes and mode of something open, in this order:
// chown(2) drops capabilities and the setuid bit. The time comes last.
func (d *dirWriter) finish(fd int, e Entry) error {
	plain := d.born(e)
	if !plain && !d.opts.Unprivileged {
		uid, gid, err := d.owner(e)
		if err != nil {
			return err
		}
		if err := unix.Fchown(fd, uid, gid); err != nil {
			return fmt.Errorf("give %q to %d:%d: %w", e.Path, uid, gid, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Xattrs)) {
		if err := unix.Fsetxattr(fd, name, []byte(e.Xattrs[name]), 0); err != nil && !d.opts.Unprivileged {
			return fmt.Errorf("set attribute %q of %q: %w", name, e.Path, err)
		}
	}
	if !plain || e.Type == Dir {
		if err := unix.Fchmod(fd, e.Mode); err != nil {
			return fmt.Errorf("set mode %04o of %q: %w", e.Mode, e.Path, err)
		}
	}
	if t, ok := d.opts.MTimes[e.Path]; ok {
		return setTime(fd, "", t)
	}
	return nil
}

func (d *dirWriter) owner(e Entry) (uid, gid int, err error) {
	uid, err = toHost(d.opts.UIDs, e.UID)
	if err != nil {
		return 0, 0, fmt.Errorf("owner of %q: %w", e.Path, err)
	}
	gid, err = toHost(d.opts.GIDs, e.GID)
	if err != nil {
		return 0, 0, fmt.Errorf("group of %q: %w", e.Path, err)
	}
	return uid, gid, nil
}

func setTime(at int, name string, t time.Time) error {
	times := []unix.Timespec{{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}, {Sec: t.Unix(), Nsec: int64(t.Nanosecond())}}
	if name == "" { // the descriptor itself
		return unix.UtimesNanoAt(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", at), times, 0)
	}
	return unix.UtimesNanoAt(at, name, times, unix.AT_SYMLINK_NOFOLLOW)
}

// node makes what is neither directory nor file: links, pipes, devices.
func (d *dirWriter) node(e Entry) error {
	at, name, err := d.parent(e.Path)
	if err != nil {
		return err
	}
	if (d.opts.Unprivileged || d.opts.NoDevices) && (e.Type == Char || e.Type == Block) {
		return nil
	}
	err = d.mknod(at, name, e)
	if errors.Is(err, unix.EEXIST) {
		if err = unix.Unlinkat(at, name, 0); err == nil {
			err = d.mknod(at, name, e)
		}
	}
	if err != nil {
		return fmt.Errorf("make %s %q: %w", e.Type.noun(), e.Path, err)
	}
	if e.Type == Hardlink {
		return nil
	}
	return d.finishNode(at, name, e)
}

func (d *dirWriter) mknod(at int, name string, e Entry) error {
	switch e.Type {
	case Symlink:
		return unix.Symlinkat(e.Link, at, name)
	case Fifo:
		return unix.Mknodat(at, name, unix.S_IFIFO|0o600, 0)
	case Char:
		return unix.Mknodat(at, name, unix.S_IFCHR|0o600, int(unix.Mkdev(uint32(e.Major), uint32(e.Minor))))
	case Block:
		return unix.Mknodat(at, name, unix.S_IFBLK|0o600, int(unix.Mkdev(uint32(e.Major), uint32(e.Minor))))
	case Hardlink:
		return d.link(at, name, e.Link)
	}
	return fmt.Errorf("unknown type %q", e.Type)
}

// link makes a hard link. The target's directory is opened on its own, so
// that the chain of the new name stays open.
func (d *dirWriter) link(at int, name, target string) error {
	dir, base := splitPath(target)
	fd, err := unix.Dup(d.chain[0].fd)
	if err != nil {
		return err
	}
	for _, part := range ancestors(dir) {
		_, part = splitPath(part)
		next, err := unix.Openat(fd, part, openDirFlags, 0)
		_ = unix.Close(fd)
		if err != nil {
			return err
		}
		fd = next
	}
	defer func() { _ = unix.Close(fd) }()
	return unix.Linkat(fd, base, at, name, 0)
}

func (d *dirWriter) finishNode(at int, name string, e Entry) error {
	if !d.opts.Unprivileged {
		uid, gid, err := d.owner(e)
		if err != nil {
			return err
		}
		if uid != d.uid || gid != d.gid {
			if err := unix.Fchownat(at, name, uid, gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
				return fmt.Errorf("give %q to %d:%d: %w", e.Path, uid, gid, err)
			}
		}
	}
	if e.Type != Symlink {
		// The name cannot be a link: it was made just now, in a tree that
		// nobody else writes to.
		if err := unix.Fchmodat(at, name, e.Mode, 0); err != nil {
			return fmt.Errorf("set mode of %q: %w", e.Path, err)
		}
	}
	if t, ok := d.opts.MTimes[e.Path]; ok {
		return setTime(at, name, t)
	}
	return nil
}

// finishDirs gives directories their metadata, deepest first: a directory
// may be closed to us then, and its time would change with its content.
func (d *dirWriter) finishDirs() error {
	paths := slices.SortedFunc(maps.Keys(d.late), comparePaths)
	for _, path := range slices.Backward(paths) {
		fd, err := d.open(path)
		if err != nil {
			return err
		}
		if err := d.finish(fd, d.late[path]); err != nil {
			return err
		}
	}
	return nil
}
