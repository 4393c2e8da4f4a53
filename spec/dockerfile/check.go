package dockerfile

import (
	"bytes"
	"context"
	"os"
	"path/filepath"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// notSupportedYet is the summary of what belongs to the language but not to
// this version of specbuild. It is written all the same: the language says so.
const notSupportedYet = "Not supported yet"

// checked is the spec, loaded as specbuild would load it. What is refused
// becomes a comment in its place, until nothing is refused any more.
func (im *importer) checked() []byte {
	items := im.items()
	dir, err := os.MkdirTemp("", "specbuild-import-")
	if err != nil {
		return render(items)
	}
	defer os.RemoveAll(dir)
	const most = 200 // every round takes something away; this many is a hostile file
	for range most {
		out := render(items)
		bad := mistakes(dir, out)
		if len(bad) == 0 && !im.markRest(out) {
			return out
		}
		if len(bad) > 0 && !im.refuse(items, bad) {
			break
		}
	}
	return im.nothing()
}

// markRest adds the comments of what is left to do and found no place, and
// reports whether there were any: what is listed is marked.
func (im *importer) markRest(out []byte) bool {
	var rest []string
	for _, n := range im.notes {
		if n.Kind == Todo && !bytes.Contains(out, []byte(todoMark+n.Text)) {
			rest = append(rest, todoMark+n.Text)
		}
	}
	for _, st := range im.stages {
		if st.image && len(rest) > 0 && st.block.refused == "" {
			st.block.items = append(st.block.items, &remark{lines: rest})
			return true
		}
	}
	return false
}

// items are the blocks of the spec, what is named before what names it.
func (im *importer) items() []item {
	out := im.variableBlocks()
	for _, b := range im.bases {
		blk := &block{name: "base", labels: []string{b.name}, comments: b.comments, line: b.line}
		blk.setNeeded("image", b.image.hcl())
		out = append(out, blk)
	}
	for _, s := range im.secrets {
		out = append(out, s.block)
	}
	for _, c := range im.contexts {
		out = append(out, c)
	}
	for _, st := range im.stages {
		if st.alias == "" {
			out = append(out, st.block)
		}
	}
	return append(out, im.waivers...)
}

// mistakes are the errors of a spec, those for a platform included.
func mistakes(dir string, hcl []byte) diag.List {
	file := filepath.Join(dir, "image.hcl")
	if err := os.WriteFile(file, hcl, 0o600); err != nil {
		return nil
	}
	platform := spec.Platform{OS: "linux", Arch: "amd64"}
	sp, ds := spec.Load(context.Background(), spec.Options{Dir: dir, Build: platform})
	if sp != nil && !ds.HasErrors() {
		for _, img := range sp.Images {
			_, more := sp.At(img.Addr, platform)
			ds = append(ds, more...)
		}
		for _, st := range sp.Stages {
			_, more := sp.At(st.Addr, platform)
			ds = append(ds, more...)
		}
	}
	var bad diag.List
	for _, d := range ds {
		if d.Severity == diag.Error && d.Summary != notSupportedYet {
			bad = append(bad, d)
		}
	}
	return bad
}

// refuse marks what the mistakes are about; it answers false where one is
// about nothing that can be left out.
func (im *importer) refuse(items []item, bad diag.List) bool {
	found := false
	for _, d := range bad {
		path := itemsAt(items, d.Range.Start.Line)
		if len(path) == 0 {
			continue
		}
		victim := path[len(path)-1]
		if a, ok := victim.(*attribute); ok && a.needed && len(path) > 1 {
			if a.name == "from" && a.expr != "scratch" {
				a.comments = append(a.comments, im.todo(lineIn(path), "%s is not possible: %s", a.expr, d.Detail))
				a.expr = "scratch"
				found = true
				continue
			}
			victim = path[len(path)-2]
		}
		p := victim.at()
		if p.refused == "" {
			p.refused = oneLine(d.Detail)
			if p.source == "" {
				p.source = sourceIn(path)
			}
			im.note(lineIn(path), Todo, "%s", p.refused)
			found = true
		}
	}
	return found
}

// itemsAt are the items that a line lies in, from the outside.
func itemsAt(items []item, line int) []item {
	for _, it := range items {
		p := it.at()
		if line < p.first || line > p.last || p.refused != "" {
			continue
		}
		out := []item{it}
		if b, ok := it.(*block); ok {
			out = append(out, itemsAt(b.items, line)...)
		}
		return out
	}
	return nil
}

// lineIn is the Dockerfile's line of the innermost block.
func lineIn(path []item) int {
	line := 0
	for _, it := range path {
		if b, ok := it.(*block); ok && b.line > 0 {
			line = b.line
		}
		if a, ok := it.(*attribute); ok && a.line > 0 {
			line = a.line
		}
	}
	return line
}

func sourceIn(path []item) string {
	source := ""
	for _, it := range path {
		if b, ok := it.(*block); ok && b.source != "" {
			source = b.source
		}
	}
	return source
}

// nothing is the spec of a Dockerfile of which nothing could be kept.
func (im *importer) nothing() []byte {
	b := &block{name: "image", labels: []string{"app"}}
	b.comments = []string{im.todo(0, "nothing of the Dockerfile could be taken over")}
	b.set("from", "scratch")
	return render([]item{b})
}
