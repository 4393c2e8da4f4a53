package bake

import (
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"path"
	"strings"

	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/specbuild/specbuild/spec/eval"
)

// bakeFunctions are bake's own, by the names and meanings of its documentation.
// What cty has is taken from there, as bake does; of the language's functions
// those that are the same there are used.
func bakeFunctions() map[string]function.Function {
	out := map[string]function.Function{}
	ours := eval.NewLibrary(nil).Functions(".")
	for name := range sameFunctions() {
		out[name] = ours[name]
	}
	for name, f := range map[string]function.Function{
		"absolute": stdlib.AbsoluteFunc, "add": stdlib.AddFunc, "and": stdlib.AndFunc, "byteslen": stdlib.BytesLenFunc,
		"bytesslice": stdlib.BytesSliceFunc, "can": tryfunc.CanFunc, "coalesce": stdlib.CoalesceFunc, "convert": typeexpr.ConvertFunc,
		"divide": stdlib.DivideFunc, "equal": stdlib.EqualFunc, "formatdate": stdlib.FormatDateFunc,
		"greaterthan": stdlib.GreaterThanFunc, "greaterthanorequalto": stdlib.GreaterThanOrEqualToFunc, "hasindex": stdlib.HasIndexFunc,
		"index": stdlib.IndexFunc, "int": stdlib.IntFunc, "lessthan": stdlib.LessThanFunc, "lessthanorequalto": stdlib.LessThanOrEqualToFunc,
		"log": stdlib.LogFunc, "modulo": stdlib.ModuloFunc, "multiply": stdlib.MultiplyFunc, "negate": stdlib.NegateFunc, "not": stdlib.NotFunc,
		"notequal": stdlib.NotEqualFunc, "or": stdlib.OrFunc, "regex_replace": stdlib.RegexReplaceFunc, "replace": stdlib.ReplaceFunc,
		"reverse": stdlib.ReverseFunc, "reverselist": stdlib.ReverseListFunc, "sethaselement": stdlib.SetHasElementFunc,
		"setsymmetricdifference": stdlib.SetSymmetricDifferenceFunc, "subtract": stdlib.SubtractFunc, "timeadd": stdlib.TimeAddFunc,
		"try": tryfunc.TryFunc, "basename": onText(path.Base), "dirname": onText(path.Dir), "sanitize": onText(sanitize),
		"indexof": ours["index"],
		"md5": onText(func(s string) string {
			sum := md5.Sum([]byte(s))
			return hex.EncodeToString(sum[:])
		}),
		"sha1": onText(func(s string) string {
			sum := sha1.Sum([]byte(s))
			return hex.EncodeToString(sum[:])
		}),
	} {
		out[name] = f
	}
	for _, name := range impure() {
		out[name] = unknownFunc()
	}
	return out
}

// sameFunctions are those that mean in a spec what they mean in bake.
func sameFunctions() map[string]bool {
	out := map[string]bool{}
	for name := range strings.FieldsSeq(`base64decode base64encode can ceil chomp chunklist coalescelist compact concat contains
		csvdecode distinct element flatten floor format formatlist indent join jsondecode jsonencode keys length lookup lower
		max merge min parseint pow range regex regexall semvercmp setintersection setproduct setsubtract setunion sha256 sha512
		signum slice sort split strlen substr title trim trimprefix trimspace trimsuffix try upper urlencode values zipmap`) {
		out[name] = true
	}
	return out
}

// impure are functions whose value is another one each time, or depends on the
// machine: nothing of them can stand in a spec.
func impure() []string {
	return []string{"timestamp", "uuidv4", "uuidv5", "bcrypt", "rsadecrypt", "homedir", "cidrhost", "cidrnetmask", "cidrsubnet", "cidrsubnets"}
}

func unknownFunc() function.Function {
	return function.New(&function.Spec{
		VarParam: &function.Parameter{Name: "args", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true},
		Type:     function.StaticReturnType(cty.String),
		Impl: func([]cty.Value, cty.Type) (cty.Value, error) {
			return cty.UnknownVal(cty.String), nil
		},
	})
}

func onText(f func(string) string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "str", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if len(args) != 1 {
				return cty.NilVal, errors.New("one string is asked for")
			}
			return cty.StringVal(f(args[0].AsString())), nil
		},
	})
}

// sanitize leaves what the name of a target may hold.
func sanitize(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, s)
}
