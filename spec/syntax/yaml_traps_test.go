package syntax

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// The traps of YAML: what a text without quotes is here. docs/yaml.md has the
// same table for people.
func TestYAMLTraps(t *testing.T) {
	t.Parallel()
	number := func(s string) cty.Value { return cty.MustParseNumberVal(s) }
	null := cty.NullVal(cty.DynamicPseudoType)
	for src, want := range map[string]cty.Value{
		"1.20":                 number("1.2"), // where a text is asked, eval.String refuses it
		"8080":                 number("8080"),
		"-1":                   number("-1"),
		"1e3":                  number("1000"),
		"0":                    number("0"),
		`"1.20"`:               cty.StringVal("1.20"),
		"'0644'":               cty.StringVal("0644"),
		"1.2.3":                cty.StringVal("1.2.3"),
		"1.25-bookworm":        cty.StringVal("1.25-bookworm"),
		"10s":                  cty.StringVal("10s"),
		"0123abc":              cty.StringVal("0123abc"),
		"2027-03-31":           cty.StringVal("2027-03-31"),
		"2001-12-14T21:59:43Z": cty.StringVal("2001-12-14T21:59:43Z"),
		"12:30:45":             cty.StringVal("12:30:45"),
		"no":                   cty.StringVal("no"),
		"Yes":                  cty.StringVal("Yes"),
		"on":                   cty.StringVal("on"),
		"y":                    cty.StringVal("y"),
		"true":                 cty.True,
		"False":                cty.False,
		`"true"`:               cty.StringVal("true"),
		"~":                    null,
		"null":                 null,
		"":                     null,
		`""`:                   cty.StringVal(""),
		"a # comment":          cty.StringVal("a"),
		"a#b":                  cty.StringVal("a#b"),
		"http://x:80/":         cty.StringVal("http://x:80/"),
		"=":                    cty.StringVal("="),
		"<<":                   cty.StringVal("<<"),
		"\n    -":              cty.TupleVal([]cty.Value{null}),
		"a\n   b":              cty.StringVal("a b"),
		`'\d+'`:                cty.StringVal(`\d+`),
		`"\u00e4\t"`:           cty.StringVal("ä\t"),
		"|\n    a\n     b":     cty.StringVal("a\n b"),
		">-\n    a\n    b\n":   cty.StringVal("a b"),
		"$${HOME} $x $":        cty.StringVal("${HOME} $x $"),
		"'%%{x} 5%'":           cty.StringVal("%{x} 5%"),
		"${1 + 1}":             number("2"),
		`"${[1, "a"]}"`:        cty.NilVal, // quotes end inside of quotes
		`'${[1, "a"]}'`:        cty.TupleVal([]cty.Value{number("1"), cty.StringVal("a")}),
		`"${true ? 1 : 2}"`:    number("1"),
		"x${1}":                cty.StringVal("x1"),
		"${1} ":                number("1"),
		"|\n    ${1}\n":        cty.StringVal("1\n"), // a newline follows: it is not one ${…} alone
		"|-\n    ${1}\n":       number("1"),
		"[a, 'b', [1]]":        cty.TupleVal([]cty.Value{cty.StringVal("a"), cty.StringVal("b"), cty.TupleVal([]cty.Value{number("1")})}),
		"[\n   a,\n   b\n  ]":  cty.TupleVal([]cty.Value{cty.StringVal("a"), cty.StringVal("b")}),
		`{no: 1, "2": x}`:      cty.ObjectVal(map[string]cty.Value{"no": number("1"), "2": cty.StringVal("x")}),
		`{"${1 + 1}": x}`:      cty.ObjectVal(map[string]cty.Value{"2": cty.StringVal("x")}),
		"{a: }":                cty.ObjectVal(map[string]cty.Value{"a": null}),
		"[]":                   cty.EmptyTupleVal,
		"{}":                   cty.EmptyObjectVal,
	} {
		t.Run(src, func(t *testing.T) {
			t.Parallel()
			f, l := ParseYAML("image.yaml", []byte("locals:\n  a: "+src), lang())
			if want == cty.NilVal {
				if !l.HasErrors() {
					t.Error("no mistake was reported")
				}
				return
			}
			if len(l) > 0 {
				t.Fatalf("%s: %s", l[0].Summary, l[0].Detail)
			}
			expr := bodyOf(t, f).Blocks[0].Body.Attributes["a"].Expr
			got, diags := expr.Value(nil)
			if diags.HasErrors() || !got.RawEquals(want) {
				t.Errorf("got %#v, %v; want %#v", got, diags, want)
			}
		})
	}
}

