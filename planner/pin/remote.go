package pin

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/specbuild/specbuild/spec/diag"
)

// GitNeed is a branch or tag of a repository that a context takes its files
// from.
type GitNeed struct {
	URL   string
	Ref   string     // "" is HEAD
	Names []string   // of the context blocks, for --upgrade
	Range diag.Range // of the first block that asks
}

// Key names the ref in the lock.
func (n GitNeed) Key() string {
	if n.Ref == "" {
		return n.URL + "#HEAD"
	}
	return n.URL + "#" + n.Ref
}

// HTTPNeed is a URL that a context is the file of.
type HTTPNeed struct {
	URL   string     // and the key in the lock
	Names []string   // of the context blocks, for --upgrade
	Range diag.Range // of the first block that asks
}

// ModuleNeed is a published module that a spec calls.
type ModuleNeed struct {
	Ref   string     // registry/repository:tag, and the key in the lock
	Names []string   // of the module blocks, for --upgrade
	Range diag.Range // of the first block that asks
}

// File is what a URL gave.
type File struct {
	SHA256 string // hexadecimal
	Size   int64  // bytes
}

// Remotes answers what contexts and modules that lie elsewhere are now.
type Remotes interface {
	// Commit is the whole id of the commit that a ref is; "" is HEAD.
	Commit(ctx context.Context, url, ref string) (string, error)
	// File fetches what a URL gives.
	File(ctx context.Context, url string) (File, error)
	// Module is the digest of the module that a reference is now.
	Module(ctx context.Context, ref string) (string, error)
}

// AddGit adds a ref, or its names to what is needed of it.
func (n *Needs) AddGit(g GitNeed) {
	i, ok := slices.BinarySearchFunc(n.Git, g.Key(), func(x GitNeed, key string) int { return cmp.Compare(x.Key(), key) })
	if !ok {
		g.Names = union(nil, g.Names)
		n.Git = slices.Insert(n.Git, i, g)
		return
	}
	n.Git[i].Names = union(n.Git[i].Names, g.Names)
}

// AddHTTP adds a URL, or its names to what is needed of it.
func (n *Needs) AddHTTP(h HTTPNeed) {
	i, ok := slices.BinarySearchFunc(n.HTTP, h.URL, func(x HTTPNeed, url string) int { return cmp.Compare(x.URL, url) })
	if !ok {
		h.Names = union(nil, h.Names)
		n.HTTP = slices.Insert(n.HTTP, i, h)
		return
	}
	n.HTTP[i].Names = union(n.HTTP[i].Names, h.Names)
}

// AddModule adds a published module, or its names to what is needed of it.
func (n *Needs) AddModule(m ModuleNeed) {
	i, ok := slices.BinarySearchFunc(n.Modules, m.Ref, func(x ModuleNeed, ref string) int { return cmp.Compare(x.Ref, ref) })
	if !ok {
		m.Names = union(nil, m.Names)
		n.Modules = slices.Insert(n.Modules, i, m)
		return
	}
	n.Modules[i].Names = union(n.Modules[i].Names, m.Names)
}

func (n *Needs) addRemotes(o Needs) {
	for _, m := range o.Modules {
		n.AddModule(m)
	}
	for _, g := range o.Git {
		n.AddGit(g)
	}
	for _, h := range o.HTTP {
		n.AddHTTP(h)
	}
}

// contexts are the names of blocks that --upgrade may say.
func (n Needs) contexts() []string {
	var out []string
	for _, g := range n.Git {
		out = append(out, g.Names...)
	}
	for _, h := range n.HTTP {
		out = append(out, h.Names...)
	}
	for _, m := range n.Modules {
		out = append(out, m.Names...)
	}
	return out
}

func (l Lock) missingRemotes(ds *diag.List, n Needs) {
	for _, g := range n.Git {
		if l.Git[g.Key()] == "" {
			stale(ds, g.Range, kindGit+" "+g.Key(), l.otherRef(g))
		}
	}
	for _, h := range n.HTTP {
		if l.HTTP[h.URL].SHA256 == "" {
			stale(ds, h.Range, kindHTTP+" "+h.URL, "")
		}
	}
	for _, m := range n.Modules {
		if l.Modules[m.Ref] == "" {
			stale(ds, m.Range, kindModule+" "+m.Ref, "")
		}
	}
}

// otherRef finds what the lock pins of the same repository, for a spec whose
// ref was edited.
func (l Lock) otherRef(g GitNeed) string {
	for _, key := range slices.Sorted(maps.Keys(l.Git)) {
		if strings.HasPrefix(key, g.URL+"#") {
			return kindGit + " " + key
		}
	}
	return ""
}

// onlyRemotes takes over from old what is needed.
func (l *Lock) onlyRemotes(old Lock, n Needs) {
	l.Git, l.HTTP, l.Modules = map[string]string{}, map[string]File{}, map[string]string{}
	for _, m := range n.Modules {
		if digest, ok := old.Modules[m.Ref]; ok {
			l.Modules[m.Ref] = digest
		}
	}
	for _, g := range n.Git {
		if c, ok := old.Git[g.Key()]; ok {
			l.Git[g.Key()] = c
		}
	}
	for _, h := range n.HTTP {
		if f, ok := old.HTTP[h.URL]; ok {
			l.HTTP[h.URL] = f
		}
	}
}

