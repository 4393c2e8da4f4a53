package planner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/engine/source"
	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// NetworkHost is the grant that network = "host" needs.
const NetworkHost = "network.host"

// Input is what a plan is made of. All but Spec may be left out.
type Input struct {
	Spec   *spec.Spec
	Lock   pin.Lock
	Locked bool // --locked, for the rules
	// Unattested: what is built is pushed without statements about it, for the rules.
	Unattested bool
	Allow      []string // grants: NetworkHost

	// Sources lists contexts; without it copies are not checked against files.
	Sources Sources
	// Fetched finds the files of a context that lies elsewhere on this machine;
	// where they are not, copies from it are checked when they are fetched.
	Fetched func(c Context) (dir string, ok bool)
	// CanRun says why this machine cannot run steps of a platform, and what
	// to do; nil is that it can. Without it every platform can be run.
	CanRun func(platform string) error
	// Mirrors gives the URLs of one source of an archive (pin.Package.Source).
	Mirrors func(repo pin.Repo, source string) []string
	// Signed reports whether policies ask for the signatures of a base of this
	// name, as the lock has it: then they are needed of the lock. Without it
	// none are.
	Signed func(name string) bool
	// Looked remembers, for the rules, which files hold no credentials. It may
	// be nil.
	Looked rules.Looked
	// Judge applies rules to what was found.
	Judge func(rules.Facts) diag.List
}

// Sources lists what a copy selects of a context, without reading content.
type Sources interface {
	List(ctx context.Context, r source.Request) (*source.Selection, error)
}

// Make plans the images that the spec selects. The plan is whole only if no
// diagnostic is an error.
func Make(ctx context.Context, in Input) (*Plan, diag.List) { return makePlan(ctx, in, in.Spec.At) }

// Needs is what a plan would look up in the lock, for `specbuild lock`. It
// asks nothing of the lock and looks at no context.
func Needs(ctx context.Context, in Input) (pin.Needs, diag.List) {
	return findNeeds(ctx, in, in.Spec.At)
}

// evaluate is (*spec.Spec).At.
type evaluate func(spec.Addr, spec.Platform) (*spec.Body, diag.List)

func makePlan(ctx context.Context, in Input, at evaluate) (*Plan, diag.List) {
	p := newPlanner(ctx, in, at)
	images := p.images()
	p.ds = append(p.ds, in.Lock.Missing(p.needs)...)
	p.unused()
	plan := &Plan{
		Version: Version, Workspace: in.Spec.Name, Build: in.Spec.Build.String(),
		Images: images, Contexts: p.usedContexts(), Secrets: p.usedSecrets(),
	}
	for _, s := range p.order {
		plan.Instances = append(plan.Instances, *s.inst)
	}
	if in.Judge != nil {
		facts := p.facts()
		facts.Plan = plan
		p.ds = append(p.ds, in.Judge(facts)...)
	}
	return plan, p.ds.Sorted()
}

func findNeeds(ctx context.Context, in Input, at evaluate) (pin.Needs, diag.List) {
	in.Sources, in.CanRun, in.Judge, in.Allow = nil, nil, nil, []string{NetworkHost}
	p := newPlanner(ctx, in, at)
	p.unpinned = true
	p.images()
	return p.needs, p.ds.Sorted()
}

// planner is the worklist and what it found.
type planner struct {
	ctx      context.Context
	in       Input
	at       evaluate
	unpinned bool // only the needs are asked for: the lock is not looked at
	ds       diag.List

	bases        map[spec.Addr]*spec.Base
	contexts     map[spec.Addr]*spec.Context
	remotes      map[spec.Addr]Context // pinned ones; without a pin where the lock has none
	secrets      map[spec.Addr]*spec.Secret
	repositories map[spec.Addr]*spec.Repository
	imageDecls   map[spec.Addr]*spec.ImageDecl

	states   map[instanceKey]*state // finished ones
	visiting map[instanceKey]bool
	path     []visit           // from the image down to what is being resolved
	twins    map[string]*state // by content, so that equal instances are one
	cycles   map[string]bool   // reported ones
	order    []*state          // inputs first
	used     map[spec.Addr]bool
	needs    pin.Needs
	listings map[string]listing
	configs  map[string]Config // of bases, by key and platform
}

func newPlanner(ctx context.Context, in Input, at evaluate) *planner {
	p := &planner{
		ctx: ctx, in: in, at: at,
		bases: map[spec.Addr]*spec.Base{}, contexts: map[spec.Addr]*spec.Context{}, remotes: map[spec.Addr]Context{},
		secrets: map[spec.Addr]*spec.Secret{}, repositories: map[spec.Addr]*spec.Repository{},
		imageDecls: map[spec.Addr]*spec.ImageDecl{},
		states:     map[instanceKey]*state{}, visiting: map[instanceKey]bool{}, twins: map[string]*state{},
		cycles: map[string]bool{}, used: map[spec.Addr]bool{}, listings: map[string]listing{},
		configs: map[string]Config{},
	}
	p.fetchedModules()
	for _, b := range in.Spec.Bases {
		p.bases[b.Addr] = b
	}
	for _, c := range in.Spec.Contexts {
		p.contexts[c.Addr] = c
	}
	for _, s := range in.Spec.Secrets {
		p.secrets[s.Addr] = s
	}
	for _, r := range in.Spec.Repositories {
		p.repositories[r.Addr] = r
	}
	for _, i := range in.Spec.Images {
		p.imageDecls[i.Addr] = i
	}
	return p
}

