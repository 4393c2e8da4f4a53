package pin

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec/diag"
)

// Needs is what a plan looks up in the lock.
type Needs struct {
	Bases    []BaseNeed    // by key, one each
	Closures []ClosureNeed // a closure after those that it lies on
	Git      []GitNeed     // by key, one each
	HTTP     []HTTPNeed    // by URL, one each
	Modules  []ModuleNeed  // by reference, one each

	at map[string]int // place in Closures by key, of AddClosure
}

// Empty reports whether a plan looks nothing up.
func (n Needs) Empty() bool {
	return len(n.Bases)+len(n.Closures)+len(n.Git)+len(n.HTTP)+len(n.Modules) == 0
}

// BaseNeed is a base that something is built from or copied from.
type BaseNeed struct {
	Key       string     // in the lock
	Ref       string     // to ask a registry or layout for
	Digest    string     // that the spec pins, or ""
	Names     []string   // of the base blocks, for --upgrade
	Platforms []string   // whose facts are needed; a copy needs the digest alone
	Signed    bool       // a policy asks for its signatures
	Range     diag.Range // of the first block that asks
}

// ClosureNeed is a packages step.
type ClosureNeed struct {
	Repo    Repo
	Names   []string // of the repository blocks, for --upgrade
	Arch    string
	Request Request
	Below   []Request // lowest first
	Range   diag.Range
	// Elsewhere is set if only builds on other machines need it, and nobody
	// said that there are any: then it may be missing.
	Elsewhere bool
}

// Repo is a package archive as the spec states it.
type Repo struct {
	Type       string // "deb"
	Suite      string
	Components []string
	Snapshot   string
	Sources    []Source
}

// Source is an archive that is not the distribution's own.
type Source struct {
	URL        string
	Suites     []string
	Components []string
	SignedBy   string // the key's bytes
}

// Key names the archive in the lock: whatever decides which packages there
// are is in it, and nothing else.
func (r Repo) Key() string {
	key := r.Type
	if r.Suite != "" {
		key += ":" + r.Suite + ":" + strings.Join(r.Components, ",")
	}
	for _, s := range r.Sources {
		sum := sha256.Sum256([]byte(s.SignedBy))
		key += fmt.Sprintf("+%s:%s:%s:key-%s", s.URL, strings.Join(s.Suites, ","), strings.Join(s.Components, ","), hex.EncodeToString(sum[:6]))
	}
	if r.Snapshot != "" {
		key += "@" + r.Snapshot
	}
	return key
}

// Merge is both needs: of two machines, or of several native platforms.
func (n Needs) Merge(o Needs) Needs {
	var out Needs
	for _, b := range slices.Concat(n.Bases, o.Bases) {
		out.AddBase(b)
	}
	for _, c := range slices.Concat(n.Closures, o.Closures) {
		out.AddClosure(c)
	}
	out.addRemotes(n)
	out.addRemotes(o)
	return out
}

// Elsewhere is the needs of a machine of another kind; optional marks them as
// those of one that there may not be.
func (n Needs) Elsewhere(optional bool) Needs {
	n.Closures, n.at = slices.Clone(n.Closures), nil
	for i := range n.Closures {
		n.Closures[i].Elsewhere = optional
	}
	return n
}

// AddBase adds a base, or its platforms and names to what is needed of it.
func (n *Needs) AddBase(b BaseNeed) {
	i, ok := slices.BinarySearchFunc(n.Bases, b.Key, func(x BaseNeed, key string) int { return cmp.Compare(x.Key, key) })
	if !ok {
		b.Platforms, b.Names = union(nil, b.Platforms), union(nil, b.Names)
		n.Bases = slices.Insert(n.Bases, i, b)
		return
	}
	n.Bases[i].Platforms = union(n.Bases[i].Platforms, b.Platforms)
	n.Bases[i].Names = union(n.Bases[i].Names, b.Names)
	n.Bases[i].Signed = n.Bases[i].Signed || b.Signed
}

// AddClosure adds a closure, unless it is there.
func (n *Needs) AddClosure(c ClosureNeed) {
	if n.at == nil || len(n.at) != len(n.Closures) { // the first, or of needs that were copied
		n.at = make(map[string]int, len(n.Closures)+1)
		for i, x := range n.Closures {
			n.at[x.key()] = i
		}
	}
	key := c.key()
	if i, ok := n.at[key]; ok {
		x := &n.Closures[i]
		x.Names, x.Elsewhere = union(x.Names, c.Names), x.Elsewhere && c.Elsewhere
		return
	}
	c.Names = union(nil, c.Names)
	n.at[key] = len(n.Closures)
	n.Closures = append(n.Closures, c)
}

func (n ClosureNeed) key() string {
	return n.Repo.Key() + "\x00" + closureKey(n.Arch, n.Request, n.Below)
}

