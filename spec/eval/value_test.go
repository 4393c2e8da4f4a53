package eval

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/syntax"
)

var update = flag.Bool("update", false, "write the golden files")

// The golden file holds mistakes in expressions and what the author is told.
func TestMistakesGolden(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	var out bytes.Buffer
	for _, src := range []string{
		`vra.version`, `base.og`, `base.something`, `base["static2"]`, `stage.x`, `base.go.image`, `base.go["eu"]`, `secret.x.value`, `var.none.x`,
		`var.map.alpa`, `var.map["alpa"]`, `var.version.x`, `[1, 2][5]`, `upcase("x")`, `uper("x")`, `upper()`, `upper("a", "b")`, `upper([1])`,
		`upper(secret.x)`, `"key=${secret.x}"`, `"${[1]}-"`, `"${null}-"`, `"${NAME}"`, `"${NAME}/${OTHER}"`, `true ? base.go : "x"`, `{(base.go) = 1}`,
		`1 + "a"`, `1 / 0`, `null + 1`, `base.go ? 1 : 2`, `[for x in secret.x : x]`, `jsondecode("{")`, `file("nope.txt")`,
		`merge({a = upper(vra)}, {b = vra})`, `max("a", "b")`, `tolist([base.go, "x"])`,
	} {
		_, l := eval(t, s, src)
		if len(l) == 0 {
			t.Errorf("%s is no mistake", src)
		}
		if err := diag.WriteText(&out, l, map[string][]byte{"f.hcl": []byte(src)}, diag.TextOptions{Width: 100}); err != nil {
			t.Fatal(err)
		}
		for _, d := range l {
			for _, word := range []string{"cty.", "dynamic", "capsule", "Subject", "interface"} {
				if strings.Contains(d.Summary+d.Detail, word) {
					t.Errorf("%s: Go's own words in %q", src, d.Detail)
				}
			}
			if len(strings.Fields(d.Summary)) > 6 {
				t.Errorf("%s: a long summary %q", src, d.Summary)
			}
		}
	}
	const path = "testdata/mistakes.txt"
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("%s differs; run with -update and read the diff\n%s", path, out.String())
	}
}

// cty divides by zero to infinity, and panics when it goes on with that.
func TestInfinityIsAMistake(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	for _, src := range []string{
		`1 / 0`, `-1 / 0`, `0 / 0`, `0 * (1 / 0)`, `(1 / 0) - (1 / 0)`, `{a = [1 / 0]}`, `format("%d", 1 / 0)`, `ceil(1 / 0)`, `floor(1 / 0)`,
		`range(1 / 0)`, `pow(1 / 0, 2)`, `indent(1 / 0, "a\nb")`, `substr("abc", 0, 1 / 0)`, `element(["a"], 1 / 0)`, `sum([1 / 0, -1 / 0])`, `jsonencode(1 / 0)`,
		`parseint("1", 1 / 0)`, `chunklist([1], 1 / 0)`, `slice([1], 0, 1 / 0)`, `[1][1 / 0]`, `format("%f", 1e999999999999999999999)`,
	} {
		_, l := syntax.ParseExpression("f.hcl", []byte(src))
		if len(l) == 0 {
			_, l = eval(t, s, src)
		}
		if len(l) == 0 {
			t.Errorf("%s is no mistake", src)
			continue
		}
		if strings.Contains(l[0].Detail, "goroutine") || strings.Contains(l[0].Detail, "panic") {
			t.Errorf("%s: %s", src, l[0].Detail)
		}
	}
}

// Suggestions must not depend on the order of maps.
func TestMistakesAreDeterministic(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	s.Context.Variables["vars"], s.Context.Variables["vary"] = cty.Zero, cty.Zero
	first := ""
	for range 30 {
		_, l := eval(t, s, `varz`)
		if first == "" {
			first = l[0].Detail
		}
		if l[0].Detail != first || !strings.Contains(first, `"var"`) {
			t.Fatalf("%q and %q", l[0].Detail, first)
		}
	}
}

func TestOneMessageAMistake(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	if _, l := eval(t, s, `[for x in ["a", "b", "c"] : nope]`); len(l) != 1 {
		t.Errorf("a mistake in a loop is reported %d times", len(l))
	}
	if _, l := eval(t, s, `[nope, nada]`); len(l) != 2 {
		t.Errorf("two mistakes: %v", l)
	}
}

// The fix of a shell's variable makes the string what was meant.
func TestFixOfShellVariable(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	src := `"cd ${ HOME } && ls"`
	_, l := eval(t, s, src)
	if len(l) != 1 || l[0].Fix == nil {
		t.Fatalf("got %v", l)
	}
	fixed := src[:l[0].Fix.Range.Start.Byte] + l[0].Fix.Replacement + src[l[0].Fix.Range.End.Byte:]
	if v, l := eval(t, s, fixed); len(l) != 0 || v.AsString() != "cd ${ HOME } && ls" {
		t.Errorf("%s = %#v %v", fixed, v, l)
	}
	if _, l := eval(t, s, `HOME`); l[0].Fix != nil || strings.Contains(l[0].Detail, "shell") {
		t.Errorf("outside a string there is nothing to double: %v", l)
	}
}

