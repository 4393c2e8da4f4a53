package eval

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Each left side is worth what the right side is: the meanings are those of
// Terraform's documentation.
func TestFunctionsMean(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	for src, want := range map[string]string{
		`abs(-3)`: `3`, `ceil(5.1)`: `6`, `floor(4.9)`: `4`, `max(1, 3, 2)`: `3`, `min(1, 3, 2)`: `1`,
		`max([5, 9]...)`: `9`, `parseint("ff", 16)`: `255`, `parseint("-10", 2)`: `-2`, `pow(2, 10)`: `1024`, `pow(4, 0.5)`: `2`,
		`signum(-3.5)`: `-1`, `signum(0)`: `0`,

		`chomp("a\r\n\n")`: `"a"`, `startswith("abc", "ab")`: `true`, `endswith("abc", "ab")`: `false`,
		`format("%s is %04d, %v, %q, %5.1f%%", "x", 7, [1], "q", 2.25)`: `"x is 0007, [1], \"q\",   2.2%"`,
		`format("%#v", {a = 1})`:               `"{\"a\":1}"`,
		`formatlist("%s-%s", ["a", "b"], "z")`: `tolist(["a-z", "b-z"])`,
		`indent(2, "a\nb")`:                    `"a\n  b"`, `join("-", ["a", "b"], ["c"])`: `"a-b-c"`,
		`lower("ÀB")`: `"àb"`, `upper("àb")`: `"ÀB"`, `title("hello world")`: `"Hello World"`,
		`replace("1 + 2", "+", "-")`: `"1 - 2"`, `replace("hello", "/l+/", "[$0]")`: `"he[ll]o"`,
		`replace("a=b", "/(?P<k>\\w)=(?P<v>\\w)/", "$${v}=$${k}")`: `"b=a"`,
		`regex("[a-z]+", "53abc")`:                                 `"abc"`, `regex("(\\d+)-(\\d+)", "1-22")`: `["1", "22"]`,
		`regex("(?P<a>x)(?P<b>y)", "xy")`: `{a = "x", b = "y"}`, `regexall("[a-z]", "1a2b")`: `tolist(["a", "b"])`,
		`length(regexall("z", "a"))`: `0`, `split(",", "a,b,")`: `tolist(["a", "b", ""])`, `strlen("👨‍👩‍👧e\u0301")`: `2`,
		`substr("hello", 1, 3)`: `"ell"`, `substr("hello", -3, -1)`: `"llo"`, `trim("!?a!", "!?")`: `"a"`,
		`trimprefix("helloworld", "hello")`: `"world"`, `trimsuffix("a.txt", ".txt")`: `"a"`, `trimspace(" a\n")`: `"a"`,

		`alltrue([true, "true"])`: `true`, `alltrue([])`: `true`, `alltrue([true, null])`: `false`,
		`anytrue([false, true])`: `true`, `anytrue([])`: `false`, `chunklist([1, 2, 3], 2)`: `tolist([tolist([1, 2]), tolist([3])])`,
		`coalesce("", null, "b")`: `"b"`, `coalesce(null, 2)`: `2`, `coalescelist([], ["a"])`: `["a"]`,
		`compact(["a", "", null, "b"])`: `tolist(["a", "b"])`, `concat(["a"], ["b", "c"])`: `["a", "b", "c"]`,
		`contains(["a"], "a")`: `true`, `contains(["a"], "b")`: `false`, `distinct(["a", "b", "a"])`: `tolist(["a", "b"])`,
		`distinct([])`: `tolist([])`, `element(["a", "b"], 3)`: `"b"`, `element(["a", "b"], -1)`: `"b"`,
		`flatten([["a"], [], ["b", ["c"]]])`: `["a", "b", "c"]`, `index(["a", "b"], "b")`: `1`,
		`keys({b = 1, a = 2})`: `["a", "b"]`, `length("héllo")`: `5`, `length({a = 1})`: `1`, `length([1, 2])`: `2`, `length(toset(["a"]))`: `1`,
		`lookup({a = 1}, "a", 9)`: `1`, `lookup({a = 1}, "z", 9)`: `9`, `lookup({a = 1}, "a")`: `1`, `lookup(var.map, "z", "d")`: `"d"`, `lookup(var.map, "alpha")`: `"a"`,
		`merge({a = 1, b = 2}, {b = 3})`: `{a = 1, b = 3}`, `one([])`: `null`, `one(["a"])`: `"a"`, `one(toset(["a"]))`: `"a"`,
		`range(3)`: `tolist([0, 1, 2])`, `range(1, 4)`: `tolist([1, 2, 3])`, `range(4, 0, -2)`: `tolist([4, 2])`,
		`length(range(1024))`: `1024`, `reverse([1, 2])`: `[2, 1]`,
		`setintersection(["a", "b"], ["b"])`: `toset(["b"])`, `setsubtract(["a", "b"], ["b"])`: `toset(["a"])`, `setunion(["a"], ["b"])`: `toset(["a", "b"])`,
		`length(setproduct(["a", "b"], ["x", "y", "z"]))`: `6`, `setproduct(["a"], ["x"])`: `tolist([["a", "x"]])`,
		`slice(["a", "b", "c"], 1, 2)`: `["b"]`, `sort(["c", "a"])`: `tolist(["a", "c"])`, `sum([1, 2.5])`: `3.5`,
		`values({b = 1, a = 2})`: `[2, 1]`, `zipmap(["a", "b"], [1, 2])`: `{a = 1, b = 2}`,

		`tobool("true")`: `true`, `tonumber("1.5")`: `1.5`, `tostring(1.0)`: `"1"`, `tolist(["a", 1])`: `tolist(["a", "1"])`,
		`tomap({a = 1, b = "x"})`: `tomap({a = "1", b = "x"})`, `toset(["b", "a", "b"])`: `toset(["a", "b"])`,
		`jsonencode({a = [1, true, null], b = "<"})`: `"{\"a\":[1,true,null],\"b\":\"\\u003c\"}"`, `jsondecode("{\"a\": [1]}")`: `{a = [1]}`,
		`yamldecode("a: 1\nb: [x]")`: `{a = 1, b = ["x"]}`, `csvdecode("a,b\n1,2\n")[0].b`: `"2"`,
		`base64encode("hi")`: `"aGk="`, `base64decode("aGk=")`: `"hi"`, `urlencode("a b/c?é")`: `"a+b%2Fc%3F%C3%A9"`,
		`sha256("a")`:              `"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"`,
		`substr(sha512(""), 0, 8)`: `"cf83e135"`, `basename("a/b.txt")`: `"b.txt"`, `dirname("a/b/c")`: `"a/b"`, `dirname("a")`: `"."`,
		`can(var.nope)`: `false`, `can(1 + 1)`: `true`, `try(var.nope, "d")`: `"d"`, `try(1, 2)`: `1`,

		`semvercmp("1.2.3", "1.10.0")`: `-1`, `semvercmp("v1.2.3", "1.2.3+b7")`: `0`, `semvercmp("1.0.0", "1.0.0-rc.1")`: `1`, `semvercmp("1.0.0-2", "1.0.0-10")`: `-1`,

		`file("hello.txt")`: `"hi\n"`, `file("//top.txt")`: `"top"`, `file("../top.txt")`: `"top"`, `file("./sub/../hello.txt")`: `"hi\n"`,
		`filesha256("sub/b.txt")`: `sha256("b")`, `fileset(".", "**/*.txt")`: `toset(["hello.txt", "sub/b.txt"])`,
		`fileset("sub", "*.{md,txt}")`: `toset(["b.txt", "c.md"])`, `length(fileset("sub", "*.go"))`: `0`,
		`templatefile("greet.tmpl", {name = upper("bo"), loud = true})`: `"hello BO!"`,
	} {
		got, l := eval(t, s, src)
		if l.HasErrors() {
			t.Errorf("%s: %v", src, l[0].Detail)
			continue
		}
		expected, l := eval(t, s, want)
		if l.HasErrors() {
			t.Fatalf("%s: %v", want, l)
		}
		if expected.IsNull() && got.IsNull() {
			continue
		}
		if eq := got.Equals(expected); !eq.IsKnown() || eq.False() || !got.Type().Equals(expected.Type()) && !strings.HasPrefix(want, `tolist([])`) && !strings.HasPrefix(want, `["`) {
			t.Errorf("%s = %#v, want %#v", src, got, expected)
		}
	}
}

