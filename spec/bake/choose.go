package bake

import (
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/dockerfile"
	"github.com/specbuild/specbuild/spec/eval"
)

// choose says which targets become images, and which stages. Bake builds any
// target that is named; a spec's images are what is built for others.
func (im *importer) choose(all []*target) {
	for _, g := range im.file.groups {
		for _, t := range im.members(g.name, all, nil) {
			t.grouped = true
		}
	}
	for _, t := range all {
		for _, c := range t.maps["contexts"] {
			if s, _ := text(c.val); strings.HasPrefix(s, "target:") {
				name := strings.TrimPrefix(s, "target:")
				linked := find(all, name)
				if linked == nil {
					im.diags.Errorf(c.at, "Unknown target", "The context %s of %s is the target %q, and there is no such target.%s", c.key, t.name, name, eval.DidYouMean(name, namesOf(all)))
					continue
				}
				linked.linked = true
			}
		}
	}
	for _, t := range all {
		switch {
		case t.checks():
			im.note(t.at("call"), dockerfile.Dropped, "%s builds nothing, it looks at its Dockerfile; `specbuild validate` looks at specs.", t)
		case !t.wanted(all):
			im.note(t.block.at, dockerfile.Changed, "%s is only inherited from: what it says is in the images that do.", t)
		default:
			im.targets = append(im.targets, t)
			t.stage = len(t.tags()) == 0 && !t.grouped && t.linked || len(t.tags()) == 0 && t.filesOnly()
		}
	}
	im.byLinks()
}

// checks reports whether a target asks about its Dockerfile instead of building.
func (t *target) checks() bool {
	call := t.str("call", "build")
	return call != "" && call != "build" && !t.linked
}

// wanted reports whether a target is built by itself. One that others inherit
// from and no group names is a piece of them, unless it says what it is called
// or where it goes.
func (t *target) wanted(all []*target) bool {
	if t.grouped || t.linked || !t.inherited {
		return true
	}
	if strings.HasPrefix(t.name, "_") || t.mixedIn(all) {
		return false
	}
	for _, name := range []string{"tags", "output", "target"} {
		if _, own := t.block.attrs[name]; own {
			return true
		}
	}
	return t.name == "default"
}

// mixedIn reports whether a target says nothing of what is built, and others
// inherit from it beside something that does: metadata that a CI action fills.
func (t *target) mixedIn(all []*target) bool {
	for _, name := range []string{"context", "dockerfile", "dockerfile-inline", "target"} {
		if _, said := t.one[name]; said {
			return false
		}
	}
	return !slices.ContainsFunc(all, func(o *target) bool { return slices.Contains(o.direct, t.name) && len(o.direct) < 2 })
}

// tags are those that are not empty.
func (t *target) tags() []string { return texts(t.one["tags"].val) }

// filesOnly reports whether a target's outputs are files or nothing, and no
// image.
func (t *target) filesOnly() bool {
	outputs := outputsOf(t)
	return len(outputs) > 0 && !slices.ContainsFunc(outputs, func(o output) bool {
		return o.kind != "local" && o.kind != "tar" && o.kind != "cacheonly"
	})
}

func find(all []*target, name string) *target {
	for _, t := range all {
		if t.name == name {
			return t
		}
	}
	return nil
}

func namesOf(all []*target) []string {
	var out []string
	for _, t := range all {
		out = append(out, t.name)
	}
	return out
}

// members are the targets of a group, those of the groups in it included. The
// name of a target with a matrix means all that it comes to.
func (im *importer) members(name string, all []*target, path []string) []*target {
	for _, g := range im.file.groups {
		if g.name != name {
			continue
		}
		list, ok := g.attrs["targets"]
		if !ok {
			return nil
		}
		if slices.Contains(path, name) {
			circle := append(slices.Clone(path[slices.Index(path, name):]), name)
			if name == slices.Min(circle) { // the same circle from another group is no other mistake
				im.diags.Errorf(list.at, "Groups in a circle", "%s.", strings.Join(circle, " holds "))
			}
			return nil
		}
		var out []*target
		v, _ := im.values.value(list, nil)
		for i, member := range texts(v) {
			found := im.members(member, all, append(path, name))
			if found == nil && !im.isGroup(member) {
				im.unknownMember(elementAt(list, i), name, member, all)
			}
			for _, t := range found {
				if !slices.Contains(out, t) {
					out = append(out, t)
				}
			}
		}
		return out
	}
	var out []*target
	for _, t := range all {
		if t.name == name || t.block.name == name {
			out = append(out, t)
		}
	}
	return out
}

func (im *importer) isGroup(name string) bool {
	return slices.ContainsFunc(im.file.groups, func(g *block) bool { return g.name == name })
}

func (im *importer) unknownMember(at diag.Range, group, name string, all []*target) {
	known := namesOf(all)
	for _, g := range im.file.groups {
		known = append(known, g.name)
	}
	im.diags.Errorf(at, "Unknown target", "The group %s names %q, and there is no such target or group.%s", group, name, eval.DidYouMean(name, known))
}

// byLinks puts targets behind those that their contexts name.
func (im *importer) byLinks() {
	defs := make([]eval.Definition, len(im.targets))
	for i, t := range im.targets {
		defs[i] = eval.Definition{Name: t.name, Range: t.block.at}
		for _, c := range t.maps["contexts"] {
			if s, _ := text(c.val); strings.HasPrefix(s, "target:") {
				defs[i].Uses = append(defs[i].Uses, eval.Use{Name: strings.TrimPrefix(s, "target:"), Range: c.at})
			}
		}
	}
	order, ds := eval.Order(defs)
	for _, d := range ds {
		circle, _, _ := strings.Cut(d.Detail, ": ")
		im.diags.Errorf(d.Range, "Contexts in a circle", "Each of these targets is a context of the one before it: %s.", circle)
	}
	sorted := make([]*target, len(order))
	for i, n := range order {
		sorted[i] = im.targets[n]
	}
	im.targets = sorted
}

// output is where bake writes a target to.
type output struct {
	kind, dest string
	at         diag.Range
}

func outputsOf(t *target) []output {
	f, ok := t.one["output"]
	if !ok {
		return nil
	}
	var out []output
	for _, v := range elements(f.val) {
		o := output{at: f.at}
		if s, ok := text(v); ok {
			fields := csv(s)
			o.kind, o.dest = fields["type"], fields["dest"]
			switch {
			case s == "":
				continue
			case s == "-":
				o.kind = "tar"
			case o.kind == "" && !strings.Contains(s, "="):
				o.kind, o.dest = "local", s
			}
		} else if v.Type().IsObjectType() && v.IsWhollyKnown() {
			o.kind, o.dest = member(v, "type"), member(v, "dest")
		}
		out = append(out, o)
	}
	return out
}

// csv takes "type=local,dest=out" apart.
func csv(s string) map[string]string {
	out := map[string]string{}
	for part := range strings.SplitSeq(s, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		out[strings.ToLower(k)] = v
	}
	return out
}

// member is an attribute of an object as a string.
func member(v cty.Value, name string) string {
	if v.IsNull() || !v.Type().IsObjectType() || !v.Type().HasAttribute(name) {
		return ""
	}
	s, _ := text(v.GetAttr(name))
	return s
}
