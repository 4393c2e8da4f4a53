package planner_test

import (
	"strings"
	"testing"

	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/spec/diag"
)

const baseBlock = "base \"debian\" {\n  image = \"debian:12\"\n}\n"

var references = []mistake{
	{name: "a stage from itself", spec: `
stage "a" {
  from = stage.a #! error: References form a cycle: stage.a → stage.a
}
image "web" {
  from = stage.a
}
`},
	{name: "a cycle is a path", spec: `
stage "a" {
  from = stage.b #! error: References form a cycle: Nothing of stage.a → stage.b → stage.c → stage.a can be built first.
}
stage "b" {
  from = scratch
  copy {
    from   = stage.c
    source = "/x"
    to     = "/x"
  }
}
stage "c" {
  from = scratch
  run {
    command = ["true"]
    mount "bind" {
      from   = stage.a
      target = "/a"
    }
  }
}
image "web" {
  from      = stage.a
  platforms = ["linux/amd64", "linux/arm64"]
}
image "wide" {
  from = stage.c
}
`, more: func(t *testing.T, ds diag.List) {
		var got []string
		for _, n := range ds[0].Notes {
			got = append(got, n.Message)
		}
		if want := "stage.a takes from stage.b; stage.b takes from stage.c; stage.c takes from stage.a"; strings.Join(got, "; ") != want {
			t.Errorf("the notes are %q, not %q", got, want)
		}
	}},
	{name: "two cycles", spec: `
stage "a" {
  from = stage.a #! error: References form a cycle: stage.a → stage.a
}
stage "b" {
  from = stage.b #! error: References form a cycle: stage.b → stage.b
}
image "web" {
  from = stage.a
  copy {
    from   = stage.b
    source = "/x"
    to     = "/x"
  }
}
`},
	{name: "a mistake below is told once", lock: debian, spec: baseBlock + `stage "bad" {
  from = base.debian
  copy {
    from   = context.default
    source = "gone" #! error: The source matches nothing: "gone" is nothing in context.default (folder ".")
    to     = "/x"
  }
}
image "a" {
  from      = stage.bad
  platforms = ["linux/amd64", "linux/arm64"]
}
image "b" {
  from = scratch
  copy {
    from   = stage.bad
    source = "/x"
    to     = "/x"
  }
}
`},
}

var platforms = []mistake{
	{name: "from across platforms", lock: debian, spec: baseBlock + `stage "tools" {
  from     = base.debian
  platform = build.platform
}
image "web" {
  from      = stage.tools #! error: From across platforms: image.web is for linux/arm64 and stage.tools for linux/amd64
  platforms = ["linux/amd64", "linux/arm64"]
}
`},
	{name: "a base without the platform", lock: debian, spec: baseBlock + `image "web" {
  from      = base.debian #! error: The base is not there for this platform: has no image for linux/s390x. It has: linux/amd64, linux/arm64.
  platforms = ["linux/s390x"]
}
`},
	{name: "a copy of a base without the platform", lock: debian, spec: baseBlock + `image "web" {
  from      = scratch
  platforms = ["linux/s390x", "linux/amd64"]
  copy {
    from   = base.debian #! error: The base is not there for this platform: has no image for linux/s390x.
    source = "/x"
    to     = "/x"
  }
}
`},
	{name: "a step that cannot run here", lock: debian, with: cannotRun, spec: baseBlock + `image "web" {
  from      = base.debian
  platforms = ["linux/amd64", "linux/arm64"]
  run { #! error: This machine cannot run the step: It runs on linux/arm64: there is no emulator for it; install qemu-user-static.
    command = ["true"]
  }
}
`},
	{name: "a platform twice", early: true, spec: `
image "web" {
  from      = scratch
  platforms = ["linux/arm64", "linux/arm64/v8"] #! error: Invalid value: "linux/arm64" twice
}
`},
}

