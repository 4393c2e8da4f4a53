package bake

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec/format"
)

// module is the spec of one folder on the way.
type module struct {
	dir    string
	locals [][2]string // names and expressions, in the order in which they came
	chunks []chunk
	recipe map[string]string // addresses of stages and images to what they were made of
	same   map[string]string // blocks by kind and words, without the name: their labels
	taken  map[string]map[string]bool
	// pending are comments for the image at hand, remarks those that no block
	// is for.
	pending, remarks []string
}

// module is that of a folder.
func (im *importer) module(dir string) *module {
	m := im.modules[dir]
	if m == nil {
		m = &module{dir: dir, recipe: map[string]string{}, same: map[string]string{}, taken: map[string]map[string]bool{}}
		im.modules[dir] = m
		im.order = append(im.order, m)
	}
	return m
}

func (m *module) note(comment string) { m.pending = append(m.pending, comment) }

// add puts a block into the module, and answers under which name: what is there
// already with the same words is one block.
func (m *module) add(c chunk) string {
	words := c.kind + " " + c.relabelled("").text
	if laidOut, ds := format.Format("image.hcl", []byte(words)); !ds.HasErrors() {
		words = string(laidOut) // a block that was taken apart is not in columns
	}
	if label, ok := m.same[words]; ok {
		return label
	}
	sep := "-"
	if c.kind == "variable" {
		sep = "_"
	}
	if m.taken[c.kind] == nil {
		m.taken[c.kind] = map[string]bool{}
	}
	if label := unique(m.taken[c.kind], c.label, sep); label != c.label {
		c = c.relabelled(label)
	}
	m.same[words] = c.label
	m.chunks = append(m.chunks, c)
	return c.label
}

// local is a local of the module, and its name.
func (m *module) local(name, text string) string {
	taken := map[string]bool{}
	for _, l := range m.locals {
		if l[1] == text && (l[0] == name || strings.HasPrefix(l[0], name+"_")) {
			return l[0]
		}
		taken[l[0]] = true
	}
	name = unique(taken, name, "_")
	m.locals = append(m.locals, [2]string{name, text})
	return name
}

// call is the module block by which this folder names what is in another.
func (m *module) call(other *module) string {
	name := nameOf(path.Base(other.dir), "-")
	return m.add(chunk{"module", name, fmt.Sprintf("module %s {\n  source = %s\n}", format.Quote(name), format.Quote(source(relative(m.dir, other.dir))))})
}

// source is a folder as modules are named.
func source(rel string) string {
	if strings.HasPrefix(rel, "../") || rel == ".." {
		return rel
	}
	return "./" + strings.TrimPrefix(rel, "./")
}

// merge puts what the import of a Dockerfile gave into the module: what others
// brought is not said again, and what only has a name in common gets another.
func (g *given) merge(all []chunk) {
	m := g.module
	forEach := g.forEach(all)
	marked := map[string]bool{} // addresses of this piece that are looped over
	for _, c := range all {
		addr := c.addr()
		if slices.Contains(g.drop, addr) {
			g.rename[addr] = g.later[addr]()
			g.fullNames(c)
			continue
		}
		if r := g.refs[addr]; r != nil {
			r.used = true
			if r.expr != nil {
				g.rename[addr] = r.expr()
				continue
			}
			c = c.relabelled(nameOf(r.context.key, "-"))
		}
		for old, expr := range g.swaps {
			c.text = strings.ReplaceAll(c.text, old, expr)
		}
		loops := c.names("each") || slices.ContainsFunc(mentions(c.source()), func(x mention) bool { return marked[x.addr] || strings.Contains(g.rename[x.addr], "each.") })
		c = c.renamed(g.rename)
		switch c.kind {
		case "variable":
			g.variable(c)
		case "local":
			g.rename[addr] = "local." + m.local(c.label, c.text)
		case "image":
			g.finish(c, forEach)
		case "secret":
			g.rename[addr] = "secret." + m.addSecret(g.secret(c))
		default:
			if loops && forEach != "" && (c.kind == "stage" || c.kind == "base" || c.kind == "context") {
				b := c.body()
				b.items = slices.Insert(b.items, 0, item{name: "for_each", text: "for_each = " + forEach})
				c.text = b.text()
				marked[addr] = true
			}
			label := m.add(g.named(c))
			g.rename[addr] = c.kind + "." + label
			if c.kind == "stage" {
				m.recipe["stage."+label] = g.recipe.key
			}
			if marked[addr] {
				g.rename[addr] += "[each.key]"
			}
		}
	}
}

