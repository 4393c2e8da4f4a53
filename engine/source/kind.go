package source

import "io/fs"

// kind is what a directory entry is; kindUnknown where the file system does
// not say before an lstat.
type kind byte

const (
	kindUnknown kind = iota
	kindFile
	kindDir
	kindLink
	kindSocket
	kindFifo
	kindDevice
)

// name is one name of a directory.
type name struct {
	name string
	kind kind
}

func kindOfType(t fs.FileMode) kind {
	switch {
	case t == 0:
		return kindFile
	case t&fs.ModeDir != 0:
		return kindDir
	case t&fs.ModeSymlink != 0:
		return kindLink
	case t&fs.ModeSocket != 0:
		return kindSocket
	case t&fs.ModeNamedPipe != 0:
		return kindFifo
	case t&fs.ModeDevice != 0:
		return kindDevice
	default:
		return kindUnknown
	}
}
