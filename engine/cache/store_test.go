package cache

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// open opens a store in dir and closes it with the test.
func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return s
}

// fullEntry is an entry with every field set, whose blobs are in the store.
func fullEntry(t testing.TB, s *Store) Entry {
	t.Helper()
	blob, err := s.PutBlob([]byte("compressed"))
	if err != nil {
		t.Fatal(err)
	}
	toc, err := s.PutTOC("sha256:"+strings.Repeat("a", 64), []byte("toc v1\n"))
	if err != nil {
		t.Fatal(err)
	}
	return Entry{
		DiffID:  "sha256:" + strings.Repeat("a", 64),
		TarSize: 10240,
		TOC:     toc,
		Blobs:   []BlobRef{{Compressor: "gzip-6", MediaType: "application/vnd.oci.image.layer.v1.tar+gzip", Digest: blob, Size: 10}},
		Output:  "line 1\nline \xff\n",
		Facts:   map[string]string{"b": "2", "a": "1\n", "": "empty"},
		Elapsed: 1500 * time.Millisecond,
		Created: time.Unix(1700000000, 5),
		KeyText: goldenKey().Text(),
	}
}

func TestPublishedEntryIsFoundUnderBothKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	want := fullEntry(t, s)
	k := goldenKey()
	if err := s.Publish(k.DefID(), k.ActionID(), want); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Store{s, open(t, dir)} {
		for kind, find := range map[string]func() (Entry, bool){
			"def": func() (Entry, bool) { return s.Def(k.DefID()) },
			"act": func() (Entry, bool) { return s.Action(k.ActionID()) },
		} {
			got, ok := find()
			if !ok {
				t.Fatalf("%s: not found", kind)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: -want +got\n%s", kind, diff)
			}
		}
	}
}

func TestPublishLeavesOutAZeroKey(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	if err := s.Publish(DefID{1}, ActionID{}, Entry{Output: "x"}); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Def(DefID{1}); !ok {
		t.Error("the definition is not found")
	}
	if _, ok := s.Action(ActionID{}); ok {
		t.Error("the zero action is found")
	}
}

func TestPublishAgainReplaces(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	for _, out := range []string{"first", "second"} {
		if err := s.Publish(DefID{1}, ActionID{1}, Entry{Output: out}); err != nil {
			t.Fatal(err)
		}
	}
	if e, _ := s.Def(DefID{1}); e.Output != "second" {
		t.Errorf("output is %q", e.Output)
	}
}

// TestDamagedEntryIsAMiss cuts and changes an entry at every byte.
func TestDamagedEntryIsAMiss(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	e := Entry{Output: "out", Facts: map[string]string{"a": "b"}}
	path := s.shard("def", DefID{7}.String())
	damage := func(change func([]byte) []byte) {
		t.Helper()
		if err := s.Publish(DefID{7}, ActionID{}, e); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		os.Remove(path)
		if err := os.WriteFile(path, change(data), 0o444); err != nil {
			t.Fatal(err)
		}
		if got, ok := s.Def(DefID{7}); ok {
			t.Fatalf("a damaged entry is a hit: %+v", got)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("a damaged entry stays: %v", err)
		}
	}
	n := len(seal(e.text())) - 80
	for i := 0; i < n; i += 7 {
		damage(func(b []byte) []byte { return b[:i] })
		damage(func(b []byte) []byte { b[i] ^= 1; return b })
	}
}

func TestEntryWithoutItsBlobsIsAMiss(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, s *Store, e Entry){
		"blob removed":   func(t *testing.T, s *Store, e Entry) { os.Remove(blobPath(t, s, e.Blobs[0].Digest)) },
		"blob truncated": func(t *testing.T, s *Store, e Entry) { truncate(t, blobPath(t, s, e.Blobs[0].Digest), 3) },
		"table removed":  func(t *testing.T, s *Store, e Entry) { os.Remove(blobPath(t, s, e.TOC)) },
		"table cut":      func(t *testing.T, s *Store, e Entry) { truncate(t, blobPath(t, s, e.TOC), 3) },
		"table unnamed":  func(t *testing.T, s *Store, e Entry) { os.Remove(s.shard("toc", nameOf(e.DiffID))) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, t.TempDir())
			e := fullEntry(t, s)
			if err := s.Publish(DefID{1}, ActionID{2}, e); err != nil {
				t.Fatal(err)
			}
			spoil(t, s, e)
			if _, ok := s.Def(DefID{1}); ok {
				t.Error("the definition is a hit")
			}
			if _, ok := s.Action(ActionID{2}); ok {
				t.Error("the action is a hit")
			}
		})
	}
}

