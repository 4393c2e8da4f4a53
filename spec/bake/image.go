package bake

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/dockerfile"
	"github.com/specbuild/specbuild/spec/format"
)

// finish gives the image of a Dockerfile what its target says, and puts it into
// the module.
func (g *given) finish(c chunk, forEach string) {
	t, b := g.piece.first(), c.body()
	if r := g.recipe; r.elsewhere != "" {
		g.fetched(&b)
	}
	g.tags(&b)
	g.platforms(&b)
	g.labels(&b)
	g.annotations(&b)
	if t.stage && (t.filesOnly() || !hasConfig(b)) {
		c = g.asStage(c, &b)
	} else {
		for _, o := range g.piece.targets {
			o.stage = false
		}
	}
	if forEach != "" {
		b.items = slices.Insert(b.items, 0, item{name: "for_each", text: "for_each = " + forEach})
	}
	if len(g.module.pending) > 0 {
		b.items = append(b.items, item{gap: true, text: strings.Join(g.module.pending, "\n")})
		g.module.pending = nil
	}
	c.text = b.text()
	c.text = g.comments(c.text) + c.text
	label := g.module.add(c)
	if c.kind == "image" && label != g.piece.label && !strings.HasPrefix(label, g.piece.label+"-") {
		g.im.note(t.block.at, dockerfile.Changed, "%s is image.%s: what is written where is said at the command line.", t, label)
	}
	for _, o := range g.piece.targets {
		o.label = label
	}
	g.module.recipe[c.kind+"."+label] = g.recipe.key
	if target := t.str("target", ""); target != "" {
		g.module.recipe[c.kind+"."+label] += "\x00" + nameOf(target, "-")
	}
}

// comments above the image: those above the target, else its description.
func (g *given) comments(below string) string {
	t := g.piece.first()
	said := t.block.comments
	if d := t.str("description", ""); d != "" && !slices.Contains(said, d) {
		said = append(slices.Clone(said), oneLine(d))
	}
	out := ""
	for _, s := range said {
		if line := "# " + s + "\n"; !strings.Contains(below, line) {
			out += line
		}
	}
	return out
}

func imageAttrs() []string {
	return []string{"platforms", "tags", "run_as", "entrypoint", "cmd", "expose", "volumes", "labels", "annotations", "stop_signal", "healthcheck"}
}

// hasConfig reports whether a block says what only images have, besides what
// it is built for.
func hasConfig(b body) bool {
	return slices.ContainsFunc(b.items, func(it item) bool { return it.name != "platforms" && slices.Contains(imageAttrs(), it.name) })
}

// plainCopy is a copy as a stage says it: all of a context need not be said.
func plainCopy(text string) string {
	if !strings.HasPrefix(text, "copy {") || strings.Contains(text, "\n  from ") {
		return text
	}
	return strings.Replace(text, "\n  source = \".\"\n  to     = ", "\n  to = ", 1)
}

// asStage makes a stage of an image that nobody runs.
func (g *given) asStage(c chunk, b *body) chunk {
	b.remove(imageAttrs()...)
	for i := range b.items {
		b.items[i].text = plainCopy(b.items[i].text)
	}
	// A stage is for the platform of what it is built on; an image is not.
	if from, ok := b.get("from"); ok {
		for _, below := range g.module.chunks {
			said := below.body()
			if p, native := said.get("platform"); native && from.value() == below.addr() {
				b.setAfter("platform", p.value(), "from")
			}
		}
	}
	b.head = strings.Replace(b.head, "image \""+c.label+"\"", "stage \""+c.label+"\"", 1)
	c.kind = "stage"
	return c
}

// fetched makes the copies of the build's context come from where it is.
func (g *given) fetched(b *body) {
	ref := "context." + g.remote("source", g.recipe.elsewhere)
	for i, it := range b.items {
		if it.name == "copy" && it.block && !strings.Contains(it.text, "\n  from ") {
			b.items[i].text = strings.Replace(it.text, "copy {\n", "copy {\n  from = "+ref+"\n", 1)
		}
	}
}

// tags are written as they are; bake passes empty ones over.
func (g *given) tags(b *body) {
	f, ok := g.piece.first().one["tags"]
	if !ok || len(elements(f.val)) == 0 && !isComputed(f.expr) {
		return
	}
	expr, empty := g.list(f, "tags")
	if expr == "[]" {
		return
	}
	if empty {
		expr = "compact(" + expr + ")"
	}
	b.setAfter("tags", expr, "from", "platforms")
}

func isComputed(e expr) bool {
	_, literal := e.Expression.(*hclsyntax.TupleConsExpr)
	return !literal
}

