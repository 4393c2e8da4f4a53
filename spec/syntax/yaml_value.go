package syntax

import (
	"regexp"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"gopkg.in/yaml.v3"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/grammar"
)

// plainKind is what a text without quotes says.
type plainKind int

const (
	plainText plainKind = iota
	plainNull
	plainBool
	plainNumber
	plainAmbiguous // a number to one reader of YAML and a text, or another number, to the next
	plainYesNo     // a boolean of YAML 1.1 and a text since
)

// The numbers of HCL are the ones that all readers of YAML agree on.
var numberPattern = pattern(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

// What some readers take for a number: leading zeros and 0o (octal), 0x, 0b,
// underscores, a plus sign, a dot at an end, infinity. Times, which YAML 1.1
// counts in sixties, and dates are texts.
var ambiguousPattern = pattern(`^[-+]?(0[oO]?[0-9_]+|0x[0-9a-fA-F_]+|0b[01_]+|[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?|\.[0-9][0-9_]*([eE][-+]?[0-9]+)?|\.(inf|Inf|INF)|\.(nan|NaN|NAN))$`)

// pattern is compiled when it is first asked for.
func pattern(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

// classify reads a text without quotes. It is not YAML's own resolution,
// which differs between readers: what they disagree on is refused.
func classify(text string) plainKind {
	switch text {
	case "", "~", "null", "Null", "NULL":
		return plainNull
	case "true", "True", "TRUE", "false", "False", "FALSE":
		return plainBool
	case "yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF":
		return plainYesNo
	}
	if strings.IndexByte("+-.0123456789", text[0]) < 0 {
		return plainText
	}
	switch {
	case numberPattern().MatchString(text):
		return plainNumber
	case ambiguousPattern().MatchString(text):
		return plainAmbiguous
	}
	return plainText
}

// rangeOf is where a node stands: of a map or list, its beginning.
func (y *yamlReader) rangeOf(n *yaml.Node) diag.Range {
	if n.Kind == yaml.ScalarNode {
		s := y.scalar(n)
		return y.places.span(s.start, s.end)
	}
	return y.startOf(n)
}

// startOf is the first character of a node.
func (y *yamlReader) startOf(n *yaml.Node) diag.Range {
	start, _, _ := y.skipProperties(n)
	return y.places.span(start, min(start+1, len(y.src)))
}

// endOf is the end of all that a node holds. What closes a map or a list in
// flow style is not looked for.
func (y *yamlReader) endOf(n *yaml.Node) int {
	for n.Kind != yaml.ScalarNode {
		if len(n.Content) == 0 {
			start, _, _ := y.skipProperties(n)
			if n.Kind == yaml.AliasNode {
				return start + 1 + len(n.Value)
			}
			return min(start+1, len(y.src))
		}
		n = n.Content[len(n.Content)-1]
	}
	return y.scalar(n).end
}

// value is an expression of what stands in an attribute.
func (y *yamlReader) value(n *yaml.Node, want grammar.Value, key hcl.Range) hclsyntax.Expression {
	n = deref(n)
	switch n.Kind {
	case yaml.SequenceNode:
		return y.list(n, want, key)
	case yaml.MappingNode:
		return y.object(n, want)
	}
	return y.scalarValue(n, want, key)
}

func (y *yamlReader) list(n *yaml.Node, want grammar.Value, key hcl.Range) hclsyntax.Expression {
	elem := grammar.Value{Type: grammar.Any}
	switch {
	case want.Elem != nil && want.Type != grammar.Map:
		elem = *want.Elem
	case want.Type == grammar.Reference:
		elem = want
	}
	start, _, _ := y.skipProperties(n)
	out := &hclsyntax.TupleConsExpr{SrcRange: y.places.hcl(start, y.endOf(n)), OpenRange: y.places.hcl(start, min(start+1, len(y.src)))}
	for _, e := range n.Content {
		out.Exprs = append(out.Exprs, y.value(e, elem, out.OpenRange))
	}
	return out
}

func (y *yamlReader) object(n *yaml.Node, want grammar.Value) hclsyntax.Expression {
	elem := grammar.Value{Type: grammar.Any}
	if want.Elem != nil {
		elem = *want.Elem
	}
	start, _, _ := y.skipProperties(n)
	out := &hclsyntax.ObjectConsExpr{SrcRange: y.places.hcl(start, y.endOf(n)), OpenRange: y.places.hcl(start, min(start+1, len(y.src)))}
	for _, e := range y.entries(n) {
		key := y.template(e.key)
		out.Items = append(out.Items, hclsyntax.ObjectConsItem{
			KeyExpr:   &hclsyntax.ObjectConsKeyExpr{Wrapped: key},
			ValueExpr: y.value(e.value, elem, key.Range()),
		})
	}
	return out
}

func (y *yamlReader) scalarValue(n *yaml.Node, want grammar.Value, key hcl.Range) hclsyntax.Expression {
	plain := n.Style&quotedStyles == 0
	if want.Type == grammar.TypeExpr && n.Value != "" {
		return y.expression(n)
	}
	if !plain {
		return y.template(n)
	}
	s := y.scalar(n)
	at := y.places.hcl(s.start, s.end)
	switch kind := classify(n.Value); {
	case kind == plainNull:
		if n.Value == "" {
			at = key
		}
		return &hclsyntax.LiteralValueExpr{Val: cty.NullVal(cty.DynamicPseudoType), SrcRange: at}
	case kind == plainBool:
		return &hclsyntax.LiteralValueExpr{Val: cty.BoolVal(strings.EqualFold(n.Value, "true")), SrcRange: at}
	case kind == plainNumber:
		if v, err := cty.ParseNumberVal(n.Value); err == nil {
			return &hclsyntax.LiteralValueExpr{Val: v, SrcRange: at}
		}
	case kind == plainAmbiguous:
		y.errorf(Range(at), "Ambiguous value", "Without quotes, %s is a number to one reader of YAML and something else to the next. Write %q for the text, or the number in decimal digits.", n.Value, n.Value)
		y.quoteFix(n.Value)
	case kind == plainYesNo && want.Type == grammar.Bool:
		meant := "false"
		if strings.EqualFold(n.Value, "yes") || strings.EqualFold(n.Value, "on") {
			meant = "true"
		}
		y.errorf(Range(at), "Invalid value", "%s is a text here; write true or false.", n.Value)
		y.lastFix(meant)
	case want.Type == grammar.Reference || want.Type == grammar.Keyword:
		return y.plainName(n, s)
	}
	return y.template(n)
}

func (y *yamlReader) quoteFix(text string) { y.lastFix(`"` + text + `"`) }

func (y *yamlReader) lastFix(text string) {
	last := &y.diags[len(y.diags)-1]
	last.Fix = &diag.Fix{Range: last.Range, Replacement: text}
}

// plainName reads a text without quotes as a name: base.go, stage.build["x"].
// What is none stays a text, for the decoder to say what it asks for.
func (y *yamlReader) plainName(n *yaml.Node, s *scalar) hclsyntax.Expression {
	start, ok := s.linear(n.Value)
	if !ok || strings.Contains(n.Value, "${") || strings.Contains(n.Value, "%{") {
		return y.template(n)
	}
	src := []byte(n.Value)
	if _, deep := tooDeep(y.name, src, hclsyntax.LexExpression); deep {
		return y.template(n)
	}
	expr, problems := hclsyntax.ParseExpression(src, y.name, y.places.pos(start))
	if problems.HasErrors() {
		return y.template(n)
	}
	if t, ok := expr.(*hclsyntax.ScopeTraversalExpr); ok {
		return t
	}
	if strings.ContainsAny(n.Value, "?([") {
		y.errorf(y.places.span(s.start, s.end), "Expression without braces", "A name may stand as it is; what computes one is written ${…}, in quotes where YAML asks for them: \"${%s}\".", n.Value)
	}
	return y.template(n)
}

// expression reads the whole text as one: a type.
func (y *yamlReader) expression(n *yaml.Node) hclsyntax.Expression {
	s := y.scalar(n)
	src := []byte(n.Value)
	var parsed hclsyntax.Expression
	ok := y.parse(s, src, hclsyntax.LexExpression, func(src []byte, name string, start hcl.Pos) (hclsyntax.Expression, hcl.Diagnostics) {
		expr, problems := hclsyntax.ParseExpression(src, name, start)
		parsed = expr
		return expr, problems
	})
	if !ok || parsed == nil {
		return y.unknown(s)
	}
	return parsed
}

// unknown stands for what was not right and is reported.
func (y *yamlReader) unknown(s *scalar) hclsyntax.Expression {
	return &hclsyntax.LiteralValueExpr{Val: cty.DynamicVal, SrcRange: y.places.hcl(s.start, s.end)}
}

// template reads a text as the inside of a quoted string of HCL, but for
// backslashes: YAML has dealt with its own.
func (y *yamlReader) template(n *yaml.Node) hclsyntax.Expression {
	s := y.scalar(n)
	whole := y.places.hcl(s.start, s.end)
	if !strings.Contains(n.Value, "${") && !strings.Contains(n.Value, "%{") {
		inside := whole
		if len(s.pieces) > 0 {
			inside = y.places.hcl(s.source(0, len(n.Value)))
		}
		return &hclsyntax.TemplateExpr{
			Parts:    []hclsyntax.Expression{&hclsyntax.LiteralValueExpr{Val: cty.StringVal(n.Value), SrcRange: inside}},
			SrcRange: whole,
		}
	}
	var parsed hclsyntax.Expression
	ok := y.parse(s, []byte(n.Value), hclsyntax.LexTemplate, func(src []byte, name string, start hcl.Pos) (hclsyntax.Expression, hcl.Diagnostics) {
		expr, problems := hclsyntax.ParseTemplate(src, name, start)
		parsed = expr
		return expr, problems
	})
	if !ok || parsed == nil {
		return y.unknown(s)
	}
	switch e := parsed.(type) {
	case *hclsyntax.TemplateExpr:
		e.SrcRange = whole
	case *hclsyntax.TemplateWrapExpr:
		e.SrcRange = whole
	}
	return parsed
}

// placeInText is a place that the parser of HCL writes into its words: counted
// in the text of one scalar, it would be wrong here.
var placeInText = pattern(` at \S+:\d+,\d+-(\d+,)?\d+`)

// parse parses the value of a scalar and puts all places of the result where
// the value stands in the file. It answers false after reporting mistakes.
func (y *yamlReader) parse(s *scalar, src []byte, lex lexer, parse parser) bool {
	place := func(r hcl.Range) hcl.Range { return y.places.hcl(s.source(r.Start.Byte, r.End.Byte)) }
	if at, deep := tooDeep(y.name, src, lex); deep {
		y.errorf(Range(place(HCLRange(at))), "Nested too deep", "Brackets, templates and operators nest more than %d deep here. Give parts of it names of their own, in locals.", MaxDepth)
		return false
	}
	if start, ok := s.linear(string(src)); ok {
		// The common case: the parser counts from where the text stands.
		if _, problems := parse(src, y.name, y.places.pos(start)); !problems.HasErrors() {
			return true
		}
	}
	expr, problems := parse(src, y.name, hcl.InitialPos)
	if !problems.HasErrors() {
		relocate(expr, place)
		return true
	}
	for _, d := range parseDiagnostics(problems, src, lex) {
		d.Detail = placeInText().ReplaceAllString(d.Detail, "")
		d.Range = Range(place(HCLRange(d.Range)))
		for i := range d.Notes {
			d.Notes[i].Range = Range(place(HCLRange(d.Notes[i].Range)))
		}
		if d.Fix != nil {
			d.Fix.Range = Range(place(HCLRange(d.Fix.Range)))
			if !s.exact {
				d.Fix = nil
			}
		}
		y.diags = append(y.diags, d)
	}
	return false
}
