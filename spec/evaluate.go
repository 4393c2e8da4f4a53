package spec

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/diag"
)

func (ld *loader) newModule(f *folder, addr string) *module {
	return &module{
		folder: f, addr: addr, build: ld.opts.Build, load: ld.shared,
		each: map[*declaration]*elementsOf{}, children: map[string]*children{}, usesTarget: map[string]bool{},
	}
}

// instantiate gives a module its variables and finds what its names stand
// for, those of the modules that it calls first.
func (ld *loader) instantiate(m *module, in inputs) *evaluated {
	e := &evaluated{
		mod: m, number: len(ld.shared.modules),
		scopes: map[Platform]*scope{}, drafts: map[instance]*drafted{}, memo: map[instance]*answer{}, varying: map[*declaration]bool{},
	}
	ld.shared.modules[m.addr] = e
	var l diag.List
	m.evaluateVariables(in, ld.opts.Partial, &l)
	ld.tell(m, l)
	ld.define(e)
	return e
}

// tell reports what is wrong in a module, unless the same was said of another
// module of the same folder.
func (ld *loader) tell(m *module, l diag.List) {
	fresh := ld.said.without(l)
	if notes := m.within(); notes != nil {
		for i := range fresh {
			fresh[i].Notes = append(fresh[i].Notes, notes...)
		}
	}
	ld.said.add(fresh)
	ld.diags = append(ld.diags, fresh...)
}

// declarations decodes all that is neither stage nor image into the Spec.
// Secrets come first: mounts ask whether one is an agent.
func (ld *loader) declarations(e *evaluated) {
	var l diag.List
	d := &decoder{mod: e.mod, diags: &l, ctx: e.scope(Platform{}).ctx}
	for _, secrets := range []bool{true, false} {
		for _, decl := range e.mod.order {
			if (decl.kind == KindSecret) == secrets {
				e.mod.elements(d, decl, func(d *decoder, key string, known bool) {
					ld.declaration(d, decl, key, known)
				})
			}
		}
	}
	for _, b := range e.mod.waivers {
		w, _ := waiverBlock.decode(d, source{body: b.Body, header: headerRange(b)})
		e.mod.checkWaived(w, &l)
		ld.spec.Waivers = append(ld.spec.Waivers, w)
	}
	if c := e.mod.blocks[KindContext]["default"]; c != nil && c.block == nil {
		ld.spec.Contexts = append(ld.spec.Contexts, &Context{
			Addr: e.mod.addrOf(c, ""), Path: Attr[string]{V: e.mod.below()}, Dir: e.mod.absolute(e.mod.dir),
		})
	}
	ld.tell(e.mod, l)
}

// below is the folder as the plan names it: below the workspace's root, or
// within what was fetched.
func (f *folder) below() string {
	if f.fetched != "" {
		return f.address()
	}
	return f.dir
}

// checkWaived looks whether an address of the module names something. One of
// another module may not be loaded: the planner judges it.
func (m *module) checkWaived(w *Waiver, l *diag.List) {
	if !w.Address.usable() || strings.HasPrefix(w.Address.V, "//") || strings.HasPrefix(w.Address.V, moduleWord+".") {
		return
	}
	kind, name, _ := strings.Cut(w.Address.V, ".")
	name, _, _ = strings.Cut(name, "[")
	if names := m.declared(Kind(kind)); !slices.Contains(names, name) {
		l.Errorf(w.Address.Range, "Unknown address", "There is no %s in this folder%s, so the waiver sets nothing aside.", w.Address.V, didYouMean(name, names))
	}
}

