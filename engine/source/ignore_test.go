package source

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// TestDockerignore has what Docker's documentation promises, with the answers
// of BuildKit.
func TestDockerignore(t *testing.T) {
	t.Parallel()
	files := []string{"a.txt", "b.md", "README.md", "sub/a.txt", "sub/b.md", "sub/deep/c.go", "sub/keep/d.go", "node_modules/m/i.js", "tmpx/f", "tempy"}
	for name, tc := range map[string]struct {
		ignore string
		want   string
	}{
		"nothing":                  {"", "README.md a.txt b.md node_modules/m/i.js sub/a.txt sub/b.md sub/deep/c.go sub/keep/d.go tempy tmpx/f"},
		"comments and blanks":      {"# a.txt\n\n  b.md  \n", "README.md a.txt node_modules/m/i.js sub/a.txt sub/b.md sub/deep/c.go sub/keep/d.go tempy tmpx/f"},
		"rooted, unlike git":       {"a.txt\n*.md", "node_modules/m/i.js sub/a.txt sub/b.md sub/deep/c.go sub/keep/d.go tempy tmpx/f"},
		"one folder down":          {"*/*.md\n*/deep", "README.md a.txt b.md node_modules/m/i.js sub/a.txt sub/keep/d.go tempy tmpx/f"},
		"any depth":                {"**/*.md\n**/i.js", "a.txt sub/a.txt sub/deep/c.go sub/keep/d.go tempy tmpx/f"},
		"a question mark":          {"temp?\ntmp?", "README.md a.txt b.md node_modules/m/i.js sub/a.txt sub/b.md sub/deep/c.go sub/keep/d.go"},
		"a slash in front":         {"/sub\n/node_modules/", "README.md a.txt b.md tempy tmpx/f"},
		"an exception":             {"*.md\n!README.md", "README.md a.txt node_modules/m/i.js sub/a.txt sub/b.md sub/deep/c.go sub/keep/d.go tempy tmpx/f"},
		"the last line decides":    {"!README.md\n*.md", "a.txt node_modules/m/i.js sub/a.txt sub/b.md sub/deep/c.go sub/keep/d.go tempy tmpx/f"},
		"everything but":           {"*\n!sub/keep\n!tempy", "sub/keep/d.go tempy"},
		"everything but a glob":    {"*\n!**/*.go", "sub/deep/c.go sub/keep/d.go"},
		"an exception's exception": {"sub\n!sub/keep\nsub/keep/d.go", "README.md a.txt b.md node_modules/m/i.js tempy tmpx/f"},
		"dots":                     {"./a.txt\nsub/../b.md", "README.md node_modules/m/i.js sub/a.txt sub/b.md sub/deep/c.go sub/keep/d.go tempy tmpx/f"},
		"CRLF":                     {"a.txt\r\nsub\r\n", "README.md b.md node_modules/m/i.js tempy tmpx/f"},
		"byte order mark":          {"\xef\xbb\xbfa.txt\nsub", "README.md b.md node_modules/m/i.js tempy tmpx/f"},
		"the ignore file itself":   {".dockerignore\n*\n!a.txt", "a.txt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := tree(t, files...)
			plant(t, dir, ".dockerignore="+tc.ignore)
			s := sel(t, Request{Dir: dir, UseDockerignore: true, Exclude: []string{".dockerignore"}})
			if diff := cmp.Diff(tc.want, strings.Join(onlyFiles(s), " ")); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func onlyFiles(s *Selection) []string {
	var list []string
	for _, e := range s.Entries {
		if e.Type == File {
			list = append(list, e.Path)
		}
	}
	return list
}

// mobyIgnores asks moby's matcher about every folder on the way and then the
// file, as BuildKit does. Asked about the file alone, moby's other function
// differs where an exception names a folder above: `b/x`, `!b`.
func mobyIgnores(t *testing.T, m *patternmatcher.PatternMatcher, file string) bool {
	t.Helper()
	var info patternmatcher.MatchInfo
	var ignored bool
	at := ""
	for _, name := range strings.Split(file, "/") {
		at = join(at, name)
		var err error
		if ignored, info, err = m.MatchesUsingParentResults(at, info); err != nil {
			t.Fatal(err)
		}
	}
	return ignored
}

// TestDockerignoreAgreesWithMoby compares the walk, which skips folders, with
// moby's matcher asked about each file by itself.
func TestDockerignoreAgreesWithMoby(t *testing.T) {
	t.Parallel()
	words := []string{"a", "b", "c", "a.go", "b.md"}
	files := []string{}
	for _, x := range words[:3] {
		for _, y := range words[:3] {
			for _, z := range words {
				files = append(files, x+"/"+y+"x/"+z)
			}
		}
		files = append(files, x+".go", x+"/f.md")
	}
	dir := tree(t, files...)
	parts := []string{"a", "b", "c", "ax", "bx", "*", "**", "*.go", "?", "[ab]", "*x", "a.go", "b.md", "f.md"}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 150 {
		var lines []string
		for range 1 + rnd.IntN(4) {
			var p []string
			for range 1 + rnd.IntN(3) {
				p = append(p, parts[rnd.IntN(len(parts))])
			}
			bang := ""
			if rnd.IntN(3) == 0 {
				bang = "!"
			}
			lines = append(lines, bang+strings.Join(p, "/"))
		}
		text := strings.Join(lines, "\n")
		plant(t, dir, ".dockerignore="+text)
		patterns, err := ignorefile.ReadAll(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		moby, err := patternmatcher.New(patterns)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]bool{}
		for _, f := range files {
			if !mobyIgnores(t, moby, f) {
				want[f] = true
			}
		}
		got := map[string]bool{}
		for _, f := range onlyFiles(sel(t, Request{Dir: dir, UseDockerignore: true, Exclude: []string{".dockerignore"}})) {
			got[f] = true
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%q: -moby +ours\n%s", lines, diff)
		}
	}
}

func TestDockerignoreThatIsWrong(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string][]string{
		"a bad pattern": {".dockerignore=[a"},
		"a lone bang":   {".dockerignore=!"},
		"a folder":      {".dockerignore/x"},
		"a link out":    {".dockerignore -> ../ignore"},
	} {
		_, err := Select(context.Background(), Request{Dir: tree(t, lines...), UseDockerignore: true})
		var p *PatternError
		var e *EntryError
		var l *LinkError
		if !errors.As(err, &p) && !errors.As(err, &e) && !errors.As(err, &l) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
