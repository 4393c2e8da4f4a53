package cache

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A lease is a file that its process keeps locked; the kernel lets go of it
// when the process dies, however it dies. newLease is the prefix of a file
// that is not locked yet.
const (
	newLease      = "new."
	newLeaseGrace = time.Hour
)

type lease struct {
	name string
	path string
	f    *os.File
}

// takeLease makes a lease. The file gets its name when it is locked already:
// nobody may meet it unlocked and take it for a dead one's.
func takeLease(dir string) (*lease, error) {
	var r [6]byte
	rand.Read(r[:])
	boot := bootID()
	name := fmt.Sprintf("%s.%d.%s", boot[:min(8, len(boot))], os.Getpid(), hex.EncodeToString(r[:]))
	tmp := filepath.Join(dir, newLease+name)
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("taking a lease: %w", err)
	}
	l := &lease{name: name, path: filepath.Join(dir, name), f: f}
	if err = lockFile(f, true); err == nil {
		err = os.Rename(tmp, l.path)
	}
	if err != nil {
		f.Close()
		os.Remove(tmp)
		return nil, fmt.Errorf("taking a lease: %w", err)
	}
	return l, nil
}

func (l *lease) release() error {
	return errors.Join(os.Remove(l.path), l.f.Close())
}

// reap removes what dead processes left.
func (s *Store) reap(ctx context.Context, hook func(lease string)) {
	defer close(s.reaped)
	s.eachOtherLease(func(name string, f *os.File, info fs.FileInfo) bool {
		if f == nil {
			return true // alive
		}
		if hook != nil {
			hook(name)
		}
		if err := removeTreeCtx(ctx, s.path("tmp", name)); err != nil {
			return ctx.Err() == nil // the lease stays: somebody tries again
		}
		os.Remove(s.path("leases", name))
		return ctx.Err() == nil
	})
}

// eachOtherLease calls visit for every lease but our own, with the locked
// file if its process is dead and nil if it lives, until visit says false.
func (s *Store) eachOtherLease(visit func(name string, dead *os.File, info fs.FileInfo) bool) {
	names, err := os.ReadDir(s.path("leases"))
	if err != nil {
		return
	}
	for _, d := range names {
		if d.Name() == s.lease.name {
			continue
		}
		path := s.path("leases", d.Name())
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			continue // released meanwhile
		}
		info, err := f.Stat()
		more := true
		switch {
		case err != nil:
		case strings.HasPrefix(d.Name(), newLease):
			if time.Since(info.ModTime()) > newLeaseGrace {
				os.Remove(path)
			}
		case lockFile(f, true) != nil:
			more = visit(d.Name(), nil, info)
		case samePath(f, path): // else it was released or reaped before we had the lock
			more = visit(d.Name(), f, info)
		}
		f.Close()
		if !more {
			return
		}
	}
}

// samePath reports whether an open file is still what its path names.
func samePath(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}

// removeTree removes a directory, also one with directories of mode 000,
// which overlay leaves as its work directories.
func removeTree(path string) error { return removeTreeCtx(context.Background(), path) }

// removeTreeCtx stops between two children of path when ctx is done.
func removeTreeCtx(ctx context.Context, path string) error {
	names, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, d := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := forceRemove(filepath.Join(path, d.Name())); err != nil {
			return err
		}
	}
	return forceRemove(path)
}

func forceRemove(path string) error {
	err := os.RemoveAll(path)
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && os.Chmod(p, 0o700) == nil && err != nil {
			return forceRemove(p) // it could not be read before
		}
		return nil
	})
	return os.RemoveAll(path)
}
