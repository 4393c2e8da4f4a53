package bake

import (
	"fmt"
	"maps"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/format"
)

// printer writes expressions of bake as those of a spec.
type printer struct {
	values *values
	names  map[string]string // of bake's variables: what a spec calls them
	// computed are variables whose default is an expression over others: a
	// spec's default is a constant, so a local says it.
	computed map[string]bool
	// adopted are defaults that a Dockerfile gives to variables that have none.
	adopted map[string]string
	// comments are those of a Dockerfile's variables that are bake's.
	comments map[string][]string
}

func newPrinter(f *file, v *values) *printer {
	p := &printer{values: v, names: map[string]string{"BAKE_LOCAL_PLATFORM": "build.platform"}, computed: map[string]bool{}, adopted: map[string]string{}, comments: map[string][]string{}}
	taken := map[string]bool{}
	for _, x := range f.variables {
		name := unique(taken, nameOf(x.name, "_"), "_")
		p.names[x.name] = "var." + name
		p.computed[x.name] = !x.fixed && x.def != nil && len(v.uses(x.def, map[string]bool{})) > 0
		if x.fixed || p.computed[x.name] {
			p.names[x.name] = "local." + name
		}
	}
	return p
}

// nameOf is a name that the language takes.
func nameOf(s, sep string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return rune(sep[0])
	}, s)
	if sep == "_" {
		s = strings.ReplaceAll(s, "-", "_")
	}
	s = strings.Trim(s, "-_")
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		s = strings.Trim("x"+sep+s, "-_")
	}
	return s
}

func unique(taken map[string]bool, wish, sep string) string {
	out := wish
	for n := 2; taken[out]; n++ {
		out = fmt.Sprintf("%s%s%d", wish, sep, n)
	}
	taken[out] = true
	return out
}

// printed is an expression of a spec.
type printed struct {
	text string
	each bool     // it names each
	vars bool     // it names variables of the spec
	lost []string // what is not said as it was, in sentences
	// none is why there is no expression that says this.
	none string
}

// constant reports whether nothing of it is decided later.
func (p printed) constant() bool { return !p.each && !p.vars }

// print writes an expression for a place within a scope.
func (p *printer) print(e expr, s *scope) printed {
	w := &writing{printer: p, scope: s, bound: map[string]printed{}}
	w.out.text = bare(w.expr(e.Expression))
	return w.out
}

// writing is the state of one print.
type writing struct {
	*printer
	scope *scope
	bound map[string]printed // names of a `for`, and parameters of a function that is written out
	vals  map[string]cty.Value
	depth int
	out   printed
}

func (w *writing) fail(format string, args ...any) string {
	if w.out.none == "" {
		w.out.none = fmt.Sprintf(format, args...)
	}
	return "null"
}

// expr is one node. What a matrix decides, and what calls a function that
// specs have not, is worked out where nothing else decides it.
func (w *writing) expr(e hclsyntax.Expression) string {
	if s, ok := w.folded(e); ok {
		return s
	}
	switch e := e.(type) {
	case *hclsyntax.LiteralValueExpr:
		return literal(e.Val)
	case *hclsyntax.TemplateExpr:
		return w.template(e.Parts)
	case *hclsyntax.TemplateWrapExpr:
		return w.template([]hclsyntax.Expression{e.Wrapped})
	case *hclsyntax.TemplateJoinExpr:
		return `join("", ` + w.expr(e.Tuple) + ")"
	case *hclsyntax.ScopeTraversalExpr:
		return w.traversal(e.Traversal)
	case *hclsyntax.RelativeTraversalExpr:
		return w.operand(e.Source) + steps(e.Traversal)
	case *hclsyntax.FunctionCallExpr:
		return w.call(e)
	case *hclsyntax.ConditionalExpr:
		return fmt.Sprintf("(%s ? %s : %s)", bare(w.expr(e.Condition)), w.expr(e.TrueResult), w.expr(e.FalseResult))
	case *hclsyntax.BinaryOpExpr:
		return "(" + w.side(e.LHS) + " " + operator(e.Op) + " " + w.side(e.RHS) + ")"
	case *hclsyntax.UnaryOpExpr:
		return operator(e.Op) + w.operand(e.Val)
	case *hclsyntax.ParenthesesExpr:
		return w.expr(e.Expression)
	case *hclsyntax.IndexExpr:
		return w.operand(e.Collection) + "[" + bare(w.expr(e.Key)) + "]"
	case *hclsyntax.TupleConsExpr:
		return "[" + strings.Join(w.all(e.Exprs), ", ") + "]"
	case *hclsyntax.ObjectConsExpr:
		return w.object(e)
	case *hclsyntax.ForExpr:
		return w.loop(e)
	case *hclsyntax.SplatExpr:
		return w.splat(e)
	}
	return w.fail("this kind of expression is not known to the import")
}

