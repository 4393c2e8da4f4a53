package planner_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/spec/diag"
)

// mistake is a spec with the diagnostics that it must give: `#!` and
// "severity: summary: part of the detail" stand behind the line that each
// points at, several apart by " #! ". Nothing else may be said.
type mistake struct {
	name  string
	early bool // spec.Load says it already, and the planner is not asked
	spec  string
	lock  string
	files string                      // txtar
	with  func(in *planner.Input)     // what the command line adds
	more  func(*testing.T, diag.List) // what the marks cannot say
}

// debian is locked for two platforms, and its facts for both.
const debian = `specbuild-lock 1
base docker.io/library/debian:12 - index sha256:1… application/vnd.oci.image.index.v1+json
base docker.io/library/debian:12 linux/amd64 manifest sha256:2…
base docker.io/library/debian:12 linux/arm64 manifest sha256:3…
base docker.io/library/debian:12 linux/amd64 config "{\"config\":{\"WorkingDir\":\"/srv\"}}"
base docker.io/library/debian:12 linux/amd64 user 0 0
base docker.io/library/debian:12 linux/arm64 config "{}"
base docker.io/library/debian:12 linux/arm64 user 0 0
`

func (m mistake) run(t *testing.T) {
	t.Parallel()
	text, want := marks(m.spec)
	archive := "-- image.hcl --\n" + text
	if m.lock != "" {
		archive += "-- specbuild.lock --\n" + m.lock
	}
	s := open(t, parse(archive+m.files))
	ds := s.load
	if !m.early {
		if ds.HasErrors() {
			t.Fatalf("this is no mistake of the plan:\n%s", report(ds))
		}
		if m.with != nil {
			m.with(&s.in)
		}
		_, ds = planner.Make(context.Background(), s.in)
	}
	var unexpected diag.List
	for _, d := range ds {
		form(t, d)
		i := slices.IndexFunc(want, func(w expected) bool { return w.is(d) })
		if i < 0 {
			unexpected = append(unexpected, d)
			continue
		}
		want = slices.Delete(want, i, i+1)
	}
	if len(want)+len(unexpected) > 0 {
		t.Errorf("not said:\n%s\nsaid instead:\n%s", want, report(unexpected))
	}
	if m.more != nil {
		m.more(t, ds)
	}
}

// expected is one mark.
type expected struct {
	line int
	text string
}

func (e expected) is(d diag.Diagnostic) bool {
	part := strings.SplitN(e.text, ": ", 3)
	return e.line == d.Range.Start.Line && len(part) == 3 &&
		d.Severity.String() == part[0] && d.Summary == part[1] && strings.Contains(d.Detail, part[2])
}

func (e expected) String() string { return fmt.Sprintf("%d: %s\n", e.line, e.text) }

// marks cuts the marks out of a spec.
func marks(text string) (plain string, want []expected) {
	var out strings.Builder
	line := 0
	for l := range strings.Lines(strings.TrimPrefix(text, "\n")) {
		line++
		code, found, any := strings.Cut(strings.TrimRight(l, "\n"), "#!")
		if any {
			for mark := range strings.SplitSeq(found, "#!") {
				want = append(want, expected{line, strings.TrimSpace(mark)})
			}
		}
		out.WriteString(strings.TrimRight(code, " ") + "\n")
	}
	return out.String(), want
}

// form is what every diagnostic keeps: a place, a short phrase, sentences, and
// no words of Go.
func form(t *testing.T, d diag.Diagnostic) {
	t.Helper()
	if d.Range.IsZero() || strings.HasSuffix(d.Summary, ".") || !strings.ContainsAny(d.Detail[len(d.Detail)-1:], ".?)") || strings.HasSuffix(d.Detail, "..") {
		t.Errorf("the form of %+v", d)
	}
	for _, leak := range []string{"%!", "<nil>", "0xc0", "invalid character", "json:", "lstat ", "open /", "JSON input", "no such file or directory"} {
		if strings.Contains(d.Detail, leak) {
			t.Errorf("%q is in %q", leak, d.Detail)
		}
	}
	for _, n := range d.Notes {
		if n.Message == "" || n.Range.IsZero() {
			t.Errorf("a note without message or place: %+v", d)
		}
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, table := range [][]mistake{references, platforms, accounts, locks, copies, runs, packages, managers, outputsOfImages} {
		for _, m := range table {
			t.Run(m.name, m.run)
		}
	}
}

var errNoEmulator = errors.New("there is no emulator for it; install qemu-user-static")

// cannotRun is a machine that runs its own platform only.
func cannotRun(in *planner.Input) {
	in.CanRun = func(platform string) error {
		if platform == "linux/amd64" {
			return nil
		}
		return errNoEmulator
	}
}
