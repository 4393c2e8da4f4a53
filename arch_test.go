// Package specbuild_test keeps the architecture: who may import whom is a
// test, not a diagram. The reasons are in docs/architecture.md.
package specbuild_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/specbuild/specbuild/"

// allowed lists, for each package, the packages of ours that it may import
// directly.
var allowed = map[string][]string{
	"spec/diag":         {},
	"spec/bake":         {"spec", "spec/diag", "spec/dockerfile", "spec/eval", "spec/format", "spec/syntax"},
	"spec/dockerfile":   {"spec", "spec/diag", "spec/format"},
	"spec/syntax":       {"spec/diag", "spec/grammar"},
	"spec/eval":         {"spec/diag", "spec/syntax"},
	"spec/format":       {"spec/diag", "spec/grammar", "spec/syntax"},
	"spec/grammar":      {},
	"spec":              {"spec/diag", "spec/syntax", "spec/eval", "spec/grammar"},
	"schemas":           {"spec", "spec/grammar"},
	"spec/lsp":          {"spec", "spec/diag", "spec/eval", "spec/format", "spec/grammar", "spec/syntax"},
	"spec/show":         {"spec", "spec/diag"},
	"spec/starter":      {"spec/format"},
	"planner/pin":       {"spec/diag", "planner/pin/deb", "engine/deb/version", "engine/layer"},
	"planner/pin/deb":   {"spec/diag", "engine/deb/version", "engine/fetch", "engine/xz"},
	"planner/policy":    {"spec", "spec/diag", "spec/eval", "planner/rules", "planner/survey"},
	"planner/rules":     {"spec", "spec/diag", "planner/secretscan", "planner/survey"},
	"planner/show":      {"planner", "planner/pin", "spec/diag"},
	"planner/survey":    {},
	"planner":           {"spec", "spec/diag", "planner/pin", "planner/rules", "planner/policy", "engine/source"},
	"lower/dag":         {"spec/diag"},
	"lower":             {"spec/diag", "planner", "lower/dag"},
	"engine":            {"lower/dag", "spec/diag"},
	"engine/attest":     {"engine", "lower/dag"},
	"engine/cache":      {},
	"engine/deb":        {"engine/layer", "engine/xz", "engine/deb/version"},
	"engine/fetch":      {},
	"engine/git":        {},
	"engine/image":      {"engine", "lower/dag"},
	"engine/layer":      {},
	"engine/layer/blob": {},
	"engine/leak":       {},
	"engine/local": {
		"engine", "lower/dag", "spec/diag", "engine/cache", "engine/layer", "engine/layer/blob", "engine/source",
		"engine/leak", "engine/deb", "engine/fetch", "engine/git", "engine/image", "engine/sandbox",
	},
	"engine/module":     {},
	"engine/progress":   {"engine", "lower/dag", "spec/diag"},
	"engine/sandbox":    {},
	"engine/source":     {},
	"engine/xz":         {},
	"spec/diag/report":  {"spec/diag"},
	"engine/enginetest": {"engine", "lower/dag", "engine/image", "engine/layer"},

	"engine/deb/version": {},
	"planner/secretscan": {},
}

// owners lists third-party modules that stay behind the packages named.
var owners = map[string][]string{
	"github.com/hashicorp/hcl/v2":            {"spec", "spec/bake", "spec/syntax", "spec/format", "spec/eval", "spec/lsp", "planner/policy"},
	"github.com/zclconf/go-cty":              {"spec", "spec/bake", "spec/eval", "spec/syntax", "planner/policy"},
	"gopkg.in/yaml.v3":                       {"spec/syntax", "spec/format"},
	"github.com/google/go-containerregistry": {"engine/image"},
	"github.com/moby/buildkit":               {"engine/buildkit", "spec/dockerfile"},
	"github.com/spf13":                       {"cmd/specbuild"},
	"github.com/ProtonMail/go-crypto":        {"planner/pin/deb"},
	"github.com/mikelolasagasti/xz":          {"engine/xz", "engine/layer"},
	"github.com/moby/profiles":               {"engine/sandbox"},
	"github.com/moby/patternmatcher":         {"engine/source"},
	"mvdan.cc/sh":                            {"engine/deb", "planner/rules", "spec/dockerfile"},
}

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
}

func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Deps,Standard", "./...")
	out, err := cmd.Output()
	if err != nil {
		var ee *exec.ExitError
		if errors.As(err, &ee) {
			t.Fatalf("go list: %v\n%s", err, ee.Stderr)
		}
		t.Fatal(err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// governed reports whether the rules speak of a package: commands and test
// programs may import everything.
func governed(name string) bool {
	return !strings.HasPrefix(name, "cmd/") && name != "examples" &&
		!strings.Contains(name, "testdata") && !strings.HasSuffix(name, "test") || name == "engine/enginetest"
}

func TestImportDirections(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range list(t) {
		name, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours || !governed(name) {
			continue
		}
		seen[name] = true
		may, known := allowed[name]
		if !known {
			t.Errorf("%s is in no line of the table: say what it may import, and in docs/architecture.md why it exists", name)
			continue
		}
		for _, imp := range p.Imports {
			if dep, ours := strings.CutPrefix(imp, module); ours && !slices.Contains(may, dep) {
				t.Errorf("%s imports %s, which it may not", name, dep)
			}
		}
	}
	for _, want := range []string{"spec", "planner", "lower/dag", "engine/local"} {
		if !seen[want] {
			t.Errorf("%s was not looked at: the test has lost its subject", want)
		}
	}
}

func TestThirdPartyOwners(t *testing.T) {
	for _, p := range list(t) {
		name, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours || !governed(name) {
			continue
		}
		for _, imp := range p.Imports {
			for prefix, who := range owners {
				if strings.HasPrefix(imp, prefix) && !slices.Contains(who, name) {
					t.Errorf("%s imports %s, which stays behind %s", name, imp, strings.Join(who, ", "))
				}
			}
		}
	}
}

// TestStandardLibraryOnly: the graph and diagnostics must stay readable by
// anything, an engine on another machine included.
func TestStandardLibraryOnly(t *testing.T) {
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if name != "lower/dag" && name != "spec/diag" {
			continue
		}
		for _, dep := range p.Deps {
			first, _, _ := strings.Cut(dep, "/")
			if strings.Contains(first, ".") && !strings.HasPrefix(dep, module) {
				t.Errorf("%s depends on %s, which is not the standard library", name, dep)
			}
		}
	}
}

// TestEnginesKnowNothingOfTheFrontHalf checks the whole closure, not only
// direct imports.
func TestEnginesKnowNothingOfTheFrontHalf(t *testing.T) {
	for _, p := range list(t) {
		name, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours || !strings.HasPrefix(name, "engine") {
			continue
		}
		for _, dep := range p.Deps {
			d, ours := strings.CutPrefix(dep, module)
			if ours && !strings.HasPrefix(d, "engine") && d != "lower/dag" && d != "spec/diag" {
				t.Errorf("%s depends on %s", name, d)
			}
			for _, front := range []string{"github.com/hashicorp/hcl/v2", "github.com/zclconf/go-cty", "gopkg.in/yaml.v3"} {
				if strings.HasPrefix(dep, front) {
					t.Errorf("%s depends on %s, which ends in spec", name, dep)
				}
			}
		}
	}
}

func TestNoGrabBags(t *testing.T) {
	for _, p := range list(t) {
		switch path.Base(p.ImportPath) {
		case "util", "utils", "common", "helpers", "types", "manager":
			t.Errorf("%s: name the package for the noun it holds", p.ImportPath)
		}
	}
}
