package format

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write what the cases of testdata give")

// Each archive of testdata holds files and, under want/, what they become: a
// file without one is in the one style already.
func TestFormat(t *testing.T) {
	t.Parallel()
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) < 8 {
		t.Fatalf("%d archives: %v", len(archives), err)
	}
	for _, file := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			out := &txtar.Archive{Comment: a.Comment}
			for _, f := range a.Files {
				if strings.HasPrefix(f.Name, "want/") {
					continue
				}
				got := checked(t, f.Name, decoded(f.Data))
				out.Files = append(out.Files, f)
				if !bytes.Equal(got, decoded(f.Data)) {
					out.Files = append(out.Files, txtar.File{Name: "want/" + f.Name, Data: got})
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(out), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(txtar.Format(a)), string(txtar.Format(out))); diff != "" && !*update {
				t.Errorf("-want +got; -update writes it:\n%s", diff)
			}
		})
	}
}

// decoded reads · as a blank, which an editor would take from a line's end.
func decoded(data []byte) []byte { return bytes.ReplaceAll(data, []byte("·"), []byte(" ")) }

// checked formats what parses, and demands that nothing but the looks changes
// and that once is enough.
func checked(t *testing.T, name string, src []byte) []byte {
	t.Helper()
	out, problems := Format(name, src)
	if problems.HasErrors() {
		t.Fatalf("%s: %s: %s", name, problems[0].Range, problems[0].Detail)
	}
	again, problems := Format(name, out)
	if problems.HasErrors() {
		t.Errorf("%s: what was formatted does not parse: %s %s\n%s", name, problems[0].Range, problems[0].Detail, out)
	}
	if diff := cmp.Diff(string(out), string(again)); diff != "" {
		t.Errorf("%s: formatted twice, -once +twice:\n%s", name, diff)
	}
	plain := func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")) }
	if strings.HasSuffix(name, ".yaml") {
		if !sameNodes(parseYAML(plain(src)), parseYAML(plain(out))) || !sameText(src, out) {
			t.Errorf("%s says something else:\n%s", name, out)
		}
	} else if !sameTokens(plain(src), plain(out)) {
		t.Errorf("%s says something else:\n%s", name, out)
	}
	return out
}

// specs are all specs of the repository that are files of their own, and
// those in archives.
func specs(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			if err == nil && p != "." && strings.HasPrefix(e.Name(), ".") {
				return fs.SkipDir
			}
			return err
		}
		data, err := fs.ReadFile(root, p)
		switch {
		case err != nil:
			return err
		case strings.HasSuffix(p, ".hcl") || strings.HasSuffix(p, ".yaml"):
			out[p] = data
		case strings.HasSuffix(p, ".txtar"):
			for _, f := range txtar.Parse(data).Files {
				if strings.HasSuffix(f.Name, ".hcl") || strings.HasSuffix(f.Name, ".yaml") {
					out[p+"/"+f.Name] = f.Data
				}
			}
		}
		return nil
	})
	if err != nil || len(out) < 50 {
		t.Fatalf("%d specs: %v", len(out), err)
	}
	return out
}

// Every spec of the repository that parses keeps its meaning, and the second
// time nothing is left to do.
func TestSpecsOfTheRepository(t *testing.T) {
	t.Parallel()
	formatted := 0
	for name, src := range specs(t) {
		out, problems := Format(name, src)
		if problems.HasErrors() {
			if !bytes.Equal(out, src) {
				t.Errorf("%s does not parse and was changed", name)
			}
			continue
		}
		formatted++
		checked(t, name, src)
		if strings.HasPrefix(name, "examples/") && !bytes.Equal(out, src) {
			t.Errorf("%s is an example and not in the one style: run specbuild fmt %s", name, name)
		}
	}
	if formatted < 50 {
		t.Errorf("only %d specs parse", formatted)
	}
}

func TestKnows(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"image.hcl": true, "web.image.hcl": true, "image.yaml": true, "web.image.yaml": true, "specbuild.hcl": true, "acme.policy.hcl": true, "acme.policytest.hcl": true,
		".image.hcl": false, ".policy.hcl": false, "image.yml": false, "other.hcl": false, "docker-compose.yaml": false, "specbuild.lock": false, "myimage.hcl": false,
	} {
		if Knows(name) != want {
			t.Errorf("Knows(%q) = %v", name, !want)
		}
	}
}

// What does not parse is given back byte by byte, with the mistake.
func TestFormatLeavesWhatDoesNotParse(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{
		"image.hcl":  "image \"x\" {\r\n  from =   \n",
		"image.yaml": "image:\n   x: [\n",
		"a.yaml":     "a: 1\na: 2\n",
		"b.hcl":      "\xff\xfe",
	} {
		out, problems := Format(name, []byte(src))
		if !problems.HasErrors() || problems[0].Range.File != name || string(out) != src {
			t.Errorf("%s: %v, %q", name, problems, out)
		}
	}
}

func TestFormatKeepsLineEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, src, want string }{
		{"image.hcl", "a=1\r\nbb=2\r\n", "a  = 1\r\nbb = 2\r\n"},
		{"image.hcl", "\xef\xbb\xbfa=1\n", "a = 1\n"},
		{"image.yaml", "a:\r\n    b: 1\r\n", "a:\r\n  b: 1\r\n"},
		{"image.hcl", "a=1\nbb=2\r\n", "a  = 1\nbb = 2\n"},
		{"image.hcl", "", ""},
		{"image.hcl", "\n\n", ""},
		{"image.yaml", "\n# only this  ", "# only this\n"},
	} {
		if got, problems := Format(c.name, []byte(c.src)); string(got) != c.want || len(problems) > 0 {
			t.Errorf("%q becomes %q, want %q (%v)", c.src, got, c.want, problems)
		}
	}
}

// Whatever the bytes are: what parses keeps its meaning and is formatted
// once, what does not stays.
func FuzzFormat(f *testing.F) {
	for name, src := range specs(f) {
		if len(src) < 4000 {
			f.Add(strings.HasSuffix(name, ".yaml"), src)
		}
	}
	f.Fuzz(func(t *testing.T, isYAML bool, src []byte) {
		name := "fuzz.hcl"
		if isYAML {
			name = "fuzz.yaml"
		}
		out, problems := Format(name, src)
		if problems.HasErrors() {
			if !bytes.Equal(out, src) {
				t.Errorf("does not parse and was changed: %q", src)
			}
			return
		}
		checked(t, name, src)
	})
}