func (l Lock) summarizeRemotes(out map[string]string) {
	for key, c := range l.Git {
		out[kindGit+" "+key] = c
	}
	for url, f := range l.HTTP {
		out[kindHTTP+" "+url] = "sha256:" + f.SHA256
	}
	for ref, digest := range l.Modules {
		out[kindModule+" "+ref] = digest
	}
}

func (w *writer) remotes(l Lock) {
	for key, c := range l.Git {
		w.line(kindGit, key, noPlatform, c)
	}
	for url, f := range l.HTTP {
		w.line(kindHTTP, url, noPlatform, f.SHA256, fmt.Sprint(f.Size))
	}
	for ref, digest := range l.Modules {
		w.line(kindModule, ref, noPlatform, digest)
	}
}

// commit reads the line of a ref.
func (p *parser) commit(key string, v []string) {
	if !p.want(v, 1) {
		return
	}
	if n := len(v[0]); n != 40 && n != 64 || strings.Trim(v[0], "0123456789abcdef") != "" {
		p.fail("%q is no commit", clip(v[0]))
		return
	}
	old := p.lock.Git[key]
	p.set(&old, v[0])
	if p.lock.Git == nil {
		p.lock.Git = map[string]string{}
	}
	p.lock.Git[key] = old
}

// module reads the line of a published module.
func (p *parser) module(ref string, v []string) {
	if !p.want(v, 1) {
		return
	}
	if hex, ok := strings.CutPrefix(v[0], "sha256:"); !ok || !isHex(hex) {
		p.fail("%q is no digest", clip(v[0]))
		return
	}
	old := p.lock.Modules[ref]
	p.set(&old, v[0])
	if p.lock.Modules == nil {
		p.lock.Modules = map[string]string{}
	}
	p.lock.Modules[ref] = old
}

// download reads the line of a URL.
func (p *parser) download(url string, v []string) {
	if !p.want(v, 2) {
		return
	}
	f := File{SHA256: v[0], Size: p.int(v[1])}
	if !isHex(f.SHA256) {
		p.fail("%q is no sha256", clip(v[0]))
		return
	}
	if old, ok := p.lock.HTTP[url]; ok && old != f {
		p.fail("this is said otherwise in a line above, as happens when two branches are merged")
	}
	if p.lock.HTTP == nil {
		p.lock.HTTP = map[string]File{}
	}
	p.lock.HTTP[url] = f
}

func (u UpgradePolicy) names(names []string) bool {
	return u.All || slices.ContainsFunc(names, func(s string) bool { return slices.Contains(u.Names, s) })
}

// remotes asks for all refs and URLs at the same time; each is a server's
// answer that the others need not wait for.
func (u *updater) remotes(ctx context.Context, n Needs) {
	var ask []func() // first all, then begun: what is answered is written where this looks
	for _, g := range n.Git {
		if u.lock.Git[g.Key()] == "" || u.upgrade.names(g.Names) {
			ask = append(ask, func() { u.git(ctx, g) })
		}
	}
	for _, h := range n.HTTP {
		if u.lock.HTTP[h.URL].SHA256 == "" || u.upgrade.names(h.Names) {
			ask = append(ask, func() { u.http(ctx, h) })
		}
	}
	for _, m := range n.Modules {
		if u.lock.Modules[m.Ref] == "" || u.upgrade.names(m.Names) {
			ask = append(ask, func() { u.module(ctx, m) })
		}
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for _, do := range ask {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			do()
		})
	}
	wg.Wait()
}

func (u *updater) git(ctx context.Context, g GitNeed) {
	commit, err := "", errNoResolver
	if u.resolvers.Remotes != nil {
		commit, err = u.resolvers.Remotes.Commit(ctx, g.URL, g.Ref)
	}
	if err != nil {
		u.report(g.Range, "The ref cannot be resolved", sentence(g.URL, err))
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lock.Git[g.Key()] = commit
}

func (u *updater) module(ctx context.Context, m ModuleNeed) {
	digest, err := "", errNoResolver
	if u.resolvers.Remotes != nil {
		digest, err = u.resolvers.Remotes.Module(ctx, m.Ref)
	}
	if err != nil {
		u.report(m.Range, "The module cannot be resolved", sentence(m.Ref, err))
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lock.Modules[m.Ref] = digest
}

func (u *updater) http(ctx context.Context, h HTTPNeed) {
	file, err := File{}, errNoResolver
	if u.resolvers.Remotes != nil {
		file, err = u.resolvers.Remotes.File(ctx, h.URL)
	}
	if err != nil {
		u.report(h.Range, "The file cannot be fetched", sentence(h.URL, err))
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lock.HTTP[h.URL] = file
}
