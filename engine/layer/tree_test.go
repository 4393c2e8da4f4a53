package layer

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

func TestMerge(t *testing.T) {
	t.Parallel()
	const base = `
		d 0755 0 0 "a"
		f 0644 0 0 "a/x" = x
		f 0644 0 0 "a/y" = y
		d 0755 0 0 "a/z"
		f 0644 0 0 "a/z/deep" = deep
		f 0644 0 0 "a-b" = sorts after a
		l 0777 0 0 "l" "a"`
	for _, c := range []struct{ name, layer, want string }{
		{"nothing", ``, `
			d 0755 0 0 "a"
			f 0644 0 0 1 "a/x"
			f 0644 0 0 1 "a/y"
			d 0755 0 0 "a/z"
			f 0644 0 0 4 "a/z/deep"
			f 0644 0 0 13 "a-b"
			l 0777 0 0 "l" "a"`},
		{"whiteouts", "d 0755 0 0 \"a\"\nw \"a/x\"\nw \"a/z\"\nw \"l\"\nw \"never\"", `
			d 0755 0 0 "a"
			f 0644 0 0 1 "a/y"
			f 0644 0 0 13 "a-b"`},
		{"whiteout of all", "w \"a\"\nw \"a-b\"\nw \"l\"", ``},
		{"opaque", "d 0700 0 0 \"a\"\no \"a\"\nf 0644 0 0 \"a/y\" = new", `
			d 0700 0 0 "a"
			f 0644 0 0 3 "a/y"
			f 0644 0 0 13 "a-b"
			l 0777 0 0 "l" "a"`},
		{"opaque without its directory", "o \"a/z\"", `
			d 0755 0 0 "a"
			f 0644 0 0 1 "a/x"
			f 0644 0 0 1 "a/y"
			d 0755 0 0 "a/z"
			f 0644 0 0 13 "a-b"
			l 0777 0 0 "l" "a"`},
		{"opaque root", "o \"\"\np 0644 0 0 \"p\"", `p 0644 0 0 "p"`},
		{"a file hides a directory", "d 0755 0 0 \"a\"\np 0644 0 0 \"a/z\"", `
			d 0755 0 0 "a"
			f 0644 0 0 1 "a/x"
			f 0644 0 0 1 "a/y"
			p 0644 0 0 "a/z"
			f 0644 0 0 13 "a-b"
			l 0777 0 0 "l" "a"`},
		{"a directory merges and keeps", "d 0711 1 2 \"a\"\nd 0700 3 4 \"a/z\"", `
			d 0711 1 2 "a"
			f 0644 0 0 1 "a/x"
			f 0644 0 0 1 "a/y"
			d 0700 3 4 "a/z"
			f 0644 0 0 4 "a/z/deep"
			f 0644 0 0 13 "a-b"
			l 0777 0 0 "l" "a"`},
	} {
		tree, err := treeOf(t, base).With(tocOf(t, c.layer))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		t.Log(c.name)
		equal(t, lines(tree.entries()), c.want)
		for _, e := range tree.entries() {
			if got, ok := tree.Lookup(e.Path); !ok || got.Path != e.Path || got.Type != e.Type {
				t.Errorf("%s: lookup of %q gives %v %v", c.name, e.Path, got, ok)
			}
		}
	}
}