func (w *writing) all(list []hclsyntax.Expression) []string {
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = bare(w.expr(e))
	}
	return out
}

// side is one side of an operator. What needs no parentheses in the bake file
// needs none here.
func (w *writing) side(e hclsyntax.Expression) string {
	if _, ok := e.(*hclsyntax.BinaryOpExpr); ok {
		return bare(w.expr(e))
	}
	return w.expr(e)
}

// operand is an expression that something is attached to.
func (w *writing) operand(e hclsyntax.Expression) string { return w.expr(e) }

// bare takes away the parentheses that are around all of an expression.
func bare(s string) string {
	if !strings.HasPrefix(s, "(") || !strings.HasSuffix(s, ")") {
		return s
	}
	tokens, _ := hclsyntax.LexExpression([]byte(s), "", hcl.InitialPos)
	depth := 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOParen:
			depth++
		case hclsyntax.TokenCParen:
			if depth--; depth == 0 && t.Range.End.Byte < len(s) {
				return s
			}
		}
	}
	return s[1 : len(s)-1]
}

// folded is the value of an expression where a matrix, or a parameter, or a
// function that specs have not, stands in it and nothing that is decided later.
func (w *writing) folded(e hclsyntax.Expression) (string, bool) {
	switch e.(type) {
	case *hclsyntax.LiteralValueExpr, *hclsyntax.ObjectConsKeyExpr, *hclsyntax.AnonSymbolExpr:
		return "", false
	}
	reason := false
	for _, u := range w.values.uses(&expr{Expression: e}, map[string]bool{}) {
		if _, constant := w.constantOf(u.Name); !constant {
			return "", false
		}
		reason = true
	}
	for _, name := range callsIn(e) {
		reason = reason || !known(name)
	}
	if !reason {
		return "", false
	}
	vars := map[string]cty.Value{}
	if w.scope != nil {
		maps.Copy(vars, w.scope.vars)
	}
	maps.Copy(vars, w.vals)
	v, ds := w.values.try(expr{Expression: e}, &scope{vars: vars})
	switch {
	case ds.HasErrors():
		return "", false
	case !v.IsWhollyKnown():
		return w.fail("%s gives another value each time, or depends on the machine", strings.Join(impureIn(e, w.values.file), ", ")), true
	}
	return literal(v), true
}

// constantOf is the value of a name that is decided by now.
func (w *writing) constantOf(name string) (cty.Value, bool) {
	if v, ok := w.vals[name]; ok {
		return v, true
	}
	if _, ok := w.bound[name]; ok || w.scope == nil {
		return cty.NilVal, false
	}
	if w.scope.each[name] != "" {
		return cty.NilVal, false
	}
	v, ok := w.scope.vars[name]
	return v, ok
}

// traversal is a name with what follows it.
func (w *writing) traversal(t hcl.Traversal) string {
	root := t.RootName()
	if b, ok := w.bound[root]; ok {
		return b.text + steps(t[1:])
	}
	if w.scope != nil {
		if each := w.scope.each[root]; each != "" {
			w.out.each = true
			return each + steps(t[1:])
		}
	}
	if name, ok := w.names[root]; ok {
		w.out.vars = true
		return name + steps(t[1:])
	}
	if v, ok := w.values.of[root]; ok {
		return literal(v)
	}
	return w.fail("%s is not known to the import", root)
}

// steps are what follows a name: .attribute and [index].
func steps(t hcl.Traversal) string {
	var b strings.Builder
	for _, s := range t {
		switch s := s.(type) {
		case hcl.TraverseAttr:
			b.WriteString("." + s.Name)
		case hcl.TraverseIndex:
			b.WriteString("[" + literal(s.Key) + "]")
		case hcl.TraverseSplat:
			b.WriteString("[*]")
		}
	}
	return b.String()
}

// template is a string with interpolations; one within another is written as
// one.
func (w *writing) template(parts []hclsyntax.Expression) string {
	var b strings.Builder
	for _, p := range parts {
		if l, ok := p.(*hclsyntax.LiteralValueExpr); ok {
			s, _ := text(l.Val)
			b.WriteString(format.Escape(s))
			continue
		}
		s := bare(w.expr(p))
		if len(parts) == 1 && !strings.HasPrefix(s, `"`) {
			return s // "${x}" is x itself
		}
		closeDollar(&b)
		b.WriteString(interpolated(s))
	}
	return `"` + b.String() + `"`
}

