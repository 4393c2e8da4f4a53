package source

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// aged selects with a racy margin that tests can wait for, and with times cut
// to 10 ms, as kernels before 6.13 have them.
func aged(t testing.TB, r Request, racy, coarse time.Duration) *Selection {
	t.Helper()
	v := View{racy: int64(racy), coarse: int64(coarse)}
	got, errs := v.Select(context.Background(), r)
	if errs[0] != nil {
		t.Fatal(errs[0])
	}
	return got[0]
}

func indexed(t testing.TB, dir string) Request {
	t.Helper()
	return Request{Dir: dir, StatIndex: filepath.Join(t.TempDir(), "stat", "index")}
}

func TestUnchangedFilesAreNotRead(t *testing.T) {
	t.Parallel()
	dir := tree(t, "a/f=1", "a/b/g=2", "h=3", "l -> h")
	r := indexed(t, dir)
	time.Sleep(30 * time.Millisecond)
	first := aged(t, r, 10*time.Millisecond, 0)
	second := aged(t, r, 10*time.Millisecond, 0)
	if first.Hashed != 3 || second.Hashed != 0 {
		t.Errorf("%d, then %d files were read", first.Hashed, second.Hashed)
	}
	if first.Digest() != second.Digest() || second.Digest() != sel(t, Request{Dir: dir}).Digest() {
		t.Error("the index changed the digest")
	}
}

func TestFreshFilesAreReadAgain(t *testing.T) {
	t.Parallel()
	dir := tree(t, "f=1", "old=2", "future=3")
	old, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	os.Chtimes(filepath.Join(dir, "old"), old, old) // its change time is new nevertheless
	os.Chtimes(filepath.Join(dir, "future"), future, future)
	r := indexed(t, dir)
	for i := range 2 {
		if s := sel(t, r); s.Hashed != 3 {
			t.Errorf("selection %d read %d files", i, s.Hashed)
		}
	}
	time.Sleep(30 * time.Millisecond)
	aged(t, r, 10*time.Millisecond, 0)
	if s := aged(t, r, 10*time.Millisecond, 0); s.Hashed != 1 {
		t.Errorf("%d files were read, want the one from the future", s.Hashed)
	}
}

func TestSelectionsShareAnIndex(t *testing.T) {
	t.Parallel()
	dir := tree(t, "a/f=1", "a/g=2", "b/h=3", "c=4", "l -> b", "one -> a/g")
	r := indexed(t, dir)
	time.Sleep(30 * time.Millisecond)
	total := 0
	for _, sources := range [][]string{{"a/f"}, {"one"}, {"b"}, {"c"}, {"l"}, {"l/h"}} {
		r.Sources = sources
		total += aged(t, r, 10*time.Millisecond, 0).Hashed
	}
	if total != 4 {
		t.Errorf("%d files were read for 4", total)
	}
	r.Sources = nil
	if s := aged(t, r, 10*time.Millisecond, 0); s.Hashed != 0 {
		t.Errorf("%d files were read again", s.Hashed)
	}
	for _, sources := range [][]string{{"a/f"}, {"one"}, nil} {
		r.Sources = sources
		if s := aged(t, r, 10*time.Millisecond, 0); s.Hashed != 0 {
			t.Errorf("%q: %d files were read again", sources, s.Hashed)
		}
	}
}

func TestIndexForgetsWhatIsGone(t *testing.T) {
	t.Parallel()
	dir := tree(t, "a/b/f=1", "a/g=2", "c/h=3")
	r := indexed(t, dir)
	time.Sleep(30 * time.Millisecond)
	aged(t, r, 10*time.Millisecond, 0)
	os.RemoveAll(filepath.Join(dir, "a/b"))
	os.Remove(filepath.Join(dir, "a/g"))
	r.Sources = []string{"a"}
	aged(t, r, 10*time.Millisecond, 0)
	x := openIndex(r.StatIndex)
	defer x.close()
	var dirs []string
	for _, d := range x.dirs {
		dirs = append(dirs, d.path)
	}
	if got := strings.Join(dirs, " "); got != "c" {
		t.Errorf("the index has %q", got)
	}
}

