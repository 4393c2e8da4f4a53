package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// copies are three copies of one context.
func copies(dir, index string) []Request {
	var rs []Request
	for _, from := range []string{"bin/app", "config", "web"} {
		rs = append(rs, Request{Dir: dir, Sources: []string{from}, StatIndex: index, UseDockerignore: true})
	}
	return rs
}

// A view answers what the functions answer, in whatever order it is asked.
func TestViewEqualsSelect(t *testing.T) {
	t.Parallel()
	dir := tree(t, "bin/app*=1", "config/a=2", "config/b/c=3", "web/l -> ../config", "web/x.log=4", "one -> config/a", "many -> web", ".dockerignore=*.md\nweb/*.log")
	requests := []Request{
		{Dir: dir},
		{Dir: dir, UseDockerignore: true},
		{Dir: dir, Sources: []string{"bin/app"}},
		{Dir: dir, Sources: []string{"one"}},
		{Dir: dir, Sources: []string{"many", "one"}},
		{Dir: dir, Sources: []string{"many/l"}},
		{Dir: dir, Sources: []string{"config/**"}, Exclude: []string{"config/b"}},
		{Dir: dir, Include: []string{"config"}},
		{Dir: dir, Sources: []string{"nothing"}},
	}
	for _, start := range []int{0, 3, 6} {
		var v View
		for i := range requests {
			r := requests[(start+i)%len(requests)]
			want, wantErr := Select(context.Background(), r)
			listed, listErr := v.List(context.Background(), r)
			got, errs := v.Select(context.Background(), r)
			if wantErr != nil {
				if listErr == nil || errs[0] == nil || errs[0].Error() != wantErr.Error() || listErr.Error() != wantErr.Error() {
					t.Errorf("%q: %v and %v, want %v", r.Sources, listErr, errs[0], wantErr)
				}
				continue
			}
			if listErr != nil || errs[0] != nil {
				t.Fatal(listErr, errs[0])
			}
			if got[0].Digest() != want.Digest() || got[0].TimesDigest() != want.TimesDigest() {
				t.Errorf("%q: %q, want %q", r.Sources, show(got[0]), show(want))
			}
			if fmt.Sprint(listed.Roots, show(listed)) != fmt.Sprint(want.Roots, show(want)) {
				t.Errorf("%q: the list is %q, want %q", r.Sources, show(listed), show(want))
			}
		}
	}
}

