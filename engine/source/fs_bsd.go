//go:build unix && !linux

package source

import "os"

func (d *folder) openat(rel string, flags int) (*os.File, error) { return d.walkat(rel, flags) }

// untimely cannot be told here; local disks are what people build from.
func untimely(string) bool { return false }
