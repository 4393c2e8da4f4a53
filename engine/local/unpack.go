package local

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/specbuild/specbuild/engine/layer"
	"github.com/specbuild/specbuild/engine/sandbox"
)

// unpackOptions are how a layer becomes a directory on this machine.
func (e *Engine) unpackOptions(l *layerRef) layer.UnpackOptions {
	kind := e.o.Machine.IDMap().Kind
	return layer.UnpackOptions{
		ReadOptions:    layer.ReadOptions{Devices: l.base != nil},
		NoDevices:      kind != sandbox.IDMapFull,
		UserXattr:      kind != sandbox.IDMapFull,
		XattrWhiteouts: kind != sandbox.IDMapFull,
		Unprivileged:   kind == sandbox.IDMapSingle,
		UIDs:           e.unpackRanges(true),
		GIDs:           e.unpackRanges(false),
	}
}

// unpackRanges are the ids of a user namespace; with a single id the owners
// are left to the table of contents.
func (e *Engine) unpackRanges(users bool) []layer.IDRange {
	if e.o.Machine.IDMap().Kind != sandbox.IDMapRanges {
		return nil
	}
	return e.idRanges(users)
}

// contents visits the files of a layer's tar, in its order, with their
// entries.
func contents(r io.Reader, toc *layer.TOC, visit func(layer.Entry, io.Reader) error) error {
	entries := map[string]layer.Entry{}
	for _, e := range toc.Entries {
		if e.Type == layer.File {
			entries[e.Path] = e
		}
	}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading a layer: %w", err)
		}
		switch h.Typeflag { // those that a table of contents has as files
		case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		default:
			continue
		}
		// Of a path that comes twice the last counts: mostly another size tells.
		if e, ok := entries[path.Clean("/" + h.Name)[1:]]; ok && e.Size == h.Size {
			if err := visit(e, tr); err != nil {
				return err
			}
		}
	}
}

// snapshotItems are the items of an unpacked layer: what the table of
// contents says, with the files' bytes from the directory.
func snapshotItems(dir string, toc *layer.TOC) []layer.Item {
	items := make([]layer.Item, 0, len(toc.Entries))
	for _, e := range toc.Entries {
		it := layer.Item{Entry: e}
		if e.Type == layer.File {
			it.Open = func() (io.ReadCloser, error) { return os.Open(filepath.Join(dir, filepath.FromSlash(e.Path))) }
		}
		items = append(items, it)
	}
	return items
}
