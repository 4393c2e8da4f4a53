package format

import (
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

var texts = []string{
	"", "plain", `a "quoted" \ word`, "two\nlines\n", "tab\tand\r\n", "${x}", "%{ if x }", "$${x}", "$$${x}", "%%{x}", "$", "%", "$ {", "${",
	"a$", "\x00\x01\u200b\u2028\U000e0001", "ümläut 日本 🎉", "~}", "${~x~}",
}

func TestQuotedTextIsReadBack(t *testing.T) {
	t.Parallel()
	for _, text := range texts {
		readsBack(t, text)
	}
}

func FuzzQuote(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		readsBack(t, string([]rune(text))) // HCL is UTF-8, and has no other bytes
	})
}

func readsBack(t *testing.T, text string) {
	t.Helper()
	e, ds := hclsyntax.ParseExpression([]byte(Quote(text)), "text", hcl.InitialPos)
	if ds.HasErrors() {
		t.Fatalf("%q is written as %s: %v", text, Quote(text), ds)
	}
	v, ds := e.Value(nil)
	if ds.HasErrors() || !v.RawEquals(cty.StringVal(text)) {
		t.Errorf("%q is written as %s, which is %#v %v", text, Quote(text), v, ds)
	}
}

// A here-document ends with a line end; what is before it is as it was.
func TestTemplateTextIsReadBack(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a ${x} b", "$$${x}", `\n "q"`, "%{ for }", "$"} {
		e, ds := hclsyntax.ParseExpression([]byte("<<E\n"+EscapeTemplate(text)+"\nE\n"), "text", hcl.InitialPos)
		if ds.HasErrors() {
			t.Fatalf("%q: %v", text, ds)
		}
		if v, ds := e.Value(nil); ds.HasErrors() || v.AsString() != text+"\n" {
			t.Errorf("%q is %#v %v", text, v, ds)
		}
	}
}