func TestMentions(t *testing.T) {
	t.Parallel()
	expr, l := syntax.ParseExpression("f.hcl", []byte(`[var.a, "${stage.build["eu"].x}", [for k in local.l : k.z], each.key, base[var.n], scratch, local.list[0].x]`))
	if len(l) > 0 {
		t.Fatal(l)
	}
	var got []string
	for _, m := range Mentions(expr) {
		got = append(got, strings.Join(m.Path, "/"))
		if m.Range.Start.Byte == 0 || m.Root() != m.Path[0] || m.Name(9) != "" {
			t.Errorf("%+v", m)
		}
	}
	want := "var/a stage/build/eu/x local/l each/key base var/n scratch local/list"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
}

// defs reads "a: b c; b: c; c" as definitions with their uses.
func defs(text string) []Definition {
	var out []Definition
	for i, d := range strings.Split(text, ";") {
		name, uses, _ := strings.Cut(strings.TrimSpace(d), ":")
		def := Definition{Name: name, Range: diag.Range{File: "f", Start: diag.Pos{Line: i + 1, Column: 1}}}
		for j, u := range strings.Fields(uses) {
			def.Uses = append(def.Uses, Use{Name: u, Range: diag.Range{File: "f", Start: diag.Pos{Line: i + 1, Column: 10 + j}}})
		}
		out = append(out, def)
	}
	return out
}

func TestOrder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, order, cycles string }{
		{"as given", "a; b; c", "a b c", ""},
		{"by use", "a: b c; b: c; c", "c b a", ""},
		{"others pass", "a: var.x; b: a", "a b", ""},
		{"itself", "a: a; b", "b", "a → a"},
		{"two", "a: b; b: a; c", "c", "a → b → a"},
		{"entered from outside", "x: a; a: b; b: c; c: a; y", "y", "a → b → c → a"},
		{"two cycles", "a: b; b: a; c: d; d: c", "", "a → b → a, c → d → c"},
		{"after a cycle", "a: a; b: a; c: b", "", "a → a"},
		{"diamond", "a: b c; b: d; c: d; d", "d b c a", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ds := defs(c.text)
			order, l := Order(ds)
			var names, cycles []string
			for _, i := range order {
				names = append(names, ds[i].Name)
			}
			for _, d := range l {
				path, _, _ := strings.Cut(d.Detail, ":")
				cycles = append(cycles, path)
				if d.Summary != "Definitions form a cycle" || len(d.Notes) != strings.Count(path, "→") || d.Range.IsZero() {
					t.Errorf("%+v", d)
				}
			}
			if strings.Join(names, " ") != c.order || strings.Join(cycles, ", ") != c.cycles {
				t.Errorf("order %q, cycles %q", names, cycles)
			}
		})
	}
}

func TestOrderNotesPointAtTheUses(t *testing.T) {
	t.Parallel()
	_, l := Order(defs("a: z b; b: a"))
	got := fmt.Sprint(l[0].Notes[0].Message, l[0].Notes[0].Range, " ", l[0].Notes[1].Message, l[0].Notes[1].Range)
	if want := "a uses b here.f:1:11 b uses a here.f:2:10"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestOrderOfALongChain(t *testing.T) {
	t.Parallel()
	const n = 100_000
	ds := make([]Definition, n)
	for i := range ds {
		ds[i] = Definition{Name: fmt.Sprint(i)}
		if i+1 < n {
			ds[i].Uses = []Use{{Name: fmt.Sprint(i + 1)}}
		}
	}
	order, l := Order(ds)
	if len(l) > 0 || len(order) != n || order[0] != n-1 || order[n-1] != 0 {
		t.Errorf("%d ordered, %v", len(order), l)
	}
}

func TestClosest(t *testing.T) {
	t.Parallel()
	known := []string{"version", "var", "base", "stage", "static", "go"}
	for given, want := range map[string]string{
		"vra": "var", "vesion": "version", "stagee": "stage", "og": "go", "bas": "base", "a": "", "x": "", "local": "", "vr": "var", "statc": "static", "": "", "version": "version",
	} {
		if got, ok := Closest(given, known); got != want || ok != (want != "") {
			t.Errorf("%q: %q", given, got)
		}
	}
	if DidYouMean("xyz", known) != "" || DidYouMean("bse", known) != ` Did you mean "base"?` {
		t.Error("the sentence is wrong")
	}
}
