package lower_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/lower"
	"github.com/specbuild/specbuild/lower/dag"
	"github.com/specbuild/specbuild/planner"
)

// TestTitles: what a person reads of a step names it as the spec at hand
// does, and tells apart what looks alike.
func TestTitles(t *testing.T) {
	t.Parallel()
	run := func(target string) planner.Instance {
		return planner.Instance{
			ID: "//:stage.build@linux/amd64>" + target, Addr: "//:stage.build", Platform: "linux/amd64", Targets: []string{target},
			Steps: []planner.Step{
				{Copy: &planner.Copy{From: planner.Source{Context: "//:context.src"}, To: "/src/"}},
				{Run: &planner.Run{Args: []string{"make", target}, Env: []planner.KV{}, Workdir: "/", User: "0:0", Network: "none"}},
			},
		}
	}
	plan := &planner.Plan{
		Images: []planner.Image{{
			Addr:      "//services/web:image.out",
			Platforms: []planner.PlatformImage{{Platform: "linux/arm64", Instance: "//services/web:image.out@linux/arm64"}},
		}},
		Contexts: []planner.Context{{Addr: "//:context.src", Path: "src"}},
		Instances: []planner.Instance{
			run("linux/amd64"), run("linux/arm64"),
			{
				ID: "//services/web:image.out@linux/arm64", Addr: "//services/web:image.out", Platform: "linux/arm64", Targets: []string{"linux/arm64"},
				Steps: []planner.Step{
					{Copy: &planner.Copy{From: planner.Source{Instance: "//:stage.build@linux/amd64>linux/amd64"}, To: "/all/"}},
					{Copy: &planner.Copy{From: planner.Source{Instance: "//:stage.build@linux/amd64>linux/arm64"}, To: "/all/"}},
					{Copy: &planner.Copy{From: planner.Source{Context: "//:context.src"}, Sources: []string{"a", "b*"}, To: "/"}},
				},
			},
		},
	}
	g, ds := lower.Lower(plan)
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	var got []string
	for _, n := range g.Nodes {
		switch n.Op.(type) {
		case *dag.Run, *dag.Copy:
			got = append(got, fmt.Sprintf("%s: %s", n.Meta.Name, n.Meta.Title))
		}
	}
	slices.Sort(got)
	want := []string{
		"//services/web:image.out: copy a b* to /",
		"//services/web:image.out: copy stage.build to /all/",
		"//services/web:image.out: copy stage.build to /all/",
		"stage.build: copy context.src to /src/",
		"stage.build: run make linux/amd64",
		"stage.build: run make linux/arm64 for arm64",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