// interpolated is an expression within a quoted string.
func interpolated(s string) string {
	if inner, ok := quotedInside(s); ok {
		return inner
	}
	return "${" + s + "}"
}

// quotedInside is the inside of an expression that is one quoted string.
func quotedInside(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", false
	}
	tokens, _ := hclsyntax.LexExpression([]byte(s), "", hcl.InitialPos)
	depth := 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOQuote:
			depth++
		case hclsyntax.TokenCQuote:
			if depth--; depth == 0 && t.Range.End.Byte < len(s) {
				return "", false
			}
		}
	}
	return s[1 : len(s)-1], true
}

// closeDollar keeps a literal that ends in $ or % from making an escape of the
// interpolation that follows.
func closeDollar(b *strings.Builder) {
	s := b.String()
	if strings.HasSuffix(s, "$") || strings.HasSuffix(s, "%") {
		b.Reset()
		fmt.Fprintf(b, `%s${"%s"}`, s[:len(s)-1], s[len(s)-1:])
	}
}

func (w *writing) object(e *hclsyntax.ObjectConsExpr) string {
	if len(e.Items) == 0 {
		return "{}"
	}
	var out []string
	for _, it := range e.Items {
		out = append(out, w.key(it.KeyExpr)+" = "+bare(w.expr(it.ValueExpr)))
	}
	return "{ " + strings.Join(out, ", ") + " }"
}

// key is the name in an object: a bare word is itself.
func (w *writing) key(e hclsyntax.Expression) string {
	k, ok := e.(*hclsyntax.ObjectConsKeyExpr)
	if ok && !k.ForceNonLiteral {
		if word := hcl.ExprAsKeyword(k.Wrapped); word != "" {
			return keyText(word)
		}
	}
	if ok {
		e = k.Wrapped
	}
	if v, ds := e.Value(nil); !ds.HasErrors() {
		if s, ok := text(v); ok {
			return keyText(s)
		}
	}
	s := bare(w.expr(e))
	if _, quoted := quotedInside(s); quoted {
		return s
	}
	return "(" + s + ")"
}

// loop is a `for`; its names hide others.
func (w *writing) loop(e *hclsyntax.ForExpr) string {
	coll := bare(w.expr(e.CollExpr))
	saved := maps.Clone(w.bound)
	vars := e.ValVar
	w.bound[e.ValVar] = printed{text: e.ValVar}
	if e.KeyVar != "" {
		w.bound[e.KeyVar] = printed{text: e.KeyVar}
		vars = e.KeyVar + ", " + vars
	}
	defer func() { w.bound = saved }()
	s := "for " + vars + " in " + coll + " : "
	if e.KeyExpr != nil {
		s += bare(w.expr(e.KeyExpr)) + " => "
	}
	s += bare(w.expr(e.ValExpr))
	if e.Group {
		s += "..."
	}
	if e.CondExpr != nil {
		s += " if " + bare(w.expr(e.CondExpr))
	}
	if e.KeyExpr != nil {
		return "{ " + s + " }"
	}
	return "[" + s + "]"
}

// splat is list[*].attribute.
func (w *writing) splat(e *hclsyntax.SplatExpr) string {
	src := w.operand(e.Source) + "[*]"
	switch each := e.Each.(type) {
	case *hclsyntax.AnonSymbolExpr:
		return src
	case *hclsyntax.RelativeTraversalExpr:
		if _, ok := each.Source.(*hclsyntax.AnonSymbolExpr); ok {
			return src + steps(each.Traversal)
		}
	}
	return w.fail("a [*] with an expression behind it is not known to the import")
}

func operator(op *hclsyntax.Operation) string {
	switch op {
	case hclsyntax.OpLogicalOr:
		return "||"
	case hclsyntax.OpLogicalAnd:
		return "&&"
	case hclsyntax.OpLogicalNot:
		return "!"
	case hclsyntax.OpEqual:
		return "=="
	case hclsyntax.OpNotEqual:
		return "!="
	case hclsyntax.OpGreaterThan:
		return ">"
	case hclsyntax.OpGreaterThanOrEqual:
		return ">="
	case hclsyntax.OpLessThan:
		return "<"
	case hclsyntax.OpLessThanOrEqual:
		return "<="
	case hclsyntax.OpAdd:
		return "+"
	case hclsyntax.OpSubtract, hclsyntax.OpNegate:
		return "-"
	case hclsyntax.OpMultiply:
		return "*"
	case hclsyntax.OpDivide:
		return "/"
	}
	return "%"
}
