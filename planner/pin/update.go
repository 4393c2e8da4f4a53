package pin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/specbuild/specbuild/engine/deb/version"
	"github.com/specbuild/specbuild/spec/diag"
)

// Index is what a name in a registry or a layout stands for.
type Index struct {
	Digest    string            // of the index, or of the manifest where there is no index
	MediaType string            // of what Digest names
	Manifests map[string]string // digest of the manifest for each linux platform
}

// Registry answers what bases are.
type Registry interface {
	// Resolve asks what a name stands for now, without pulling it.
	Resolve(ctx context.Context, ref string) (Index, error)
	// Facts reads the base of one platform, its layers too.
	Facts(ctx context.Context, ref, digest string) (Facts, error)
	// Signed finds the signatures of the image of a digest, which is what
	// Resolve has said. That there are none is no error.
	Signed(ctx context.Context, ref, digest string) (Signed, error)
}

// Packages answers what a request of packages brings.
type Packages interface {
	Resolve(ctx context.Context, q Query) (Answer, error)
}

// Query is a request to an archive's index.
type Query struct {
	Repo      Repo
	Arch      string
	Request   Request
	Installed []Package         // already in the root, in these versions
	Prefer    map[string]string // versions by name that others use already: kept where they fit
}

// Answer is what the index says now.
type Answer struct {
	Packages []Package // that are added to Installed
	Releases []Release
}

// Resolvers is who is asked. One that is not needed may be nil.
type Resolvers struct {
	Registry Registry
	Packages Packages
	Remotes  Remotes
}

// UpgradePolicy says what is asked for anew although the lock has it, and
// what leaves.
type UpgradePolicy struct {
	All   bool
	Names []string // of bases, contexts, repositories or packages
	// Prune drops what nothing needs. It is for needs that are those of the
	// whole workspace: those of a part would unpin the rest.
	Prune bool
}

// keeps are the versions that new closures prefer: those that the lock had
// for the same archive and architecture, but for what is upgraded and for
// what only a request of its own has pinned.
func (u UpgradePolicy) keeps(old Repository, arch string) map[string]string {
	out := map[string]string{}
	if u.All {
		return out
	}
	for _, c := range old.Closures {
		if c.Arch != arch {
			continue
		}
		for _, p := range c.Packages {
			if slices.Contains(u.Names, p.Name) || slices.Contains(c.Request.Install, p.Name+"="+p.Version) {
				continue
			}
			if v, ok := out[p.Name]; !ok || version.Compare(v, p.Version) < 0 {
				out[p.Name] = p.Version
			}
		}
	}
	return out
}

func (u UpgradePolicy) base(n BaseNeed) bool {
	return u.All || slices.ContainsFunc(n.Names, func(s string) bool { return slices.Contains(u.Names, s) })
}

func (u UpgradePolicy) closure(n ClosureNeed, have Closure) bool {
	return u.All || slices.ContainsFunc(u.Names, func(s string) bool {
		return slices.Contains(n.Names, s) || slices.ContainsFunc(have.Packages, func(p Package) bool { return p.Name == s })
	})
}

// parallel bounds the bases that are asked for at once.
const parallel = 8

// Update is the lock with everything that is needed: what it has is kept,
// what it lacks is asked for, and so is what the policy names. The old lock
// stays as it was. On errors the lock holds what could be resolved, and
// nothing is dropped.
func Update(ctx context.Context, lock Lock, needs Needs, rs Resolvers, upgrade UpgradePolicy) (Lock, []Change, diag.List) {
	u := updater{lock: lock.clone(), resolvers: rs, upgrade: upgrade}
	u.checkNames(needs)
	var remotes sync.WaitGroup
	remotes.Go(func() { u.remotes(ctx, needs) })
	u.bases(ctx, needs.Bases)
	remotes.Wait()
	u.closures(ctx, needs.Closures)
	if upgrade.Prune && !u.problems.HasErrors() {
		u.lock = u.lock.Only(needs)
	}
	return u.lock, Diff(lock, u.lock), u.problems.Sorted()
}

type updater struct {
	mu        sync.Mutex // guards lock and problems
	lock      Lock
	resolvers Resolvers
	upgrade   UpgradePolicy
	problems  diag.List
}

