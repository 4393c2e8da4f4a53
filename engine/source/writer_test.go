package source_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/specbuild/specbuild/engine/source"
)

func newWriter(t *testing.T) (*source.Writer, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tree")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w, err := source.NewWriter(dir, time.Unix(1_600_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w, dir
}

func TestWriterMakesACheckout(t *testing.T) {
	t.Parallel()
	w, dir := newWriter(t)
	err := errors.Join(
		w.File("a/b/tool", true, strings.NewReader("x")), w.File("a/plain", false, strings.NewReader("yy")),
		w.Link("a/l", "/etc/passwd"), w.Same("a/again", "a/plain"), w.Folder("empty"), w.Folder("a/b"),
	)
	if err != nil {
		t.Fatal(err)
	}
	sel, err := source.Select(t.Context(), source.Request{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range sel.Entries {
		got = append(got, string(e.Type)+" "+e.Path+" "+e.Link)
		if e.Type == source.File && (e.ModTime.Unix() != 1_600_000_000 || e.Exec != (e.Path == "a/b/tool")) {
			t.Errorf("%s: time %v, exec %t", e.Path, e.ModTime, e.Exec)
		}
	}
	if want := "d a |f a/again |d a/b |f a/b/tool |l a/l /etc/passwd|f a/plain |d empty "; strings.Join(got, "|") != want {
		t.Errorf("%q", strings.Join(got, "|"))
	}
}

// A hostile tree may hold a link and, under the same name, files.
func TestWriterStaysInside(t *testing.T) {
	t.Parallel()
	w, dir := newWriter(t)
	outside := filepath.Join(filepath.Dir(dir), "outside")
	if err := os.Mkdir(outside, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Link("up", "../outside"), w.Link("abs", outside), w.Link("file", filepath.Join(outside, "f")), w.File("plain", false, strings.NewReader("x"))); err != nil {
		t.Fatal(err)
	}
	content := func() *strings.Reader { return strings.NewReader("escaped") }
	for name, err := range map[string]error{
		"through a link up":        w.File("up/f", false, content()),
		"through an absolute link": w.File("abs/f", false, content()),
		"onto a link":              w.File("file", false, content()),
		"a link below a link":      w.Link("up/l", "x"),
		"a folder below a link":    w.Folder("abs/d"),
		"..":                       w.File("../f", false, content()),
		".. in midway":             w.File("a/../../f", false, content()),
		"absolute":                 w.File("/f", false, content()),
		"empty":                    w.File("", false, content()),
		"the folder itself":        w.File(".", false, content()),
		"NUL":                      w.File("a\x00b", false, content()),
		"a name twice":             w.File("plain", false, content()),
		"below a file":             w.File("plain/f", false, content()),
		"a hard link from outside": w.Same("h", "../outside/f"),
		"a hard link by a link":    w.Same("h2", "up/f"),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("outside: %v %v", left, err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "plain")); err != nil || string(b) != "x" {
		t.Errorf("the first file of a name is %q (%v)", b, err)
	}
}
