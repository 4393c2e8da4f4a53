package local

import (
	"errors"
	"io/fs"
)

// Steps do not run on Windows, so nothing here is reached.
func freeSpace(string) (int64, error)             { return 0, errors.ErrUnsupported }
func copyEntry(string, string, fs.DirEntry) error { return errors.ErrUnsupported }