func bodyOf(t *testing.T, f *File) *hclsyntax.Body {
	t.Helper()
	b, ok := f.Body.(*hclsyntax.Body)
	if !ok {
		t.Fatalf("the body is %T", f.Body)
	}
	return b
}

// What a name means depends on what is asked.
func TestYAMLNamesWhereReferencesAreAsked(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"base.go":             "base.go",
		`stage.build["eu"]`:   "stage.build",
		"stage.build[0]":      "stage.build",
		"scratch":             "scratch",
		"${base.go}":          "base.go",
		`"${base.go}"`:        "base.go",
		`"base.go"`:           "", // a text
		"golang:1.25":         "",
		"example.com/a/b":     "",
		"var.x + 1":           "",
		"|-\n      base.go\n": "",
	} {
		body := parseYAML(t, "stage:\n  a:\n    from: "+src+"\n")
		got := ""
		for _, name := range hclsyntax.Variables(body.Blocks[0].Body.Attributes["from"].Expr) {
			got = name.RootName()
			if a, ok := name[min(1, len(name)-1)].(hcl.TraverseAttr); ok {
				got += "." + a.Name
			}
		}
		if got != want {
			t.Errorf("%s refers to %q, not %q", src, got, want)
		}
	}
	for _, typ := range []string{"list(string)", `"list(string)"`, "object({a = string, b = optional(number)})", "map(any) # comment"} {
		body := parseYAML(t, "variable:\n  a:\n    type: "+typ+"\n")
		if call, ok := body.Blocks[0].Body.Attributes["type"].Expr.(*hclsyntax.FunctionCallExpr); !ok || call.NameRange.Start.Line != 3 {
			t.Errorf("%s is %T", typ, body.Blocks[0].Body.Attributes["type"].Expr)
		}
	}
}

// The forms that blocks have in YAML, and the places of their names.
func TestYAMLForms(t *testing.T) {
	t.Parallel()
	body := parseYAML(t, `
waivers:
  - rule: a
  - {rule: b}
locals: {x: 1}
stage:
  a:
    budget: {size: 1MiB}
    test: {one: {command: x}, two: {command: y}}
    dynamic:
      test: {for_each: [1], labels: [z], content: {command: z}}
    steps:
      - run:
          mounts:
            - cache: {target: /a}
            - dynamic: {mount: {for_each: [1], labels: [secret], content: {target: /b}}}
            - secret:
      - user: {app: {uid: 1}}
      - dynamic: {user: {for_each: [a], iterator: it, labels: ["${it.value}"], content: {uid: 1}}}
  b:
variable:
`)
	var got []string
	var describe func(b *hclsyntax.Body, indent string)
	describe = func(b *hclsyntax.Body, indent string) {
		for _, blk := range b.Blocks {
			got = append(got, fmt.Sprintf("%s%s %v %d", indent, blk.Type, blk.Labels, blk.TypeRange.Start.Line))
			describe(blk.Body, indent+" ")
		}
	}
	describe(body, "")
	want := `waiver [] 3
waiver [] 4
locals [] 5
stage [a] 7
 budget [] 8
 test [one] 9
 test [two] 9
 dynamic [test] 10
  content [] 11
 run [] 13
  mount [cache] 15
  dynamic [mount] 16
   content [] 16
  mount [secret] 17
 user [app] 18
 dynamic [user] 19
  content [] 19
stage [b] 20`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s", text)
	}
}

