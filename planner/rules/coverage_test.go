package rules_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/planner/rules"
)

// enough is how many look-alikes a rule has that it must not fire on.
const enough = 3

// tally is how often tests show that a rule fires on a whole spec, and that it
// does not.
type tally struct{ fires, quiet int }

// TestEveryRuleFiresAndIsQuiet holds that tests show, for each rule of the
// table, a whole spec that breaks it and at least three look-alikes that do
// not. They are counted where they are written: the elements of cases, the
// rows of TestImpossible and TestLookAlikes, what stories expect of standard
// error, and, where a test has another form, lines of comments above what they
// speak of: `fires: ID`, `quiet: ID`.
func TestEveryRuleFiresAndIsQuiet(t *testing.T) {
	t.Parallel()
	got := tallies{}
	for _, pattern := range []string{"*_test.go", "../policy/*_test.go", "../policy/testdata/*.txtar", "../../engine/local/*_test.go", "../../testdata/script/*.txtar"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, ".txtar") {
				got.story(t, file)
			} else {
				got.source(t, file)
			}
		}
	}
	known := map[string]bool{}
	for _, r := range rules.All() {
		known[r.ID] = true
		if n := got[r.ID]; n.fires == 0 || n.quiet < enough {
			t.Errorf("%s, kept by %s: %d specs that break it and %d look-alikes; at least 1 and %d are asked for", r.ID, r.By, n.fires, n.quiet, enough)
		}
	}
	for id := range got {
		if !known[id] {
			t.Errorf("cases of %s, which is no rule", id)
		}
	}
}

// tallies are by rule.
type tallies map[string]tally

func (a tallies) add(id string, fires, quiet int) {
	a[id] = tally{a[id].fires + fires, a[id].quiet + quiet}
}

// note counts a line that says what stands below it.
func (a tallies) note(line string) {
	line = strings.TrimSpace(line)
	if id, ok := strings.CutPrefix(line, "fires: "); ok {
		a.add(strings.Fields(id)[0], 1, 0)
	}
	if id, ok := strings.CutPrefix(line, "quiet: "); ok {
		a.add(strings.Fields(id)[0], 0, 1)
	}
}

var (
	expected = regexp.MustCompile(`^(! )?stderr .*[^a-z-]([a-z]+(?:-[a-z]+)+)(?:\\\])?'$`)
	shown    = regexp.MustCompile(`^(?:error|warning|info): .* \[([a-z-]+)\]$`)
)

func (a tallies) story(t *testing.T, name string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, r := range rules.All() {
		known[r.ID] = true
	}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		a.note(strings.TrimPrefix(line, "# "))
		if m := expected.FindStringSubmatch(line); m != nil && known[m[2]] {
			if m[1] == "" {
				a.add(m[2], 1, 0)
			} else {
				a.add(m[2], 0, 1)
			}
		}
		if m := shown.FindStringSubmatch(line); m != nil && known[m[1]] {
			a.add(m[1], 1, 0)
		}
	}
}

func (a tallies) source(t *testing.T, name string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Comments {
		for line := range strings.Lines(group.Text()) {
			a.note(line)
		}
	}
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		switch fn.Name.Name {
		case "TestImpossible":
			a.impossible(fn)
		case "TestLookAlikes":
			a.lookAlikes(fn)
		default:
			a.cases(fn)
		}
	}
}

// cases counts cases{…}.run(t, "id"), and c.run(t, "id") by what is put into
// c; of lists that loops make, only what stands beside them.
func (a tallies) cases(fn *ast.FuncDecl) {
	fires, quiet := map[string]int{}, map[string]int{} // by variable
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if len(n.Lhs) != 1 || len(n.Rhs) != 1 {
				return true
			}
			if sel, ok := n.Lhs[0].(*ast.SelectorExpr); ok {
				v, named := sel.X.(*ast.Ident)
				switch {
				case named && sel.Sel.Name == "fires":
					fires[v.Name] += length(n.Rhs[0])
				case named && sel.Sel.Name == "quiet":
					quiet[v.Name] += length(n.Rhs[0])
				}
			}
		case *ast.CallExpr:
			sel, ok := n.Fun.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "run" || len(n.Args) != 2 {
				return true
			}
			id, ok := literal(n.Args[1])
			switch x := sel.X.(type) {
			case *ast.CompositeLit:
				if ok && isNamed(x.Type, "cases") {
					a.add(id, elements(x, "fires"), elements(x, "quiet"))
				}
			case *ast.Ident:
				if ok {
					a.add(id, fires[x.Name], quiet[x.Name])
				}
			}
		}
		return true
	})
}

func (a tallies) impossible(fn *ast.FuncDecl) {
	for _, row := range table(fn) {
		id, ok := literal(row.Elts[0])
		want, written := literal(row.Elts[2])
		switch {
		case !ok:
		case written && want == "":
			a.add(id, 0, 1)
		default:
			a.add(id, 1, 0)
		}
	}
}

func (a tallies) lookAlikes(fn *ast.FuncDecl) {
	ast.Inspect(fn, func(n ast.Node) bool {
		if kv, ok := n.(*ast.KeyValueExpr); ok {
			if id, ok := literal(kv.Key); ok && length(kv.Value) > 0 {
				a.add(id, 0, length(kv.Value))
			}
		}
		return true
	})
}

// table are the rows of three that a function has.
func table(fn *ast.FuncDecl) (rows []*ast.CompositeLit) {
	ast.Inspect(fn, func(n ast.Node) bool {
		if c, ok := n.(*ast.CompositeLit); ok && c.Type == nil && len(c.Elts) == 3 {
			rows = append(rows, c)
		}
		return true
	})
	return rows
}

func isNamed(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

// elements is the length of the list in a field of a literal.
func elements(lit *ast.CompositeLit, field string) int {
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok && isNamed(kv.Key, field) {
			return length(kv.Value)
		}
	}
	return 0
}

// length counts what is written out of a list, or of what is appended to one.
func length(list ast.Expr) int {
	switch l := list.(type) {
	case *ast.CompositeLit:
		return len(l.Elts)
	case *ast.CallExpr:
		if isNamed(l.Fun, "append") {
			return len(l.Args) - 1
		}
	}
	return 0
}

func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}
