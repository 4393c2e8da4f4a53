package cache

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Partial opens the file that a download of this name grows in. It outlives
// the process, so that what was cut off goes on; the caller holds a lock of
// the name, and removes the file when the download is done.
func (s *Store) Partial(name string) (*os.File, error) {
	path := s.path("partial", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, full(path, 0, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, full(path, 0, err)
	}
	return f, nil
}

// Index is a folder for what is derived from archives' indexes. Its files are
// their maker's; they can be removed at any time.
func (s *Store) Index() string { return s.path("index") }

// Keep moves a directory of this process's TempDir to where it stays after the
// process, for a person to look at, until the store is pruned.
func (s *Store) Keep(dir string) (string, error) {
	// TempDirs have small numbers, and every process begins with the first.
	lease := s.lease.name[strings.LastIndexByte(s.lease.name, '.')+1:]
	path := s.path("kept", lease+"-"+filepath.Base(dir))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	if err := os.Rename(dir, path); err != nil {
		return "", fmt.Errorf("keeping %s: %w", dir, err)
	}
	return path, nil
}
