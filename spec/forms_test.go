package spec

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
	"github.com/specbuild/specbuild/spec/syntax"
)

// form is a value type seen from outside: what is written, what becomes of it.
type form struct {
	name string
	try  func(d *decoder, expr hclsyntax.Expression) (any, bool)
}

func formFor[V any](name string, vt valueType[V]) form {
	return form{name, func(d *decoder, expr hclsyntax.Expression) (any, bool) {
		v, diags := expr.Value(nil)
		if diags.HasErrors() {
			return nil, false
		}
		return vt.from(d, input{v: v, expr: expr, name: "x"})
	}}
}

func TestForms(t *testing.T) {
	t.Parallel()
	hex := strings.Repeat("0123456789abcdef", 4)
	cases := []struct {
		form form
		good []string
		bad  []string
	}{
		{formFor("image", imageName),
			[]string{`"debian:13"`, `"localhost:5000/a/b_c:1"`, `"docker.io/library/debian@sha256:` + hex + `"`, `"a.b/c:V1@sha256:` + hex + `"`},
			[]string{`"debian"`, `"Debian:13"`, `"scratch"`, `"debian:"`, `"debian:1:2"`, `"docker://debian:13"`, `"a//b:1"`, `"-a:1"`, `"a:1@sha512:00"`, `""`, `13`}},
		{formFor("tag", tagList),
			[]string{`["a"]`, `["a:1", "a:2"]`, `[]`, `["localhost:5000/a:latest"]`},
			[]string{`"a:1"`, `["a:1", "a:1"]`, `["A:1"]`, `["a:1@sha256:` + hex + `"]`, `[null]`, `["https://a/b:1"]`}},
		{formFor("owner", owner),
			[]string{`"0"`, `"0:0"`, `"10001:10001"`, `"app"`, `"app:video"`, `"_apt:0"`, `1000`, `"4294967294"`},
			[]string{`""`, `":"`, `"0:"`, `":0"`, `"a:b:c"`, `"-1"`, `"01"`, `"4294967295"`, `"App"`, `"a b"`, `"${true}x y"`, `["0"]`}},
		{formFor("absolute", absolutePath),
			[]string{`"/"`, `"/a"`, `"/a/b.c"`, `"/a/..b"`},
			[]string{`""`, `"a"`, `"./a"`, `"/a/"`, `"/a//b"`, `"/a/./b"`, `"/a/../b"`, `"/.."`, `"/a\nb"`, `"/a\u0000"`}},
		{formFor("destination", destination),
			[]string{`"/"`, `"./"`, `"."`, `"/a/"`, `"a/b"`, `"./a"`, `"./a/"`},
			[]string{`""`, `"//"`, `"/a//"`, `"../a"`, `"a/../b"`, `"/./a"`}},
		{formFor("source", sourceList),
			[]string{`"a"`, `["a", "b/*"]`, `"."`, `"/out/bin"`, `"**/*.go"`, `"{a,b}"`, `"[a-z]"`, `"a\\[b"`},
			[]string{`[]`, `""`, `"../a"`, `"a/.."`, `"[a"`, `[["a"]]`, `{}`, `[""]`}},
		{formFor("glob", globList), []string{`["a/**"]`, `[]`}, []string{`["!a"]`, `"a"`, `["{a"]`}},
		{formFor("argv", argv), []string{`["a"]`, `["a", "", "b"]`, `["a", 1, true]`}, []string{`[]`, `"a"`, `[""]`, `["a\u0000"]`, `["a", 1.50]`, `null == null`}},
		{formFor("platform", platforms), []string{`["linux/amd64", "linux/arm/v7"]`}, []string{`[]`, `["linux"]`, `["linux/arm64", "linux/arm64/v8"]`, `["darwin/arm64"]`, `"linux/amd64"`}},
		{formFor("ports", ports), []string{`[80]`, `["80/tcp", "80/udp"]`, `[]`}, []string{`[80, "80/tcp"]`, `[0]`, `[65536]`, `["80/"]`, `["a"]`, `80`, `[80.5]`}},
		{formFor("duration", duration), []string{`"90s"`, `"1h30m"`, `"1ms"`}, []string{`"90"`, `90`, `"0s"`, `"-1s"`, `""`}},
		{formFor("signal", signal), []string{`"SIGTERM"`, `"SIGRTMIN+3"`, `"9"`, `9`}, []string{`"TERM"`, `"SIGFOO"`, `"0"`, `"65"`, `"SIGRTMIN+31"`}},
		{formFor("day", day), []string{`"2027-03-31"`}, []string{`"2027-02-30"`, `"2027-3-1"`, `"31.03.2027"`, `20270331`}},
		{formFor("snapshot", snapshot), []string{`"20260301T000000Z"`, `"2026-03-01T00:00:00Z"`, `"2026-03-01T02:00:00+02:00"`}, []string{`"2026-03-01T00:00:00"`, `"2026-13-01T00:00:00Z"`, `"2026-03-01T00:00:00.5Z"`, `"20261301T000000Z"`, `"20260301"`, `"20260301T000000"`}},
		{formFor("deb", debNames),
			[]string{`["nginx"]`, `["g++=4:14.2.0-1", "libc6:amd64", "a1=1.0~rc1+b2"]`},
			[]string{`[]`, `["Nginx"]`, `["nginx "]`, `["nginx="]`, `["a"]`, `["nginx", "nginx"]`, `["nginx>=1"]`, `"nginx"`}},
		{formFor("apt", aptNames),
			[]string{`["curl"]`, `["g++=4:14.2.0-1", "libc6:amd64", "libc6:i386=2.41-12", "a1=1.0~rc1+b2", "python3.11"]`},
			[]string{`[]`, `["Curl"]`, `["curl-"]`, `["curl=1-"]`, `["curl:amd64-"]`, `["curl="]`, `["curl=1.*"]`, `["curl*"]`, `["-o=APT::X=y"]`,
				`["$(id)"]`, `["curl/sid"]`, `["curl ;id"]`, `["curl\n"]`, `["./a.deb"]`, `["curl", "curl=1"]`, `["?essential"]`, `["~n"]`, `["ssh-server^"]`, `"curl"`}},
		{formFor("apk", apkNames),
			[]string{`["curl"]`, `["curl=8.14.1-r2", "py3-pip", "so_x", "libstdc++", "R=4.5.1-r0", "foo=1.2_pre20240101~abcdef-r3"]`},
			[]string{`[]`, `["curl>=8"]`, `["curl~8"]`, `["curl@edge"]`, `["!curl"]`, `["--repository=http://x"]`, `["curl=8*"]`, `["curl=-r1"]`, `["/a.apk"]`, `["curl", "curl"]`}},
		{formFor("dnf", dnfNames),
			[]string{`["curl"]`, `["curl=7.76.1-29.el9", "bind=32:9.16.23-1.el9.x86_64", "gcc-c++", "NetworkManager", "java-17-openjdk", "glibc.i686"]`},
			[]string{`[]`, `["@development-tools"]`, `["curl*"]`, `["--nogpgcheck"]`, `["/usr/bin/curl"]`, `["curl=1;id"]`, `["https://x/a.rpm"]`, `["curl", "curl=1"]`}},
		{formFor("env", envMap), []string{`{}`, `{ A = "b", "a.b" = 1, N = null }`}, []string{`["A"]`, `"A=b"`}},
		{formFor("url", httpURL), []string{`"http://a"`, `"https://a:8080/b"`}, []string{`"a"`, `"ftp://a"`, `"http://"`, `"http://a b"`}},
		{formFor("git url", gitURL),
			[]string{`"https://a/b.git"`, `"ssh://git@a/b"`, `"git@a.example:b/c.git"`, `"file:///srv/a.git"`, `"git://a/b"`},
			[]string{`"a/b"`, `"ext::sh -c id"`, `"--upload-pack=id"`, `"https://u:p@a/b"`, `"https://"`, `"https://a/b c"`, `"-o@a:b"`}},
		{formFor("git ref", gitRef), []string{`"main"`, `"v1.2.3"`, `"release/1.x"`, `"0123456789012345678901234567890123456789"`}, []string{`""`, `"-x"`, `"a..b"`, `"a b"`, `"a.lock"`, `"a:b"`}},
		{formFor("sha256", sha256Hex), []string{`"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"`}, []string{`"sha256:0123"`, `"0123"`, `""`}},
		{formFor("seal", sealList), []string{`["run_as", "env.A", "user.app", "labels.a.b"]`}, []string{`["env"]`, `["env."]`, `["tags"]`, `"run_as"`}},
		{formFor("address", address), []string{`"image.web"`, `"//a/b:stage.x"`, `"//:base.y"`}, []string{`"web"`, `"step.x"`, `"image.Web"`, `"a:image.x"`}},
		{formFor("yes", yes), []string{`true`}, []string{`false`, `"yes"`}},
		{formFor("cores", cores), []string{`1`, `0.5`, `"2"`}, []string{`0`, `-1`, `"many"`, `true`}},
		{formFor("script", script), []string{`"make"`, `" a "`}, []string{`""`, `" \n"`, `"a\u0000"`}},
		{formFor("cache", cacheList), []string{`["/a", "/b"]`, `[]`}, []string{`["a"]`, `"/a"`, `["/a", "/a"]`}},
	}
	for _, c := range cases {
		t.Run(c.form.name, func(t *testing.T) {
			t.Parallel()
			for _, text := range c.good {
				if v, l, ok := tryForm(t, c.form, text); !ok || len(l) > 0 {
					t.Errorf("%s is refused: %v %v", text, v, l)
				}
			}
			for _, text := range c.bad {
				v, l, ok := tryForm(t, c.form, text)
				if ok || len(l) != 1 {
					t.Errorf("%s: %v, taken %t, %d messages; want one", text, v, ok, len(l))
				}
			}
		})
	}
}

