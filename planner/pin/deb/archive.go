// Package deb turns requests for Debian packages into closures: it fetches
// and verifies an archive's indexes, and resolves dependencies as apt does.
//
// A mirror is trusted for bytes only: InRelease is signed by a known key, it
// names the digests of the indexes, and these the digests of the packages.
package deb

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/specbuild/specbuild/engine/fetch"
	"github.com/specbuild/specbuild/engine/xz"
)

// Archive is a package archive as a spec states it.
type Archive struct {
	Suite      string   // of Debian, with its updates and security; empty with Sources alone
	Components []string // of Suite; main if empty
	Snapshot   string   // "20260912T075541Z" of snapshot.debian.org; empty for the present
	Sources    []Source // other archives
}

// Source is an archive other than Debian's.
type Source struct {
	URL        string
	Suites     []string
	Components []string // main if empty
	SignedBy   []byte   // keys, armoured or binary; Debian's if empty
}

// Options are the settings of a [Resolver].
type Options struct {
	Mirrors Mirrors          // see MachineMirrors
	Cache   string           // a folder for trimmed indexes; none are kept if empty
	Client  *fetch.Client    // a new one if nil
	Now     func() time.Time // time.Now if nil
}

// Resolver resolves queries. It is safe for use by several goroutines.
type Resolver struct{ opt Options }

