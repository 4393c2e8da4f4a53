package bake

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/specbuild/specbuild/spec/dockerfile"
)

// FuzzBake: whatever the bake file is, the answer is diagnostics, or specs that
// parse, are formatted and validate together.
func FuzzBake(f *testing.F) {
	for _, file := range stories(f) {
		s := readStory(f, file)
		f.Add(string(s.bake()), strings.HasSuffix(s.file, ".json"))
	}
	for _, s := range hostile() {
		f.Add(s, strings.HasPrefix(s, "{"))
	}
	root := fstest.MapFS{
		"Dockerfile":     {Data: []byte("ARG A=1\nARG B\nFROM alpine:${A} AS base\nRUN echo $B\nFROM base AS lint\nRUN true\nFROM base\nCOPY --from=ctx a /b\nLABEL a=b\nCMD x\n")},
		"web/Dockerfile": {Data: []byte("ARG VERSION\nFROM ${VERSION:-scratch}\nCOPY . /\nRUN --mount=type=secret,id=s true\n")},
		"a/b/x":          {Data: []byte("x")},
	}
	f.Fuzz(func(t *testing.T, src string, asJSON bool) {
		name := "docker-bake.hcl"
		if asJSON {
			name = "docker-bake.json"
		}
		got, ds := Import(name, []byte(src), Options{Root: root})
		if ds.HasErrors() && len(got.Files) > 0 {
			t.Fatalf("%d files, and %v", len(got.Files), ds)
		}
		for _, d := range ds {
			if d.Range.File == "" || d.Summary == "" || d.Detail == "" {
				t.Errorf("a diagnostic without a place or a text: %+v", d)
			}
		}
		for _, m := range wrong(t, got.Files, root, false) {
			t.Errorf("%s: %s: %s", m.Range, m.Summary, m.Detail)
		}
		var all strings.Builder
		for _, x := range got.Files {
			all.Write(x.HCL)
		}
		for _, n := range got.Notes {
			if n.Text == "" || strings.ContainsAny(n.Text, "\n\r") {
				t.Errorf("the note %q is no line", n.Text)
			}
			if n.Kind == dockerfile.Todo && !strings.Contains(all.String(), todoMark+n.Text) {
				t.Errorf("%s is marked nowhere:\n%s", n, all.String())
			}
		}
	})
}

// hostile are bake files made to trip: each was a bug once, or looks like one.
func hostile() []string {
	return []string{
		"",
		"target \"a\" { inherits = [\"a\"] }",
		"target \"a\" {\n}\ntarget \"a\" {\n}\ngroup \"a\" {\n targets = [\"a\"]\n}\n",
		"target \"default\" {\n tags = [\"\", \"X:Y\", \"a b\", \"a@sha256:0\"]\n platforms = [\"\", \"windows\", \"linux/amd64\", \"linux/amd64\"]\n}\n",
		"variable \"A\" {\n default = B\n}\nvariable \"B\" {\n default = A\n}\n",
		"variable \"x-y\" {}\nvariable \"x_y\" {}\nvariable \"X_Y\" {}\nvariable \"ä\" {}\ntarget \"t\" {\n labels = { a = X_Y, b = x_y }\n}\n",
		"variable \"N\" {\n default = null\n}\ntarget \"t\" {\n args = { A = N, B = \"${N}\" }\n tags = [\"a:${N}\"]\n}\n",
		"variable \"L\" {\n default = [[1], {a = null}]\n}\nX = L\nY = X[0][0]\ntarget \"t\" {\n args = { A = Y }\n labels = { x = jsonencode(L) }\n}\n",
		"function \"f\" {\n params = [a]\n result = f(a)\n}\ntarget \"t\" {\n args = { A = f(1) }\n}\n",
		"function \"f\" {\n params = [a]\n variadic_params = b\n result = \"${a}${join(\"\", b)}\"\n}\nV = f(\"x\", \"y\", \"z\")\ntarget \"t\" {\n args = { A = f(V, \"${V}$\"), B = f(\"%%{\") }\n}\n",
		"target \"t\" {\n matrix = { a = [1, 2], b = [true, null] }\n name = \"t${a}\"\n}\n",
		"target \"t\" {\n matrix = { a = [] }\n name = \"t\"\n}\n",
		"target \"t\" {\n matrix = { a = [{x = 1}, {y = 2}] }\n name = \"t-${try(a.x, a.y)}\"\n args = { A = try(a.x, \"z\") }\n}\n",
		"target \"t\" {\n matrix = { each = [\"a\", \"b\"] }\n name = each\n args = { A = each, B = \"${each}-${each}\" }\n tags = [for x in [each, \"c\"] : \"r:${x}\"]\n}\n",
		"target \"t\" {\n contexts = { ctx = \"target:t\" }\n}\n",
		"target \"t\" {\n contexts = { ctx = \"target:u\", base = \"docker-image://\" }\n}\ntarget \"u\" {\n target = \"lint\"\n}\n",
		"target \"t\" {\n contexts = { ctx = \"..\", base = \"./a/b\" }\n context = \"web/../.\"\n}\n",
		"target \"t\" {\n context = \"web\"\n args = { VERSION = timestamp() }\n secret = [\"id=s,src=../x\", \"\", \"id\", null]\n}\n",
		"target \"t\" {\n dockerfile-inline = <<EOT\nFROM scratch\nCOPY <<E /x\n$${A} %%{B}\nE\nEOT\n}\n",
		"target \"t\" {\n args = merge({ A = \"1\" }, { for k, v in { B = 2 } : k => v })\n labels = { \"a${1}\" = \"b\", (\"c\") = null }\n}\n",
		"target \"t\" {\n annotations = [\"a\", \"=\", \"index:b=${c}\", \"x=y=z\"]\n output = [{ type = \"local\" }, \"\", \"-\", \"type=foo\"]\n}\n",
		"target \"1\" {}\ntarget \"-\" {}\ntarget \"A\" {}\ntarget \"a\" {}\n",
		"target \"t\" {\n target = \"nope\"\n}\n",
		"target {}\nfoo \"x\" {}\ntarget \"a\" \"b\" {}\ntarget \"c\" {\n args {\n }\n tgas = []\n}\n",
		"{\"target\":{\"a\":{\"args\":{\"A\":\"${B}\",\"B\":1e3,\"C\":[1]},\"tags\":\"x\"}},\"B\":\"${\"}",
		"{\"target\":[{\"a\":[{},{}]}],\"function\":{\"f\":{\"params\":[\"x\"],\"result\":\"${x}\"}},\"A\":\"${f(1)}\"}",
		"{\"variable\":{\"A\":{\"type\":\"list(\",\"default\":null,\"validation\":[{},{\"condition\":\"${A}\"}]}}}",
	}
}
