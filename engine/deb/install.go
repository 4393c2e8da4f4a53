package deb

import (
	"context"
	"fmt"
	"slices"

	"github.com/specbuild/specbuild/engine/layer"
)

// installation is one call of Install on its way.
type installation struct {
	req      Request
	archives []*archive // of what is to be added, in the order of unpacking
	database *database  // of what is below
	tree     *tree
	dropped  map[*archive]map[string]bool // paths that another package replaced
	divert   []diversion
	scripts  map[*archive]*findings // what maintainer scripts would do
	warnings []string
}

// missing gives the packages that are not below. Another version there is an
// error: the versions below are part of what was resolved.
func (in *installation) missing() ([]Package, error) {
	var out []Package
	seen := map[string]bool{}
	for _, p := range in.req.Packages {
		key := p.Name + ":" + p.Arch
		if seen[key] {
			return nil, fmt.Errorf("%s is to be installed twice", p)
		}
		seen[key] = true
		version, ok := in.database.version(p)
		if ok && version != p.Version {
			return nil, fmt.Errorf("%s: version %s is installed below; packages are added to a root, not upgraded", p, version)
		}
		if !ok {
			out = append(out, p)
		}
	}
	return out, nil
}

// run does the steps in their order; each leaves the tree complete for the
// next.
func (in *installation) run(ctx context.Context) error {
	if in.req.Arch == "" {
		return fmt.Errorf("install packages: no architecture is stated")
	}
	if err := in.checkMerged(); err != nil {
		return err
	}
	sortArchives(in.archives)
	in.dropped = map[*archive]map[string]bool{}
	in.tree = &tree{nodes: map[string]*node{}, below: in.req.Below, dirs: map[string]string{}}
	if err := in.readDiversions(ctx); err != nil {
		return err
	}
	if err := in.merge(); err != nil {
		return err
	}
	in.baseDirs()
	if !in.req.Configure {
		if err := in.fixUp(ctx); err != nil {
			return err
		}
	}
	return in.writeDatabase()
}

// fixUp does natively what scripts would have done (all but 1 and 2, which
// every root gets).
func (in *installation) fixUp(ctx context.Context) error {
	if err := in.accounts(); err != nil {
		return err
	}
	if err := in.runScripts(ctx); err != nil {
		return err
	}
	if err := in.alternatives(); err != nil {
		return err
	}
	if err := in.certificates(); err != nil {
		return err
	}
	if err := in.systemd(); err != nil {
		return err
	}
	return in.check()
}

func (in *installation) warn(format string, args ...any) {
	in.warnings = append(in.warnings, fmt.Sprintf(format, args...))
}

func (in *installation) result() Result {
	slices.Sort(in.warnings)
	for _, n := range in.tree.nodes {
		if n.Proven && n.archive != nil && n.Type == layer.File {
			n.archive.source.frames.announce(n.archive.source, n.entry.offset, n.entry.Size)
		}
	}
	return Result{Items: in.tree.items(), Warnings: slices.Compact(in.warnings)}
}

// checkMerged refuses a root whose /usr is not merged.
func (in *installation) checkMerged() error {
	if in.req.Below.Tree == nil {
		return nil
	}
	for _, dir := range mergedDirs[:3] {
		if e, ok := in.req.Below.Tree.Lookup(dir); ok && e.Type != layer.Symlink {
			return fmt.Errorf("/%s below is a %s: packages need a merged /usr, where it is a link to usr/%s", dir, noun(e.Type), dir)
		}
	}
	return nil
}

// baseLinks makes the links that every path goes through.
func (in *installation) baseLinks() {
	for _, dir := range mergedDirs[:3] {
		in.tree.addLink(dir, "usr/"+dir)
	}
	for _, a := range in.archives {
		for i := range a.entries {
			for _, dir := range mergedDirs[3:] {
				if p := a.entries[i].Path; p == dir || p == "usr/"+dir {
					in.tree.addLink(dir, "usr/"+dir)
				}
			}
		}
	}
	in.tree.addLink("var/run", "/run")
	in.tree.addLink("var/lock", "/run/lock")
}

// baseDirs makes the directories that programs take for granted (fix-up 2);
// modes are those of base-files and its scripts.
func (in *installation) baseDirs() {
	for _, d := range [...]struct {
		path string
		mode uint32
	}{
		{"usr/bin", 0o755}, {"usr/sbin", 0o755}, {"usr/lib", 0o755},
		{"dev", 0o755}, {"home", 0o755}, {"proc", 0o755}, {"root", 0o700}, {"run", 0o755}, {"run/lock", 0o1777},
		{"sys", 0o755}, {"tmp", 0o1777}, {"var/log", 0o755}, {"var/tmp", 0o1777},
	} {
		in.tree.addDir(d.path, d.mode, 0, 0)
	}
	for _, dir := range mergedDirs[3:] {
		if n, ok := in.tree.nodes[dir]; ok && n.Type == layer.Symlink {
			in.tree.addDir("usr/"+dir, 0o755, 0, 0)
		}
	}
}
