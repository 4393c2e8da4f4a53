package planner

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// layoutPrefix marks a base that is an OCI layout on disk, in references.
const layoutPrefix = "layout:"

// baseName is how the lock and the registry name a base. The key of a layout
// is below the workspace's root, so that it is one on every machine.
func (p *planner) baseName(b *spec.Base) (key, ref string, err error) {
	if b.Layout.Set {
		rel, err := filepath.Rel(p.in.Spec.Root, b.Layout.V)
		if err != nil {
			rel = b.Layout.V
		}
		return layoutPrefix + filepath.ToSlash(rel), layoutPrefix + b.Layout.V, nil
	}
	r, err := pin.ParseReference(b.Image.V)
	if err != nil {
		return "", "", err
	}
	if b.Digest.Set {
		r.Digest = b.Digest.V
	}
	if r.Tag == "" && r.Digest == "" {
		r.Tag = "latest"
	}
	return r.String(), r.String(), nil
}

// need notes that a base is asked for, and finds it in the lock.
func (p *planner) need(addr spec.Addr, platform spec.Platform, at diag.Range, facts bool) (b *spec.Base, key, ref string, ok bool) {
	b = p.bases[addr]
	if b == nil {
		p.ds.Errorf(at, "No such base", "%s is not declared.", addr.Local())
		return nil, "", "", false
	}
	p.used[addr] = true
	if b.Image.Unknown { // it waits for a variable, while somebody is still writing
		return nil, "", "", false
	}
	key, ref, err := p.baseName(b)
	if err != nil {
		p.ds.Errorf(b.Image.Range, "This is no image name", "%q: %v.", b.Image.V, err)
		return nil, "", "", false
	}
	n := pin.BaseNeed{Key: key, Ref: ref, Digest: b.Digest.V, Names: []string{addr.Name}, Range: b.Range}
	n.Signed = !b.Layout.Set && p.in.Signed != nil && p.in.Signed(key)
	if facts {
		n.Platforms = []string{platform.String()}
	}
	p.needs.AddBase(n)
	return b, key, ref, true
}

// pinned is a base on one platform as the lock has it. Where the lock does
// not know the base, that is reported with everything else that it lacks.
func (p *planner) pinned(addr spec.Addr, platform spec.Platform, at diag.Range, facts bool) (BasePin, bool) {
	b, key, ref, ok := p.need(addr, platform, at, facts)
	if !ok {
		return BasePin{}, false
	}
	out := BasePin{Addr: addr.String(), Ref: ref, Platform: platform.String()}
	if p.unpinned {
		return out, true
	}
	have, ok := p.in.Lock.Bases[key]
	if !ok {
		return out, false
	}
	out.Digest = have.Manifests[platform.String()]
	if out.Digest == "" {
		p.ds = append(p.ds, diag.Diagnostic{
			Severity: diag.Error, Code: "base-platform-available", Summary: "The base is not there for this platform", Range: at,
			Detail: fmt.Sprintf("%s (%s) has no image for %s. It has: %s. Take another base, or leave the platform out.",
				addr.Local(), key, platform, strings.Join(slices.Sorted(maps.Keys(have.Manifests)), ", ")),
			Notes: []diag.Note{{Message: "the base", Range: b.Range}},
		})
		return out, false
	}
	if !b.Layout.Set && !strings.Contains(ref, "@") {
		out.Ref += "@" + have.Digest
	}
	return out, true
}

// fromBase takes over what the lock knows of a base.
func (p *planner) fromBase(s *state, ref spec.Attr[spec.Addr]) bool {
	bp, ok := p.pinned(ref.V, s.key.own, ref.Range, true)
	s.inst.From = Source{Base: &bp}
	s.below.foreign = true
	s.inherited = rootUser
	if !ok {
		s.broken = true
		return p.bases[ref.V] != nil
	}
	b := p.bases[ref.V]
	key, _, err := p.baseName(b)
	if err != nil || p.unpinned {
		return true // a name that is none was reported
	}
	have := p.in.Lock.Bases[key]
	facts, ok := have.Facts[s.key.own.String()]
	if !ok {
		s.broken = true // Lock.Missing says so
		return true
	}
	s.base = &basis{digest: have.Digest, facts: facts}
	if r, err := pin.ParseReference(key); err == nil && !b.Layout.Set {
		r.Digest = ""
		s.base.name = r.String()
	}
	at := key + " " + s.key.own.String() // many stand on few bases
	config, known := p.configs[at]
	if !known {
		c, err := facts.ImageConfig()
		if err != nil {
			p.ds.Errorf(ref.Range, "The lock cannot be read", "The configuration of %s for %s is no JSON. Run `specbuild lock --upgrade %s`.", key, s.key.own, ref.V.Name)
			return false
		}
		config = baseConfig(c, facts)
		p.configs[at] = config
	}
	s.inst.Config = config
	s.inherited = fmt.Sprintf("%d:%d", facts.UID, facts.GID)
	return true
}
