package policy

import (
	"slices"
	"strings"

	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// sealed is the built-in rule that seals are told as.
const sealed = "template-sealed"

// A policy's seal holds for what is built on the stages and images of modules,
// the organisation's templates: what it names, nothing above them sets or
// undoes. `base` says besides that an image is built on bases of templates and
// of the workspace alone, never on one that its own folder declares. A module
// in that folder, or below it, is the service's own: to call it makes no
// template of it, or a service would set in one what is sealed against it.

// seals finds what breaks the seal of one policy.
func seals(p *spec.Policy, f rules.Facts) []rules.Finding {
	if len(p.Seal.V) == 0 {
		return nil
	}
	byID := map[string]*rules.Instance{}
	for i := range f.Instances {
		byID[f.Instances[i].ID] = &f.Instances[i]
	}
	var out []rules.Finding
	found := func(b *spec.Body, at diag.Range, detail string) {
		severity := diag.Error
		if p.Enforcement.V == "advisory" {
			severity = diag.Warning
		}
		out = append(out, rules.Finding{Addr: b.Addr, Diag: diag.Diagnostic{
			Severity: severity, Code: sealed, Summary: "Sealed by a policy", Range: at, Detail: detail,
			Notes: []diag.Note{{Message: "It is sealed here.", Range: p.Seal.Range}},
		}})
	}
	for i := range f.Instances {
		b := f.Instances[i].Body
		below, base := chain(&f.Instances[i], byID)
		if foreign := base != nil && own(f.Spec, *base, folderOf(b.Addr)); foreign && b.Image != nil && slices.Contains(p.Seal.V, "base") {
			found(b, b.From.Range, b.Addr.Local()+" is built on "+base.Local()+", which its own folder declares. The policy "+p.Name+" seals `base`: take one of the workspace, or build on a template.")
		}
		mine := own(f.Spec, b.Addr, folderOf(b.Addr))
		template := slices.IndexFunc(below, func(x *spec.Body) bool {
			return ofTemplate(x.Addr) && !(ofTemplate(b.Addr) && own(f.Spec, x.Addr, folderOf(b.Addr)))
		})
		if !mine || template < 0 {
			continue
		}
		told := map[diag.Range]bool{} // setting entrypoint drops cmd as well, which is one mistake
		for _, name := range p.Seal.V {
			if at, touched := b.Sets(name); touched && !told[at] {
				told[at] = true
				found(b, at, name+" comes from the template "+below[template].Addr.String()+", which this is built on, and the policy "+p.Name+" seals it: it can be neither set nor undone here.")
			}
		}
	}
	return out
}

// ofTemplate reports whether something belongs to a module that was called.
func ofTemplate(a spec.Addr) bool { return strings.Contains(a.Module, ":") }

// own reports whether something belongs to the specs of a folder: to the module
// that the command was given, or to one that lies in its folder or below, by
// whomever it is called. At the workspace's root everything would lie below.
func own(s *spec.Spec, a spec.Addr, given string) bool {
	if a.Module == given {
		return true
	}
	folder, at := s.Folders[a.Module], s.Folders[given]
	return at != "." && folderOf(a) == given && (folder == at || strings.HasPrefix(folder, at+"/"))
}

// folderOf is the module that the command was given, through which something
// is called.
func folderOf(a spec.Addr) string {
	folder, _, _ := strings.Cut(a.Module, ":")
	return folder
}

// chain is what an instance is built on, the nearest first, and the base at
// its end, if it ends in one. It goes from instance to instance: for another
// platform, the same stage may be built on something else.
func chain(inst *rules.Instance, byID map[string]*rules.Instance) ([]*spec.Body, *spec.Addr) {
	var below []*spec.Body
	for {
		if from := inst.Body.From.V; from.Kind == spec.KindBase {
			return below, &from
		}
		next := byID[inst.From]
		if next == nil {
			return below, nil
		}
		inst = next // what is built on itself has no instance
		below = append(below, inst.Body)
	}
}
