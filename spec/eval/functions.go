package eval

import (
	ctyyaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/hashicorp/hcl/v2/ext/tryfunc"
)

// pure makes the functions that depend on their arguments alone, by the name
// that specs call them. The meanings are Terraform's; where cty's own function
// of a name means another thing, the one here is ours.
func pure() map[string]function.Function {
	out := make(map[string]function.Function, 100)
	for _, group := range []map[string]wrapped{numbers(), texts(), collections(), conversions(), encodings()} {
		for name, w := range group {
			out[name] = guard(w)
		}
	}
	// These two take expressions, not values: what they give back is a value
	// that some expression had anyway, and a reference stays one.
	out["can"], out["try"] = tryfunc.CanFunc, tryfunc.TryFunc
	return out
}

func numbers() map[string]wrapped {
	return map[string]wrapped{
		"abs":      {f: stdlib.AbsoluteFunc},
		"ceil":     {f: stdlib.CeilFunc},
		"floor":    {f: stdlib.FloorFunc},
		"max":      {f: stdlib.MaxFunc},
		"min":      {f: stdlib.MinFunc},
		"parseint": {f: stdlib.ParseIntFunc, cost: costParseInt},
		"pow":      {f: powFunc()},
		"signum":   {f: signumFunc()},
	}
}

func texts() map[string]wrapped {
	return map[string]wrapped{
		"basename":   {f: basenameFunc()},
		"chomp":      {f: stdlib.ChompFunc},
		"dirname":    {f: dirnameFunc()},
		"endswith":   {f: endsWithFunc()},
		"format":     {f: stdlib.FormatFunc, cost: costFormat},
		"formatlist": {f: stdlib.FormatListFunc, cost: costFormatList},
		"indent":     {f: stdlib.IndentFunc, cost: costIndent},
		"join":       {f: stdlib.JoinFunc, cost: costJoin},
		"lower":      {f: stdlib.LowerFunc},
		"regex":      {f: stdlib.RegexFunc},
		"regexall":   {f: stdlib.RegexAllFunc, cost: costRegexAll},
		"replace":    {f: replaceFunc()},
		"semvercmp":  {f: semverCmpFunc()},
		"split":      {f: stdlib.SplitFunc, cost: costSplit},
		"startswith": {f: startsWithFunc()},
		"strlen":     {f: stdlib.StrlenFunc},
		"substr":     {f: stdlib.SubstrFunc},
		"title":      {f: stdlib.TitleFunc},
		"trim":       {f: stdlib.TrimFunc},
		"trimprefix": {f: stdlib.TrimPrefixFunc},
		"trimspace":  {f: stdlib.TrimSpaceFunc},
		"trimsuffix": {f: stdlib.TrimSuffixFunc},
		"upper":      {f: stdlib.UpperFunc},
	}
}

// collections move values about, so all that do not compute with them take
// references.
func collections() map[string]wrapped {
	return map[string]wrapped{
		"alltrue":         {f: allTrueFunc()},
		"anytrue":         {f: anyTrueFunc()},
		"chunklist":       {f: stdlib.ChunklistFunc, refs: true},
		"coalesce":        {f: coalesceFunc(), refs: true},
		"coalescelist":    {f: stdlib.CoalesceListFunc, refs: true},
		"compact":         {f: stdlib.CompactFunc},
		"concat":          {f: stdlib.ConcatFunc, refs: true, cost: costSum},
		"contains":        {f: stdlib.ContainsFunc, refs: true},
		"distinct":        {f: distinctFunc(), refs: true},
		"element":         {f: stdlib.ElementFunc, refs: true},
		"flatten":         {f: stdlib.FlattenFunc, refs: true, cost: costFlatten},
		"index":           {f: indexFunc(), refs: true},
		"keys":            {f: stdlib.KeysFunc, refs: true},
		"length":          {f: lengthFunc(), refs: true},
		"lookup":          {f: lookupFunc(), refs: true},
		"merge":           {f: stdlib.MergeFunc, refs: true, cost: costSum},
		"one":             {f: oneFunc(), refs: true},
		"range":           {f: stdlib.RangeFunc},
		"reverse":         {f: stdlib.ReverseListFunc, refs: true},
		"setintersection": {f: stdlib.SetIntersectionFunc, refs: true},
		"setproduct":      {f: stdlib.SetProductFunc, refs: true, cost: costProduct},
		"setsubtract":     {f: stdlib.SetSubtractFunc, refs: true},
		"setunion":        {f: stdlib.SetUnionFunc, refs: true, cost: costSum},
		"slice":           {f: stdlib.SliceFunc, refs: true},
		"sort":            {f: stdlib.SortFunc},
		"sum":             {f: sumFunc()},
		"values":          {f: stdlib.ValuesFunc, refs: true},
		"zipmap":          {f: stdlib.ZipmapFunc, refs: true},
	}
}

func conversions() map[string]wrapped {
	return map[string]wrapped{
		"tobool":   {f: stdlib.MakeToFunc(cty.Bool)},
		"tolist":   {f: stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)), refs: true, even: true},
		"tomap":    {f: stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)), refs: true},
		"tonumber": {f: stdlib.MakeToFunc(cty.Number)},
		"toset":    {f: stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)), refs: true, even: true},
		"tostring": {f: stdlib.MakeToFunc(cty.String)},
	}
}

func encodings() map[string]wrapped {
	return map[string]wrapped{
		"base64decode": {f: base64DecodeFunc()},
		"base64encode": {f: base64EncodeFunc()},
		"csvdecode":    {f: stdlib.CSVDecodeFunc, cost: costCSV},
		"jsondecode":   {f: stdlib.JSONDecodeFunc, cost: costJSONDecode},
		"jsonencode":   {f: stdlib.JSONEncodeFunc, cost: costPrint},
		"sha256":       {f: sha256Func()},
		"sha512":       {f: sha512Func()},
		"urlencode":    {f: urlEncodeFunc()},
		"yamldecode":   {f: ctyyaml.YAMLDecodeFunc, cost: costYAMLDecode},
	}
}