var accounts = []mistake{
	{name: "one name twice", early: true, spec: `
image "web" {
  from = scratch
  user "app" {
    uid = 1000
  }
  user "app" { #! error: Declared twice: user "app"
    uid = 1001
  }
}
`},
	{name: "one number twice, over two stages", spec: `
stage "below" {
  from = scratch
  user "a" {
    uid = 1000
  }
}
image "web" {
  from = stage.below
  user "b" { #! error: Two accounts have one name or number: The user b (1000) meets a (1000)
    uid = 1000
  }
}
`},
	{name: "a wrong account is named all the same", spec: `
image "web" {
  from = scratch
  group "a" {
    gid = 5
  }
  group "b" { #! error: Two accounts have one name or number: The group b (5) meets a (5)
    gid = 5
  }
  user "c" {
    uid = 6
  }
  user "d" { #! error: Two accounts have one name or number: The user d (6) meets c (6)
    uid = 6
  }
  user "e" {
    uid   = 7
    group = "gone" #! error: No such group: gone is not the name
  }
  file {
    path    = "/a"
    content = ""
    owner   = "d:b"
  }
  directory {
    path  = "/d"
    owner = "e:d"
  }
}
`},
	{name: "a group meets a user's own", spec: `
image "web" {
  from = scratch
  group "app" {
    gid = 5
  }
  user "app" { #! error: Two accounts have one name or number: The group app (1000) meets app (5)
    uid = 1000
  }
}
`},
	{name: "unknown names", spec: `
image "web" {
  from = scratch
  user "app" {
    uid    = 1000
    groups = ["wheel"] #! error: No such group: wheel is not the name of a ` + "`group`" + ` step
  }
  user "log" {
    uid   = 1001
    group = "adm" #! error: No such group: adm is not the name
  }
  file {
    path    = "/a"
    content = "a"
    owner   = "ap" #! error: No such user: ap is not the name of a ` + "`user`" + ` step of image.web or of what it is built from. There are: app
  }
  directory {
    path  = "/b"
    owner = "app:users" #! error: No such group: users is not the name
  }
  run {
    command = ["id"]
    user    = "nobody" #! error: No such user: Names of a base are not known here: say the number.
  }
  run_as = "www" #! error: No such user: www is not the name
  test "t" {
    command = ["id"]
    user    = "nobody" #! error: No such user: nobody is not the name
    file "/a" {
      owner = "nobody" #! error: No such user: nobody is not the name
    }
  }
}
`},
	{name: "there are no names", lock: debian, spec: baseBlock + `image "web" {
  from   = base.debian
  run_as = "www-data" #! error: No such user: www-data is not the name of a ` + "`user`" + ` step of image.web or of what it is built from. There is none.
}
`},
	{name: "numbers out of range", early: true, spec: `
image "web" {
  from = scratch
  run {
    command = ["id"]
    user    = "4294967296" #! error: Invalid value: "4294967296" is not an owner
  }
}
`},
}

