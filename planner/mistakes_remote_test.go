package planner_test

import (
	"testing"

	"github.com/specbuild/specbuild/planner"
)

// remotes are mistakes of contexts that lie elsewhere.
var remotes = []mistake{
	{name: "a ref that the lock does not have", spec: `
context "src" {
  git { #! error: The lock is stale: specbuild.lock has no line ` + "`git https://git.example.com/x.git#v2 …`; it has `git https://git.example.com/x.git#v1 …`" + `
    url = "https://git.example.com/x.git"
    ref = "v2"
  }
}
image "web" {
  from = scratch
  copy {
    from = context.src
    source = "."
    to   = "/"
  }
}
`, lock: "specbuild-lock 1\ngit https://git.example.com/x.git#v1 - aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"},
	{name: "a URL that the lock does not have", spec: `
context "tool" {
  http { #! error: The lock is stale: has no line ` + "`http https://example.com/tool …`" + `, which this needs. Run
    url = "https://example.com/tool"
  }
}
image "web" {
  from = scratch
  run {
    command = ["true"]
    mount "bind" {
      from   = context.tool
      target = "/x"
    }
  }
}
`},
	{name: "a password in a URL", spec: `
context "tool" {
  http {
    url = "https://user:secret@example.com/tool" #! error: A password in a URL: It would be in the plan and the lock.
  }
}
image "web" {
  from      = scratch
  platforms = ["linux/amd64", "linux/arm64"]
  copy {
    from = context.tool
    source = "."
    to   = "/"
  }
}
`},
	{name: "a source that the fetched tree does not have", files: "-- tree/src/main.c --\n", with: func(in *planner.Input) {
		dir := in.Spec.Root + "/tree"
		in.Fetched = func(c planner.Context) (string, bool) { return dir, c.Git != nil && c.Git.Commit != "" }
	}, spec: `
context "src" {
  git {
    url = "https://git.example.com/x.git"
    ref = "0123456789abcdef0123456789abcdef01234567"
  }
}
image "web" {
  from = scratch
  copy {
    from   = context.src
    source = "srd" #! error: The source matches nothing: "srd" is nothing in context.src (https://git.example.com/x.git at 0123456789abcdef0123456789abcdef01234567). Did you mean src?
    to     = "/"
  }
}
`},
}

func TestMistakesOfRemoteContexts(t *testing.T) {
	t.Parallel()
	for _, m := range remotes {
		t.Run(m.name, m.run)
	}
}

// An http file has the name that its URL ends in; where that is none, another.
func TestTheNameOfAFetchedFile(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"https://example.com/a/tool.bin": "tool.bin", "https://example.com/a/?q=x": "a", "https://example.com": "download", "https://example.com/": "download",
		"https://example.com/a/..": "download", "https://example.com/.wh.x": "download", "https://example.com/a%2Fb": "b", "https://example.com/a%5Cb": "download",
		"https://example.com/a%0Ab": "download", "https://example.com/%2e%2e": "download", "https://example.com/x%20y#z": "x y",
	} {
		s := open(t, parse(`-- image.hcl --
context "f" {
  http {
    url    = "`+url+`"
    sha256 = "4444444444444444444444444444444444444444444444444444444444444444"
  }
}
image "web" {
  from = scratch
  copy {
    from = context.f
    source = "."
    to   = "/f/"
  }
  run_as = "1:1"
}
`))
		plan, ds := planner.Make(t.Context(), s.in)
		if ds.HasErrors() || len(plan.Contexts) != 1 || plan.Contexts[0].HTTP.Name != want {
			t.Errorf("%s: %+v (%s)", url, plan.Contexts, report(ds))
		}
	}
}

// What one machine pins, every machine needs alike.
func TestNeedsOfRemoteContexts(t *testing.T) {
	t.Parallel()
	s := open(t, parse(`-- image.hcl --
context "a" {
  git {
    url = "https://git.example.com/x.git"
  }
}
context "b" {
  git {
    url = "https://git.example.com/x.git"
  }
}
context "c" {
  http {
    url = "https://example.com/c"
  }
}
context "unused" {
  http {
    url = "https://example.com/d"
  }
}
image "web" {
  from      = scratch
  platforms = ["linux/amd64", "linux/arm64"]
  dynamic "copy" {
    for_each = { a = context.a, b = context.b, c = context.c }
    content {
      from   = copy.value
      source = "."
      to     = "/${copy.key}/"
    }
  }
}
`))
	needs, ds := planner.Needs(t.Context(), s.in)
	if ds.HasErrors() || len(needs.Git) != 1 || len(needs.HTTP) != 1 || len(needs.Git[0].Names) != 2 || needs.HTTP[0].URL != "https://example.com/c" || needs.Empty() {
		t.Errorf("%+v (%s)", needs, report(ds))
	}
}
