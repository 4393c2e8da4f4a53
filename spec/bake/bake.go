// Package bake writes specs from a bake file: [Import].
//
// Bake is not there as a library, so the file is read as its documentation
// says: variables, functions, inheritance and the matrix are resolved here,
// and each target's Dockerfile is imported by package dockerfile. What bake
// says once for many targets stays said once: variables and the expressions
// over them are kept, the stages that targets share are one block, and a
// matrix becomes a for_each where one can say it.
//
// Whatever comes in, what comes out parses, is formatted and validates: it is
// loaded as specbuild would load it, and what is refused becomes a comment
// that begins with TODO(import).
package bake

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/dockerfile"
)

// Options is where the bake file stands.
type Options struct {
	// Root is the folder in which contexts may lie: the workspace's, else the
	// work tree's, else the bake file's own.
	Root fs.FS
	// Dir is the bake file's folder below Root, slash-separated, "." for Root
	// itself. Contexts are relative to it, as if bake ran there.
	Dir string
	// Workspace is true where Root has a specbuild.hcl already: then none is
	// written, and what several folders share is written into each.
	Workspace bool
	// Today is the day of the import, which waivers count from; at zero there
	// are none (dockerfile.Options).
	Today time.Time
}

// Result is the specs and what was not taken over one to one.
type Result struct {
	Files []File // by path, each valid together with the others
	Notes []Note // by file and line, each once
	// Sources are the files that were read, by the names that notes and
	// diagnostics have for them. They are there after errors, too.
	Sources map[string][]byte
}

// File is a spec to be written.
type File struct {
	Path string // below Options.Root, slash-separated
	HCL  []byte // formatted
}

// Note is one thing that whoever imports should read.
type Note struct {
	File string // the bake file, or a Dockerfile
	Line int    // from 1; 0 is the whole file
	Kind dockerfile.Kind
	Text string // a sentence
}

// String is the note as a line of a list: file:line: kind: text.
func (n Note) String() string {
	if n.Line == 0 {
		return fmt.Sprintf("%s: %s: %s", n.File, n.Kind, n.Text)
	}
	return fmt.Sprintf("%s:%d: %s: %s", n.File, n.Line, n.Kind, n.Text)
}

// todoMark begins every comment that asks for a hand, as package dockerfile's.
const todoMark = "TODO(import): "

// Import writes specs from a bake file, in HCL or JSON by its name's end; the
// name is how notes and diagnostics call it. Mistakes of the bake file and of
// the Dockerfiles that it names are the diagnostics, and then there are no
// files. The same input gives the same bytes.
func Import(name string, src []byte, opts Options) (Result, diag.List) {
	im := &importer{name: name, opts: opts, sources: map[string][]byte{}, noted: map[Note]bool{}, modules: map[string]*module{}}
	if im.opts.Dir == "" {
		im.opts.Dir = "."
	}
	im.sources[name] = src
	files := im.convert(src)
	if im.diags.HasErrors() {
		return Result{Sources: im.sources}, im.diags.Sorted()
	}
	slices.SortStableFunc(im.notes, func(a, b Note) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(b.Kind, a.Kind), cmp.Compare(a.Text, b.Text))
	})
	return Result{Files: files, Notes: im.notes, Sources: im.sources}, nil
}

// importer is the state of one Import.
type importer struct {
	name    string
	opts    Options
	sources map[string][]byte
	diags   diag.List
	notes   []Note
	noted   map[Note]bool

	file    *file
	values  *values
	print   *printer
	targets []*target // those that become images, in the file's order
	modules map[string]*module
	order   []*module
	// contextDirs are folders that specs name as contexts.
	contextDirs []string
}

// convert goes from bytes to files; what is wrong is in im.diags.
func (im *importer) convert(src []byte) []File {
	if im.file = im.read(src); im.diags.HasErrors() {
		return nil
	}
	im.values = newValues(im.file, &im.diags)
	if im.diags.HasErrors() {
		return nil
	}
	all := im.resolve()
	if im.diags.HasErrors() {
		return nil
	}
	im.print = newPrinter(im.file, im.values)
	im.choose(all)
	pieces := im.plan()
	for _, p := range pieces {
		im.build(p)
	}
	if im.diags.HasErrors() {
		return nil
	}
	for _, m := range im.order {
		im.fold(m)
		m.shareStages()
	}
	for _, p := range pieces {
		im.otherNotes(p)
	}
	im.groups(all)
	im.besideNotes()
	return im.finish()
}

// note lists something; what is said twice of one line is listed once.
func (im *importer) note(at diag.Range, kind dockerfile.Kind, format string, args ...any) {
	im.list(Note{File: cmp.Or(at.File, im.name), Line: at.Start.Line, Kind: kind, Text: oneLine(fmt.Sprintf(format, args...))})
}

func (im *importer) list(n Note) {
	if !im.noted[n] {
		im.noted[n] = true
		im.notes = append(im.notes, n)
	}
}

// todo lists something and gives the comment that marks its place.
func (im *importer) todo(at diag.Range, format string, args ...any) string {
	s := oneLine(fmt.Sprintf(format, args...))
	im.note(at, dockerfile.Todo, "%s", s)
	return "# " + todoMark + s
}

// oneLine is text for a comment: no line ends, nothing that cannot be seen.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 || r == 0x85 {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	const longest = 300
	if r := []rune(s); len(r) > longest {
		return string(r[:longest]) + "…"
	}
	return s
}

// shown is a path below the root as notes call it: beside the bake file's name.
func (im *importer) shown(p string) string {
	return path.Join(path.Dir(im.name), relative(im.opts.Dir, p))
}

// relative is the way from one folder to a path, both below the same root.
func relative(from, to string) string {
	if from == "." {
		return to
	}
	a, b := strings.Split(from, "/"), strings.Split(to, "/")
	if to == "." {
		b = nil
	}
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return path.Join(strings.Repeat("../", len(a)-n), path.Join(b[n:]...))
}
