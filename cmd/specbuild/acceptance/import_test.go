//go:build linux

package acceptance

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/rogpeppe/go-internal/txtar"
)

// TestImportedDockerfilesBuildToBuildKitsTree: each archive of testdata/import
// is a Dockerfile with its context. BuildKit builds it; specbuild imports it
// and builds that. Both images have the same files and say the same of
// themselves, but for the differences that stand in the archive, one a line.
func TestImportedDockerfilesBuildToBuildKitsTree(t *testing.T) {
	t.Parallel()
	needRoot(t)
	archives, err := filepath.Glob("testdata/import/*.txtar")
	if err != nil || len(archives) < 25 {
		t.Fatalf("%d archives: %v", len(archives), err)
	}
	s := newServer(t, downloads)
	s.put(t, "base:1", dockerBase(t))
	b := newBuildkit(t, s.host)
	for _, file := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			d := readImported(t, file, s.host)
			theirs := b.build(t, d.dir, d.env, d.buildctl...)
			ours := d.apply(t)
			diff := differences(append(configLines(t, theirs), imageLines(t, theirs)...), append(configLines(t, ours), imageLines(t, ours)...))
			if want := strings.Join(d.differences, "\n"); strings.Join(diff, "\n") != want {
				t.Errorf("differences:\n%s\nwant:\n%s\nthe spec:\n%s", strings.Join(diff, "\n"), want, d.read("image.hcl"))
			}
		})
	}
}

// imported is a Dockerfile to build in both ways.
type imported struct {
	*project
	buildctl    []string // flags of the build, and those of specbuild
	flags       []string
	target      []string
	differences []string
}

// readImported writes an archive's context. Lines of its comment are options:
// "arg: NAME=value", "target: stage", "secret: id=value", "mode: 0755 file",
// "link: name target", "tar: archive file…"; everything else says what the
// case is about.
func readImported(t testing.TB, file, registry string) *imported {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := &imported{project: newProject(t, nil)}
	for _, f := range a.Files {
		text := string(f.Data)
		switch f.Name {
		case "differences":
			for line := range strings.Lines(text) {
				if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
					d.differences = append(d.differences, line)
				}
			}
			continue
		case "Dockerfile":
			text = strings.NewReplacer("BASE", registry+"/base:1", "SERVER", "http://"+registry+"/files").Replace(text)
		}
		d.write(files{f.Name: text})
	}
	for line := range strings.Lines(string(a.Comment)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		name, rest, _ := strings.Cut(value, " ")
		id, secret, _ := strings.Cut(value, "=")
		switch key {
		case "arg":
			d.buildctl = append(d.buildctl, "--opt", "build-arg:"+value)
			d.flags = append(d.flags, "--var", strings.ToLower(id)+"="+secret)
		case "target":
			d.buildctl = append(d.buildctl, "--opt", "target="+value)
			d.target = []string{"--target", value}
		case "secret":
			d.env = append(d.env, strings.ToUpper(id)+"="+secret)
			d.buildctl = append(d.buildctl, "--secret", "id="+id+",env="+strings.ToUpper(id))
		case "mode":
			mode, err := strconv.ParseUint(name, 8, 32)
			d.must(errors.Join(err, os.Chmod(d.path(rest), os.FileMode(mode))))
		case "link":
			d.must(os.Symlink(rest, d.path(name)))
		case "tar":
			d.pack(name, strings.Fields(rest))
		}
	}
	return d
}

// downloads serves a file and an archive below /files, beside the registry.
func downloads(registry http.Handler) http.Handler {
	var packed bytes.Buffer
	zw := gzip.NewWriter(&packed)
	tw := tar.NewWriter(zw)
	_ = tw.WriteHeader(&tar.Header{Name: "inner/file", Mode: 0o640, Size: 5})
	_, _ = io.WriteString(tw, "inner")
	_ = errors.Join(tw.Close(), zw.Close()) // into memory
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/files/plain.txt":
			_, _ = io.WriteString(w, "plain")
		case "/files/packed.tar.gz":
			_, _ = w.Write(packed.Bytes())
		default:
			registry.ServeHTTP(w, r)
		}
	})
}

// pack makes an archive of files, gzipped where its name says so.
func (d *imported) pack(name string, members []string) {
	d.t.Helper()
	f, err := os.Create(d.path(name))
	d.must(err)
	defer f.Close()
	var w io.WriteCloser = f
	if strings.HasSuffix(name, "gz") {
		w = gzip.NewWriter(f)
		defer w.Close()
	}
	tw := tar.NewWriter(w)
	for i, m := range members {
		content := d.read(m)
		d.must(tw.WriteHeader(&tar.Header{Name: m, Mode: 0o750, Uid: 100 + i, Gid: 200, Size: int64(len(content))}))
		_, err := io.WriteString(tw, content)
		d.must(err)
	}
	d.must(tw.Close())
}

