package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var errBuild = errors.New("build failed")

func write(dir, content string) error {
	return os.WriteFile(filepath.Join(dir, "f"), []byte(content), 0o600)
}

func TestSnapshotIsBuiltOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stores := []*Store{open(t, dir), open(t, dir)} // as two processes have them
	var builds atomic.Int32
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			path, err := stores[i%2].Snapshot(context.Background(), "full", "sha256:x", func(dir string) error {
				builds.Add(1)
				time.Sleep(5 * time.Millisecond)
				return write(dir, "tree")
			})
			if data, readErr := os.ReadFile(filepath.Join(path, "f")); err != nil || string(data) != "tree" {
				t.Errorf("%q, %v, %v", data, err, readErr)
			}
		})
	}
	wg.Wait()
	if builds.Load() != 1 {
		t.Errorf("built %d times", builds.Load())
	}
}

func TestSnapshotNamesAreShortAndApart(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	long := "sha256:" + strings.Repeat("f", 64) + " times " + strings.Repeat("0", 64)
	seen := map[string]bool{}
	for _, k := range [][2]string{{"full", long}, {"single", long}, {"full", long + "x"}} {
		path, err := s.Snapshot(context.Background(), k[0], k[1], func(dir string) error { return write(dir, k[0]+k[1]) })
		if err != nil {
			t.Fatal(err)
		}
		if rel := strings.TrimPrefix(path, s.Dir()); seen[path] || len(rel) > 40 {
			t.Errorf("%q has path %s", k, rel)
		}
		seen[path] = true
	}
	for _, kind := range []string{"", "../x", "a/b", "A"} {
		if _, err := s.Snapshot(context.Background(), kind, "n", func(string) error { return nil }); err == nil {
			t.Errorf("kind %q was taken", kind)
		}
	}
}

func TestFailedSnapshotLeavesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	_, err := s.Snapshot(context.Background(), "full", "n", func(dir string) error {
		return errors.Join(write(dir, "half"), errBuild)
	})
	if !errors.Is(err, errBuild) {
		t.Errorf("error is %v", err)
	}
	if _, ok := s.FindSnapshot("full", "n"); ok {
		t.Error("half a snapshot is found")
	}
	if left, _ := os.ReadDir(s.path("tmp", s.Lease())); len(left) != 0 {
		t.Errorf("temporary files are left: %v", left)
	}
	if _, err := s.Snapshot(context.Background(), "full", "n", func(dir string) error { return write(dir, "whole") }); err != nil {
		t.Errorf("the second time: %v", err)
	}
}

func TestAdoptSnapshot(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	adopt := func(content string) string {
		t.Helper()
		dir, err := s.TempDir()
		if err != nil {
			t.Fatal(err)
		}
		upper := filepath.Join(dir, "upper")
		if err := errors.Join(os.Mkdir(upper, 0o750), write(upper, content)); err != nil {
			t.Fatal(err)
		}
		path, err := s.AdoptSnapshot(context.Background(), "full", "n", upper)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(upper); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the directory is still there: %v", err)
		}
		data, err := os.ReadFile(filepath.Join(path, "f"))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if got := adopt("first"); got != "first" {
		t.Errorf("content is %q", got)
	}
	if got := adopt("second"); got != "first" {
		t.Errorf("a snapshot was replaced by %q", got)
	}
	path, _ := s.FindSnapshot("full", "n")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("the root's own mode is lost: %v, %v", info.Mode(), err)
	}
	for _, dir := range []string{t.TempDir(), s.Dir(), s.path("tmp", s.Lease()), s.path("tmp", s.Lease(), "..", "other")} {
		if _, err := s.AdoptSnapshot(context.Background(), "full", "other", dir); err == nil {
			t.Errorf("%s was adopted", dir)
		}
	}
}

func TestLockIsHeldByOneGoroutineOfAnyStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stores := []*Store{open(t, dir), open(t, dir)}
	var holders, most, turns atomic.Int32
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for range 5 {
				unlock, err := stores[i%2].Lock(context.Background(), "name", nil)
				if err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n > most.Load() {
					most.Store(n)
				}
				turns.Add(1)
				holders.Add(-1)
				unlock()
				unlock() // a second time does nothing
			}
		})
	}
	wg.Wait()
	if most.Load() != 1 || turns.Load() != 100 {
		t.Errorf("%d turns, at most %d holders", turns.Load(), most.Load())
	}
}

func TestLocksOfTwoNamesAreTwo(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	a, err := s.Lock(context.Background(), "a", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer a()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if b, err := s.Lock(ctx, "b", nil); err != nil {
		t.Errorf("another name: %v", err)
	} else {
		b()
	}
	if _, err := s.Lock(ctx, "a", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the same name: %v", err)
	}
}

func TestMountSharing(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		first, second Sharing
		want          string // of the second: "same", "own" or "waits"
	}{
		{Shared, Shared, "same"}, {Shared, Locked, "waits"}, {Locked, Shared, "waits"},
		{Locked, Locked, "waits"}, {Private, Private, "own"}, {Shared, Private, "own"},
	} {
		t.Run(fmt.Sprintf("%s then %s", tc.first, tc.second), func(t *testing.T) {
			t.Parallel()
			s := open(t, t.TempDir())
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			a, releaseA, err := s.Mount(ctx, "id", tc.first)
			if err != nil {
				t.Fatal(err)
			}
			got := "waits"
			b, releaseB, err := s.Mount(ctx, "id", tc.second)
			switch {
			case err == nil && a == b:
				got = "same"
			case err == nil:
				got = "own"
			case !errors.Is(err, context.DeadlineExceeded):
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("the second gets %q, want %q", got, tc.want)
			}
			if err == nil {
				releaseB()
			}
			releaseA()
			c, releaseC, err := s.Mount(context.Background(), "id", tc.second)
			if err != nil || c != a {
				t.Errorf("after release: %s, %v; want %s", c, err, a)
			}
			releaseC()
		})
	}
}

func TestMountKeepsItsContent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i, s := range []*Store{open(t, dir), open(t, dir)} {
		mount, release, err := s.Mount(context.Background(), "shop/go/linux-amd64/0", Shared)
		if err != nil {
			t.Fatal(err)
		}
		if list, _ := os.ReadDir(mount); len(list) != i {
			t.Errorf("store %d finds %v", i, list)
		}
		if err := write(mount, "kept"); err != nil {
			t.Fatal(err)
		}
		release()
	}
	if _, _, err := open(t, dir).Mount(context.Background(), "x", "exclusive"); err == nil {
		t.Error("an unknown way of sharing was taken")
	}
}