// declaration decodes one named block into the Spec. One whose keys are not
// known is decoded for its mistakes only.
func (ld *loader) declaration(d *decoder, decl *declaration, key string, known bool) {
	src, addr, s := decl.source(), d.mod.addrOf(decl, key), ld.spec
	switch decl.kind {
	case KindBase:
		b, _ := baseBlock.decode(d, src)
		if b.Addr = addr; b.Layout.usable() {
			b.Layout.V = d.mod.absolute(b.Layout.V)
		}
		keep(&s.Bases, b, known)
	case KindContext:
		c, _ := contextBlock.decode(d, src)
		if c.Addr = addr; c.Path.Set {
			c.Dir = d.mod.absolute(c.Path.V)
		}
		if c.Path.Set && d.mod.fetched != "" {
			d.diags.Errorf(c.Path.Range, "Not for modules from outside", "A module that is fetched has its own folder, context.default, and no other. Take further ones as variables of type context.")
		}
		keep(&s.Contexts, c, known)
	case KindSecret:
		sec, _ := secretBlock.decode(d, src)
		sec.Addr = addr
		ld.shared.secrets[addr] = sec
		keep(&s.Secrets, sec, known)
	case KindRepository:
		r, _ := repositoryBlock.decode(d, src)
		r.Addr = addr
		keep(&s.Repositories, r, known)
	}
}

func keep[T any](list *[]*T, v *T, known bool) {
	if known {
		*list = append(*list, v)
	}
}

// bodies evaluates each stage and image once, with the target not known.
func (ld *loader) bodies(e *evaluated) {
	var l diag.List
	d := &decoder{mod: e.mod, diags: &l, ctx: e.scope(Platform{}).ctx}
	for _, decl := range e.mod.order {
		if decl.kind != KindStage && decl.kind != KindImage {
			continue
		}
		e.mod.elements(d, decl, func(d *decoder, key string, known bool) {
			if !known {
				decodeBody(d, decl, e.mod.addrOf(decl, ""))
				return
			}
			addr := e.mod.addrOf(decl, key)
			b := e.draft(addr, Platform{})
			*d.diags = append(*d.diags, b.diags...)
			ld.eval.chain(b, Platform{}, d.diags)
			if decl.kind == KindStage {
				ld.spec.Stages = append(ld.spec.Stages, &StageDecl{Addr: addr, Range: b.Range})
				return
			}
			b.decl.Addr, b.decl.Range = addr, b.Range
			ld.spec.Images = append(ld.spec.Images, &b.decl)
		})
	}
	ld.tell(e.mod, l)
}

// absolute is a folder below the root on this machine. Only Dir and Layout
// hold such paths, and no key does.
func (f *folder) absolute(rel string) string {
	return filepath.Join(f.root, filepath.FromSlash(rel))
}

// decodeBody evaluates a stage or image in the decoder's scope.
func decodeBody(d *decoder, decl *declaration, addr Addr) *draft {
	table := stageBlock
	if decl.kind == KindImage {
		table = imageBlock
	}
	var incomplete []string
	inner := *d
	inner.incomplete = &incomplete
	b, _ := table.decode(&inner, decl.source())
	b.Addr, b.Incomplete = addr, incomplete
	for _, s := range b.Steps {
		if c, ok := s.(*Copy); ok && !c.From.Set {
			c.From.V = d.mod.defaultContext()
		}
		if r, ok := s.(*Run); ok {
			for i := range r.Mounts {
				if m := &r.Mounts[i]; m.Type == "bind" && !m.From.Set {
					m.From.V = d.mod.defaultContext()
				}
			}
		}
	}
	return b
}

// bodies evaluates stages and images for targets. It is what At does.
type bodies struct {
	mu       sync.Mutex // over all modules: chains go from one to another both ways
	shared   *shared
	reported seen // what Load said
}

// evaluated is a module with what was evaluated of it so far.
type evaluated struct {
	mod    *module
	number int // callers before those that they call
	order  []definition

	scopes  map[Platform]*scope
	drafts  map[instance]*drafted
	memo    map[instance]*answer
	varying map[*declaration]bool
}

type instance struct {
	addr   Addr
	target Platform
}

// scope is the names of a module for one target.
type scope struct {
	view  *view // of the one whose target is not known
	ctx   *hcl.EvalContext
	diags diag.List

	exports, shares cty.Value // once they were asked for
}

