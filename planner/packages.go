package planner

import (
	"slices"

	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/spec"
)

// debArch is Debian's word for a platform, or "" where it has no such port.
func debArch(p spec.Platform) string {
	switch p.Arch {
	case "amd64", "arm64", "riscv64", "s390x":
		return p.Arch
	case "arm":
		if p.Variant == "" || p.Variant == "v7" || p.Variant == "v8" {
			return "armhf"
		}
		return "armel"
	case "386":
		return "i386"
	case "ppc64le":
		return "ppc64el"
	case "mips64le":
		return "mips64el"
	case "loong64":
		return "loong64"
	}
	return ""
}

func repo(r *spec.Repository) pin.Repo {
	out := pin.Repo{Type: r.Type.V, Suite: r.Suite.V, Components: r.Components.V, Snapshot: r.Snapshot.V}
	if out.Type == "" {
		out.Type = "deb"
	}
	if len(out.Components) == 0 {
		out.Components = []string{"main"}
	}
	for _, s := range r.Sources {
		src := pin.Source{URL: s.URL.V, Suites: s.Suites.V, Components: s.Components.V, SignedBy: s.SignedBy.V}
		if len(src.Components) == 0 {
			src.Components = []string{"main"}
		}
		out.Sources = append(out.Sources, src)
	}
	return out
}

func (p *planner) packages(s *state, k *spec.Packages) {
	if m, ok := managerOf(k.Manager); ok {
		p.managed(s, k, m)
		return
	}
	decl := p.repositories[k.Repository.V]
	if decl == nil {
		p.ds.Errorf(k.Range, "No such repository", "%s is not declared.", k.Repository.V.Local())
		return
	}
	p.used[decl.Addr] = true
	r := repo(decl)
	arch := debArch(s.key.own)
	if !p.installable(s, k, arch, r.Key()) || !p.agree(s, k) {
		return
	}
	request := pin.NewRequest(k.Install.V, k.Recommends, k.Configure)
	need := pin.ClosureNeed{
		Repo: r, Names: []string{decl.Addr.Name}, Arch: arch, Request: request,
		Below: slices.Clone(s.below.requests), Range: k.Range,
	}
	p.needs.AddClosure(need)
	c, ok := p.in.Lock.Repositories[r.Key()].Closure(arch, request, need.Below)
	s.below = s.below.with(r.Key(), request, c, k)
	if !ok && !p.unpinned {
		s.broken = true // Lock.Missing says so
		return
	}
	out := &Packages{
		Manager: k.Manager, Arch: arch, Install: k.Install.V, Recommends: k.Recommends, Configure: k.Configure, Repository: decl.Addr.String(),
	}
	for _, x := range c.Packages {
		out.Packages = append(out.Packages, Package(x))
		known := slices.ContainsFunc(out.Mirrors, func(m Mirror) bool { return m.Name == x.Source })
		if p.in.Mirrors != nil && !known {
			out.Mirrors = append(out.Mirrors, Mirror{Name: x.Source, URLs: p.in.Mirrors(r, x.Source)})
		}
	}
	if k.Configure {
		out.Run = p.configured(s, k)
	}
	s.add(Step{Range: k.Range, Packages: out})
}

// with is below after one more closure; instances share what they inherit, so
// nothing is changed in place.
func (b below) with(repo string, request pin.Request, c pin.Closure, k *spec.Packages) below {
	b.repo = repo
	b.requests = append(slices.Clone(b.requests), request)
	b.ranges = append(slices.Clone(b.ranges), configuredAt{k.Configure, k.Range})
	b.closures = append(slices.Clone(b.closures), c)
	return b
}

// has reports whether a package was unpacked below.
func (b below) has(name string) bool {
	return slices.ContainsFunc(b.closures, func(c pin.Closure) bool {
		return slices.ContainsFunc(c.Packages, func(p pin.Package) bool { return p.Name == name })
	})
}

// installable refuses what cannot be resolved: what a foreign database holds
// is not known here.
func (p *planner) installable(s *state, k *spec.Packages, arch, key string) bool {
	switch {
	case arch == "":
		p.ds.Errorf(k.Range, "No packages for this platform", "%s has no name for %s. Leave the platform out of `platforms`.", k.Manager, s.key.own)
	case s.below.foreign:
		p.ds.Errorf(k.Range, "Packages over a foreign base",
			"%s is built from an image whose package database specbuild did not write, so what is missing is not known. Build `from = scratch`, or call the base's own package manager: packages \"apt\".",
			s.key.addr.Local())
	case s.below.manager != "":
		p.ds.Errorf(k.Range, "Packages over those of a package manager",
			"%s has run below, so what is missing is not known. Write this step before it, or install these packages by it too.", s.below.manager)
	case s.below.repo != "" && s.below.repo != key:
		p.ds.Errorf(k.Repository.Range, "Two repositories in one image",
			"The packages below come from another repository (%s), and versions of two cannot be compared. Declare one `repository` with a `source` for each archive.", s.below.repo)
	default:
		return true
	}
	return false
}
