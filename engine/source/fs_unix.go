//go:build unix

package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// meta is what an lstat says, as far as the stat index compares it.
type meta struct {
	dev, ino     uint64
	mode         uint32
	size         int64
	mtime, ctime int64 // nanoseconds
}

func (m meta) kind() kind { return kindOfMode(m.mode & unix.S_IFMT) }
func (m meta) exec() bool { return m.mode&0o100 != 0 }

func kindOfMode(format uint32) kind {
	switch format {
	case unix.S_IFREG:
		return kindFile
	case unix.S_IFDIR:
		return kindDir
	case unix.S_IFLNK:
		return kindLink
	case unix.S_IFSOCK:
		return kindSocket
	case unix.S_IFIFO:
		return kindFifo
	default:
		return kindDevice
	}
}

func metaOf(st *unix.Stat_t) meta {
	return meta{
		dev: uint64(st.Dev), ino: uint64(st.Ino), mode: uint32(st.Mode), size: st.Size,
		mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(),
	}
}

// folder is an open directory.
type folder struct{ f *os.File }

// openRoot opens the context's own folder, whose path is followed.
func openRoot(dir string) (*folder, error) {
	f, err := os.OpenFile(dir, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return &folder{f}, nil
}

// close closes the folder; of none it is nothing.
func (d *folder) close() {
	if d != nil {
		d.f.Close()
	}
}

// open opens a folder below by path, through no link at all.
func (d *folder) open(rel string) (*folder, error) {
	f, err := d.openat(rel, unix.O_DIRECTORY|unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return &folder{f}, nil
}

// file opens a file below by path for reading. O_NONBLOCK: what was a file a
// moment ago may be a FIFO now, which would wait for a writer.
func (d *folder) file(rel string) (*os.File, error) {
	return d.openat(rel, unix.O_RDONLY|unix.O_NONBLOCK)
}

// walkat opens one component at a time, none of them through a link: for
// systems without openat2.
func (d *folder) walkat(rel string, flags int) (*os.File, error) {
	at := int(d.f.Fd())
	parts := strings.Split(rel, "/")
	for i, name := range parts {
		how := unix.O_DIRECTORY | unix.O_RDONLY
		if i == len(parts)-1 {
			how = flags
		}
		fd, err := retry(func() (int, error) { return unix.Openat(at, name, how|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0) })
		if i > 0 {
			unix.Close(at)
		}
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: rel, Err: err}
		}
		at = fd
	}
	return os.NewFile(uintptr(at), rel), nil
}

// lstat looks at a name of this folder.
func (d *folder) lstat(name string) (meta, error) {
	var st unix.Stat_t
	_, err := retry(func() (int, error) {
		return 0, unix.Fstatat(int(d.f.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW)
	})
	if err != nil {
		return meta{}, &fs.PathError{Op: "lstat", Path: name, Err: err}
	}
	return metaOf(&st), nil
}

func (d *folder) readlink(name string) (string, error) {
	for size := 256; ; size *= 4 {
		b := make([]byte, size)
		n, err := unix.Readlinkat(int(d.f.Fd()), name, b)
		if err != nil {
			return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
		}
		if n < size {
			return string(b[:n]), nil
		}
	}
}

// names lists the folder, in no order.
func (d *folder) names() ([]name, error) {
	list, err := d.f.ReadDir(-1)
	names := make([]name, len(list))
	for i, e := range list {
		names[i] = name{e.Name(), kindOfType(e.Type())}
	}
	return names, err
}

func statFile(f *os.File) (meta, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return meta{}, fmt.Errorf("looking at %s: %w", f.Name(), err)
	}
	return metaOf(&st), nil
}

// isLink reports whether an open was refused because of a link.
func isLink(err error) bool {
	return errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.EMLINK)
}

func retry(do func() (int, error)) (int, error) {
	for {
		n, err := do()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// mapFile maps a file for reading.
func mapFile(f *os.File, size int) (data []byte, unmap func(), err error) {
	data, err = unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, fmt.Errorf("mapping %s: %w", f.Name(), err)
	}
	return data, func() { _ = unix.Munmap(data) }, nil
}

// lockFile waits for the exclusive lock of an open file.
func lockFile(f *os.File) error {
	_, err := retry(func() (int, error) { return 0, unix.Flock(int(f.Fd()), unix.LOCK_EX) })
	return err
}
