//go:build unix

package image

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockDir waits until this process has a folder alone; the lock goes with the
// descriptor. Where the file system knows no locks there is none.
func lockDir(d *os.File) error {
	for {
		err := unix.Flock(int(d.Fd()), unix.LOCK_EX)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.ENOLCK):
			return nil
		default:
			return err
		}
	}
}
