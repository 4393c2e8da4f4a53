package planner_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/planner/show"
	"github.com/specbuild/specbuild/schemas/schematest"
	"github.com/specbuild/specbuild/spec/diag"
)

// Every story's plan is a document as the schema of `plan --json` says, and
// together they have everything that it knows.
func TestPlansMeetTheirSchema(t *testing.T) {
	t.Parallel()
	schema := schematest.NewPlan(t)
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("stories: %v, %v", files, err)
	}
	finding := diag.Diagnostic{
		Severity: diag.Warning, Code: "some-rule", Summary: "Something", Detail: "It is so.", Address: "//:image.web",
		Range: diag.Range{File: "image.hcl", Start: diag.Pos{Line: 1, Column: 1}},
	}
	for _, file := range files {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := open(t, ar)
		m := s.make(t)
		doc := show.Document{
			Plan: m.plan, Root: s.dir, Specbuild: "0.1.0", Findings: diag.List{finding},
			Policies: []show.Policy{{Name: "acme", Range: finding.Range, Enforcement: "hard"}},
			SetAside: []show.Aside{{Finding: finding, Reason: "it will go", Owner: "me"}},
			Lock:     []pin.Change{{What: "base x:1", Old: "1", New: "2"}},
		}
		for _, n := range m.graph.Nodes {
			doc.Steps = append(doc.Steps, show.Step{
				ID: string(n.ID), Op: n.Op.Kind(), Name: n.Meta.Name, Title: n.Meta.Title, Platform: n.Meta.Platform,
				Range: n.Meta.Range, State: show.Run, Reason: "not built here before",
			})
		}
		var out bytes.Buffer
		if err := doc.Write(&out); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), s.dir) {
			t.Errorf("%s: a folder of this machine is in the document", file)
		}
		schema.Check(t, out.Bytes())
		if t.Failed() {
			t.Fatalf("the story is %s", file)
		}
	}
	if unseen := schema.Unseen(); len(unseen) > 0 {
		t.Errorf("no story has %q: whether the schema is right there is not tried", unseen)
	}
}
