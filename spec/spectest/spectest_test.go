package spectest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/grammar"
	"github.com/specbuild/specbuild/spec/syntax"
)

// Whatever a text holds, YAML says the same text again, in the style that was
// chosen for it.
func TestTextsComeBack(t *testing.T) {
	t.Parallel()
	lang := &grammar.Block{Blocks: []*grammar.Block{{Name: "locals", Open: true}}}
	styles := map[byte]int{}
	for i, text := range []string{
		"", " ", "a", "a b", "a: b", "a #b", "- a", "no", "1.20", "null", "~", `"`, `'`, `\d`, `it's "so"`, "ä", "\t", "x\ty", "\x01",
		"a\nb", "a\nb\n", "a\n\n\nb\n\n", "\na", "  a\nb", "a\n  b\n", "a \nb", "\n", "a\n \nb", "\ta\nb", "a: [b\n# c", "${x}", "%{if}", "$", "$$", "$${x}",
		"---", "*a", "&a", "!a", "@a", "a\u2028b", "日本\n語", strings.Repeat("long ", 100),
	} {
		src := fmt.Sprintf("locals {\n  a = %s\n  b = [%s]\n}\n", hclQuoted(text), hclQuoted(text))
		yaml, err := YAML("image.hcl", []byte(src), lang)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if _, value, ok := strings.Cut(string(yaml), "a: "); ok {
			styles[value[0]]++
		}
		f, problems := syntax.ParseYAML("image.yaml", yaml, lang)
		if len(problems) > 0 {
			t.Errorf("%d %q: %s\n%s", i, text, problems[0].Detail, yaml)
			continue
		}
		body, ok := f.Body.(*hclsyntax.Body)
		if !ok {
			t.Fatalf("the body is %T", f.Body)
		}
		a, _ := body.Blocks[0].Body.Attributes["a"].Expr.Value(nil)
		b, _ := body.Blocks[0].Body.Attributes["b"].Expr.Value(nil)
		if want := cty.StringVal(text); !a.RawEquals(want) || !b.RawEquals(cty.TupleVal([]cty.Value{want})) {
			t.Errorf("%q came back as %#v and %#v\n%s", text, a, b, yaml)
		}
	}
	if len(styles) < 4 {
		t.Errorf("the styles that were tried: %v", styles)
	}
}

// hclQuoted is a text as a string of HCL.
func hclQuoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.NewReplacer("${", "$${", "%{", "%%{").Replace(text) {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r < ' ' || r == '\u2028':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func TestBrokenHCLIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := YAML("image.hcl", []byte("stage {"), &grammar.Block{}); err == nil || !strings.Contains(err.Error(), "image.hcl:1") {
		t.Errorf("got %v", err)
	}
	if text, err := YAML("image.hcl", []byte("# nothing\n"), &grammar.Block{}); err != nil || len(text) > 0 {
		t.Errorf("got %q, %v", text, err)
	}
}
