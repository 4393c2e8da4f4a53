package layer

import (
	"errors"
	"fmt"
	"io"
)

// WriteDir writes what a stack of layers shows into dir, an empty directory:
// the merged tree as it is, with nothing that a layer above deletes ever
// written. tree is the merge of the layers, lowest first; layers open their
// tars. Each is read once, in order.
func WriteDir(tree *Tree, layers []func() (io.ReadCloser, error), dir string, opts UnpackOptions) error {
	d, err := newDirWriter(dir, opts)
	if err != nil {
		return err
	}
	defer d.close()
	d.opts.Below = tree // parents come from whichever layer has them
	o := &dirOutput{d: d, tree: tree, names: tree.names()}
	for i, open := range layers {
		if err := o.layer(uint32(i), open); err != nil {
			return fmt.Errorf("write layer %d to %s: %w", i, dir, err)
		}
	}
	for e := range tree.Walk("") { // directories that no layer states, too
		if e.Type == Dir {
			if err := d.dir(e); err != nil {
				return fmt.Errorf("write %s: %w", dir, err)
			}
		}
	}
	if err := d.finishDirs(); err != nil {
		return fmt.Errorf("write %s: %w", dir, err)
	}
	return nil
}

// source is a file's content: a path in one layer.
type source struct {
	layer uint32
	path  string
}

// names gives, for each file of each layer, the paths of the tree that show
// it: one, or the names of a hard link group that are left.
func (t *Tree) names() map[source][]string {
	out := make(map[source][]string)
	for i := range t.order {
		if e := t.at(i); e.Type == File || e.Type == Hardlink {
			key := source{t.order[i].layer, t.content(i).Path}
			out[key] = append(out[key], e.Path)
		}
	}
	return out
}

type dirOutput struct {
	d     *dirWriter
	tree  *Tree
	names map[source][]string
	other map[string]bool // paths of the layer being read whose last entry is not the table's
}

func (o *dirOutput) layer(layer uint32, open func() (io.ReadCloser, error)) (err error) {
	r, err := open()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // only read
	o.other = map[string]bool{}
	s := newScanner(r, o.d.opts.ReadOptions)
	_, err = s.scan(func(e *Entry, content io.Reader) error {
		switch e.Type {
		case Dir, Hardlink, Whiteout, Opaque:
			return nil
		case File:
			return o.file(s, layer, e, content)
		}
		if i, ok := o.tree.find(e.Path); ok && o.tree.order[i].layer == layer {
			want := o.tree.at(i)
			o.note(e.Path, e.Type == want.Type && e.Link == want.Link)
			return o.d.node(*want)
		}
		return nil
	})
	for path := range o.other {
		err = errors.Join(err, fmt.Errorf("%q is not what the layer's table of contents says", path))
	}
	return err
}

// note remembers whether an entry is the table's: of several of one path the
// last counts.
func (o *dirOutput) note(path string, same bool) {
	if delete(o.other, path); !same {
		o.other[path] = true
	}
}

// file writes a file under the first of its names, and links the others. Its
// owner and mode are the table's, and its content has to be.
func (o *dirOutput) file(s *scanner, layer uint32, e *Entry, content io.Reader) error {
	names := o.names[source{layer, e.Path}]
	if len(names) == 0 {
		return nil
	}
	at, _ := o.tree.find(names[0]) // which is where the name comes from
	first := *o.tree.content(at)
	want := first.Digest
	first.Path, first.Size = names[0], e.Size
	if err := o.d.file(first, func(fd int) error { return s.digest(&first, content, fdWriter(fd)) }); err != nil {
		return err
	}
	o.note(e.Path, first.Digest == want)
	for _, name := range names[1:] {
		if err := o.d.node(Entry{Path: name, Type: Hardlink, Link: first.Path}); err != nil {
			return err
		}
	}
	return nil
}
