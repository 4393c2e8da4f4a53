package eval

import (
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Print writes a value as an expression would be written that gives it, with
// maps and lists over several lines. A reference is its name; what is not
// known yet is (not known yet). The text has no line end.
func Print(v cty.Value) string {
	var b strings.Builder
	printValue(&b, v, "")
	return b.String()
}

func printValue(b *strings.Builder, v cty.Value, indent string) {
	t := v.Type()
	switch {
	case !v.IsKnown():
		b.WriteString("(not known yet)")
	case v.IsNull():
		b.WriteString("null")
	case t == cty.String:
		b.WriteString(printString(v.AsString(), indent))
	case t == cty.Number:
		b.WriteString(v.AsBigFloat().Text('f', -1))
	case t == cty.Bool:
		b.WriteString(strconv.FormatBool(v.True()))
	case t == RefType:
		r, _ := AsRef(v)
		b.WriteString(r.String())
	case t.IsObjectType() || t.IsMapType():
		printAll(b, v, indent, "{", "}", "", func(k cty.Value) string { return printKey(k.AsString()) + " = " })
	case t.IsSetType():
		b.WriteString("toset(")
		printAll(b, v, indent, "[", "]", ",", nil)
		b.WriteString(")")
	default:
		printAll(b, v, indent, "[", "]", ",", nil)
	}
}

func printAll(b *strings.Builder, v cty.Value, indent, opening, closing, separator string, key func(cty.Value) string) {
	if v.LengthInt() == 0 {
		b.WriteString(opening + closing)
		return
	}
	b.WriteString(opening + "\n")
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		b.WriteString(indent + "  ")
		if key != nil {
			b.WriteString(key(k))
		}
		printValue(b, e, indent+"  ")
		b.WriteString(separator + "\n")
	}
	b.WriteString(indent + closing)
}

func printKey(k string) string {
	if hclsyntax.ValidIdentifier(k) {
		return k
	}
	return quoteTemplate(k)
}

// printString is a heredoc where a text has several lines.
func printString(s, indent string) string {
	if strings.HasSuffix(s, "\n") && strings.Count(s, "\n") > 1 && !strings.Contains(s, "EOT") && !strings.ContainsAny(s, "\x00\r\x1b") {
		return "<<-EOT\n" + indentLines(escapeTemplate(s), indent+"  ") + indent + "EOT"
	}
	return quoteTemplate(s)
}

func indentLines(s, indent string) string {
	lines := strings.SplitAfter(strings.TrimSuffix(s, "\n"), "\n")
	return indent + strings.Join(lines, indent) + "\n"
}

func quoteTemplate(s string) string { return escapeTemplate(strconv.Quote(s)) }

// escapeTemplate doubles the signs that would begin a template.
func escapeTemplate(s string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(s)
}