var locks = []mistake{
	{name: "no line for a base", lock: "specbuild-lock 1\n", spec: `
base "debian" { #! error: The lock is stale: specbuild.lock has no line ` + "`base docker.io/library/debian:12 …`, which this needs. Run `specbuild lock`" + `
  image = "debian:12"
}
image "web" {
  from      = base.debian
  platforms = ["linux/amd64", "linux/arm64"]
}
image "other" {
  from = image.web
}
`},
	{name: "another tag", lock: debian, spec: `
base "debian" { #! error: The lock is stale: it has ` + "`base docker.io/library/debian:12 …`" + `
  image = "debian:13"
}
image "web" {
  from = base.debian
}
`},
	{name: "no facts", lock: strings.ReplaceAll(debian, "linux/arm64 config", "linux/riscv64 config"), spec: `
base "debian" { #! error: The lock is stale: base docker.io/library/debian:12 linux/arm64 config
  image = "debian:12"
}
image "web" {
  from      = base.debian
  platforms = ["linux/arm64"]
}
`, with: func(in *planner.Input) { // a line for the user alone are facts without a configuration
		b := in.Lock.Bases["docker.io/library/debian:12"]
		delete(b.Facts, "linux/arm64")
	}},
	{name: "a damaged configuration", lock: strings.ReplaceAll(debian, `"{}"`, `"{"`), spec: baseBlock + `image "web" {
  from      = base.debian #! error: The lock cannot be read: The configuration of docker.io/library/debian:12 for linux/arm64 is no JSON.
  platforms = ["linux/arm64"]
}
`},
	{name: "everything that is missing at once", spec: `
base "a" { #! error: The lock is stale: base docker.io/library/a:1
  image = "a:1"
}
base "b" { #! error: The lock is stale: base docker.io/library/b:2
  image = "b:2"
}
base "c" { #! error: The lock is stale: base docker.io/library/c:1
  image = "c:1"
}
repository "trixie" {
  type  = "deb"
  suite = "trixie"
}
stage "tools" {
  from = base.a
  copy {
    from   = base.b
    source = "/x"
    to     = "/x"
  }
}
stage "deb" {
  from = scratch
  packages "deb" { #! error: The lock is stale: closure deb:trixie:main amd64 nginx
    repository = repository.trixie
    install    = ["nginx"]
  }
  packages "deb" { #! error: The lock is stale: closure deb:trixie:main amd64 curl
    repository = repository.trixie
    install    = ["curl"]
  }
}
image "web" {
  from = stage.tools
  copy {
    from   = stage.deb
    source = "/x"
    to     = "/x"
  }
  run {
    command = ["true"]
    mount "bind" {
      from   = base.c
      target = "/c"
    }
  }
}
`},
	{name: "no image name", early: true, spec: `
base "debian" {
  image = "Debian:12" #! error: Invalid value: "Debian:12" is not the name of an image
}
image "a" {
  from = base.debian
}
image "b" {
  from = scratch
  copy {
    from   = base.debian
    source = "/x"
    to     = "/x"
  }
}
`},
}

// What is asked for and not there is no mistake of a file: it has no place.
func TestUnknownImage(t *testing.T) {
	t.Parallel()
	s := open(t, parse("-- image.hcl --\nimage \"web\" {\n  from = scratch\n}\n"))
	s.in.Spec.Selected[0].Name = "gone"
	_, ds := planner.Make(t.Context(), s.in)
	if len(ds) != 1 || ds[0].Summary != "No such image" || !strings.Contains(ds[0].Detail, "image.gone") {
		t.Errorf("said: %s", report(ds))
	}
}

// Without a lock, what it would say is left open, and needs are what it
// would have to hold.
func TestWithoutLock(t *testing.T) {
	t.Parallel()
	s := open(t, parse("-- image.hcl --\n"+baseBlock+`
repository "trixie" {
  type  = "deb"
  suite = "trixie"
}
stage "deb" {
  from = scratch
  packages "deb" {
    repository = repository.trixie
    install    = ["nginx", "curl"]
  }
}
image "web" {
  from      = base.debian
  platforms = ["linux/arm64", "linux/amd64"]
  copy {
    from   = stage.deb
    source = "/usr"
    to     = "/usr"
  }
  copy {
    source = "gone"
    to     = "/gone"
  }
}
`))
	unpinned, ds := planner.Unpinned(t.Context(), s.in)
	if len(ds) != 1 || ds[0].Summary != "The source matches nothing" {
		t.Errorf("without a lock: %s", report(ds))
	}
	needs, ds := planner.Needs(t.Context(), s.in)
	if len(ds) != 0 {
		t.Errorf("needs: %s", report(ds))
	}
	for _, n := range []pin.Needs{unpinned, needs} {
		if len(n.Bases) != 1 || strings.Join(n.Bases[0].Platforms, " ") != "linux/amd64 linux/arm64" || n.Bases[0].Key != "docker.io/library/debian:12" {
			t.Errorf("bases: %+v", n.Bases)
		}
		var arches []string
		for _, c := range n.Closures {
			arches = append(arches, c.Arch+" "+c.Request.String())
		}
		if got := strings.Join(arches, "; "); got != "arm64 curl,nginx; amd64 curl,nginx" {
			t.Errorf("closures: %s", got)
		}
	}
}
