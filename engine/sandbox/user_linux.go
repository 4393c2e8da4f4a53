package sandbox

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// becomeUser sets the ids of this thread alone, by the calls that take ids of
// 32 bits on every architecture that [abis] has but 386 and arm, where the
// older ones cut them to 16: there emulation is not offered.
func becomeUser(uid, gid uint32, groups []uint32) error {
	_, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(unsafe.SliceData(groups))), 0)
	if errno == 0 {
		_, _, errno = unix.RawSyscall(unix.SYS_SETRESGID, uintptr(gid), uintptr(gid), uintptr(gid))
	}
	if errno == 0 {
		_, _, errno = unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid))
	}
	if errno != 0 {
		return fmt.Errorf("become user %d:%d: %w", uid, gid, errno)
	}
	return nil
}
