// Package pin turns names into digests and keeps them in the lock file,
// specbuild.lock: bases with their facts, so that a plan pulls nothing, and
// the closures of packages, so that an apply reads no index.
package pin

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// FileName is the name of the lock at the workspace's root.
const FileName = "specbuild.lock"

// Lock is what is pinned. It is keyed by what is pinned and not by who asks,
// so that one base is rolled forward once for all. The zero Lock pins
// nothing; a Lock that was handed out is not changed any more.
type Lock struct {
	Bases        map[string]Base       // by Need.Key: the image's full name, or "layout:" and its folder
	Repositories map[string]Repository // by Repo.Key
	Git          map[string]string     // commits, by GitNeed.Key
	HTTP         map[string]File       // by URL
	Modules      map[string]string     // digests of published modules, by reference
}

// Base is what is known of an image that others build on.
type Base struct {
	Digest    string            // of the index, or of the manifest where there is no index
	MediaType string            // of what Digest names
	Manifests map[string]string // digest of the manifest for each linux platform of the index
	Facts     map[string]Facts  // for the platforms in use
	Signed    Signed            // empty but where a policy asks for signatures
}

// Repository is what is known of a package archive.
type Repository struct {
	Releases []Release            // by source
	Packages map[string][]Package // by architecture; sorted by name, then version
	Closures []Closure            // sorted by architecture, request and what lies below
}

// Release is the signed index that the packages were chosen from.
type Release struct {
	Source string // the archive's own name in the repository: "main", "updates", "security", or a source's URL
	Suite  string
	Date   string // RFC 3339, UTC: also the time to ask a snapshot for
	Digest string // of the Release file, "sha256:…"
}

// Package is one package of an archive, enough to fetch and check it.
type Package struct {
	Name    string
	Version string
	Arch    string // of the package itself: an architecture or "all"
	Source  string // the Release.Source that it comes from
	Path    string // below the archive's root, "pool/…"
	Size    int64  // bytes
	SHA256  string // hexadecimal
}

// Request is one packages step.
type Request struct {
	Install    []string // "name", "name=version" or "name:arch", sorted
	Recommends bool
	Configure  bool
}

// Closure is all that one request brings.
type Closure struct {
	Arch     string // the distribution's word: "amd64"
	Request  Request
	Below    []Request // of the packages steps that the root has already, lowest first
	Packages []Package // that this step adds, sorted by name
}

// String is the request as the lock writes it: the names, then its options.
func (r Request) String() string {
	s := strings.Join(r.Install, ",")
	if r.Recommends {
		s += "+recommends"
	}
	if r.Configure {
		s += "+configure"
	}
	return s
}

// parseRequest is the inverse of Request.String.
func parseRequest(s string) Request {
	var r Request
	s, r.Configure = strings.CutSuffix(s, "+configure")
	s, r.Recommends = strings.CutSuffix(s, "+recommends")
	r.Install = strings.Split(s, ",")
	return r
}

// NewRequest is the request of a step: names are sorted and each is there
// once, so that two spellings of one wish share a line of the lock.
func NewRequest(install []string, recommends, configure bool) Request {
	names := slices.Clone(install)
	slices.Sort(names)
	return Request{Install: slices.Compact(names), Recommends: recommends, Configure: configure}
}

// Closure finds what a request brings, over the requests below it.
func (r Repository) Closure(arch string, request Request, below []Request) (Closure, bool) {
	key := closureKey(arch, request, below)
	i, ok := slices.BinarySearchFunc(r.Closures, key, func(c Closure, k string) int { return cmp.Compare(c.key(), k) })
	if !ok {
		return Closure{}, false
	}
	return r.Closures[i], true
}

func (c Closure) key() string { return closureKey(c.Arch, c.Request, c.Below) }

func closureKey(arch string, request Request, below []Request) string {
	return arch + "\x00" + request.String() + "\x00" + joinRequests(below)
}

// noneBelow stands in the lock's column where no step lies below: a request
// cannot read so, since packages begin with a letter or digit.
const noneBelow = "-"

func joinRequests(rs []Request) string {
	if len(rs) == 0 {
		return noneBelow
	}
	parts := make([]string, len(rs))
	for i, r := range rs {
		parts[i] = r.String()
	}
	return strings.Join(parts, ";")
}

func parseRequests(s string) []Request {
	if s == noneBelow {
		return nil
	}
	var out []Request
	for part := range strings.SplitSeq(s, ";") {
		out = append(out, parseRequest(part))
	}
	return out
}

// clone copies the maps, so that an update leaves the old lock as it was.
func (l Lock) clone() Lock {
	out := Lock{Bases: make(map[string]Base, len(l.Bases)), Repositories: make(map[string]Repository, len(l.Repositories))}
	for k, b := range l.Bases {
		b.Manifests = maps.Clone(b.Manifests)
		b.Facts = maps.Clone(b.Facts)
		b.Signed.Signatures = slices.Clone(b.Signed.Signatures)
		out.Bases[k] = b
	}
	for k, r := range l.Repositories {
		r.Closures = slices.Clone(r.Closures)
		r.Releases = slices.Clone(r.Releases)
		r.Packages = maps.Clone(r.Packages)
		out.Repositories[k] = r
	}
	out.Git, out.HTTP = map[string]string{}, map[string]File{}
	maps.Copy(out.Git, l.Git)
	out.Modules = map[string]string{}
	maps.Copy(out.Modules, l.Modules)
	maps.Copy(out.HTTP, l.HTTP)
	return out
}

// collect makes the lists of packages what the closures hold, sorted, each
// once; a package that no closure names is dropped.
func (r *Repository) collect() {
	slices.SortFunc(r.Closures, func(a, b Closure) int { return cmp.Compare(a.key(), b.key()) })
	r.Closures = slices.CompactFunc(r.Closures, func(a, b Closure) bool { return a.key() == b.key() })
	r.Packages = map[string][]Package{}
	for _, c := range r.Closures {
		r.Packages[c.Arch] = append(r.Packages[c.Arch], c.Packages...)
	}
	for arch, ps := range r.Packages {
		slices.SortFunc(ps, comparePackages)
		r.Packages[arch] = slices.CompactFunc(ps, func(a, b Package) bool { return a.Name == b.Name && a.Version == b.Version })
	}
	slices.SortFunc(r.Releases, func(a, b Release) int { return cmp.Compare(a.Source, b.Source) })
}

func comparePackages(a, b Package) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
}
