package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A snapshot is a directory snap/<kind>/<short> with the tree in fs and its
// whole name in name; the time of name is that of the last use.
const (
	snapTree = "fs"
	snapName = "name"
)

// Snapshot finds an unpacked tree, or makes it once: build fills an empty
// directory, which is renamed whole into place when it succeeds. The kind is
// what may not be shared, an id map; the name is the tree's, such as a DiffID.
// The tree must not be changed; it stays while this process lives.
func (s *Store) Snapshot(ctx context.Context, kind, name string, build func(dir string) error) (string, error) {
	if path, ok := s.FindSnapshot(kind, name); ok {
		return path, nil
	}
	unlock, err := s.Lock(ctx, "snapshot "+kind+" "+name, nil)
	if err != nil {
		return "", err
	}
	defer unlock()
	if path, ok := s.FindSnapshot(kind, name); ok {
		return path, nil
	}
	tmp, err := s.TempDir()
	if err != nil {
		return "", err
	}
	tree := filepath.Join(tmp, snapTree)
	if err = os.Mkdir(tree, 0o755); err == nil {
		err = build(tree)
	}
	if err != nil {
		_ = removeTree(tmp) // the lease removes it otherwise
		return "", fmt.Errorf("making snapshot %s: %w", name, full(tree, 1, err))
	}
	return s.placeSnapshot(tmp, kind, name)
}

// AdoptSnapshot makes a directory of this store's TempDir a snapshot, if
// there is none of that name, and returns the snapshot's path. The directory
// is gone afterwards in either case.
func (s *Store) AdoptSnapshot(ctx context.Context, kind, name, dir string) (string, error) {
	if rel, err := filepath.Rel(s.path("tmp", s.lease.name), dir); err != nil || !filepath.IsLocal(rel) || rel == "." {
		return "", fmt.Errorf("adopting a snapshot: %s is not in this process's part of the cache", dir)
	}
	unlock, err := s.Lock(ctx, "snapshot "+kind+" "+name, nil)
	if err != nil {
		return "", err
	}
	defer unlock()
	if path, ok := s.FindSnapshot(kind, name); ok {
		return path, removeTree(dir)
	}
	tmp, err := s.TempDir()
	if err != nil {
		return "", err
	}
	if err := os.Rename(dir, filepath.Join(tmp, snapTree)); err != nil {
		return "", fmt.Errorf("adopting a snapshot: %w", err)
	}
	return s.placeSnapshot(tmp, kind, name)
}

// FindSnapshot finds an unpacked tree that is there already.
func (s *Store) FindSnapshot(kind, name string) (path string, ok bool) {
	dir, err := s.snapDir(kind, name)
	if err != nil {
		return "", false
	}
	label := filepath.Join(dir, snapName)
	have, info, err := readFile(label)
	if err != nil || string(have) != name || s.inDoubt(info.ModTime()) {
		return "", false
	}
	return filepath.Join(dir, snapTree), s.use("snap", label, info)
}

// placeSnapshot gives a finished tree its name; the caller holds its lock.
func (s *Store) placeSnapshot(tmp, kind, name string) (string, error) {
	dir, err := s.snapDir(kind, name)
	if err != nil {
		return "", err
	}
	s.published()
	if err := os.WriteFile(filepath.Join(tmp, snapName), []byte(name), 0o444); err != nil {
		return "", full(dir, int64(len(name)), err)
	}
	if err := s.discard(dir); err != nil {
		return "", err // one that was in doubt, or has lost its name
	}
	if err := s.place(tmp, dir); err != nil {
		_ = removeTree(tmp) // the lease removes it otherwise
		return "", fmt.Errorf("placing snapshot %s: %w", name, full(dir, 1, err))
	}
	return filepath.Join(dir, snapTree), nil
}

// discard removes a directory of the store: renamed first, so that nobody
// sees half of it.
func (s *Store) discard(dir string) error {
	tmp, err := s.tempName()
	if err != nil {
		return err
	}
	if err := os.Rename(dir, tmp); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("removing %s: %w", dir, err)
	}
	return removeTree(tmp)
}

func (s *Store) snapDir(kind, name string) (string, error) {
	if kind == "" || strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return "", fmt.Errorf("%q cannot be a kind of snapshot", kind)
	}
	return s.path("snap", kind, short(name)), nil
}

// Sharing says who may use a cache mount at one time.
type Sharing string

// The ways of sharing: several steps at once; one, others wait; one, others
// get a directory of their own.
const (
	Shared  Sharing = "shared"
	Locked  Sharing = "locked"
	Private Sharing = "private"
)

// maxPrivate bounds how many directories one private id may have.
const maxPrivate = 1000

// Mount gives the directory of a cache mount, empty when it is new, until
// release is called or the process dies. The id is its whole identity. A step
// that needs several takes them in sorted order of id, so that no two steps
// wait for each other.
func (s *Store) Mount(ctx context.Context, id string, sharing Sharing) (dir string, release func(), err error) {
	s.used.Store(true)
	base := s.path("mounts", short(id))
	switch sharing {
	case Shared, Locked:
		dir = base
		var f *os.File
		if f, err = s.holdMount(ctx, dir, id, sharing == Locked); err == nil {
			return filepath.Join(dir, "data"), mountRelease(f), nil
		}
	case Private:
		for i := range maxPrivate {
			dir = base
			if i > 0 {
				dir = fmt.Sprintf("%s-%d", base, i)
			}
			var f *os.File
			f, err = s.tryMount(dir, id, true)
			if err == nil {
				return filepath.Join(dir, "data"), mountRelease(f), nil
			}
			if !errors.Is(err, errLocked) {
				break
			}
		}
	default:
		err = fmt.Errorf("unknown sharing %q", sharing)
	}
	return "", nil, fmt.Errorf("taking cache mount %s: %w", id, full(base, 1, err))
}

// Bringing is the file beside the directory of a cache mount that says that its
// first content is being moved in: whoever finds it, holding what makes it the
// only one to do so, finds a part of that content.
func Bringing(dir string) string { return filepath.Join(filepath.Dir(dir), "bringing") }

func (s *Store) holdMount(ctx context.Context, dir, id string, exclusive bool) (*os.File, error) {
	for pause := firstRetry; ; pause = min(2*pause, lastRetry) {
		f, err := s.tryMount(dir, id, exclusive)
		if !errors.Is(err, errLocked) {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// tryMount makes the directory if need be and locks it. A trimmer may remove
// the directory in between: then the lock is of a file that no path names,
// and tryLock starts over.
func (s *Store) tryMount(dir, id string, exclusive bool) (*os.File, error) {
	for {
		if err := os.MkdirAll(filepath.Join(dir, "data"), 0o755); err != nil {
			return nil, err
		}
		f, err := tryLock(filepath.Join(dir, "lock"), exclusive)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(filepath.Join(dir, "id")); err != nil {
			err = os.WriteFile(filepath.Join(dir, "id"), []byte(id), 0o600)
			if err != nil {
				f.Close()
				return nil, err
			}
		}
		return f, nil
	}
}

// mountRelease notes the time of last use and lets go.
func mountRelease(f *os.File) func() {
	return func() {
		now := time.Now()
		_ = os.Chtimes(f.Name(), now, now) // only the order of trimming depends on it
		f.Close()
	}
}