// checkNames refuses a name that nothing has: an upgrade that does nothing
// looks like one that worked.
func (u *updater) checkNames(needs Needs) {
	known := map[string]bool{}
	blocks := needs.contexts()
	for _, b := range needs.Bases {
		blocks = append(blocks, b.Names...)
	}
	for _, c := range needs.Closures {
		blocks = append(blocks, c.Names...)
		if have, ok := u.lock.Repositories[c.Repo.Key()].Closure(c.Arch, c.Request, c.Below); ok {
			for _, p := range have.Packages {
				known[p.Name] = true
			}
		}
	}
	for _, n := range u.upgrade.Names {
		if !known[n] && !slices.Contains(blocks, n) {
			u.problems.Errorf(diag.Range{}, "Nothing to upgrade has this name",
				"--upgrade %s names no base, no context, no repository and no locked package that is used here. There are: %s.",
				n, strings.Join(union(nil, blocks), ", "))
		}
	}
}

func (u *updater) bases(ctx context.Context, needs []BaseNeed) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for _, n := range needs {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if err := u.base(ctx, n); err != nil {
				u.report(n.Range, "The base cannot be resolved", sentence(n.Ref, err))
			}
		})
	}
	wg.Wait()
}

// sentence is an error with the name that it is about, once: registries name
// it themselves, and say what to do.
func sentence(ref string, err error) string {
	text := err.Error()
	if !strings.Contains(text, ref) {
		text = ref + ": " + text
	}
	if strings.HasSuffix(text, "?") { // a "did you mean"
		return text
	}
	return strings.TrimRight(text, ".") + "."
}

func (u *updater) report(at diag.Range, summary, detail string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.problems.Errorf(at, summary, "%s", detail)
}

var errNoResolver = errors.New("nothing is there to ask")

func (u *updater) base(ctx context.Context, n BaseNeed) error {
	u.mu.Lock()
	b, ok := u.lock.Bases[n.Key]
	u.mu.Unlock()
	anew := !ok || u.upgrade.base(n) || b.stands(n) != nil
	lacks := slices.ContainsFunc(n.Platforms, func(p string) bool { _, have := b.Facts[p]; return !have })
	unsigned := n.Signed && (anew || len(b.Signed.Signatures) == 0) // somebody may have signed it since
	if !anew && !lacks && !unsigned {
		return nil
	}
	if u.resolvers.Registry == nil {
		return errNoResolver
	}
	if anew {
		now, err := u.resolvers.Registry.Resolve(ctx, n.Ref)
		if err != nil {
			return err
		}
		if n.Digest != "" && now.Digest != n.Digest {
			return fmt.Errorf("the spec pins %s, the answer is %s", n.Digest, now.Digest)
		}
		b = rolled(b, now)
	}
	if err := u.facts(ctx, n, &b); err != nil {
		return err
	}
	if unsigned {
		signed, err := u.resolvers.Registry.Signed(ctx, n.Ref, b.Digest)
		if err != nil {
			return fmt.Errorf("read the signatures: %w", err)
		}
		if b.Signed = signed.sorted(); b.single() {
			b.Signed.Index = ""
		}
	}
	u.mu.Lock()
	u.lock.Bases[n.Key] = b
	u.mu.Unlock()
	return nil
}

// facts reads those of the platforms that are needed and not known.
func (u *updater) facts(ctx context.Context, n BaseNeed, b *Base) error {
	facts := map[string]Facts{}
	for p, f := range b.Facts {
		facts[p] = f
	}
	for _, p := range n.Platforms {
		digest, there := b.Manifests[p]
		if _, ok := facts[p]; ok || !there { // the plan says which platforms there are
			continue
		}
		f, err := u.resolvers.Registry.Facts(ctx, n.Ref, digest)
		if err != nil {
			return fmt.Errorf("read %s for %s: %w", digest, p, err)
		}
		facts[p] = f
	}
	b.Facts = facts
	return nil
}

// rolled is the base as it is now, with the facts of manifests that are the
// same as before, and the signatures of the same digest.
func rolled(old Base, now Index) Base {
	b := Base{Digest: now.Digest, MediaType: now.MediaType, Manifests: now.Manifests, Facts: map[string]Facts{}}
	if old.Digest == now.Digest {
		b.Signed = old.Signed
	}
	for p, f := range old.Facts {
		if old.Manifests[p] == now.Manifests[p] {
			b.Facts[p] = f
		}
	}
	return b
}

func packageCount(n int) string {
	if n == 1 {
		return "1 package"
	}
	return strconv.Itoa(n) + " packages"
}
