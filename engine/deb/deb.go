// Package deb unpacks Debian packages into the items of a layer, with the
// package database that dpkg would have written, without root, without
// running a program of theirs and for any architecture.
//
// A .deb is decoded once (xz is slow: 63 MB/s) into a [Store], with a table
// of its entries and their digests, and unpacked from there ever after.
// Merging packages is a function of the packages and of what lies below: the
// items are the same on every machine and number of cores.
package deb

import (
	"context"
	"fmt"
	"io"
	"runtime"

	"github.com/specbuild/specbuild/engine/layer"
)

// Package is one .deb.
type Package struct {
	Name, Version, Arch string // must be what the control file says
	SHA256              string // of the .deb, 64 hexadecimal digits
	Size                int64  // bytes of the .deb: the largest are decoded first; 0 is unknown
	// Open gives the .deb. It is called only where the store does not hold
	// the decoded archive; a reader that is fed by a download is fine.
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// key is what the decoded package is stored under.
func (p Package) key() string { return packFormat + "-" + p.SHA256 }

func (p Package) String() string { return p.Name + " " + p.Version + " " + p.Arch }

// Store keeps decoded archives. Keys are file names; what is stored under
// one never changes.
type Store interface {
	// Open gives what was committed; a missing key is fs.ErrNotExist.
	Open(key string) (Blob, error)
	// Create starts a new one. Of two writers of one key both may commit.
	Create(key string) (Writer, error)
}

// Blob is a stored archive, open for reading by several goroutines.
type Blob interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Writer is a stored archive in the making: exactly one of Commit and Abort
// ends it.
type Writer interface {
	io.Writer
	Commit() error
	Abort()
}

// Below is what earlier steps left; a nil Tree is an empty root.
type Below struct {
	Tree *layer.Tree
	// Read gives the content of a file of the tree by its path in it.
	Read func(path string) ([]byte, error)
}

// Request says what is to be installed, and on what.
type Request struct {
	Packages []Package
	Arch     string // the architecture of the root, "amd64"
	Below    Below
	// Asked names the packages that the spec itself lists: only their
	// programs are missed when they cannot start. Nil is all.
	Asked []string
	// Configure leaves the packages unpacked, not installed, for their
	// maintainer scripts to be run: of the fix-ups only the merged /usr and
	// the base directories are made, since the scripts make the others.
	Configure bool
	// NoAlternatives leaves out the alternatives system, for which the
	// maintainer scripts are read by an interpreter (fix-up 4).
	NoAlternatives bool
}

// Result is what a step adds.
type Result struct {
	Items    []layer.Item // in the order of a layer, parents included
	Warnings []string     // sentences for the author of the spec, sorted
}

// Unpacker installs packages out of a store.
type Unpacker struct {
	Store   Store // nil keeps what is decoded in memory for one call
	Workers int   // how many archives are decoded at once; 0 is one a core
}

func (u Unpacker) workers() int {
	if u.Workers > 0 {
		return u.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// Decode brings one .deb into the store, where it is not there yet; a caller
// that downloads may do so while bytes arrive. The archive is stored only
// when its SHA-256 is the stated one.
func (u Unpacker) Decode(ctx context.Context, p Package) error {
	if u.Store == nil {
		return fmt.Errorf("decode %s: no store to decode into", p)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// What is there is read by Install, which decodes it anew if it is damaged.
	if validSHA256(p.SHA256) {
		if b, err := u.Store.Open(p.key()); err == nil {
			return b.Close()
		}
	}
	frames, err := newFrameCache()
	if err != nil {
		return err
	}
	_, err = u.load(ctx, u.Store, p, frames)
	return err
}

// Install merges packages into one set of items.
//
// Errors name the packages: an archive that is damaged, unsafe or not the
// stated one; two packages that ship one path without a Replaces; a tree
// below whose /bin, /sbin or /lib is a directory.
func (u Unpacker) Install(ctx context.Context, req Request) (Result, error) {
	store := u.Store
	if store == nil {
		store = &memoryStore{blobs: map[string][]byte{}}
	}
	in := &installation{req: req}
	if err := in.readDatabase(); err != nil {
		return Result{}, err
	}
	missing, err := in.missing()
	if err != nil {
		return Result{}, err
	}
	archives, err := u.archives(ctx, store, missing)
	if err != nil {
		return Result{}, err
	}
	in.archives = archives
	if err := in.run(ctx); err != nil {
		return Result{}, err
	}
	return in.result(), nil
}
