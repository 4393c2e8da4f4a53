package deb

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/engine/layer"
)

func digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// mergedDirs are the directories that a merged /usr has as links. The first
// three are always links; the others where their directory exists.
var mergedDirs = [...]string{"bin", "sbin", "lib", "lib64", "lib32", "libx32", "libo32"}

// merged gives the path that a merged /usr has for a path of an archive
// (fix-up 1): without it, bookworm's loader is not where programs look.
func merged(p string) string {
	first, _, below := strings.Cut(p, "/")
	if slices.Contains(mergedDirs[:], first) && below {
		return "usr/" + p
	}
	return p
}

// merge puts the entries of all archives into the tree. The order is that of
// the names, base-files first since it has the directories' own modes. Links
// come before all else: where one package has a link and another a directory
// of that path, dpkg goes through the link.
func (in *installation) merge() error {
	in.baseLinks()
	for _, a := range in.archives {
		if err := in.mergeLinks(a); err != nil {
			return err
		}
	}
	in.tree.dirs = map[string]string{}
	for _, a := range in.archives {
		if err := in.mergeFiles(a); err != nil {
			return err
		}
	}
	for _, a := range in.archives {
		if err := in.mergeHardlinks(a); err != nil {
			return err
		}
	}
	return in.checkParents()
}

// sortArchives gives the order in which packages are unpacked.
func sortArchives(archives []*archive) {
	slices.SortStableFunc(archives, func(a, b *archive) int {
		if fa, fb := a.Name == "base-files", b.Name == "base-files"; fa != fb {
			if fa {
				return -1
			}
			return 1
		}
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return strings.Compare(a.Arch, b.Arch)
	})
}

func (in *installation) mergeLinks(a *archive) error {
	for i := range a.entries {
		e := &a.entries[i]
		if e.Type != layer.Symlink {
			continue
		}
		p := merged(in.diverted(a, e.Path))
		if slices.Contains(mergedDirs[:], p) {
			in.tree.addLink(p, "usr/"+p)
			continue
		}
		p, err := in.tree.resolveParent(p)
		if err != nil {
			return fmt.Errorf("%s: %w", a.Package, err)
		}
		if old, ok := in.tree.nodes[p]; ok && old.archive == nil && old.Type == layer.Symlink {
			continue // /var/run and its like, which base-files may ship too
		}
		if old, ok := in.tree.lookup(p); ok && old.Type == layer.Dir {
			continue // dpkg keeps a directory that is there before the link
		}
		if err := in.put(a, e, p); err != nil {
			return err
		}
	}
	return nil
}

// resolveParent is place without its memory, for the time when links are
// still being added.
func (t *tree) resolveParent(p string) (string, error) {
	dir, err := t.resolve(parent(p))
	if err != nil {
		return "", err
	}
	return join(dir, p[strings.LastIndexByte(p, '/')+1:]), nil
}

