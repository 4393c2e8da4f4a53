package cache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Usage is what one kind of content takes.
type Usage struct {
	Kind  string // the folder of the store: "blob", "snap", …
	Count int    // files, or whole snapshots and cache mounts
	Bytes int64  // on disk
}

// PruneOptions say what is to go; with none of them set, nothing does. Least
// recently used goes first. What a living process may use stays in any case.
type PruneOptions struct {
	KeepBytes int64         // remove until at most so many bytes are left; 0: no limit
	Free      int64         // remove until so many bytes of the disk are free; 0: no limit
	OlderThan time.Duration // remove what was not used for so long; 0: no limit
	All       bool          // remove everything
	DryRun    bool          // only say what would be removed
}

// PruneReport says what was removed, or would be.
type PruneReport struct {
	Removed []Usage // in the order of kinds
	Freed   int64   // bytes
	Kept    int64   // bytes
	Spared  int64   // bytes that were to go, but that a living process may use
}

// item is one thing that can be removed by itself.
type item struct {
	kind  string
	path  string
	stamp string // the file whose time is that of the last use
	bytes int64
	used  time.Time
}

// kinds are the folders of the store in the order in which items of one age
// go: what names others before what is named.
func kinds() []string {
	return []string{"def", "act", "rec", "ref", "toc", "stat", "snap", "chunk", "blob", "mounts", "index", "partial", "kept"}
}

// kindOf is the folder of a kind with parts, such as "rec/pushed".
func kindOf(kind string) string {
	top, _, _ := strings.Cut(kind, "/")
	return top
}

// Usage is what each kind takes, in a fixed order.
func (s *Store) Usage(ctx context.Context) ([]Usage, error) {
	var list []Usage
	for _, kind := range kinds() {
		items, err := s.items(ctx, kind)
		if err != nil {
			return nil, fmt.Errorf("measuring the cache: %w", err)
		}
		u := Usage{Kind: kind, Count: len(items)}
		for _, it := range items {
			u.Bytes += it.bytes
		}
		list = append(list, u)
	}
	return list, nil
}

// busyAfter is how long a lock must be held to be another trimmer's.
const busyAfter = 200 * time.Millisecond

// Prune removes content. While another process does the same it is ErrBusy.
func (s *Store) Prune(ctx context.Context, o PruneOptions) (PruneReport, error) {
	lock, err := tryLock(s.path("locks", "trim"), true)
	for wait := firstRetry; errors.Is(err, errLocked) && wait < busyAfter; wait *= 2 {
		// A process that is being started holds a copy of each descriptor
		// until it executes: that is not somebody else who prunes.
		time.Sleep(wait)
		lock, err = tryLock(s.path("locks", "trim"), true)
	}
	if errors.Is(err, errLocked) {
		return PruneReport{}, ErrBusy
	}
	if err != nil {
		return PruneReport{}, fmt.Errorf("pruning the cache: %w", err)
	}
	defer lock.Close()
	p := &pruner{s: s, o: o, now: time.Now()}
	if err := p.run(ctx); err != nil {
		return p.report, fmt.Errorf("pruning the cache: %w", err)
	}
	return p.report, nil
}

type pruner struct {
	s      *Store
	o      PruneOptions
	now    time.Time
	cutoff time.Time // what was used later may be in use
	trash  string
	report PruneReport
}

func (p *pruner) run(ctx context.Context) error {
	alone, err := p.s.closeGate()
	if err != nil {
		return err
	}
	p.cutoff = p.spareAfter(alone)
	victims, err := p.choose(ctx)
	if err == nil && !p.o.DryRun {
		p.trash, err = p.makeTrash()
	}
	if err == nil {
		err = p.remove(ctx, victims)
	}
	if err == nil && p.trash != "" {
		err = p.s.Chunks().compact(p.trash)
	}
	// Newcomers wait while things are renamed away, not while they are deleted.
	err = errors.Join(err, p.s.reopenGate())
	if p.trash != "" {
		err = errors.Join(err, removeTree(p.trash))
	}
	return err
}

// makeTrash makes the directory that removed things are renamed into. It is
// no use of the store, so it does not make our own lease count.
func (p *pruner) makeTrash() (string, error) {
	used := p.s.used.Load()
	dir, err := p.s.TempDir()
	p.s.used.Store(used)
	return dir, err
}

// closeGate keeps newcomers out if no other process is in the store, and
// reports whether that is so.
func (s *Store) closeGate() (alone bool, err error) {
	switch err := lockFile(s.gate, true); {
	case err == nil:
		return true, nil
	case errors.Is(err, errLocked):
		// The attempt has given up our shared lock: that is how flock
		// changes locks. Only one process trims, so nobody else was let in alone.
		return false, s.reopenGate()
	default:
		return false, err
	}
}

// reopenGate takes the shared lock that every process has.
func (s *Store) reopenGate() error {
	for {
		err := lockFile(s.gate, false)
		if !errors.Is(err, errLocked) {
			return err
		}
		time.Sleep(firstRetry)
	}
}

