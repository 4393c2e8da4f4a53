package syntax

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/specbuild/specbuild/spec/diag"
)

func TestParseReadsCRLFAndMark(t *testing.T) {
	t.Parallel()
	f, l := Parse("a.hcl", []byte("\xef\xbb\xbfa = <<EOT\r\nx\r\nEOT\r\nb = 1\r\n"))
	if len(l) != 0 {
		t.Fatal(l)
	}
	if want := "a = <<EOT\nx\nEOT\nb = 1\n"; string(f.Bytes) != want {
		t.Errorf("bytes %q", f.Bytes)
	}
	body := f.Body.(*hclsyntax.Body)
	v, diags := body.Attributes["a"].Expr.Value(nil)
	if diags.HasErrors() || v.AsString() != "x\n" {
		t.Errorf("a = %#v %v", v, diags)
	}
	r := Range(body.Attributes["b"].Range())
	if got := string(f.Bytes[r.Start.Byte:r.End.Byte]); got != "b = 1" || r.Start.Line != 4 {
		t.Errorf("range of b: %q %v", got, r)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, src, summary, detail string
		line, column               int
	}{
		{"too large", "#" + strings.Repeat("x", MaxBytes), "File too large", "at most 4194304 bytes", 1, 1},
		{"binary", "a = 1\nb = \x00", "Not a text file", "NUL byte (offset 10)", 2, 5},
		{"elf", "\x7fELF\x02\x01\x01\x00\xff", "Not a text file", "NUL byte", 1, 8},
		{"utf-16", "\xff\xfea\x00=\x00", "Not a text file", "is UTF-16", 1, 1},
		{"latin 1", "a = \"é\"\nb = \"\xe9\"", "Not a text file", "0xe9", 2, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, l := Parse("a.hcl", []byte(c.src))
			if f == nil || f.Body != nil || len(l) != 1 {
				t.Fatalf("file %v, diagnostics %v", f, l)
			}
			d := l[0]
			if d.Summary != c.summary || !strings.Contains(d.Detail, c.detail) {
				t.Errorf("got %s: %s", d.Summary, d.Detail)
			}
			if d.Range.File != "a.hcl" || d.Range.Start.Line != c.line || d.Range.Start.Column != c.column {
				t.Errorf("at %v", d.Range)
			}
		})
	}
}

// bombs are texts of 10,000 levels, each by another rule of the grammar.
func bombs(n int) map[string]string {
	r := strings.Repeat
	return map[string]string{
		"brackets":     "a = " + r("[", n) + r("]", n),
		"unclosed":     "a = " + r("[", n),
		"parentheses":  "a = " + r("(", n) + "1" + r(")", n),
		"lines":        "a = " + r("(\n", n) + "1" + r("\n)", n),
		"objects":      "a = " + r("{a=", n) + "1" + r("}", n),
		"blocks":       r("b {\n", n) + r("}\n", n),
		"one-line":     r("b { ", n) + r("}", n),
		"calls":        "a = " + r("f(", n) + r(")", n),
		"fors":         "a = " + r("[for x in ", n) + "[]" + r(": x]", n),
		"templates":    "a = " + r(`"${`, n) + "1" + r(`}"`, n),
		"heredocs":     "a = " + r("<<E\n${", n),
		"ifs":          `a = "` + r("%{ if true }", n) + r("%{ endif }", n) + `"`,
		"not":          "a = " + r("!", n) + "true",
		"minus":        "a = " + r("-", n) + "1",
		"conditions":   "a = " + r("true ? 1 : ", n) + "2",
		"sums":         "a = 1" + r("+1", n),
		"sums by line": "a = (1" + r("\n+1", n) + ")",
		"sums in for":  "a = {for k in [] : k => 1" + r("\n+1", n) + "}",
		"ands":         "a = true" + r("&&true", n),
		"indexes":      "a = x" + r("[y]", n),
		"chained":      "a = f()" + r(`["k"]`, n),
	}
}

func TestParseRefusesDepth(t *testing.T) {
	t.Parallel()
	for name, src := range bombs(10_000) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, l := Parse("a.hcl", []byte(src))
			if len(l) != 1 || l[0].Summary != "Nested too deep" || f.Body != nil {
				t.Fatalf("got %v", l)
			}
			if l[0].Range.Start.Line < 1 || l[0].Range.Start.Byte == 0 {
				t.Errorf("at %v", l[0].Range)
			}
		})
	}
}