// Merge keys as YAML 1.1 has them: what a map says itself counts, then the
// first of the maps that it takes in.
func TestYAMLMergeKeys(t *testing.T) {
	t.Parallel()
	expr, _ := local(t, "\n    p: &p {x: 1, y: 1}\n    q: &q {y: 2, z: 2}\n    one: {<<: *p, y: 3}\n    two:\n      <<: [*p, *q]\n      x: 4\n    nested: {<<: {<<: *q, y: 5}}\n    quoted: {\"<<\": 6}")
	v, _ := expr.Value(nil)
	number := cty.NumberIntVal
	for name, want := range map[string]map[string]cty.Value{
		"one":    {"x": number(1), "y": number(3)},
		"two":    {"x": number(4), "y": number(1), "z": number(2)},
		"nested": {"y": number(5), "z": number(2)},
		"quoted": {"<<": number(6)},
	} {
		if got := v.GetAttr(name); !got.RawEquals(cty.ObjectVal(want)) {
			t.Errorf("%s is %#v", name, got)
		}
	}
	stage := parseYAML(t, "stage:\n  a: &a\n    from: base.x\n    workdir: /a\n  b:\n    <<: *a\n    workdir: /b\n").Blocks[1].Body
	if len(stage.Attributes) != 2 || stage.Attributes["from"].NameRange.Start.Line != 3 || stage.Attributes["workdir"].NameRange.Start.Line != 7 {
		t.Errorf("the merged stage is %v", stage.Attributes)
	}
}

// bomb is nine anchors, of which each names the one before nine times.
func bomb() string {
	var b strings.Builder
	b.WriteString("locals:\n  a0: &a0 [x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&b, "  a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), ","))
	}
	return b.String()
}

func TestYAMLLimits(t *testing.T) {
	t.Parallel()
	nested := func(n int) string { return "locals:\n  a: " + strings.Repeat("[", n) + strings.Repeat("]", n) }
	aliases := func(n int) string {
		return "locals:\n  a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n  b: [" + strings.Repeat("*a,", n) + "]\n"
	}
	for name, c := range map[string]struct{ src, summary string }{
		"deep enough":       {nested(MaxDepth - 2), ""},
		"too deep":          {nested(MaxDepth - 1), "Nested too deep"},
		"far too deep":      {nested(9_000), "Nested too deep"},
		"past the parser":   {nested(200_000), "Invalid YAML"},
		"deep by blocks":    {strings.Repeat("a:\n", 1) + deepBlocks(600), "Nested too deep"},
		"deep by an alias":  {"locals:\n  a: &a " + strings.Repeat("[", 300) + strings.Repeat("]", 300) + "\n  b: " + strings.Repeat("[", 300) + "*a" + strings.Repeat("]", 300), "Nested too deep"},
		"deep in a text":    {"locals:\n  a: '${" + strings.Repeat("(", 600) + "1" + strings.Repeat(")", 600) + "}'", "Nested too deep"},
		"enough aliases":    {aliases(1_000), ""},
		"too many aliases":  {aliases(1_001), "Too many aliases"},
		"a bomb":            {bomb(), "Too many aliases"},
		"of itself":         {"locals:\n  a: &a [1, *a]\n", "Alias of itself"},
		"merged of itself":  {"locals:\n  a: &a\n    <<: *a\n", "Alias of itself"},
		"too large":         {"locals:\n  a: " + strings.Repeat("x", MaxBytes), "File too large"},
		"not UTF-8":         {"locals:\n  a: \xff", "Not a text file"},
		"UTF-16":            {"\xff\xfel\x00", "Not a text file"},
		"a NUL":             {"locals:\n  a: \x00", "Not a text file"},
		"a control":         {"locals:\n  a: \x07", "Invalid character"},
		"a line of Unicode": {"locals:\n  a: x\u2028y", "Invalid character"},
		"a carriage return": {"locals:\n  a: x\ry", "Invalid character"},
		"documents":         {"locals: {}\n---\nlocals: {}\n", "Several documents"},
		"a list":            {"- a", "Map expected"},
		"a text":            {"hello", "Map expected"},
		"empty":             {"", ""},
		"comments":          {"# nothing\n", ""},
		"a marker":          {"---\nlocals: {}\n...\n", ""},
		"null":              {"~", ""},
		"CRLF":              {"locals:\r\n  a: |\r\n    x\r\n", ""},
		"a byte order mark": {"\xef\xbb\xbflocals: {a: 1}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			f, l := ParseYAML("image.yaml", []byte(c.src), lang())
			switch {
			case c.summary == "" && len(l) > 0:
				t.Errorf("%s: %s: %s", l[0].Range, l[0].Summary, l[0].Detail)
			case c.summary == "" && f.Body == nil:
				t.Error("no body")
			case c.summary != "" && (len(l) != 1 || l[0].Summary != c.summary):
				t.Errorf("got %v, want one %q", l, c.summary)
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
}

func TestManyMistakesOfYAMLAreCut(t *testing.T) {
	t.Parallel()
	_, l := ParseYAML("image.yaml", []byte(strings.Repeat("a: 1\n", 100_000)), lang())
	if len(l) != maxMistakes || l[0].Range.Start.Line != 2 || l[1].Range.Start.Line != 3 {
		t.Errorf("%d mistakes, the first: %v", len(l), l[:min(len(l), 2)])
	}
}

// deepBlocks is a map in a map, n times, in lines.
func deepBlocks(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i+1) + "a:\n")
	}
	return b.String()
}