func TestViewHashesAFileOnce(t *testing.T) {
	t.Parallel()
	dir := tree(t, "bin/app=1", "config/a=2", "config/b=3", "web/c=4")
	var v View
	for _, r := range copies(dir, "") {
		l, err := v.List(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range l.Entries {
			if e.Sum != [32]byte{} {
				t.Errorf("listing %s hashed it", e.Path)
			}
		}
	}
	everything := Request{Dir: dir}
	sels, errs := v.Select(context.Background(), append(copies(dir, ""), everything, everything)...)
	total := 0
	for i, s := range sels {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		total += s.Hashed
	}
	if total != 4 {
		t.Errorf("%d files were read for 4", total)
	}
	if sels[4].Digest() != sel(t, everything).Digest() {
		t.Error("what others hashed has another digest")
	}
}

// A mistake in one request is told where it is; the others are answered.
func TestViewTellsErrorsApart(t *testing.T) {
	t.Parallel()
	dir := tree(t, "a=1")
	var v View
	sels, errs := v.Select(context.Background(),
		Request{Dir: dir, Sources: []string{"a"}},
		Request{Dir: dir, Sources: []string{"b"}},
		Request{Dir: filepath.Join(dir, "none")},
		Request{Dir: "relative"})
	if sels[0] == nil || errs[0] != nil || len(sels[0].Entries) != 1 {
		t.Errorf("a: %v", errs[0])
	}
	if !errors.As(errs[1], new(*UnmatchedError)) || !errors.Is(errs[2], fs.ErrNotExist) || errs[3] == nil {
		t.Errorf("errors are %v", errs[1:])
	}
}

// What changes after it was seen is an error when it is read, not other
// content under the old digest.
func TestViewNoticesLateChanges(t *testing.T) {
	t.Parallel()
	dir := tree(t, "f=old", "g=old")
	var v View
	if _, err := v.List(context.Background(), Request{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	plant(t, dir, "f=new") // between planning and hashing: the new content counts
	sels, errs := v.Select(context.Background(), Request{Dir: dir})
	if errs[0] != nil {
		t.Fatal(errs[0])
	}
	if sels[0].Digest() != sel(t, Request{Dir: dir}).Digest() {
		t.Error("the digest is not that of what was hashed")
	}
	plant(t, dir, "g=new") // after hashing
	f, err := sels[0].Open("g")
	if err == nil {
		_, err = io.ReadAll(f)
		f.Close()
	}
	if !errors.As(err, new(*ChangedError)) {
		t.Errorf("reading what changed: %v", err)
	}
}

// The index is written once for all copies of a context, and not at all when
// it is right.
func TestViewWritesAnIndexOnce(t *testing.T) {
	t.Parallel()
	dir := tree(t, "bin/app=1", "config/a=2", "web/c=3")
	index := indexed(t, dir).StatIndex
	time.Sleep(30 * time.Millisecond)
	run := func() (hashed int) {
		v := View{racy: int64(10 * time.Millisecond)}
		sels, errs := v.Select(context.Background(), copies(dir, index)...)
		for i, s := range sels {
			if errs[i] != nil {
				t.Fatal(errs[i])
			}
			hashed += s.Hashed
		}
		return hashed
	}
	if n := run(); n != 3 {
		t.Errorf("%d files were read first", n)
	}
	before, err := os.Stat(index)
	if err != nil {
		t.Fatal(err)
	}
	if n := run(); n != 0 {
		t.Errorf("%d files were read again", n)
	}
	after, err := os.Stat(index)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("an index that was right was written again (%v)", err)
	}
	names, err := os.ReadDir(filepath.Dir(index))
	if err != nil || len(names) != 2 { // and its lock
		t.Errorf("beside the index are %v (%v)", names, err)
	}
}

func TestViewEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var v View
	for range 20 { // more than there are tokens: none may be lost
		if _, errs := v.Select(ctx, Request{Dir: tree(t, "a=1")}); !errors.Is(errs[0], context.Canceled) {
			t.Fatalf("the error is %v", errs[0])
		}
	}
	if _, errs := v.Select(context.Background(), Request{Dir: tree(t, "a=1")}); errs[0] != nil {
		t.Error(errs[0])
	}
}

// A folder of more names than one task takes, and more folders than there are
// goroutines, all at the same time.
func TestViewOfManyContexts(t *testing.T) {
	t.Parallel()
	var rs []Request
	var want []string
	for i := range 12 {
		var lines []string
		for k := range 3*chunk + 7 {
			lines = append(lines, fmt.Sprintf("web/d%d/f%d=%d", k%5*(i%3), k, k))
		}
		dir := tree(t, append(lines, "bin/app=1", "config/a=2")...)
		for _, r := range copies(dir, "") {
			rs = append(rs, r)
			want = append(want, sel(t, r).Digest())
		}
	}
	var v View
	sels, errs := v.Select(context.Background(), rs...)
	for i, s := range sels {
		if errs[i] != nil || s.Digest() != want[i] {
			t.Errorf("%s %q: another digest (%v)", rs[i].Dir, rs[i].Sources, errs[i])
		}
	}
}

// BenchmarkView is what a plan does with contexts in which nothing changed:
// list all copies, then know their digests.
func BenchmarkView(b *testing.B) {
	b.Run("200 contexts x 3 copies", func(b *testing.B) {
		dir, cache := b.TempDir(), b.TempDir()
		var rs []Request
		for i := range 200 {
			lines := []string{"bin/app=1"}
			for k := range 10 {
				lines = append(lines, fmt.Sprintf("config/c%d=%d", k, i), fmt.Sprintf("web/d%d/p%d=%d", k%3, k, i), fmt.Sprintf("src/d%d/p%d=%d", k%3, k, i))
			}
			at := filepath.Join(dir, fmt.Sprint(i))
			plant(b, at, lines...)
			rs = append(rs, copies(at, filepath.Join(cache, fmt.Sprint(i)))...)
		}
		benchmarkView(b, rs)
	})
	b.Run("one context of 50,000 files x 3 copies", func(b *testing.B) {
		dir, cache := b.TempDir(), b.TempDir()
		for d := range 100 {
			var lines []string
			for k := range 500 {
				lines = append(lines, fmt.Sprintf("%s/d%d/f%d=%d", []string{"bin/app", "config", "web"}[d%3], d, k, k))
			}
			plant(b, dir, lines...)
		}
		benchmarkView(b, copies(dir, filepath.Join(cache, "index")))
	})
}

func benchmarkView(b *testing.B, rs []Request) {
	round := func() (hashed int) {
		v := View{racy: int64(20 * time.Millisecond)}
		for _, r := range rs {
			if _, err := v.List(context.Background(), r); err != nil {
				b.Fatal(err)
			}
		}
		sels, errs := v.Select(context.Background(), rs...)
		for i, s := range sels {
			if errs[i] != nil {
				b.Fatal(errs[i])
			}
			if hashed += s.Hashed; !strings.HasPrefix(s.Digest(), "sha256:") {
				b.Fatal("no digest")
			}
		}
		return hashed
	}
	time.Sleep(50 * time.Millisecond)
	round()
	b.ReportAllocs()
	for b.Loop() {
		if n := round(); n != 0 {
			b.Fatalf("%d files were read", n)
		}
	}
}

// Takes is asked of files that are not there yet, and agrees with the
// selection once they are.
func TestTakesIsWhatWillBeSelected(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, ignore string
		r            Request
		file         string
		want         bool
	}{
		{"everything", "", Request{}, "out/index.json", true},
		{"the built-in list", "", Request{}, "out/.git/x", false},
		{"a file that a source names", "", Request{Sources: []string{"a"}}, "out/index.json", false},
		{"a glob", "", Request{Sources: []string{"o*"}}, "out/index.json", true},
		{"excluded", "", Request{Exclude: []string{"out"}}, "out/index.json", false},
		{"not included", "", Request{Include: []string{"a"}}, "out/index.json", false},
		{"ignored", "out\n", Request{UseDockerignore: true}, "out/index.json", false},
		{"an exception", "out\n!out/index.json\n", Request{UseDockerignore: true}, "out/index.json", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.r.Dir = tree(t, "a=1", ".dockerignore="+c.ignore)
			got, err := new(View).Takes(context.Background(), c.r, c.file)
			if err != nil || got != c.want {
				t.Fatalf("%v, %v", got, err)
			}
			plant(t, c.r.Dir, c.file+"=2")
			sel, err := List(context.Background(), c.r)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(onlyFiles(sel), c.file) != c.want {
				t.Errorf("the selection has %q", onlyFiles(sel))
			}
		})
	}
}
