package deb

import (
	"archive/tar"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/specbuild/specbuild/engine/layer"
)

func TestMergedUsr(t *testing.T) {
	t.Parallel()
	r := mustInstall(t, spec{files: []file{
		{name: "./", kind: tar.TypeDir}, {name: "./bin/", kind: tar.TypeDir},
		{name: "./bin/sh", content: "shell", mode: 0o755},
		{name: "./lib64/", kind: tar.TypeDir}, {name: "./lib64/ld.so", content: "loader", mode: 0o755},
		{name: "./bin/again", kind: tar.TypeLink, link: "./bin/sh", mode: 0o755},
		{name: "./lib/l", kind: tar.TypeSymlink, link: "m"},
	}})
	for path, target := range map[string]string{"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64", "var/run": "/run", "var/lock": "/run/lock", "usr/lib/l": "m"} {
		if it := find(t, r, path); it.Type != layer.Symlink || it.Link != target {
			t.Errorf("/%s is %s, want a link to %s", path, it.Entry.String(), target)
		}
	}
	if got := content(t, r, "usr/bin/sh"); got != "shell" {
		t.Errorf("usr/bin/sh holds %q", got)
	}
	if it := find(t, r, "usr/bin/again"); it.Type != layer.Hardlink || it.Link != "usr/bin/sh" {
		t.Errorf("the hard link came to %s", it.Entry.String())
	}
	if has(r, "lib32") || has(r, "bin/sh") {
		t.Error("a link for a directory that nobody has, or a path through a link")
	}
	// The list keeps the package's own paths: dpkg removes by them.
	if got, want := content(t, r, "var/lib/dpkg/info/x.list"), "/.\n/bin\n/bin/sh\n/lib64\n/lib64/ld.so\n/bin/again\n/lib/l\n"; got != want {
		t.Errorf("list: %s", cmp.Diff(want, got))
	}
}

func TestBaseDirectoriesAndAccounts(t *testing.T) {
	t.Parallel()
	r := mustInstall(t, spec{})
	for path, mode := range map[string]uint32{"proc": 0o755, "root": 0o700, "tmp": 0o1777, "var/tmp": 0o1777, "run/lock": 0o1777, "var/log": 0o755, "var": 0o755} {
		if it := find(t, r, path); it.Type != layer.Dir || it.Mode != mode {
			t.Errorf("/%s is %s, want mode %o", path, it.Entry.String(), mode)
		}
	}
	if got := content(t, r, "etc/passwd"); got != passwdMaster {
		t.Error("passwd is not the built-in table")
	}
	r = mustInstall(t, spec{files: []file{{name: "./usr/share/base-passwd/passwd.master", content: "root:*:0:0::/:/bin/sh\n"}, {name: "./tmp/", kind: tar.TypeDir, mode: 0o700}}})
	if got := content(t, r, "etc/passwd"); got != "root:*:0:0::/:/bin/sh\n" {
		t.Errorf("passwd is not the package's: %q", got)
	}
	if it := find(t, r, "tmp"); it.Mode != 0o700 {
		t.Errorf("a package's own directory has mode %o", it.Mode)
	}
}

func TestModesAndOwnersAreNumeric(t *testing.T) {
	t.Parallel()
	r := mustInstall(t, spec{files: []file{{name: "./usr/bin/su", content: "x", mode: 0o4755}, {name: "./usr/bin/wall", content: "x", mode: 0o2755, gid: 5}, {name: "./d/", kind: tar.TypeDir, mode: 0o3775, uid: 7, gid: 8}}})
	for path, want := range map[string]string{"usr/bin/su": "4755 0 0", "usr/bin/wall": "2755 0 5", "d": "3775 7 8"} {
		it := find(t, r, path)
		if got := fmt.Sprintf("%o %d %d", it.Mode, it.UID, it.GID); got != want {
			t.Errorf("/%s: %s, want %s", path, got, want)
		}
	}
}

func TestConflicts(t *testing.T) {
	t.Parallel()
	a := func(fields, content string) spec {
		return spec{name: "a", fields: fields, files: []file{{name: "./usr/f", content: content}}}
	}
	b := func(fields, content string) spec {
		return spec{name: "b", version: "2", fields: fields, files: []file{{name: "./usr/f", content: content}}}
	}
	_, err := install(t, a("", "1"), b("", "1"))
	if want := "a 1 amd64 and b 2 amd64 both ship /usr/f, and neither replaces the other"; err == nil || err.Error() != want {
		t.Errorf("conflict: %v, want %s", err, want)
	}
	if _, err = install(t, a("Replaces: b (<< 2)\n", "1"), b("", "2")); err == nil {
		t.Error("a Replaces of older versions was taken for one of this")
	}
	r := mustInstall(t, a("Replaces: c, b (>= 2)\n", "1"), b("", "2"))
	if got := content(t, r, "usr/f"); got != "1" {
		t.Errorf("the replaced file is there: %q", got)
	}
	if list := content(t, r, "var/lib/dpkg/info/b.list"); strings.Contains(list, "/usr/f") {
		t.Errorf("the replaced file is still in b's list: %q", list)
	}
	// A path below a file, and a directory where a file is.
	if _, err = install(t, a("", "1"), spec{name: "b", files: []file{{name: "./usr/f/g", content: "x"}}}); err == nil || !strings.Contains(err.Error(), "/usr/f") {
		t.Errorf("a path below a file: %v", err)
	}
	if _, err = install(t, a("", "1"), spec{name: "b", files: []file{{name: "./usr/f/", kind: tar.TypeDir}}}); err == nil || !strings.Contains(err.Error(), "where a 1 amd64 has a file") {
		t.Errorf("a directory over a file: %v", err)
	}
}

