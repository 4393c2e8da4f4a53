package layer

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// Unpack puts a layer's tar into dir, an empty directory, in the form that
// overlay expects of a lower one, and gives what ReadTOC gives. Only what
// the layer itself brought can be followed, and that is refused, so nothing
// is ever written outside dir; on an error dir holds a part of the layer.
func Unpack(r io.Reader, dir string, opts UnpackOptions) (toc *TOC, diffID string, size int64, err error) {
	if opts.Limits.Size == 0 {
		opts.Limits.Size = freeSpace(dir)
	}
	d, err := newDirWriter(dir, opts)
	if err != nil {
		return nil, "", 0, err
	}
	defer d.close()
	in := newHashReader(r)
	defer in.stop()
	s := newScanner(in, opts.ReadOptions)
	entries, err := s.scan(func(e *Entry, content io.Reader) error { return d.put(s, e, content) })
	if err != nil {
		return nil, "", 0, fmt.Errorf("unpack layer: %w", err)
	}
	if err := d.finishDirs(); err != nil {
		return nil, "", 0, fmt.Errorf("unpack layer: %w", err)
	}
	if diffID, size, err = in.finish(); err != nil {
		return nil, "", 0, fmt.Errorf("unpack layer: %w", err)
	}
	return &TOC{Entries: entries}, diffID, size, nil
}

// freeSpace is what an unprivileged process may still write, in bytes.
func freeSpace(dir string) int64 {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0
	}
	return int64(min(st.Bavail*uint64(st.Bsize), 1<<62))
}

func (d *dirWriter) put(s *scanner, e *Entry, content io.Reader) error {
	switch e.Type {
	case Dir:
		return d.dir(*e)
	case File:
		return d.file(*e, func(fd int) error { return s.digest(e, content, fdWriter(fd)) })
	case Whiteout:
		return d.whiteout(e.Path)
	case Opaque:
		if err := d.dirIfMissing(e.Path); err != nil {
			return err
		}
		return d.opaque(e.Path)
	}
	return d.node(*e)
}

func (d *dirWriter) dirIfMissing(path string) error {
	_, err := d.open(path)
	return err
}

// overlayXattr is a mark's name for the kind of mount.
func (d *dirWriter) overlayXattr(name string) string {
	if d.opts.UserXattr {
		return "user.overlay." + name
	}
	return "trusted.overlay." + name
}

// opaque hides all that layers below have in a directory.
func (d *dirWriter) opaque(path string) error {
	fd, err := d.open(path)
	if err != nil {
		return err
	}
	if err := unix.Fsetxattr(fd, d.overlayXattr("opaque"), []byte("y"), 0); err != nil {
		return fmt.Errorf("mark %q as opaque: %w", path, err)
	}
	return nil
}

// whiteout hides one name of the layers below. Where the layer also has the
// name itself, a file hides it anyway, and a directory is made opaque.
func (d *dirWriter) whiteout(path string) error {
	at, name, err := d.parent(path)
	if err != nil {
		return err
	}
	if d.opts.XattrWhiteouts {
		err = d.xattrWhiteout(at, name)
	} else {
		err = unix.Mknodat(at, name, unix.S_IFCHR, 0)
	}
	if errors.Is(err, unix.EEXIST) {
		var st unix.Stat_t
		if err := unix.Fstatat(at, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return fmt.Errorf("look at %q: %w", path, err)
		}
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			return d.opaque(path)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("make whiteout of %q: %w", path, err)
	}
	return nil
}

// xattrWhiteout is the form of kernel 6.7: an empty file with a mark, in a
// directory that is marked as having such (overlayfs.rst, "Whiteouts and
// opaque directories").
func (d *dirWriter) xattrWhiteout(at int, name string) error {
	fd, err := unix.Openat(at, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.Fsetxattr(fd, d.overlayXattr("whiteout"), []byte("y"), 0); err != nil {
		return err
	}
	var have [8]byte
	opaque := d.overlayXattr("opaque")
	if n, err := unix.Fgetxattr(at, opaque, have[:]); err == nil && string(have[:n]) == "y" {
		return nil // hides all already
	}
	return unix.Fsetxattr(at, opaque, []byte("x"), 0)
}

// fdWriter writes to a descriptor without the run-time's poller, which is of
// no use for files and costs calls of its own.
type fdWriter int

func (fd fdWriter) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := unix.Write(int(fd), p[done:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}
