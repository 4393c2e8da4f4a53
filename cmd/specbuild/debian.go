package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/planner/pin/deb"
	"github.com/specbuild/specbuild/spec/eval"
)

// debian answers the lock's questions from archives' indexes.
type debian struct {
	resolver *deb.Resolver
	mirrors  deb.Mirrors
}

func (w *world) debian() *debian {
	m := deb.MachineMirrors("/etc")
	return &debian{mirrors: m, resolver: deb.NewResolver(deb.Options{
		Mirrors: m, Cache: w.store.Index(), Client: w.fetch,
	})}
}

// Resolve is pin.Packages.
func (d *debian) Resolve(ctx context.Context, q pin.Query) (pin.Answer, error) {
	req := deb.Request{Install: q.Request.Install, Recommends: q.Request.Recommends, Configure: q.Request.Configure}
	for _, p := range q.Installed {
		req.Installed = append(req.Installed, deb.Installed{Name: p.Name, Version: p.Version})
	}
	c, err := d.resolver.Resolve(ctx, deb.Query{Archive: archive(q.Repo), Arch: q.Arch, Request: req})
	if err != nil {
		return pin.Answer{}, suggest(err)
	}
	var a pin.Answer
	for _, p := range c.Packages {
		a.Packages = append(a.Packages, pin.Package{
			Name: p.Name, Version: p.Version, Arch: p.Arch, Source: p.Source, Path: p.Path, Size: p.Size, SHA256: p.SHA256,
		})
	}
	for _, r := range c.Releases {
		a.Releases = append(a.Releases, pin.Release{
			// One archive has several suites, each with a release of its own.
			Source: r.Source + "/" + r.Suite, Suite: r.Suite, Date: r.Date.UTC().Format(time.RFC3339), Digest: "sha256:" + strings.TrimPrefix(r.SHA256, "sha256:"),
		})
	}
	return a, nil
}

// suggest adds the name that was probably meant to an unknown package.
func suggest(err error) error {
	var unknown *deb.UnknownPackage
	if !errors.As(err, &unknown) {
		return err
	}
	if name, ok := eval.Closest(unknown.Name, unknown.Names); ok {
		return fmt.Errorf("%w (the nearest name is %q)", err, name)
	}
	return err
}

func archive(r pin.Repo) deb.Archive {
	a := deb.Archive{Suite: r.Suite, Components: r.Components, Snapshot: r.Snapshot}
	for _, s := range r.Sources {
		a.Sources = append(a.Sources, deb.Source{
			URL: s.URL, Suites: s.Suites, Components: s.Components, SignedBy: []byte(s.SignedBy),
		})
	}
	return a
}

// urls are where the files of one source of an archive can be had: the mirrors
// of this machine, then Debian's own, as a mirror is trusted for bytes only.
func (d *debian) urls(repo pin.Repo, source string) []string {
	own := d.mirrors.Bases(source, repo.Snapshot)
	public := deb.Mirrors{
		Debian: []string{"http://ftp.debian.org/debian"}, Security: []string{"http://security.debian.org/debian-security"},
	}
	for _, u := range public.Bases(source, repo.Snapshot) {
		if !slices.Contains(own, u) {
			own = append(own, u)
		}
	}
	return own
}

var _ pin.Packages = (*debian)(nil)
