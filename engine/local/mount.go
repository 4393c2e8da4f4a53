package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/layer"
	"github.com/specbuild/specbuild/engine/sandbox"
	"github.com/specbuild/specbuild/lower/dag"
)

// bind is what a bind mount shows: a layer of its own that holds the selected
// files below bindRoot.
type bind struct {
	items []layer.Item
	src   fileSource
}

const bindRoot = "mnt"

// bind selects what a bind mount, or the first content of a cache, takes.
func (b *build) bind(ctx context.Context, from dag.ID, m dag.Mount) (bind, error) {
	src, err := b.openInput(ctx, from)
	if err != nil {
		return bind{}, err
	}
	req := layer.CopyRequest{Sources: m.Sources, To: "/" + bindRoot + "/", Context: src.context}
	if len(m.Sources) == 1 && !strings.ContainsAny(m.Sources[0], "*?[{") {
		req.To = "/" + bindRoot // a file is mounted as a file
	}
	empty, err := layer.Merge()
	if err != nil {
		return bind{}, err
	}
	items, err := layer.Copy(req, src.tree, src.open, empty)
	return bind{items: items, src: src}, err
}

// dir unpacks a bind once; it is a layer, and so is shared by all steps that
// mount the same files.
func (b *build) bindDir(ctx context.Context, bd bind) (string, error) {
	if err := bd.src.fetch(ctx, bd.items); err != nil {
		return "", err
	}
	r, err := b.seal(bd.items, true)
	if err != nil {
		return "", err
	}
	if len(r.own) == 0 {
		return b.o.Store.TempDir() // nothing was selected: an empty folder shows it
	}
	r.own[0].sel, r.own[0].when = bd.src.sel, bd.src.when
	dir, err := r.own[0].dir(ctx)
	return filepath.Join(dir, bindRoot), err
}

// mounter gathers the mounts of one run.
type mounter struct {
	b        *build
	p        *runPlan
	mounts   []sandbox.Mount
	env      []string
	secrets  [][]byte
	releases []func()
}

func (m *mounter) release() {
	for _, f := range slices.Backward(m.releases) {
		f()
	}
	m.releases = nil
}

