package eval

import (
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/syntax"
)

// Wrong is the error of a conversion that knows a better place than the whole
// attribute, and perhaps what mends it.
type Wrong struct {
	Range  diag.Range
	Phrase string // what was found and what is allowed, without a full stop
	Fix    *diag.Fix
}

// Error is the phrase.
func (w *Wrong) Error() string { return w.Phrase }

// Report adds a conversion's error to a list: at its own place if it has one,
// else at the place given. The phrase becomes the detail, after the name of
// the attribute.
func Report(l *diag.List, at diag.Range, summary, attribute string, err error) {
	d := diag.Diagnostic{Severity: diag.Error, Summary: summary, Range: at}
	d.Detail = fmt.Sprintf("%s: %s.", attribute, strings.TrimSuffix(err.Error(), "."))
	var w *Wrong
	if errors.As(err, &w) {
		d.Range, d.Fix = w.Range, w.Fix
	}
	*l = append(*l, d)
}

// Describe says what a value is, for messages: `the number 1.2`, `a list`,
// `a reference to base.go`. Strings are shown shortened.
func Describe(v cty.Value) string {
	t := v.Type()
	if !v.IsKnown() {
		return "not known yet"
	}
	if v.IsNull() {
		return "null"
	}
	switch {
	case t == cty.String:
		return fmt.Sprintf("the string %q", shorten(v.AsString()))
	case t == cty.Number:
		return "the number " + v.AsBigFloat().Text('f', -1)
	case t == cty.Bool:
		return fmt.Sprintf("the boolean %t", v.True())
	case t == RefType:
		r, _ := AsRef(v)
		return "a reference to " + r.String()
	case t.IsListType() || t.IsTupleType():
		return "a list"
	case t.IsSetType():
		return "a set"
	case t.IsMapType() || t.IsObjectType():
		return "a map"
	default:
		return t.FriendlyName()
	}
}

func shorten(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// String is v where a string is asked; v is known and not null. A number or
// boolean that stands unquoted in the source is taken only if it prints as it
// was written: 1.20 would be "1.2", 0644 "644" and 1e3 "1000", none of which
// is what was meant. The bytes are those of the file that expr is in, nil if
// there is none.
func String(v cty.Value, expr hcl.Expression, src []byte) (string, error) {
	if err := asWritten(expr, src); err != nil {
		return "", err
	}
	switch v.Type() {
	case cty.String:
		return v.AsString(), nil
	case cty.Number:
		return printNumber(v.AsBigFloat()), nil
	case cty.Bool:
		return fmt.Sprint(v.True()), nil
	}
	if ContainsRef(v) {
		return "", errors.New(refusal(v))
	}
	return "", fmt.Errorf("a string is needed, not %s", Describe(v))
}

// Strings is v where a list of strings is asked; a single string is not taken
// for a list. Elements that are null are an error.
func Strings(v cty.Value, expr hcl.Expression, src []byte) ([]string, error) {
	if t := v.Type(); !t.IsListType() && !t.IsSetType() && !t.IsTupleType() {
		if ContainsRef(v) {
			return nil, errors.New(refusal(v))
		}
		return nil, fmt.Errorf("a list of strings is needed, not %s", Describe(v))
	}
	if err := asWritten(expr, src); err != nil {
		return nil, err
	}
	elements := elementExprs(expr, v.LengthInt())
	out := make([]string, 0, v.LengthInt())
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		at := elements[len(out)]
		if e.IsNull() {
			return nil, &Wrong{Range: syntax.Range(at.Range()), Phrase: "an element is null; a string is needed"}
		}
		s, err := String(e, at, src)
		if err != nil {
			var w *Wrong
			if errors.As(err, &w) {
				return nil, err
			}
			return nil, &Wrong{Range: syntax.Range(at.Range()), Phrase: err.Error()}
		}
		out = append(out, s)
	}
	return out, nil
}

