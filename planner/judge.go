package planner

import (
	"maps"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
)

// facts are what the rules look at.
func (p *planner) facts() rules.Facts {
	f := rules.Facts{Spec: p.in.Spec, Locked: p.in.Locked, Unattested: p.in.Unattested, Unlocked: p.unpinned, Looked: p.in.Looked}
	for _, s := range p.order {
		f.Instances = append(f.Instances, rules.Instance{
			ID: s.inst.ID, From: s.inst.From.Instance,
			Body: s.body, Platform: s.key.own, Target: s.key.target,
			Inherited: s.inherited, User: s.inst.Config.User, Copies: s.copies,
			Labels: labels(s.inst.Config.Labels), Healthy: s.inst.Config.Healthcheck != nil,
		})
	}
	for _, b := range p.in.Spec.Bases {
		if p.used[b.Addr] {
			f.Bases = append(f.Bases, p.baseFacts(b))
		}
	}
	return f
}

func labels(list []KV) map[string]string {
	out := make(map[string]string, len(list))
	for _, l := range list {
		out[l.Name] = l.Value
	}
	return out
}

func (p *planner) baseFacts(b *spec.Base) rules.Base {
	out := rules.Base{Base: b, Pinned: b.Digest.Set || strings.Contains(b.Image.V, "@"), Configs: map[string]rules.BaseInfo{}}
	key, _, err := p.baseName(b)
	if err != nil {
		return out
	}
	out.Name = key
	have, ok := p.in.Lock.Bases[key]
	out.Pinned = out.Pinned || ok
	out.Digest, out.Digests = have.Digest, have.Manifests
	if len(have.Signed.Signatures) > 0 {
		out.Unlinked = have.Linked()
	}
	for _, s := range have.Signed.Signatures {
		out.Signatures = append(out.Signatures, rules.Signature{Payload: []byte(s.Payload), Signature: s.Bytes()})
	}
	for _, name := range slices.Sorted(maps.Keys(have.Manifests)) {
		out.Platforms = append(out.Platforms, platformOf(name))
	}
	for name, facts := range have.Facts {
		c, err := facts.ImageConfig()
		if err != nil {
			continue // reported where it is used
		}
		out.Configs[name] = rules.BaseInfo{
			User: c.User, UID: facts.UID, OnBuild: c.OnBuild, Env: c.Env, Ports: slices.Sorted(maps.Keys(c.ExposedPorts)),
		}
	}
	return out
}

func platformOf(s string) spec.Platform {
	parts := append(strings.SplitN(s, "/", 3), "", "")
	return spec.Platform{OS: parts[0], Arch: parts[1], Variant: parts[2]}
}