func TestFunctionsRefuse(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	for src, want := range map[string]string{
		`abs("x")`:                        `a number is required`,
		`pow(0, -1)`:                      `not a number`,
		`pow(10, 1000)`:                   `not a number`,
		`parseint("zz", 10)`:              `cannot parse "zz" as a base 10 integer`,
		`parseint("1", 99)`:               `between 2 and 62`,
		`format("%d", "x")`:               `unsupported value`,
		`format("%s")`:                    `not enough arguments`,
		`regex("(", "x")`:                 `invalid regexp`,
		`regex("z", "x")`:                 `pattern did not match`,
		`replace("a", "/(/", "b")`:        `missing closing )`,
		`indent(-1, "a\nb")`:              `0 or more`,
		`coalesce(null, "")`:              `every argument is null`,
		`coalesce()`:                      `at least one argument`,
		`element([], 0)`:                  `empty`,
		`index(["a"], "z")`:               `does not hold this value`,
		`index("a", "a")`:                 `a list is required`,
		`length(5)`:                       `a string, a list`,
		`lookup({a = 1}, "b")`:            `no key "b"`,
		`lookup(var.map, "b")`:            `no key "b"`,
		`lookup({}, "b", 1, 2)`:           `two or three`,
		`lookup("x", "b")`:                `a map or an object`,
		`one([1, 2])`:                     `there are 2`,
		`one("x")`:                        `a list or a set`,
		`range(1025)`:                     `1024`,
		`sum([])`:                         `empty list`,
		`sum([1, null])`:                  `null`,
		`tobool("yes")`:                   `only the strings "true" or "false"`,
		`tonumber("x")`:                   `decimal`,
		`jsondecode("[1")`:                `jsondecode()`,
		`base64decode("!")`:               `not base64`,
		`base64decode("/w==")`:            `not UTF-8`,
		`semvercmp("1.2", "1.2.3")`:       `"1.2" is not a semantic version`,
		`semvercmp("1.2.3", "")`:          `"" is not a semantic version`,
		`upper(null)`:                     `null`,
		`file("nope")`:                    `there is no file "//svc/nope"`,
		`file("../../etc/passwd")`:        `leads out of the workspace`,
		`file("/etc/passwd")`:             `is absolute`,
		`file("")`:                        `the path is empty`,
		`file("bin")`:                     `is not UTF-8`,
		`file("sub")`:                     `not a regular file`,
		`filesha256("nope")`:              `there is no file`,
		`fileset("nope", "*")`:            `there is no file "//svc/nope"`,
		`fileset(".", "../*")`:            `without ".."`,
		`fileset(".", "[")`:               `not valid`,
		`templatefile("greet.tmpl", {})`:  `There is nothing called "name"`,
		`templatefile("greet.tmpl", "x")`: `a map of names`,
		`try(var.nope, var.nope2)`:        `no expression succeeded`,
	} {
		_, l := eval(t, s, src)
		if len(l) != 1 || !strings.Contains(l[0].Detail, want) {
			t.Errorf("%s: got %v, want %q", src, l, want)
			continue
		}
		if l[0].Summary != "Function call failed" && l[0].Summary != "Invalid function argument" {
			t.Errorf("%s: summary %q", src, l[0].Summary)
		}
	}
}

