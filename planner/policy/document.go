package policy

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// spec is what a rule sees of the specs for one target: everything that was
// read, stages and images as far as they are asked for or used.
func (v *view) spec(f rules.Facts, target spec.Platform) cty.Value {
	s := f.Spec
	stages, images := map[string]cty.Value{}, map[string]cty.Value{}
	for _, b := range bodies(f, target) {
		if b.Image == nil {
			stages[b.Addr.String()] = v.body(b, nil)
			continue
		}
		if i := slices.IndexFunc(s.Images, func(d *spec.ImageDecl) bool { return d.Addr == b.Addr }); i >= 0 {
			images[b.Addr.String()] = v.body(b, s.Images[i])
		}
	}
	var bases []*spec.Base
	for _, b := range f.Bases {
		bases = append(bases, b.Base)
	}
	out := map[string]cty.Value{
		"workspace": cty.StringVal(s.Name), "build": text(s.Build.String()), "target": text(target.String()),
		"stages": cty.ObjectVal(stages), "images": cty.ObjectVal(images),
		"bases":        declared(v, bases, func(b *spec.Base) spec.Addr { return b.Addr }),
		"contexts":     declared(v, s.Contexts, func(c *spec.Context) spec.Addr { return c.Addr }),
		"secrets":      declared(v, s.Secrets, func(x *spec.Secret) spec.Addr { return x.Addr }),
		"repositories": declared(v, s.Repositories, func(r *spec.Repository) spec.Addr { return r.Addr }),
		"waivers":      v.list(reflect.ValueOf(s.Waivers), nil),
	}
	// Last, since the place of a module may be that of a declaration, which
	// knows more of it.
	modules := map[string]cty.Value{}
	for addr, folder := range s.Folders {
		at := moduleAt(s, addr, folder)
		v.placeAt(at, nil)
		modules[addr] = cty.ObjectVal(map[string]cty.Value{"folder": cty.StringVal(folder), "range": cty.StringVal(at.String())})
	}
	out["modules"] = cty.ObjectVal(modules)
	return cty.ObjectVal(out)
}

// moduleAt is where a module is to be found: of one that is called, the block
// that calls it; else the beginning of the first of its files.
func moduleAt(s *spec.Spec, addr, folder string) diag.Range {
	if at, ok := s.Calls[addr]; ok {
		return at
	}
	var files []string
	for _, d := range s.Images {
		if d.Addr.Module == addr {
			files = append(files, d.Range.File)
		}
	}
	for _, d := range s.Stages {
		if d.Addr.Module == addr {
			files = append(files, d.Range.File)
		}
	}
	for called, at := range s.Calls {
		if strings.HasPrefix(called, addr+":") {
			files = append(files, at.File)
		}
	}
	switch {
	case addr == "workspace":
		return diag.Range{File: "specbuild.hcl"}
	case len(files) == 0:
		return diag.Range{File: folder}
	}
	first := slices.Min(files)
	begin := diag.Pos{Line: 1, Column: 1}
	return diag.Range{File: first, Start: begin, End: begin}
}

// bodies are the stages and images for a target, by address; one that no
// target changes stands for all of them.
func bodies(f rules.Facts, target spec.Platform) []*spec.Body {
	chosen := map[spec.Addr]*spec.Body{}
	for i := range f.Instances {
		inst := &f.Instances[i]
		if chosen[inst.Body.Addr] == nil || inst.Target == target {
			chosen[inst.Body.Addr] = inst.Body
		}
	}
	out := make([]*spec.Body, 0, len(chosen))
	for _, b := range chosen {
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b *spec.Body) int { return cmp.Compare(a.Addr.String(), b.Addr.String()) })
	return out
}

// targets are what is built for, once each; none is one without a name.
func targets(f rules.Facts) []spec.Platform {
	var out []spec.Platform
	for _, inst := range f.Instances {
		if !slices.Contains(out, inst.Target) {
			out = append(out, inst.Target)
		}
	}
	if len(out) == 0 {
		return []spec.Platform{{}}
	}
	slices.SortFunc(out, func(a, b spec.Platform) int { return cmp.Compare(a.String(), b.String()) })
	return out
}

// finished is what a rule sees of a finished image: what a survey has found
// out of it, by its address.
func (v *view) finished(img rules.Image) cty.Value {
	fields := v.value(reflect.ValueOf(img.Facts), nil).AsValueMap()
	fields["address"] = cty.StringVal(img.Name)
	return cty.ObjectVal(fields)
}

// declared is a map of declarations by address.
func declared[T any](v *view, items []*T, addr func(*T) spec.Addr) cty.Value {
	out := map[string]cty.Value{}
	for _, item := range items {
		out[addr(item).String()] = v.value(reflect.ValueOf(item), nil)
	}
	return cty.ObjectVal(out)
}

// body is a stage or image; what an image has beyond a stage stands beside
// the rest, as in the language.
func (v *view) body(b *spec.Body, decl *spec.ImageDecl) cty.Value {
	fields := map[string]cty.Value{"range": cty.StringVal(b.Range.String())}
	own := v.placeAt(b.Range, nil)
	v.fields(reflect.ValueOf(b).Elem(), own, fields)
	delete(fields, "image")
	delete(fields, "incomplete")
	if b.Image != nil {
		v.fields(reflect.ValueOf(b.Image).Elem(), own, fields)
	}
	if decl != nil {
		v.fields(reflect.ValueOf(decl).Elem(), own, fields)
	}
	for _, name := range b.Incomplete {
		if _, own := fields[name]; own {
			fields[name] = cty.DynamicVal
		}
		fields["steps"] = cty.DynamicVal // where an attribute of that name may be, too
	}
	return cty.ObjectVal(fields)
}

// plan is the plan in the words of `plan --json`, with instances, images,
// contexts and secrets by what names them.
func (v *view) plan(p any) cty.Value {
	doc := v.value(reflect.ValueOf(p), nil)
	fields := doc.AsValueMap()
	for list, key := range map[string]string{"images": "address", "instances": "id", "contexts": "address", "secrets": "address"} {
		byKey := map[string]cty.Value{}
		if items, ok := fields[list]; ok && items.CanIterateElements() {
			for it := items.ElementIterator(); it.Next(); {
				if _, item := it.Element(); item.Type().IsObjectType() && item.Type().HasAttribute(key) {
					byKey[item.GetAttr(key).AsString()] = item
				}
			}
		}
		fields[list] = cty.ObjectVal(byKey)
	}
	return cty.ObjectVal(fields)
}
