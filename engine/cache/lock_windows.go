package cache

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// lockFile locks an open file, or changes its lock, without waiting.
func lockFile(f *os.File, exclusive bool) error {
	flags := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if exclusive {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	h := windows.Handle(f.Fd())
	// A second lock of one's own is refused here, so the old one goes first;
	// that there was none is not an error. The byte is far beyond the text.
	at := windows.Overlapped{OffsetHigh: 1}
	_ = windows.UnlockFileEx(h, 0, 1, 0, &at)
	err := windows.LockFileEx(h, flags, 0, 1, 0, &at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	if err != nil {
		return fmt.Errorf("locking %s: %w", f.Name(), err)
	}
	return nil
}

// checkOwner has nothing to compare: the profile's access list guards it.
func checkOwner(string) error { return nil }

// freeBytes is what this user may still write at path.
func freeBytes(path string) (int64, error) {
	p, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(p, &free, nil, nil); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", path, err)
	}
	return int64(free), nil
}

func diskBytes(info os.FileInfo) int64 { return info.Size() }
