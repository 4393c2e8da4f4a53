//go:build !linux

package layer

import (
	"errors"
	"fmt"
	"io"
)

// Unpack needs Linux: a layer's owners, devices and overlay marks have no
// place elsewhere.
func Unpack(io.Reader, string, UnpackOptions) (toc *TOC, diffID string, size int64, err error) {
	return nil, "", 0, needsLinux("unpack a layer")
}

// WriteDir needs Linux, as Unpack does.
func WriteDir(*Tree, []func() (io.ReadCloser, error), string, UnpackOptions) error {
	return needsLinux("write a tree of layers to a folder")
}

// FromUpper needs Linux: only there is an overlay.
func FromUpper(string, UpperOptions) (items []Item, notes []string, err error) {
	return nil, nil, needsLinux("read the changes of a step")
}

// SealUpper needs Linux: only there is an overlay.
func SealUpper(string, []Item, UpperOptions) error {
	return needsLinux("seal the changes of a step")
}

func needsLinux(what string) error {
	return fmt.Errorf("%s: only on Linux: %w", what, errors.ErrUnsupported)
}
