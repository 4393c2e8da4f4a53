// Package layer turns file trees into normalised tar layers and back. It
// knows the rules of a layer (docs/cache-format.md), tables of contents,
// placement of copies and whiteouts. What registries hold is made of a tar by
// engine/layer/blob.
package layer

import "io"

// Type is what an entry of a layer is.
type Type byte

// The types of entries. Whiteout and Opaque delete what lies below: Whiteout
// the entry of that path, Opaque all children of that directory. Char and
// Block occur in bases only.
const (
	Dir      Type = 'd'
	File     Type = 'f'
	Symlink  Type = 'l'
	Hardlink Type = 'h'
	Fifo     Type = 'p'
	Char     Type = 'c'
	Block    Type = 'b'
	Whiteout Type = 'w'
	Opaque   Type = 'o'
)

// Entry is one line of a table of contents.
type Entry struct {
	Path   string // clean, relative, slash-separated, bytes as they are; "" is the root directory
	Type   Type
	Mode   uint32 // permission bits with setuid, setgid and sticky: 07777 at most
	UID    int
	GID    int
	Size   int64             // bytes of a File
	Digest string            // "sha256:…" of a File's content
	Link   string            // a Symlink's target as it is; a Hardlink's first path
	Xattrs map[string]string // kept attributes by name
	Major  int64             // Char and Block
	Minor  int64
}

// Item is an entry with its content, on the way into a layer.
type Item struct {
	Entry
	// Open gives the content of a File; nil for everything else. It may be
	// called more than once.
	Open func() (io.ReadCloser, error)
	// Proven says that Open gives what Size and Digest say, or an error: it is
	// not hashed again.
	Proven bool
}

// TOC is a layer's table of contents, in the layer's order: parents first,
// bytewise by path components, whiteouts before everything else of their
// directory.
type TOC struct {
	Entries []Entry
}
