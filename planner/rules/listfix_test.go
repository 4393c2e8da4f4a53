package rules_test

import (
	"strings"
	"testing"

	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// TestFixesOfLists holds that strings are added to and taken from lists that
// are written out, and that what is computed is left.
func TestFixesOfLists(t *testing.T) {
	t.Parallel()
	conf := func(exclude string) string {
		return whole("copy {\n    source = \"conf\"\n    to = \"/conf/\"\n    exclude = " + exclude + "\n  }")
	}
	install := func(list string) string {
		return whole("packages \"deb\" {\n    repository = repository.r\n    install = "+list+"\n  }") + "repository \"r\" {\n  type = \"deb\"\n  suite = \"trixie\"\n}\n"
	}
	const inYAML = "image:\n  web:\n    from: scratch\n    run_as: \"1\"\n    steps:\n"
	for name, tc := range map[string]fixCase{
		"credentials beside others": {
			rule: "secret-file-in-context", text: conf("[\"x\" ] # no x"), was: "[\"x\" ]", is: "[\"x\", \"conf/.npmrc\", \"conf/id_rsa.bak/kubeconfig\" ]",
		},
		"credentials beside what is computed": {rule: "secret-file-in-context", text: conf("concat([\"x\"], [\"y\"])")},
		"credentials beside lines":            {rule: "secret-file-in-context", text: conf("[\n      \"x\", # why\n    ]")},
		"credentials beside others in YAML": {
			rule: "secret-file-in-context", file: "image.yaml", text: inYAML + "      - copy:\n          source: conf\n          to: /conf/\n          exclude: [x, y ]\n",
			was: "y ]", is: "y, \"conf/.npmrc\", \"conf/id_rsa.bak/kubeconfig\" ]",
		},
		"sudo among packages":  {rule: "no-sudo", text: install(`["a1", "sudo", "sudo-x"]`), was: `, "sudo"`, is: ""},
		"sudo before packages": {rule: "no-sudo", text: install(`["sudo", "xsudo"]`), was: `"sudo", `, is: ""},
		"sudo alone":           {rule: "no-sudo", text: install(`["sudo"]`)},
		"sudo in YAML": {
			rule: "no-sudo", file: "image.yaml", was: "sudo, ", is: "",
			text: "repository:\n  r: {type: deb, suite: trixie}\n" + inYAML + "      - packages: {deb: {repository: repository.r, install: [sudo, xsudo]}}\n",
		},
		"sudo in a script":       {rule: "no-sudo", text: whole(run("apt-get update && apt-get install -y --no-install-recommends sudo curl && rm -rf /var/lib/apt/lists/*")), was: " sudo", is: ""},
		"sudo alone in a script": {rule: "no-sudo", text: whole(run("apt-get update && apt-get install -y --no-install-recommends sudo && rm -rf /var/lib/apt/lists/*"))},
	} {
		t.Run(name, tc.run)
	}
}

// TestFixOfALargeFolder holds that what tools make anew is left out, and that
// no source of the author's is.
func TestFixOfALargeFolder(t *testing.T) {
	t.Parallel()
	text := strings.Replace(whole("copy {\n    from = stage.s\n    source = \"/a\"\n    to = \"/a\"\n  }"), "image \"web\"", "stage \"s\" {\n  from = scratch\n  copy {\n    to = \"/src/\" # all\n  }\n}\nimage \"web\"", 1)
	for name, tc := range map[string]struct {
		files map[string]string
		want  string // empty: there is no fix
	}{
		"what tools make": {
			map[string]string{"node_modules/a": "aaaa", "web/node_modules/b/node_modules/c": "bbbb", "x/__pycache__/y": "y"},
			"exclude = [\"node_modules\", \"web/node_modules\", \"x/__pycache__\"]",
		},
		"sources alone": {map[string]string{"data/a": "aaaaaaaaaa"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := judgement{files: tc.files, grades: map[string]rules.Grade{"context-ignore-present": {Limits: map[string]int64{"size": 4}}}}
			of := func(ds diag.List) (found []diag.Diagnostic) {
				for _, d := range ds {
					if d.Code == "context-ignore-present" {
						found = append(found, d)
					}
				}
				return found
			}
			found := of(j.judge(t, text))
			if len(found) != 1 || (found[0].Fix == nil) != (tc.want == "") {
				t.Fatalf("%+v", found)
			}
			if tc.want == "" {
				return
			}
			fixed := apply(text, *found[0].Fix)
			if want := strings.Replace(text, " # all\n", " # all\n    "+tc.want+"\n", 1); fixed != want {
				t.Errorf("fixed:\n%s\nnot:\n%s", fixed, want)
			}
			if again := of(j.judge(t, fixed)); len(again) > 0 {
				t.Errorf("still: %+v", again)
			}
		})
	}
}

// TestFixOfAName holds that a name whose numbers are known without the base's
// files is written as those.
func TestFixOfAName(t *testing.T) {
	t.Parallel()
	on := func(runAs string) string {
		return "base \"b\" {\n  image = \"nonroot:1\"\n}\nimage \"web\" {\n  from   = base.b\n  run_as = \"" + runAs + "\" # not root\n}\n"
	}
	for name, want := range map[string]string{"nonroot": "65532:65532", "root": "0:0", "www-data": ""} {
		ds := lockedAs(t, on("1"), on(name))
		if len(ds) != 1 || (ds[0].Fix == nil) != (want == "") {
			t.Errorf("%s: %+v", name, ds)
			continue
		}
		if want != "" && apply(on(name), *ds[0].Fix) != on(want) {
			t.Errorf("%s: %s", name, apply(on(name), *ds[0].Fix))
		}
	}
}

// lockedAs is what the planner says of a spec over the lock of another.
func lockedAs(t *testing.T, first, text string) diag.List {
	t.Helper()
	load := func(text string) planner.Input {
		dir := t.TempDir()
		write(t, dir, "image.hcl", text)
		write(t, dir, ".git/HEAD", "")
		sp, ds := spec.Load(t.Context(), spec.Options{Dir: dir, Build: spec.Platform{OS: "linux", Arch: "amd64"}, Version: "0.1.0"})
		if ds.HasErrors() {
			t.Fatal(ds)
		}
		return planner.Input{Spec: sp, Sources: sources{}}
	}
	needs, ds := planner.Needs(t.Context(), load(first))
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	in := load(text)
	in.Lock = (&judgement{}).lock(needs)
	_, ds = planner.Make(t.Context(), in)
	return ds
}