// images resolves what was asked for.
func (p *planner) images() []Image {
	var out []Image
	tags := map[string]*spec.ImageDecl{}
	for _, addr := range p.in.Spec.Selected {
		decl := p.imageDecls[addr]
		if addr.Kind == spec.KindStage {
			out = append(out, p.stage(addr)...)
			continue
		}
		if decl == nil {
			p.ds.Errorf(diag.Range{}, "No such image", "%s is asked for, but no block declares it.", addr)
			continue
		}
		img := Image{Addr: addr.String(), Range: decl.Range, Explicit: decl.Platforms.Set, Tags: p.tags(decl, tags)}
		var last *state
		for _, platform := range p.platformsOf(decl) {
			s := p.resolve(addr, platform, platform, decl.Range)
			if s == nil {
				continue
			}
			img.Platforms = append(img.Platforms, PlatformImage{Platform: platform.String(), Instance: s.inst.ID})
			last = s
		}
		if last != nil {
			p.shared(&img, last)
		}
		out = append(out, img)
	}
	return out
}

// stage is a stage that was asked for by its address, for the machine that
// builds: what it holds can be looked at, and is not published.
func (p *planner) stage(addr spec.Addr) []Image {
	build := p.in.Spec.Build
	s := p.resolve(addr, build, build, diag.Range{})
	if s == nil {
		return nil
	}
	return []Image{{
		Addr: addr.String(), Range: s.body.Range, Explicit: true,
		Platforms: []PlatformImage{{Platform: s.inst.Platform, Instance: s.inst.ID}},
	}}
}

func (p *planner) platformsOf(decl *spec.ImageDecl) []spec.Platform {
	if !decl.Platforms.Set || len(decl.Platforms.V) == 0 {
		return []spec.Platform{p.in.Spec.Build}
	}
	var out []spec.Platform
	for _, platform := range decl.Platforms.V {
		if slices.Contains(out, platform) {
			p.ds.Errorf(decl.Platforms.Range, "A platform is listed twice", "%s of %s is there twice; platforms are normalised before they are compared.", platform, decl.Addr.Local())
			continue
		}
		out = append(out, platform)
	}
	return out
}

// shared fills what an image has once for all its platforms.
func (p *planner) shared(img *Image, s *state) {
	b := s.body.Image
	img.Annotations = s.inst.Annotations
	img.Stamp = kvs(b.Stamp)
	if b.Budget != nil {
		img.Budget = &Budget{Range: b.Budget.Range, Size: b.Budget.Size.V, Layers: b.Budget.Layers.V}
	}
}

// tags are full references. Two images under one tag would overwrite each
// other, in an order that nobody chose.
func (p *planner) tags(decl *spec.ImageDecl, seen map[string]*spec.ImageDecl) []string {
	var out []string
	for _, tag := range decl.Tags.V {
		r, err := pin.ParseReference(tag)
		switch {
		case err != nil:
			p.ds.Errorf(decl.Tags.Range, "This is no tag", "%q: %v.", tag, err)
			continue
		case r.Digest != "":
			p.ds.Errorf(decl.Tags.Range, "A tag holds a digest", "%q: the digest of an image follows from its content. Leave it out.", tag)
			continue
		case r.Tag == "":
			r.Tag = "latest"
		}
		full := r.String()
		if slices.Contains(out, full) {
			continue
		}
		if other := seen[full]; other != nil {
			p.ds = append(p.ds, diag.Diagnostic{
				Severity: diag.Error, Summary: "Two images have one tag", Range: decl.Tags.Range,
				Detail: fmt.Sprintf("%s is a tag of %s and of %s: one would replace the other. Give one of them another name.", full, other.Addr.Local(), decl.Addr.Local()),
				Notes:  []diag.Note{{Message: "the other image", Range: other.Tags.Range}},
			})
			continue
		}
		seen[full] = decl
		out = append(out, full)
	}
	return out
}

func (p *planner) usedContexts() []Context {
	var out []Context
	for addr, c := range p.contexts {
		if p.used[addr] && elsewhere(c) {
			if pinned := p.remotes[addr]; pinned.Git != nil || pinned.HTTP != nil {
				out = append(out, pinned)
			}
		} else if p.used[addr] {
			out = append(out, Context{Addr: addr.String(), Path: c.Path.V, Dir: c.Dir, Include: c.Include.V, Exclude: c.Exclude.V})
		}
	}
	slices.SortFunc(out, func(a, b Context) int { return cmp.Compare(a.Addr, b.Addr) })
	return out
}

func (p *planner) usedSecrets() []Secret {
	var out []Secret
	for addr, s := range p.secrets {
		if p.used[addr] {
			out = append(out, Secret{
				Addr: addr.String(), Range: s.Range, Env: s.Env.V, File: s.File.V,
				Command: s.Command.V, SSH: s.SSH.V, Optional: s.Optional,
			})
		}
	}
	slices.SortFunc(out, func(a, b Secret) int { return cmp.Compare(a.Addr, b.Addr) })
	return out
}

// kvs is a map of the spec without what it unsets.
func kvs(vars []spec.EnvVar) []KV {
	var out []KV
	for _, v := range vars {
		if !v.Unset {
			out = append(out, KV{v.Name, v.Value})
		}
	}
	slices.SortFunc(out, func(a, b KV) int { return strings.Compare(a.Name, b.Name) })
	return out
}