// What is long but not deep is read, however long.
func TestParseTakesLength(t *testing.T) {
	t.Parallel()
	r := strings.Repeat
	for name, src := range map[string]string{
		"list":          "a = [" + r("-1, ", 10_000) + "]",
		"lines":         r("b { a = -1 } # c\n", 10_000),
		"objects":       "a = {\n" + r("k = (1 + 1) # c\n", 1) + "}\n" + r("x { y = !true }\n", 5_000),
		"templates":     "a = \"" + r("${1}", 10_000) + "\"",
		"ifs":           "a = <<E\n" + r("%{ if true }x%{ else }y%{ endif }\n", 2_000) + "E\n",
		"strings":       "a = [" + r("\"x\", ", 10_000) + "]",
		"100 operators": "a = " + r("(1 + 2) * ", 100) + "1",
		"200 deep":      "a = " + r("[", 200) + r("]", 200),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, l := Parse("a.hcl", []byte(src))
			if l.HasErrors() || f.Body == nil {
				t.Fatalf("refused: %v", l[:1])
			}
		})
	}
}

func TestDepthBorder(t *testing.T) {
	t.Parallel()
	at := func(n int) string { return "a = " + strings.Repeat("(", n) + "1" + strings.Repeat(")", n) }
	if _, l := Parse("a.hcl", []byte(at(MaxDepth))); len(l) != 0 {
		t.Errorf("%d parentheses: %v", MaxDepth, l)
	}
	if _, l := Parse("a.hcl", []byte(at(MaxDepth+1))); len(l) != 1 {
		t.Errorf("%d parentheses were parsed", MaxDepth+1)
	}
}

func TestParseExpressionAndTemplate(t *testing.T) {
	t.Parallel()
	e, l := ParseExpression("--var x", []byte(`["a", 1]`))
	if len(l) != 0 {
		t.Fatal(l)
	}
	if v, _ := e.Value(nil); v.LengthInt() != 2 {
		t.Errorf("got %#v", v)
	}
	if e, l = ParseExpression("--var x", []byte(`[1, 2`)); e != nil || len(l) != 1 || l[0].Range.File != "--var x" {
		t.Errorf("got %v, %v", e, l)
	}
	if e, l = ParseTemplate("t", []byte("a\n${1 + 1}\r\n")); len(l) != 0 {
		t.Fatal(l)
	}
	if v, _ := e.Value(nil); v.AsString() != "a\n2\n" {
		t.Errorf("got %#v", v)
	}
	if _, l = ParseTemplate("t", []byte(strings.Repeat("${[", 10_000))); len(l) != 1 || l[0].Summary != "Nested too deep" {
		t.Errorf("got %v", l)
	}
}

func TestRangeBothWays(t *testing.T) {
	t.Parallel()
	r := diag.Range{File: "f", Start: diag.Pos{Line: 1, Column: 2, Byte: 1}, End: diag.Pos{Line: 3, Column: 4, Byte: 20}}
	if got := Range(HCLRange(r)); got != r {
		t.Errorf("got %v", got)
	}
}

func TestYAMLSize(t *testing.T) {
	t.Parallel()
	if n, depth := YAMLSize([]byte("a: [1, 2]\nb: {c: d}")); n != 9 || depth != 3 {
		t.Errorf("plain: %v nodes, depth %d", n, depth)
	}
	bomb := "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
	for i := 1; i < 10; i++ {
		prev := string(rune('0' + i - 1))
		cur := string(rune('0' + i))
		bomb += "a" + cur + ": &a" + cur + " [" + strings.TrimSuffix(strings.Repeat("*a"+prev+",", 9), ",") + "]\n"
	}
	start := time.Now()
	if n, _ := YAMLSize([]byte(bomb)); n < 1e9 {
		t.Errorf("the bomb has %v nodes", n)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("counting took %v", d)
	}
	if _, depth := YAMLSize([]byte(strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000))); depth <= MaxDepth {
		t.Errorf("depth %d", depth)
	}
	if n, _ := YAMLSize([]byte("[")); n != 0 {
		t.Errorf("broken YAML has %v nodes", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("image \"x\" {\n  from = base.go # c\n  script = \"${A:-x}\"\n}\n"))
	f.Add([]byte("\x7fELF\x00\x01"))
	f.Add([]byte(strings.Repeat("a = 1\n", 10<<20/6)))
	for _, src := range bombs(10_000) {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		file, l := Parse("fuzz.hcl", src)
		if file == nil {
			t.Fatal("no file")
		}
		if file.Body == nil && !l.HasErrors() {
			t.Fatal("no body and no error")
		}
		for _, d := range l {
			if d.Range.File != "fuzz.hcl" || d.Range.Start.Line < 1 || d.Range.Start.Byte > len(file.Bytes) || d.Summary == "" || d.Detail == "" {
				t.Fatalf("a diagnostic without a place or words: %+v", d)
			}
			if d.Fix != nil && d.Fix.Range.End.Byte > len(file.Bytes) {
				t.Fatalf("a fix outside the file: %+v", d.Fix)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	src := []byte(strings.Repeat("stage \"build\" {\n  from = base.go\n  run {\n    command = [\"go\", \"build\", \"${var.x}\"]\n    env = { A = \"b\" }\n  }\n}\n", 25))
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		Parse("a.hcl", src)
	}
}