// Calls that would make more than fits are refused before they make it.
func TestFunctionsAreBounded(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	s.Context.Variables["big"] = cty.StringVal(strings.Repeat("a,", 1<<20))
	var many []cty.Value
	for range 50_000 {
		many = append(many, cty.StringVal("abcdefghij"))
	}
	s.Context.Variables["many"] = cty.ListVal(many)
	bomb := `a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]`
	for _, src := range []string{
		`format("%999999999d", 1)`, `format("%.999999999f", 1)`, `format("%[1]s%[1]s%[1]s%[1]s%[1]s%[1]s%[1]s%[1]s", big)`,
		`formatlist("%s${big}", many)`, `indent(1000000000, "a\nb")`, `join(big, many)`,
		`replace(big, ",", big)`, `replace(big, "/,/", "$0$0$0$0$0$0$0$0$0")`, `split(",", big)`, `regexall("a", big)`,
		`concat(many, many, many)`, `flatten([many, [many, many]])`, `setproduct(range(1000), range(1000))`,
		`jsondecode("${join("", [for i in range(600) : "["])}")`, `jsonencode([big, big, big])`,
		`yamldecode("` + bomb + `")`, `csvdecode(replace(big, ",", "\n"))`, `parseint(join("", many), 36)`,
		`templatefile("//svc/greet.tmpl", {name = "${big}${big}${big}", loud = true})`, `urlencode("${big}${big}")`, `base64encode("${big}${big}")`,
	} {
		_, l := eval(t, s, src)
		if len(l) != 1 {
			t.Errorf("%.60s: got %v", src, l)
		}
	}
	if _, l := eval(t, s, `"${big}${big}${big}"`); len(l) != 1 || l[0].Summary != "Value out of bounds" {
		t.Errorf("a long template: %v", l)
	}
	if v, l := eval(t, s, `length(distinct(many))`); len(l) != 0 || v.AsBigFloat().String() != "1" {
		t.Errorf("distinct: %v %v", v, l)
	}
}

