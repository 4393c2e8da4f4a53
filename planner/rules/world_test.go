package rules_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/specbuild/specbuild/engine/source"
	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// judgement is a spec on its way through the real parts: spec.Load, a lock
// with whatever it needs, planner.Make over files on disk, Judge.
type judgement struct {
	locked   bool // --locked
	unlocked bool // there is no lock
	pushed   bool // --push --attest=false
	allow    []string
	now      time.Time
	stale    bool              // the lock is there, and empty
	only     []string          // platforms that bases have; none is amd64 and arm64
	files    map[string]string // beside image.hcl
	grades   map[string]rules.Grade
	signed   map[string]func(*pin.Base) // how bases of a name are signed; they get an index then
	evidence []rules.Evidence
	unasked  bool          // registries
	plan     *planner.Plan // what came out
}

// bases are what the lock knows of the images that cases name.
var bases = map[string]pin.Facts{
	"debian":  {Config: `{"config":{}}`},
	"root":    {Config: `{"config":{}}`},
	"nonroot": {Config: `{"config":{"User":"nonroot"}}`, UID: 65532, GID: 65532},
	"zero":    {Config: `{"config":{"User":"root"}}`},
	"onbuild": {Config: `{"config":{"User":"1000","OnBuild":["COPY . /app","RUN make"]}}`, UID: 1000, GID: 1000},
	"ssh":     {Config: `{"config":{"User":"1000","ExposedPorts":{"22/tcp":{},"8022/tcp":{}}}}`, UID: 1000, GID: 1000},
	"healthy": {Config: `{"config":{"User":"1000","Healthcheck":{"Test":["NONE"]}}}`, UID: 1000, GID: 1000},
	"signed":  {Config: `{"config":{"User":"1000"}}`, UID: 1000, GID: 1000},
	"web":     {Config: `{"config":{"User":"1000","ExposedPorts":{"80/tcp":{}}}}`, UID: 1000, GID: 1000},
}

// digest is one for each byte.
func digest(c byte) string { return "sha256:" + strings.Repeat(string(c), 64) }

// judge runs it; the text is image.hcl.
func (j *judgement) judge(t testing.TB, text string) diag.List {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "image.hcl", text)
	write(t, dir, ".git/HEAD", "") // the border of the search for a workspace
	for name, content := range j.files {
		write(t, dir, name, content)
	}
	return j.judgeAt(t, dir, nil)
}

func (j *judgement) judgeAt(t testing.TB, dir string, args []string) diag.List {
	t.Helper()
	sp, ds := spec.Load(context.Background(), spec.Options{
		Dir: dir, Args: args, Build: spec.Platform{OS: "linux", Arch: "amd64"}, Version: "0.1.0",
		Env: func(string) (string, bool) { return "", false },
	})
	if ds.HasErrors() {
		return ds
	}
	return append(ds, j.make(t, sp, func(f rules.Facts) diag.List {
		f.Unlocked, f.Now, f.Grades, f.Unattested = j.unlocked, j.now, j.grades, j.pushed
		f.Evidence, f.Unasked = j.evidence, j.unasked
		return rules.Judge(f)
	})...).Sorted()
}

// make plans what was loaded.
func (j *judgement) make(t testing.TB, sp *spec.Spec, judge func(rules.Facts) diag.List) diag.List {
	t.Helper()
	ctx := context.Background()
	in := planner.Input{Spec: sp, Locked: j.locked, Allow: j.allow, Sources: sources{}, Judge: judge}
	if j.unlocked {
		_, ds := planner.Unpinned(ctx, in)
		return ds
	}
	if !j.stale {
		needs, ds := planner.Needs(ctx, in)
		if ds.HasErrors() {
			return ds
		}
		in.Lock = j.lock(needs)
	}
	plan, ds := planner.Make(ctx, in)
	j.plan = plan
	return ds
}