// The line, the column and the words of what is no YAML.
func TestYAMLSyntaxMistakes(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"a: b: c":                               "1:5 A colon and a space end a key",
		"a: b:":                                 "1:5 A colon and a space end a key",
		"a: 1\n  b: 2":                          "2:3 A key cannot stand here",
		"a:\n\tb: 1":                            "2:1 A tab stands in the indentation",
		"a:\n  - b\n\t- c":                      "3:1 A tab stands in the indentation",
		"a: [${x ? 1 : 2}]":                     "1:5 A text with ${…} is quoted",
		"a: {b: ${x}}":                          "1:8 A text with ${…} is quoted",
		"a: [1, 2\nb: 3":                        "2:1 A comma or the closing ]",
		"a: {b: 1\nc: 3":                        "2:1 A comma or the closing }",
		"a: \"b":                                "1:1 A quoted text begins here",
		"a: 'it's'":                             "1:1 A key was expected",
		`a: "\d"`:                               "1:1 After a backslash",
		"a: @b":                                 "1:4 A plain text cannot begin with @",
		"a: `b`":                                "1:4 A plain text cannot begin with `",
		"a: %b":                                 "1:4 A plain text cannot begin with %",
		"a: *b":                                 "1:4 *b repeats what is named &b",
		"a: &":                                  "1:1 After & or *",
		"a:\n  - b\n  c: d":                     "3:3 An element of the list was expected",
		"a:\n  b: 1\n c: 2":                     "3:2 A key was expected",
		"a\nb: c":                               "2:1 A key cannot stand here: the line",
		"a: - b":                                "1:1 A list cannot begin here",
		"a: ]":                                  "1:1 A value was expected here",
		"a: b\n- c":                             "2:1 A key was expected",
		"a: !x!y z":                             "1:1 Tags have no meaning here",
		"%YAML 2.0\n---\na: b":                  "3:1 This is not YAML",
		"a: |x\n  b":                            "2:3 After | and >",
		"a: \"${b}\"\nc: \"${d\": }\"\ne: [":    "2:9 A colon",
		strings.Repeat("a: b\n", 3) + "c: d: e": "4:5 A colon",
	} {
		_, l := ParseYAML("image.yaml", []byte(src), lang())
		if len(l) != 1 {
			t.Errorf("%q: %v", src, l)
			continue
		}
		got := fmt.Sprintf("%d:%d %s", l[0].Range.Start.Line, l[0].Range.Start.Column, l[0].Detail)
		if !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s (%s)", src, got, want)
		}
	}
}

