package syntax

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/specbuild/specbuild/spec/diag"
)

var update = flag.Bool("update", false, "write the golden files")

// Each .hcl file in testdata has one mistake or a few; the .txt beside it is
// what the author is told.
func TestMistakesGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			f, l := Parse("image.hcl", src)
			var b bytes.Buffer
			if err := diag.WriteText(&b, l, map[string][]byte{f.Name: f.Bytes}, diag.TextOptions{Width: 100}); err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(path, ".hcl") + ".txt"
			if *update {
				if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if b.String() != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
			}
			for _, d := range l {
				if len(strings.Fields(d.Summary)) > 6 || strings.HasSuffix(d.Summary, ".") {
					t.Errorf("the summary %q is not a short phrase", d.Summary)
				}
				if strings.Contains(strings.ToLower(d.Summary+d.Detail), "argument") {
					t.Errorf("hcl's own words: %q", d.Detail)
				}
			}
		})
	}
}

// Applying the fixes of a script's `${` makes it parse, to what was meant.
func TestFixesDoubleTheSign(t *testing.T) {
	t.Parallel()
	src := "script = <<-EOT\n\tcurl -w '%{http_code}' \"${URL:-x}\"\n\techo ${#A} $$ $HOME $(id)\n\tEOT\n"
	for range 5 {
		_, l := Parse("a.hcl", []byte(src))
		if len(l) == 0 {
			break
		}
		// From the end, so that the places of earlier ones stay right.
		for i := len(l) - 1; i >= 0; i-- {
			if l[i].Fix == nil {
				t.Fatalf("no fix: %v", l[i])
			}
			r := l[i].Fix.Range
			src = src[:r.Start.Byte] + l[i].Fix.Replacement + src[r.End.Byte:]
		}
	}
	want := "script = <<-EOT\n\tcurl -w '%%{http_code}' \"$${URL:-x}\"\n\techo $${#A} $$ $HOME $(id)\n\tEOT\n"
	if src != want {
		t.Errorf("got %q", src)
	}
}

func TestDiagnosticsOneForOnePlace(t *testing.T) {
	t.Parallel()
	at := &hcl.Range{Filename: "f", Start: hcl.Pos{Line: 1, Column: 1}, End: hcl.Pos{Line: 1, Column: 2, Byte: 1}}
	l := Diagnostics(hcl.Diagnostics{
		{Severity: hcl.DiagError, Summary: "A", Subject: at},
		{Severity: hcl.DiagError, Summary: "B", Subject: at},
		{Severity: hcl.DiagWarning, Summary: "C"},
		{Severity: hcl.DiagWarning, Summary: "D"},
	})
	if len(l) != 3 || l[0].Summary != "A" || l[1].Severity != diag.Warning {
		t.Errorf("got %v", l)
	}
}

func TestSchemaWordsAreOurs(t *testing.T) {
	t.Parallel()
	f, l := Parse("f", []byte("x = 1\nb \"l\" {}\nc {}\n"))
	if len(l) > 0 {
		t.Fatal(l)
	}
	_, diags := f.Body.Content(&hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "need", Required: true}},
		Blocks:     []hcl.BlockHeaderSchema{{Type: "c", LabelNames: []string{"name"}}},
	})
	var got []string
	for _, d := range Diagnostics(diags) {
		got = append(got, d.Summary)
		if strings.Contains(d.Detail, "rgument") {
			t.Errorf("hcl's words: %s", d.Detail)
		}
	}
	want := "Unknown attribute, Missing attribute, Unknown block, Missing label"
	for _, w := range strings.Split(want, ", ") {
		if !strings.Contains(strings.Join(got, ", "), w) {
			t.Errorf("no %q in %q", w, got)
		}
	}
}

// A file of mistakes costs no more than one of sense.
func TestManyMistakesAreCut(t *testing.T) {
	t.Parallel()
	start := time.Now()
	if _, l := Parse("f", []byte(strings.Repeat("a=", 50_000))); len(l) != 1 {
		t.Errorf("one line: %d mistakes", len(l))
	}
	if _, l := Parse("f", []byte(strings.Repeat("a == 1\n", 50_000))); len(l) != maxMistakes {
		t.Errorf("many lines: %d mistakes", len(l))
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("it took %v", d)
	}
}

func TestTemplateOpener(t *testing.T) {
	t.Parallel()
	src := "a = \"x${b}y%{ if c }z%{ endif }\"\n"
	for text, want := range map[string]int{"b": 6, "c": 11, "endif": 21} {
		r, ok := TemplateOpener("f", []byte(src), strings.Index(src, text))
		if !ok || r.Start.Byte != want {
			t.Errorf("%s: %v %v", text, r, ok)
		}
	}
	if r, ok := TemplateOpener("f", []byte(src), strings.Index(src, "y")); ok {
		t.Errorf("y is in %v", r)
	}
}