func (in *installation) mergeFiles(a *archive) error {
	for i := range a.entries {
		e := &a.entries[i]
		if e.Type == layer.Symlink || e.Type == layer.Hardlink {
			continue
		}
		p := merged(in.diverted(a, e.Path))
		if e.Type == layer.Dir && slices.Contains(mergedDirs[:], p) {
			p = "usr/" + p
		}
		p, err := in.tree.place(p)
		if err != nil {
			return fmt.Errorf("%s: %w", a.Package, err)
		}
		if e.Type == layer.Dir {
			err = in.putDir(a, e, p)
		} else {
			err = in.put(a, e, p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// putDir adds a directory. The first package decides about mode and owner,
// as in dpkg; of what is below, nothing changes.
func (in *installation) putDir(a *archive, e *entry, p string) error {
	old, ok := in.tree.lookup(p)
	if ok && old.Type == layer.Symlink {
		to, err := in.tree.resolve(p)
		if err != nil {
			return fmt.Errorf("%s: %w", a.Package, err)
		}
		p = to
		old, ok = in.tree.lookup(p)
	}
	switch {
	case !ok:
		in.set(a, e, p)
		in.tree.addParents(p)
		return nil
	case old.Type == layer.Dir:
		if n := in.tree.nodes[p]; n != nil && n.archive == nil && !in.isBelow(p) {
			in.set(a, e, p) // a parent that was guessed
		}
		return nil
	}
	return fmt.Errorf("%s has the directory /%s where %s has a %s", a.Package, p, in.owner(p), noun(old.Type))
}

// put adds what is no directory, unless another package has that path too.
func (in *installation) put(a *archive, e *entry, p string) error {
	if old, ok := in.tree.nodes[p]; ok {
		keep, err := in.conflict(a, e, p, old)
		if err != nil || keep {
			return err
		}
	} else if old, ok := in.tree.lookup(p); ok {
		if old.Type == layer.Dir {
			return fmt.Errorf("%s has the %s /%s where %s has a directory", a.Package, noun(e.Type), p, in.owner(p))
		}
		keep, err := in.conflictBelow(a, e, p)
		if err != nil || keep {
			return err
		}
	}
	in.set(a, e, p)
	in.tree.addParents(p)
	return nil
}

func (in *installation) set(a *archive, e *entry, p string) {
	n := &node{Item: layer.Item{Entry: e.Entry}, archive: a, entry: e}
	n.Path = p
	if e.Type == layer.File {
		n.Open, n.Proven = a.file(e), e.Digest != "" // a frame that was damaged since does not decode
	}
	in.tree.nodes[p] = n
}

// conflict judges a path that two of the packages ship: dpkg allows it to
// instances of one Multi-Arch package with equal files, and to a package
// that Replaces the other, which loses the file.
func (in *installation) conflict(a *archive, e *entry, p string, old *node) (keep bool, err error) {
	b := old.archive
	if b == nil {
		return false, nil
	}
	same := e.Type == old.Type && e.Digest == old.Digest && e.Type != layer.Dir && (e.Type != layer.Symlink || e.Link == old.Link)
	switch {
	case a == b:
		return false, fmt.Errorf("%s ships /%s twice", a.Package, p)
	case old.Type == layer.Dir:
	case a.Name == b.Name && same && a.stanza.get("Multi-Arch") == "same":
		return true, nil
	case a.stanza.names("Replaces", b.stanza):
		in.drop(b, old.entry.Path)
		return false, nil
	case b.stanza.names("Replaces", a.stanza):
		in.drop(a, e.Path)
		return true, nil
	}
	return false, fmt.Errorf("%s and %s both ship /%s, and neither replaces the other", b.Package, a.Package, p)
}

// drop takes a path out of a package's list.
func (in *installation) drop(a *archive, p string) {
	if in.dropped[a] == nil {
		in.dropped[a] = map[string]bool{}
	}
	in.dropped[a][p] = true
}

// mergeHardlinks adds second names. Where another package replaced the first
// name, the link becomes a file of its own.
func (in *installation) mergeHardlinks(a *archive) error {
	var files map[string]*entry
	for i := range a.entries {
		e := &a.entries[i]
		if e.Type != layer.Hardlink {
			continue
		}
		if files == nil {
			files = map[string]*entry{}
			for j := range a.entries {
				files[a.entries[j].Path] = &a.entries[j]
			}
		}
		first := files[e.Link]
		for n := 0; first != nil && first.Type == layer.Hardlink && n < len(a.entries); n++ {
			first = files[first.Link]
		}
		if first == nil || first.Type != layer.File {
			return fmt.Errorf("%s: /%s is a hard link to /%s, which is not a file of the package", a.Package, e.Path, e.Link)
		}
		if err := in.mergeHardlink(a, e, first); err != nil {
			return err
		}
	}
	return nil
}

func (in *installation) mergeHardlink(a *archive, e, first *entry) error {
	p, err := in.tree.place(merged(in.diverted(a, e.Path)))
	if err != nil {
		return fmt.Errorf("%s: %w", a.Package, err)
	}
	to, err := in.tree.place(merged(in.diverted(a, first.Path)))
	if err != nil {
		return fmt.Errorf("%s: %w", a.Package, err)
	}
	link := &entry{Entry: first.Entry, offset: first.offset, md5: first.md5, interp: first.interp}
	link.Path = e.Path
	if err := in.put(a, link, p); err != nil {
		return err
	}
	n, target := in.tree.nodes[p], in.tree.nodes[to]
	if n.entry == link && target != nil && target.entry == first {
		n.Type, n.Link, n.Size, n.Digest, n.Open = layer.Hardlink, to, 0, "", nil
	}
	return nil
}

// checkParents refuses what lies below something that is no directory.
func (in *installation) checkParents() error {
	paths := make([]string, 0, len(in.tree.nodes))
	for p := range in.tree.nodes {
		paths = append(paths, p)
	}
	slices.SortFunc(paths, comparePaths)
	for _, p := range paths {
		if p == "" {
			continue
		}
		if e, ok := in.tree.lookup(parent(p)); !ok || e.Type != layer.Dir {
			return fmt.Errorf("%s has /%s below the %s /%s of %s", in.owner(p), p, noun(e.Type), parent(p), in.owner(parent(p)))
		}
	}
	return nil
}

// owner names the package that a path is of, for a message.
func (in *installation) owner(p string) string {
	if n, ok := in.tree.nodes[p]; ok && n.archive != nil {
		return n.archive.Package.String()
	}
	if label := in.database.owner(p); label != "" {
		return label + " below"
	}
	return "the root below"
}

func (in *installation) isBelow(p string) bool {
	if in.req.Below.Tree == nil {
		return false
	}
	_, ok := in.req.Below.Tree.Lookup(p)
	return ok
}

func noun(t layer.Type) string {
	switch t {
	case layer.Dir:
		return "directory"
	case layer.Symlink:
		return "symlink"
	case layer.File, layer.Hardlink:
		return "file"
	case layer.Fifo:
		return "named pipe"
	}
	return "device"
}