// A long list is gathered in a moment: without its own way to a list it
// takes half a minute of comparing types.
func TestALongListIsGathered(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	var many []cty.Value
	for i := range 20_000 {
		many = append(many, cty.StringVal(strconv.Itoa(i%10_000)))
	}
	s.Context.Variables["many"] = cty.TupleVal(many)
	for src, want := range map[string]int64{
		`length(toset(many))`: 10_000, `length(tolist(many))`: 20_000,
	} {
		v, l := eval(t, s, src)
		if len(l) > 0 || !v.RawEquals(cty.NumberIntVal(want)) {
			t.Errorf("%s = %#v %v, wanted %d", src, v, l, want)
		}
	}
}

// What is not of one type is gathered as cty does it.
func TestElementsOfSeveralTypesAreGathered(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	for src, want := range map[string]string{
		`tolist(["a", 1, null])`: `[for x in ["a", "1", null] : x]`, `tolist([{a = 1}, {a = "x"}])[0].a`: `"1"`,
		`tolist([null, "a"])[1]`: `"a"`, `length(tolist([null, null]))`: `2`, `tolist([[1], ["a", "b"]])[0][0]`: `"1"`, `length(tolist([]))`: `0`,
	} {
		got, l := eval(t, s, "jsonencode("+src+")")
		if len(l) > 0 {
			t.Errorf("%s: %v", src, l)
			continue
		}
		if v, _ := eval(t, s, "jsonencode("+want+")"); !got.RawEquals(v) {
			t.Errorf("%s = %#v, wanted %#v", src, got, v)
		}
	}
}

// takesRefs is every function that moves values without printing them.
var takesRefs = []string{
	"chunklist", "coalesce", "coalescelist", "concat", "contains", "distinct", "element", "flatten", "index", "keys", "length",
	"lookup", "merge", "one", "reverse", "setintersection", "setproduct", "setsubtract", "setunion", "slice", "values", "zipmap",
	"tolist", "tomap", "toset",
	"can", "try", // take expressions
}

// Every other function refuses a reference as any of its arguments, at any
// depth, known or unknown, by its own words.
func TestFunctionsRefuseReferences(t *testing.T) {
	t.Parallel()
	secret := ref("secret", "x")
	holders := map[string]cty.Value{
		"plain":          secret,
		"list":           cty.ListVal([]cty.Value{secret}),
		"deep":           cty.ObjectVal(map[string]cty.Value{"a": cty.TupleVal([]cty.Value{cty.Zero, cty.MapVal(map[string]cty.Value{"b": secret})})}),
		"set":            cty.SetVal([]cty.Value{secret}),
		"unknown":        cty.UnknownVal(RefType),
		"unknown inside": cty.ObjectVal(map[string]cty.Value{"a": cty.UnknownVal(cty.Set(RefType))}),
		"null":           cty.NullVal(RefType),
	}
	for name, f := range NewLibrary(nil).Functions(".") {
		if slices.Contains(takesRefs, name) {
			continue
		}
		params := len(f.Params())
		if f.VarParam() != nil {
			params += 2
		}
		for at := range params {
			for kind, v := range holders {
				args := make([]cty.Value, params)
				for i := range args {
					args[i] = cty.DynamicVal
				}
				args[at] = v
				if _, err := f.Call(args); err == nil || !strings.Contains(err.Error(), "cannot be used as a string") {
					t.Errorf("%s, argument %d, %s: %v", name, at, kind, err)
				}
				if _, err := f.ReturnTypeForValues(args); err == nil {
					t.Errorf("%s, argument %d, %s: it has a type", name, at, kind)
				}
			}
		}
	}
}

