package spec

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"

	"github.com/specbuild/specbuild/spec/diag"
)

// module evaluates what of a module does not depend on a platform, into the
// Spec, and each body once with the target not known.
func (ld *loader) module(ctx context.Context, m *module, in *inputs, ev *bodies) {
	before := len(ld.diags)
	m.evaluateVariables(in, ld.opts.Partial, &ld.diags)
	e := &evaluated{
		mod: m, order: m.orderLocals(&ld.diags),
		scopes: map[Platform]*scope{}, drafts: map[instance]*drafted{}, memo: map[instance]*answer{},
	}
	ev.modules[m.address()] = e
	sc := e.scope(Platform{})
	ld.diags = append(ld.diags, sc.diags...)
	d := &decoder{mod: m, diags: &ld.diags, ctx: sc.ctx}
	// Secrets come first: mounts ask whether one is an agent.
	for _, decl := range m.order {
		if decl.addr.Kind == KindSecret {
			ld.declaration(d, decl)
		}
	}
	for _, decl := range m.order {
		if ctx.Err() != nil {
			ld.diags.Errorf(diag.Range{}, "Interrupted", "The spec was not read to its end: %s.", ctx.Err())
			return
		}
		if decl.addr.Kind != KindSecret {
			ld.declaration(d, decl)
		}
	}
	ld.bodies(e)
	for _, b := range m.waivers {
		w, _ := waiverBlock.decode(d, source{body: b.Body, header: headerRange(b)})
		m.checkWaived(w, &ld.diags)
		ld.spec.Waivers = append(ld.spec.Waivers, w)
	}
	if c := m.blocks[KindContext]["default"]; c.block == nil {
		ld.spec.Contexts = append(ld.spec.Contexts, &Context{
			Addr: c.addr, Path: Attr[string]{V: m.dir}, Dir: ld.absolute(m.dir),
		})
	}
	e.reported = seen{}
	e.reported.add(ld.diags[before:])
}

// checkWaived looks whether an address of the module names something. One of
// another module may not be loaded: the planner judges it.
func (m *module) checkWaived(w *Waiver, l *diag.List) {
	if !w.Address.usable() || strings.HasPrefix(w.Address.V, "//") {
		return
	}
	kind, name, _ := strings.Cut(w.Address.V, ".")
	if names := m.declared(Kind(kind)); !slices.Contains(names, name) {
		l.Errorf(w.Address.Range, "Unknown address", "There is no %s in this folder%s, so the waiver sets nothing aside.", w.Address.V, didYouMean(name, names))
	}
}

// declaration decodes one named block into the Spec.
func (ld *loader) declaration(d *decoder, decl *declaration) {
	src := decl.source()
	switch decl.addr.Kind {
	case KindBase:
		b, _ := baseBlock.decode(d, src)
		b.Addr = decl.addr
		if b.Layout.usable() {
			b.Layout.V = ld.absolute(b.Layout.V)
		}
		ld.spec.Bases = append(ld.spec.Bases, b)
	case KindContext:
		c, _ := contextBlock.decode(d, src)
		c.Addr = decl.addr
		if c.Path.Set {
			c.Dir = ld.absolute(c.Path.V)
		}
		ld.spec.Contexts = append(ld.spec.Contexts, c)
	case KindSecret:
		s, _ := secretBlock.decode(d, src)
		s.Addr = decl.addr
		d.mod.secrets[s.Addr.Name] = s
		ld.spec.Secrets = append(ld.spec.Secrets, s)
	case KindRepository:
		r, _ := repositoryBlock.decode(d, src)
		r.Addr = decl.addr
		ld.spec.Repositories = append(ld.spec.Repositories, r)
	}
}

// bodies evaluates each stage and image once, with the target not known.
func (ld *loader) bodies(e *evaluated) {
	for _, decl := range e.mod.order {
		addr := decl.addr
		if addr.Kind != KindStage && addr.Kind != KindImage {
			continue
		}
		b := e.draft(addr, Platform{})
		ld.diags = append(ld.diags, b.diags...)
		e.chain(b, Platform{}, &ld.diags)
		if addr.Kind == KindStage {
			ld.spec.Stages = append(ld.spec.Stages, &StageDecl{Addr: addr, Range: b.Range})
			continue
		}
		b.decl.Addr, b.decl.Range = addr, b.Range
		ld.spec.Images = append(ld.spec.Images, &b.decl)
	}
}

// absolute is a folder below the root on this machine. Only Dir and Layout
// hold such paths, and no key does.
func (ld *loader) absolute(rel string) string {
	return filepath.Join(ld.spec.Root, filepath.FromSlash(rel))
}

func (decl *declaration) source() source {
	return source{label: decl.addr.Name, body: decl.block.Body, header: headerRange(decl.block)}
}

// decodeBody evaluates a stage or image in the decoder's scope.
func decodeBody(d *decoder, decl *declaration) *draft {
	table := stageBlock
	if decl.addr.Kind == KindImage {
		table = imageBlock
	}
	b, _ := table.decode(d, decl.source())
	b.Addr = decl.addr
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
type bodies struct{ modules map[string]*evaluated }

// evaluated is a module with what was evaluated of it so far.
type evaluated struct {
	mod      *module
	order    []string // of the locals
	reported seen     // what Load said

	mu     sync.Mutex
	scopes map[Platform]*scope
	drafts map[instance]*drafted
	memo   map[instance]*answer
}

type instance struct {
	addr   Addr
	target Platform
}

type scope struct {
	ctx   *hcl.EvalContext
	diags diag.List
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

// scope is the names of the module for one target. It is made once for all
// bodies: a local that reads a file is evaluated once a target, not once a use.
func (e *evaluated) scope(target Platform) *scope {
	if s, ok := e.scopes[target]; ok {
		return s
	}
	s := &scope{}
	s.ctx = e.mod.scopeFor(target, e.order, &s.diags)
	e.scopes[target] = s
	return s
}

// draft evaluates a stage or image of the module; it is nil if there is none.
// The zero target is one that is not known.
func (e *evaluated) draft(addr Addr, target Platform) *drafted {
	if b, ok := e.drafts[instance{addr, target}]; ok {
		return b
	}
	decl := e.mod.blocks[addr.Kind][addr.Name]
	if decl == nil || addr.Key != "" || addr.Kind != KindStage && addr.Kind != KindImage {
		return nil
	}
	b := &drafted{}
	b.draft = decodeBody(&decoder{mod: e.mod, diags: &b.diags, ctx: e.scope(target).ctx}, decl)
	e.drafts[instance{addr, target}] = b
	return b
}

// chain judges a body by those that it is built on.
func (e *evaluated) chain(b *drafted, target Platform, l *diag.List) {
	checkChain(b.draft, func(addr Addr) *draft {
		if below := e.draft(addr, target); below != nil {
			return below.draft
		}
		return nil
	}, l)
}

func (b *bodies) at(addr Addr, target Platform) (*Body, diag.List) {
	if e := b.modules[addr.Module]; e != nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		key := instance{addr, target}
		if a, ok := e.memo[key]; ok {
			return a.body, a.diags
		}
		if d := e.draft(addr, target); d != nil {
			a := e.answer(d, target)
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
func (e *evaluated) answer(d *drafted, target Platform) *answer {
	all := slices.Concat(e.scope(target).diags, d.diags)
	e.chain(d, target, &all)
	a := &answer{}
	if !all.HasErrors() {
		a.body = &d.Body
	}
	for _, dg := range e.reported.without(all).Sorted() {
		if target != (Platform{}) {
			dg.Detail = fmt.Sprintf("%s (For the target %s.)", dg.Detail, target)
		}
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
