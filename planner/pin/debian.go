package pin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/specbuild/specbuild/planner/pin/deb"
)

// Debian answers from the indexes of archives in Debian's format.
type Debian struct {
	Resolver *deb.Resolver
	// Closest finds the name that was probably meant, if it is clear; nil
	// suggests nothing.
	Closest func(given string, known []string) (string, bool)
}

var _ Packages = Debian{}

// Resolve is Packages.
func (d Debian) Resolve(ctx context.Context, q Query) (Answer, error) {
	req := deb.Request{
		Install: q.Request.Install, Recommends: q.Request.Recommends, Configure: q.Request.Configure, Prefer: q.Prefer,
	}
	for _, p := range q.Installed {
		req.Installed = append(req.Installed, deb.Installed{Name: p.Name, Version: p.Version})
	}
	c, err := d.Resolver.Resolve(ctx, deb.Query{Archive: q.Repo.archive(), Arch: q.Arch, Request: req})
	if err != nil {
		return Answer{}, d.suggest(err)
	}
	var a Answer
	for _, p := range c.Packages {
		a.Packages = append(a.Packages, Package{
			Name: p.Name, Version: p.Version, Arch: p.Arch, Source: p.Source, Path: p.Path, Size: p.Size, SHA256: p.SHA256,
		})
	}
	for _, r := range c.Releases {
		a.Releases = append(a.Releases, Release{
			// One archive has several suites, each with a release of its own.
			Source: r.Source + "/" + r.Suite, Suite: r.Suite, Date: r.Date.UTC().Format(time.RFC3339), Digest: "sha256:" + r.SHA256,
		})
	}
	return a, nil
}

// suggest adds the name that was probably meant to one that is not there.
func (d Debian) suggest(err error) error {
	var unknown *deb.UnknownPackage
	if d.Closest == nil || !errors.As(err, &unknown) {
		return err
	}
	if name, ok := d.Closest(unknown.Name, unknown.Names); ok {
		return fmt.Errorf("%w (the nearest name is %q)", err, name)
	}
	return err
}

func (r Repo) archive() deb.Archive {
	a := deb.Archive{Suite: r.Suite, Components: r.Components, Snapshot: r.Snapshot}
	for _, s := range r.Sources {
		a.Sources = append(a.Sources, deb.Source{URL: s.URL, Suites: s.Suites, Components: s.Components, SignedBy: []byte(s.SignedBy)})
	}
	return a
}