// union is sorted and makes new memory.
func union(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// Missing says what the lock lacks of what is needed: it is stale then.
func (l Lock) Missing(n Needs) diag.List {
	var ds diag.List
	for _, b := range n.Bases {
		l.missingBase(&ds, b)
	}
	for _, c := range n.Closures {
		if _, ok := l.Repositories[c.Repo.Key()].Closure(c.Arch, c.Request, c.Below); !ok {
			stale(&ds, c.Range, fmt.Sprintf("%s %s %s %s", kindClosure, c.Repo.Key(), c.Arch, c.Request), l.otherClosure(c))
		}
	}
	l.missingRemotes(&ds, n)
	return ds
}

func (l Lock) missingBase(ds *diag.List, b BaseNeed) {
	have, ok := l.Bases[b.Key]
	if !ok {
		stale(ds, b.Range, kindBase+" "+b.Key, l.otherBase(b))
		return
	}
	if err := have.stands(b); err != nil {
		ds.Errorf(b.Range, Stale, "%s says otherwise than the spec: %v. Somebody has edited it; run `specbuild lock`, which asks for the base anew.", FileName, err)
	}
	for _, p := range b.Platforms {
		if _, ok := have.Facts[p]; !ok && have.Manifests[p] != "" {
			stale(ds, b.Range, fmt.Sprintf("%s %s %s config", kindBase, b.Key, p), "")
		}
	}
}

// pinned is the digest that the spec itself says, or "".
func (n BaseNeed) pinned() string {
	if n.Digest != "" {
		return n.Digest
	}
	r, err := ParseReference(n.Key)
	if err != nil {
		return "" // a layout
	}
	return r.Digest
}

// stands says why what the lock has of a base cannot be what its digest
// stands for: that which the spec pins is not the lock's to change, and where
// the digest is of a manifest there is no other.
func (b Base) stands(n BaseNeed) error {
	if want := n.pinned(); want != "" && b.Digest != want {
		return fmt.Errorf("the spec pins %s to %s, and the lock has %s", n.Key, want, b.Digest)
	}
	if b.MediaType != "application/vnd.oci.image.manifest.v1+json" && b.MediaType != "application/vnd.docker.distribution.manifest.v2+json" {
		return nil
	}
	for _, p := range slices.Sorted(maps.Keys(b.Manifests)) {
		if b.Manifests[p] != b.Digest {
			return fmt.Errorf("%s is a manifest, and the lock has %s for %s", b.Digest, b.Manifests[p], p)
		}
	}
	return nil
}

// Stale is the summary of what Missing says.
const Stale = "The lock is stale"

func stale(ds *diag.List, at diag.Range, line, instead string) {
	detail := fmt.Sprintf("%s has no line `%s …`", FileName, line)
	if instead != "" {
		detail += "; it has `" + instead + " …`"
	}
	ds.Errorf(at, Stale, "%s.", detail+", which this needs. Run `specbuild lock` to add what is missing; it keeps everything else as it is")
}

// otherBase finds what the lock pins of the same repository, for a spec
// whose tag or digest was edited.
func (l Lock) otherBase(b BaseNeed) string {
	var found []string
	want, err := ParseReference(b.Key)
	if err != nil {
		return ""
	}
	for key := range l.Bases {
		if r, err := ParseReference(key); err == nil && r.Name() == want.Name() {
			found = append(found, kindBase+" "+key)
		}
	}
	if len(found) == 0 {
		return ""
	}
	return slices.Min(found)
}

func (l Lock) otherClosure(c ClosureNeed) string {
	for _, have := range l.Repositories[c.Repo.Key()].Closures {
		if have.Arch == c.Arch && slices.ContainsFunc(c.Request.Install, func(s string) bool { return slices.Contains(have.Request.Install, s) }) {
			return fmt.Sprintf("%s %s %s %s", kindClosure, c.Repo.Key(), have.Arch, have.Request)
		}
	}
	return ""
}

// Only is the lock with nothing but what is needed, for `lock ./...`. The
// digests of all platforms of a base that is needed stay.
func (l Lock) Only(n Needs) Lock {
	out := Lock{Bases: map[string]Base{}, Repositories: map[string]Repository{}}
	for _, need := range n.Bases {
		if b, ok := l.Bases[need.Key]; ok {
			facts := map[string]Facts{}
			for _, p := range need.Platforms {
				if f, ok := b.Facts[p]; ok {
					facts[p] = f
				}
			}
			b.Facts = facts
			if !need.Signed {
				b.Signed = Signed{}
			}
			out.Bases[need.Key] = b
		}
	}
	for _, need := range n.Closures {
		have := l.Repositories[need.Repo.Key()]
		c, ok := have.Closure(need.Arch, need.Request, need.Below)
		if !ok {
			continue
		}
		r, ok := out.Repositories[need.Repo.Key()]
		if !ok {
			r.Releases = have.Releases
		}
		r.Closures = append(r.Closures, c)
		out.Repositories[need.Repo.Key()] = r
	}
	for key, r := range out.Repositories {
		r.Releases = slices.Clone(r.Releases)
		r.collect()
		out.Repositories[key] = r
	}
	out.onlyRemotes(l, n)
	return out
}
