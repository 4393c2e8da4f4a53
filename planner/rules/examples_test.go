package rules_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// TestExamples holds that what we show breaks no rule at all, as long as
// there is a lock.
func TestExamples(t *testing.T) {
	t.Parallel()
	files := exampleSpecs(t)
	if len(files) < 5 {
		t.Fatalf("%d examples", len(files))
	}
	for _, file := range files {
		for _, j := range []judgement{{}, {locked: true}} {
			for _, d := range j.judgeAt(t, filepath.Dir(copied(t, file)), nil) {
				t.Errorf("%s: %s %s: %s. %s", file, d.Severity, d.Code, d.Summary, d.Detail)
			}
		}
		// Without one, that is all there is to say.
		for _, d := range (&judgement{unlocked: true}).judgeAt(t, filepath.Dir(copied(t, file)), nil) {
			if d.Severity != diag.Warning || d.Code != "packages-pinned" && d.Code != "base-digest-pinned" {
				t.Errorf("%s: %s %s: %s. %s", file, d.Severity, d.Code, d.Summary, d.Detail)
			}
		}
	}
}

// exampleSpecs are all specs of examples, the call of a template and YAML
// included, but for what stands under a policy: examples/monorepo is judged
// by its own test, with the policy and its waivers, strictly and not.
func exampleSpecs(t *testing.T) []string {
	t.Helper()
	const root = "../../examples"
	var files []string
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && (path == filepath.Join(root, "monorepo") || e.Name() == "template" || e.Name() == "testdata"):
			return fs.SkipDir // a template is judged through its call
		case strings.HasSuffix(path, "image.hcl"), strings.HasSuffix(path, "image.yaml"), e.Name() == "module.hcl":
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// copied is an example in a folder of its own: a lock that somebody made
// beside the original must not matter. A spec in another form takes the place
// of the example's own.
func copied(t *testing.T, file string) string {
	t.Helper()
	from, to := filepath.Dir(file), t.TempDir()
	name := filepath.Base(file)
	asOther := name == "image.yaml" || name == "module.hcl"
	if asOther {
		rel, err := filepath.Rel("../../examples", file)
		if err != nil {
			t.Fatal(err)
		}
		example, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
		from = filepath.Join("../../examples", example)
	}
	write(t, to, ".git/HEAD", "")
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		write(t, to, strings.TrimPrefix(path, from), string(content))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !asOther {
		return filepath.Join(to, name)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, own := range []string{"image.hcl", "module.hcl", "yaml"} {
		if err := os.RemoveAll(filepath.Join(to, own)); err != nil {
			t.Fatal(err)
		}
	}
	name = strings.Replace(name, "module", "image", 1)
	write(t, to, name, string(text))
	return filepath.Join(to, name)
}

// facts are what the planner hands to Judge for a spec.
func facts(t testing.TB, text string) rules.Facts {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "image.hcl", text)
	write(t, dir, ".git/HEAD", "")
	sp, ds := spec.Load(context.Background(), spec.Options{Dir: dir, Build: spec.Platform{OS: "linux", Arch: "amd64"}, Version: "0.1.0"})
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	var out rules.Facts
	(&judgement{}).make(t, sp, func(f rules.Facts) diag.List { out = f; return nil })
	return out
}

// BenchmarkJudge is all rules over an image with a step, and over 20 stages
// with 26 lines of script each, for two platforms.
func BenchmarkJudge(b *testing.B) {
	var text strings.Builder
	text.WriteString(`image "web" {
  from = scratch
  run_as = "1"
  platforms = ["linux/amd64", "linux/arm64"]
`)
	for i := range 20 {
		fmt.Fprintf(&text, `  copy {
    from = stage.s%d
    source = "/out"
    to = "/out%d/"
  }
`, i, i)
	}
	text.WriteString("}\n")
	for i := range 20 {
		fmt.Fprintf(&text, `stage "s%d" {
  from = scratch
  env = { A = "https://example.com/${target.arch}", PASSWORD_FILE = "/run/p" }
`, i)
		fmt.Fprintf(&text, `  run {
    script = <<-SH
%s    SH
  }
}
`, strings.Repeat("      for f in /src/*.c; do gcc -O2 -c \"$f\" -o \"/out/$(basename \"$f\" .c).o\"; done\n", 25)+fmt.Sprintf("      echo %d\n", i))
	}
	for name, f := range map[string]rules.Facts{
		"520 lines of scripts": facts(b, text.String()),
		"one image":            facts(b, whole(run("make -j4 install PREFIX=/usr && rm -rf /src"))),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if ds := rules.Judge(f); len(ds) > 0 {
					b.Fatal(ds)
				}
			}
		})
	}
}

// TestFactsAlone holds that Judge copes with facts that no planner filled.
func TestFactsAlone(t *testing.T) {
	t.Parallel()
	addr := spec.Addr{Module: "//", Kind: spec.KindImage, Name: "web"}
	body := &spec.Body{Addr: addr, From: spec.Attr[spec.Addr]{V: spec.Addr{Kind: spec.KindScratch}}, Image: &spec.ImageBody{}}
	f := rules.Facts{Spec: &spec.Spec{Selected: []spec.Addr{addr}}, Instances: []rules.Instance{{Body: body}}}
	ds := rules.Judge(f)
	if len(ds) != 1 || ds[0].Code != "final-user-non-root" {
		t.Errorf("%v", ds)
	}
	f.Instances[0].User = "65532"
	if ds := rules.Judge(f); len(ds) > 0 {
		t.Errorf("%v", ds)
	}
	// A stage whose lower one the plan does not have: nothing to go by.
	body.From.V = spec.Addr{Module: "//", Kind: spec.KindBase, Name: "gone"}
	f.Instances[0].User = ""
	if ds := rules.Judge(f); len(ds) != 1 || ds[0].Summary != "The image's user is unknown" {
		t.Errorf("%v", ds)
	}
	if ds := rules.Judge(rules.Facts{Spec: &spec.Spec{}}); len(ds) > 0 {
		t.Errorf("%v", ds)
	}
}

// TestSameTwice holds that Judge is a function of the facts, and leaves them
// as they are.
func TestSameTwice(t *testing.T) {
	t.Parallel()
	f := facts(t, `base "b" {
  image = "onbuild:latest"
}
image "web" {
  from = base.b
  run_as = "0"
  platforms = ["linux/amd64", "linux/arm64"]
  expose = [22, 80]
  tags = ["web"]
  `+run("sudo chpasswd && useradd x")+"}\n")
	asText := func(ds diag.List) string {
		out, err := json.Marshal(ds)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	first := asText(rules.Judge(f))
	for range 10 {
		if again := asText(rules.Judge(f)); again != first {
			t.Fatalf("%s\nthen\n%s", first, again)
		}
	}
	if n := len(rules.Judge(f)); n != 10 { // each rule that is broken here, once
		t.Errorf("%d findings, not 10: %s", n, first)
	}
}