// list is a list of strings as an expression, and whether some may be empty.
// What cannot be said is left out.
func (g *given) list(f field, name string) (expr string, empty bool) {
	tuple, ok := f.Expression.(*hclsyntax.TupleConsExpr)
	if !ok {
		p := g.im.print.print(f.expr, g.piece.scopeOf(f))
		g.lost(f, name, p)
		if p.none != "" {
			return "[]", false
		}
		return p.text, slices.ContainsFunc(elements(f.val), func(v cty.Value) bool { s, ok := text(v); return !ok || s == "" }) || strings.Contains(p.text, `""`)
	}
	var out []string
	for i, e := range tuple.Exprs {
		el := f
		el.Expression, el.at = e, elementAt(f.expr, i)
		p := g.im.print.print(el.expr, g.piece.scopeOf(f))
		g.lost(el, name, p)
		if p.none != "" || p.text == `""` || p.text == "null" {
			continue
		}
		v, _ := g.im.values.try(el.expr, f.scope)
		s, isText := text(v)
		empty = empty || !isText || s == "" || strings.Contains(p.text, `""`)
		if !slices.Contains(out, p.text) {
			out = append(out, p.text)
		}
	}
	return list(out), empty
}

// lost marks what an expression of the target could not keep.
func (g *given) lost(f field, name string, p printed) {
	if p.none != "" {
		g.module.note(g.im.todo(f.at, "%s is left out: %s", name, p.none))
		return
	}
	for _, l := range p.lost {
		g.module.note(g.im.todo(f.at, "%s: %s", name, l))
	}
}

// platforms of one's own machine need not be said.
func (g *given) platforms(b *body) {
	f, ok := g.piece.first().one["platforms"]
	if !ok {
		return
	}
	if now := texts(f.val); len(now) == 1 && now[0] == "local" {
		return
	} else if len(now) == 0 {
		g.im.unset("platforms", f.expr, f.scope)
		return
	}
	if t := g.piece.first(); t.stage && t.filesOnly() {
		g.im.note(f.at, dockerfile.Changed, "platforms: a stage is built for the machine that builds; %s for others as well is an image, with `platforms`.", t)
		return
	}
	f = g.linuxOnly(f)
	expr, empty := g.list(f, "platforms")
	if expr == "[]" || expr == "[build.platform]" {
		return
	}
	if empty {
		expr = "compact(" + expr + ")"
	}
	b.setAfter("platforms", expr, "from")
}

// linuxOnly leaves out the platforms that images are not built for here.
func (g *given) linuxOnly(f field) field {
	tuple, ok := f.Expression.(*hclsyntax.TupleConsExpr)
	if !ok {
		return f
	}
	kept := *tuple
	kept.Exprs = nil
	for i, e := range tuple.Exprs {
		v, _ := g.im.values.try(expr{Expression: e}, f.scope)
		s, _ := text(v)
		if first, _, _ := strings.Cut(s, "/"); s != "" && first != "linux" && first != "local" && len(e.Variables()) == 0 {
			at := elementAt(f.expr, i)
			g.lost(field{expr: expr{e, at}}, "platforms "+s, printed{none: "specbuild builds for linux"})
			continue
		}
		kept.Exprs = append(kept.Exprs, e)
	}
	f.Expression = &kept
	return f
}

// labels of the target stand over those of the Dockerfile.
func (g *given) labels(b *body) {
	entries := g.piece.first().maps["labels"]
	if len(entries) == 0 {
		return
	}
	var out [][2]string
	if it, ok := b.get("labels"); ok {
		out = pairsOf(it.text)
	}
	if expr, ok := g.whole(entries); ok && len(out) == 0 {
		b.setLast("labels", expr)
		return
	}
	for _, e := range entries {
		p := g.im.print.print(e.expr, g.piece.scopeOf(e.field))
		if p.none != "" {
			p.none += "; `stamp` writes what changes with each build"
		}
		g.lost(e.field, "labels "+e.key, p)
		if p.none != "" {
			continue
		}
		if at := slices.IndexFunc(out, func(o [2]string) bool { return o[0] == e.key }); at >= 0 {
			out[at][1] = p.text
			continue
		}
		out = append(out, [2]string{e.key, p.text})
	}
	if len(out) > 0 {
		b.setLast("labels", object(out))
	}
}

// whole is the one expression that all entries of a map are picked from.
func (g *given) whole(entries []entry) (string, bool) {
	var from hclsyntax.Expression
	for _, e := range entries {
		pick, ok := e.Expression.(*hclsyntax.IndexExpr)
		if !ok || pick.SrcRange != pick.Collection.Range() || from != nil && pick.Collection != from {
			return "", false
		}
		from = pick.Collection
	}
	first := entries[0].field
	first.Expression = from
	p := g.im.print.print(first.expr, g.piece.scopeOf(first))
	return p.text, p.none == "" && len(p.lost) == 0 && !p.constant()
}

