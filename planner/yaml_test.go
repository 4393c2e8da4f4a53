package planner_test

import (
	"bytes"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/spectest"
)

// Each story told in YAML has the plan that it has in HCL, and the graph with
// all its keys: which syntax somebody prefers is in no image.
func TestStoriesInYAML(t *testing.T) {
	t.Parallel()
	stories(t, func(t *testing.T, _ string, ar *txtar.Archive) {
		translated := &txtar.Archive{}
		for _, f := range ar.Files {
			if base := path.Base(f.Name); base == "image.hcl" || strings.HasSuffix(base, ".image.hcl") {
				text, err := spectest.YAML(f.Name, []byte(long(string(f.Data))), spec.Grammar())
				if err != nil {
					t.Fatal(err)
				}
				f = txtar.File{Name: strings.TrimSuffix(f.Name, "hcl") + "yaml", Data: text}
			}
			translated.Files = append(translated.Files, f)
		}
		var plans, graphs [2]string
		for i, a := range []*txtar.Archive{ar, translated} {
			s := open(t, a)
			m := s.make(t)
			var text bytes.Buffer
			if err := m.graph.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			plans[i], graphs[i] = planText(t, s, m.plan), text.String()
		}
		if d := cmp.Diff(plans[0], plans[1]); d != "" {
			t.Errorf("the plan (-hcl +yaml):\n%s", d)
		}
		if d := cmp.Diff(graphs[0], graphs[1]); d != "" {
			t.Errorf("the graph (-hcl +yaml):\n%s", d)
		}
	})
}
