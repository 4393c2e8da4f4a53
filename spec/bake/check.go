package bake

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/format"
)

// checked are the files, loaded as specbuild would load them. What is refused
// becomes a comment in its place, until nothing is refused any more.
func (im *importer) checked(files []draft) []File {
	dir, err := os.MkdirTemp("", "specbuild-import-")
	if err == nil {
		defer os.RemoveAll(dir)
		const most = 200 // every round takes something away; this many is a hostile file
		for range most {
			bad := im.mistakes(dir, files)
			if len(bad) == 0 {
				break
			}
			if !im.refuse(dir, files, bad) {
				im.nothing(files, bad)
				break
			}
		}
	}
	out := make([]File, len(files))
	for i, f := range files {
		out[i] = File{Path: f.path, HCL: []byte(f.text)}
	}
	return out
}

// mistakes are the errors of the files where they would stand, those for a
// platform included.
func (im *importer) mistakes(dir string, files []draft) diag.List {
	var args []string
	for _, f := range files {
		full := filepath.Join(dir, filepath.FromSlash(f.path))
		if os.MkdirAll(filepath.Dir(full), 0o700) != nil || os.WriteFile(full, []byte(f.text), 0o600) != nil {
			return nil
		}
		if path.Base(f.path) != workspaceFile {
			args = append(args, filepath.Dir(full))
		}
	}
	for _, d := range im.contextDirs {
		if os.MkdirAll(filepath.Join(dir, filepath.FromSlash(d)), 0o700) != nil {
			return nil
		}
	}
	if im.opts.Workspace || len(args) > 1 && !slices.ContainsFunc(files, func(f draft) bool { return path.Base(f.path) == workspaceFile }) {
		if os.WriteFile(filepath.Join(dir, workspaceFile), nil, 0o600) != nil {
			return nil
		}
	}
	platform := spec.Platform{OS: "linux", Arch: "amd64"}
	sp, ds := spec.Load(context.Background(), spec.Options{Args: args, Dir: dir, Top: dir, Build: platform})
	if sp != nil && !ds.HasErrors() {
		for _, x := range sp.Images {
			_, more := sp.At(x.Addr, platform)
			ds = append(ds, more...)
		}
		for _, x := range sp.Stages {
			_, more := sp.At(x.Addr, platform)
			ds = append(ds, more...)
		}
	}
	return slices.DeleteFunc(ds, func(d diag.Diagnostic) bool {
		return d.Severity != diag.Error || d.Summary == "Not supported yet"
	})
}

// refuse leaves a comment in the place of what mistakes are about. It answers
// false where one is about nothing that can be left out.
func (im *importer) refuse(dir string, files []draft, bad diag.List) bool {
	done := map[string]bool{}
	found := false
	for _, d := range bad {
		at := slices.IndexFunc(files, func(f draft) bool { return f.path == d.Range.File })
		if at < 0 || done[d.Range.File] {
			continue // places have moved: the next round
		}
		text, ok := im.without(files[at].text, d)
		if ok {
			files[at].text, found = text, true
			done[d.Range.File] = true
		}
	}
	return found
}

// without is a spec without what stands in a place.
func (im *importer) without(src string, d diag.Diagnostic) (string, bool) {
	f, ds := hclsyntax.ParseConfig([]byte(src), "", hcl.InitialPos)
	parsed, ok := f.Body.(*hclsyntax.Body)
	if !ok || ds.HasErrors() {
		return "", false
	}
	r, needed, ok := victim(parsed, d.Range.Start.Byte)
	if !ok {
		return "", false
	}
	old := src[r.Start.Byte:r.End.Byte]
	comment := im.todo(im.placeOf(parsed, d.Range.Start.Byte), "%s", d.Detail)
	if needed {
		comment += "\n# " + oneLine(old) + "\nfrom = scratch"
	} else {
		comment += "\n#   " + oneLine(old)
	}
	out, problems := format.Format("image.hcl", []byte(src[:r.Start.Byte]+strings.TrimRight(comment, "\n")+src[r.End.Byte:]))
	return string(out), !problems.HasErrors() && string(out) != src
}

// placeOf is where the bake file says what stands at a place of a spec: the
// attribute of the target, or the target.
func (im *importer) placeOf(b *hclsyntax.Body, at int) diag.Range {
	for _, block := range b.Blocks {
		r := block.Range()
		if at < r.Start.Byte || at > r.End.Byte || len(block.Labels) == 0 {
			continue
		}
		for _, t := range im.targets {
			if t.label != block.Labels[0] || t.stage != (block.Type == "stage") {
				continue
			}
			if a := attrAt(block.Body, at); a != nil {
				if entries := t.maps[a.Name]; len(entries) > 0 {
					return entries[0].at
				}
				return t.at(a.Name)
			}
			return t.block.at
		}
	}
	return diag.Range{}
}

// victim is what is left out for a mistake at a place: the attribute, or the
// block where it cannot be without. Of a `from` only the value goes.
func victim(b *hclsyntax.Body, at int) (r hcl.Range, from, ok bool) {
	holds := func(r hcl.Range) bool { return at >= r.Start.Byte && at <= r.End.Byte }
	for _, block := range b.Blocks {
		if !holds(block.Range()) {
			continue
		}
		inner, isFrom, found := victim(block.Body, at)
		if found {
			if attr := attrAt(block.Body, at); attr != nil && needed(block.Type, attr.Name) {
				return block.Range(), false, true
			}
			isFrom = isFrom && (block.Type == "image" || block.Type == "stage")
			return inner, isFrom, true
		}
		return block.Range(), false, true
	}
	if a := attrAt(b, at); a != nil {
		return a.SrcRange, a.Name == "from" && !isScratch(a.Expr), true
	}
	return hcl.Range{}, false, false
}

func attrAt(b *hclsyntax.Body, at int) *hclsyntax.Attribute {
	for _, a := range sortedAttrs(b) {
		if at >= a.SrcRange.Start.Byte && at <= a.SrcRange.End.Byte {
			return a
		}
	}
	return nil
}

func isScratch(e hclsyntax.Expression) bool { return hcl.ExprAsKeyword(e) == "scratch" }

// needed are attributes without which their block is nothing.
func needed(block, attr string) bool {
	return slices.Contains(map[string][]string{
		"base": {"image", "layout"}, "context": {"path"}, "secret": {"env", "file"}, "git": {"url"}, "http": {"url"}, "module": {"source"},
		"copy": {"source", "to"}, "file": {"path", "content"}, "directory": {"path"}, "run": {"command", "script"}, "mount": {"target", "secret"},
		"validation": {"condition", "error_message"}, "packages": {"install"}, "user": {"uid"}, "healthcheck": {"command"},
	}[block], attr)
}

// nothing is what stays of files of which nothing can be kept.
func (im *importer) nothing(files []draft, bad diag.List) {
	for i := range files {
		files[i].text = im.todo(diag.Range{}, "nothing could be taken over: %s", bad[0].Detail) + "\n"
	}
}
