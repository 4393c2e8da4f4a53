package rules_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// taken is an image that copies out of a context of which the block is given.
func taken(block string) string {
	return "context \"c\" {\n  " + block + `
}
image "web" {
  from = scratch
  run_as = "1"
  copy {
    from = context.c
    source = "x"
    to = "/x"
  }
}
`
}

const sum = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"

func TestFetchChecksum(t *testing.T) {
	t.Parallel()
	cases{
		unlocked: true, severity: diag.Warning, release: diag.Error,
		fires: []string{
			taken("http {\n    url = «\"https://example.com/x\"»\n  }"),
			taken("http {\n    url = «\"https://example.com/x.tar.gz\"»\n    unpack = true\n  }"),
			`context "c" {
  http {
    url = «"https://example.com/x"»
  }
}
image "web" {
  from = scratch
  run_as = "1"
  run {
    command = ["/x"]
    mount "bind" {
      from = context.c
      target = "/m"
    }
  }
}
`,
		},
		quiet: []string{
			taken("http {\n    url = \"https://example.com/x\"\n    sha256 = \"" + sum + "\"\n  }"),
			taken("git {\n    url = \"https://example.com/x.git\"\n    ref = \"" + strings.Repeat("a", 40) + "\"\n  }"),
			`context "unused" {
  http {
    url = "https://example.com/x"
  }
}
` + whole(""),
			run("curl -f https://example.com/x"),
		},
	}.run(t, "fetch-checksum")
	cases{quiet: []string{taken("http {\n    url = \"https://example.com/x\"\n  }")}}.run(t, "fetch-checksum") // the lock has it
}

func TestGitCommitPinned(t *testing.T) {
	t.Parallel()
	cases{
		unlocked: true, severity: diag.Warning, release: diag.Error,
		fires: []string{
			taken("git {\n    url = \"https://example.com/x.git\"\n    ref = «\"main\"»\n  }"),
			taken("git {\n    url = \"https://example.com/x.git\"\n    ref = «\"v1.2.3\"»\n  }"),
			taken("git {\n    url = \"https://example.com/x.git\"\n    ref = «\"8f1d4c3\"»\n  }"), // a short one can be had twice
			taken("«git» {\n    url = \"https://example.com/x.git\"\n  }"),
		},
		quiet: []string{
			taken("git {\n    url = \"https://example.com/x.git\"\n    ref = \"" + strings.Repeat("a", 40) + "\"\n  }"),
			taken("git {\n    url = \"https://example.com/x.git\"\n    ref = \"" + strings.Repeat("0", 64) + "\"\n  }"),
			taken("http {\n    url = \"https://example.com/x\"\n    sha256 = \"" + sum + "\"\n  }"),
			`context "unused" {
  git {
    url = "https://example.com/x.git"
  }
}
` + whole(""),
		},
	}.run(t, "git-commit-pinned")
	cases{quiet: []string{taken("git {\n    url = \"https://example.com/x.git\"\n    ref = \"main\"\n  }")}}.run(t, "git-commit-pinned")
}

// TestFetchedModulesHaveAnAddress holds that what is found about a module of
// another repository names its block, and that a waiver may do so too.
func TestFetchedModulesHaveAnAddress(t *testing.T) {
	t.Parallel()
	at := diag.Range{File: "svc/image.hcl", Start: diag.Pos{Line: 2, Column: 12}, End: diag.Pos{Line: 2, Column: 40}}
	called := spec.FetchedModule{
		Addr: spec.Addr{Module: "//svc", Kind: spec.KindModule, Name: "tools"}, Name: "tools", Range: at,
		Source: spec.Source{Git: "https://git.example.com/tools.git", Ref: "main"},
	}
	policy := called
	policy.Addr, policy.Name = spec.Addr{}, "policy"
	f := rules.Facts{Spec: &spec.Spec{Fetched: []spec.FetchedModule{called, policy}}, Unlocked: true}
	var got []string
	for _, d := range rules.Judge(f) {
		got = append(got, d.Code+" "+d.Address)
	}
	if want := []string{"git-commit-pinned //svc:module.tools", "git-commit-pinned "}; !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
	text := func(s string) spec.Attr[string] { return spec.Attr[string]{V: s, Set: true, Range: at} }
	for _, address := range []string{"//svc:module.tools", "module.tools"} {
		f.Spec = &spec.Spec{Fetched: []spec.FetchedModule{called}, Waivers: []*spec.Waiver{{
			Range: at, Rule: text("git-commit-pinned"), Address: text(address), Reason: text("ours"), Owner: text("us"),
			Expires: spec.Attr[time.Time]{V: time.Now().AddDate(1, 0, 0), Set: true},
		}}}
		if ds := rules.Judge(f); len(ds) > 0 {
			t.Errorf("%s: %+v", address, ds)
		}
	}
}

