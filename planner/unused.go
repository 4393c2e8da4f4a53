package planner

import (
	"path"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// workspaceFile may declare what only some members use.
const workspaceFile = "specbuild.hcl"

// unused warns of what no image of the spec reaches, whether it was asked
// for or not. What only an unused stage uses is not reported beside it, and
// nothing where a body has mistakes: what it would name is not known.
func (p *planner) unused() {
	reached := map[spec.Addr]bool{}
	for addr := range p.used {
		reached[addr] = true
	}
	for _, img := range p.in.Spec.Images {
		for _, platform := range p.quietPlatforms(img) {
			if !p.reach(reached, img.Addr, platform) {
				return
			}
		}
	}
	var idle []*spec.StageDecl
	for _, st := range p.in.Spec.Stages {
		if !reached[st.Addr] && !called(st.Addr) {
			idle = append(idle, st)
		}
	}
	idle, known := p.mentioned(idle, reached)
	if known && p.idleStages(idle, reached) {
		p.unusedOthers(idle, func(addr spec.Addr) bool { return reached[addr] })
	}
}

// mentioned takes from the idle stages those that something which is used
// names, in a branch that was not taken or in a step that is switched off:
// with another variable they are built. What they take from is reached then.
func (p *planner) mentioned(idle []*spec.StageDecl, reached map[spec.Addr]bool) (left []*spec.StageDecl, known bool) {
	for again := true; again; {
		again = false
		m := p.newMentions(idle)
		for i, st := range idle {
			if m.names(st.Addr, st.Range) {
				idle, again = slices.Delete(slices.Clone(idle), i, i+1), true
				if !p.reach(reached, st.Addr, p.in.Spec.Build) {
					return nil, false
				}
				break
			}
		}
	}
	return idle, true
}

// idleStages reports those stages that no other idle one takes from, and the
// first of each ring of them; what it reports, it adds to reached with all
// that this takes from. It is false where that is not known.
func (p *planner) idleStages(idle []*spec.StageDecl, reached map[spec.Addr]bool) bool {
	taken := map[spec.Addr]bool{}
	for _, st := range idle {
		body, _ := p.at(st.Addr, p.in.Spec.Build)
		for _, ref := range references(body) {
			taken[ref] = true
		}
	}
	known := true
	for _, rings := range []bool{false, true} {
		for _, st := range idle {
			if !reached[st.Addr] && taken[st.Addr] == rings {
				p.idle(st.Addr, st.Range)
				known = p.reach(reached, st.Addr, p.in.Spec.Build) && known
			}
		}
	}
	return known
}

func (p *planner) unusedOthers(idle []*spec.StageDecl, used func(spec.Addr) bool) {
	m := p.newMentions(idle)
	report := func(addr spec.Addr, at diag.Range) {
		if !used(addr) && path.Base(at.File) != workspaceFile && !called(addr) && !m.names(addr, at) {
			p.idle(addr, at)
		}
	}
	for _, b := range p.in.Spec.Bases {
		report(b.Addr, b.Range)
	}
	for _, c := range p.in.Spec.Contexts {
		if c.Addr.Name != "default" {
			report(c.Addr, c.Range)
		}
	}
	for _, s := range p.in.Spec.Secrets {
		report(s.Addr, s.Range)
	}
	for _, r := range p.in.Spec.Repositories {
		report(r.Addr, r.Range)
	}
}

// called reports whether something is of a module that another calls: what
// one caller does not need of a template, another does.
func called(addr spec.Addr) bool { return strings.Contains(addr.Module, ":") }

func (p *planner) idle(addr spec.Addr, at diag.Range) {
	p.ds.Warnf("stage-unused", at, "Nothing uses this", "No image reaches %s. Take it out, or use it.", addr.Local())
	p.ds[len(p.ds)-1].Fix = p.takeOut(addr, at)
}

func (p *planner) quietPlatforms(img *spec.ImageDecl) []spec.Platform {
	if img.Platforms.Set && len(img.Platforms.V) > 0 {
		return img.Platforms.V
	}
	return []spec.Platform{p.in.Spec.Build}
}

// reach marks what a stage or image refers to for one target. Mistakes are
// not reported here: they are, when that image is asked for. It is false
// where they leave open what else is reached.
func (p *planner) reach(reached map[spec.Addr]bool, addr spec.Addr, target spec.Platform) bool {
	type node struct {
		addr spec.Addr
		from spec.Platform
	}
	todo := []node{{addr, target}}
	seen := map[spec.Addr]bool{addr: true}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		reached[n.addr] = true
		body, _ := p.at(n.addr, n.from)
		if body == nil {
			return false
		}
		for _, ref := range references(body) {
			reached[ref] = true
			if (ref.Kind == spec.KindStage || ref.Kind == spec.KindImage) && !seen[ref] {
				seen[ref] = true
				todo = append(todo, node{ref, n.from})
			}
		}
	}
	return true
}

// references lists what a body names, in order.
func references(b *spec.Body) []spec.Addr {
	if b == nil {
		return nil
	}
	out := []spec.Addr{b.From.V}
	for _, step := range b.Steps {
		out = append(out, stepReferences(step)...)
	}
	return out
}

func stepReferences(step spec.Step) []spec.Addr {
	var out []spec.Addr
	switch t := step.(type) {
	case *spec.Copy:
		out = append(out, t.From.V)
	case *spec.Packages:
		out = append(out, t.Repository.V)
	case *spec.Run:
		for _, m := range t.Mounts {
			out = append(out, m.From.V, m.Secret.V)
		}
	}
	return out
}