func TestYAMLPlacesInOneLongLine(t *testing.T) {
	t.Parallel()
	src := "locals: {" + strings.Repeat("äö: 1, ", 1) + "a: [" + strings.Repeat("ä, ", 50_000) + "\"${var.here}\"]}"
	start := time.Now()
	names := hclsyntax.Variables(parseYAML(t, src).Blocks[0].Body.Attributes["a"].Expr)
	if len(names) != 1 || string(names[0].SourceRange().SliceBytes([]byte(src))) != "var.here" {
		t.Fatalf("names: %v", names)
	}
	if c := names[0].SourceRange().Start.Column; c != 150_024 {
		t.Errorf("column %d", c)
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("took %v", d)
	}
}

func FuzzYAML(f *testing.F) {
	for _, src := range []string{
		"stage:\n  a: {from: base.go, steps: [{run: {script: \"${A:-x}\"}}]}\n",
		"locals:\n  a: &a |2-\n     x ${var.y}\n\n  b: {<<: *a}\n", "locals: {a: 'it''s', b: \"\\x41 \\\n  ${z}\"}", bomb(),
		"a: >+\n\n  x\n   y\n\n", "? [a]\n: b\n", "a: !!str b\n", "%YAML 1.1\n---\na\n", "- - - [", "\xef\xbb\xbf# x",
		"stage: {a: {dynamic: {test: {for_each: [1], content: }}}}",
	} {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		file, l := ParseYAML("fuzz.yaml", src, lang())
		if file.Body == nil && !l.HasErrors() {
			t.Fatal("no body and no error")
		}
		for _, d := range l {
			if d.Range.File != "fuzz.yaml" || d.Range.Start.Line < 1 || d.Range.Start.Column < 1 || d.Range.End.Byte > len(file.Bytes) || d.Summary == "" || d.Detail == "" {
				t.Fatalf("a diagnostic without a place or words: %+v", d)
			}
			if d.Fix != nil && (d.Fix.Range.End.Byte > len(file.Bytes) || d.Fix.Range.Start.Byte > d.Fix.Range.End.Byte) {
				t.Fatalf("a fix outside the file: %+v", d.Fix)
			}
		}
		if body, ok := file.Body.(*hclsyntax.Body); ok {
			inFile(t, body, len(file.Bytes))
		}
	})
}

// inFile demands that every place of a body lies in its file.
func inFile(t *testing.T, body *hclsyntax.Body, size int) {
	t.Helper()
	check := func(r hcl.Range) {
		if r.Filename != "fuzz.yaml" || r.Start.Byte > r.End.Byte || r.End.Byte > size || r.Start.Line < 1 || r.Start.Column < 1 {
			t.Fatalf("the range %+v is not in the file of %d bytes", r, size)
		}
	}
	for _, a := range body.Attributes {
		check(a.NameRange)
		_ = hclsyntax.VisitAll(a.Expr, func(n hclsyntax.Node) hcl.Diagnostics {
			if _, scope := n.(hclsyntax.ChildScope); !scope {
				check(n.Range())
			}
			return nil
		})
	}
	for _, b := range body.Blocks {
		check(b.TypeRange)
		inFile(t, b.Body, size)
	}
}

func BenchmarkParseYAML(b *testing.B) {
	src := []byte("stage:\n")
	for i := range 25 {
		src = fmt.Appendf(src, "  s%d:\n    from: base.go\n    steps:\n      - run:\n          command: [go, build, \"${var.x}\"]\n          env: {A: b}\n          script: |\n            echo ${var.y}\n            make\n", i)
	}
	table := lang()
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if _, l := ParseYAML("image.yaml", src, table); len(l) > 0 {
			b.Fatal(l)
		}
	}
}
