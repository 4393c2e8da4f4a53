package local

import (
	"archive/zip"
	"bytes"
	"io"
	"testing"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/lower/dag"
)

// contentOf is a file of the first image of a result.
func contentOf(t *testing.T, e *Engine, res []engine.Result, path string) string {
	t.Helper()
	root, err := e.Roots().Open(t.Context(), res[0].Images[0])
	if err != nil {
		t.Fatal(err)
	}
	data, err := root.Read(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestAZipWithOtherBytesOfEqualSizeIsUnpackedAgain(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	for _, want := range []string{"port=80", "port=90"} {
		dir := t.TempDir()
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		f, err := w.Create("conf")
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, want)
		w.Close()
		mustWrite(t, dir, "a.zip", b.String())
		g := fromScratch()
		src := g.local(dir, "a.zip")
		res, _ := mustRun(t, e, g.step(&dag.Copy{Sources: []string{"a.zip"}, To: "/etc/", Unpack: true}, "copy", src).image())
		if got := contentOf(t, e, res, "etc/conf"); got != want {
			t.Errorf("/etc/conf is %q, wanted %q", got, want)
		}
	}
}

func TestAnAccountOfEqualLengthIsWrittenAgain(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	for _, want := range []string{"media:x:2000:\n", "media:x:2001:\n"} {
		gid := 2000 + int(want[11]-'0')
		g := fromScratch().step(&dag.Files{Steps: []dag.FileStep{{Group: &dag.Group{Name: "media", GID: gid}}}}, "group media")
		res, _ := mustRun(t, e, g.image())
		if got := contentOf(t, e, res, "etc/group"); got != "root:x:0:\n"+want {
			t.Errorf("/etc/group is %q, wanted %q", got, want)
		}
	}
}