// What takes references never makes text of them.
func TestReferencesStayReferences(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	for _, src := range []string{
		`try(secret.x, "")`, `coalesce(null, secret.x)`, `element([secret.x], 0)`, `one([secret.x])`, `lookup({a = secret.x}, "a")`,
		`merge({a = base.go}, {a = secret.x}).a`, `flatten([[secret.x]])[0]`, `values({a = secret.x})[0]`, `zipmap(["a"], [secret.x]).a`,
		`tolist(toset([secret.x, secret.x]))[0]`, `tomap({a = secret.x}).a`, `true ? secret.x : base.go`, `[for k, v in {a = secret.x} : v][0]`,
		`"${secret.x}"`, `reverse([secret.x])[0]`, `distinct([secret.x, secret.x])[0]`, `setproduct([secret.x], [base.go])[0][0]`,
	} {
		v, l := eval(t, s, src)
		if r, ok := AsRef(v); !ok || r.String() != "secret.x" {
			t.Errorf("%s = %#v %v", src, v, l)
		}
	}
	for _, src := range []string{
		`"a${secret.x}"`, `"%{ for x in [secret.x] }${x}%{ endfor }"`, `keys({(secret.x) = 1})`, `lookup({}, secret.x, "")`, `zipmap([secret.x], [1])`,
		`tolist([secret.x, "a"])`, `coalesce(secret.x, "a")`, `jsonencode(try(secret.x, ""))`, `jsonencode(var.some)`, `lookup(var.map, "z", secret.x)`,
		`secret.x + 1`, `-secret.x`, `secret.x < secret.x`, `!secret.x`, `secret.x ? 1 : 2`, `{(secret.x) = 1}`, `var.map[secret.x]`,
		`templatefile("greet.tmpl", {name = secret.x})`, `sort([secret.x])`, `can(secret.x) ? upper(secret.x) : ""`,
	} {
		if v, l := eval(t, s, src); !l.HasErrors() {
			t.Errorf("%s = %#v", src, v)
		}
	}
	if v, _ := eval(t, s, `try(jsonencode(secret.x), "none")`); v.AsString() != "none" {
		t.Errorf("try: %#v", v)
	}
}

func TestLibraryHasTheListedFunctions(t *testing.T) {
	t.Parallel()
	list := `abs ceil floor max min parseint pow signum chomp endswith format formatlist indent join lower replace regex regexall split startswith strlen substr title trim trimprefix trimsuffix trimspace upper
		alltrue anytrue chunklist coalesce coalescelist compact concat contains distinct element flatten index keys length lookup merge one range reverse setintersection setproduct setsubtract setunion slice sort sum values zipmap
		tobool tolist tomap tonumber toset tostring jsonencode jsondecode yamldecode csvdecode base64encode base64decode urlencode sha256 sha512 basename dirname can try file filesha256 fileset templatefile semvercmp`
	want := strings.Fields(list)
	slices.Sort(want)
	got := slices.Sorted(maps.Keys(NewLibrary(nil).Functions(".")))
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestUnknownArgumentsStayUnknown(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	for _, src := range []string{`upper(var.text)`, `length(var.any)`, `jsonencode(var.any)`, `format("%s", var.text)`, `lookup(var.map, var.text, "")`,
		`file(var.text)`, `distinct([var.text])`, `alltrue([true, var.any])`, `sum([1, var.any])`, `templatefile("greet.tmpl", {name = var.text})`, `join(",", var.any)`} {
		if v, l := eval(t, s, src); l.HasErrors() || v.IsWhollyKnown() {
			t.Errorf("%s = %#v %v", src, v, l)
		}
	}
}

var sink map[string]function.Function

func BenchmarkNewLibrary(b *testing.B) {
	for b.Loop() {
		sink = NewLibrary(nil).Functions(".")
	}
}