// elementExprs is the expression of each element where the list is written
// out, else the whole one n times.
func elementExprs(expr hcl.Expression, n int) []hcl.Expression {
	if list, diags := hcl.ExprList(expr); !diags.HasErrors() && len(list) == n {
		return list
	}
	out := make([]hcl.Expression, n)
	for i := range out {
		out[i] = expr
	}
	return out
}

// asWritten checks the literals that become the value of expr: itself, the
// branches of a condition, the elements of a list or map.
func asWritten(expr hcl.Expression, src []byte) error {
	switch e := expr.(type) {
	case *hclsyntax.LiteralValueExpr:
		return literalAsWritten(e.Val, e.Range(), src)
	case *hclsyntax.UnaryOpExpr: // a negative number
		if lit, ok := e.Val.(*hclsyntax.LiteralValueExpr); ok && e.Op == hclsyntax.OpNegate && lit.Val.Type() == cty.Number {
			return literalAsWritten(lit.Val.Negate(), e.Range(), src)
		}
	case *hclsyntax.ParenthesesExpr:
		return asWritten(e.Expression, src)
	case *hclsyntax.TemplateWrapExpr:
		return asWritten(e.Wrapped, src)
	case *hclsyntax.ConditionalExpr:
		if err := asWritten(e.TrueResult, src); err != nil {
			return err
		}
		return asWritten(e.FalseResult, src)
	case *hclsyntax.TupleConsExpr:
		for _, x := range e.Exprs {
			if err := asWritten(x, src); err != nil {
				return err
			}
		}
	case *hclsyntax.ObjectConsExpr:
		for _, x := range e.Items {
			if err := asWritten(x.ValueExpr, src); err != nil {
				return err
			}
		}
	}
	return nil
}

func literalAsWritten(v cty.Value, r hcl.Range, src []byte) error {
	if v.IsNull() || !r.CanSliceBytes(src) {
		return nil
	}
	written := string(r.SliceBytes(src))
	var printed string
	switch v.Type() {
	case cty.Number:
		printed = printNumber(v.AsBigFloat())
	case cty.Bool:
		printed = fmt.Sprint(v.True())
	default:
		return nil
	}
	if printed == written {
		return nil
	}
	at := syntax.Range(r)
	return &Wrong{
		Range:  at,
		Phrase: fmt.Sprintf("a string is needed, and the unquoted %s would become %q; write %q", written, printed, written),
		Fix:    &diag.Fix{Range: at, Replacement: fmt.Sprintf("%q", written)},
	}
}

// printNumber is a number as cty makes a string of it.
func printNumber(f *big.Float) string { return f.Text('f', -1) }

// Bool is v where a boolean is asked; v is known and not null. The strings
// "true" and "false" are taken, as everywhere in HCL.
func Bool(v cty.Value) (bool, error) {
	switch {
	case v.Type() == cty.Bool:
		return v.True(), nil
	case v.Type() == cty.String && v.AsString() == "true":
		return true, nil
	case v.Type() == cty.String && v.AsString() == "false":
		return false, nil
	}
	return false, fmt.Errorf("true or false is needed, not %s", Describe(v))
}

// Int is v where a whole number from least to most is asked; v is known and
// not null. A string of digits is taken.
func Int(v cty.Value, least, most int64) (int64, error) {
	f, err := Number(v)
	if err != nil {
		return 0, fmt.Errorf("a whole number from %d to %d is needed, not %s", least, most, Describe(v))
	}
	i, exact := f.Int64()
	if exact != big.Exact || i < least || i > most {
		return 0, fmt.Errorf("a whole number from %d to %d is needed, not %s", least, most, Describe(v))
	}
	return i, nil
}

// Number is v where a number is asked; v is known and not null. A string that
// is a decimal number is taken.
func Number(v cty.Value) (*big.Float, error) {
	switch v.Type() {
	case cty.Number:
		return v.AsBigFloat(), nil
	case cty.String:
		if n, err := cty.ParseNumberVal(v.AsString()); err == nil {
			return n.AsBigFloat(), nil
		}
	}
	return nil, fmt.Errorf("a number is needed, not %s", Describe(v))
}
