// Package dockerfile writes a spec from a Dockerfile: [Import].
//
// BuildKit's own packages read the Dockerfile, so what an instruction is, is
// never a guess. What cannot be said in a spec, or not for sure, is marked in
// place by a comment that begins with TODO(import), and listed. Whatever comes
// in, what comes out parses, is formatted and validates: it is loaded as
// specbuild would load it, and what is refused becomes such a comment.
package dockerfile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/specbuild/specbuild/spec/diag"
)

// MaxBytes is the largest Dockerfile that is read, 1 MiB. BuildKit itself
// refuses lines of 64 KiB.
const MaxBytes = 1 << 20

// Options is what Import may know beside the Dockerfile.
type Options struct {
	// Target is the stage that becomes the image, by name or number, as in
	// docker build --target; empty is the last.
	Target string
	// Image is the name of the image's block; empty is the stage's own, else
	// "app".
	Image string
	// Context is the folder that would be built, to tell files from folders;
	// nil where it is not there. Only names are looked at, never contents.
	Context fs.FS
	// Args are the build arguments that are given, by name.
	Args map[string]Arg
	// Contexts are named contexts, as of docker build --build-context: what is
	// called so in FROM, COPY --from or the from of a mount is this image
	// instead of a stage or an image of that name.
	Contexts map[string]string
	// Today is the day of the import, which its waivers count from; at zero
	// none are written.
	Today time.Time
}

// Result is a spec and what was not taken over one to one.
type Result struct {
	HCL   []byte // formatted, and valid by itself
	Notes []Note // by line, each once
	// Stages are those of the Dockerfile, in its order.
	Stages []Stage
	// UnknownArgs are the names of [Options.Args] that no ARG declares, sorted.
	UnknownArgs []string
}

// Kind says what a note is about.
type Kind string

// The kinds of notes.
const (
	Todo    Kind = "todo"    // something is left to do, marked in place by a comment
	Changed Kind = "changed" // it is said in another way, whose meaning differs a little
	Dropped Kind = "dropped" // it is not in the spec, and nothing is left to do
)

// Note is one thing that whoever imports should read.
type Note struct {
	Line int // of the Dockerfile, from 1; 0 is the whole
	Kind Kind
	Text string // a sentence
}

// String is the note as a line of a list.
func (n Note) String() string {
	if n.Line == 0 {
		return fmt.Sprintf("%s: %s", n.Kind, n.Text)
	}
	return fmt.Sprintf("%d: %s: %s", n.Line, n.Kind, n.Text)
}

// Import writes a spec from a Dockerfile; name is how diagnostics call it. The
// diagnostics are those of a file that is no Dockerfile at all, and then there
// is no result. The same input gives the same bytes.
func Import(name string, dockerfile []byte, opts Options) (Result, diag.List) {
	source := bytes.ReplaceAll(dockerfile, []byte("\r\n"), []byte("\n"))
	stages, global, escape, ds := parse(name, source)
	if ds.HasErrors() {
		return Result{}, ds
	}
	im := &importer{
		opts: opts, lines: strings.SplitAfter(string(source), "\n"), escape: escape,
		noted: map[Note]bool{}, names: map[string]bool{}, taken: map[string]bool{},
		ids: map[string]bool{}, standIns: map[string]string{},
	}
	if err := im.convert(stages, global); err != nil {
		ds.Errorf(diag.Range{File: name}, "Not imported", "%s.", upper(err.Error()))
		return Result{}, ds
	}
	hcl := im.checked()
	slices.SortStableFunc(im.notes, func(a, b Note) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(b.Kind, a.Kind))
	})
	return Result{HCL: hcl, Notes: im.notes, Stages: im.places(), UnknownArgs: im.unknownArgs()}, nil
}

// parse reads the Dockerfile as BuildKit does.
func parse(name string, source []byte) (stages []instructions.Stage, global []instructions.ArgCommand, escape rune, ds diag.List) {
	fail := func(line int, detail string) {
		at := diag.Range{File: name}
		if line > 0 {
			at.Start = diag.Pos{Line: line, Column: 1}
			at.End = at.Start
		}
		ds.Errorf(at, "Not a Dockerfile", "%s", detail)
	}
	switch {
	case len(source) > MaxBytes:
		fail(0, fmt.Sprintf("%s is %d bytes; a Dockerfile of at most %d bytes is read.", name, len(source), MaxBytes))
	case !utf8.Valid(source) || bytes.IndexByte(source, 0) >= 0:
		fail(0, name+" is not a text in UTF-8.")
	}
	if len(ds) > 0 {
		return nil, nil, 0, ds
	}
	parsed, err := parser.Parse(bytes.NewReader(source))
	if err == nil {
		escape = parsed.EscapeToken
		stages, global, err = instructions.Parse(parsed.AST, nil)
	}
	switch {
	case err != nil:
		fail(lineOf(err), fmt.Sprintf("BuildKit's parser says: %s.", strings.TrimRight(oneLine(cause(err)), ".")))
	case len(stages) == 0:
		fail(0, "There is no FROM in it.")
	}
	return stages, global, escape, ds
}

// lineOf is where BuildKit found the mistake; 0 where it does not say.
func lineOf(err error) int {
	var loc *parser.LocationError
	if errors.As(err, &loc) && len(loc.Locations) > 0 && len(loc.Locations[0]) > 0 {
		return loc.Locations[0][0].Start.Line
	}
	return 0
}

// cause is the error without "dockerfile parse error on line 3: ", which the
// range says.
func cause(err error) string {
	s := err.Error()
	if rest, ok := strings.CutPrefix(s, "dockerfile parse error on line "); ok {
		if _, after, found := strings.Cut(rest, ": "); found {
			return after
		}
	}
	return s
}

func upper(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return strings.ToUpper(string(r)) + s[n:]
}

// note lists something; what is said twice of one line is listed once.
func (im *importer) note(line int, kind Kind, format string, args ...any) {
	n := Note{line, kind, fmt.Sprintf(format, args...)}
	if !im.noted[n] {
		im.noted[n] = true
		im.notes = append(im.notes, n)
	}
}

// todo lists something and gives the comment that marks its place.
func (im *importer) todo(line int, format string, args ...any) string {
	s := oneLine(fmt.Sprintf(format, args...))
	im.note(line, Todo, "%s", s)
	return todoMark + s
}