// spareAfter is the time since when a living process may have used what it
// still needs.
func (p *pruner) spareAfter(alone bool) time.Time {
	oldest := p.now
	if alone {
		oldest = time.Unix(0, math.MaxInt64)
	}
	consider := func(info fs.FileInfo, err error) {
		if err == nil && info.ModTime().Before(oldest) {
			oldest = info.ModTime()
		}
	}
	if p.s.used.Load() {
		consider(p.s.lease.f.Stat())
	}
	if !alone {
		p.s.eachOtherLease(func(_ string, dead *os.File, info fs.FileInfo) bool {
			if dead == nil {
				consider(info, nil)
			}
			return true
		})
	}
	return oldest.Add(-touchAfter)
}

// choose lists what is to go, least recently used first.
func (p *pruner) choose(ctx context.Context) ([]item, error) {
	var all []item
	order := map[string]int{}
	for i, kind := range kinds() {
		order[kind] = i
		items, err := p.s.items(ctx, kind)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
	}
	slices.SortStableFunc(all, func(a, b item) int {
		return cmp.Or(a.used.Compare(b.used), cmp.Compare(order[a.kind], order[b.kind]))
	})
	for _, it := range all {
		p.report.Kept += it.bytes
	}
	excess := p.excess()
	var victims []item
	for _, it := range all {
		old := p.o.OlderThan > 0 && p.now.Sub(it.used) > p.o.OlderThan
		if !p.o.All && !old && excess <= 0 {
			continue
		}
		if it.used.After(p.cutoff) {
			p.report.Spared += it.bytes
			continue
		}
		excess -= it.bytes
		victims = append(victims, it)
	}
	return victims, nil
}

// excess is how many bytes have to go at least.
func (p *pruner) excess() int64 {
	var n int64
	if p.o.KeepBytes > 0 {
		n = p.report.Kept - p.o.KeepBytes
	}
	if p.o.Free > 0 {
		if free, err := freeBytes(p.s.dir); err == nil {
			n = max(n, p.o.Free-free)
		}
	}
	return n
}

// remove takes the items kind by kind under the exclusive lock of the kind,
// which keeps their times from being renewed meanwhile.
func (p *pruner) remove(ctx context.Context, victims []item) error {
	for _, kind := range kinds() {
		u := Usage{Kind: kind}
		err := p.locked(ctx, kind, func() {
			for _, it := range victims {
				if it.kind == kind && ctx.Err() == nil && p.removeItem(it) {
					u.Count++
					u.Bytes += it.bytes
				}
			}
		})
		p.report.Removed = append(p.report.Removed, u)
		p.report.Freed += u.Bytes
		p.report.Kept -= u.Bytes
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

func (p *pruner) locked(ctx context.Context, kind string, do func()) error {
	if p.o.DryRun {
		do()
		return nil
	}
	lock, err := waitLock(ctx, p.s.path("locks", "trim."+kind), true, nil)
	if err != nil {
		return err
	}
	defer lock.Close()
	do()
	return nil
}

// removeItem renames an item into the trash unless it was used meanwhile. A
// cache mount that is in use keeps its lock.
func (p *pruner) removeItem(it item) bool {
	if p.o.DryRun {
		return true
	}
	info, err := os.Lstat(it.stamp)
	if err != nil || info.ModTime().After(it.used) {
		return false
	}
	if it.kind == "mounts" {
		f, err := tryLock(it.stamp, true)
		if err != nil {
			return false
		}
		defer f.Close()
	}
	name := filepath.Join(p.trash, fmt.Sprintf("%x", p.s.seq.Add(1)))
	return os.Rename(it.path, name) == nil
}

// items lists what there is of a kind.
func (s *Store) items(ctx context.Context, kind string) ([]item, error) {
	switch kind {
	case "snap":
		return s.dirItems(ctx, kind, "*/*", snapName)
	case "mounts":
		return s.dirItems(ctx, kind, "*", "lock")
	case "kept":
		return s.dirItems(ctx, kind, "*", "upper")
	}
	var list []item
	err := filepath.WalkDir(s.path(kind), func(path string, d fs.DirEntry, err error) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err != nil || d.IsDir() {
			return ignoreGone(err)
		}
		info, err := d.Info()
		if err != nil {
			return ignoreGone(err)
		}
		list = append(list, item{kind: kind, path: path, stamp: path, bytes: diskBytes(info), used: info.ModTime()})
		return nil
	})
	return list, err
}

// dirItems lists whole directories, with the sum of what is in them.
func (s *Store) dirItems(ctx context.Context, kind, pattern, stamp string) ([]item, error) {
	dirs, err := filepath.Glob(s.path(kind, pattern))
	if err != nil {
		return nil, err
	}
	var list []item
	for _, dir := range dirs {
		it := item{kind: kind, path: dir, stamp: filepath.Join(dir, stamp)}
		info, err := os.Lstat(it.stamp)
		if err != nil {
			continue // being made or removed
		}
		it.used = info.ModTime()
		err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err != nil {
				return ignoreGone(err)
			}
			if info, err := d.Info(); err == nil {
				it.bytes += diskBytes(info)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		list = append(list, it)
	}
	return list, nil
}

// ignoreGone forgives what another process removes while we look, and what a
// step made unreadable in its cache mount.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}
