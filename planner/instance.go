package planner

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// instanceKey is what an instance is: language.md, Platforms, rule 4.
type instanceKey struct {
	addr        spec.Addr
	own, target spec.Platform
}

// visit is a step on the way down, for showing cycles.
type visit struct {
	key instanceKey
	at  diag.Range // of the reference that led here
}

// state is a resolved instance with what it hands to those built from it and
// no document needs.
type state struct {
	key  instanceKey
	body *spec.Body
	inst *Instance

	inherited   string // the user that `from` hands down, "uid:gid"
	specWorkdir bool   // config.Workdir was said by the spec, not by a base
	newWorkdir  bool   // this body says one that nothing below has made
	accounts    accounts
	below       below
	base        *basis // that the chain begins with; nil from scratch
	copies      []rules.Copied
	broken      bool // the lock lacks something, which is reported for all at once
}

// below is what packages steps know of the root that they extend.
type below struct {
	foreign  bool   // files of an image that specbuild did not make
	opaque   bool   // a copy or a command, which may have brought anything
	manager  string // the program that has changed the database, such as apt-get
	repo     string
	requests []pin.Request
	closures []pin.Closure // of the requests; empty ones where the lock lacks them
	ranges   []configuredAt
}

// configuredAt is how a packages step below leaves its packages.
type configuredAt struct {
	configure bool
	at        diag.Range
}

// basis is the external image that a chain begins with.
type basis struct {
	name   string // "docker.io/library/debian:12"; "" for a layout
	digest string // of what the name stands for: an index, if it is one
	facts  pin.Facts
}

// resolve gives the instance of a stage or image, or nil where something is
// wrong with it, which has been reported then.
func (p *planner) resolve(addr spec.Addr, user, target spec.Platform, at diag.Range) *state {
	body, ds := p.at(addr, target)
	if len(ds) > 0 {
		p.ds = append(p.ds, ds...)
	}
	if body == nil || ds.HasErrors() {
		return nil
	}
	key := instanceKey{addr: addr, own: user, target: target}
	switch {
	case body.Image != nil:
		key.own = target
	case body.Platform.Set:
		key.own = body.Platform.V
	}
	if s, done := p.states[key]; done {
		return s
	}
	p.used[addr] = true
	p.path = append(p.path, visit{key, at})
	defer func() { p.path = p.path[:len(p.path)-1] }()
	if p.visiting[key] {
		p.cycle(key)
		return nil
	}
	p.visiting[key] = true
	s := p.build(key, body)
	delete(p.visiting, key)
	s = p.collapse(s)
	p.states[key] = s
	return s
}

// cycle reports the way from an instance back to itself, once.
func (p *planner) cycle(key instanceKey) {
	start := slices.IndexFunc(p.path, func(v visit) bool { return v.key == key })
	round := p.path[start:]
	var addrs, names []string
	for _, v := range round[1:] {
		addrs = append(addrs, v.key.addr.String())
	}
	slices.Sort(addrs)
	id := strings.Join(addrs, "\n")
	if p.cycles[id] {
		return
	}
	p.cycles[id] = true
	var notes []diag.Note
	for i, v := range round {
		names = append(names, v.key.addr.Local())
		if i > 0 {
			notes = append(notes, diag.Note{
				Message: fmt.Sprintf("%s takes from %s", round[i-1].key.addr.Local(), v.key.addr.Local()), Range: v.at,
			})
		}
	}
	p.ds = append(p.ds, diag.Diagnostic{
		Severity: diag.Error, Summary: "References form a cycle", Range: notes[0].Range, Notes: notes,
		Detail: "Nothing of " + strings.Join(names, " → ") + " can be built first. Take one of these references away.",
	})
}

// build resolves a body. It goes on after a mistake, to find the others; the
// result is nil then.
func (p *planner) build(key instanceKey, body *spec.Body) *state {
	mistakes := len(p.ds)
	s := &state{key: key, body: body, inst: &Instance{
		ID: instanceID(key), Addr: key.addr.String(), Range: body.Range,
		Platform: key.own.String(), Targets: []string{key.target.String()},
	}}
	if !p.from(s) {
		p.touch(s)
		return nil
	}
	p.accounts(s)
	p.config(s)
	p.steps(s)
	if body.Image != nil {
		p.tests(s)
	}
	if s.broken || p.ds[mistakes:].HasErrors() {
		return nil
	}
	return s
}