// TestDamagedIndexIsAbsent changes and cuts the index at every few bytes:
// the digest is right all the same.
func TestDamagedIndexIsAbsent(t *testing.T) {
	t.Parallel()
	dir := tree(t, "a/f=1", "b/g=2", "c/d/e/h=3")
	want := sel(t, Request{Dir: dir}).Digest()
	r := indexed(t, dir)
	time.Sleep(30 * time.Millisecond)
	aged(t, r, 10*time.Millisecond, 0)
	good, err := os.ReadFile(r.StatIndex)
	if err != nil {
		t.Fatal(err)
	}
	try := func(data []byte) {
		t.Helper()
		if err := os.WriteFile(r.StatIndex, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := aged(t, r, 10*time.Millisecond, 0).Digest(); got != want {
			t.Fatalf("digest is %s", got)
		}
	}
	for i := 0; i < len(good); i += 5 {
		bad := append([]byte(nil), good...)
		bad[i] ^= 0xff
		try(bad)
		try(good[:i])
	}
}

// TestRandomEdits edits a tree in every way that a person or a tool does, also
// within one tick of a coarse clock, and compares with hashing everything.
func TestRandomEdits(t *testing.T) {
	t.Parallel()
	const coarse, margin = 10 * time.Millisecond, 25 * time.Millisecond
	dir := tree(t, "a/f0=0", "a/f1=1", "a/b/f2=2", "f3=3", "c/f4=4")
	r := indexed(t, dir)
	rnd := rand.New(rand.NewPCG(3, 4))
	reused := 0
	for round := range 120 {
		for range rnd.IntN(3) {
			edit(t, dir, rnd)
		}
		if rnd.IntN(3) == 0 {
			time.Sleep(40 * time.Millisecond)
		}
		got, want := aged(t, r, margin, coarse), sel(t, Request{Dir: dir})
		if got.Digest() != want.Digest() {
			t.Fatalf("round %d: the index gave an old digest", round)
		}
		if got.Hashed < want.Hashed {
			reused++
		}
		edit(t, dir, rnd) // right after hashing, within the same tick
		if got, want := aged(t, r, margin, coarse), sel(t, Request{Dir: dir}); got.Digest() != want.Digest() {
			t.Fatalf("round %d: an edit within the tick was missed", round)
		}
	}
	if reused < 10 {
		t.Errorf("the index was of use in %d rounds only", reused)
	}
}

func edit(t *testing.T, dir string, rnd *rand.Rand) {
	t.Helper()
	files := onlyFiles(sel(t, Request{Dir: dir}))
	if len(files) == 0 {
		plant(t, dir, "f=0")
		return
	}
	path := filepath.Join(dir, files[rnd.IntN(len(files))])
	other := filepath.Join(dir, files[rnd.IntN(len(files))])
	var err error
	switch rnd.IntN(8) {
	case 0, 1, 2: // same size
		err = os.WriteFile(path, []byte{byte('0' + rnd.IntN(10))}, 0o600)
	case 3: // by rename, as editors do, with the old time, as rsync does
		info, statErr := os.Stat(path)
		tmp := filepath.Join(dir, "tmp-edit")
		os.WriteFile(tmp, []byte{byte('0' + rnd.IntN(10))}, info.Mode())
		if statErr == nil {
			os.Chtimes(tmp, info.ModTime(), info.ModTime())
		}
		err = os.Rename(tmp, path)
	case 4: // same content, old time
		old := time.Now().Add(-24 * time.Hour)
		err = os.Chtimes(path, old, old)
	case 5:
		err = os.Chmod(path, []os.FileMode{0o600, 0o700}[rnd.IntN(2)])
	case 6: // two files change places
		tmp := filepath.Join(dir, "tmp-swap")
		os.Rename(path, tmp)
		os.Rename(other, path)
		err = os.Rename(tmp, other)
	case 7:
		plant(t, dir, fmt.Sprintf("n%d/f=%d", rnd.IntN(3), rnd.IntN(10)))
	}
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
}

// TestAnotherTreeAtTheSamePath: device and inode tell it apart even if names,
// sizes and times are equal.
func TestAnotherTreeAtTheSamePath(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	dir, other := tree(t, "f=1"), tree(t, "f=2")
	r := indexed(t, dir)
	when := time.Now().Add(-time.Hour)
	os.Chtimes(filepath.Join(dir, "f"), when, when)
	os.Chtimes(filepath.Join(other, "f"), when, when)
	time.Sleep(30 * time.Millisecond)
	before := aged(t, r, 10*time.Millisecond, 0)
	if err := unix.Mount(other, dir, "", unix.MS_BIND, ""); err != nil {
		t.Skipf("no bind mount here: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	if after := aged(t, r, 10*time.Millisecond, 0); after.Digest() == before.Digest() {
		t.Error("the other tree was not noticed")
	}
}

// TestWriteWhileHashing: either the old or the new content is hashed, or it is
// an error; never a mixture that the index then keeps.
func TestWriteWhileHashing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	contents := [2]string{strings.Repeat("a", 3<<20), strings.Repeat("b", 3<<20)}
	var whole [2]string
	for i, c := range contents {
		if err := os.WriteFile(path, []byte(c), 0o600); err != nil {
			t.Fatal(err)
		}
		whole[i] = sel(t, Request{Dir: dir}).Digest()
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(3 * time.Millisecond):
				os.WriteFile(path, []byte(contents[i%2]), 0o600)
			}
		}
	}()
	r := indexed(t, dir)
	for range 20 {
		s, err := Select(context.Background(), r)
		if err == nil && s.Entries[0].Size == int64(len(contents[0])) && s.Digest() != whole[0] && s.Digest() != whole[1] {
			t.Log("a mixture was on disk when it was read, and was stable meanwhile")
		}
		if x := openIndex(r.StatIndex); x != nil {
			if len(x.find("")) != 0 {
				t.Error("a file that was just written is in the index")
			}
			x.close()
		}
	}
	close(stop)
	<-done
	if got := sel(t, r).Digest(); got != whole[0] && got != whole[1] {
		t.Errorf("at rest the digest is %s", got)
	}
}

