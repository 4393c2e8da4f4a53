package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tree makes a folder from lines: "path" or "path=content" is a file, "path/"
// a folder, "path -> target" a link, "path*=content" a file one may execute.
func tree(t testing.TB, lines ...string) string {
	t.Helper()
	dir := t.TempDir()
	plant(t, dir, lines...)
	return dir
}

func plant(t testing.TB, dir string, lines ...string) {
	t.Helper()
	for _, l := range lines {
		path, content, _ := strings.Cut(l, "=")
		var err error
		if from, to, ok := strings.Cut(l, " -> "); ok {
			path = filepath.Join(dir, from)
			os.MkdirAll(filepath.Dir(path), 0o755)
			err = os.Symlink(to, path)
		} else if strings.HasSuffix(path, "/") {
			err = os.MkdirAll(filepath.Join(dir, path), 0o755)
		} else {
			mode := os.FileMode(0o640)
			if strings.HasSuffix(path, "*") {
				path, mode = strings.TrimSuffix(path, "*"), 0o710
			}
			path = filepath.Join(dir, path)
			os.MkdirAll(filepath.Dir(path), 0o755)
			err = os.WriteFile(path, []byte(content), mode)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func sel(t testing.TB, r Request) *Selection {
	t.Helper()
	s, err := Select(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// show prints entries as tree takes them, without content.
func show(s *Selection) []string {
	list := []string{}
	for _, e := range s.Entries {
		switch {
		case e.Type == Dir:
			list = append(list, e.Path+"/")
		case e.Type == Symlink:
			list = append(list, e.Path+" -> "+e.Link)
		case e.Exec:
			list = append(list, e.Path+"*")
		default:
			list = append(list, e.Path)
		}
	}
	return list
}

func TestSelect(t *testing.T) {
	t.Parallel()
	files := []string{
		"go.mod", "run.sh*", "a-x/f", "a/f.go", "a/f_test.go", "a/b/g.go", "a/b/t.txt", "a.txt", "empty/", "cmd/x/main.go",
		"cur -> a", "out -> ../elsewhere", "a/l -> f.go",
	}
	for name, tc := range map[string]struct {
		r    Request
		want []string
	}{
		"everything, folders before their siblings": {Request{}, []string{
			"a/", "a/b/", "a/b/g.go", "a/b/t.txt", "a/f.go", "a/f_test.go", "a/l -> f.go", "a-x/", "a-x/f", "a.txt",
			"cmd/", "cmd/x/", "cmd/x/main.go", "cur -> a", "empty/", "go.mod", "out -> ../elsewhere", "run.sh*"}},
		"include of a folder is all below": {Request{Include: []string{"a/b", "go.mod"}}, []string{"a/", "a/b/", "a/b/g.go", "a/b/t.txt", "go.mod"}},
		"include over folders":             {Request{Include: []string{"**/*.go"}}, []string{"a/", "a/b/", "a/b/g.go", "a/f.go", "a/f_test.go", "cmd/", "cmd/x/", "cmd/x/main.go"}},
		"a star stays within a name":       {Request{Include: []string{"*.go", "a/*.go"}}, []string{"a/", "a/f.go", "a/f_test.go"}},
		"alternatives":                     {Request{Include: []string{"a/{f,b/g}.go", "{go,no}.mod"}, Exclude: nil}, nil},
		"classes":                          {Request{Include: []string{"[a-b]-?/f"}}, []string{"a-x/", "a-x/f"}},
		"exclude beats include":            {Request{Include: []string{"a"}, Exclude: []string{"**/*_test.go", "a/b"}}, []string{"a/", "a/f.go", "a/l -> f.go"}},
		"patterns are rooted":              {Request{Exclude: []string{"f.go", "b", "x", "cur", "out", "a-x", "a.txt", "empty", "cmd"}, Include: []string{"a"}}, []string{"a/", "a/b/", "a/b/g.go", "a/b/t.txt", "a/f.go", "a/f_test.go", "a/l -> f.go"}},
		"a slash in front and at the end":  {Request{Include: []string{"/a/b/", "./go.mod"}}, []string{"a/", "a/b/", "a/b/g.go", "a/b/t.txt", "go.mod"}},
		"sources narrow":                   {Request{Include: []string{"a"}, Sources: []string{"a/b"}}, []string{"a/", "a/b/", "a/b/g.go", "a/b/t.txt"}},
		"an empty folder that is named":    {Request{Sources: []string{"empty"}}, []string{"empty/"}},
		"an empty folder that is not":      {Request{Include: []string{"**/*.mod"}}, []string{"go.mod"}},
		"a source that is a link":          {Request{Sources: []string{"cur"}}, []string{"cur/", "cur/b/", "cur/b/g.go", "cur/b/t.txt", "cur/f.go", "cur/f_test.go", "cur/l -> f.go"}},
		"a source through a link":          {Request{Sources: []string{"cur/b/g.go"}}, []string{"cur/", "cur/b/", "cur/b/g.go"}},
		"a link that a star names":         {Request{Sources: []string{"cu*"}}, []string{"cur/", "cur/b/", "cur/b/g.go", "cur/b/t.txt", "cur/f.go", "cur/f_test.go", "cur/l -> f.go"}},
		"a link in a folder stays":         {Request{Sources: []string{"a/**"}, Exclude: []string{"a/b", "**/*.go"}}, []string{"a/", "a/l -> f.go"}},
		"a link and a source through it":   {Request{Sources: []string{"**/cur", "cur/f.go"}}, []string{"cur/", "cur/f.go"}},
		"the root itself":                  {Request{Sources: []string{"."}, Include: []string{"go.mod"}}, []string{"go.mod"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.r.Dir = tree(t, files...)
			if tc.want == nil {
				var bad *PatternError
				if _, err := Select(context.Background(), tc.r); !errors.As(err, &bad) {
					t.Errorf("error is %v", err)
				}
				return
			}
			if diff := cmp.Diff(tc.want, show(sel(t, tc.r))); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestBuiltinList(t *testing.T) {
	t.Parallel()
	dir := tree(t, ".env", "x/.env.local", "x/key.pem", "id_rsa", "x/id_map.go", ".git/HEAD", "x/.aws/credentials", ".docker/config.json",
		"image.hcl", "web.image.yaml", "specbuild.hcl", "specbuild.lock", "acme.policy.hcl", "environment", "x/.github/f", "hcl/main.hcl")
	want := []string{"environment", "hcl/", "hcl/main.hcl", "x/", "x/.github/", "x/.github/f", "x/id_map.go"}
	if diff := cmp.Diff(want, show(sel(t, Request{Dir: dir}))); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	s := sel(t, Request{Dir: dir, Sources: []string{"x/key.pem", ".docker/config.json", "environment"}})
	if diff := cmp.Diff([]string{".docker/", ".docker/config.json", "environment", "x/", "x/key.pem"}, show(s)); diff != "" {
		t.Errorf("named literally: -want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{".docker/config.json", "x/key.pem"}, s.Literal); diff != "" {
		t.Errorf("Literal: -want +got\n%s", diff)
	}
	var un *UnmatchedError
	if _, err := Select(context.Background(), Request{Dir: dir, Sources: []string{"*.pem", "x/*.pem"}}); !errors.As(err, &un) {
		t.Errorf("a glob took a secret: %v", err)
	}
}

func TestRootsSayWhatASourceNamed(t *testing.T) {
	t.Parallel()
	dir := tree(t, "a/f", "b/f", "c", "l -> a", "x/x/f")
	for _, tc := range []struct {
		sources []string
		want    []Root
	}{
		{nil, []Root{{".", "", true}}},
		{[]string{"."}, []Root{{".", "", true}}},
		{[]string{"c", "a"}, []Root{{"c", "c", false}, {"a", "a", true}}},
		{[]string{"[ab]*"}, []Root{{"[ab]*", "a", true}, {"[ab]*", "b", true}}},
		{[]string{"l", "c"}, []Root{{"l", "l", true}, {"c", "c", false}}},
		{[]string{"l/f"}, []Root{{"l/f", "l/f", false}}},
		{[]string{"**/f"}, []Root{{"**/f", "a/f", false}, {"**/f", "b/f", false}, {"**/f", "x/x/f", false}}},
		{[]string{"**/x"}, []Root{{"**/x", "x", true}}},
		{[]string{"a", "a/f"}, []Root{{"a", "a", true}, {"a/f", "a/f", false}}},
	} {
		if diff := cmp.Diff(tc.want, sel(t, Request{Dir: dir, Sources: tc.sources}).Roots); diff != "" {
			t.Errorf("%q: -want +got\n%s", tc.sources, diff)
		}
	}
}

func TestDigestIsOfTheTreeAlone(t *testing.T) {
	t.Parallel()
	dir := tree(t, "a/f=1", "g*=2", "l -> a")
	base := sel(t, Request{Dir: dir})
	const golden = "sha256:459cd8217455b836db3b4ac6f24b969224c71a753df5fa3c1ceb64e528436980"
	if got := base.Digest(); got != golden {
		t.Errorf("digest is %s, want %s", got, golden)
	}
	other := tree(t, "g*=2", "a/f=1", "l -> a", "unrelated")
	os.Chmod(filepath.Join(other, "a/f"), 0o604)
	os.Chmod(filepath.Join(other, "a"), 0o700)
	if got := sel(t, Request{Dir: other, Exclude: []string{"unrelated"}}); got.Digest() != base.Digest() {
		t.Error("equal trees have two digests")
	}
	for _, change := range []string{"a/f=3", "a/f*=1", "a/h=", "a/d/", "m -> a"} {
		changed := tree(t, "g*=2", "l -> a")
		plant(t, changed, "a/f=1")
		os.Remove(filepath.Join(changed, strings.TrimRight(strings.SplitN(change, "=", 2)[0], "*")))
		plant(t, changed, change)
		if sel(t, Request{Dir: changed}).Digest() == base.Digest() {
			t.Errorf("%s did not change the digest", change)
		}
	}
}

func TestUnmatchedSourcesSayWhy(t *testing.T) {
	t.Parallel()
	dir := tree(t, "src/main.go", "dist/app.js", "README.md", ".env", "out/o.log", ".dockerignore=dist\n*.log\n**/*.log\n", "cur -> .env")
	r := Request{Dir: dir, UseDockerignore: true, Exclude: []string{"README*"}}
	for source, want := range map[string]string{
		"dist/app.js": `dist/app.js is left out by .dockerignore: "dist"`,
		"out/*.log":   `out/o.log is left out by .dockerignore: "**/*.log"`,
		"README.md":   `README.md is left out by exclude: "README*"`,
		".en*":        `.env is left out by the built-in list: ".env*"`,
		"cur":         `.env is left out by the built-in list: ".env*"`,
		"src/mian.go": `did you mean src/main.go?`,
		"main.go":     `did you mean src/main.go?`,
		"zzzzzz":      `source "zzzzzz" matches nothing`,
	} {
		r.Sources = []string{source}
		_, err := Select(context.Background(), r)
		var un *UnmatchedError
		if !errors.As(err, &un) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", source, err, want)
		}
	}
	r.Sources = []string{"nope", "src", "neither"}
	_, err := Select(context.Background(), r)
	if err == nil || strings.Count(err.Error(), "matches nothing") != 2 {
		t.Errorf("two sources: %v", err)
	}
}

func TestLinksCannotLeave(t *testing.T) {
	t.Parallel()
	dir := tree(t, "up -> ../x", "abs -> /etc/passwd", "a -> b", "b -> a", "dangling -> nowhere", "rooted -> /sub/f", "sub/f=in", "sub/up -> ../..")
	for source, want := range map[string]string{
		"up": "leaves the context", "abs": "leaves the context", "a": "loop", "dangling": "leads to nothing", "sub/up/x": "leaves the context",
		"dang*": "leads to nothing",
	} {
		_, err := Select(context.Background(), Request{Dir: dir, Sources: []string{source}})
		var bad *LinkError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", source, err, want)
		}
	}
	if got := show(sel(t, Request{Dir: dir, Sources: []string{"rooted"}})); len(got) != 1 || got[0] != "rooted" {
		t.Errorf("an absolute link inside gives %q", got)
	}
}

func TestWhatNoLayerCanHold(t *testing.T) {
	t.Parallel()
	for what, make := range map[string]func(path string) error{
		"is a FIFO":            func(p string) error { return syscall.Mkfifo(p, 0o600) },
		"starts with \".wh.\"": func(p string) error { return os.WriteFile(filepath.Join(filepath.Dir(p), ".wh.x"), nil, 0o600) },
	} {
		dir := tree(t, "f")
		if err := make(filepath.Join(dir, "odd")); err != nil {
			t.Fatal(err)
		}
		var bad *EntryError
		if _, err := Select(context.Background(), Request{Dir: dir}); !errors.As(err, &bad) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := Select(context.Background(), Request{Dir: dir, Exclude: []string{"odd", ".wh.x"}}); err != nil {
			t.Errorf("%s, excluded: %v", what, err)
		}
	}
	dir := tree(t, "f")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: filepath.Join(dir, "s")}); err != nil {
		t.Skipf("no socket at this path: %v", err)
	}
	if s := sel(t, Request{Dir: dir}); fmt.Sprint(s.Skipped, show(s)) != "[s] [f]" {
		t.Errorf("a socket: skipped %q, selected %q", s.Skipped, show(s))
	}
}

func TestListReadsNoContent(t *testing.T) {
	t.Parallel()
	dir := tree(t, "a/f=12345", "g")
	s, err := List(context.Background(), Request{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if s.Hashed != 0 || s.Size() != 5 || fmt.Sprint(show(s)) != "[a/ a/f g]" {
		t.Errorf("%d hashed, %d bytes, %q", s.Hashed, s.Size(), show(s))
	}
}

func TestUnusedInclude(t *testing.T) {
	t.Parallel()
	dir := tree(t, "a/f", "b")
	s := sel(t, Request{Dir: dir, Include: []string{"a", "nope", "*.md", "b"}})
	if diff := cmp.Diff([]string{"nope", "*.md"}, s.UnusedInclude); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestPatternsThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	dir := tree(t, "f")
	for _, p := range []string{"", "../x", "a/../b", "a[", "{a,b/c}", "x/{a"} {
		for list, r := range map[string]Request{
			"include": {Include: []string{p}}, "exclude": {Exclude: []string{p}}, "source": {Sources: []string{p}},
		} {
			r.Dir = dir
			var bad *PatternError
			if _, err := Select(context.Background(), r); !errors.As(err, &bad) || bad.List != list || bad.Pattern != p {
				t.Errorf("%s %q: %v", list, p, err)
			}
		}
	}
}

// A file of any size is read no further once the command is to end.
func TestSelectEndsWithItsContext(t *testing.T) {
	t.Parallel()
	dir := tree(t, "huge")
	if err := os.Truncate(filepath.Join(dir, "huge"), 1<<40); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Select(ctx, Request{Dir: dir}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}