// fullNames follows what the import of the Dockerfile did with an argument that
// is the whole name of an image: it wrote the registry and the tag out.
func (g *given) fullNames(c chunk) {
	b := c.body()
	d, ok := b.get("default")
	now, given := g.values[c.addr()]
	if !ok || !given || now == "" {
		return
	}
	_, expr, _ := strings.Cut(d.text, "=")
	full, quoted := quotedInside(strings.TrimSpace(expr))
	before, after, found := strings.Cut(full, format.Escape(now))
	if quoted && found && before+after != "" {
		g.rename[c.addr()] = `"` + before + interpolated(g.rename[c.addr()]) + after + `"`
	}
}

// named gives a stage whose name another Dockerfile took the name of what it is
// built for.
func (g *given) named(c chunk) chunk {
	if c.kind != "stage" {
		return c
	}
	for _, o := range g.module.chunks {
		if o.kind == "stage" && o.label == c.label && o.text != c.text {
			return c.relabelled(c.label + "-" + g.piece.label)
		}
	}
	return c
}

// forEach is the collection that the blocks of a piece are made over: a local
// where several are.
func (g *given) forEach(all []chunk) string {
	p := g.piece
	if p.forEach == "" {
		return ""
	}
	for _, c := range all {
		if c.kind != "image" && c.kind != "variable" && (c.renamed(g.rename).names("each") || g.swapsEach(c)) {
			return "local." + g.module.local(nameOf(p.label, "_"), p.forEach)
		}
	}
	return p.forEach
}

func (g *given) swapsEach(c chunk) bool {
	for old, expr := range g.swaps {
		if strings.Contains(c.text, old) && strings.Contains(expr, "each.") {
			return true
		}
	}
	return false
}

// adopts reports whether a variable of the Dockerfile is one of bake's as well:
// by name, and by what it is worth. One of bake's that is worth nothing takes
// the Dockerfile's default.
func (im *importer) adopts(c chunk) bool {
	b := c.body()
	d, ok := b.get("default")
	_, expr, _ := strings.Cut(d.text, "=")
	expr = strings.TrimSpace(expr)
	for _, x := range im.file.variables {
		if !ok || im.print.names[x.name] != c.addr() {
			continue
		}
		now := im.values.of[x.name]
		adopted := im.print.adopted[c.addr()]
		same := literal(now) == expr
		if now.IsNull() {
			same = adopted == "" || adopted == expr
		}
		if same && now.IsNull() {
			im.print.adopted[c.addr()] = expr
		}
		if same {
			im.print.carry(c.addr(), c)
		}
		return same
	}
	return false
}

// carry keeps the comments of a variable of the Dockerfile for the one of bake
// that stands in its place.
func (p *printer) carry(addr string, c chunk) {
	for line := range strings.Lines(c.text) {
		if !strings.HasPrefix(line, "# ") {
			return
		}
		if s := strings.TrimSpace(line[2:]); !slices.Contains(p.comments[addr], s) {
			p.comments[addr] = append(p.comments[addr], s)
		}
	}
}

// variable is one of the Dockerfile's own.
func (g *given) variable(c chunk) {
	addr := c.addr()
	for _, a := range g.adopt {
		if a.addr != addr {
			continue
		}
		g.im.print.carry(a.name, c)
		b := c.body()
		if d, ok := b.get("default"); ok {
			_, expr, _ := strings.Cut(d.text, "=")
			g.im.print.adopted[a.name] = strings.TrimSpace(expr)
		}
		g.rename[addr] = a.name
		return
	}
	if g.im.adopts(c) {
		return
	}
	for _, name := range g.im.print.names {
		if name == addr {
			c = c.relabelled(c.label + "_" + nameOf(g.piece.label, "_"))
			break
		}
	}
	taken := slices.ContainsFunc(g.module.chunks, func(o chunk) bool { return o.kind == "variable" && o.label == c.label && o.text != c.text })
	if taken {
		c = c.relabelled(c.label + "_" + nameOf(g.piece.label, "_"))
	}
	g.rename[addr] = "var." + g.module.add(c)
}
