package lsp

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/format"
	"github.com/specbuild/specbuild/spec/syntax"
)

// finding is a diagnostic with what mends it.
type finding struct {
	diagnostic
	fix *textEdit
}

// path is the file that a name in diagnostics means. It is not ours if it was
// fetched: nobody can mend it here.
func (f *folder) path(name string) (path string, ours bool) {
	for source, dir := range f.fetched {
		if rel, ok := strings.CutPrefix(name, source+"//"); ok {
			return filepath.Join(dir, filepath.FromSlash(rel)), false
		}
	}
	if filepath.IsAbs(filepath.FromSlash(name)) {
		return filepath.FromSlash(name), true
	}
	return filepath.Join(f.base, filepath.FromSlash(name)), true
}

// publish sends what is known of files to the editor, from all loads together.
// Files that are not open are sent only if something changes.
func (s *server) publish(paths []string) {
	slices.Sort(paths)
	for _, path := range slices.Compact(paths) {
		var all []finding
		d := s.docs[path]
		if d != nil && argument(path) == "" {
			all = s.syntaxOnly(d)
		}
		for _, arg := range slices.Sorted(maps.Keys(s.folders)) {
			for _, n := range s.folders[arg].found[path] {
				same := func(o finding) bool { return o.Range == n.Range && o.Message == n.Message }
				if !slices.ContainsFunc(all, same) {
					all = append(all, n)
				}
			}
		}
		if d == nil && (len(all) == 0 && len(s.published[path]) == 0 || reflect.DeepEqual(all, s.published[path])) {
			continue
		}
		out := publishDiagnostics{URI: s.uri(path), Diagnostics: []diagnostic{}}
		for _, f := range all {
			out.Diagnostics = append(out.Diagnostics, f.diagnostic)
		}
		if d != nil {
			version := d.version
			out.Version = &version
		}
		s.published[path] = all
		if len(all) == 0 {
			delete(s.published, path)
		}
		s.send(notification{"2.0", "textDocument/publishDiagnostics", out})
	}
}

// syntaxOnly judges a file that no load reads, such as a policy.
func (s *server) syntaxOnly(d *document) []finding {
	if !format.Knows(filepath.Base(d.path)) {
		return nil // other languages are written in .hcl too
	}
	_, l := syntax.Parse(filepath.Base(d.path), d.text.raw)
	f := &folder{base: filepath.Dir(d.path)}
	return s.findings(&loaded{folder: f, diags: l, texts: map[string]*text{d.path: d.text}})[d.path]
}

// findings are the diagnostics of a load by file. Every file that was read has
// an entry, so that what was said of it before is cleared.
func (s *server) findings(r *loaded) map[string][]finding {
	out := map[string][]finding{}
	c := &converter{server: s, loaded: r, files: map[string]*text{}}
	for path := range r.texts {
		if argument(path) == r.arg {
			out[path] = nil
		}
	}
	for _, d := range r.diags {
		path, n := c.finding(d)
		if path == "" {
			continue
		}
		out[path] = append(out[path], n)
	}
	return out
}

// converter knows the texts that the places of a load count in.
type converter struct {
	*server
	*loaded
	files map[string]*text
}

// text is a file as the load has read it.
func (c *converter) text(name, path string) *text {
	if t := c.texts[path]; t != nil {
		return t
	}
	if t := c.files[name]; t != nil {
		return t
	}
	var src []byte
	if c.loaded.spec != nil {
		src = c.loaded.spec.Files[name]
	}
	if src == nil {
		src, _ = readText(path) // what is gone has one empty line
	}
	c.files[name] = newText(src)
	return c.files[name]
}

// readText reads no more of a file than a spec may be long.
func readText(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > syntax.MaxBytes {
		return nil, errors.New("not a spec")
	}
	return os.ReadFile(path)
}

// place is a range in the editor's terms.
func (c *converter) place(r diag.Range) (path string, at span, ours bool) {
	if r.IsZero() {
		return "", span{}, false
	}
	path, ours = c.path(r.File)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return "", span{}, false
	}
	if r.Start.Line == 0 {
		return path, span{}, ours
	}
	return path, c.text(r.File, path).span(r.Start.Byte, r.End.Byte, c.utf8), ours
}

// finding is a diagnostic at the file where it can be mended: what is wrong in
// a fetched module at its call, what is wrong with a folder at an open file
// of it.
func (c *converter) finding(d diag.Diagnostic) (string, finding) {
	n := finding{diagnostic: diagnostic{
		Severity: severityOf(d.Severity), Code: d.Code, Source: "specbuild", Message: strings.TrimSpace(d.Summary + ": " + d.Detail),
	}}
	path, at, ours := c.place(d.Range)
	for _, note := range d.Notes {
		other, where, mine := c.place(note.Range)
		if other == "" {
			continue
		}
		if path != "" && !ours && mine {
			n.Related = append(n.Related, relatedInformation{location{c.uri(path), at}, "It is here."})
			path, at, ours = other, where, true
			continue
		}
		n.Related = append(n.Related, relatedInformation{location{c.uri(other), where}, note.Message})
	}
	if path == "" || !ours {
		for open := range c.texts {
			if argument(open) == c.arg && (path == "" || !ours || open < path) {
				path, ours, at = open, true, span{}
			}
		}
	}
	n.Range = at
	if d.Fix != nil && d.Fix.Range.File == d.Range.File && ours {
		_, where, _ := c.place(d.Fix.Range)
		n.fix = &textEdit{where, d.Fix.Replacement}
	}
	return path, n
}

func severityOf(s diag.Severity) int {
	switch s {
	case diag.Error:
		return severityError
	case diag.Warning:
		return severityWarning
	default:
		return severityInformation
	}
}