// apply imports the Dockerfile and builds what comes out, as it is.
func (d *imported) apply(t testing.TB) v1.Image {
	t.Helper()
	said := d.ok(append([]string{"import", "Dockerfile"}, d.target...)...).stderr
	t.Logf("the import said:\n%s", said)
	d.ok("validate")
	out := filepath.Join(t.TempDir(), "out")
	d.ok(append([]string{"apply", "-o", "oci:" + out}, d.flags...)...)
	return onlyImage(t, out)
}

// addgroup and adduser are busybox's, which Debian builds without them.
const (
	addgroup = `#!/bin/sh -e
[ "$1" = -g ]
echo "$3:x:$2:" >> /etc/group
`
	adduser = `#!/bin/sh -e
while [ $# -gt 1 ]; do
  case $1 in
  -u) uid=$2; shift ;;
  -G) gid=$(grep "^$2:" /etc/group | cut -d: -f3); shift ;;
  -s) shell=$2; shift ;;
  -h) home=$2; shift ;;
  esac
  shift
done
mkdir -p -m 0750 "${home:=/home/$1}"
chown "$uid:$gid" "$home"
echo "$1:x:$uid:$gid::$home:${shell:-/bin/sh}" >> /etc/passwd
`
)

// dockerBase is what the Dockerfiles stand on: a static shell with its tools in
// a usr-merged tree, accounts, a sticky /tmp, and a configuration.
func dockerBase(t testing.TB) v1.Image {
	t.Helper()
	dir := func(path string, mode int64) entry {
		return entry{tar.Header{Name: path, Typeflag: tar.TypeDir, Mode: mode}, ""}
	}
	text := func(path, content string) entry {
		e := file(path, content)
		e.Mode = 0o644
		return e
	}
	entries := []entry{
		link("bin", "usr/bin"), dir("dev", 0o755), dir("etc", 0o755), text("etc/group", "root:x:0:\nstaff:x:50:app\napp:x:1000:\n"),
		text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n"),
		dir("home", 0o755), {tar.Header{Name: "home/app", Typeflag: tar.TypeDir, Mode: 0o700, Uid: 1000, Gid: 1000}, ""},
		dir("opt", 0o755), text("opt/readme", "of the base\n"), dir("proc", 0o755), dir("root", 0o700), dir("sys", 0o755), dir("tmp", 0o1777),
		dir("usr", 0o755), dir("usr/bin", 0o755), file("usr/bin/busybox", busybox(t)),
		file("usr/bin/addgroup", addgroup), file("usr/bin/adduser", adduser),
	}
	for _, tool := range strings.Fields(tool(t, "", "busybox", "--list")) {
		if tool != "busybox" {
			entries = append(entries, link("usr/bin/"+tool, "busybox"))
		}
	}
	img := baseOf(t, entries...)
	cf, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	cf = cf.DeepCopy()
	cf.Config = v1.Config{
		Env: []string{"PATH=/usr/bin:/bin", "INHERITED=yes"}, Cmd: []string{"sh"}, Labels: map[string]string{"vendor": "acceptance"},
	}
	if img, err = mutate.ConfigFile(img, cf); err != nil {
		t.Fatal(err)
	}
	return img
}

// differences are the lines that only one of two lists has: those of BuildKit
// begin with -, ours with +.
func differences(theirs, ours []string) []string {
	var out []string
	for _, line := range theirs {
		if !slices.Contains(ours, line) {
			out = append(out, "-"+line)
		}
	}
	for _, line := range ours {
		if !slices.Contains(theirs, line) {
			out = append(out, "+"+line)
		}
	}
	return out
}

// configLines are what an image says about itself, a line each. A name of a
// user is looked up in the image, as a runtime does.
func configLines(t testing.TB, img v1.Image) []string {
	t.Helper()
	cf, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := cf.Config
	if c.WorkingDir == "" {
		c.WorkingDir = "/"
	}
	slices.Sort(c.Env)
	lines := []string{"user " + numbers(t, img, c.User), "workdir " + c.WorkingDir}
	add := func(name string, v any) {
		if data, err := json.Marshal(v); err != nil {
			t.Fatal(err)
		} else if s := string(data); s != "null" && s != "{}" && s != "[]" && s != `""` {
			lines = append(lines, name+" "+s)
		}
	}
	for _, e := range c.Env {
		add("env", e)
	}
	add("entrypoint", c.Entrypoint)
	add("cmd", c.Cmd)
	add("expose", c.ExposedPorts)
	add("volumes", c.Volumes)
	add("healthcheck", c.Healthcheck)
	add("stop-signal", c.StopSignal)
	add("onbuild", c.OnBuild)
	for _, k := range slices.Sorted(maps.Keys(c.Labels)) {
		add("label", k+"="+c.Labels[k])
	}
	return lines
}

