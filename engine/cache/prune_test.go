package cache

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// age sets the time of last use of everything in a folder of the store.
func age(t testing.TB, dir string, d time.Duration) {
	t.Helper()
	when := time.Now().Add(-d)
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chtimes(path, when, when)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// filled makes a store with something of each kind, and closes it.
func filled(t testing.TB) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	e := fullEntry(t, s)
	e.Output = "old"
	if err := s.Publish(DefID{1}, ActionID{1}, e); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.PutRef(e.DiffID, e.Blobs[0]), s.PutRecord("deb", "k", "v"), hammerSnapshot(s, 1)); err != nil {
		t.Fatal(err)
	}
	s.Chunks().Put(e.Blobs[0].Digest, []Chunk{{Key: [32]byte{1}, Size: 1}})
	mount, release, err := s.Mount(context.Background(), "id", Shared)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := os.WriteFile(filepath.Join(mount, "f"), make([]byte, 50000), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func prune(t testing.TB, s *Store, o PruneOptions) PruneReport {
	t.Helper()
	r, err := s.Prune(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func count(t testing.TB, s *Store) int {
	t.Helper()
	list, err := s.Usage(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, u := range list {
		n += u.Count
	}
	return n
}

func TestPruneAllRemovesEverythingWhenAlone(t *testing.T) {
	t.Parallel()
	s := open(t, filled(t))
	if n := count(t, s); n < 10 {
		t.Fatalf("the store holds %d things", n)
	}
	dry := prune(t, s, PruneOptions{All: true, DryRun: true})
	if n := count(t, s); n < 10 {
		t.Fatalf("a dry run left %d things", n)
	}
	r := prune(t, s, PruneOptions{All: true})
	if n := count(t, s); n != 0 || r.Kept != 0 || r.Spared != 0 || r.Freed < 100000 || dry.Freed < 100000 {
		t.Errorf("%d things are left; %+v", n, r)
	}
	for i, removed := range r.Removed {
		// Counted, not in bytes: a file system may allocate blocks meanwhile.
		if said := dry.Removed[i]; said.Kind != removed.Kind || said.Count != removed.Count {
			t.Errorf("the dry run said %+v, removed was %+v", said, removed)
		}
	}
	if err := s.Publish(DefID{1}, ActionID{1}, Entry{}); err != nil {
		t.Errorf("the store cannot be used afterwards: %v", err)
	}
}

func TestPruneSparesWhatThisProcessUsed(t *testing.T) {
	t.Parallel()
	s := open(t, filled(t))
	if _, ok := s.Def(DefID{1}); !ok {
		t.Fatal("no entry")
	}
	r := prune(t, s, PruneOptions{All: true})
	if _, ok := s.Def(DefID{1}); !ok || r.Spared == 0 {
		t.Errorf("the entry is gone; %+v", r)
	}
}

// TestPruneSparesWhatALivingProcessUses: things that were unused for a day
// are looked up by another process, which lives on.
func TestPruneSparesWhatALivingProcessUses(t *testing.T) {
	t.Parallel()
	dir := filled(t)
	s := open(t, dir)
	if err := s.Publish(DefID{2}, ActionID{}, Entry{Output: "nobody's"}); err != nil {
		t.Fatal(err)
	}
	for _, kind := range kinds() {
		age(t, s.path(kind), 24*time.Hour)
	}
	_, out, input := spawn(t, "use", dir)
	expectLine(t, out, "ready true old")
	age(t, filepath.Join(dir, "leases", s.Lease()), 0)
	prune(t, s, PruneOptions{All: true})
	e, ok := s.Def(DefID{1})
	if !ok {
		t.Fatal("the other process's entry is gone")
	}
	for _, digest := range []string{e.Blobs[0].Digest, e.TOC} {
		if _, err := readBlob(t, s, digest); err != nil {
			t.Errorf("a blob of the other process's entry is gone: %v", err)
		}
	}
	if _, ok := s.Def(DefID{2}); ok {
		t.Error("what nobody uses is still there")
	}
	input.Close()
}

func TestPruneByAgeAndSize(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	var blobs []string
	for i := range 4 {
		d, err := s.PutBlob([]byte(strings.Repeat(string(rune('a'+i)), 100<<10)))
		if err != nil {
			t.Fatal(err)
		}
		blobs = append(blobs, d)
		age(t, blobPath(t, s, d), time.Duration(10+4-i)*time.Hour) // the first is the oldest
	}
	left := func() string {
		var b strings.Builder
		for i, d := range blobs {
			if _, err := os.Stat(blobPath(t, s, d)); err == nil {
				b.WriteByte(byte('a' + i))
			}
		}
		return b.String()
	}
	if prune(t, s, PruneOptions{}); left() != "abcd" {
		t.Errorf("without options %q is left", left())
	}
	if prune(t, s, PruneOptions{OlderThan: 13*time.Hour + 30*time.Minute}); left() != "bcd" {
		t.Errorf("by age %q is left", left())
	}
	if prune(t, s, PruneOptions{KeepBytes: 250 << 10}); left() != "cd" {
		t.Errorf("by size %q is left", left())
	}
	if prune(t, s, PruneOptions{Free: 1 << 60}); left() != "" {
		t.Errorf("for free space %q is left", left())
	}
}

func TestPruneLeavesAMountInUse(t *testing.T) {
	t.Parallel()
	dir := filled(t)
	s := open(t, dir)
	mount, release, err := s.Mount(context.Background(), "id", Shared)
	if err != nil {
		t.Fatal(err)
	}
	age(t, s.path("mounts"), 24*time.Hour)
	prune(t, s, PruneOptions{All: true})
	if _, err := os.Stat(filepath.Join(mount, "f")); err != nil {
		t.Error(err)
	}
	release()
	age(t, s.path("mounts"), 24*time.Hour)
	prune(t, s, PruneOptions{All: true})
	if _, err := os.Stat(mount); err == nil {
		t.Error("it is still there")
	}
}

func TestOnlyOneTrimmer(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	f, err := tryLock(s.path("locks", "trim"), true)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := s.Prune(context.Background(), PruneOptions{All: true}); !errors.Is(err, ErrBusy) {
		t.Errorf("error is %v", err)
	}
}

// TestFullDisk fills a tmpfs of 1 MB.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m,mode=700"); err != nil {
		t.Skipf("mounting a tmpfs needs root: %v", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	s, err := Open(Options{Dir: filepath.Join(dir, "store")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	old, err := s.PutBlob(make([]byte, 300<<10))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.PutBlob(make([]byte, 2<<20))
	var full *FullError
	if !errors.As(err, &full) || !errors.Is(err, ErrFull) || !errors.Is(err, unix.ENOSPC) || full.Need <= 0 || !strings.HasPrefix(full.Path, dir) {
		t.Fatalf("a blob: %v", err)
	}
	if left, _ := os.ReadDir(s.path("tmp", s.Lease())); len(left) != 0 {
		t.Errorf("temporary files are left: %v", left)
	}
	if err := s.Publish(DefID{1}, ActionID{}, Entry{Output: strings.Repeat("x", 2<<20)}); !errors.Is(err, ErrFull) {
		t.Errorf("an entry: %v", err)
	}
	_, err = s.Snapshot(context.Background(), "full", "n", func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "f"), make([]byte, 2<<20), 0o600)
	})
	if !errors.Is(err, ErrFull) {
		t.Errorf("a snapshot: %v", err)
	}
	if _, ok := s.Def(DefID{1}); ok {
		t.Error("half an entry is found")
	}
	age(t, blobPath(t, s, old), 24*time.Hour)
	prune(t, s, PruneOptions{Free: 900 << 10})
	if _, err := s.PutBlob(make([]byte, 700<<10)); err != nil {
		t.Errorf("after pruning: %v", err)
	}
}
