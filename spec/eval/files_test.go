package eval

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func workspace(t *testing.T, files map[string]string) (*Files, string) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, files)
	f, err := OpenFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, dir
}

func TestResolve(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ dir, name, want string }{
		{".", "a", "a"}, {"svc/a", "b/c", "svc/a/b/c"}, {"svc", "../x", "x"}, {"svc", "//x/y", "x/y"}, {"svc", "//", "."},
		{"svc", ".", "svc"}, {"svc", "a//b/./c", "svc/a/b/c"}, {".", "///x", "x"},
	} {
		if got, err := Resolve(c.dir, c.name); err != nil || got != c.want {
			t.Errorf("Resolve(%q, %q) = %q, %v", c.dir, c.name, got, err)
		}
	}
	for _, c := range []struct{ dir, name, want string }{
		{".", "..", "out of the workspace"}, {"svc", "../../x", "out of the workspace"}, {"svc", "//../x", "out of the workspace"},
		{".", "/etc/passwd", `as "//etc/passwd"`}, {".", "", "empty"}, {".", "a\x00b", "NUL"},
	} {
		if got, err := Resolve(c.dir, c.name); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Resolve(%q, %q) = %q, %v", c.dir, c.name, got, err)
		}
	}
}

func TestFilesStayInTheWorkspace(t *testing.T) {
	t.Parallel()
	f, dir := workspace(t, map[string]string{"in/a.txt": "inside"})
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("outside"), 0o644); err != nil {
		t.Fatal(err)
	}
	rel, err := filepath.Rel(filepath.Join(dir, "in"), outside)
	if err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"in/abs": outside, "in/rel": rel, "in/dir": filepath.Dir(outside), "in/ok": "a.txt", "in/up": "../in/a.txt", "in/loop": "loop", "in/gone": "nothing",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"in/abs", "in/rel", "in/dir/secret"} {
		b, err := f.Read(name)
		if err == nil || len(b) != 0 || !strings.Contains(err.Error(), "out of the workspace") {
			t.Errorf("%s: %q, %v", name, b, err)
		}
		if err != nil && strings.Contains(err.Error(), dir) {
			t.Errorf("%s: the message holds a path of this machine: %v", name, err)
		}
	}
	for _, name := range []string{"in/ok", "in/up"} {
		if b, err := f.Read(name); err != nil || string(b) != "inside" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	for _, name := range []string{"in/loop", "in/gone"} {
		if _, err := f.Read(name); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	names, err := f.Glob(".", "**")
	if want := []string{"in/a.txt", "in/ok", "in/up"}; err != nil || !reflect.DeepEqual(names, want) {
		t.Errorf("glob: %q, %v", names, err)
	}
	if names, err := f.Glob("in/dir", "*"); err == nil {
		t.Errorf("a folder outside was listed: %q", names)
	}
}

func TestFilesRefuseWhatIsNotAText(t *testing.T) {
	t.Parallel()
	f, dir := workspace(t, map[string]string{"big": strings.Repeat("x", MaxFile+1), "most": strings.Repeat("x", MaxFile), "bin": "a\xff"})
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"big": "larger than", "fifo": "not a regular file", "bin": "not UTF-8", ".": "not a regular file", "no/such": "no file"} {
		if _, err := f.Text(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s, err := f.Text("most"); err != nil || len(s) != MaxFile {
		t.Errorf("the largest file: %d bytes, %v", len(s), err)
	}
}

func TestFilesReadOnceAndKeepInputs(t *testing.T) {
	t.Parallel()
	f, dir := workspace(t, map[string]string{"svc/a": "one", "svc/b": "b", "svc/unread": ""})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if b, err := f.Read("svc/a"); err != nil || string(b) != "one" {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
	wg.Wait()
	write(t, dir, map[string]string{"svc/a": "two", "svc/c": "new"})
	if b, _ := f.Read("svc/a"); string(b) != "one" {
		t.Errorf("a second content was seen: %q", b)
	}
	if _, err := f.Glob("svc", "[ab]"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read("gone"); err == nil {
		t.Error("a missing file was read")
	}
	want := []Input{
		{Name: "//svc", Glob: "[ab]", Digest: digest([]byte("a\nb")), Size: 2},
		{Name: "//svc/a", Digest: digest([]byte("one")), Size: 3},
	}
	if got := f.Inputs(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestOpenFilesNeedsAFolder(t *testing.T) {
	t.Parallel()
	if _, err := OpenFiles(filepath.Join(t.TempDir(), "gone")); err == nil || !strings.Contains(err.Error(), "opening the workspace") {
		t.Errorf("got %v", err)
	}
}

// A template's own paths are relative to its folder, and it cannot call
// itself.
func TestTemplateFileScope(t *testing.T) {
	t.Parallel()
	f, _ := workspace(t, map[string]string{
		"t/outer.tmpl": `${file("part")}-${x}`, "t/part": "from t", "part": "from the root",
		"t/self.tmpl": `${templatefile("self.tmpl", {})}`, "t/bad.tmpl": "line one\n${y:-z}",
	})
	call := func(name string) (string, error) {
		fn := NewLibrary(f).Functions(".")["templatefile"]
		v, err := fn.Call(args(name))
		if err != nil {
			return "", err
		}
		return v.AsString(), nil
	}
	if s, err := call("t/outer.tmpl"); err != nil || s != "from t-1" {
		t.Errorf("%q, %v", s, err)
	}
	if _, err := call("t/self.tmpl"); err == nil || !strings.Contains(err.Error(), "no function templatefile()") {
		t.Errorf("recursion: %v", err)
	}
	if _, err := call("t/bad.tmpl"); err == nil || !strings.Contains(err.Error(), "//t/bad.tmpl:2:") {
		t.Errorf("the place inside the template: %v", err)
	}
}