// NewResolver returns a resolver.
func NewResolver(opt Options) *Resolver {
	if opt.Client == nil {
		opt.Client = fetch.New(fetch.Options{})
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	return &Resolver{opt}
}

// Query is a request to an archive for one architecture.
type Query struct {
	Archive Archive
	Arch    string // Debian's word, "amd64"
	Request
}

// Closure is what a query brings.
type Closure struct {
	Releases []Release // that it was resolved against, in the archive's order
	Packages []Package // sorted by name
}

// Resolve fetches what it needs of the archive and solves the request. Errors
// are a *fetch.Error where no mirror answered, ErrSignature for what cannot
// be trusted, and those of [Index.Solve].
func (r *Resolver) Resolve(ctx context.Context, q Query) (Closure, error) {
	index, releases, err := r.Load(ctx, q.Archive, q.Arch)
	if err != nil {
		return Closure{}, err
	}
	packages, err := index.Solve(q.Request)
	return Closure{releases, packages}, err
}

// suite is one suite of one archive.
type suite struct {
	source     string
	bases      []string
	name       string
	components []string
	keys       []byte
	stale      bool // a snapshot's Valid-Until is over by intent
}

// Bases are the URLs below which the paths of a source's packages lie, tried
// in order. source is a Package.Source.
func (m Mirrors) Bases(source, snapshot string) []string {
	switch {
	case source != sourceDebian && source != sourceSecurity:
		return []string{strings.TrimRight(source, "/")}
	case snapshot != "":
		return []string{"https://snapshot.debian.org/archive/" + source + "/" + snapshot}
	case source == sourceDebian:
		return m.Debian
	}
	return m.Security
}

func (r *Resolver) suites(a Archive) []suite {
	var out []suite
	add := func(source, name string, components []string, keys []byte) {
		if len(components) == 0 {
			components = []string{"main"}
		}
		if len(keys) == 0 {
			keys = debianKeys
		}
		bases := r.opt.Mirrors.Bases(source, a.Snapshot)
		out = append(out, suite{source, bases, name, components, keys, a.Snapshot != ""})
	}
	if a.Suite != "" {
		add(sourceDebian, a.Suite, a.Components, nil)
		if a.Suite != "sid" && a.Suite != "unstable" && a.Suite != "experimental" {
			add(sourceDebian, a.Suite+"-updates", a.Components, nil)
			add(sourceSecurity, a.Suite+"-security", a.Components, nil)
		}
	}
	for _, s := range a.Sources {
		for _, name := range s.Suites {
			add(strings.TrimRight(s.URL, "/"), name, s.Components, s.SignedBy)
		}
	}
	return out
}

// Limits on what a mirror may make us read, in bytes: Debian's InRelease has
// 0.2 MB, its largest Packages 60 MB.
const (
	maxRelease   = 16 << 20
	maxIndexSize = 512 << 20
)

// Load fetches, verifies and reads the indexes of an archive.
func (r *Resolver) Load(ctx context.Context, a Archive, arch string) (*Index, []Release, error) {
	var all []Package
	var releases []Release
	for _, s := range r.suites(a) {
		release, packages, err := r.loadSuite(ctx, s, arch)
		if err != nil {
			return nil, nil, fmt.Errorf("archive %s, suite %s: %w", s.source, s.name, err)
		}
		releases, all = append(releases, release), append(all, packages...)
	}
	return NewIndex(arch, all), releases, nil
}

func (r *Resolver) loadSuite(ctx context.Context, s suite, arch string) (Release, []Package, error) {
	doc, err := r.opt.Client.Document(ctx, s.urls("InRelease"), maxRelease, fetch.Validators{})
	if err != nil {
		return Release{}, nil, err
	}
	release, err := verifyRelease(doc.Body, s.keys, s.name, r.opt.Now(), s.stale)
	if err != nil {
		return Release{}, nil, fmt.Errorf("%s: %w", doc.URL, err)
	}
	release.Source = s.source
	var all []Package
	for _, c := range s.components {
		packages, err := r.loadComponent(ctx, s, release, c+"/binary-"+arch+"/Packages.xz")
		if err != nil {
			return Release{}, nil, err
		}
		all = append(all, packages...)
	}
	return release, all, nil
}

func (s suite) urls(name string) []string {
	var out []string
	for _, b := range s.bases {
		out = append(out, b+"/dists/"+s.name+"/"+name)
	}
	return out
}

// loadComponent reads an index from the cache, where its name is the digest
// of the signed file that it was made of, else from a mirror.
func (r *Resolver) loadComponent(ctx context.Context, s suite, release Release, name string) ([]Package, error) {
	f, ok := release.files[name]
	if !ok {
		return nil, fmt.Errorf("InRelease of %s names no %s: the suite lacks this component or architecture", s.name, name)
	}
	kept := ""
	if r.opt.Cache != "" {
		kept = filepath.Join(r.opt.Cache, f.sha256+".1.zst") // 1: the version of the form
		if raw, err := os.ReadFile(kept); err == nil {
			if text, err := decompress(raw); err == nil {
				if packages, err := parseTrimmed(text, s.source); err == nil {
					return packages, nil
				}
			}
		}
	}
	urls := s.urls(name)
	if release.byHash {
		// By its digest, a file cannot be replaced between InRelease and now.
		i := strings.LastIndexByte(name, '/')
		urls = slices.Concat(s.urls(name[:i]+"/by-hash/SHA256/"+f.sha256), urls)
	}
	var packed fetch.Buffer
	if f.size > maxIndexSize {
		return nil, fmt.Errorf("%s has %d bytes, more than are read", name, f.size)
	}
	if err := r.opt.Client.Get(ctx, fetch.Request{URLs: urls, Size: f.size, SHA256: f.sha256}, &packed); err != nil {
		return nil, err
	}
	limit := int64(maxIndexSize)
	if plain, ok := release.files[strings.TrimSuffix(name, ".xz")]; ok {
		limit = min(limit, plain.size)
	}
	text, err := xz.Decode(ctx, &packed, f.size, limit)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	trimmed := trim(string(text))
	packages, err := parseTrimmed(trimmed, s.source)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if kept != "" {
		if err := keep(kept, trimmed); err != nil {
			return nil, fmt.Errorf("keep the index %s: %w", name, err)
		}
	}
	return packages, nil
}

// keep writes beside the name and renames, so that others see all or nothing.
func keep(name, text string) error {
	raw, err := compress(text)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".index-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(raw); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}
