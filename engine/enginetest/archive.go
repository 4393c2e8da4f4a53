package enginetest

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/specbuild/specbuild/lower/dag"
)

// tarOf makes a tar of entries "f:MODE:PATH:CONTENT", "l:PATH:TARGET" and
// "c:PATH", also of ones that no sane program would write.
func tarOf(entries ...string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		f := strings.SplitN(e, ":", 4)
		h := &tar.Header{Mode: 0o644}
		content := ""
		switch f[0] {
		case "f":
			mode, _ := strconv.ParseInt(f[1], 8, 64) // literals of the suite
			content = f[3]
			h.Typeflag, h.Name, h.Mode, h.Size = tar.TypeReg, f[2], mode, int64(len(content))
		case "l":
			h.Typeflag, h.Name, h.Linkname = tar.TypeSymlink, f[1], f[2]
		case "c":
			h.Typeflag, h.Name, h.Devmajor, h.Devminor = tar.TypeChar, f[1], 1, 3
		}
		if err := w.WriteHeader(h); err != nil {
			panic(err) // memory does not fail, and the literals are valid
		}
		if _, err := w.Write([]byte(content)); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// copyArchive unpacks an archive of a context.
func (b *Builder) copyArchive(data []byte, to string) {
	dir := b.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in.tar"), data, 0o644); err != nil {
		b.t.Fatal(err)
	}
	from := b.g.Add(&dag.Local{Context: "archive", Sources: []string{"in.tar"}}, nil, dag.Meta{Dir: dir})
	b.add(&dag.Copy{Sources: []string{"in.tar"}, To: to, Unpack: true}, "unpack", from)
}
