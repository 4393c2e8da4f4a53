package source

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// openat opens a path below in one call where the kernel can (5.6), which
// refuses links and ".." by itself; some container profiles refuse the call.
func (d *folder) openat(rel string, flags int) (*os.File, error) {
	how := unix.OpenHow{
		Flags:   uint64(flags | unix.O_NOFOLLOW | unix.O_CLOEXEC),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	fd, err := retry(func() (int, error) { return unix.Openat2(int(d.f.Fd()), rel, &how) })
	switch {
	case err == nil:
		return os.NewFile(uintptr(fd), rel), nil
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM), errors.Is(err, unix.EAGAIN):
		return d.walkat(rel, flags)
	default:
		return nil, &fs.PathError{Op: "open", Path: rel, Err: err}
	}
}

// untimely reports whether the times of a file system cannot be relied upon:
// another machine or program makes them.
func untimely(dir string) bool {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return true
	}
	switch uint32(st.Type) {
	case unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, 0xff534d42, 0xfe534d42,
		unix.V9FS_MAGIC, unix.FUSE_SUPER_MAGIC, unix.AFS_SUPER_MAGIC, unix.CEPH_SUPER_MAGIC,
		0x786f4256: // vboxsf
		return true
	}
	return false
}
