package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/format"
)

// fixRounds bounds how often a spec is judged again: one mistake hides
// another, a name that was meant may lead to a second one. Three are the most
// that specs have needed.
const fixRounds = 10

// fixer mends specs in memory, until nothing changes any more: what is on
// disk is replaced once, or only compared.
type fixer struct {
	dir   string // that names in diagnostics begin at
	root  string // of the workspace; empty while nothing could be read
	files map[string]*fixedFile
	said  []string // what was changed
	lock  fixedLock

	world *world // nil until a registry or another server is asked
	tags  *retagger
}

// fixedFile is a file that was changed. The loader reads CRLF as LF, so both
// texts have LF.
type fixedFile struct {
	name   string // as diagnostics write it
	before []byte // on disk
	text   []byte
	crlf   bool
}

// fix mends what has a fix. What is left is returned as validate returns it.
func (c *cli) fix(ctx context.Context, args []string, f *specFlags, v validateFlags) (*spec.Spec, diag.List, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, nil, err
	}
	x := &fixer{dir: dir, files: map[string]*fixedFile{}, lock: fixedLock{renamed: map[string]string{}}}
	defer x.close()
	sp, ds, err := c.mendable(ctx, args, f, x)
	for range fixRounds {
		if err != nil {
			return nil, nil, err
		}
		changed := x.round(ds)
		if !changed { // the lock comes last: it is of the specs as they are then
			if changed, err = c.pins(ctx, args, f, x, ds); err != nil {
				return nil, nil, err
			}
		}
		if !changed {
			break
		}
		f.overlay = x.overlay()
		sp, ds, err = c.mendable(ctx, args, f, x)
	}
	if err != nil {
		return nil, nil, err
	}
	return sp, append(ds, x.lock.said...), c.keep(x, v)
}

// mendable is findings with what only registries can mend.
func (c *cli) mendable(ctx context.Context, args []string, f *specFlags, x *fixer) (*spec.Spec, diag.List, error) {
	sp, ds, err := c.findings(ctx, args, f)
	if err != nil || sp == nil {
		return sp, ds, err
	}
	x.root = sp.Root
	asks := func(d diag.Diagnostic) bool { return d.Code == movingTag && x.open(d.Range.File) != nil }
	if !slices.ContainsFunc(ds, asks) {
		return sp, ds, nil
	}
	w, err := c.fixingWorld(x)
	if err != nil {
		return nil, nil, err
	}
	if x.tags == nil {
		lock, _, _ := readLock(sp.Root) // what is wrong with it is in ds
		x.tags = &retagger{world: w, lock: lock, known: map[string]versionOf{}, keep: f.locked}
	}
	x.tags.mend(ctx, sp, ds, x.lock.renamed)
	return sp, ds, nil
}

// fixingWorld is the world that a fix asks, opened when something first does.
func (c *cli) fixingWorld(x *fixer) (*world, error) {
	var err error
	if x.world == nil {
		x.world, err = c.newWorld(&engineFlags{compression: "gzip", sandbox: "native"})
	}
	return x.world, err
}

func (x *fixer) close() {
	if x.world != nil {
		x.world.close()
	}
}

// round applies the fixes of one judgement, and reports whether any was.
func (x *fixer) round(ds diag.List) bool {
	byFile := map[string][]diag.Fix{}
	because := map[diag.Fix]string{}
	for _, d := range ds.Sorted() {
		if d.Fix != nil {
			byFile[d.Fix.Range.File] = append(byFile[d.Fix.Range.File], *d.Fix)
			because[*d.Fix] = d.Code
			if d.Code == "" {
				because[*d.Fix] = strings.ToLower(d.Summary[:1]) + d.Summary[1:]
			}
		}
	}
	changed := false
	for _, name := range slices.Sorted(maps.Keys(byFile)) {
		file := x.open(name)
		if file == nil {
			continue
		}
		out, done := diag.Apply(file.text, byFile[name])
		for _, fix := range done {
			x.said = append(x.said, fmt.Sprintf("%s:%d: %s (%s)", name, fix.Range.Start.Line, describeFix(file.text, fix), because[fix]))
		}
		file.text = out
		changed = changed || len(done) > 0
	}
	return changed
}

