package cache

import (
	"context"
	"os"
	"strconv"
	"time"
)

const bootTitle = "boot v1"

// settled is how old the last publication must be before it is synced: by
// then the kernel has written most of it by itself (after 30 s on Linux).
const settled = time.Minute

// bootState says which files a crash of the machine may have left without
// their data: those used in (doubtFrom, doubtTo].
type bootState struct {
	id                 string
	synced             time.Time // all that was used before is on disk
	doubtFrom, doubtTo time.Time
}

func (b bootState) doubts(used time.Time) bool {
	return used.After(b.doubtFrom) && !used.After(b.doubtTo)
}

// rebooted is the state after the machine has started anew.
func (b bootState) rebooted(id string, now time.Time) bootState {
	from := b.synced
	if !b.doubtTo.IsZero() && b.doubtFrom.Before(from) {
		from = b.doubtFrom // what was in doubt before may be so still
	}
	return bootState{id: id, synced: b.synced, doubtFrom: from, doubtTo: now}
}

func (b bootState) text() []byte {
	t := []byte(bootTitle + "\n")
	t = appendLine(t, "id", b.id)
	t = appendLine(t, "synced", nanos(b.synced))
	if !b.doubtTo.IsZero() {
		t = appendLine(t, "doubt", nanos(b.doubtFrom), nanos(b.doubtTo))
	}
	return seal(t)
}

// parseBoot gives the zero state, in which everything is in doubt, for a file
// that is missing or damaged: it may itself have lost its data.
func parseBoot(data []byte) bootState {
	var b bootState
	lines, err := unseal(data, bootTitle)
	if err != nil {
		return bootState{}
	}
	for _, l := range lines {
		switch l.name {
		case "id":
			b.id = l.value(0)
		case "synced":
			b.synced = fromNanos(l.value(0))
		case "doubt":
			b.doubtFrom, b.doubtTo = fromNanos(l.value(0)), fromNanos(l.value(1))
		}
	}
	return b
}

func nanos(t time.Time) string {
	if t.IsZero() {
		return "0"
	}
	return strconv.FormatInt(t.UnixNano(), 10)
}

func fromNanos(s string) time.Time {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}

// loadBoot reads the state, and moves it on if the machine was started anew.
func (s *Store) loadBoot(fresh bool) error {
	id := bootID()
	s.boot = s.readBoot()
	if s.boot.id == id {
		return nil
	}
	return s.changeBoot(func(b bootState) bootState {
		switch {
		case b.id == id:
			return b // another process was faster
		case fresh:
			return bootState{id: id, synced: time.Now()}
		default:
			return b.rebooted(id, time.Now())
		}
	})
}

func (s *Store) readBoot() bootState {
	data, err := os.ReadFile(s.path("boot"))
	if err != nil {
		return bootState{}
	}
	return parseBoot(data)
}

func (s *Store) changeBoot(change func(bootState) bootState) error {
	unlock, err := s.Lock(context.Background(), "boot", nil)
	if err != nil {
		return err
	}
	defer unlock()
	b := change(s.readBoot())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	tmp, err := s.tempName()
	if err != nil {
		return err
	}
	if err := os.WriteFile(tmp, b.text(), 0o600); err != nil {
		os.Remove(tmp)
		return full(s.path("boot"), 1, err)
	}
	s.boot = b
	return os.Rename(tmp, s.path("boot"))
}

func (s *Store) inDoubt(used time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.boot.doubts(used)
}

// published is called before anything is put in place. The first time, it
// has what earlier processes published written to disk, in the background.
func (s *Store) published() {
	s.used.Store(true)
	s.pending.Do(func() {
		path := s.path("published")
		now := time.Now()
		info, err := os.Stat(path)
		if err != nil {
			// It only carries a time: without it the next process syncs later.
			_ = os.WriteFile(path, nil, 0o600)
			return
		}
		last := info.ModTime()
		_ = os.Chtimes(path, now, now)
		s.mu.Lock()
		synced := s.boot.synced
		s.mu.Unlock()
		if last.After(synced) && now.Sub(last) > settled {
			go s.sync(now)
		}
	})
}

// sync moves the time on before which all is on disk. If it fails, more than
// needed is in doubt after a crash, nothing else.
func (s *Store) sync(now time.Time) {
	if syncAll(s.dir) != nil {
		return
	}
	_ = s.changeBoot(func(b bootState) bootState {
		if now.After(b.synced) {
			b.synced = now
		}
		return b
	})
}
