//go:build linux

package acceptance

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// treeOf lists a folder, a line a path: type and mode in octal with the bits
// above 0777, owner, path, and a file's content (its digest if it is long), a
// link's target, a device's number. Files that are one inode name the first.
func treeOf(t testing.TB, root string, ignore ...string) []string {
	t.Helper()
	var lines []string
	inodes := map[uint64]string{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := "/" + strings.TrimPrefix(strings.TrimPrefix(path, root), "/")
		for _, i := range ignore {
			if name == i {
				return nil
			}
		}
		line, err := describe(path, name, inodes)
		lines = append(lines, line)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func describe(path, name string, inodes map[uint64]string) (string, error) {
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil {
		return "", err
	}
	head := fmt.Sprintf("%04o %d:%d %s", st.Mode&0o7777, st.Uid, st.Gid, name)
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		return head + "/", nil
	case syscall.S_IFLNK:
		to, err := os.Readlink(path)
		// The mode of a link means nothing.
		return fmt.Sprintf("link %d:%d %s -> %s", st.Uid, st.Gid, name, to), err
	case syscall.S_IFREG:
		if first, ok := inodes[st.Ino]; ok {
			return head + " = " + first, nil
		}
		inodes[st.Ino] = name
		data, err := os.ReadFile(path)
		if len(data) > 200 {
			return fmt.Sprintf("%s sha256:%x", head, sha256.Sum256(data)), err
		}
		return fmt.Sprintf("%s %q", head, data), err
	case syscall.S_IFIFO:
		return "fifo " + head, nil
	default:
		return fmt.Sprintf("type %o %s %d", st.Mode&syscall.S_IFMT, head, st.Rdev), nil
	}
}

// mounts lists the mounts of this process below a folder.
func mounts(t testing.TB, below string) []string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 4 && (f[4] == below || strings.HasPrefix(f[4], below+"/")) {
			out = append(out, f[4])
		}
	}
	return out
}

// unmountBelow undoes what another's tool mounted below a folder, deepest first.
func unmountBelow(t testing.TB, below string) {
	t.Helper()
	list := mounts(t, below)
	for i := len(list) - 1; i >= 0; i-- {
		if err := syscall.Unmount(list[i], syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", list[i], err)
		}
	}
}
