package cache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const format = "specbuild store 1\n"

// Errors that callers tell apart; they are found with errors.Is.
var (
	// ErrFull is a full disk or quota. The error is a *FullError.
	ErrFull = errors.New("no space left for the cache")
	// ErrForeign is a store that another user owns.
	ErrForeign = errors.New("the cache belongs to another user")
	// ErrNewer is a store that a newer specbuild has made.
	ErrNewer = errors.New("the cache was made by a newer specbuild")
	// ErrBusy is a store that another process trims right now.
	ErrBusy = errors.New("another process is pruning the cache")
)

// FullError says where there was no room, and for how much.
type FullError struct {
	Path string // what was being written
	Need int64  // bytes that were to be written at least
	Err  error
}

// Error names the path and the command that helps.
func (e *FullError) Error() string {
	return fmt.Sprintf("no space left for %s (at least %d bytes needed): %v", e.Path, e.Need, e.Err)
}

// Unwrap gives both ErrFull and the system's error.
func (e *FullError) Unwrap() []error { return []error{ErrFull, e.Err} }

// Options of a store; the zero value is the user's own store.
type Options struct {
	Dir string // default: DefaultDir

	// Reap is called, from another goroutine, with the name of each lease
	// whose process died, before its temporary files are removed: for what
	// the engine ties to that name, such as control groups.
	Reap func(lease string)
}

// Store is an open store. All methods may be called concurrently.
type Store struct {
	dir     string
	lease   *lease
	gate    *os.File // locked shared while the process lives
	pending sync.Once
	seq     atomic.Uint64
	used    atomic.Bool // something was looked up or written: our own lease counts
	queues  queues
	places  places

	mu     sync.Mutex // guards closed and boot
	closed bool
	boot   bootState

	stop     context.CancelFunc
	reaped   chan struct{}
	makeTemp func() error // makes tmp/<lease>, once
}

// DefaultDir is $XDG_CACHE_HOME/specbuild, or what takes its place on this
// system.
func DefaultDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache: %w", err)
	}
	return filepath.Join(dir, "specbuild"), nil
}

// Open opens a store, makes it if it is missing, takes a lease and starts to
// clean up after processes that died. It waits while another process has the
// store alone to prune it, up to a minute, then fails with ErrBusy.
func Open(o Options) (*Store, error) {
	dir := o.Dir
	if dir == "" {
		var err error
		if dir, err = DefaultDir(); err != nil {
			return nil, err
		}
	}
	// Mounts are made elsewhere, and a process may change its folder.
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the cache: %w", err)
	}
	fresh, err := prepare(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the cache %s: %w", dir, err)
	}
	s := &Store{dir: dir, reaped: make(chan struct{})}
	s.makeTemp = sync.OnceValue(func() error { return os.MkdirAll(s.path("tmp", s.lease.name), 0o700) })
	if err := s.enter(fresh); err != nil {
		_ = s.leave()
		return nil, fmt.Errorf("opening the cache %s: %w", dir, full(dir, 1, err))
	}
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	go s.reap(ctx, o.Reap)
	return s, nil
}

// prepare checks what is there, or makes the directories of a new store. The
// format file comes last, so that a store with one is whole.
func prepare(dir string) (fresh bool, err error) {
	have, err := os.ReadFile(filepath.Join(dir, "format"))
	if err == nil {
		if err := checkOwner(dir); err != nil {
			return false, err
		}
		if !bytes.Equal(have, []byte(format)) {
			return false, fmt.Errorf("%w: its format is %q", ErrNewer, strings.TrimSpace(string(have)))
		}
		return false, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, full(dir, 1, err)
	}
	if err := checkOwner(dir); err != nil {
		return false, err
	}
	for _, d := range []string{"leases", "tmp", "locks", "blob", "def", "act", "ref", "toc", "rec", "chunk", "snap", "mounts", "stat", "index", "partial", "kept"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return false, full(dir, 1, err)
		}
	}
	return true, writeFormat(dir)
}

// writeFormat says that a store is whole. Others may make it at the same time,
// from containers with the same process id, too.
func writeFormat(dir string) error {
	f, err := os.CreateTemp(filepath.Join(dir, "tmp"), "format.*")
	if err != nil {
		return full(dir, 1, err)
	}
	_, err = f.WriteString(format)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, "format"))
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return full(dir, int64(len(format)), err)
}

func (s *Store) enter(fresh bool) error {
	var err error
	if s.gate, err = openGate(s.path("gate")); err != nil {
		return err
	}
	if s.lease, err = takeLease(s.path("leases")); err != nil {
		return err
	}
	return s.loadBoot(fresh)
}

// Close gives the lease back and removes the process's temporary files.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	select { // a little time for cleaning up; the next process goes on with it
	case <-s.reaped:
	case <-time.After(200 * time.Millisecond):
	}
	s.stop()
	<-s.reaped
	return s.leave()
}

func (s *Store) leave() error {
	var err error
	if s.lease != nil {
		err = errors.Join(removeTree(s.path("tmp", s.lease.name)), s.lease.release())
	}
	if s.gate != nil {
		err = errors.Join(err, s.gate.Close())
	}
	return err
}

// Dir is the folder that the store is in.
func (s *Store) Dir() string { return s.dir }

// Lease is the name of this process's lease, which no other process has: for
// things outside the store that are to be found and removed if it dies.
func (s *Store) Lease() string { return s.lease.name }

// FileSystem is the kind of file system that the store is on, and whether it
// is a network's or a program's: steps must not run on those.
func (s *Store) FileSystem() (kind string, network bool) { return fileSystem(s.dir) }

// TempDir makes an empty directory that goes away with the process, however
// it ends. It is on the store's file system.
func (s *Store) TempDir() (string, error) {
	dir, err := s.tempName()
	if err != nil {
		return "", err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", full(dir, 1, err)
	}
	return dir, nil
}

// StatIndex is the path of the stat index for a context's absolute folder.
func (s *Store) StatIndex(root string) string { return s.path("stat", short(root)) }

func (s *Store) path(parts ...string) string {
	return s.dir + string(filepath.Separator) + filepath.Join(parts...)
}

// shard is the path of one of many files: kind/aa/name.
func (s *Store) shard(kind, name string) string { return s.path(kind, name[:2], name) }

func (s *Store) tempName() (string, error) {
	s.used.Store(true)
	if err := s.makeTemp(); err != nil {
		return "", full(s.path("tmp"), 1, err)
	}
	return s.path("tmp", s.lease.name, strconv.FormatUint(s.seq.Add(1), 36)), nil
}

// place renames finished work to its name, and makes the folder if it is the
// first one there.
func (s *Store) place(tmp, path string) error {
	err := os.Rename(tmp, path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = os.Rename(tmp, path)
		}
	}
	return err
}

// write puts a small file in place.
func (s *Store) write(path string, data []byte) error {
	s.published()
	tmp, err := s.tempName()
	if err != nil {
		return err
	}
	if err = os.WriteFile(tmp, data, 0o444); err == nil {
		err = s.place(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
		return full(path, int64(len(data)), err)
	}
	return nil
}

// short is a name of 16 letters for one of any length: mount options have one
// page for all lower directories. 80 bits of a hash do not meet by chance.
func short(name string) string {
	sum := sha256.Sum256([]byte(name))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:10]))
}

// full makes a *FullError of an error that says so, and leaves others alone.
func full(path string, need int64, err error) error {
	if err == nil || errors.Is(err, ErrFull) {
		return err
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &FullError{Path: path, Need: need, Err: err}
	}
	return err
}