// Layers of other tools: parents missing, not sorted, deletions of a
// directory that comes back.
func TestMergeForeignLayers(t *testing.T) {
	t.Parallel()
	base := treeOf(t, `
		l 0777 0 0 "bin" "usr/bin"
		d 1777 0 0 "tmp"
		d 0755 0 0 "usr"
		f 0644 0 0 "usr/old" = old`)
	tree, err := base.With(&TOC{Entries: []Entry{
		{Path: "tmp/a/b", Type: Fifo}, {Path: "bin/x", Type: Fifo}, {Path: "usr/new", Type: Fifo}, {Path: "usr", Type: Whiteout},
	}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, lines(tree.entries()), `
		d 0755 0 0 "bin"
		p 0000 0 0 "bin/x"
		d 1777 0 0 "tmp"
		d 0755 0 0 "tmp/a"
		p 0000 0 0 "tmp/a/b"
		d 0755 0 0 "usr"
		p 0000 0 0 "usr/new"`)
	for _, c := range []struct {
		entries []Entry
		says    string
	}{
		{[]Entry{{Path: "a", Type: Fifo}, {Path: "a", Type: Dir}}, "twice"},
		{[]Entry{{Path: "a", Type: Symlink, Link: "/"}, {Path: "a/b", Type: Dir}}, "no directory"},
		{[]Entry{{Path: "/a", Type: Dir}}, "clean"},
		{[]Entry{{Path: "a/../b", Type: Dir}}, "clean"},
	} {
		_, err := Merge(&TOC{Entries: c.entries})
		wantError(t, err, c.says)
	}
}

func TestOpaqueMarkLeavesItsDirectoryAsItIs(t *testing.T) {
	t.Parallel()
	tree, err := treeOf(t, `
		d 1777 0 0 "s"
		d 0700 5 5 "s/old"`).With(&TOC{Entries: []Entry{{Path: "s", Type: Opaque}, {Path: "s/old/new", Type: Fifo}}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, lines(tree.entries()), `
		d 1777 0 0 "s"
		d 0755 0 0 "s/old"
		p 0000 0 0 "s/old/new"`)
}

func TestUnstatedDirectories(t *testing.T) {
	t.Parallel()
	base := treeOf(t, `
		d 0700 1 1 "gone"
		d 0700 1 1 "gone/sub"
		d 0750 7 7 "home"
		d 0700 7 7 "home/app"
		d 0700 1 1 "never"
		d 0711 0 0 "opaque"
		d 0700 0 0 "opaque/sub"
		d 0755 0 0 "plain"
		d 0711 0 0 "stated"
		d 1777 0 0 "tmp"
		l 0777 0 0 "to" "tmp"`)
	got := base.Unstated(&TOC{Entries: []Entry{
		{Path: "tmp/x", Type: File}, {Path: "home/app/y", Type: Whiteout}, {Path: "plain/z", Type: Fifo}, {Path: "to/x", Type: Fifo},
		{Path: "stated/x", Type: Fifo}, {Path: "stated", Type: Dir}, {Path: "gone", Type: Whiteout}, {Path: "gone/sub/x", Type: Fifo},
		{Path: "opaque", Type: Opaque}, {Path: "opaque/sub/x", Type: Fifo}, {Path: "new/x", Type: Fifo},
	}})
	equal(t, strings.Join(got.Lines(), "\n")+"\n", `
		d 0750 7 7 "home"
		d 0700 7 7 "home/app"
		d 0711 0 0 "opaque"
		d 1777 0 0 "tmp"`)
}

// A merge is the same as applying the deletions one after the other, naively.
func TestMergeAgainstNaive(t *testing.T) {
	t.Parallel()
	naive := map[string]Type{}
	tree := &Tree{}
	state := uint32(1)
	next := func(n int) int { state = state*1664525 + 1013904223; return int(state>>8) % n }
	for round := range 60 {
		var toc TOC
		seen := map[string]bool{}
		for range 6 {
			path := fmt.Sprintf("%c", 'a'+next(3))
			for range next(3) {
				path += fmt.Sprintf("/%c", 'a'+next(3))
			}
			dir, _ := splitPath(path)
			for _, d := range ancestors(dir) {
				if !seen[d] {
					seen[d] = true
					toc.Entries = append(toc.Entries, Entry{Path: d, Type: Dir, Mode: 0o755})
				}
			}
			if !seen[path] {
				seen[path] = true
				toc.Entries = append(toc.Entries, Entry{Path: path, Type: []Type{Dir, Whiteout, Whiteout}[next(3)], Mode: 0o755})
			}
		}
		for i := range toc.Entries { // a whiteout cannot have entries below
			for _, e := range toc.Entries {
				if under(e.Path, toc.Entries[i].Path) {
					toc.Entries[i].Type = Dir
				}
			}
		}
		sortEntries(toc.Entries)
		for _, e := range toc.Entries {
			if e.Type == Whiteout {
				for p := range naive {
					if p == e.Path || under(p, e.Path) {
						delete(naive, p)
					}
				}
			} else {
				naive[e.Path] = e.Type
			}
		}
		var err error
		if tree, err = tree.With(&toc); err != nil {
			t.Fatal(err)
		}
		if tree.Len() != len(naive) {
			t.Fatalf("round %d: %d entries, want %d", round, tree.Len(), len(naive))
		}
		for _, e := range tree.entries() {
			if naive[e.Path] != e.Type {
				t.Fatalf("round %d: %s is wrong", round, e)
			}
		}
	}
}

// TestShown holds which bytes of a layer can still be seen: a file that is gone
// under its first name lives on under the others, and counts once.
func TestShown(t *testing.T) {
	t.Parallel()
	tree := treeOf(t, `
		f 0644 0 0 "a" = linked
		h 0644 0 0 "b" "a"
		h 0644 0 0 "c" "a"
		f 0644 0 0 "gone" = gone
		f 0644 0 0 "old" = old`, `
		w "a"
		w "gone"
		f 0644 0 0 "old" = newer`)
	if got := fmt.Sprint(tree.Sizes(), tree.Shown()); got != "[13 5] [6 5]" {
		t.Error(got)
	}
	var all []string
	for n, e := range tree.All() {
		all = append(all, fmt.Sprint(n, e.Path))
	}
	if got := strings.Join(all, " "); got != "0b 0c 1old" {
		t.Error(got)
	}
}

// TestFollow holds what is said to be missing where a path leads nowhere.
func TestFollow(t *testing.T) {
	t.Parallel()
	tree := treeOf(t, `
		l 0777 0 0 "bin" "usr/bin"
		l 0777 0 0 "far" "/data/x"
		l 0777 0 0 "loop" "loop"
		d 0755 0 0 "usr"
		d 0755 0 0 "usr/bin"
		f 0755 0 0 "usr/bin/sh" = sh`)
	for path, want := range map[string]string{
		"/bin/sh": "usr/bin/sh true", "/bin/none": "usr/bin/none false", "/far/y": "data/x/y false", "/loop": " false", "/usr/bin/sh/x": " false", "/": " true",
	} {
		if resolved, ok := tree.Follow(path); fmt.Sprint(resolved, " ", ok) != want {
			t.Errorf("%s: %q %t, not %s", path, resolved, ok, want)
		}
	}
}

func TestTreeViews(t *testing.T) {
	t.Parallel()
	tree := treeOf(t, `
		d 0755 0 0 "a"
		f 0644 0 0 "a/one" = linked
		h 0644 0 0 "a/two" "a/one"
		h 0644 0 0 "a/zwei" "a/one"
		d 0755 0 0 "b"
		d 0755 0 0 "b/c"
		f 0644 0 0 "b/c/d" = d`, `
		d 0755 0 0 "a"
		w "a/one"
		p 0644 0 0 "top"`)
	var names []string
	for e := range tree.Children("") {
		names = append(names, e.Path)
	}
	for e := range tree.Children("b") {
		names = append(names, e.Path)
	}
	if got := strings.Join(names, " "); got != "a b top b/c" {
		t.Errorf("children: %s", got)
	}
	layer, e, ok := tree.Content("a/two")
	if !ok || layer != 0 || e.Type != File || e.Path != "a/one" || e.Digest == "" {
		t.Errorf("content of a link whose file is gone: %d %v %v", layer, e, ok)
	}
	if layer, _, _ := tree.Content("top"); layer != 1 {
		t.Errorf("top is of layer %d", layer)
	}
	if _, _, ok := tree.Content("none"); ok {
		t.Error("something that is not there has content")
	}
	if got := tree.Size(); got != 1 {
		t.Errorf("size %d", got)
	}
	equal(t, lines(tree.TOC().Entries), `
		d 0755 0 0 "a"
		f 0644 0 0 6 "a/two"
		h 0644 0 0 "a/zwei" "a/two"
		d 0755 0 0 "b"
		d 0755 0 0 "b/c"
		f 0644 0 0 1 "b/c/d"
		p 0644 0 0 "top"`)
	if root, ok := (&Tree{}).Lookup(""); !ok || root.Type != Dir || root.Mode != 0o755 {
		t.Errorf("the root of nothing is %v %v", root, ok)
	}
}

const linkForest = `
	l 0777 0 0 "abs" "/usr/lib"
	l 0777 0 0 "bin" "usr/bin"
	l 0777 0 0 "dangling" "usr/none"
	l 0777 0 0 "file" "usr/bin/sh"
	l 0777 0 0 "loop" "pool"
	l 0777 0 0 "out" "../../usr"
	l 0777 0 0 "pool" "loop"
	l 0777 0 0 "self" "self"
	d 0755 0 0 "usr"
	d 0755 0 0 "usr/bin"
	f 0755 0 0 "usr/bin/sh" = sh
	l 0777 0 0 "usr/bin/two" "../lib/../../bin"
	d 0755 0 0 "usr/lib"`

func TestResolve(t *testing.T) {
	t.Parallel()
	text := linkForest
	for i := range 42 { // c0 → c1 → … → c42 → usr
		text += fmt.Sprintf("\nl 0777 0 0 \"c%d\" \"c%d\"", i, i+1)
	}
	text += "\nl 0777 0 0 \"c42\" \"usr\""
	tree := treeOf(t, text)
	for path, want := range map[string]string{
		"":                 "",
		"/":                "",
		"bin/sh":           "usr/bin/sh",
		"/bin/two/two/sh":  "usr/bin/sh",
		"abs":              "usr/lib",
		"file":             "usr/bin/sh",
		"out/bin":          "usr/bin",
		"c3/bin":           "usr/bin",
		"dangling":         `error: the link "/dangling" leads to "/usr/none"`,
		"loop/x":           `error: goes round in a circle`,
		"self":             `error: the link "/self" goes round`,
		"c0":               `error: more than 40 links`,
		"usr/bin/sh/x":     `error: "/usr/bin/sh" is a file, not a directory`,
		"file/x":           `error: "/usr/bin/sh" is a file, not a directory`,
		"usr/../usr":       `error: has a ".."`,
		"usr/bin/none":     "error: does not exist",
		"usr/none/deeper":  "error: does not exist",
		"dangling/further": `error: the link "/dangling" leads to "/usr/none"`,
	} {
		got, err := tree.Resolve(path)
		if says, wrong := strings.CutPrefix(want, "error: "); wrong {
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%q: got %q, %v; want %q", path, got, err, says)
			}
			if missing := says == "does not exist"; missing != errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%q: is it missing? %v", path, err)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", path, got, err, want)
		}
	}
}

