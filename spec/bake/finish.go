package bake

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec/dockerfile"
	"github.com/specbuild/specbuild/spec/format"
)

// workspaceFile holds what the specs of several folders share.
const workspaceFile = "specbuild.hcl"

// root is the folder of the workspace: the lowest that holds all specs.
func (im *importer) root() string {
	root := im.opts.Dir
	for _, m := range im.order {
		for root != "." && m.dir != root && !strings.HasPrefix(m.dir, root+"/") {
			root = path.Dir(root)
		}
	}
	return root
}

// finish writes the files and loads them as specbuild would.
func (im *importer) finish() []File {
	used := map[string]int{}
	for _, m := range im.order {
		for addr := range addrsIn(m.chunks, m.locals) {
			used[addr]++
		}
	}
	share := len(im.order) > 1 && !im.opts.Workspace
	shared := map[string]string{} // address to that of the workspace
	var files []draft
	if share {
		ws := im.shared(used, shared)
		files = append(files, draft{path.Join(im.root(), workspaceFile), ws})
	}
	all := map[string]bool{}
	for _, m := range im.order {
		text := im.render(m, shared, all)
		files = append(files, draft{path.Join(m.dir, "image.hcl"), text})
	}
	for addr := range shared {
		all[addr] = true
	}
	im.unusedVariables(all)
	slices.SortFunc(files, func(a, b draft) int { return cmp.Compare(a.path, b.path) })
	out := im.checked(files)
	im.markRest(out)
	return out
}

// markRest sees to it that what is listed as left to do is marked. A secret
// that another target said where it comes from is done.
func (im *importer) markRest(files []File) {
	if len(files) == 0 {
		return
	}
	last := &files[len(files)-1]
	im.notes = slices.DeleteFunc(im.notes, func(n Note) bool {
		if n.Kind != dockerfile.Todo || slices.ContainsFunc(files, func(f File) bool { return strings.Contains(string(f.HCL), todoMark+n.Text) }) {
			return false
		}
		if strings.HasPrefix(todoMark+n.Text, secretTodo) {
			return true
		}
		last.HCL = append(last.HCL, "\n# "+todoMark+n.Text+"\n"...)
		return false
	})
}

// draft is a file before it was loaded.
type draft struct{ path, text string }

// shared is the workspace's file: the variables that several folders name.
func (im *importer) shared(used map[string]int, shared map[string]string) string {
	addrs := map[string]bool{}
	for addr, n := range used {
		if n > 1 {
			addrs[addr] = true
		}
	}
	d := im.declaring(addrs)
	for _, c := range d.blocks {
		shared["var."+c.label] = "workspace.var." + c.label
	}
	for _, l := range d.locals {
		shared["local."+l[0]] = "workspace.local." + l[0]
	}
	ws := chunk{"workspace", "", "# Marks the root of the workspace: `specbuild apply ./...` builds all that lies below.\nworkspace {}"}
	blocks := append([]chunk{ws}, d.blocks...)
	if len(d.locals) > 0 {
		blocks = append(blocks, localsBlock(d.locals))
	}
	return written(blocks, nil)
}

// render is the spec of one folder.
func (im *importer) render(m *module, shared map[string]string, all map[string]bool) string {
	d := im.declaring(addrsIn(m.chunks, m.locals))
	var blocks []chunk
	for _, c := range d.blocks {
		if shared["var."+c.label] == "" {
			blocks = append(blocks, c)
		}
	}
	var locals [][2]string
	for _, l := range append(d.locals, m.locals...) {
		if shared["local."+l[0]] == "" {
			locals = append(locals, l)
		}
	}
	for i := range locals {
		locals[i][1] = chunk{"local", "", locals[i][1]}.renamed(shared).text
	}
	if len(locals) > 0 {
		blocks = append(blocks, localsBlock(locals))
	}
	for _, c := range m.chunks {
		blocks = append(blocks, c.renamed(shared))
	}
	maps.Copy(all, addrsIn(blocks, nil))
	for _, c := range blocks {
		all[c.addr()] = true
	}
	for _, l := range locals {
		all["local."+l[0]] = true
	}
	return written(sections(blocks), m.remarks)
}

// written is a file's text, formatted.
func written(blocks []chunk, remarks []string) string {
	var parts []string
	for _, c := range blocks {
		parts = append(parts, c.text)
	}
	parts = append(parts, remarks...)
	out, _ := format.Format("image.hcl", []byte(strings.Join(parts, "\n\n")+"\n"))
	return string(out)
}

