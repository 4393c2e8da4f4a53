package policy_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/specbuild/specbuild/engine/source"
	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/planner/policy"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/planner/survey"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// TestManyImagesAreJudgedByOneSpec: what rules see of the specs is made once
// for each platform. With one for each image, 400 images took over a minute.
func TestManyImagesAreJudgedByOneSpec(t *testing.T) {
	t.Parallel()
	const many = 400
	var text strings.Builder
	for i := range many {
		fmt.Fprintf(&text, "image \"i%d\" {\n  from = scratch\n  run_as = \"1:1\"\n  platforms = [\"linux/amd64\"]\n  directory {\n    path = \"/a\"\n  }\n}\n", i)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "image.hcl"), []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	set, ds := policy.Read([]policy.File{{Name: "p.policy.hcl", Text: []byte(`policy "p" {
  rule "small" {
    condition = image.size < 100 && spec.workspace != ""
    message   = "Too large"
  }
}
`)}}, policy.ReadOptions{Version: "0.1.0", Plan: planner.Plan{}})
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	sp, ds := spec.Load(context.Background(), spec.Options{Dir: dir, Build: spec.Platform{OS: "linux", Arch: "amd64"}, Version: "0.1.0"})
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	var facts rules.Facts
	planner.Make(t.Context(), planner.Input{Spec: sp, Sources: new(source.View), Judge: func(f rules.Facts) diag.List {
		facts = f
		return nil
	}})
	done := rules.Finished{Whole: true}
	for i, d := range sp.Images {
		img := rules.Image{Facts: survey.Facts{Platform: "linux/amd64"}, Name: d.Addr.String(), Range: d.Range}
		if i == many/2 {
			img.Size = 100
		}
		done.Images = append(done.Images, img)
	}
	started := time.Now()
	ds = set.JudgeImages(facts, done, policy.Options{})
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	if len(ds) != 1 || ds[0].Code != "small" || ds[0].Range != done.Images[many/2].Range {
		t.Errorf("it found %v", ds)
	}
}
