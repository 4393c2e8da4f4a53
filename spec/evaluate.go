package spec

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/hashicorp/hcl/v2"

	"github.com/specbuild/specbuild/spec/diag"
)

// module evaluates what of a module does not depend on a platform, into the
// Spec, and each body once with the target not known.
func (ld *loader) module(ctx context.Context, m *module, in *inputs, ev *bodies) {
	before := len(ld.diags)
	m.evaluateVariables(in, ld.opts.Partial, &ld.diags)
	e := &evaluated{mod: m, order: m.orderLocals(&ld.diags), scopes: map[Platform]*scope{}, memo: map[instance]*answer{}}
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
	for _, b := range m.waivers {
		w, _ := waiverBlock.decode(d, source{body: b.Body, header: headerRange(b)})
		ld.spec.Waivers = append(ld.spec.Waivers, w)
	}
	if c := m.blocks[KindContext]["default"]; c.block == nil {
		ld.spec.Contexts = append(ld.spec.Contexts, &Context{
			Addr: c.addr, Path: Attr[string]{V: m.dir}, Dir: ld.absolute(m.dir),
		})
	}
	e.reported = newSeen(ld.diags[before:])
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
		c.Addr, c.Dir = decl.addr, ld.absolute(c.Path.V)
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
	case KindStage:
		b := decodeBody(d, decl)
		ld.spec.Stages = append(ld.spec.Stages, &StageDecl{Addr: decl.addr, Range: b.Range})
	case KindImage:
		b := decodeBody(d, decl)
		b.decl.Addr, b.decl.Range = decl.addr, b.Range
		ld.spec.Images = append(ld.spec.Images, &b.decl)
	}
}

// absolute is a folder below the root on this machine.
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

type answer struct {
	body  *Body
	diags diag.List
}

// scope is the names of the module for one target.
func (e *evaluated) scope(target Platform) *scope {
	if s, ok := e.scopes[target]; ok {
		return s
	}
	s := &scope{}
	s.ctx = e.mod.scopeFor(target, e.order, &s.diags)
	e.scopes[target] = s
	return s
}

func (b *bodies) at(addr Addr, target Platform) (*Body, diag.List) {
	e := b.modules[addr.Module]
	var decl *declaration
	if e != nil && (addr.Kind == KindStage || addr.Kind == KindImage) {
		decl = e.mod.blocks[addr.Kind][addr.Name]
	}
	if decl == nil || addr.Key != "" {
		var l diag.List
		l.Errorf(diag.Range{}, "Unknown address", "Nothing that can be built is called %s.", addr)
		return nil, l
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	key := instance{addr, target}
	if a, ok := e.memo[key]; ok {
		return a.body, a.diags
	}
	a := e.evaluate(decl, target)
	e.memo[key] = a
	return a.body, a.diags
}

func (e *evaluated) evaluate(decl *declaration, target Platform) *answer {
	sc := e.scope(target)
	all := append(diag.List(nil), sc.diags...)
	d := &decoder{mod: e.mod, diags: &all, ctx: sc.ctx}
	b := decodeBody(d, decl)
	a := &answer{}
	if !all.HasErrors() {
		a.body = &b.Body
	}
	for _, dg := range all.Sorted() {
		if !e.reported.has(dg) {
			if target != (Platform{}) {
				dg.Detail = fmt.Sprintf("%s (For the target %s.)", dg.Detail, target)
			}
			a.diags = append(a.diags, dg)
		}
	}
	return a
}

// seen is the mistakes that were reported, by kind and place: the same one
// may be worded with another value once the target is known.
type seen map[place]bool

type place struct {
	summary string
	at      diag.Range
}

func newSeen(l diag.List) seen {
	s := make(seen, len(l))
	for _, d := range l {
		s[place{d.Summary, d.Range}] = true
	}
	return s
}

func (s seen) has(d diag.Diagnostic) bool { return s[place{d.Summary, d.Range}] }