// fold makes one of images that differ in nothing a spec says: bake has a
// target for each output, a spec says the output at the command line.
func (im *importer) fold(m *module) {
	bodies := make([]body, len(m.chunks))
	words := make([]string, len(m.chunks))
	for i, c := range m.chunks {
		if c.kind == "image" {
			bodies[i] = c.body()
			words[i] = withoutPlatforms(bodies[i])
		}
	}
	gone := make([]bool, len(m.chunks))
	for i := range m.chunks {
		for j := i + 1; j < len(m.chunks); j++ {
			if gone[i] || gone[j] || words[i] == "" || words[i] != words[j] {
				continue
			}
			a, b := m.chunks[i], m.chunks[j]
			same, narrower := nested(bodies[i], bodies[j])
			if !same || im.isLinked(m, b.label) {
				continue
			}
			im.foldNote(m, a.label, b.label, narrower)
			if narrower < 0 { // the one that is built for less goes
				m.chunks[i] = b.relabelled(a.label)
				m.chunks[i].text = keepHead(a.text, m.chunks[i].text)
				bodies[i] = bodies[j]
			}
			gone[j] = true
		}
	}
	kept := m.chunks[:0:0]
	for i, c := range m.chunks {
		if !gone[i] {
			kept = append(kept, c)
		}
	}
	m.chunks = kept
}

func (im *importer) isLinked(m *module, label string) bool {
	return slices.ContainsFunc(m.chunks, func(c chunk) bool { return c.names("image." + label) }) ||
		slices.ContainsFunc(im.targets, func(t *target) bool { return t.linked && t.module == m && t.label == label && !t.stage })
}

// keepHead puts the comments of one block above another.
func keepHead(from, to string) string {
	b := chunk{text: to}.body()
	b.head = chunk{text: from}.body().head
	return b.text()
}

func (im *importer) foldNote(m *module, kept, gone string, narrower int) {
	for _, t := range im.targets {
		if t.module != m || t.label != gone || t.stage {
			continue
		}
		how := ""
		if narrower != 0 {
			how = ", and `--platform` builds it for less"
		}
		t.label = kept
		im.note(t.block.at, dockerfile.Changed, "%s is image.%s: what is written where is said at the command line%s.", t, kept, how)
	}
}

// withoutPlatforms is an image but for its name and what it is built for.
func withoutPlatforms(b body) string {
	b.items = slices.DeleteFunc(slices.Clone(b.items), func(it item) bool { return it.name == "platforms" })
	b.head = ""
	return b.text()
}

// nested reports whether one of two images that are alike but for their
// platforms is built for all that the other is, and which is for less: positive
// the second, negative the first. Of two that both say platforms, and not the
// same, neither is.
func nested(a, b body) (same bool, narrower int) {
	p, _ := a.get("platforms")
	q, _ := b.get("platforms")
	switch {
	case p.text == q.text:
		return true, 0
	case q.text == "":
		return true, 1
	case p.text == "":
		return true, -1
	}
	return false, 0
}

// shareStages makes images of a stage stand on it where the stage is a block of
// its own, because others are built from it, instead of saying its steps again.
func (m *module) shareStages() {
	for i, c := range m.chunks {
		if c.kind != "image" {
			continue
		}
		key, target, _ := strings.Cut(m.recipe[c.addr()], "\x00")
		b := c.body()
		for _, s := range m.chunks {
			// A stage that gives all its lines to the image is what it was made of,
			// whatever its name; the name only decides between two.
			if s.kind != "stage" || recipeKey(m.recipe[s.addr()]) != key || target != "" && s.label != target || s.names("each") {
				continue
			}
			if rest, ok := without(b, s.body()); ok {
				rest.setAfter("from", s.addr())
				m.chunks[i].text = rest.text()
				break
			}
		}
	}
}

func recipeKey(s string) string {
	key, _, _ := strings.Cut(s, "\x00")
	return key
}

// without is an image without what a stage says, if that is all there.
func without(image, stage body) (body, bool) {
	if len(stage.items) < 2 {
		return image, false
	}
	out := body{head: image.head}
	next := 0
	for _, it := range image.items {
		if next < len(stage.items) && plainCopy(it.text) == stage.items[next].text {
			next++
			continue
		}
		out.items = append(out.items, it)
	}
	for i := range out.items {
		it := &out.items[i]
		it.gap = it.gap && i > 0 && (it.block || out.items[i-1].block)
	}
	return out, next == len(stage.items)
}