// all makes every mount. Caches are taken in the order of their ids, so that
// two steps with the same two caches never wait for each other.
func (m *mounter) all(ctx context.Context) error {
	var caches []int
	nth := map[int]int{} // mount → its place in Meta.Caches
	for i, mt := range m.p.op.Mounts {
		if mt.Type == "cache" {
			nth[i] = len(caches)
			caches = append(caches, i)
		}
	}
	metas := m.p.n.Meta.Caches
	sort.Slice(caches, func(x, y int) bool { return metas[nth[caches[x]]].ID < metas[nth[caches[y]]].ID })
	for len(caches) > 0 {
		first := metas[nth[caches[0]]]
		n := 1 // mounts of this one cache: it would wait for itself if it were taken twice
		for ; n < len(caches) && metas[nth[caches[n]]].ID == first.ID; n++ {
			first.Sharing = stricter(first.Sharing, metas[nth[caches[n]]].Sharing)
			first.MaxSize = max(first.MaxSize, metas[nth[caches[n]]].MaxSize)
		}
		var mounts []dag.Mount
		for _, i := range caches[:n] {
			mounts = append(mounts, m.p.op.Mounts[i])
		}
		if err := m.cache(ctx, first, mounts); err != nil {
			return err
		}
		caches = caches[n:]
	}
	for i, mt := range m.p.op.Mounts {
		var err error
		switch mt.Type {
		case "bind":
			err = m.bind(ctx, i, mt)
		case "tmpfs":
			m.mounts = append(m.mounts, sandbox.Mount{Kind: sandbox.MountTmpfs, Target: mt.Target, Size: mt.Size})
		case "secret":
			err = m.secret(ctx, i, mt)
		case "ssh":
			err = m.ssh(i, mt)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// stricter is the sharing of a cache that one step mounts in two ways.
func stricter(a, b string) string {
	for _, s := range []cache.Sharing{cache.Locked, cache.Private} {
		if a == string(s) || b == string(s) {
			return string(s)
		}
	}
	return a
}

// cache takes one cache for all mounts of it.
func (m *mounter) cache(ctx context.Context, c dag.CacheMount, mounts []dag.Mount) error {
	dir, release, err := m.b.o.Store.Mount(ctx, m.b.cacheID(c.ID), cache.Sharing(c.Sharing))
	if err != nil {
		return fmt.Errorf("cache mount %s: %w", mounts[0].Target, err)
	}
	m.releases = append(m.releases, func() {
		if c.MaxSize > 0 {
			_ = shrink(dir, c.MaxSize) // what could not be removed now goes the next time
		}
		release()
	})
	for _, mt := range mounts {
		if err := m.firstContent(ctx, mt, dir); err != nil {
			return fmt.Errorf("first content of cache mount %s: %w", mt.Target, err)
		}
		m.mounts = append(m.mounts, sandbox.Mount{Kind: sandbox.MountBind, Source: dir, Target: mt.Target})
	}
	return nil
}

// firstContent gives a new cache its owner and what `from` says. Of steps that
// share one, in this process or in others, one brings the content and the
// others wait for it.
func (m *mounter) firstContent(ctx context.Context, mt dag.Mount, dir string) error {
	if mt.Input > 0 {
		unlock, err := m.b.o.Store.Lock(ctx, "cache-content-"+dir, nil)
		if err != nil {
			return err
		}
		defer unlock()
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	mark := cache.Bringing(dir)
	_, err = os.Lstat(mark)
	if part := err == nil && mt.Input > 0; len(names) > 0 && !part {
		return nil
	}
	if mt.Input > 0 {
		if err := m.bringContent(ctx, mt, dir); err != nil {
			return err
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if err := m.b.chown(dir, m.p.account); err != nil || mt.Input == 0 {
		return err
	}
	return os.Remove(mark)
}

// bringContent copies what `from` says beside the cache first, and leaves a
// mark while it moves it in: a cache that is not empty is taken for whole, but
// not where a process was killed over it.
func (m *mounter) bringContent(ctx context.Context, mt dag.Mount, dir string) error {
	bd, err := m.b.bind(ctx, m.p.n.Inputs[mt.Input], mt)
	if err != nil {
		return err
	}
	from, err := m.b.bindDir(ctx, bd)
	if err != nil {
		return err
	}
	temp, err := m.b.o.Store.TempDir()
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := copyTree(from, temp); err != nil {
		return err
	}
	names, err := os.ReadDir(temp)
	if err != nil {
		return err
	}
	if err := os.WriteFile(cache.Bringing(dir), nil, 0o600); err != nil {
		return err
	}
	for _, d := range names {
		to := filepath.Join(dir, d.Name())
		if err := os.RemoveAll(to); err != nil { // what a killed process has brought
			return err
		}
		if err := os.Rename(filepath.Join(temp, d.Name()), to); err != nil {
			return err
		}
	}
	return nil
}

// shrink removes files of a cache, the least recently changed first, until it
// is at most max bytes large.
func shrink(dir string, most int64) error {
	type file struct {
		path string
		info fs.FileInfo
	}
	var files []file
	var total int64
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			files = append(files, file{path, info})
			total += info.Size()
		}
		return err
	})
	sort.Slice(files, func(i, j int) bool { return files[i].info.ModTime().Before(files[j].info.ModTime()) })
	for _, f := range files {
		if total <= most {
			break
		}
		if os.Remove(f.path) == nil {
			total -= f.info.Size()
		}
	}
	return err
}

func (m *mounter) bind(ctx context.Context, i int, mt dag.Mount) error {
	dir, err := m.b.bindDir(ctx, m.p.binds[i])
	if err != nil {
		return fmt.Errorf("bind mount %s: %w", mt.Target, err)
	}
	if !mt.Writable {
		m.mounts = append(m.mounts, sandbox.Mount{Kind: sandbox.MountBind, Source: dir, Target: mt.Target, ReadOnly: true})
		return nil
	}
	// Writes are thrown away: the step gets a copy.
	temp, err := m.b.o.Store.TempDir()
	if err != nil {
		return err
	}
	m.releases = append(m.releases, func() { os.RemoveAll(temp) })
	own := filepath.Join(temp, bindRoot)
	if err := copyTree(dir, own); err != nil {
		return fmt.Errorf("bind mount %s: %w", mt.Target, err)
	}
	m.mounts = append(m.mounts, sandbox.Mount{Kind: sandbox.MountBind, Source: own, Target: mt.Target})
	return nil
}

func (m *mounter) secret(ctx context.Context, i int, mt dag.Mount) error {
	s, ok := secretOf(m.p.n, i)
	if !ok {
		return fmt.Errorf("the secret of mount %s is not described", mt.Target)
	}
	if mt.Optional && !m.b.present(m.p.n, i) {
		return nil
	}
	value, err := reveal(ctx, s)
	if errors.Is(err, errNoSecret) && mt.Optional {
		return nil
	}
	if err != nil {
		return err
	}
	m.b.revealed(m.p.n, s.Addr, value)
	m.secrets = append(m.secrets, value)
	if mt.Env != "" {
		m.env = append(m.env, mt.Env+"="+string(value))
		return nil
	}
	m.mounts = append(m.mounts, sandbox.Mount{Kind: sandbox.MountSecret, Target: mt.Target, Content: value})
	return nil
}

// sshTarget is where a step finds the agent unless the spec says otherwise.
const sshTarget = "/run/specbuild/ssh"

func (m *mounter) ssh(i int, mt dag.Mount) error {
	sock := os.Getenv("SSH_AUTH_SOCK")
	if sock == "" {
		if s, ok := secretOf(m.p.n, i); ok && s.Optional {
			return nil
		}
		return fmt.Errorf("%w: no SSH agent runs here (SSH_AUTH_SOCK is not set)", errNoSecret)
	}
	target := mt.Target
	if target == "" {
		target = sshTarget
	}
	m.mounts = append(m.mounts, sandbox.Mount{Kind: sandbox.MountBind, Source: sock, Target: target})
	m.env = append(m.env, "SSH_AUTH_SOCK="+target)
	return nil
}