// touch resolves what a body names although what it is built on is wrong, so
// that all mistakes are found at once, and all that the lock lacks.
func (p *planner) touch(s *state) {
	for _, step := range s.body.Steps {
		at := step.Where()
		for _, ref := range stepReferences(step) {
			switch ref.Kind {
			case spec.KindStage, spec.KindImage:
				p.resolve(ref, s.key.own, s.key.target, at)
			case spec.KindBase:
				p.need(ref, s.key.own, at, false)
			default:
				p.used[ref] = true
			}
		}
	}
}

func instanceID(key instanceKey) string {
	id := key.addr.String() + "@" + key.own.String()
	if key.own != key.target {
		id += ">" + key.target.String()
	}
	return id
}

// collapse makes equal instances for several targets one: where `target` is
// not used they are equal.
func (p *planner) collapse(s *state) *state {
	if s == nil {
		return nil
	}
	bare := *s.inst
	bare.ID, bare.Targets = "", nil
	text, err := json.Marshal(bare)
	if err != nil { // only plain values are in it
		p.ds.Errorf(bare.Range, "The plan cannot be written", "%v.", err)
		return nil
	}
	twin := string(text)
	if first := p.twins[twin]; first != nil {
		first.inst.Targets = append(first.inst.Targets, s.inst.Targets...)
		slices.Sort(first.inst.Targets)
		return first
	}
	p.twins[twin] = s
	p.order = append(p.order, s)
	return s
}

// from resolves what an instance is built on and takes over what that hands
// down. It is false where that is not known.
func (p *planner) from(s *state) bool {
	ref := s.body.From
	switch ref.V.Kind {
	case spec.KindScratch:
		return true
	case spec.KindBase:
		return p.fromBase(s, ref)
	case spec.KindStage, spec.KindImage:
		parent := p.resolve(ref.V, s.key.own, s.key.target, ref.Range)
		if parent == nil {
			return false
		}
		if parent.inst.Platform != s.key.own.String() {
			p.ds.Errorf(ref.Range, "From across platforms",
				"%s is for %s and %s for %s: what is built on another platform's files could not run. `copy` and bind mounts may cross platforms; `from` may not.",
				s.key.addr.Local(), s.key.own, ref.V.Local(), parent.inst.Platform)
			return false
		}
		p.inherit(s, parent)
		return true
	default:
		p.ds.Errorf(ref.Range, "Nothing can be built from this", "%s is a %s. `from` takes scratch, a base, a stage or an image.", ref.V.Local(), ref.V.Kind)
		return false
	}
}

// inherit takes over from a stage or image.
func (p *planner) inherit(s, parent *state) {
	s.inst.From = Source{Instance: parent.inst.ID}
	s.inst.Config = parent.inst.Config
	s.inherited = runUser(parent.inst.Config.User, parent.accounts)
	s.specWorkdir = parent.specWorkdir
	s.accounts = parent.accounts.clone()
	s.below = parent.below
	s.base = parent.base
	if parent.body.Image != nil {
		s.inst.Config.Labels = withoutDescriptions(s.inst.Config.Labels)
	}
}

// input resolves what a copy or a mount takes from, which may be of another
// platform.
func (p *planner) input(s *state, addr spec.Addr, at diag.Range) (Source, bool) {
	switch addr.Kind {
	case spec.KindStage, spec.KindImage:
		other := p.resolve(addr, s.key.own, s.key.target, at)
		if other == nil {
			s.broken = true
			return Source{}, false
		}
		return Source{Instance: other.inst.ID}, true
	case spec.KindBase:
		b, ok := p.pinned(addr, s.key.own, at, false)
		s.broken = s.broken || !ok
		return Source{Base: &b}, ok
	case spec.KindContext:
		c := p.context(addr)
		ok := !elsewhere(c) || p.remote(c)
		s.broken = s.broken || !ok
		return Source{Context: c.Addr.String()}, ok
	default:
		p.ds.Errorf(at, "Nothing can be copied from this", "%s is a %s. Files come from a context, stage, image or base.", addr.Local(), addr.Kind)
		return Source{}, false
	}
}
