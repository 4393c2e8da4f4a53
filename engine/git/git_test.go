package git_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/specbuild/specbuild/engine/git"
)

// repository is a real one with a work tree.
type repository struct {
	t   *testing.T
	dir string
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Fatal("these tests need the git program")
	}
	r := &repository{t, filepath.Join(t.TempDir(), "repo")}
	if err := os.Mkdir(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r.git("init", "--quiet", "--initial-branch=main")
	return r
}

func (r *repository) git(args ...string) string {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "git", append([]string{"-C", r.dir, "-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_COMMITTER_DATE=2021-03-04T05:06:07Z", "GIT_AUTHOR_DATE=2001-01-01T00:00:00Z")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *repository) write(name, content string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// commit commits all there is, and gives the commit's id.
func (r *repository) commit(message string) string {
	r.t.Helper()
	r.git("add", "--all")
	r.git("commit", "--quiet", "--allow-empty", "-m", message)
	return r.git("rev-parse", "HEAD")
}

func (r *repository) url() string { return "file://" + r.dir }

// tree is a Writer that keeps all in memory: "x content", "- content",
// "l target" or "d" by path.
type tree map[string]string

func (t tree) Folder(path string) error { t[path] = "d"; return nil }
func (t tree) Link(path, target string) error {
	t[path] = "l " + target
	return nil
}

func (t tree) File(path string, exec bool, r io.Reader) error {
	b, err := io.ReadAll(r)
	t[path] = map[bool]string{true: "x ", false: "- "}[exec] + string(b)
	return err
}

func checkout(t *testing.T, c *git.Client, r git.Request) (tree, []string) {
	t.Helper()
	if r.Dir == "" {
		r.Dir = filepath.Join(t.TempDir(), "objects")
	}
	if err := c.Fetch(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	got := tree{}
	sub, err := c.Checkout(t.Context(), r.Dir, r.Commit, got)
	if err != nil {
		t.Fatal(err)
	}
	return got, sub
}

func TestResolve(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	first := r.commit("one")
	r.git("tag", "light")
	r.git("tag", "-m", "with a message", "v1.0")
	r.git("branch", "release/1")
	second := r.commit("two")
	r.git("tag", "both", first)
	r.git("branch", "both", second)
	c := git.New(git.Options{})
	for ref, want := range map[string]string{
		"": second, "HEAD": second, "main": second, "light": first, "v1.0": first, "release/1": first,
		"refs/heads/both": second, "refs/tags/both": first, "refs/tags/v1.0": first, first: first,
	} {
		got, err := c.Resolve(t.Context(), r.url(), ref)
		if err != nil || got != want {
			t.Errorf("%q is %s (%v), want %s", ref, got, err, want)
		}
	}
	_, err := c.Resolve(t.Context(), r.url(), "both")
	if err == nil || !strings.Contains(err.Error(), "write refs/heads/both or refs/tags/both") {
		t.Errorf("a name that two have: %v", err)
	}
	_, err = c.Resolve(t.Context(), r.url(), "v1.1")
	var re *git.RefError
	if !errors.As(err, &re) || !slices.Contains(re.Names, "v1.0") || !slices.Contains(re.Names, "release/1") || !strings.Contains(err.Error(), `no branch or tag "v1.1"`) {
		t.Errorf("a name that nothing has: %v", err)
	}
}

func TestEmptyRepositoryHasNoHead(t *testing.T) {
	t.Parallel()
	_, err := git.New(git.Options{}).Resolve(t.Context(), newRepository(t).url(), "")
	if err == nil || !strings.Contains(err.Error(), "has no HEAD") {
		t.Error(err)
	}
}

// The tree is the commit's blobs, whatever its own attributes or the user's
// settings say.
func TestCheckoutIsTheCommitsBlobs(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	r.write(".gitattributes", "*.txt export-subst text eol=crlf\nhidden export-ignore\n*.ls filter=lfs ident\n")
	r.write("v.txt", "$Format:%H$\n$Id$\n")
	r.write("hidden", "h")
	r.write("dir/run.sh", "#!/bin/sh\n")
	r.write("dir/ü \"x\"\n", "odd")
	r.write("empty", "")
	pointer := "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n"
	id := strings.TrimSpace(runWith(t, r.dir, pointer, "git", "hash-object", "-w", "--stdin", "--no-filters"))
	if err := os.Symlink("../../outside", filepath.Join(r.dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(r.dir, "dir/run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.git("-c", "core.autocrlf=false", "add", "--all")
	r.git("update-index", "--add", "--cacheinfo", "100644,"+id+",big.ls")
	r.git("update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat("ab", 20)+",sub/module")
	r.git("commit", "--quiet", "-m", "x")
	got, sub := checkout(t, git.New(git.Options{}), git.Request{URL: r.url(), Commit: r.git("rev-parse", "HEAD")})
	want := tree{
		".gitattributes": "- *.txt export-subst text eol=crlf\nhidden export-ignore\n*.ls filter=lfs ident\n",
		"v.txt":          "- $Format:%H$\n$Id$\n", "hidden": "- h", "dir": "d", "dir/run.sh": "x #!/bin/sh\n",
		"dir/ü \"x\"\n": "- odd", "empty": "- ", "big.ls": "- " + pointer, "link": "l ../../outside", "sub": "d", "sub/module": "d",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if !slices.Equal(sub, []string{"sub/module"}) {
		t.Errorf("submodules: %q", sub)
	}
}

func runWith(t *testing.T, dir, in, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return string(out)
}

func TestTimeIsTheCommitters(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	commit := r.commit("one\n\ncommitter x <y> 1 +0000")
	got, err := git.New(git.Options{}).Time(t.Context(), filepath.Join(r.dir, ".git"), commit)
	if want := time.Date(2021, 3, 4, 5, 6, 7, 0, time.UTC); err != nil || !got.Equal(want) {
		t.Errorf("%v (%v), want %v", got, err, want)
	}
}

// A commit behind a branch's tip is fetched alone where the server allows it;
// objects are used again for the next one.
func TestFetchIsShallowAndUsesObjectsAgain(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	r.write("f", "1")
	first := r.commit("one")
	r.write("f", "2")
	second := r.commit("two")
	r.write("f", "3")
	r.commit("three")
	dir := filepath.Join(t.TempDir(), "objects")
	c := git.New(git.Options{})
	for commit, want := range map[string]string{second: "- 2", first: "- 1"} {
		got, _ := checkout(t, c, git.Request{URL: r.url(), Commit: commit, Dir: dir})
		if got["f"] != want {
			t.Errorf("%s has %q", commit, got["f"])
		}
	}
	if n := strings.Fields(runWith(t, dir, "", "git", "--git-dir=.", "rev-list", "--all")); len(n) != 2 {
		t.Errorf("fetched %d commits, want the two asked for", len(n))
	}
	// Nothing is asked of a server for what is there.
	if err := os.Rename(r.dir, r.dir+".gone"); err != nil {
		t.Fatal(err)
	}
	if err := c.Fetch(t.Context(), git.Request{URL: r.url(), Commit: first, Dir: dir}); err != nil {
		t.Error(err)
	}
}

// serve is git's own server behind http. One of the old protocol gives only
// what it advertises.
func serve(t *testing.T, r *repository, old bool) string {
	t.Helper()
	path, err := exec.CommandContext(t.Context(), "git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	backend := &cgi.Handler{
		Path:   filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"),
		Env:    []string{"GIT_PROJECT_ROOT=" + filepath.Dir(r.dir), "GIT_HTTP_EXPORT_ALL=1"},
		Stderr: io.Discard,
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if old {
			r.Header.Del("Git-Protocol")
		}
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/repo/.git"
}

func TestFetchOverHTTP(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	r.write("f", "1")
	old := r.commit("one")
	r.write("f", "2")
	r.commit("two")
	url := serve(t, r, false)
	c := git.New(git.Options{Env: []string{"no_proxy=*"}})
	if got, err := c.Resolve(t.Context(), url, "main"); err != nil || got != r.git("rev-parse", "HEAD") {
		t.Errorf("%s, %v", got, err)
	}
	got, _ := checkout(t, c, git.Request{URL: url, Commit: old})
	if got["f"] != "- 1" {
		t.Errorf("%q", got)
	}
}

// A server of the old protocol that gives nothing by id: the commit is found
// in its branch, and one that is in none is reported.
func TestFetchFromServersThatGiveNothingByID(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	r.write("f", "1")
	old := r.commit("one")
	r.write("f", "2")
	tip := r.commit("two")
	r.git("checkout", "--quiet", "-b", "side", old)
	side := r.commit("side") // in no branch any more: a client cannot ask for it
	r.git("checkout", "--quiet", "main")
	r.git("branch", "-D", "side")
	url := serve(t, r, true)
	c := git.New(git.Options{Env: []string{"no_proxy=*"}})
	for commit, want := range map[string]string{tip: "- 2", old: "- 1"} {
		got, _ := checkout(t, c, git.Request{URL: url, Ref: "main", Commit: commit})
		if got["f"] != want {
			t.Errorf("%s has %q", commit, got["f"])
		}
	}
	for _, gone := range []string{side, strings.Repeat("12", 20)} {
		err := c.Fetch(t.Context(), git.Request{URL: url, Commit: gone, Dir: filepath.Join(t.TempDir(), "o")})
		var ce *git.CommitError
		if !errors.As(err, &ce) || ce.Commit != gone {
			t.Errorf("the commit %s, which no branch has: %v", gone, err)
		}
	}
}

func TestAKilledFetchIsMended(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	first := r.commit("one")
	second := r.commit("two")
	dir := filepath.Join(t.TempDir(), "objects")
	c := git.New(git.Options{})
	checkout(t, c, git.Request{URL: r.url(), Commit: first, Dir: dir})
	for _, name := range []string{"shallow.lock", "config.lock", "objects/pack/tmp_pack_x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	checkout(t, c, git.Request{URL: r.url(), Commit: second, Dir: dir})
	if left, _ := filepath.Glob(filepath.Join(dir, "objects/pack/tmp_*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// What a URL or a ref says can start no program and is no option.
func TestHostileURLsAndRefsStartNothing(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	commit := r.commit("one")
	mark := filepath.Join(t.TempDir(), "mark")
	c := git.New(git.Options{Timeout: 5 * time.Second})
	for _, url := range []string{
		"ext::sh -c touch% " + mark, "--upload-pack=touch " + mark, "-c=core.sshCommand=touch " + mark,
		"ssh://-oProxyCommand=touch%20" + mark + "/x", "fd::7", "transport::x",
	} {
		if _, err := c.Resolve(t.Context(), url, "main"); err == nil {
			t.Errorf("%q was answered", url)
		}
		if err := c.Fetch(t.Context(), git.Request{URL: url, Commit: commit, Dir: filepath.Join(t.TempDir(), "o")}); err == nil {
			t.Errorf("%q was fetched", url)
		}
	}
	for _, ref := range []string{"--upload-pack=touch " + mark, "-x"} {
		if _, err := c.Resolve(t.Context(), r.url(), ref); err == nil {
			t.Errorf("the ref %q was found", ref)
		}
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("something was run")
	}
}

// A path of this machine is read only where the spec says file://.
func TestOnlyFileURLsReadThisMachine(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	r.commit("one")
	if _, err := git.New(git.Options{}).Resolve(t.Context(), r.dir, "main"); err == nil {
		t.Error("a bare path was read")
	}
}

func TestErrorsAreOneLineWithoutPasswords(t *testing.T) {
	t.Parallel()
	c := git.New(git.Options{Env: []string{"no_proxy=*"}, Timeout: 5 * time.Second})
	for url, want := range map[string]string{
		"http://user:hunter2@127.0.0.1:1/x.git": "127.0.0.1",
		"file:///no/such/repository":            "/no/such/repository",
	} {
		_, err := c.Resolve(t.Context(), url, "main")
		var ge *git.Error
		if !errors.As(err, &ge) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", url, err)
		}
	}
	if got := git.Mask("https://u:p@h/x"); got != "https://u:***@h/x" {
		t.Error(got)
	}
}

func TestNoGit(t *testing.T) {
	t.Parallel()
	_, err := git.New(git.Options{Program: "no-such-git"}).Resolve(t.Context(), "https://example.com/x", "main")
	if !errors.Is(err, git.ErrNotInstalled) {
		t.Error(err)
	}
}

// A server that says nothing is left after the time that was given.
func TestASilentServerIsLeft(t *testing.T) {
	t.Parallel()
	l := listen(t)
	began := time.Now()
	_, err := git.New(git.Options{Env: []string{"no_proxy=*"}, Timeout: time.Second}).Resolve(t.Context(), fmt.Sprintf("http://%s/x", l), "main")
	if err == nil || !strings.Contains(err.Error(), "no answer in 1s") || time.Since(began) > 8*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

// hostile makes trees that git itself would not: a raw object of any lines.
func TestHostileTreesReachTheWriterAsTheyAre(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	blob := strings.TrimSpace(runWith(t, r.dir, "x", "git", "hash-object", "-w", "--stdin"))
	var raw bytes.Buffer
	id := func() []byte {
		out := make([]byte, 20)
		fmt.Sscanf(blob, "%x", &out)
		return out
	}()
	raw.WriteString("100644 ..\x00")
	raw.Write(id)
	treeID := strings.TrimSpace(runWith(t, r.dir, raw.String(), "git", "hash-object", "-w", "-t", "tree", "--literally", "--stdin"))
	commit := r.git("commit-tree", treeID, "-m", "x")
	r.git("update-ref", "refs/heads/bad", commit)
	dir := filepath.Join(t.TempDir(), "o")
	c := git.New(git.Options{})
	if err := c.Fetch(t.Context(), git.Request{URL: r.url(), Commit: commit, Dir: dir}); err != nil {
		return // a git that checks what it fetches
	}
	got := tree{}
	if _, err := c.Checkout(t.Context(), dir, commit, got); err != nil {
		t.Fatal(err)
	}
	if names := slices.Collect(maps.Keys(got)); !slices.Equal(names, []string{".."}) {
		t.Errorf("%q", names)
	}
}