// drafted is a body with the mistakes of its own, without those of its chain.
type drafted struct {
	*draft
	diags diag.List
}

type answer struct {
	body  *Body
	diags diag.List
}

// draft evaluates a stage or image of the module; it is nil if there is none.
// The zero target is one that is not known.
func (e *evaluated) draft(addr Addr, target Platform) *drafted {
	if b, ok := e.drafts[instance{addr, target}]; ok {
		return b
	}
	decl := e.mod.blocks[addr.Kind][addr.Name]
	if decl == nil || addr.Kind != KindStage && addr.Kind != KindImage {
		return nil
	}
	if target != (Platform{}) && !e.varies(decl) {
		return e.draft(addr, Platform{})
	}
	ctx, ok := e.mod.eachContext(e.scope(target).ctx, decl, addr.Key)
	if !ok {
		return nil
	}
	b := &drafted{}
	b.draft = decodeBody(&decoder{mod: e.mod, diags: &b.diags, ctx: ctx, each: decl.forEach != nil}, decl, addr)
	e.drafts[instance{addr, target}] = b
	return b
}

// varies reports whether a body is another for each target. Most are not: what
// Load evaluated holds then for all of them.
func (e *evaluated) varies(decl *declaration) bool {
	varies, known := e.varying[decl]
	if !known {
		varies = slices.ContainsFunc(exprs(decl.block.Body), e.mod.dependsOnTarget)
		e.varying[decl] = varies
	}
	return varies
}

// draft finds a stage or image of any module.
func (b *bodies) draft(addr Addr, target Platform) *drafted {
	if e := b.shared.modules[addr.Module]; e != nil {
		return e.draft(addr, target)
	}
	return nil
}

// chain judges a body by those that it is built on.
func (b *bodies) chain(d *drafted, target Platform, l *diag.List) {
	checkChain(d.draft, func(addr Addr) *draft {
		if below := b.draft(addr, target); below != nil {
			return below.draft
		}
		return nil
	}, b.shared.modules[d.draft.Addr.Module].mod.sourceBytes, l)
}

func (b *bodies) at(addr Addr, target Platform) (*Body, diag.List) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.shared.modules[addr.Module]; e != nil {
		key := instance{addr, target}
		if a, ok := e.memo[key]; ok {
			return a.body, a.diags
		}
		if d := e.draft(addr, target); d != nil {
			a := b.answer(e, d, target)
			a.diags = inItsSyntax(a.diags)
			e.memo[key] = a
			return a.body, a.diags
		}
	}
	var l diag.List
	l.Errorf(diag.Range{}, "Unknown address", "Nothing that can be built is called %s.", addr)
	return nil, l
}

// answer is what At gives: the body if nothing is wrong with it, and what
// Load could not say without the target.
func (b *bodies) answer(e *evaluated, d *drafted, target Platform) *answer {
	all := slices.Clone(d.diags)
	if e.varies(e.mod.blocks[d.Addr.Kind][d.Addr.Name]) {
		all = append(all, e.scope(target).diags...)
	}
	b.chain(d, target, &all)
	a := &answer{}
	if !all.HasErrors() {
		a.body = &d.Body
	}
	for _, dg := range b.reported.without(all).Sorted() {
		if target != (Platform{}) {
			dg.Detail = fmt.Sprintf("%s (For the target %s.)", dg.Detail, target)
		}
		dg.Notes = append(dg.Notes, e.mod.within()...)
		a.diags = append(a.diags, dg)
	}
	return a
}

// seen is the mistakes that were reported, by kind and place: the same one
// may be worded with another value the next time.
type seen map[place]bool

type place struct {
	summary string
	at      diag.Range
}

func (s seen) add(l diag.List) {
	for _, d := range l {
		s[place{d.Summary, d.Range}] = true
	}
}

func (s seen) without(l diag.List) diag.List {
	var out diag.List
	for _, d := range l {
		if !s[place{d.Summary, d.Range}] {
			out = append(out, d)
		}
	}
	return out
}
