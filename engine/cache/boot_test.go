package cache

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// crash makes the store look as if the machine had crashed and started anew:
// all was on disk until synced, later files may have lost their data.
func crash(t testing.TB, dir string, synced time.Time) {
	t.Helper()
	b := bootState{id: "an earlier start", synced: synced}
	if err := os.WriteFile(filepath.Join(dir, "boot"), b.text(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// loseData makes a file one of zeros, as ext4 and xfs may.
func loseData(t testing.TB, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	truncate(t, path, 0)
	truncate(t, path, info.Size())
	os.Chtimes(path, info.ModTime(), info.ModTime())
}

func TestLostDataIsNoticedAfterACrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	lost, errA := s.PutBlob([]byte("lost"))
	whole, errB := s.PutBlob([]byte("whole"))
	entry := Entry{Blobs: []BlobRef{{Digest: lost, Size: 4}}}
	if err := errors.Join(errA, errB, s.Publish(DefID{1}, ActionID{}, entry), hammerSnapshot(s, 1), s.Close()); err != nil {
		t.Fatal(err)
	}
	loseData(t, blobPath(t, s, lost))
	crash(t, dir, time.Now().Add(-time.Hour))

	s = open(t, dir)
	if _, ok := s.Def(DefID{1}); ok {
		t.Error("an entry whose blob lost its data is a hit")
	}
	if _, err := s.OpenBlob(lost); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the blob that lost its data: %v", err)
	}
	if got, err := readBlob(t, s, whole); got != "whole" || err != nil {
		t.Errorf("the other blob: %q, %v", got, err)
	}
	if info, err := os.Stat(blobPath(t, s, whole)); err != nil || s.inDoubt(info.ModTime()) {
		t.Errorf("it is still in doubt after it was hashed: %v", err)
	}
	if _, ok := s.FindSnapshot("full", "tree 1"); ok {
		t.Error("a snapshot in doubt is found")
	}
	if err := hammerSnapshot(s, 1); err != nil {
		t.Error(err)
	}
	if _, ok := s.FindSnapshot("full", "tree 1"); !ok {
		t.Error("a snapshot that was made again is not found")
	}
}

func TestWhatWasSyncedIsNotHashedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := s.PutBlob([]byte("synced"))
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	loseData(t, blobPath(t, s, digest)) // hashing would notice
	age(t, filepath.Join(dir, "blob"), 2*time.Hour)
	crash(t, dir, time.Now().Add(-time.Hour))
	if !open(t, dir).HasBlob(digest, 6) {
		t.Error("a blob that was on disk for sure was hashed again")
	}
}

func TestLostBootFileDoubtsEverything(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"missing": "", "zeros": strings.Repeat("\x00", 200), "cut": bootTitle + "\nid \"x\"\n"} {
		dir := t.TempDir()
		s, err := Open(Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		digest, err := s.PutBlob([]byte("data"))
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
		loseData(t, blobPath(t, s, digest))
		os.WriteFile(filepath.Join(dir, "boot"), []byte(content), 0o600)
		if open(t, dir).HasBlob(digest, 4) {
			t.Errorf("%s: a blob of zeros is there", name)
		}
	}
}

func TestDoubtGrowsOverCrashes(t *testing.T) {
	t.Parallel()
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	b := bootState{id: "1", synced: at(100)}
	b = b.rebooted("2", at(200)) // files used in (100, 200] may be damaged
	b.synced = at(300)           // that they are on disk does not make them whole
	b = b.rebooted("3", at(400))
	for _, tc := range []struct {
		used int64
		want bool
	}{{99, false}, {100, false}, {101, true}, {200, true}, {350, true}, {400, true}, {401, false}} {
		if got := b.doubts(at(tc.used)); got != tc.want {
			t.Errorf("used at %d: in doubt is %t", tc.used, got)
		}
	}
	if got := parseBoot(b.text()); got != b {
		t.Errorf("read back it is %+v, was %+v", got, b)
	}
}

func TestPublishingSyncsWhatWasPublishedLongAgo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	long := time.Now().Add(-time.Hour)
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.PutRecord("k", "a", "1"), s.Close()); err != nil {
		t.Fatal(err)
	}
	os.Chtimes(filepath.Join(dir, "published"), long, long)
	b := bootState{id: bootID(), synced: long.Add(-time.Hour)}
	if err := os.WriteFile(filepath.Join(dir, "boot"), b.text(), 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if err := s.PutRecord("k", "b", "2"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); !s.readBoot().synced.After(long); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing was synced")
		}
	}
}

func BenchmarkOpenClose(b *testing.B) {
	dir := b.TempDir()
	open(b, dir)
	for b.Loop() {
		s, err := Open(Options{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}

func BenchmarkDef(b *testing.B) {
	s := open(b, b.TempDir())
	e := fullEntry(b, s)
	if err := s.Publish(DefID{1}, ActionID{1}, e); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, ok := s.Def(DefID{1}); !ok {
			b.Fatal("no entry")
		}
	}
}

func BenchmarkSnapshotHit(b *testing.B) {
	s := open(b, b.TempDir())
	for b.Loop() {
		if _, err := s.Snapshot(context.Background(), "full", "n", func(string) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPutBlob64k(b *testing.B) {
	s := open(b, b.TempDir())
	data := make([]byte, 64<<10)
	b.SetBytes(int64(len(data)))
	for i := 0; b.Loop(); i++ {
		data[0], data[1] = byte(i), byte(i>>8)
		if _, err := s.PutBlob(data); err != nil {
			b.Fatal(err)
		}
	}
}
