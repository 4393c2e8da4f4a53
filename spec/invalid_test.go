package spec

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/specbuild/specbuild/spec/diag"
)

// want is one mistake that a file of testdata/invalid announces beside the
// line that makes it: `# want: summary | part of the detail`. Where a comment
// cannot stand on that line, `# want+2:` means two lines further down.
type want struct {
	line            int
	summary, detail string
}

var wantPattern = regexp.MustCompile(`# want([+-]\d+)?: ([^|]*) \| (.*?)(?:$| # want)`)

func wants(t *testing.T, text string) []want {
	t.Helper()
	var out []want
	for i, line := range strings.Split(text, "\n") {
		for rest := line; ; {
			m := wantPattern.FindStringSubmatchIndex(rest)
			if m == nil {
				break
			}
			w := want{line: i + 1, summary: rest[m[4]:m[5]], detail: strings.TrimSpace(rest[m[6]:m[7]])}
			if m[2] >= 0 {
				n, err := strconv.Atoi(rest[m[2]:m[3]])
				if err != nil {
					t.Fatal(err)
				}
				w.line += n
			}
			out, rest = append(out, w), rest[m[7]:]
		}
	}
	return out
}

// asModule puts one file into a folder of its own, beside the files that the
// cases name.
func asModule(t *testing.T, file, text string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"image" + filepath.Ext(file): text, "src/main.go": "package main\n", "key.asc": "a key\n", "script.tmpl": "echo ${word}\n",
		".git/HEAD": "", // the border of the search for a workspace
	} {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// invalid are the files that announce mistakes, in either syntax.
func invalid(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/invalid/*.[hy]*l")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestInvalid(t *testing.T) {
	t.Parallel()
	files := invalid(t)
	total := map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		expected := wants(t, string(text))
		total[filepath.Ext(file)] += len(expected)
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			if len(expected) == 0 {
				t.Error("the file announces no mistake")
			}
			_, l := Load(context.Background(), Options{
				Dir: asModule(t, file, string(text)), Build: Platform{OS: "linux", Arch: "amd64"}, Version: "0.1.0",
			})
			compare(t, string(text), expected, l.Sorted())
		})
	}
	if total[".hcl"] < 240 || total[".yaml"] < 240 {
		t.Errorf("mistakes that are tried: %v; the language has more", total)
	}
}

// Every message in full, so that a change of words is seen and reviewed.
func TestMessages(t *testing.T) {
	t.Parallel()
	files := invalid(t)
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, l := Load(context.Background(), Options{
			Dir: asModule(t, file, string(text)), Build: Platform{OS: "linux", Arch: "amd64"}, Version: "0.1.0",
		})
		for _, d := range l {
			place := strings.Replace(d.Range.String(), "image"+filepath.Ext(file), filepath.Base(file), 1)
			fmt.Fprintf(&all, "%s: %s\n    %s\n", place, d.Summary, strings.ReplaceAll(d.Detail, "\n", "\n    "))
			for _, n := range d.Notes {
				fmt.Fprintf(&all, "    note %d:%d: %s\n", n.Range.Start.Line, n.Range.Start.Column, n.Message)
			}
			if d.Fix != nil {
				fmt.Fprintf(&all, "    fix %d:%d-%d: %s\n", d.Fix.Range.Start.Line, d.Fix.Range.Start.Column, d.Fix.Range.End.Column, d.Fix.Replacement)
			}
		}
	}
	const golden = "testdata/messages.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(all.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), all.String()); diff != "" {
		t.Errorf("messages differ; read them and run with -update (-want +got):\n%s", diff)
	}
}

// compare demands each announced mistake once and no other.
func compare(t *testing.T, text string, expected []want, got diag.List) {
	t.Helper()
	used := make([]bool, len(got))
	for _, w := range expected {
		found := false
		for i, d := range got {
			if !used[i] && d.Range.Start.Line == w.line && d.Summary == w.summary && strings.Contains(d.Detail, w.detail) {
				used[i], found = true, true
				break
			}
		}
		if !found {
			t.Errorf("line %d: %q | %q was not reported", w.line, w.summary, w.detail)
		}
	}
	lines := strings.Split(text, "\n")
	for i, d := range got {
		if !used[i] {
			line := ""
			if n := d.Range.Start.Line; n > 0 && n <= len(lines) {
				line = strings.TrimSpace(lines[n-1])
			}
			t.Errorf("%s: unannounced: %s | %s\n\t%s", d.Range, d.Summary, d.Detail, line)
		}
		if d.Detail == "" || d.Range.Start.Column == 0 {
			t.Errorf("%s: %s has no detail or no column", d.Range, d.Summary)
		}
	}
}
