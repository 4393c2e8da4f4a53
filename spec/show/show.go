// Package show writes an evaluated spec as JSON, for programs that ask what a
// spec says: spec.Spec → a document with the names of the language. Its shape
// is described in docs/show.md.
//
// The document is the same on every machine: no absolute path is in it, and of
// a secret only where it comes from.
package show

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// Version is the number of the document's shape. It grows where a name goes or
// changes its meaning; new names do not change it.
const Version = 1

// Document is the spec as JSON, with stages and images evaluated for a target;
// with the zero Platform what depends on it is unknown. The diagnostics are
// what only the target brings to light; the document is nil if one of them is
// an error.
func Document(s *spec.Spec, target spec.Platform) ([]byte, diag.List) {
	w := &writer{root: s.Root}
	doc := object{"version": Version, "workspace": s.Name, "build": s.Build.String()}
	if target != (spec.Platform{}) {
		doc["target"] = target.String()
	}
	doc["selected"] = w.addresses(s.Selected)
	modules := object{}
	for addr, folder := range s.Folders {
		modules[addr] = folder
	}
	doc["modules"] = modules
	doc["bases"] = each(w, s.Bases)
	doc["contexts"] = each(w, s.Contexts)
	doc["secrets"] = each(w, s.Secrets)
	doc["repositories"] = each(w, s.Repositories)
	doc["waivers"] = each(w, s.Waivers)
	var problems diag.List
	stages := make([]any, 0, len(s.Stages))
	for _, d := range s.Stages {
		body, l := s.At(d.Addr, target)
		problems = append(problems, l...)
		if body != nil {
			stages = append(stages, w.body(body))
		}
	}
	images := make([]any, 0, len(s.Images))
	for _, d := range s.Images {
		body, l := s.At(d.Addr, target)
		problems = append(problems, l...)
		if body == nil {
			continue
		}
		img := w.body(body)
		w.attribute(img, "platforms", d.Platforms)
		w.attribute(img, "tags", d.Tags)
		images = append(images, img)
	}
	doc["stages"], doc["images"] = stages, images
	if problems.HasErrors() {
		return nil, problems.Sorted()
	}
	text, err := encode(doc)
	if err != nil {
		problems.Errorf(diag.Range{}, "The spec cannot be shown", "%v.", err)
		return nil, problems
	}
	return text, problems.Sorted()
}

// encode writes the document for people too: indented, and with <, > and & as
// they are.
func encode(doc object) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return nil, fmt.Errorf("writing the document: %w", err)
	}
	return out.Bytes(), nil
}

func (w *writer) addresses(addrs []spec.Addr) []string {
	out := make([]string, len(addrs))
	for i, a := range addrs {
		out[i] = a.String()
	}
	return out
}

// each is the declarations of a kind.
func each[T any](w *writer, items []*T) []any {
	out := make([]any, len(items))
	for i, item := range items {
		out[i] = w.value(item)
	}
	return out
}
