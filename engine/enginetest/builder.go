package enginetest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/lower/dag"
)

// Builder makes the graph of a case: a root that grows step by step.
type Builder struct {
	t    *testing.T
	g    dag.Builder
	root dag.ID
	side []dag.ID // checks beside the chain
	n    int
}

func newBuilder(t *testing.T) *Builder {
	b := &Builder{t: t}
	b.root = b.g.Add(dag.Scratch{}, nil, dag.Meta{})
	return b
}

func (b *Builder) graph() *dag.Graph {
	img := b.g.Add(&dag.Image{Platform: Platform}, append([]dag.ID{b.root}, b.side...), dag.Meta{Name: "image.case"})
	b.g.Output(dag.Output{Addr: "//:image.case", Node: img, Images: []dag.ID{img}, Platforms: []string{Platform}})
	return b.g.Graph()
}

func (b *Builder) meta(title string) dag.Meta {
	b.n++
	return dag.Meta{Name: "image.case", Title: fmt.Sprintf("%d %s", b.n, title), Platform: Platform}
}

func (b *Builder) add(op dag.Op, title string, more ...dag.ID) {
	b.root = b.g.Add(op, append([]dag.ID{b.root}, more...), b.meta(title))
}

// stage builds something apart and gives its root.
func (b *Builder) stage(f func(b *Builder)) dag.ID {
	s := &Builder{t: b.t, g: b.g}
	s.root = s.g.Add(dag.Scratch{}, nil, dag.Meta{})
	f(s)
	b.g, b.n = s.g, s.n
	return s.root
}

// dir writes a tree on the machine: lines of the suite's notation without
// owners.
func (b *Builder) dir(tree string) string {
	dir := b.t.TempDir()
	for l := range strings.Lines(tree) {
		if l = strings.TrimSpace(l); l != "" {
			if err := plant(dir, l); err != nil {
				b.t.Fatalf("%q: %v", l, err)
			}
		}
	}
	return dir
}

func plant(dir, l string) error {
	f := strings.SplitN(l, " ", 4)
	if f[0] == "l" || f[0] == "h" {
		if f[0] == "h" {
			return os.Link(filepath.Join(dir, f[2]), filepath.Join(dir, f[1]))
		}
		return os.Symlink(f[2], filepath.Join(dir, f[1]))
	}
	mode, err := strconv.ParseUint(f[1], 8, 32)
	if err != nil {
		return err
	}
	path, err := strconv.Unquote(`"` + f[2] + `"`)
	if err != nil {
		return err
	}
	path = filepath.Join(dir, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if f[0] == "d" {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
		return os.Chmod(path, os.FileMode(mode))
	}
	content := ""
	if len(f) == 4 {
		if content, err = strconv.Unquote(`"` + f[3] + `"`); err != nil {
			return err
		}
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return err
	}
	return os.Chmod(path, os.FileMode(mode))
}

// local is a context of that tree.
func (b *Builder) local(tree string, l dag.Local) dag.ID {
	dir := b.dir(tree)
	b.n++
	l.Context = "c" + strconv.Itoa(b.n)
	return b.g.Add(&l, nil, dag.Meta{Dir: dir})
}

// copyOf copies sources of a context of that tree.
func (b *Builder) copyOf(tree, to string, sources ...string) {
	b.copyWith(tree, dag.Copy{To: to, Sources: sources})
}

func (b *Builder) copyWith(tree string, op dag.Copy) {
	from := b.local(tree, dag.Local{Sources: op.Sources})
	b.add(&op, "copy", from)
}

func (b *Builder) copyFrom(from dag.ID, op dag.Copy) { b.add(&op, "copy", from) }

// files is a step, and so a layer, of its own that writes entries: the suite's notation, with owners.
func (b *Builder) files(tree string) {
	var op dag.Files
	for l := range strings.Lines(tree) {
		l = strings.TrimSpace(l)
		if l == "" {
			continue
		}
		f := strings.SplitN(l, " ", 5)
		e := &dag.FileEntry{Type: map[string]string{"f": "file", "d": "directory", "l": "symlink"}[f[0]], Mode: f[1], Owner: f[2], Path: "/" + f[3]}
		if len(f) == 5 {
			content, err := strconv.Unquote(`"` + f[4] + `"`)
			if err != nil {
				b.t.Fatalf("%q: %v", l, err)
			}
			e.Content = content
		}
		if e.Mode == "-" {
			e.Mode = ""
		}
		if e.Owner == "-" {
			e.Owner = ""
		}
		op.Steps = append(op.Steps, dag.FileStep{Entry: e})
	}
	b.add(&op, "files")
}

func (b *Builder) user(u dag.User) { b.add(&dag.Files{Steps: []dag.FileStep{{User: &u}}}, "user") }

// shell adds the static program that scripts run in.
func (b *Builder) shell() {
	path, err := exec.LookPath("busybox")
	if err != nil {
		b.t.Fatal(err)
	}
	dir := b.t.TempDir()
	data, err := os.ReadFile(path)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "busybox"), data, 0o755); err != nil {
		b.t.Fatal(err)
	}
	from := b.g.Add(&dag.Local{Context: "tools", Sources: []string{"busybox"}}, nil, dag.Meta{Dir: dir})
	b.add(&dag.Copy{Sources: []string{"busybox"}, To: "/" + toolDir + "/"}, "copy tools", from)
}

// run runs a script as root.
func (b *Builder) run(script string) { b.runWith(script, dag.Run{}) }

func (b *Builder) runWith(script string, op dag.Run, more ...dag.ID) {
	op, meta := b.runOp(script, op)
	b.root = b.g.Add(&op, append([]dag.ID{b.root}, more...), meta)
}

// check runs a script beside the chain: it keeps nothing.
func (b *Builder) check(script string) {
	op, meta := b.runOp(script, dag.Run{OutputsOn: true})
	b.side = append(b.side, b.g.Add(&op, []dag.ID{b.root}, meta))
}

func (b *Builder) runOp(script string, op dag.Run) (dag.Run, dag.Meta) {
	op.Args = []string{"/" + toolDir + "/busybox", "sh", "-euc", script}
	op.Env = append(op.Env, dag.KV{Name: "PATH", Value: "/" + toolDir})
	op.Platform = Platform
	if op.Workdir == "" {
		op.Workdir = "/"
	}
	if op.User == "" {
		op.User = "0:0"
	}
	if op.Network == "" {
		op.Network = "none"
	}
	meta := b.meta("run")
	meta.Timeout = time.Minute
	for _, m := range op.Mounts {
		switch m.Type {
		case "cache":
			meta.Caches = append(meta.Caches, dag.CacheMount{ID: b.t.Name() + m.Target, Sharing: "shared"})
		case "secret":
			s := dag.Secret{Addr: "secret.s", File: filepath.Join(b.t.TempDir(), "secret")}
			if !m.Optional {
				if err := os.WriteFile(s.File, []byte("hush"), 0o600); err != nil {
					b.t.Fatal(err)
				}
			}
			meta.Secrets = append(meta.Secrets, s)
		}
	}
	return op, meta
}

func asStep(err error, se **engine.StepError) bool { return errors.As(err, se) }