// lock has all that is needed, and what bases says of a base by the last part
// of its name.
func (j *judgement) lock(needs pin.Needs) pin.Lock {
	platforms := j.only
	if len(platforms) == 0 {
		platforms = []string{"linux/amd64", "linux/arm64"}
	}
	out := pin.Lock{Bases: map[string]pin.Base{}, Repositories: map[string]pin.Repository{}, Git: map[string]string{}, HTTP: map[string]pin.File{}}
	for _, n := range needs.Bases {
		name, _, _ := strings.Cut(n.Key[strings.LastIndexByte(n.Key, '/')+1:], ":")
		name, _, _ = strings.Cut(name, "@")
		_, said, _ := strings.Cut(n.Key, "@")
		b := pin.Base{Digest: cmp.Or(n.Digest, said, digest('a')), Manifests: map[string]string{}, Facts: map[string]pin.Facts{}}
		for i, p := range platforms {
			b.Manifests[p], b.Facts[p] = digest(byte('b'+i)), bases[name]
		}
		if sign := j.signed[name]; sign != nil {
			b = linked(b)
			sign(&b)
		}
		out.Bases[n.Key] = b
	}
	for _, n := range needs.Git {
		out.Git[n.Key()] = strings.Repeat("a", 40)
	}
	for _, n := range needs.HTTP {
		out.HTTP[n.URL] = pin.File{SHA256: strings.Repeat("a", 64), Size: 1}
	}
	for _, n := range needs.Closures {
		r := out.Repositories[n.Repo.Key()]
		r.Closures = append(r.Closures, pin.Closure{Arch: n.Arch, Request: n.Request, Below: n.Below})
		out.Repositories[n.Repo.Key()] = r
	}
	return out
}

type sources struct{}

func (sources) List(ctx context.Context, r source.Request) (*source.Selection, error) {
	return source.List(ctx, r)
}

func write(t testing.TB, dir, name, content string) {
	t.Helper()
	full := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// cases are specs that break a rule and look-alikes that do not. « and »
// stand around what the finding must point at, and nothing else.
type cases struct {
	fires, quiet []string
	files        map[string]string
	severity     diag.Severity // without --locked
	release      diag.Severity // with it
	unlocked     bool
	grade        rules.Grade // of the rule
	signed       map[string]func(*pin.Base)
	also         []string // rules that have something to say as well
	evidence     []rules.Evidence
}

// whole makes a spec of a case: what has no image stands in one.
func whole(text string) string {
	if strings.Contains(text, "image \"") {
		return text
	}
	return `image "web" {
  from = scratch
  run_as = "10001"
` + text + "\n}\n"
}

func marked(t *testing.T, text string) (plain string, want []string) {
	t.Helper()
	var out strings.Builder
	line, column := 1, 1
	pos := func() string { return fmt.Sprintf("%d:%d", line, column) }
	start := ""
	for _, r := range text {
		switch r {
		case '«':
			start = pos()
			continue
		case '»':
			want = append(want, start+"-"+pos())
			continue
		case '\n':
			line, column = line+1, 0
		}
		column++
		out.WriteRune(r)
	}
	return out.String(), want
}

func place(d diag.Diagnostic) string {
	return fmt.Sprintf("%d:%d-%d:%d", d.Range.Start.Line, d.Range.Start.Column, d.Range.End.Line, d.Range.End.Column)
}

// run checks the cases of one rule. Nothing but this rule may have anything
// but advice to say about them: so the look-alikes of one are those of all.
func (c cases) run(t *testing.T, rule string) {
	t.Helper()
	for i, text := range c.fires {
		for _, locked := range []bool{false, true} {
			t.Run(fmt.Sprintf("fires %d locked %v", i, locked), func(t *testing.T) {
				t.Parallel()
				plain, want := marked(t, whole(text))
				j := judgement{locked: locked, unlocked: c.unlocked, files: c.files, grades: map[string]rules.Grade{rule: c.grade}, signed: c.signed, evidence: c.evidence}
				severity := c.severity
				if locked {
					severity = c.release
				}
				var got []string
				for _, d := range j.judge(t, plain) {
					if (d.Severity == diag.Info || slices.Contains(c.also, d.Code)) && d.Code != rule {
						continue // advice about something else
					}
					if d.Code != rule || d.Severity != severity {
						t.Errorf("%s of %s at %s: %s. %s", d.Severity, d.Code, place(d), d.Summary, d.Detail)
						continue
					}
					if words := len(strings.Fields(d.Summary)); words > 6 || strings.HasSuffix(d.Summary, ".") || !strings.HasSuffix(d.Detail, ".") {
						t.Errorf("the form of %q, %q", d.Summary, d.Detail)
					}
					got = append(got, place(d))
				}
				if strings.Join(got, " ") != strings.Join(want, " ") {
					t.Errorf("%s points at %v, not at %v, in\n%s", rule, got, want, plain)
				}
			})
		}
	}
	for i, text := range c.quiet {
		t.Run(fmt.Sprintf("quiet %d", i), func(t *testing.T) {
			t.Parallel()
			j := judgement{unlocked: c.unlocked, files: c.files, grades: map[string]rules.Grade{rule: c.grade}, signed: c.signed, evidence: c.evidence}
			for _, d := range j.judge(t, whole(text)) {
				if d.Code == rule || d.Code == "" {
					t.Errorf("%s of %s at %s: %s. %s\n%s", d.Severity, d.Code, place(d), d.Summary, d.Detail, text)
				}
			}
		})
	}
}
