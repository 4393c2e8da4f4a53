package eval

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/specbuild/specbuild/spec/syntax"
)

// The costs below are upper bounds, computed from arguments that are known,
// of what a call would write. They exist because these functions multiply:
// join(s, list) with a separator of 4 MB writes 400 GB.

func tooMuch(n float64) error {
	if n > maxWork {
		return fmt.Errorf("the result would be larger than %d bytes", maxString)
	}
	return nil
}

func tooMuchElements(n float64) error {
	if n > maxElements {
		return fmt.Errorf("the result would have more than %d elements", maxElements)
	}
	return nil
}

// printed bounds the bytes of v as text or JSON.
func printed(v cty.Value) float64 {
	const overhead = 32 // quotes, commas, the longest plain number, true, null
	if !v.IsKnown() || v.IsNull() {
		return overhead
	}
	if v.Type() == cty.String {
		return overhead + 6*float64(len(v.AsString())) // \u0000 at worst
	}
	if v.Type() == cty.Number {
		exp := v.AsBigFloat().MantExp(nil)
		return overhead + math.Abs(float64(exp))
	}
	n := float64(overhead)
	if !v.CanIterateElements() {
		return n
	}
	for it := v.ElementIterator(); it.Next() && n <= maxWork; {
		k, e := it.Element()
		if k.Type() == cty.String {
			n += printed(k)
		}
		n += printed(e)
	}
	return n
}

func costPrint(args []cty.Value) error { return tooMuch(printed(args[0])) }

// costFormat bounds format: each verb writes at most the largest argument,
// padded to its width.
func costFormat(args []cty.Value) error {
	var largest float64
	for _, a := range args[1:] {
		largest = max(largest, printed(a))
	}
	return tooMuch(formatted(args[0].AsString(), largest))
}

func costFormatList(args []cty.Value) error {
	var largest, count float64 = 0, 1
	for _, a := range args[1:] {
		if t := a.Type(); t.IsListType() || t.IsSetType() || t.IsTupleType() {
			count = max(count, float64(a.LengthInt()))
			for it := a.ElementIterator(); it.Next(); {
				_, e := it.Element()
				largest = max(largest, printed(e))
			}
			continue
		}
		largest = max(largest, printed(a))
	}
	return tooMuch(count * formatted(args[0].AsString(), largest))
}

func formatted(format string, largest float64) float64 {
	n := float64(len(format))
	for rest := format; ; {
		i := strings.IndexByte(rest, '%')
		if i < 0 {
			return n
		}
		rest = rest[i+1:]
		n += largest
		// Widths and precisions: every run of digits up to the verb's letter.
		for rest != "" && strings.IndexByte("0123456789+-# .[]*", rest[0]) >= 0 {
			var digits float64
			for rest != "" && rest[0] >= '0' && rest[0] <= '9' {
				digits = digits*10 + float64(rest[0]-'0')
				rest = rest[1:]
			}
			n += digits
			if rest != "" && strings.IndexByte("+-# .[]*", rest[0]) >= 0 {
				rest = rest[1:]
			}
		}
	}
}

func costIndent(args []cty.Value) error {
	spaces, _ := args[0].AsBigFloat().Float64()
	if spaces < 0 || spaces != math.Trunc(spaces) {
		return function.NewArgErrorf(0, "a whole number of spaces, 0 or more, is required")
	}
	s := args[1].AsString()
	return tooMuch(spaces + float64(len(s)) + spaces*float64(strings.Count(s, "\n")))
}

func costJoin(args []cty.Value) error {
	n := 0.0
	for _, list := range args[1:] {
		for it := list.ElementIterator(); it.Next() && n <= maxWork; {
			n += float64(len(args[0].AsString()))
			if _, e := it.Element(); !e.IsNull() {
				n += float64(len(e.AsString()))
			}
		}
	}
	return tooMuch(n)
}

func costSplit(args []cty.Value) error {
	return tooMuchElements(float64(strings.Count(args[1].AsString(), args[0].AsString())))
}

func costRegexAll(args []cty.Value) error {
	re, err := regexp.Compile(args[0].AsString())
	if err != nil {
		return nil // the function itself says so
	}
	return tooMuchElements(float64(len(re.FindAllStringIndex(args[1].AsString(), maxElements+1))))
}

// costParseInt: reading digits takes more than linear time.
func costParseInt(args []cty.Value) error {
	if args[0].Type() == cty.String && len(args[0].AsString()) > 1000 {
		return function.NewArgErrorf(0, "a number of more than 1000 digits")
	}
	if b := args[1].AsBigFloat(); b.Cmp(big.NewFloat(2)) < 0 || b.Cmp(big.NewFloat(62)) > 0 {
		return function.NewArgErrorf(1, "base must be a whole number between 2 and 62")
	}
	return nil
}

func costSum(args []cty.Value) error {
	n := 0.0
	for _, a := range args {
		if a.CanIterateElements() {
			n += float64(a.LengthInt())
		}
	}
	return tooMuchElements(n)
}

func costProduct(args []cty.Value) error {
	n := 1.0
	for _, a := range args {
		if a.CanIterateElements() {
			n *= float64(a.LengthInt())
		}
	}
	return tooMuchElements(n)
}

func costFlatten(args []cty.Value) error {
	return tooMuchElements(leaves(args[0], 0))
}

// leaves counts what flatten would give, and stops counting when it is enough.
func leaves(v cty.Value, n float64) float64 {
	t := v.Type()
	if v.IsNull() || !(t.IsListType() || t.IsSetType() || t.IsTupleType()) {
		return n + 1
	}
	for it := v.ElementIterator(); it.Next() && n <= maxElements; {
		_, e := it.Element()
		n = leaves(e, n)
	}
	return n
}

func costCSV(args []cty.Value) error {
	return tooMuchElements(float64(strings.Count(args[0].AsString(), "\n")))
}

// costJSONDecode bounds the nesting: the decoder recurses once per bracket.
func costJSONDecode(args []cty.Value) error {
	depth, inString := 0, false
	s := args[0].AsString()
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '[' || c == '{':
			if depth++; depth > maxDepth {
				return function.NewArgErrorf(0, "nested more than %d deep", maxDepth)
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return nil
}

// costYAMLDecode counts the nodes with every alias followed: nine anchors
// that each name the one before nine times are a billion.
func costYAMLDecode(args []cty.Value) error {
	nodes, depth := syntax.YAMLSize([]byte(args[0].AsString()))
	if depth > maxDepth {
		return function.NewArgErrorf(0, "nested more than %d deep", maxDepth)
	}
	return tooMuchElements(nodes)
}