func TestContextIgnorePresent(t *testing.T) {
	t.Parallel()
	all := func(attributes string) string {
		return `stage "s" {
  from = scratch
  copy {
    to = "/src/"
    ` + attributes + `
  }
}
image "web" {
  from = scratch
  run_as = "1"
  copy {
    from = stage.s
    source = "/src/a"
    to = "/a"
  }
}
`
	}
	cases{
		severity: diag.Info, release: diag.Info,
		grade: rules.Grade{Limits: map[string]int64{"size": 20}},
		files: map[string]string{"a": strings.Repeat("a", 15), "node_modules/b": strings.Repeat("b", 6), ".git/objects/x": strings.Repeat("x", 1000)},
		fires: []string{
			all(`source = «"."»`), all(`source = «"/"»`), all("parents = true\n    source = «\"*\"»"),
			strings.Replace(all(""), "copy {", "«copy» {", 1),
		},
		quiet: []string{
			all(`exclude = ["node_modules"]`),
			all("parents = true\n    source = [\"a\", \"node_modules\"]"), // named
			`context "c" {
  path = "."
  include = ["a", "node_modules"]
}
` + all("from = context.c"),
			`stage "s" {
  from = scratch
  run {
    command = ["/x"]
    mount "bind" {
      target = "/src"
    }
  }
}
image "web" {
  from = stage.s
  run_as = "1"
}
`,
		},
	}.run(t, "context-ignore-present")
	small := cases{grade: rules.Grade{Limits: map[string]int64{"size": 21}}, files: map[string]string{"a": strings.Repeat("a", 15)}}
	small.quiet = []string{all(`source = "."`)}
	small.run(t, "context-ignore-present")

	// The limit that it has by itself, with a file of holes.
	dir := t.TempDir()
	write(t, dir, ".git/HEAD", "")
	write(t, dir, "image.hcl", all(""))
	write(t, dir, "target/debug", "")
	if err := os.Truncate(filepath.Join(dir, "target/debug"), 100<<20+1); err != nil {
		t.Fatal(err)
	}
	ds := (&judgement{}).judgeAt(t, dir, nil)
	if len(ds) != 1 || ds[0].Code != "context-ignore-present" || !strings.Contains(ds[0].Detail, "(target/debug alone is 100 MiB), more than 100 MiB") {
		t.Errorf("%+v", ds)
	}
}

func TestAppNotWritableByUser(t *testing.T) {
	t.Parallel()
	user := `user "app" {
    uid = 10001
  }
  `
	file := func(to, more string) string {
		return `file {
    path = "` + to + `"
    content = "x"
    ` + more + `
  }`
	}
	cases{
		severity: diag.Info, release: diag.Info,
		files: map[string]string{"a": "a"},
		fires: []string{
			user + file("/usr/bin/x", `owner = «"app"»`),
			file("/srv/app/x", `owner = «"10001:0"»`),
			user + `copy {
    source = "a"
    to = "/usr/bin/a"
    owner = «"app:app"»
  }`,
			`stage "s" {
  from = scratch
  ` + user + file("/app/x", `owner = «"app"»`) + `
}
image "web" {
  from = stage.s
  run_as = "app"
}
`,
		},
		quiet: []string{
			file("/usr/bin/x", ""),
			file("/usr/bin/x", `owner = "10002"`),
			file("/usr/bin/x", `owner = "0:10001"`), // its group may read
			file("/usr/bin/x", "owner = \"10001\"\n    mode = \"0555\""),
			user + file("/home/app/.config", `owner = "app"`),
			file("/var/lib/web/x", `owner = "10001"`),
			"volumes = [\"/srv/data\"]\n  " + file("/srv/data/x", `owner = "10001"`),
			"directory {\n    path = \"/app/cache\"\n    owner = \"10001:10001\"\n  }\n  " + file("/app/cache/x", `owner = "10001"`),
			`image "web" {
  from = scratch
  run_as = "0"
  ` + file("/usr/bin/x", `owner = "0"`) + "\n}\n",
		},
	}.run(t, "app-not-writable-by-user")
}
