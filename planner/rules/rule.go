package rules

import (
	"cmp"
	"slices"
	"time"

	"mvdan.cc/sh/v3/syntax"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// Keeper says who reports that a rule is broken.
type Keeper string

// The keepers. Only findings of Judge, JudgeImages and policies can be set
// aside by a waiver: what the language or the planner refuses is not a plan at all.
const (
	ByJudge    Keeper = "judge"    // this package
	ByLanguage Keeper = "language" // spec, since it cannot be said or has no value
	ByPlanner  Keeper = "planner"  // where references, users and files are resolved
	ByLock     Keeper = "lock"     // `specbuild lock`, which asks registries
	ByBuild    Keeper = "build"    // the engine, which looks at what it makes
	ByPolicy   Keeper = "policy"   // an organisation's policy: its own rules, and what it seals
	ByImage    Keeper = "image"    // JudgeImages, which looks at what a build has made
)

// Rule is one built-in rule.
type Rule struct {
	ID       string // as waivers and policies name it
	Severity diag.Severity
	Release  diag.Severity // the same with Facts.Locked
	By       Keeper
	Off      bool    // not judged until a policy grades it
	Params   []Param // that a policy may give it
	Title    string  // what it asks, without a full stop
	Why      string  // one or two sentences

	// What `rules explain` teaches.
	Bad     string   // a piece of a spec that breaks it, in HCL; empty where none can be written
	Good    string   // the same, mended
	Mend    string   // how, in a sentence; with "validate --fix does it" where it does
	Sources []string // what other tools call it: "DL3006", "CIS-DI-0001"

	// Late rules of policies look at finished images; of the built-in ones, those
	// that have a checkImage, whatever else keeps them.
	Late bool

	check      func(*docket)         // of ByJudge
	checkImage func(*docket, *Image) // of ByImage, and of others that have more to say then

	checkPushed func(*docket, *Pushed) // of others that judge what is about to be pushed, too
}

// OfImages reports whether the rule is judged, also, when images are finished.
func (r Rule) OfImages() bool { return r.Late || r.checkImage != nil }

// OfLayouts reports whether a rule has something to say of a layout that is
// pushed, as policies grade it: of its files, its digests, or where it goes.
func (r Rule) OfLayouts(grades map[string]Grade) bool {
	return r.OfImages() || r.checkPushed != nil && (r.ID != scanID || OfPushed(grades, r.ID))
}

// All is the table of rules, in the order of the documentation: a family
// after the other.
func All() []Rule {
	return slices.Concat(
		baseRules(), []Rule{signedRule(), scanRule()}, platformRules(), userRules(), secretRules(), []Rule{persistRule()}, packageRules(), fetchRules(), downloadRules(),
		copyRules(), runRules(), portRules(), publishRules(), imageRules(), waiverRules(),
	)
}

// Judge applies all rules that are judged here, then the waivers. The result
// is not sorted; a mistake is in it once, for however many platforms it shows.
func Judge(f Facts) diag.List {
	if f.Now.IsZero() {
		f.Now = time.Now()
	}
	rules := All()
	d := newDocket(f)
	d.findings = slices.Clone(f.Policy.Findings)
	for _, r := range rules {
		if r.check == nil || !d.on(r) {
			continue
		}
		d.rule = r
		r.check(d)
	}
	return d.settle(slices.Concat(rules, f.Policy.Rules))
}

// docket collects findings while rules look at the facts. It also keeps what
// several rules ask for: chains, and scripts that were parsed.
type docket struct {
	Facts
	rule     Rule      // that is being judged
	finished *Finished // of JudgeImages, else nil
	results  *reading  // of the evidence, once it was read for images
	findings []Finding
	seen     map[findingKey]bool
	scripts  map[scriptKey]*script
	parsers  map[syntax.LangVariant]*syntax.Parser
	byPlace  map[place]*Instance

	// What nearly every rule walks over, found once: over a monorepo a search
	// for each of its instances is what growth is no longer linear by.
	selected map[spec.Addr]bool
	first    map[place]*Instance // by place without a target
	ask      []*Instance         // images
	ship     []*Instance         // shipped
}

// findingKey makes findings of several platforms one: the place and the
// phrase are the same, only what was computed from the platform differs.
type findingKey struct {
	rule, summary string
	addr          spec.Addr
	at            diag.Range
}

// place is how a body names what it is built on.
type place struct {
	addr          spec.Addr
	own, platform spec.Platform
}

func newDocket(f Facts) *docket {
	d := &docket{
		Facts: f, seen: map[findingKey]bool{}, scripts: map[scriptKey]*script{}, parsers: map[syntax.LangVariant]*syntax.Parser{},
		byPlace: map[place]*Instance{}, selected: map[spec.Addr]bool{}, first: map[place]*Instance{},
	}
	for _, addr := range f.Spec.Selected {
		d.selected[addr] = true
	}
	for i := range f.Instances {
		inst := &f.Instances[i]
		d.byPlace[place{inst.Body.Addr, inst.Platform, inst.Target}] = inst
		anyTarget := place{addr: inst.Body.Addr, own: inst.Platform}
		if d.first[anyTarget] == nil {
			d.first[anyTarget] = inst
		}
		if inst.Body.Image != nil && d.selected[inst.Body.Addr] {
			d.ask = append(d.ask, inst)
		}
	}
	in := map[*Instance]bool{}
	for _, img := range d.ask {
		for _, inst := range d.chain(img) {
			if !in[inst] {
				in[inst] = true
				d.ship = append(d.ship, inst)
			}
		}
	}
	return d
}

// found notes that the rule is broken. The detail is sentences: what was
// found, and what to do.
func (d *docket) found(addr spec.Addr, at diag.Range, summary, detail string, args ...any) {
	d.mend(addr, at, nil, summary, detail, args...)
}

// add is found for a diagnostic with its own severity or notes.
func (d *docket) add(addr spec.Addr, di diag.Diagnostic) {
	key := findingKey{d.rule.ID, di.Summary, addr, di.Range}
	if d.seen[key] {
		return
	}
	d.seen[key] = true
	di.Code = d.rule.ID
	if addr != (spec.Addr{}) { // what is about no one thing has none
		di.Address = addr.String()
	}
	d.findings = append(d.findings, Finding{addr, di})
}

// images are the instances of images that were asked for: what is shipped.
func (d *docket) images() []*Instance { return d.ask }

// shipped are the instances whose files are in an image that was asked for.
func (d *docket) shipped() []*Instance { return d.ship }

// below is the instance that this one is built on, or nil where that is a
// base or scratch.
func (d *docket) below(inst *Instance) *Instance {
	from := inst.Body.From.V
	if from.Kind != spec.KindStage && from.Kind != spec.KindImage {
		return nil
	}
	if below := d.byPlace[place{from, inst.Platform, inst.Target}]; below != nil {
		return below
	}
	// Where the target makes no difference, one instance serves all of them.
	return d.first[place{addr: from, own: inst.Platform}]
}

// chain is an instance and all that it is built on, uppermost first: the
// files of all of them are in the image.
func (d *docket) chain(inst *Instance) []*Instance {
	var out []*Instance
	for inst != nil && len(out) <= len(d.Instances) {
		out = append(out, inst)
		inst = d.below(inst)
	}
	return out
}

// base is what is known of the base that a chain begins with; ok is false
// from scratch.
func (d *docket) base(inst *Instance) (b Base, info BaseInfo, known, ok bool) {
	chain := d.chain(inst)
	from := chain[len(chain)-1].Body.From.V
	i := slices.IndexFunc(d.Bases, func(b Base) bool { return b.Base.Addr == from })
	if from.Kind != spec.KindBase || i < 0 {
		return Base{}, BaseInfo{}, false, from.Kind == spec.KindBase
	}
	info, known = d.Bases[i].Configs[inst.Platform.String()]
	return d.Bases[i], info, known, true
}

// source is the text that stands at a range of the spec; empty where it is
// not at hand.
func (d *docket) source(at diag.Range) string {
	src := d.Spec.Files[at.File]
	if at.Start.Byte < 0 || at.Start.Byte > at.End.Byte || at.End.Byte > len(src) {
		return ""
	}
	return string(src[at.Start.Byte:at.End.Byte])
}

// or is the first of the ranges that names a place.
func or(ranges ...diag.Range) diag.Range { return cmp.Or(ranges...) }