func TestFilesAreReadOnly(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	if err := s.Publish(DefID{1}, ActionID{2}, fullEntry(t, s)); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, kind := range []string{"def", "act", "blob", "toc"} {
		filepath.WalkDir(s.path(kind), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				t.Fatal(err)
			}
			if info, _ := d.Info(); !d.IsDir() {
				seen++
				if info.Mode().Perm() != 0o444 {
					t.Errorf("%s has mode %o", path, info.Mode().Perm())
				}
			}
			return nil
		})
	}
	if seen < 5 {
		t.Errorf("only %d files seen", seen)
	}
}

func TestRefsRecordsAndTables(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	diff := "sha256:" + strings.Repeat("d", 64)
	want := BlobRef{Compressor: "zstd-3", MediaType: "m", Digest: "sha256:" + strings.Repeat("e", 64), Size: 9}
	if err := s.PutRef(diff, want); err != nil {
		t.Fatal(err)
	}
	if got, ok := s.Ref(diff, "zstd-3"); !ok || got != want {
		t.Errorf("ref is %+v, %t", got, ok)
	}
	if _, ok := s.Ref(diff, "zstd-4"); ok {
		t.Error("another compressor has a ref")
	}
	if err := s.PutRecord("deb", "key\n", "value\xff"); err != nil {
		t.Fatal(err)
	}
	if got, ok := s.Record("deb", "key\n"); !ok || got != "value\xff" {
		t.Errorf("record is %q, %t", got, ok)
	}
	if _, ok := s.Record("image", "key\n"); ok {
		t.Error("another kind has the record")
	}
	digest, err := s.PutTOC(diff, []byte("toc v1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := s.TOC(diff); !ok || string(got) != "toc v1\n" {
		t.Errorf("table is %q, %t", got, ok)
	}
	truncate(t, blobPath(t, s, digest), 2)
	if got, ok := s.TOC(diff); ok {
		t.Errorf("a truncated table is found: %q", got)
	}
}

func TestOpenRefusesAForeignOrNewerStore(t *testing.T) {
	t.Parallel()
	newer := t.TempDir()
	open(t, newer)
	if err := os.WriteFile(filepath.Join(newer, "format"), []byte("specbuild store 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: newer}); !errors.Is(err, ErrNewer) {
		t.Errorf("a newer store: %v", err)
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can give a store to another user")
	}
	foreign := t.TempDir()
	open(t, foreign)
	if err := os.Chown(foreign, 1234, 1234); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: foreign}); !errors.Is(err, ErrForeign) {
		t.Errorf("another user's store: %v", err)
	}
}

func TestTempDirsGoWithTheStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	a, errA := s.TempDir()
	b, errB := s.TempDir()
	if errA != nil || errB != nil || a == b {
		t.Fatalf("%s %v, %s %v", a, errA, b, errB)
	}
	work := filepath.Join(a, "work", "work") // as overlay leaves it
	if err := os.MkdirAll(work, 0o700); err != nil {
		t.Fatal(err)
	}
	os.Chmod(work, 0)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"tmp", "leases"} {
		if left, _ := os.ReadDir(filepath.Join(dir, sub)); len(left) != 0 {
			t.Errorf("%s holds %v after Close", sub, left)
		}
	}
}

func blobPath(t testing.TB, s *Store, digest string) string {
	t.Helper()
	name, err := blobName(digest)
	if err != nil {
		t.Fatal(err)
	}
	return s.shard("blob", name)
}

// truncate changes a file in place, as a crash may.
func truncate(t testing.TB, path string, size int64) {
	t.Helper()
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func readBlob(t testing.TB, s *Store, digest string) (string, error) {
	t.Helper()
	f, err := s.OpenBlob(digest)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	return string(data), err
}

func TestAFreshStoreIsMadeBySeveralAtOnce(t *testing.T) {
	t.Parallel()
	for range 20 {
		dir := filepath.Join(t.TempDir(), "cache")
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				s, err := Open(Options{Dir: dir})
				if err != nil {
					t.Error(err)
					return
				}
				s.Close()
			})
		}
		wg.Wait()
	}
}