func tryForm(t *testing.T, f form, text string) (any, diag.List, bool) {
	t.Helper()
	parsed, problems := syntax.ParseExpression("x", []byte(text))
	if problems.HasErrors() {
		t.Fatalf("%s: %v", text, problems)
	}
	var l diag.List
	m := &module{folder: newFolder("", ".")}
	m.files["x"] = &syntax.File{Name: "x", Bytes: []byte(text)}
	expr, ok := parsed.(hclsyntax.Expression)
	if !ok {
		t.Fatalf("%s is a %T", text, parsed)
	}
	v, good := f.try(&decoder{mod: m, diags: &l}, expr)
	return v, l, good
}

// Sources are given on in one form, so that two ways to write one are one key.
func TestSourcesAreNormalised(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"./go.mod": "go.mod", "cmd/": "cmd", "/": ".", ".": ".", "./": ".", "/out/": "/out", "a/./b": "a/b", "a//b": "a/b", "*.go": "*.go",
	} {
		if got, err := parseSource(in); err != nil || got != want {
			t.Errorf("%q becomes %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestWaiverHoldsOnItsLastDay(t *testing.T) {
	t.Parallel()
	end, err := parseDay("2027-03-31")
	if err != nil || end.Format("2006-01-02 15:04") != "2027-04-01 00:00" {
		t.Errorf("%s, %v", end, err)
	}
}

func TestSuggestions(t *testing.T) {
	t.Parallel()
	names := []string{"command", "copy", "env", "run", "script"}
	for given, want := range map[string]string{
		"comand": "command", "ENV": "env", "cpoy": "copy", "volumes": "", "x": "", "": "", "scripts": "script",
	} {
		if got := suggestion(given, names); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
	if got := didYouMean("comand", names); got != ` (did you mean "command"?)` {
		t.Error(got)
	}
	if got := list([]string{"a", "b", "c"}, "or"); got != `"a", "b" or "c"` {
		t.Error(got)
	}
	if got := plainList([]string{"a", "b", "c"}) + "|" + plainList([]string{"a"}); got != "a, b or c|a" {
		t.Error(got)
	}
	if got := article("image") + article("user") + article("run"); got != `An "image" blockA "user" blockA "run" block` {
		t.Error(got)
	}
}

// References meet in one type, and only the kinds that are asked are taken.
func TestReferenceKinds(t *testing.T) {
	t.Parallel()
	vt := reference(KindScratch, KindBase)
	for _, c := range []struct {
		kind Kind
		ok   bool
	}{{KindScratch, true}, {KindBase, true}, {KindStage, false}, {KindSecret, false}} {
		var l diag.List
		expr := &hclsyntax.LiteralValueExpr{Val: eval.RefValue(eval.Ref{Kind: string(c.kind), Module: "//m", Name: "n", Key: "k"})}
		a, ok := vt.from(&decoder{mod: &module{folder: newFolder("", ".")}, diags: &l}, input{v: expr.Val, expr: expr, name: "from"})
		if ok != c.ok || ok == (len(l) > 0) {
			t.Errorf("%s: taken %t, %v", c.kind, ok, l)
		}
		if ok && a != (Addr{Module: "//m", Kind: c.kind, Name: "n", Key: "k"}) {
			t.Errorf("%s became %s", c.kind, a)
		}
	}
}

// TestSnapshotsHaveOneForm: two spellings of one time share a line of the lock.
func TestSnapshotsHaveOneForm(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"20260301T000000Z", "2026-03-01T00:00:00Z", "2026-03-01T02:00:00+02:00"} {
		if got, err := parseSnapshot(s); err != nil || got != "20260301T000000Z" {
			t.Errorf("%s is %q, %v", s, got, err)
		}
	}
}
