package planner_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/specbuild/specbuild/engine/source"
	"github.com/specbuild/specbuild/lower"
	"github.com/specbuild/specbuild/lower/dag"
	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

var update = flag.Bool("update", false, "write the outputs of the stories in testdata anew")

// outputs are the files of a story that are compared and not read: the plan
// and the graph always, the others where the story has them.
var outputs = []string{"plan.json", "graph.txt", "graph.dot", "warnings.txt"}

var amd64 = spec.Platform{OS: "linux", Arch: "amd64"}

// story is a workspace on disk, loaded.
type story struct {
	dir  string
	in   planner.Input
	load diag.List // of loading: warnings, or what is wrong already
}

type sources struct{}

func (sources) List(ctx context.Context, r source.Request) (*source.Selection, error) {
	return source.List(ctx, r)
}

// sameDigit is a digest of one digit, which stories write `7…`.
var sameDigit = regexp.MustCompile(`\b(0{64}|1{64}|2{64}|3{64}|4{64}|5{64}|6{64}|7{64}|8{64}|9{64}|a{64}|b{64}|c{64}|d{64}|e{64}|f{64})\b`)
var shortDigest = regexp.MustCompile(`\b([0-9a-f])…`)

func long(s string) string {
	return shortDigest.ReplaceAllStringFunc(s, func(m string) string { return strings.Repeat(m[:1], 64) })
}

func short(s string) string {
	return sameDigit.ReplaceAllStringFunc(s, func(m string) string { return m[:1] + "…" })
}

// open writes the files of an archive into a folder called shop, which is the
// workspace, and loads its spec.
func open(t testing.TB, ar *txtar.Archive) *story {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shop")
	write(t, dir, ".git/HEAD", "") // the border of the search for a workspace
	var lock pin.Lock
	for _, f := range ar.Files {
		if slices.Contains(outputs, f.Name) {
			continue
		}
		text := long(string(f.Data))
		write(t, dir, f.Name, text)
		if f.Name == pin.FileName {
			var ds diag.List
			lock, ds = pin.Parse(pin.FileName, []byte(text))
			if len(ds) > 0 {
				t.Fatalf("the story's lock: %s", report(ds))
			}
		}
	}
	sp, ds := spec.Load(context.Background(), spec.Options{
		Dir: dir, Build: amd64, Version: "0.1.0", Env: func(string) (string, bool) { return "", false },
	})
	return &story{dir: dir, load: ds, in: planner.Input{
		Spec: sp, Lock: lock, Sources: sources{},
		Mirrors: func(r pin.Repo, src string) []string { return []string{"http://" + r.Suite + ".example/" + src} },
	}}
}

func write(t testing.TB, dir, name, content string) {
	t.Helper()
	full := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// report is one line a diagnostic.
func report(ds diag.List) string {
	var b strings.Builder
	for _, d := range ds {
		fmt.Fprintf(&b, "%s: %s: %s: %s\n", d.Range, d.Severity, d.Summary, d.Detail)
	}
	return b.String()
}

// made is everything that comes of a story that has no mistake.
type made struct {
	plan     *planner.Plan
	graph    *dag.Graph
	warnings string
}

func (s *story) make(t testing.TB) made {
	t.Helper()
	if s.load.HasErrors() {
		t.Fatalf("loading: %s", report(s.load))
	}
	plan, ds := planner.Make(context.Background(), s.in)
	if ds.HasErrors() {
		t.Fatalf("planning: %s", report(ds))
	}
	graph, gds := lower.Lower(plan)
	if len(gds) > 0 {
		t.Fatalf("lowering: %s", report(gds))
	}
	return made{plan, graph, report(append(s.load, ds...).Sorted())}
}

// stories calls f for each archive of testdata.
func stories(t *testing.T, f func(t *testing.T, file string, ar *txtar.Archive)) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("stories: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			f(t, file, ar)
		})
	}
}

