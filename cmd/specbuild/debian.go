package main

import (
	"slices"

	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/planner/pin/deb"
	"github.com/specbuild/specbuild/spec/eval"
)

// debian answers the lock's questions from archives' indexes, and knows where
// their files are.
type debian struct {
	pin.Debian
	mirrors deb.Mirrors
}

func (w *world) debian() *debian {
	m := deb.MachineMirrors("/etc")
	r := deb.NewResolver(deb.Options{Mirrors: m, Cache: w.store.Index(), Client: w.fetch})
	return &debian{pin.Debian{Resolver: r, Closest: eval.Closest}, m}
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
