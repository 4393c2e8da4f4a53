package eval

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"golang.org/x/mod/semver"
)

// textFunc is a function from strings to one value. Arguments are known and
// not null.
func textFunc(names []string, ret cty.Type, f func(args []string) (cty.Value, error)) function.Function {
	spec := &function.Spec{Type: function.StaticReturnType(ret)}
	for _, n := range names {
		spec.Params = append(spec.Params, function.Parameter{Name: n, Type: cty.String})
	}
	spec.Impl = func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		texts := make([]string, len(args))
		for i, a := range args {
			texts[i] = a.AsString()
		}
		return f(texts)
	}
	return function.New(spec)
}

func startsWithFunc() function.Function {
	return textFunc([]string{"str", "prefix"}, cty.Bool, func(a []string) (cty.Value, error) {
		return cty.BoolVal(strings.HasPrefix(a[0], a[1])), nil
	})
}

func endsWithFunc() function.Function {
	return textFunc([]string{"str", "suffix"}, cty.Bool, func(a []string) (cty.Value, error) {
		return cty.BoolVal(strings.HasSuffix(a[0], a[1])), nil
	})
}

// basenameFunc and dirnameFunc use slashes on every machine: the paths of a
// spec are those of an image.
func basenameFunc() function.Function {
	return textFunc([]string{"path"}, cty.String, func(a []string) (cty.Value, error) {
		return cty.StringVal(path.Base(a[0])), nil
	})
}

func dirnameFunc() function.Function {
	return textFunc([]string{"path"}, cty.String, func(a []string) (cty.Value, error) {
		return cty.StringVal(path.Dir(a[0])), nil
	})
}

// replaceFunc is Terraform's: a substring between slashes is a regular
// expression, in whose replacement $1 and ${name} stand for groups.
func replaceFunc() function.Function {
	return textFunc([]string{"str", "substr", "replace"}, cty.String, func(a []string) (cty.Value, error) {
		str, old, repl := a[0], a[1], a[2]
		if len(old) > 1 && strings.HasPrefix(old, "/") && strings.HasSuffix(old, "/") {
			re, err := regexp.Compile(old[1 : len(old)-1])
			if err != nil {
				return cty.NilVal, function.NewArgErrorf(1, "%s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
			}
			return replaceMatches(re, str, repl)
		}
		if size := len(str) + strings.Count(str, old)*(len(repl)-len(old)); size > maxString {
			return cty.NilVal, fmt.Errorf("the result is a string of %d bytes; at most %d are allowed", size, maxString)
		}
		return cty.StringVal(strings.ReplaceAll(str, old, repl)), nil
	})
}

// replaceMatches stops as soon as the result is too long: a group named a
// thousand times in the replacement multiplies what it matched.
func replaceMatches(re *regexp.Regexp, str, repl string) (cty.Value, error) {
	var out []byte
	last := 0
	for _, m := range re.FindAllStringSubmatchIndex(str, -1) {
		out = append(out, str[last:m[0]]...)
		if longest := (m[1] - m[0] + 1) * (1 + strings.Count(repl, "$")); longest > maxWork {
			return cty.NilVal, fmt.Errorf("the result is longer than %d bytes", maxString)
		}
		out = re.ExpandString(out, repl, str, m)
		last = m[1]
		if len(out) > maxString {
			return cty.NilVal, fmt.Errorf("the result is longer than %d bytes", maxString)
		}
	}
	return cty.StringVal(string(append(out, str[last:]...))), nil
}

// semverCmpFunc orders two versions by semver.org 2.0.0, section 11: -1, 0 or
// 1. A leading "v" is allowed, build metadata is ignored.
func semverCmpFunc() function.Function {
	return textFunc([]string{"a", "b"}, cty.Number, func(a []string) (cty.Value, error) {
		versions := make([]string, len(a))
		for i, s := range a {
			v := "v" + strings.TrimPrefix(s, "v")
			core, _, _ := strings.Cut(strings.TrimPrefix(v, "v"), "-")
			core, _, _ = strings.Cut(core, "+")
			if !semver.IsValid(v) || strings.Count(core, ".") != 2 { // the library also takes v1 and v1.2
				return cty.NilVal, function.NewArgErrorf(i, "%q is not a semantic version, such as 1.4.2 or 1.5.0-rc.1", s)
			}
			versions[i] = v
		}
		return cty.NumberIntVal(int64(semver.Compare(versions[0], versions[1]))), nil
	})
}
