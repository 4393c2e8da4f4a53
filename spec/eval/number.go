package eval

import (
	"errors"
	"math"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// signumFunc takes any number; cty's own takes whole ones only.
func signumFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "num", Type: cty.Number}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.NumberIntVal(int64(args[0].AsBigFloat().Sign())), nil
		},
	})
}

// powFunc is Terraform's, by way of a float; what a float cannot hold, which
// cty's own answers with a panic or an infinity, is an error.
func powFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "num", Type: cty.Number}, {Name: "power", Type: cty.Number}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			num, _ := args[0].AsBigFloat().Float64()
			power, _ := args[1].AsBigFloat().Float64()
			f := math.Pow(num, power)
			if math.IsNaN(f) || math.IsInf(f, 0) {
				return cty.NilVal, errors.New("the result is not a number that can be written")
			}
			return cty.NumberFloatVal(f), nil
		},
	})
}
