package bake

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/format"
)

// literal is a value as an expression, on one line.
func literal(v cty.Value) string {
	t := v.Type()
	switch {
	case !v.IsWhollyKnown() || v.IsNull():
		return "null"
	case t == cty.String:
		return format.Quote(v.AsString())
	case t == cty.Number:
		return number(v)
	case t == cty.Bool && v.True():
		return "true"
	case t == cty.Bool:
		return "false"
	case t.IsObjectType() || t.IsMapType():
		var out []string
		for k, e := range v.AsValueMap() {
			out = append(out, keyText(k)+" = "+literal(e))
		}
		if len(out) == 0 {
			return "{}"
		}
		slices.Sort(out)
		return "{ " + strings.Join(out, ", ") + " }"
	case v.CanIterateElements():
		var out []string
		for _, e := range v.AsValueSlice() {
			out = append(out, literal(e))
		}
		if t.IsSetType() {
			return "toset([" + strings.Join(out, ", ") + "])"
		}
		return "[" + strings.Join(out, ", ") + "]"
	}
	return "null"
}

// keyText is the name of an entry, quoted where it is no plain name.
func keyText(s string) string {
	if hclsyntax.ValidIdentifier(s) && !slices.Contains([]string{"null", "true", "false", "for"}, s) && !strings.ContainsFunc(s, func(r rune) bool { return r > 0x7e }) {
		return s
	}
	return format.Quote(s)
}

// list is a list, over several lines where one is too short for it.
func list(elements []string) string {
	const widest = 110
	one := "[" + strings.Join(elements, ", ") + "]"
	if len(one) <= widest {
		return one
	}
	return "[\n  " + strings.Join(elements, ",\n  ") + ",\n]"
}

// object is a map: keys, and expressions.
func object(entries [][2]string) string {
	const widest = 80
	if len(entries) == 0 {
		return "{}"
	}
	if one := keyText(entries[0][0]) + " = " + entries[0][1]; len(entries) == 1 && len(one) <= widest {
		return "{ " + one + " }"
	}
	var b strings.Builder
	b.WriteString("{\n")
	for _, e := range entries {
		b.WriteString("  " + keyText(e[0]) + " = " + e[1] + "\n")
	}
	return b.String() + "}"
}

func sortBy[T any](list []T, by func(T) int) {
	slices.SortStableFunc(list, func(a, b T) int { return by(a) - by(b) })
}
