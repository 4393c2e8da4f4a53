package layer

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// escapes are tars that try to reach out of the directory they are unpacked
// into, or to swamp it.
var escapes = []struct {
	name    string
	headers []tar.Header
	says    string
}{
	{"parent", []tar.Header{{Name: "../x", Typeflag: tar.TypeReg}}, `has a ".."`},
	{"parent inside", []tar.Header{{Name: "a/../../x", Typeflag: tar.TypeReg}}, `has a ".."`},
	{"absolute", []tar.Header{{Name: "/etc/x", Typeflag: tar.TypeReg}}, "absolute"},
	{"through a link", []tar.Header{{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/tmp"}, {Name: "l/x", Typeflag: tar.TypeReg}}, `below "l"`},
	{"through a link, deep", []tar.Header{{Name: "l", Typeflag: tar.TypeSymlink, Linkname: ".."}, {Name: "l/a/b/c", Typeflag: tar.TypeDir}}, `below "l"`},
	{"through a file", []tar.Header{{Name: "f", Typeflag: tar.TypeReg}, {Name: "f/x", Typeflag: tar.TypeReg}}, `below "f"`},
	{"hard link out", []tar.Header{{Name: "h", Typeflag: tar.TypeLink, Linkname: "../etc/passwd"}}, "out of the layer"},
	{"hard link to an absolute path", []tar.Header{{Name: "h", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}}, "absolute"},
	{"hard link to another layer", []tar.Header{{Name: "h", Typeflag: tar.TypeLink, Linkname: "etc/passwd"}}, "has not brought"},
	{"hard link through a link", []tar.Header{{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/etc"}, {Name: "h", Typeflag: tar.TypeLink, Linkname: "l/passwd"}}, `below "l"`},
	{"hard link to a link", []tar.Header{{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, {Name: "h", Typeflag: tar.TypeLink, Linkname: "l"}}, "which is a symlink"},
	{"hard link to itself", []tar.Header{{Name: "h", Typeflag: tar.TypeLink, Linkname: "h"}}, "has not brought"},
	{"directory becomes link", []tar.Header{{Name: "d", Typeflag: tar.TypeDir}, {Name: "d", Typeflag: tar.TypeSymlink, Linkname: "/etc"}}, "there twice"},
	{"link becomes directory", []tar.Header{{Name: "d", Typeflag: tar.TypeSymlink, Linkname: "/etc"}, {Name: "d", Typeflag: tar.TypeDir}}, "there twice"},
	{"a parent becomes a link", []tar.Header{{Name: "d/x", Typeflag: tar.TypeReg}, {Name: "d", Typeflag: tar.TypeSymlink, Linkname: "/etc"}}, "has something below it"},
	{"a linked file comes again", []tar.Header{{Name: "f", Typeflag: tar.TypeReg}, {Name: "h", Typeflag: tar.TypeLink, Linkname: "f"}, {Name: "f", Typeflag: tar.TypeReg}}, "in between"},
	{"device", []tar.Header{{Name: "sda", Typeflag: tar.TypeBlock, Devmajor: 8}}, "device"},
	{"root is a link", []tar.Header{{Name: "./", Typeflag: tar.TypeSymlink, Linkname: "/etc"}}, "root must be"},
	{"whiteout of the parent", []tar.Header{{Name: "a/.wh...", Typeflag: tar.TypeReg}}, "no name"},
	{"whiteout of nothing", []tar.Header{{Name: "a/.wh.", Typeflag: tar.TypeReg}}, "no name"},
	{"storage driver's link store", []tar.Header{{Name: ".wh..wh.plnk", Typeflag: tar.TypeReg}}, "storage driver"},
	{"below a whiteout name", []tar.Header{{Name: ".wh.a/x", Typeflag: tar.TypeReg}}, "means a deletion"},
	{"opaque file", []tar.Header{{Name: "f", Typeflag: tar.TypeReg}, {Name: "f/.wh..wh..opq", Typeflag: tar.TypeReg}}, `"f" is a file`},
	{"deep", []tar.Header{{Name: strings.Repeat("d/", 600), Typeflag: tar.TypeDir}}, "directories deep"},
	{"long", []tar.Header{{Name: strings.Repeat("d", 5000), Typeflag: tar.TypeDir}}, "4096 bytes"},
	{"many", make([]tar.Header, 30), "more than 20 entries"},
	{"large", []tar.Header{{Name: "f", Typeflag: tar.TypeReg, PAXRecords: map[string]string{"TEST.content": strings.Repeat("x", 2000)}}}, "room for"},
}

// Whatever comes in, a table that is read can be merged, written down and
// read again.
func FuzzReadTOC(f *testing.F) {
	for _, c := range escapes {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		for _, h := range c.headers {
			h.PAXRecords = nil
			if err := w.WriteHeader(&h); err != nil {
				continue // the text of one of them is longer than it says
			}
		}
		f.Add(out.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		toc, _, _, err := ReadTOC(bytes.NewReader(data), ReadOptions{Devices: true})
		if err != nil {
			return
		}
		if _, err := Merge(toc); err != nil {
			t.Errorf("a table that was read cannot be merged: %v\n%s", err, toc.Encode())
		}
		if again, err := DecodeTOC(toc.Encode()); err != nil || again.Digest() != toc.Digest() {
			t.Errorf("a table that was read cannot be decoded: %v\n%s", err, toc.Encode())
		}
	})
}

func TestTruncatedTar(t *testing.T) {
	t.Parallel()
	data, _ := writeTar(t, manyFiles(3, 5000))
	for _, n := range []int{100, 700, 3000, len(data) / 2} {
		_, _, _, err := ReadTOC(bytes.NewReader(data[:n]), ReadOptions{})
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes: got %v", n, err)
		}
	}
}

func TestReadTOCKeeps(t *testing.T) {
	t.Parallel()
	data, _ := writeTar(t, parse(t, `
		d 0755 0 0 "etc"
		f 0644 0 0 "etc/passwd" = root:x:0:0
		f 0644 0 0 "etc/other" = no`))
	keep := map[string][]byte{"etc/passwd": nil, "etc/group": nil}
	if _, _, _, err := ReadTOC(bytes.NewReader(data), ReadOptions{Keep: keep}); err != nil {
		t.Fatal(err)
	}
	if string(keep["etc/passwd"]) != "root:x:0:0" || keep["etc/group"] != nil || len(keep) != 2 {
		t.Errorf("got %q", keep)
	}
}
