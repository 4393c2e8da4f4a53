package layer

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// maxLinks is how many links a path may lead through, as in the kernel
// (path_resolution(7)).
const maxLinks = 40

// Below is what a layer is put on, as far as it is known: a [Tree] knows
// all, a [Shape] only what placement cannot guess.
type Below interface {
	// Lookup gives the entry of a path, no link followed.
	Lookup(path string) (Entry, bool)
	// Complete reports whether a path that Lookup does not know is not
	// there. Otherwise it may be anything ordinary.
	Complete() bool
}

// Resolve follows the links in all components of a path, the last one too,
// as a process whose root is the tree would: absolute ones start at the
// root, and no ".." leads out of it. Errors name the link that dangles or
// the one at which the count of 40 ran out; a path that is not there, and
// that no link led to, is fs.ErrNotExist.
func (t *Tree) Resolve(path string) (string, error) {
	clean, err := cleanPath(path)
	if err != nil {
		return "", err
	}
	r := resolver{below: t}
	resolved, err := r.resolve(clean)
	if err == nil && r.missing {
		err = fs.ErrNotExist
	}
	if err != nil {
		return "", fmt.Errorf("resolve %q: %w", "/"+clean, err)
	}
	return resolved, nil
}

// Follow is Resolve for who asks what a path would lead to: where something is
// not there, it gives the path of what is missing, and false. Of links that go
// round in a circle, and of a path through what is no directory, that is empty.
func (t *Tree) Follow(path string) (resolved string, ok bool) {
	clean, err := cleanPath(path)
	if err != nil {
		return "", false
	}
	r := resolver{below: patient{t}}
	resolved, err = r.resolve(clean)
	return resolved, err == nil && !r.missing
}

// patient is a tree in which a link may lead to what is not there.
type patient struct{ *Tree }

func (patient) Complete() bool { return false }

// resolver walks one path.
type resolver struct {
	below   Below
	missing bool // the end, or a directory on the way, is not there
}

// step is a component that is still to be walked, and the link that brought
// it; "" when the path itself did.
type step struct{ name, link string }

// resolve gives the path without links. What is not there is taken as
// directories to be made, unless a link leads to it.
func (r *resolver) resolve(path string) (string, error) {
	r.missing = false
	todo := push(nil, path, "")
	at, links := "", 0
	for len(todo) > 0 {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		switch s.name {
		case "", ".":
			continue
		case "..":
			at, _ = splitPath(at)
			continue
		}
		next := joinPath(at, s.name)
		e, ok := r.below.Lookup(next)
		switch {
		case !ok:
			if s.link != "" && r.below.Complete() {
				return "", fmt.Errorf("the link %q leads to %q, which is not there", "/"+s.link, "/"+next)
			}
			r.missing = true
			at = next
		case e.Type == Symlink:
			if links++; links > maxLinks {
				return "", fmt.Errorf("the link %q goes round in a circle (more than %d links)", "/"+next, maxLinks)
			}
			if strings.HasPrefix(e.Link, "/") {
				at = ""
			}
			todo = push(todo, e.Link, next)
		case e.Type != Dir && len(todo) > 0:
			return "", fmt.Errorf("%q is a %s, not a directory", "/"+next, e.Type.noun())
		default:
			at = next
		}
	}
	return at, nil
}

// push puts the components of a path on the stack, the first on top.
func push(todo []step, path, link string) []step {
	parts := strings.Split(path, "/")
	for i := len(parts) - 1; i >= 0; i-- {
		todo = append(todo, step{parts[i], link})
	}
	return todo
}

// noun is what messages call an entry of the type.
func (t Type) noun() string {
	switch t {
	case Dir:
		return "directory"
	case File, Hardlink:
		return "file"
	case Symlink:
		return "symlink"
	case Fifo:
		return "named pipe"
	case Char, Block:
		return "device"
	}
	return "deletion"
}

// isMissing reports whether a path was refused because nothing is there.
func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