func TestStories(t *testing.T) {
	t.Parallel()
	stories(t, func(t *testing.T, file string, ar *txtar.Archive) {
		s := open(t, ar)
		m := s.make(t)
		got := map[string]string{"plan.json": planText(t, s, m.plan), "warnings.txt": m.warnings}
		var text, dot bytes.Buffer
		if err := m.graph.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		if err := m.graph.WriteDOT(&dot); err != nil {
			t.Fatal(err)
		}
		got["graph.txt"], got["graph.dot"] = short(text.String()), short(dot.String())
		if *update {
			rewrite(t, file, ar, got)
			return
		}
		for _, name := range outputs {
			want, there := content(ar, name)
			if !there && (name == "graph.dot" || name == "warnings.txt" && got[name] == "") {
				continue
			}
			if d := cmp.Diff(want, got[name]); d != "" {
				t.Errorf("%s of %s (-want +got; -update takes it over):\n%s", name, file, d)
			}
		}
	})
}

func content(ar *txtar.Archive, name string) (string, bool) {
	for _, f := range ar.Files {
		if f.Name == name {
			return string(f.Data), true
		}
	}
	return "", false
}

// rewrite keeps the story's inputs and puts its outputs behind them.
func rewrite(t *testing.T, file string, ar *txtar.Archive, got map[string]string) {
	t.Helper()
	_, dot := content(ar, "graph.dot")
	ar.Files = slices.DeleteFunc(ar.Files, func(f txtar.File) bool { return slices.Contains(outputs, f.Name) })
	for _, name := range outputs {
		if got[name] != "" && (name != "graph.dot" || dot) {
			ar.Files = append(ar.Files, txtar.File{Name: name, Data: []byte(got[name])})
		}
	}
	if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
		t.Fatal(err)
	}
}

// planText is the plan for people: without places, and without what is of
// this machine.
func planText(t *testing.T, s *story, plan *planner.Plan) string {
	t.Helper()
	data, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(withoutRanges(doc)); err != nil {
		t.Fatal(err)
	}
	return short(strings.ReplaceAll(out.String(), s.dir, "$SHOP"))
}

func withoutRanges(v any) any {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "range")
		if pair := len(v) == 2 && v["name"] != nil; pair {
			if value, ok := v["value"].(string); ok { // a KV, on one line
				return fmt.Sprintf("%s=%s", v["name"], value)
			}
		}
		for k := range v {
			v[k] = withoutRanges(v[k])
		}
	case []any:
		for i := range v {
			v[i] = withoutRanges(v[i])
		}
	}
	return v
}

// The plan and the graph are documents: another program reads them whole.
func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	stories(t, func(t *testing.T, _ string, ar *txtar.Archive) {
		m := open(t, ar).make(t)
		plan := marshal(t, m.plan)
		var back planner.Plan
		if err := json.Unmarshal([]byte(plan), &back); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(plan, marshal(t, &back)); d != "" {
			t.Errorf("the plan read back:\n%s", d)
		}
		graph := marshal(t, m.graph)
		again, ds := lower.Lower(&back)
		if len(ds) > 0 {
			t.Fatalf("lowering the plan read back: %s", report(ds))
		}
		if d := cmp.Diff(graph, marshal(t, again)); d != "" {
			t.Errorf("the graph of the plan read back:\n%s", d)
		}
		var g dag.Graph
		if err := json.Unmarshal([]byte(graph), &g); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(graph, marshal(t, &g)); d != "" {
			t.Errorf("the graph read back:\n%s", d)
		}
		for _, n := range m.graph.Nodes {
			if _, ok := g.Node(n.ID); !ok {
				t.Errorf("the graph read back does not find %s", n.ID.Short())
			}
		}
	})
}

func marshal(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Maps are everywhere in a planner; none may show.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	stories(t, func(t *testing.T, _ string, ar *txtar.Archive) {
		s := open(t, ar)
		first := s.make(t)
		plan, graph := marshal(t, first.plan), marshal(t, first.graph)
		for range 19 {
			again := s.make(t)
			if marshal(t, again.plan) != plan || marshal(t, again.graph) != graph || again.warnings != first.warnings {
				t.Fatal("a second run gives another plan, graph or list of warnings")
			}
		}
	})
}

func parse(archive string) *txtar.Archive { return txtar.Parse([]byte(archive)) }