func TestOpenVerifies(t *testing.T) {
	t.Parallel()
	dir := tree(t, "a/f=hello", "l -> a", "empty=")
	s := sel(t, Request{Dir: dir, Sources: []string{"l", "a", "empty"}})
	read := func(path string) (string, error) {
		f, err := s.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		data, err := io.ReadAll(f)
		return string(data), err
	}
	for path, want := range map[string]string{"a/f": "hello", "l/f": "hello", "empty": ""} {
		if got, err := read(path); got != want || err != nil {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	for _, path := range []string{"a", "nope", "../x", "/etc/passwd"} {
		if _, err := read(path); err == nil {
			t.Errorf("%s could be opened", path)
		}
	}
	change := map[string]func(path string){
		"other content": func(p string) { os.WriteFile(p, []byte("hellO"), 0o600) },
		"shorter":       func(p string) { os.WriteFile(p, []byte("hell"), 0o600) },
		"longer":        func(p string) { os.WriteFile(p, []byte("hello!"), 0o600) },
		"removed":       func(p string) { os.Remove(p) },
		"a link":        func(p string) { os.Remove(p); os.Symlink("/etc/passwd", p) },
		"a folder":      func(p string) { os.Remove(p); os.Mkdir(p, 0o700) },
		"a FIFO":        func(p string) { os.Remove(p); unix.Mkfifo(p, 0o600) },
	}
	for what, do := range change {
		path := filepath.Join(dir, "a/f")
		os.RemoveAll(path)
		do(path)
		if _, err := read("a/f"); err == nil || !strings.Contains(err.Error(), "a/f was changed") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestFolderSwappedForALink: the parent of a file becomes a link to outside
// between hashing and reading.
func TestFolderSwappedForALink(t *testing.T) {
	t.Parallel()
	outside := tree(t, "f=hello")
	dir := tree(t, "a/f=hello")
	s := sel(t, Request{Dir: dir})
	os.RemoveAll(filepath.Join(dir, "a"))
	if err := os.Symlink(outside, filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	if f, err := s.Open("a/f"); err == nil {
		f.Close()
		t.Error("a file outside the context was opened")
	}
}

func BenchmarkSelect10k(b *testing.B) {
	dir := b.TempDir()
	for d := range 100 {
		var lines []string
		for f := range 100 {
			lines = append(lines, fmt.Sprintf("d%d/f%d.go=%d", d, f, f))
		}
		plant(b, dir, lines...)
	}
	r := indexed(b, dir)
	r.UseDockerignore = true
	plant(b, dir, ".dockerignore=*.md\nnode_modules\n**/*.log\n")
	time.Sleep(50 * time.Millisecond)
	aged(b, r, 20*time.Millisecond, 0)
	b.Run("unchanged", func(b *testing.B) {
		for b.Loop() {
			if s := aged(b, r, 20*time.Millisecond, 0); s.Hashed != 0 {
				b.Fatalf("%d files were read", s.Hashed)
			}
		}
	})
	b.Run("hash all", func(b *testing.B) {
		for b.Loop() {
			sel(b, Request{Dir: dir, UseDockerignore: true})
		}
	})
	b.Run("list", func(b *testing.B) {
		for b.Loop() {
			if _, err := List(context.Background(), Request{Dir: dir, UseDockerignore: true}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