// numbers is a user of a configuration as uid:gid.
func numbers(t testing.TB, img v1.Image, user string) string {
	t.Helper()
	name, group, both := strings.Cut(user, ":")
	if name == "" {
		name = "0"
	}
	tree := flatten(t, img)
	uid, gid := name, "0"
	for line := range strings.Lines(tree["/etc/passwd"].content) {
		if f := strings.Split(line, ":"); f[0] == name || f[2] == name {
			uid, gid = f[2], f[3]
		}
	}
	if both {
		gid = group
	}
	for line := range strings.Lines(tree["/etc/group"].content) {
		if f := strings.Split(line, ":"); f[0] == group {
			gid = f[2]
		}
	}
	return uid + ":" + gid
}

// flatten puts an image's layers onto each other: path to its last entry.
func flatten(t testing.TB, img v1.Image) map[string]entry {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	tree := map[string]entry{}
	for _, l := range layers {
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		own := map[string]entry{}
		for tr := tar.NewReader(r); ; {
			h, err := tr.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			content, err2 := io.ReadAll(tr)
			if err := errors.Join(err, err2); err != nil {
				t.Fatal(err)
			}
			own[path.Clean("/"+h.Name)] = entry{*h, string(content)}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		cover(tree, own)
	}
	return tree
}

// cover puts a layer onto a tree, by the rules of OCI's image-spec, layer.md.
func cover(tree, layer map[string]entry) {
	remove := func(name string, itself bool) {
		maps.DeleteFunc(tree, func(p string, _ entry) bool {
			return itself && p == name || strings.HasPrefix(p, strings.TrimSuffix(name, "/")+"/")
		})
	}
	for name, e := range layer {
		dir, base := path.Split(name)
		gone, whiteout := strings.CutPrefix(base, ".wh.")
		switch {
		case base == ".wh..wh..opq":
			remove(dir, false)
		case whiteout:
			remove(dir+gone, true)
		case e.Typeflag != tar.TypeDir:
			remove(name, true)
		}
	}
	for name, e := range layer {
		if !strings.HasPrefix(path.Base(name), ".wh.") {
			tree[name] = e
		}
	}
}

// imageLines are an image's files, as [treeOf] lists those of a folder, with
// what tar says beside: extended attributes.
func imageLines(t testing.TB, img v1.Image) []string {
	t.Helper()
	tree := flatten(t, img)
	delete(tree, "/")
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		e := tree[name]
		head := fmt.Sprintf("%04o %d:%d %s", e.Mode&0o7777, e.Uid, e.Gid, name)
		switch e.Typeflag {
		case tar.TypeDir:
			head += "/"
		case tar.TypeSymlink:
			head = fmt.Sprintf("link %d:%d %s -> %s", e.Uid, e.Gid, name, e.Linkname)
		case tar.TypeLink:
			head += " = " + path.Clean("/"+e.Linkname)
		case tar.TypeReg:
			if len(e.content) > 200 {
				head += fmt.Sprintf(" sha256:%x", sha256.Sum256([]byte(e.content)))
			} else {
				head += fmt.Sprintf(" %q", e.content)
			}
		default:
			head = fmt.Sprintf("type %c %s %d:%d", e.Typeflag, head, e.Devmajor, e.Devminor)
		}
		for _, k := range slices.Sorted(maps.Keys(e.PAXRecords)) {
			if strings.HasPrefix(k, "SCHILY.xattr.") {
				head += fmt.Sprintf(" %s=%q", k, e.PAXRecords[k])
			}
		}
		lines = append(lines, head)
	}
	return lines
}

// TestDifferencesAreFound: the comparison itself, on trees that differ in each
// of the ways it is there to see.
func TestDifferencesAreFound(t *testing.T) {
	t.Parallel()
	image := func(entries ...entry) []string { return imageLines(t, baseOf(t, entries...)) }
	one := file("a", "x")
	moded, owned := one, one
	moded.Mode, owned.Uid = 0o600, 7
	for name, other := range map[string][]string{
		"content": image(file("a", "y")), "mode": image(moded), "owner": image(owned), "type": image(link("a", "x")), "path": image(file("b", "x")),
	} {
		if diff := differences(image(one), other); len(diff) != 2 {
			t.Errorf("%s: %q", name, diff)
		}
	}
	tree := map[string]entry{"/d": {}, "/d/a": {}, "/d/b": {}, "/e/f": {}, "/g": {}}
	cover(tree, map[string]entry{"/d/.wh.a": {}, "/e/.wh..wh..opq": {}, "/e/new": {}, "/g/.wh..wh..opq": {}})
	if diff := cmp.Diff([]string{"/d", "/d/b", "/e/new", "/g"}, slices.Sorted(maps.Keys(tree))); diff != "" {
		t.Errorf("whiteouts (-want +got):\n%s", diff)
	}
}
