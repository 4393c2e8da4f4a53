package spec

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// table is what a test asks of a block, whatever it decodes into.
type table interface {
	describe() (name, doc string, rows []row, blocks []string, fixed string)
	groups() []choice
}

func (b *block[T]) describe() (string, string, []row, []string, string) {
	rows := make([]row, len(b.attrs))
	for i, a := range b.attrs {
		rows[i] = a.row
	}
	return b.name, b.doc, rows, b.blockNames(), b.fixed
}

func (b *block[T]) groups() []choice { return b.one }

func tables() []table {
	return []table{
		specbuildBlock, workspaceBlock, variableBlock, validationBlock, baseBlock, contextBlock, secretBlock,
		repositoryBlock, sourceBlock, waiverBlock, stageBlock, imageBlock, healthcheckBlock, testBlock, expectBlock,
		testFileBlock, budgetBlock, copyBlock, runBlock, cacheMount, bindMount, tmpfsMount, secretMount, sshMount,
		resourcesBlock, packagesBlock, fileBlock, directoryBlock, symlinkBlock, userBlock, groupBlock, dynamicBlock,
	}
}

// The rows are also the documentation, so none of them may be silent.
func TestTablesSpeak(t *testing.T) {
	t.Parallel()
	for _, tab := range tables() {
		name, doc, rows, blocks, _ := tab.describe()
		if !strings.HasSuffix(doc, ".") {
			t.Errorf("%s: doc %q is no sentence", name, doc)
		}
		seen := map[string]bool{whenRow.name: true}
		for _, r := range rows {
			if seen[r.name] {
				t.Errorf("%s: %s stands there twice", name, r.name)
			}
			seen[r.name] = true
			if r.doc == "" || r.kind == "" {
				t.Errorf("%s: %s has no doc or kind", name, r.name)
			}
			if r.required && r.def != "" {
				t.Errorf("%s: %s is required and has a default", name, r.name)
			}
		}
		for _, c := range tab.groups() {
			for _, n := range c.names {
				if !seen[n] && !slices.Contains(blocks, n) {
					t.Errorf("%s: a choice names %s, which is no row", name, n)
				}
			}
		}
	}
}

// The names of language.md's tables, block by block, so that a row that goes
// missing is noticed.
func TestTablesAreTheLanguage(t *testing.T) {
	t.Parallel()
	steps := " copy run packages file directory symlink user group"
	build := "from workdir env path_prepend shell seal for_each"
	want := map[string]string{
		"specbuild":  "required_version",
		"variable":   "type default description validation",
		"base":       "image digest layout for_each",
		"context":    "path include exclude for_each git http",
		"secret":     "env file command ssh optional",
		"repository": "type suite components snapshot for_each source",
		"source":     "url suites components signed_by",
		"stage":      build + " platform" + steps,
		"image": build + " platforms tags run_as entrypoint cmd expose volumes labels annotations stamp stop_signal unset_env unset_labels" + steps +
			" healthcheck test budget",
		"healthcheck": "command interval timeout start_period retries none",
		"budget":      "size layers",
		"waiver":      "rule address reason owner expires",
		"copy":        "from source to exclude owner mode parents unpack",
		"run":         "command script env path_prepend workdir user network cache outputs timeout hosts mount resources",
		"resources":   "memory cpus pids shm",
		"packages":    "install repository recommends configure",
		"directory":   "path mode owner",
		"symlink":     "path to",
		"user":        "uid gid group home shell groups",
		"group":       "gid",
		"dynamic":     "for_each iterator labels content",
	}
	for _, tab := range tables() {
		name, _, rows, blocks, _ := tab.describe()
		var got []string
		for _, r := range rows {
			got = append(got, r.name)
		}
		got = append(got, blocks...)
		if w, ok := want[name]; ok && !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(strings.Fields(w)))) {
			t.Errorf("%s has %v, want %s", name, got, w)
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("there is no table of %s", name)
	}
}

// target may not stand in what has no platform (rule 5 of Platforms).
func TestTablesKeepTargetOut(t *testing.T) {
	t.Parallel()
	var blocks, attrs []string
	for _, tab := range tables() {
		name, _, rows, _, fixed := tab.describe()
		if fixed != "" {
			blocks = append(blocks, name)
		}
		for _, r := range rows {
			if r.fixed != "" {
				attrs = append(attrs, name+"."+r.name)
			}
		}
	}
	want := "specbuild workspace variable validation base context secret repository waiver stage.for_each image.for_each image.platforms image.tags"
	if got := strings.Join(append(blocks, attrs...), " "); got != want {
		t.Errorf("target is kept out of %s; want %s", got, want)
	}
}

// A habit never answers for a name that exists everywhere it could stand.
func TestHabitsAreSentences(t *testing.T) {
	t.Parallel()
	for _, name := range slices.Sorted(maps.Keys(habits)) {
		if line := habits[name]; !strings.HasSuffix(line, ".") && !strings.HasSuffix(line, "}.") && !strings.Contains(line, "-o oci:DIR") {
			t.Errorf("%s: %q is no sentence", name, line)
		}
	}
	for _, name := range []string{
		"count", "output", "data", "depends_on", "sensitive", "target", "group", "inherits", "matrix", "args", "contexts",
		"function", "ARG", "USER", "ENV", "url", "ONBUILD", "SHELL", "link",
	} {
		if habits[name] == "" {
			t.Errorf("the language names the habit %s, and nothing answers it", name)
		}
	}
}

// hcl and cty stay inside: no exported declaration mentions them.
func TestModelHasNoHCL(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(fset, name, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range g.Specs {
				if ts, ok := s.(*ast.TypeSpec); ok && ts.Name.IsExported() {
					ast.Inspect(ts, func(n ast.Node) bool {
						if sel, ok := n.(*ast.SelectorExpr); ok {
							if x, ok := sel.X.(*ast.Ident); ok && slices.Contains([]string{"hcl", "hclsyntax", "cty"}, x.Name) {
								t.Errorf("%s mentions %s.%s", ts.Name.Name, x.Name, sel.Sel.Name)
							}
						}
						return true
					})
				}
			}
		}
	}
}