func TestMultiArchSame(t *testing.T) {
	t.Parallel()
	lib := func(arch, doc string) spec {
		return spec{name: "lib", arch: arch, fields: "Multi-Arch: same\n", files: []file{
			{name: "./usr/lib/" + arch + "/l.so", content: arch}, {name: "./usr/share/doc/lib/copyright", content: doc}}}
	}
	r := mustInstall(t, lib("amd64", "c"), lib("arm64", "c"))
	for _, p := range []string{"usr/lib/amd64/l.so", "usr/lib/arm64/l.so", "var/lib/dpkg/info/lib:amd64.list", "var/lib/dpkg/info/lib:arm64.list"} {
		if !has(r, p) {
			t.Errorf("no /%s", p)
		}
	}
	if _, err := install(t, lib("amd64", "c"), lib("arm64", "d")); err == nil {
		t.Error("instances of a Multi-Arch package with differing files were merged")
	}
}

func TestLinkedDirectories(t *testing.T) {
	t.Parallel()
	r := mustInstall(t,
		spec{name: "a", files: []file{{name: "./usr/share/real/", kind: tar.TypeDir}, {name: "./usr/share/alias", kind: tar.TypeSymlink, link: "real"}}},
		spec{name: "b", files: []file{{name: "./usr/share/alias/", kind: tar.TypeDir}, {name: "./usr/share/alias/f", content: "b"}, {name: "./var/run/b/", kind: tar.TypeDir}}})
	if got := content(t, r, "usr/share/real/f"); got != "b" {
		t.Errorf("the file did not go through the link: %q", got)
	}
	if !has(r, "run/b") || find(t, r, "usr/share/alias").Type != layer.Symlink {
		t.Error("a directory replaced a link")
	}
	if _, err := install(t, spec{files: []file{{name: "./a", kind: tar.TypeSymlink, link: "b"}, {name: "./b", kind: tar.TypeSymlink, link: "a"}, {name: "./a/f", content: "x"}}}); err == nil {
		t.Error("links in a circle were followed to an end")
	}
	// No link leads out of the root.
	r = mustInstall(t, spec{files: []file{{name: "./out", kind: tar.TypeSymlink, link: "../../../etc"}, {name: "./out/f", content: "x"}}})
	if !has(r, "etc/f") {
		t.Error("a link that climbs above the root does not end in the root")
	}
}

func TestDiversion(t *testing.T) {
	t.Parallel()
	r := mustInstall(t,
		spec{name: "owner", files: []file{{name: "./usr/bin/tool", content: "old", mode: 0o755}}},
		spec{name: "taker", files: []file{{name: "./usr/bin/tool", content: "new", mode: 0o755}}, control: map[string]string{
			"preinst": "#!/bin/sh\nset -e\nif [ \"$1\" = upgrade ]; then dpkg-divert --add --rename --divert /no /no2; fi\n" +
				"dpkg-divert --package taker --add --rename --divert /usr/bin/tool.real /usr/bin/tool\n"}})
	if content(t, r, "usr/bin/tool") != "new" || content(t, r, "usr/bin/tool.real") != "old" {
		t.Error("the diverted file is not at its place")
	}
	if got, want := content(t, r, "var/lib/dpkg/diversions"), "/usr/bin/tool\n/usr/bin/tool.real\ntaker\n"; got != want {
		t.Errorf("diversions: %q, want %q", got, want)
	}
}

func TestItemsAreDeterministic(t *testing.T) {
	t.Parallel()
	specs := []spec{{name: "b", files: []file{{name: "./usr/x/b", content: "b"}, {name: "./usr/x", kind: tar.TypeDir, mode: 0o700}}},
		{name: "a", files: []file{{name: "./usr/x-y", content: "a"}, {name: "./usr/x", kind: tar.TypeDir, mode: 0o750}}}, {name: "c", control: map[string]string{"triggers": "interest /b\ninterest-noawait t\n"}}}
	one := mustInstall(t, specs...)
	two := mustInstall(t, specs[2], specs[1], specs[0])
	a, err := layer.Write(io.Discard, one.Items)
	if err != nil {
		t.Fatal(err)
	}
	b, err := layer.Write(io.Discard, two.Items)
	if err != nil {
		t.Fatal(err)
	}
	if a.DiffID != b.DiffID {
		t.Errorf("the order of the request changes the layer:\n%s", cmp.Diff(string(a.TOC.Encode()), string(b.TOC.Encode())))
	}
	for i, it := range one.Items {
		if it.Path != a.TOC.Entries[i].Path {
			t.Fatalf("item %d is /%s, the layer's is /%s", i, it.Path, a.TOC.Entries[i].Path)
		}
	}
	if got := content(t, one, "var/lib/dpkg/triggers/File") + content(t, one, "var/lib/dpkg/triggers/t"); got != "/b c\nc/noawait\n" {
		t.Errorf("triggers: %q", got)
	}
}