// pairsOf are the entries of a map that is written out.
func pairsOf(attr string) [][2]string {
	f, _ := hclsyntax.ParseConfig([]byte(attr), "", hcl.InitialPos)
	body, ok := f.Body.(*hclsyntax.Body)
	if !ok {
		return nil
	}
	var out [][2]string
	for _, a := range body.Attributes {
		object, ok := a.Expr.(*hclsyntax.ObjectConsExpr)
		if !ok {
			return nil
		}
		for _, it := range object.Items {
			k, ds := it.KeyExpr.Value(nil)
			if s, ok := text(k); ok && !ds.HasErrors() {
				r := it.ValueExpr.Range()
				out = append(out, [2]string{s, attr[r.Start.Byte:r.End.Byte]})
			}
		}
	}
	return out
}

// annotations are "key=value", with what they are for before a colon.
func (g *given) annotations(b *body) {
	var out [][2]string
	for _, f := range g.piece.first().lists["annotations"] {
		now, isText := text(f.val)
		p := g.im.print.print(f.expr, g.piece.scopeOf(f))
		inner, quoted := quotedInside(p.text)
		key, value, ok := strings.Cut(inner, "=")
		switch {
		case isText && now == "":
			continue
		case p.none == "" && (!isText || !quoted || !ok || strings.ContainsAny(key, `$\`)):
			p.none = "only \"key=value\" written out can be taken apart"
			fallthrough
		case p.none != "":
			g.lost(f, "annotations", p)
			continue
		}
		if kind, rest, ok := strings.Cut(key, ":"); ok {
			key = rest
			if !slices.Contains([]string{"manifest", "index", "index,manifest", "manifest,index"}, kind) {
				g.im.note(f.at, dockerfile.Changed, "annotations %s: they go to the manifest and the index here, not to the %s.", key, kind)
			}
		}
		expr := `"` + value + `"`
		if inside, ok := strings.CutPrefix(value, "${"); ok && strings.Count(value, "${") == 1 && strings.HasSuffix(inside, "}") && strings.Count(inside, "}") == 1 {
			expr = strings.TrimSuffix(inside, "}")
		}
		if at := slices.IndexFunc(out, func(o [2]string) bool { return o[0] == key }); at >= 0 {
			out[at][1] = expr
			continue
		}
		out = append(out, [2]string{key, expr})
	}
	if len(out) > 0 {
		b.setLast("annotations", object(out))
	}
}

// secret says where a secret comes from, as the target does.
func (g *given) secret(c chunk) chunk {
	for _, f := range g.piece.first().lists["secret"] {
		id, kind, value := secretOf(g.im.atHome(f))
		if nameOf(path.Base(id), "-") != c.label || id == "" {
			continue
		}
		b := c.body()
		if mark := strings.Index(b.head, "# "+todoMark+"docker build --secret"); mark >= 0 {
			end := strings.IndexByte(b.head[mark:], '\n')
			b.head = b.head[:mark] + b.head[mark+end+1:]
		}
		_, optional := b.get("optional")
		b.items = nil
		if kind == "file" && !strings.HasPrefix(value, "~/") && !path.IsAbs(value) {
			value = relative(g.module.dir, path.Join(g.im.opts.Dir, value))
		}
		b.setLast(kind, format.Quote(value))
		if optional {
			b.setLast("optional", "true")
		}
		c.text = b.text()
	}
	return c
}

// secretTodo begins the comment that asks where a secret comes from.
const secretTodo = todoMark + "docker build --secret "

// addSecret puts a secret into the module. Of one that two targets mount, and
// one of them says where it comes from, that holds for both.
func (m *module) addSecret(c chunk) string {
	for i, o := range m.chunks {
		if o.kind != "secret" || o.label != c.label {
			continue
		}
		switch {
		case strings.Contains(c.text, secretTodo):
			return o.label
		case strings.Contains(o.text, secretTodo):
			m.chunks[i] = c
			return o.label
		}
	}
	return m.add(c)
}

// atHome is a field's value with the user's home directory as ~, which is
// everybody's.
func (im *importer) atHome(f field) cty.Value {
	s := &scope{vars: map[string]cty.Value{"HOME": cty.StringVal("~")}}
	if f.scope != nil {
		maps.Copy(s.vars, f.scope.vars)
	}
	if v, ds := im.values.try(f.expr, s); !ds.HasErrors() {
		return v
	}
	return f.val
}

// secretOf takes a secret apart: its id, and the variable or file it is.
func secretOf(v cty.Value) (id, kind, value string) {
	get := func(name string) string { return member(v, name) }
	if s, ok := text(v); ok {
		fields := csv(s)
		get = func(name string) string { return fields[name] }
	}
	id = get("id")
	file, env := get("src"), get("env")
	if file == "" {
		file = get("source")
	}
	switch {
	case env != "":
		return id, "env", env
	case file != "" && get("type") == "env":
		return id, "env", file
	case file != "":
		return id, "file", file
	case get("type") == "file":
		return id, "file", id
	}
	return id, "env", id
}
