// Package examples_test runs the examples as a user would: the program is
// built, applied to a copy of each folder with the packages that Debian's
// mirror has today, and the images are started.
package examples_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/specbuild/specbuild/schemas/schematest"
)

// pages are what the images serve: by example, what is asked for and what
// must be in the answer, its status included.
var pages = map[string][]page{
	"quickstart": {
		{"/", "200"},
		{"/", "This page is served by nginx"},
		{"/nothing", "404"},
	},
	"go-service": {
		{"/healthz", "200"},
		{"/healthz", "ok"},
		{"/Ann", "Hello, Ann!"},
	},
	"static-site": {
		{"/", "Opening hours"},
		{"/home.html", "Opening hours"},
		{"/nothing", "There is no such page"},
	},
}

func TestExamples(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	specs, err := filepath.Glob("*/image.hcl")
	if err != nil || len(specs) < len(pages) {
		t.Fatalf("found %d examples, there are %d at least: %v", len(specs), len(pages), err)
	}
	for _, spec := range specs {
		dir := filepath.Dir(spec)
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			if pages[dir] == nil {
				t.Errorf("nothing says what %s serves", dir)
			}
			l.example(t, dir)
		})
	}
}

// TestNoLockIsCommitted: mirrors drop versions, so that a lock of an example
// would be wrong within weeks.
func TestNoLockIsCommitted(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "git", "ls-files", ".").Output()
	if err != nil {
		t.Skipf("needs git and a checkout: %v", err)
	}
	files := strings.Fields(string(out))
	if !slices.Contains(files, "quickstart/image.hcl") {
		t.Fatalf("git does not list the quickstart: %q", files)
	}
	for _, f := range files {
		if filepath.Base(f) == "specbuild.lock" {
			t.Errorf("examples/%s is committed", f)
		}
	}
}

// example applies one example twice, and starts what came of it.
func (l *lab) example(t *testing.T, name string) {
	dir := filepath.Join(t.TempDir(), name)
	copyExample(t, name, dir)
	// There is no lock yet, which CI would take for an error.
	l.run(t, dir, "validate", "--locked=false", "image.hcl").blameless(t, "[packages-pinned]")

	first := l.apply(t, dir)
	if first.state != "written" || len(first.platforms) != 2 {
		t.Errorf("the first apply says %q for %q, wanted \"written\" for two platforms", first.state, first.platforms)
	}
	index, err := layout.ImageIndexFromPath(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Errorf("the layout is not valid: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "specbuild.lock")); err != nil {
		t.Errorf("the first apply wrote no lock: %v", err)
	}

	second := l.apply(t, dir)
	if second.state != "unchanged" || second.digest != first.digest {
		t.Errorf("the second apply says %q and %s, wanted \"unchanged\" and %s", second.state, second.digest, first.digest)
	}
	if len(second.ran) > 0 {
		t.Errorf("the second apply ran %q", second.ran)
	}
	if len(first.ran) == 0 {
		t.Error("the first apply ran nothing: that the second ran nothing says nothing")
	}
	l.run(t, dir, "validate", "image.hcl").blameless(t)
	schematest.NewPlan(t).Check(t, []byte(l.run(t, dir, "plan", "--json", "image.hcl").stdout))
	l.inYAML(t, dir, first)
	l.byTemplate(t, dir, first)

	for _, platform := range first.platforms {
		t.Run(platform, func(t *testing.T) { l.serve(t, filepath.Join(dir, "out"), platform, pages[name]) })
	}
}

// lab is the program under test and its cache, which the examples share as
// they would on a user's machine.
type lab struct {
	program string
	probe   string // testdata/probe
	cache   string
}

func newLab(t *testing.T) *lab {
	t.Helper()
	dir := t.TempDir()
	l := &lab{program: filepath.Join(dir, "specbuild"), probe: filepath.Join(dir, "probe"), cache: filepath.Join(dir, "cache")}
	for out, pkg := range map[string]string{l.program: "../cmd/specbuild", l.probe: "./testdata/probe"} {
		cmd := exec.CommandContext(t.Context(), "go", "build", "-o", out, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", pkg, err, text)
		}
	}
	return l
}

// output is what a command printed.
type output struct{ stdout, stderr string }

// blameless fails if an error or a warning was printed, but for the rules
// that are named.
func (o output) blameless(t *testing.T, but ...string) {
	t.Helper()
	for line := range strings.Lines(o.stdout + o.stderr) {
		found := strings.HasPrefix(line, "error:") || strings.HasPrefix(line, "warning:")
		if found && !slices.ContainsFunc(but, func(rule string) bool { return strings.Contains(line, rule) }) {
			t.Errorf("an example must be without blame:\n%s%s", o.stdout, o.stderr)
			return
		}
	}
}

// run runs the program in dir and expects success.
func (l *lab) run(t *testing.T, dir string, args ...string) output {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), l.program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+l.cache)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("specbuild %s: %v\n%s%s", strings.Join(args, " "), err, &stdout, &stderr)
	}
	return output{stdout.String(), stderr.String()}
}

// applied is what an apply did.
type applied struct {
	digest, state string
	platforms     []string
	ran           []string // titles of steps and tests that were not known
}

func (l *lab) apply(t *testing.T, dir string) applied {
	t.Helper()
	args := []string{"apply", "--locked=false", "-o", "oci:out", "--json", "--progress=json"}
	if os.Getenv("SPECBUILD_TEST_REQUIRE") != "" {
		args = append(args, "--require-tests")
	}
	out := l.run(t, dir, args...)
	var result struct {
		Images []struct {
			Digest    string
			Platforms []struct{ Platform string }
			Outputs   []struct{ State string }
		}
	}
	if err := json.Unmarshal([]byte(out.stdout), &result); err != nil || len(result.Images) != 1 || len(result.Images[0].Outputs) != 1 {
		t.Fatalf("apply does not tell of one image in one place: %v\n%s", err, out.stdout)
	}
	image := result.Images[0]
	a := applied{digest: image.Digest, state: image.Outputs[0].State, ran: ran(t, out.stderr)}
	for _, p := range image.Platforms {
		a.platforms = append(a.platforms, p.Platform)
	}
	return a
}

// ran reads the lines of --progress=json.
func ran(t *testing.T, lines string) []string {
	t.Helper()
	var out []string
	for line := range strings.Lines(lines) {
		var e struct {
			Event, Title string
			Cached       bool
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("a line of progress is not JSON: %v\n%s", err, line)
		}
		if e.Event == "finished" && !e.Cached {
			out = append(out, e.Title)
		}
	}
	return out
}

// copyExample copies what git would check out: a lock or a layout that
// somebody made in the folder stays behind.
func copyExample(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if _, err := os.Stat(filepath.Join(path, "oci-layout")); err == nil {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		if rel == "specbuild.lock" {
			return nil
		}
		data, err := os.ReadFile(path)
		return errors.Join(err, os.WriteFile(filepath.Join(to, rel), data, 0o644))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// need skips where the machine lacks something, but never in CI, which has
// everything.
func need(t *testing.T, ok bool, what string) {
	t.Helper()
	switch {
	case ok:
	case os.Getenv("SPECBUILD_TEST_REQUIRE") != "":
		t.Fatalf("needs %s, and SPECBUILD_TEST_REQUIRE forbids to skip", what)
	default:
		t.Skipf("needs %s", what)
	}
}
