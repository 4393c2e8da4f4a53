package rules

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/specbuild/specbuild/planner/survey"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// Image is a finished image on one platform.
type Image struct {
	survey.Facts
	Name  string // its address: "//services/web:image.web"
	Range diag.Range
	Steps []diag.Range // the block that made each layer; zero where that is not known

	addr spec.Addr
	inst *Instance // that it was made of; nil where the facts do not have it
}

// Pushed is an image that is about to be pushed.
type Pushed struct {
	Name      string // as of Image
	Range     diag.Range
	Tags      []string // as the spec has them
	Digest    string   // of its index, or of its manifest where there is no index
	Manifests []Manifest

	addr spec.Addr
}

// Manifest is what is pushed for one platform.
type Manifest struct{ Platform, Digest string }

// Finished is what a build has made, and what was said before.
type Finished struct {
	Images []Image
	Pushed []Pushed            // what will be pushed, if policies ask for something of it; none where nothing is
	Alone  bool                // there is no spec to them: they are a layout's
	Whole  bool                // all that was planned is in Images: what is not found is not there
	Told   diag.List           // what Judge found, also what was set aside
	Waived map[diag.Range]bool // blocks of waivers that Judge has used
}

// JudgeImages applies the rules that look at finished images, as Judge does
// with the others: same grades, same waivers. Of a layer that several images
// share, a finding is told once, at the step that made it.
func JudgeImages(f Facts, done Finished) diag.List {
	if f.Now.IsZero() {
		f.Now = time.Now()
	}
	rules := All()
	d := newDocket(f)
	d.finished = &done
	d.findings = slices.Clone(f.Policy.Findings)
	named := map[string][]*Instance{}
	for _, inst := range d.ask {
		name := inst.Body.Addr.String()
		named[name] = append(named[name], inst)
	}
	for i := range done.Images {
		img := &done.Images[i]
		img.origin(named[img.Name])
		for _, r := range rules {
			if d.rule = r; r.checkImage != nil && d.on(r) {
				r.checkImage(d, img)
			}
		}
	}
	for i := range done.Pushed {
		p := &done.Pushed[i]
		if made := named[p.Name]; len(made) > 0 {
			p.addr = made[0].Body.Addr
		}
		for _, r := range rules {
			if d.rule = r; r.checkPushed != nil && d.on(r) {
				r.checkPushed(d, p)
			}
		}
	}
	return d.settle(slices.Concat(rules, f.Policy.Rules))
}

// origin finds the instance that an image was made of among those of its name.
func (img *Image) origin(named []*Instance) {
	for _, inst := range named {
		img.addr = inst.Body.Addr
		if inst.Target.String() == img.Platform || inst.Target == (spec.Platform{}) {
			img.inst = inst
			return
		}
	}
}

// writer is who made a layer: a step of a stage or image, or a base.
type writer struct {
	addr spec.Addr
	at   diag.Range // of the block's head
	next int        // where the next step begins in the file; 0 where there is none
	base bool
}

// writer finds who made a layer and, of steps that write one layer together, a
// path in it. The image itself stands for what is not known.
func (d *docket) writer(img *Image, layer int, file string) writer {
	out := writer{addr: img.addr, at: img.Range}
	if layer >= len(img.Layers) {
		return out
	}
	out.base = img.Layers[layer].Base
	if layer >= len(img.Steps) || img.Steps[layer].IsZero() || img.inst == nil {
		return out
	}
	at := img.Steps[layer]
	if base, _, _, _ := d.base(img.inst); out.base && base.Base != nil {
		out.addr, out.at = base.Base.Addr, base.Base.Range
	}
	for _, inst := range d.chain(img.inst) {
		steps := inst.Body.Steps
		i := slices.IndexFunc(steps, func(st spec.Step) bool { return st.Where() == at })
		if i < 0 || out.base {
			continue
		}
		if n := slices.IndexFunc(steps[i:], func(st spec.Step) bool { return path.Clean("/"+destination(st).V) == file && together(st) }); n > 0 {
			i += n
		}
		out.addr, out.at = inst.Body.Addr, steps[i].Where()
		if i+1 < len(steps) && steps[i+1].Where().File == at.File {
			out.next = steps[i+1].Where().Start.Byte
		}
		break
	}
	return out
}

// together reports whether a step is one of those that may share a layer.
func together(st spec.Step) bool {
	switch st.(type) {
	case *spec.File, *spec.Directory, *spec.Symlink:
		return true
	}
	return false
}

// byWriter are files by who wrote them, in the order of the layers.
func (d *docket) byWriter(img *Image, files []survey.File, visit func(writer, []survey.File)) {
	var order []writer
	of := map[writer][]survey.File{}
	sorted := slices.Clone(files)
	slices.SortStableFunc(sorted, func(a, b survey.File) int { return a.Layer - b.Layer })
	for _, f := range sorted {
		who := d.writer(img, f.Layer, f.Path)
		if of[who] == nil {
			order = append(order, who)
		}
		of[who] = append(of[who], f)
	}
	for _, who := range order {
		visit(who, of[who])
	}
}

// told reports whether the rule that is being judged has found something in
// the step that a writer is, before it ran.
func (d *docket) told(w writer) bool {
	return slices.ContainsFunc(d.finished.Told, func(t diag.Diagnostic) bool {
		return t.Code == d.rule.ID && t.Address == w.addr.String() && t.Range.File == w.at.File &&
			w.at.Start.Byte <= t.Range.Start.Byte && (w.next == 0 || t.Range.Start.Byte < w.next)
	})
}

// foundLate is found with a severity that a grade replaces: of what a rule
// that stops a plan finds in what others have made.
func (d *docket) foundLate(w writer, otherwise diag.Severity, summary, detail string, args ...any) {
	if !d.grade().Set {
		d.add(w.addr, diag.Diagnostic{Severity: otherwise, Range: w.at, Summary: summary, Detail: fmt.Sprintf(detail, args...)})
		return
	}
	d.found(w.addr, w.at, summary, detail, args...)
}

// name is how sentences name who wrote something.
func (w writer) name() string {
	if w.addr == (spec.Addr{}) {
		return "The image"
	}
	if w.base {
		return "The base " + strings.TrimPrefix(w.addr.Local(), "base.")
	}
	return "This step of " + w.addr.Local()
}

// firstOf are the first of some files in words, and how many more there are.
func firstOf(files []survey.File, describe func(survey.File) string) string {
	const most = 5
	var out []string
	for _, f := range files[:min(most, len(files))] {
		out = append(out, describe(f))
	}
	text := strings.Join(out, ", ")
	if more := len(files) - len(out); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// allowed reports whether a path is one of a list: as it is, below a folder
// that ends in a slash, or by a pattern of which a * stands for anything but
// a slash.
func allowed(list []string, p string) bool {
	return slices.ContainsFunc(list, func(want string) bool {
		if strings.HasSuffix(want, "/") {
			return strings.HasPrefix(p, want)
		}
		return matches(want, p)
	})
}
