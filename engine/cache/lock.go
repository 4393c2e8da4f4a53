package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// errLocked is a lock that another open file has.
var errLocked = errors.New("locked by another process")

const (
	firstRetry = 2 * time.Millisecond
	lastRetry  = 50 * time.Millisecond
	sayWaiting = time.Second
	gateWait   = time.Minute
)

// Lock makes work under one name happen once at a time, in all processes of
// the store; whoever gets it looks again whether the work is still to be
// done. onWait, if not nil, is called once with the other process's id (0 if
// it cannot be told) when another process has held the lock for a second.
//
// Locks are taken in the order action, cache mount, snapshot, blob, and never two of one
// kind, so that nobody waits in a circle.
func (s *Store) Lock(ctx context.Context, name string, onWait func(pid int)) (unlock func(), err error) {
	leave, err := s.queues.enter(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("waiting for %s: %w", name, err)
	}
	path := s.path("locks", short(name))
	f, err := waitLock(ctx, path, true, onWait)
	if err != nil {
		leave()
		return nil, fmt.Errorf("waiting for %s: %w", name, full(path, 1, err))
	}
	return sync.OnceFunc(func() {
		// Unlinked while it is held: whoever waits sees that the path is
		// another file now and starts over, and no lock files pile up.
		os.Remove(path)
		f.Close()
		leave()
	}), nil
}

// waitLock opens and locks the file that path names when the lock is taken.
func waitLock(ctx context.Context, path string, exclusive bool, onWait func(pid int)) (*os.File, error) {
	start, pause := time.Now(), firstRetry
	for {
		f, err := tryLock(path, exclusive)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, errLocked) {
			return nil, err
		}
		if onWait != nil && time.Since(start) >= sayWaiting {
			onWait(holder(path))
			onWait = nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, lastRetry)
	}
}

// tryLock is one attempt; errLocked if somebody has the lock.
func tryLock(path string, exclusive bool) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		if err := lockFile(f, exclusive); err != nil {
			f.Close()
			return nil, err
		}
		if samePath(f, path) {
			if exclusive {
				note(f)
			}
			return f, nil
		}
		f.Close() // unlinked by the one before us
	}
}

// note writes who has a lock, for people who wait; that it may fail changes
// nothing. A file that is new is not truncated: ext4 writes one that was to
// the disk when it is closed, as if it replaced something.
func note(f *os.File) {
	if info, err := f.Stat(); err != nil || info.Size() > 0 {
		_ = f.Truncate(0)
	}
	_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
}

func holder(path string) int {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0
	}
	return pid
}

// openGate locks the gate shared, as every process does for its life.
func openGate(path string) (*os.File, error) {
	ctx, cancel := context.WithTimeout(context.Background(), gateWait)
	defer cancel()
	f, err := waitLock(ctx, path, false, nil)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, ErrBusy
	}
	return f, err
}

// queues hold those of this process that wait for one name: they need not
// poll, and the next one gets it at once. The zero value is ready.
type queues struct {
	mu sync.Mutex
	m  map[string]*queue
}

type queue struct {
	turn  chan struct{} // holds one token while somebody has the name
	users int
}

func (q *queues) enter(ctx context.Context, name string) (leave func(), err error) {
	q.mu.Lock()
	if q.m == nil {
		q.m = map[string]*queue{}
	}
	w := q.m[name]
	if w == nil {
		w = &queue{turn: make(chan struct{}, 1)}
		q.m[name] = w
	}
	w.users++
	q.mu.Unlock()
	gone := func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if w.users--; w.users == 0 {
			delete(q.m, name)
		}
	}
	select {
	case w.turn <- struct{}{}:
		return func() { <-w.turn; gone() }, nil
	case <-ctx.Done():
		gone()
		return nil, ctx.Err()
	}
}

// touchAfter is how old a time of last use may get before it is set again,
// and so the slack that a trimmer has to allow.
const touchAfter = time.Hour

// use notes that a file is used, so that no trimmer removes it while this
// process lives. It is false if the file is gone.
func (s *Store) use(kind, path string, info fs.FileInfo) bool {
	s.used.Store(true)
	age := time.Since(info.ModTime())
	if age >= 0 && age < touchAfter {
		return true
	}
	f, err := waitLock(context.Background(), s.path("locks", "trim."+kind), false, nil)
	if err != nil {
		return false
	}
	defer f.Close()
	now := time.Now()
	return os.Chtimes(path, now, now) == nil
}
