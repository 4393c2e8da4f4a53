package lsp

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
)

// specs are all specs of the tests and examples, by a name that tells their
// syntax.
func specs(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	add := func(name string, src []byte) {
		switch filepath.Ext(name) {
		case ".hcl", ".yaml":
			out[name] = src
		}
	}
	for _, root := range []string{"../testdata", "../../examples", "../dockerfile/testdata"} {
		err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			src, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if filepath.Ext(path) == ".txtar" {
				for _, f := range txtar.Parse(src).Files {
					add(path+"/"+f.Name, f.Data)
				}
			}
			add(path, src)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(out) < 50 {
		t.Fatalf("only %d specs were found", len(out))
	}
	return out
}

// opening is a server with a text open that nobody has written to disk.
func opening(t testing.TB, syntax string) (*server, *document, at) {
	t.Helper()
	s, p := opened(t, tree(t, shop), "web/more.image"+syntax, mark)
	d, err := s.document(p.TextDocument)
	if err != nil {
		t.Fatal(err)
	}
	return s, d, p
}

// ask asks everything at the end of a text.
func ask(t testing.TB, s *server, d *document, p at, text []byte) {
	t.Helper()
	d.text = newText(text)
	p.Position = d.text.position(len(d.text.clean), s.utf8)
	for name, request := range map[string]func(message, at) (any, error){
		"completion": s.completion, "hover": s.hover, "definition": s.definition, "documentSymbol": s.documentSymbols,
	} {
		if _, err := request(message{}, p); err != nil {
			t.Errorf("%s at the end of %q: %v", name, text, err)
		}
	}
}

// A text that is cut anywhere is what every author has for a moment.
func TestHalfTypedText(t *testing.T) {
	t.Parallel()
	const each, loads = 149, 8 // of all offsets, and of those that are asked
	for _, syntax := range []string{".hcl", ".yaml"} {
		t.Run(syntax, func(t *testing.T) {
			t.Parallel()
			s, d, p := opening(t, syntax)
			n := 0
			for name, src := range specs(t) {
				if !strings.HasSuffix(name, syntax) {
					continue
				}
				for end := len(name) % each; end < len(src); end += each {
					ask(t, s, d, p, src[:end])
					if n++; n%loads == 0 {
						s.touch(d, 0)
						settle(s)
						noDefect(t, s.published[d.path], src[:end])
						if _, err := s.references(message{}, referenceParams{TextDocument: p.TextDocument, Position: p.Position}); err != nil {
							t.Errorf("references at the end of %q: %v", src[:end], err)
						}
					}
				}
			}
			t.Logf("%d texts", n)
		})
	}
}

func noDefect(t testing.TB, found []finding, text []byte) {
	t.Helper()
	for _, f := range found {
		if strings.HasPrefix(f.Message, "Internal error") {
			t.Errorf("reading %q: %s", text, f.Message)
		}
	}
}

func FuzzHalfTyped(f *testing.F) {
	for name, src := range specs(f) {
		f.Add(src, len(src)/2, filepath.Ext(name) == ".yaml")
	}
	f.Add([]byte("a: {b: [c, {"), 9, true)
	f.Add([]byte("a \"${b[\"x\"].c \n d = {"), 12, false)
	hclServer, hclDoc, hclAt := opening(f, ".hcl")
	yamlServer, yamlDoc, yamlAt := opening(f, ".yaml")
	f.Fuzz(func(t *testing.T, src []byte, end int, yaml bool) {
		s, d, p := hclServer, hclDoc, hclAt
		if yaml {
			s, d, p = yamlServer, yamlDoc, yamlAt
		}
		ask(t, s, d, p, src[:max(0, min(end, len(src)))])
		// What stands behind the cursor must not matter for what is in front.
		d.text = newText(src)
		offset := max(0, min(end, len(d.text.clean)))
		c := cursorAt(d.text.clean, offset, s.lang(d.path), yaml)
		if c.word.start < 0 || c.word.start > offset || c.word.end > offset {
			t.Errorf("at %d of %q the word is %v", offset, src, c.word)
		}
		for _, b := range outline(d.path, d.text, s.lang(d.path)).blocks {
			if b.header().start < 0 || b.header().end > len(d.text.clean) || b.at.end > len(d.text.clean) || b.at.end < b.at.start {
				t.Errorf("%q has the block %q at %v with the header %v", src, b.name, b.at, b.header())
			}
		}
		s.touch(d, 0)
		settle(s)
		noDefect(t, s.published[d.path], src)
	})
}

// What nobody writes must not stop the server either: each of these is a file
// of some hundred kilobytes.
func TestEndlessText(t *testing.T) {
	t.Parallel()
	const n = 1 << 14
	for syntax, texts := range map[string][]string{
		".hcl": {
			"a = " + strings.Repeat("a.", 2*n), "a = " + strings.Repeat("a[", n), strings.Repeat("a {\n", n), strings.Repeat("\"", 4*n),
			"a = \"" + strings.Repeat("${\"", n), strings.Repeat("a = \"\n", n), "a = " + strings.Repeat("{", n) + strings.Repeat("}", n),
		},
		".yaml": {
			strings.Repeat("[", 4*n), strings.Repeat("- ", 2*n), "a: " + strings.Repeat("{a: ", n), strings.Repeat("a:\n", n),
			"a: ${" + strings.Repeat("a.", 2*n), strings.Repeat("a: {\n", n), strings.Repeat("stage: {x: {steps: [", n/4),
		},
	} {
		s, d, p := opening(t, syntax)
		for _, text := range texts {
			began := time.Now()
			ask(t, s, d, p, []byte(text))
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("%.20q…: %s", text, took)
			}
		}
	}
}
