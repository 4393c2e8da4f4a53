package deb

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/engine/layer"
)

// node is an entry of the tree in the making.
type node struct {
	layer.Item
	archive *archive // that ships it; nil for what specbuild adds
	entry   *entry   // of the archive
}

// tree is what lies below with what the packages add.
type tree struct {
	nodes map[string]*node
	below Below
	dirs  map[string]string // resolved directories, valid while no links are added
}

// lookup gives an entry; no link is followed.
func (t *tree) lookup(p string) (layer.Entry, bool) {
	if n, ok := t.nodes[p]; ok {
		return n.Entry, true
	}
	if t.below.Tree != nil {
		return t.below.Tree.Lookup(p)
	}
	return layer.Entry{Type: layer.Dir, Mode: 0o755}, p == ""
}

var errLinks = errors.New("more than 40 links on the way: they go round in a circle")

// resolve follows the links in all components of a path, as a process in the
// root would; what is not there is taken as it is.
func (t *tree) resolve(p string) (string, error) {
	todo := strings.Split(p, "/")
	at := ""
	for links := 0; len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = parent(at)
			continue
		}
		at = join(at, name)
		e, ok := t.lookup(at)
		if !ok || e.Type != layer.Symlink {
			continue
		}
		if links++; links > 40 {
			return "", fmt.Errorf("/%s: %w", p, errLinks)
		}
		if at = parent(at); strings.HasPrefix(e.Link, "/") {
			at = ""
		}
		todo = append(strings.Split(e.Link, "/"), todo...)
	}
	return at, nil
}

// place resolves the directory of a path, not its last name.
func (t *tree) place(p string) (string, error) {
	dir := parent(p)
	if dir == "" {
		return p, nil
	}
	resolved, ok := t.dirs[dir]
	if !ok {
		var err error
		if resolved, err = t.resolve(dir); err != nil {
			return "", err
		}
		t.dirs[dir] = resolved
	}
	return join(resolved, path.Base(p)), nil
}

// stat resolves a path and looks it up.
func (t *tree) stat(p string) (layer.Entry, bool) {
	r, err := t.resolve(strings.TrimPrefix(p, "/"))
	if err != nil {
		return layer.Entry{}, false
	}
	return t.lookup(r)
}

// read gives a file's content; ok is false where there is no such file.
func (t *tree) read(p string) (data []byte, ok bool, err error) {
	r, err := t.resolve(p)
	if err != nil {
		return nil, false, err
	}
	n, here := t.nodes[r]
	if here && n.Type == layer.Hardlink {
		n, here = t.nodes[n.Link]
	}
	if here {
		if n.Type != layer.File {
			return nil, false, nil
		}
		f, err := n.Open()
		if err != nil {
			return nil, false, err
		}
		defer f.Close()
		data, err = io.ReadAll(f)
		return data, err == nil, err
	}
	if t.below.Tree == nil || t.below.Read == nil {
		return nil, false, nil
	}
	if e, ok := t.below.Tree.Lookup(r); !ok || e.Type != layer.File && e.Type != layer.Hardlink {
		return nil, false, nil
	}
	data, err = t.below.Read(r)
	return data, err == nil, err
}

// children gives the names in a directory, sorted.
func (t *tree) children(dir string) []string {
	var names []string
	for p := range t.nodes {
		if p != "" && parent(p) == dir {
			names = append(names, path.Base(p))
		}
	}
	if t.below.Tree != nil {
		for e := range t.below.Tree.Children(dir) {
			if _, ok := t.nodes[e.Path]; !ok {
				names = append(names, path.Base(e.Path))
			}
		}
	}
	slices.Sort(names)
	return names
}

// filesBelow gives the paths of the files and links below a directory in
// byte order, of the packages alone or also of what lies below.
func (t *tree) filesBelow(dir string, all bool) []string {
	var paths []string
	for p, n := range t.nodes {
		if n.Type != layer.Dir && strings.HasPrefix(p, dir+"/") {
			paths = append(paths, p)
		}
	}
	if all && t.below.Tree != nil {
		for e := range t.below.Tree.Walk(dir) {
			if _, ok := t.nodes[e.Path]; !ok && e.Type != layer.Dir {
				paths = append(paths, e.Path)
			}
		}
	}
	slices.Sort(paths)
	return paths
}

// addDir makes a directory unless something is there.
func (t *tree) addDir(p string, mode uint32, uid, gid int) {
	if _, ok := t.lookup(p); !ok {
		t.nodes[p] = &node{Item: layer.Item{Entry: layer.Entry{Path: p, Type: layer.Dir, Mode: mode, UID: uid, GID: gid}}}
		t.addParents(p)
	}
}

// addLink makes a symbolic link unless something is there.
func (t *tree) addLink(p, target string) {
	if _, ok := t.lookup(p); !ok {
		t.setLink(p, target)
	}
}

func (t *tree) setLink(p, target string) {
	t.nodes[p] = &node{Item: layer.Item{Entry: layer.Entry{Path: p, Type: layer.Symlink, Mode: 0o777, Link: target}}}
	t.addParents(p)
}

// setFile writes a file, whatever is there.
func (t *tree) setFile(p string, mode uint32, content string) {
	t.nodes[p] = &node{Item: layer.Item{
		Entry: layer.Entry{Path: p, Type: layer.File, Mode: mode, Size: int64(len(content)), Digest: digest(content)},
		Open:  func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
	}}
	t.addParents(p)
}

// addParents makes the directories above a path that nothing ships.
func (t *tree) addParents(p string) {
	for dir := parent(p); ; dir = parent(dir) {
		if _, ok := t.nodes[dir]; ok {
			return
		}
		e, ok := t.lookup(dir)
		if !ok {
			e = layer.Entry{Path: dir, Type: layer.Dir, Mode: 0o755}
		}
		// A layer has a header for every parent, as it is below.
		t.nodes[dir] = &node{Item: layer.Item{Entry: e}}
		if dir == "" {
			return
		}
	}
}

// items gives the tree's own entries in the order of a layer.
func (t *tree) items() []layer.Item {
	items := make([]layer.Item, 0, len(t.nodes))
	for p, n := range t.nodes {
		if p != "" {
			items = append(items, n.Item)
		}
	}
	slices.SortFunc(items, func(a, b layer.Item) int { return comparePaths(a.Path, b.Path) })
	return items
}

// comparePaths is the order of a layer: bytewise by components.
func comparePaths(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			switch {
			case a[i] == '/':
				return -1
			case b[i] == '/':
				return 1
			}
			return int(a[i]) - int(b[i])
		}
	}
	return len(a) - len(b)
}

func parent(p string) string {
	i := strings.LastIndexByte(p, '/')
	return p[:max(i, 0)]
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