func TestShape(t *testing.T) {
	t.Parallel()
	tree := treeOf(t, linkForest+`
		d 1777 0 0 "tmp"
		d 0755 0 0 "tmp/plain"
		d 0755 5 0 "tmp/owned"
		d 0755 0 0 "tmp/marked" "user.x" "1"`)
	shape := tree.Shape()
	equal(t, strings.Join(shape.Lines(), "\n")+"\n", `
		l 0777 0 0 "abs" "/usr/lib"
		l 0777 0 0 "bin" "usr/bin"
		l 0777 0 0 "out" "../../usr"
		d 1777 0 0 "tmp"
		d 0755 0 0 "tmp/marked" "user.x" "1"
		d 0755 5 0 "tmp/owned"
		l 0777 0 0 "usr/bin/two" "../lib/../../bin"`)
	again, err := ParseShape(shape.Lines())
	if err != nil || strings.Join(again.Lines(), "\n") != strings.Join(shape.Lines(), "\n") {
		t.Errorf("read back: %v, %v", again, err)
	}
	for _, bad := range [][]string{{`f 0644 0 0 1 - "a"`}, {`d 0755 0 0 ""`}, {`d 0700 0 0 "b"`, `d 0700 0 0 "a"`}, {`nonsense`}} {
		if _, err := ParseShape(bad); err == nil {
			t.Errorf("%q is read as a shape", bad)
		}
	}
	// What a shape knows, it places as the tree does.
	for _, to := range []string{"x", "bin/x", "usr/bin/two/two/x", "tmp/x", "tmp/owned/new/deep/x", "abs/x", "out/new/x", "tmp/marked/x", "usr/lib/x"} {
		a, errA := Place(tree, to)
		b, errB := Place(again, to)
		if errA != nil || errB != nil || strings.Join(a.Lines(), "\n") != strings.Join(b.Lines(), "\n") {
			t.Errorf("%s: tree %q %v, shape %q %v", to, a.Lines(), errA, b.Lines(), errB)
		}
	}
	if _, err := Place(again, "tmp"); err != nil {
		t.Errorf("place on a directory: %v", err)
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	p, err := Place(treeOf(t, copyBelow), "/link-a/new/x")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, strings.Join(p.Lines(), "\n")+"\n", `
		place "home/new/x"
		parent d 0750 1000 1000 "home"
		parent d 0755 0 0 "home/new"`)
	_, err = Place(&Tree{}, "../x")
	wantError(t, err, `has a ".."`)
}

func bigTOC(n int) *TOC {
	toc := &TOC{}
	for i := range n / 101 {
		toc.Entries = append(toc.Entries, Entry{Path: fmt.Sprintf("d%05d", i), Type: Dir, Mode: 0o755})
		for k := range 100 {
			toc.Entries = append(toc.Entries, Entry{
				Path: fmt.Sprintf("d%05d/file-%03d", i, k), Type: File, Mode: 0o644, Size: 1, Digest: "sha256:" + strings.Repeat("0", 64),
			})
		}
	}
	return toc
}

func BenchmarkTreeWith(b *testing.B) {
	base, err := Merge(bigTOC(100_000))
	if err != nil {
		b.Fatal(err)
	}
	small := &TOC{Entries: []Entry{{Path: "d00500", Type: Dir, Mode: 0o755}, {Path: "d00500/new", Type: Fifo}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := base.With(small); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeTOC(b *testing.B) {
	data := bigTOC(10_000).Encode()
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if toc, err := DecodeTOC(data); err != nil || !bytes.HasPrefix(data, []byte(tocHeader)) || len(toc.Entries) < 9000 {
			b.Fatal(err)
		}
	}
}