// open is the text of a file of the workspace; nil for what was fetched, and
// for what is not there.
func (x *fixer) open(name string) *fixedFile {
	full := x.path(name)
	if f := x.files[full]; f != nil {
		return f
	}
	real, err := filepath.EvalSymlinks(full)
	if err != nil || !format.Knows(filepath.Base(full)) || !x.inWorkspace(real) {
		return nil
	}
	data, err := os.ReadFile(real)
	if err != nil {
		return nil
	}
	text := bytes.ReplaceAll(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), []byte("\r\n"), []byte("\n"))
	crlf := len(text) < len(data)
	// A file of both endings, or with a mark, would come back as another one.
	if crlf && !bytes.Equal(withCRLF(text), data) {
		return nil
	}
	x.files[full] = &fixedFile{name: name, before: text, text: text, crlf: crlf}
	return x.files[full]
}

func withCRLF(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")) }

func (x *fixer) path(name string) string {
	if full := filepath.FromSlash(name); filepath.IsAbs(full) {
		return full
	}
	return filepath.Join(x.dir, filepath.FromSlash(name))
}

// inWorkspace keeps links that lead out of the workspace, and specs that are
// not of it, as they are. Where no spec could be read at all, there is only
// the folder that the command runs in to go by.
func (x *fixer) inWorkspace(real string) bool {
	root := x.root
	if root == "" {
		root = x.dir
	}
	if r, err := filepath.EvalSymlinks(root); err == nil {
		root = r
	}
	rel, err := filepath.Rel(root, real)
	return err == nil && filepath.IsLocal(rel)
}

func (x *fixer) overlay() map[string][]byte {
	out := map[string][]byte{}
	for full, f := range x.files {
		if !bytes.Equal(f.before, f.text) {
			out[full] = f.text
		}
	}
	if x.lock.changed() {
		out[x.lockFile()] = x.lock.text
	}
	return out
}

func (x *fixer) lockFile() string { return filepath.Join(x.root, pin.FileName) }

// keep writes what was changed, or shows it.
func (c *cli) keep(x *fixer, v validateFlags) error {
	changed := x.overlay()
	delete(changed, x.lockFile())
	for _, full := range slices.Sorted(maps.Keys(changed)) {
		f := x.files[full]
		if v.diff {
			c.printDiff(f.name, f.before, f.text)
			continue
		}
		data := f.text
		if f.crlf {
			data = withCRLF(data)
		}
		if err := rewrite(full, data); err != nil {
			return err
		}
	}
	if err := c.keepLock(x, v); err != nil {
		return err
	}
	out := c.stdout
	if v.json {
		out = c.stderr
	}
	for _, line := range x.said {
		if !v.diff {
			fmt.Fprintln(out, line)
		}
	}
	return nil
}

// keepLock is keep for the lock, after the specs that it is of.
func (c *cli) keepLock(x *fixer, v validateFlags) error {
	if !x.lock.changed() {
		return nil
	}
	if v.diff {
		c.printDiff(pin.FileName, x.lock.before, x.lock.text)
		return nil
	}
	return pin.Write(x.root, x.lock.lock)
}

// describeFix is the words that are changed: "apt → apt-get". Of an insertion
// they are what stands around it.
func describeFix(text []byte, f diag.Fix) string {
	from, to := f.Range.Start.Byte, f.Range.End.Byte
	left, right := from, to
	for from == to && left > 0 && partOfWord(text[left-1]) {
		left--
	}
	for from == to && right < len(text) && partOfWord(text[right]) {
		right++
	}
	was := string(text[left:right])
	is := string(text[left:from]) + f.Replacement + string(text[to:right])
	switch {
	case strings.TrimSpace(is) == "":
		return "took out " + oneLine(was)
	case strings.TrimSpace(was) == "":
		return "added " + oneLine(is)
	}
	return oneLine(was) + " → " + oneLine(is)
}

func partOfWord(c byte) bool { return c > ' ' && !strings.ContainsRune("\"'[](){},", rune(c)) }

// oneLine is a text as a message quotes it.
func oneLine(s string) string {
	const enough = 60
	line := strings.Join(strings.Fields(s), " ")
	if r := []rune(line); len(r) > enough {
		return string(r[:enough]) + "…"
	}
	return line
}
