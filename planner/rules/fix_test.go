package rules_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/spec/diag"
)

// TestFixes holds that what `validate --fix` makes of a finding takes away
// this finding and no other, brings no new one, and changes nothing else.
func TestFixes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]fixCase{
		"a registry":         {rule: "publish-registry-explicit", text: whole(`tags = ["web:1.2"]`), was: `"web:1.2"`, is: `"docker.io/library/web:1.2"`},
		"a registry of two":  {rule: "publish-registry-explicit", text: whole(`tags = ["registry.example.com/web:1.2", "web:1.2"]`), was: `, "web:1.2"`, is: `, "docker.io/library/web:1.2"`},
		"of a user's folder": {rule: "publish-registry-explicit", text: whole(`tags = ["acme/web:1.2"]`), was: `"acme`, is: `"docker.io/acme`},
		"before what is computed": {
			rule: "publish-registry-explicit", text: "locals {\n  v = \"1\"\n}\n" + whole("tags = [\"acme/web:${local.v}\"]"), was: `"acme`, is: `"docker.io/acme`,
		},
		"all computed": {rule: "publish-registry-explicit", text: "locals {\n  v = \"acme/web:1\"\n}\n" + whole("tags = [local.v]")},
		"a registry in YAML": {
			rule: "publish-registry-explicit", file: "image.yaml", text: "image:\n  web:\n    from: scratch\n    run_as: \"1\"\n    tags:\n      - web:1.2 # here\n",
			was: "- web:1.2", is: "- docker.io/library/web:1.2",
		},
		"a registry in YAML's flow": {
			rule: "publish-registry-explicit", file: "image.yaml", text: "image:\n  web: {from: scratch, run_as: \"1\", tags: [\"web:1.2\"]}\n", was: `["web`, is: `["docker.io/library/web`,
		},
		"an owner": {
			rule: "app-not-writable-by-user", text: whole("file {\n    path = \"/app/x\"\n    content = \"x\"\n    owner = \"10001\" # ours\n  }"), was: `"10001" #`, is: `"0:0" #`,
		},
		"an owner in YAML": {
			rule: "app-not-writable-by-user", file: "image.yaml",
			text: "image:\n  web:\n    from: scratch\n    run_as: \"1\"\n    steps:\n      - file: {path: /app/x, content: x, owner: \"1\"}\n", was: `owner: "1"`, is: `owner: "0:0"`,
		},
		"a platform": {
			rule: "platform-not-hardcoded", text: onPlatform(`"linux/amd64"`), was: `"linux/amd64"`, is: "build.platform",
		},
		"a platform in YAML": {
			rule: "platform-not-hardcoded", file: "image.yaml",
			text: "stage:\n  s: {from: scratch, platform: linux/amd64, steps: [{directory: {path: /x}}]}\nimage:\n  web:\n    from: scratch\n    run_as: \"1\"\n    steps:\n      - copy: {from: stage.s, source: /x, to: /x/}\n",
			was:  "linux/amd64", is: `"${build.platform}"`,
		},
		"sudo":                 {rule: "no-sudo", text: whole(run("sudo  make install")), was: "sudo  make", is: "make"},
		"sudo with options":    {rule: "no-sudo", text: whole(run("sudo -E make install"))},
		"sudo of another user": {rule: "no-sudo", text: whole(strings.Replace(run("sudo make install"), "run {", "run {\n    user = \"7\"", 1))},
		"credentials": {
			rule: "secret-file-in-context", text: whole("copy {\n    source = \"conf\" # all\n    to = \"/conf/\"\n  }"),
			was: "# all\n", is: "# all\n    exclude = [\"conf/.npmrc\", \"conf/id_rsa.bak/kubeconfig\"]\n",
		},
		"credentials of everything": {
			rule: "secret-file-in-context", text: "stage \"s\" {\n  from = scratch\n  copy {\n    to = \"/src/\"\n  }\n}\n" + "image \"web\" {\n  from = scratch\n  run_as = \"1\"\n  copy {\n    from = stage.s\n    source = \"/src/a\"\n    to = \"/a\"\n  }\n}\n",
			was: "to = \"/src/\"\n", is: "to = \"/src/\"\n    exclude = [\"conf/.npmrc\", \"conf/id_rsa.bak/kubeconfig\"]\n",
		},
		"credentials in YAML": {
			rule: "secret-file-in-context", file: "image.yaml",
			text: "image:\n  web:\n    from: scratch\n    run_as: \"1\"\n    steps:\n      - copy:\n          source: conf\n          to: /conf/\n",
			was:  "source: conf\n", is: "source: conf\n          exclude: [\"conf/.npmrc\", \"conf/id_rsa.bak/kubeconfig\"]\n",
		},
		"credentials in YAML's flow": {
			rule: "secret-file-in-context", file: "image.yaml",
			text: "image:\n  web:\n    from: scratch\n    run_as: \"1\"\n    steps:\n      - copy: {source: conf, to: /conf/}\n",
		},
	} {
		t.Run(name, tc.run)
	}
}

// fixCase is a spec with one finding of a rule, and what its fix changes.
type fixCase struct {
	rule, file, text string
	was, is          string // what of the text changes; none is a finding without a fix
}

func (tc fixCase) run(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string]string{".git/HEAD": "", "a": "a", "conf/a": "a", "conf/.npmrc": "x", "conf/id_rsa.bak/kubeconfig": "x"}
	file := tc.file
	if file == "" {
		file = "image.hcl"
	}
	files[file] = tc.text
	for f, content := range files {
		write(t, dir, f, content)
	}
	before := (&judgement{}).judgeAt(t, dir, nil)
	i := slices.IndexFunc(before, func(d diag.Diagnostic) bool { return d.Code == tc.rule })
	if i < 0 {
		t.Fatalf("no finding of %s: %+v", tc.rule, before)
	}
	if tc.was == "" {
		if before[i].Fix != nil {
			t.Errorf("a fix: %+v", *before[i].Fix)
		}
		return
	}
	if before[i].Fix == nil {
		t.Fatalf("no fix: %+v", before[i])
	}
	fixed, _ := diag.Apply([]byte(tc.text), []diag.Fix{*before[i].Fix})
	if want := strings.Replace(tc.text, tc.was, tc.is, 1); string(fixed) != want {
		t.Errorf("fixed:\n%s\nnot:\n%s", fixed, want)
	}
	write(t, dir, file, string(fixed))
	after := (&judgement{}).judgeAt(t, dir, nil)
	if got, want := kinds(after), kinds(slices.DeleteFunc(slices.Clone(before), func(d diag.Diagnostic) bool { return d.Code == tc.rule })); !slices.Equal(got, want) {
		t.Errorf("then %q, not %q: %+v", got, want, after)
	}
}

func kinds(ds diag.List) []string {
	var out []string
	for _, d := range ds {
		out = append(out, fmt.Sprint(d.Severity, d.Code, d.Summary))
	}
	slices.Sort(out)
	return out
}

// onPlatform is an image with a stage of which the platform is given.
func onPlatform(platform string) string {
	return `stage "s" {
  from     = scratch
  platform = ` + platform + `
  directory {
    path = "/x"
  }
}
image "web" {
  from   = scratch
  run_as = "1"
  copy {
    from   = stage.s
    source = "/x"
    to     = "/x/"
  }
}
`
}
