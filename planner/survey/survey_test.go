package survey_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/specbuild/specbuild/engine/layer"
	"github.com/specbuild/specbuild/planner/survey"
)

// files are a layer as a literal, with the contents of its files: "/usr/bin/x
// 0755 10:20" is a file, with a slash at the end a folder, with -> a link. Modes
// and owners may be left out.
type files map[string]string

// root is a tree of the real merging, with contents beside it.
type root struct {
	tree    *layer.Tree
	content map[string]string
	far     bool // contents are in a registry
}

// image merges layers, lowest first.
func image(t *testing.T, layers ...files) *root {
	t.Helper()
	r := &root{content: map[string]string{}}
	var tocs []*layer.TOC
	for _, l := range layers {
		toc := &layer.TOC{}
		for line, content := range l {
			e := entry(t, line)
			e.Size = int64(len(content))
			if e.Type == layer.File {
				r.content["/"+e.Path] = content
			} else {
				e.Size = 0
			}
			toc.Entries = append(toc.Entries, e)
		}
		tocs = append(tocs, toc)
	}
	tree, err := layer.Merge(tocs...)
	if err != nil {
		t.Fatal(err)
	}
	r.tree = tree
	return r
}

func entry(t *testing.T, line string) layer.Entry {
	t.Helper()
	name, target, link := strings.Cut(line, " -> ")
	words := strings.Fields(name)
	e := layer.Entry{Path: strings.Trim(words[0], "/"), Type: layer.File, Mode: 0o644}
	switch {
	case link:
		return layer.Entry{Path: e.Path, Type: layer.Symlink, Mode: 0o777, Link: target}
	case strings.HasSuffix(words[0], "/"):
		e.Type, e.Mode = layer.Dir, 0o755
	case strings.HasPrefix(words[0], "/dev/"):
		e.Type = layer.Char
	}
	if len(words) > 1 {
		if _, err := fmt.Sscanf(words[1], "%o", &e.Mode); err != nil {
			t.Fatal(err)
		}
	}
	if len(words) > 2 {
		if _, err := fmt.Sscanf(words[2], "%d:%d", &e.UID, &e.GID); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func (r *root) Files() iter.Seq[survey.File] {
	return func(yield func(survey.File) bool) {
		for n, e := range r.tree.All() {
			if !yield(file(n, e)) {
				return
			}
		}
	}
}

func file(n int, e layer.Entry) survey.File {
	kinds := map[layer.Type]survey.Kind{layer.File: survey.Regular, layer.Dir: survey.Folder, layer.Symlink: survey.Link, layer.Char: survey.Other}
	return survey.File{Path: "/" + e.Path, Kind: kinds[e.Type], Mode: survey.Mode(e.Mode), UID: e.UID, GID: e.GID, Size: e.Size, Layer: n}
}

func (r *root) Resolve(path string) (survey.File, string, bool) {
	real, ok := r.tree.Follow(path)
	if !ok {
		return survey.File{}, "/" + real, false
	}
	n, e, _ := r.tree.Content(real)
	return file(n, e), "", true
}

func (r *root) Head(path string, limit int, whole bool) ([]byte, error) {
	if r.far && !whole {
		return nil, nil
	}
	return []byte(r.content[path][:min(limit, len(r.content[path]))]), nil
}

func (r *root) Layers() []survey.Layer {
	var out []survey.Layer
	for i, n := range r.tree.Sizes() {
		out = append(out, survey.Layer{Size: n, Wasted: n - r.tree.Shown()[i]})
	}
	return out
}

func take(t *testing.T, c survey.Config, r *root) survey.Facts {
	t.Helper()
	f, err := survey.Take("linux/amd64", c, r)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func paths(list []survey.File) []string {
	var out []string
	for _, f := range list {
		out = append(out, f.Path)
	}
	return out
}

// TestFiles holds what each list takes, and of everything else here, which
// looks alike, that it is in none.
func TestFiles(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		list          func(survey.Facts) []survey.File
		fires, quiet  []string
		workdir, want string
	}{
		"setuid": {
			list:  func(f survey.Facts) []survey.File { return f.Setuid },
			fires: []string{"/usr/bin/su 4755", "/usr/bin/wall 2755 0:5", "/opt/both 6711"},
			quiet: []string{"/usr/bin/plain 0755", "/var/mail/ 2775 0:8", "/srv/locked 2644", "/srv/data 4644", "/bin/link -> /usr/bin/su", "/tmp/ 1777"},
		},
		"writable": {
			list:  func(f survey.Facts) []survey.File { return f.Writable },
			fires: []string{"/etc/web.conf 0666", "/srv/open/ 0777", "/srv/run 0757"},
			quiet: []string{"/tmp/ 1777", "/var/tmp/ 1777", "/bin/sh -> dash", "/dev/null 0666", "/srv/group 0775 0:10", "/srv/mine 0700 10:10"},
		},
		"leftovers": {
			list: func(f survey.Facts) []survey.File { return f.Left },
			fires: []string{
				"/tmp/x", "/var/tmp/y/z", "/srv/app/.git/", "/root/src.tar.gz", "/usr/src/tool.zip", "/tool.deb", "/srv/.DS_Store", "/etc/.conf.swp",
				"/root/.cache/go-build/", "/home/web/.npm/_logs/", "/srv/app/Dockerfile", "/etc/hosts~",
			},
			quiet: []string{
				"/srv/download/tool.tar.gz", "/srv/app/.gitignore", "/srv/app/.github/", "/srv/repo.git/", "/root/.cache/huggingface/", "/root/.cache/ms-playwright/",
				"/usr/share/templates/Dockerfile", "/usr/share/doc/x.gz", "/etc/alone~", "/var/cache/ldconfig/aux-cache", "/tmp/ 1777", "/root/.bashrc", "/srv/tmp/x", "/data.zip",
			},
			workdir: "/srv/app",
		},
		"package caches": {
			list: func(f survey.Facts) []survey.File { return f.Caches },
			fires: []string{
				"/var/lib/apt/lists/deb.debian.org_debian_InRelease", "/var/cache/apt/archives/curl.deb", "/var/cache/apt/pkgcache.bin", "/var/cache/apk/APKINDEX.a.tar.gz",
				"/var/cache/dnf/", "/root/.cache/pip/", "/home/web/.npm/_cacache/", "/usr/local/cargo/registry/cache/",
			},
			quiet: []string{
				"/var/lib/apt/lists/lock", "/var/lib/apt/extended_states", "/var/cache/apt/archives/lock", "/srv/packages/curl.deb", "/var/cache/debconf/config.dat",
				"/var/cache/nginx/", "/srv/.cache/pip/", "/root/.npmrc", "/var/lib/dpkg/status", "/lib/apk/db/installed",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree := files{}
			var want []string
			for _, line := range append(slices.Clone(tc.fires), tc.quiet...) {
				tree[line] = "content"
				if p := strings.Fields(line)[0]; strings.HasSuffix(p, "/") && !strings.Contains(line, "7") {
					tree[p+"deep/file"] = "content"
				}
			}
			tree["/etc/hosts"] = "content"
			for _, line := range tc.fires {
				want = append(want, "/"+strings.Trim(strings.Fields(line)[0], "/"))
			}
			got := paths(tc.list(take(t, survey.Config{Workdir: tc.workdir}, image(t, tree))))
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNothingLeft holds that what is empty, or gone in a later layer, is no
// leftover.
func TestNothingLeft(t *testing.T) {
	t.Parallel()
	r := image(t, files{"/tmp/ 1777": "", "/tmp/empty": "", "/srv/.git/": "", "/root/.cache/pip/": "", "/var/lib/apt/lists/partial/": ""})
	if f := take(t, survey.Config{}, r); len(f.Left)+len(f.Caches) > 0 {
		t.Errorf("%v %v", f.Left, f.Caches)
	}
}

// TestFolderIsOne holds that a leftover folder is told as one, with all that
// is in it, and the layer that wrote last.
func TestFolderIsOne(t *testing.T) {
	t.Parallel()
	r := image(t, files{"/a/.git/": "", "/a/.git/HEAD": "1234", "/a/.git/x/.git/": "", "/a/.git/x/.git/y": "12", "/a/.gitx": "123"}, files{"/a/.git/new": "12345"})
	f := take(t, survey.Config{}, r)
	if len(f.Left) != 1 || f.Left[0].Size != 11 || f.Left[0].Layer != 1 || f.Left[0].What == "" {
		t.Errorf("%+v", f.Left)
	}
}

// TestSizes holds what is counted as wasted: what was replaced.
func TestSizes(t *testing.T) {
	t.Parallel()
	f := take(t, survey.Config{}, image(t, files{"/a": "1234", "/b": "12"}, files{"/a": "123"}))
	if f.Size != 9 || f.Wasted != 4 || f.Count != 2 || f.Layers[0].Wasted != 4 || f.Layers[1].Wasted != 0 {
		t.Errorf("%+v", f)
	}
}

// TestBounded holds that an image with any number of bad files has a list of
// bounded length.
func TestBounded(t *testing.T) {
	t.Parallel()
	tree := files{}
	for i := range survey.Most + 50 {
		tree[fmt.Sprintf("/bin/s%d 4777", i)] = "x"
		tree[fmt.Sprintf("/tmp/s%d", i)] = "x"
		tree[fmt.Sprintf("/r%d/.git/", i)] = ""
		tree[fmt.Sprintf("/r%d/.git/HEAD", i)] = "x"
	}
	f := take(t, survey.Config{}, image(t, tree))
	if len(f.Setuid) != survey.Most || len(f.Writable) != survey.Most || len(f.Left) != survey.Most {
		t.Errorf("%d %d %d", len(f.Setuid), len(f.Writable), len(f.Left))
	}
}

// TestFactsAreWritten holds that facts read again are the same.
func TestFactsAreWritten(t *testing.T) {
	t.Parallel()
	c := survey.Config{Entrypoint: []string{"/app"}, Env: map[string]string{"A": "b"}, Labels: map[string]string{"x": "y"}}
	before := take(t, c, image(t, files{"/app 0755": elf(amd64, ld), "/bin/su 4755": "x", "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n"}))
	text, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	var after survey.Facts
	if err := json.Unmarshal(text, &after); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
}
