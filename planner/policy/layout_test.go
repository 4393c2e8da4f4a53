package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/planner/policy"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/planner/survey"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

func read(t *testing.T, text string) *policy.Set {
	t.Helper()
	set, ds := policy.Read([]policy.File{{Name: "p.policy.hcl", Text: []byte(text)}}, policy.ReadOptions{})
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	return set
}

// TestUnjudged tells what policies ask for and a layout alone does not show.
func TestUnjudged(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ policy, hard, others string }{
		"rules over images":  {`policy "p" {` + rule("length(image.setuid) == 0") + `}`, "", ""},
		"rules over specs":   {`policy "p" {` + rule("spec.workspace != \"\"") + `}`, "mine", ""},
		"rules over plans":   {`policy "p" {` + rule("plan.version == 1") + `}`, "mine", ""},
		"soft":               {"policy \"p\" {\n enforcement = \"soft\"\n" + rule("plan.version == 1") + "}", "", "mine"},
		"advice":             {"policy \"p\" {\n enforcement = \"advisory\"\n" + rule("plan.version == 1") + "}", "", ""},
		"graded over images": {graded(`"no-setuid-files" = "error", "publish-registry-explicit" = "error", "attestations-on" = "error"`), "", ""},
		"graded over specs":  {graded(`"port-no-ssh" = "error", "packages-pinned" = "warning", "final-user-non-root" = "off"`), "port-no-ssh", ""},
		"scans of bases":     {graded(`"scan-evidence-fresh" = { severity = "error", files = ["x"] }`), "scan-evidence-fresh", ""},
		"scans of images":    {graded(`"scan-evidence-fresh" = { severity = "error", files = ["x"], judge = ["images"] }`), "", ""},
		"a seal":             {"policy \"p\" {\n seal = [\"run_as\"]\n}", "template-sealed", ""},
	} {
		hard, others := read(t, tc.policy).Unjudged()
		if strings.Join(hard, " ") != tc.hard || strings.Join(others, " ") != tc.others {
			t.Errorf("%s: %q and %q, not %q and %q", name, hard, others, tc.hard, tc.others)
		}
	}
}

func rule(condition string) string {
	return "\n  rule \"mine\" {\n    condition = " + condition + "\n    message = \"x\"\n  }\n"
}

func graded(grades string) string { return "policy \"p\" {\n  grade = { " + grades + " }\n}" }

// TestAloneAnImageHasNoSpec holds that a rule which looks at a spec besides is
// broken for an image without one, not judged by an empty spec.
func TestAloneAnImageHasNoSpec(t *testing.T) {
	t.Parallel()
	at := diag.Range{File: "oci:out"}
	img := rules.Image{Name: "oci:out", Range: at, Facts: survey.Facts{Platform: "linux/amd64"}}
	for condition, want := range map[string]string{
		"length(image.setuid) == 0 && image.address == \"oci:out\"": "",
		"length(image.setuid) == 1":                                 "x",
		"length(spec.bases) == 0 && length(image.setuid) == 0":      "The rule cannot be judged",
		"length(image.setuid) == 0 && plan.version == 1":            "The rule cannot be judged",
	} {
		set := read(t, `policy "p" {`+rule(condition)+`}`)
		ds := set.JudgeImages(rules.Facts{Spec: &spec.Spec{}, Now: now}, rules.Finished{Alone: true, Images: []rules.Image{img}}, policy.Options{})
		ds = slices.DeleteFunc(ds, func(d diag.Diagnostic) bool { return d.Code != "mine" })
		switch {
		case want == "" && len(ds) == 0:
		case len(ds) != 1 || ds[0].Summary != want || ds[0].Address != "" || want != "x" && !strings.Contains(ds[0].Detail, "apply --push"):
			t.Errorf("%s: %+v, want %q", condition, ds, want)
		}
	}
}
