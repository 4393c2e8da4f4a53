package planner_test

import (
	"github.com/specbuild/specbuild/planner"
)

var copies = []mistake{
	{name: "did you mean", files: "-- main.go --\n", spec: `
image "web" {
  from = scratch
  copy {
    source = "mian.go" #! error: The source matches nothing: Did you mean main.go?
    to     = "/x"
  }
}
`},
	{name: "what left it out", files: "-- .dockerignore --\n*.log\n-- a.log --\n-- src/b.log --\n", spec: `
context "src" {
  path    = "src"
  exclude = ["*.log"]
}
image "web" {
  from = scratch
  copy {
    source = "a.log" #! error: The source matches nothing: it is left out by .dockerignore
    to     = "/a"
  }
  copy {
    from   = context.src
    source = "b.log" #! error: The source matches nothing: it is left out by
    to     = "/b"
  }
}
`},
	{name: "no folder", early: true, spec: `
context "src" {
  path = "src" #! error: Invalid value: path: there is no folder "src"
}
image "web" {
  from      = scratch
  platforms = ["linux/amd64", "linux/arm64"]
  copy {
    from   = context.src
    source = "a"
    to     = "/a"
  }
  copy {
    from   = context.src
    source = "b"
    to     = "/b"
  }
  run {
    command = ["true"]
    mount "bind" {
      from   = context.src
      target = "/src"
    }
  }
}
`},
	{name: "the folder is gone since", files: "-- src/a --\n", with: func(in *planner.Input) {
		for _, c := range in.Spec.Contexts {
			c.Dir += "-gone"
		}
	}, spec: `
context "src" {
  path = "src" #! error: The context's folder is not there: context.src is the folder "src" of the workspace, which does not exist.
}
image "web" {
  from      = scratch
  platforms = ["linux/amd64", "linux/arm64"]
  copy {
    from   = context.src
    source = "a"
    to     = "/a"
  }
  run {
    command = ["true"]
    mount "bind" {
      from   = context.src
      target = "/src"
    }
  }
}
`},
	{name: "the folder is a file since", files: "-- src/a --\n", with: func(in *planner.Input) {
		for _, c := range in.Spec.Contexts {
			c.Dir += "/a"
		}
	}, spec: `
context "src" {
  path = "src"
}
image "web" {
  from = scratch
  copy {
    from   = context.src
    source = "a" #! error: The context cannot be read: context.src is the folder "src" of the workspace: not a directory.
    to     = "/a"
  }
}
`},
	{name: "no pattern", early: true, spec: `
image "web" {
  from = scratch
  copy {
    source = "[a" #! error: Invalid value: source
    to     = "/a"
  }
}
`},
	{name: "a mount of nothing", spec: `
image "web" {
  from = scratch
  run {
    command = ["true"]
    mount "bind" {
      source = ["gone"] #! error: The source matches nothing: "gone" is nothing in context.default
      target = "/src"
    }
  }
}
`},
	{name: "relative without a workdir", early: true, files: "-- a --\n", spec: `
image "other" {
  from = scratch
  copy {
    source = "a"
    to     = "x" #! error: Relative destination: "x" is relative
  }
}
`},
	{name: "relative without a workdir, for a target", lock: debian, files: "-- a --\n", spec: baseBlock + `image "web" {
  from    = base.debian
  workdir = target.arch == "amd64" ? null : "/w"
  copy {
    source = "a"
    to     = "./" #! error: Relative destination: "./" is relative
  }
}
`},
	{name: "several into a folder", files: "-- a/x --\n-- b/x --\n-- c/y --\n", spec: `
image "web" {
  from = scratch
  copy {
    source = ["a", "c"] #! error: A folder among several sources: "a" is a folder
    to     = "/d/"
  }
  copy {
    source = ["a/x", "b/x"] #! error: Two sources have one name: "a/x" and "b/x" would both be "x" in /d/
    to     = "/d/"
  }
  copy {
    source = "*/x" #! error: Two sources have one name: "a/x" and "b/x"
    to     = "/d/"
  }
  copy {
    source  = ["a", "b/x"]
    to      = "/d/"
    parents = true
  }
}
`},
}

var runs = []mistake{
	{name: "the machine's network", spec: `
image "web" {
  from = scratch
  run {
    command = ["true"]
    network = "host" #! error: The machine's network is not granted: --allow network.host
  }
}
`},
	{name: "the machine's network, granted", with: func(in *planner.Input) { in.Allow = []string{planner.NetworkHost} }, spec: `
image "web" {
  from = scratch
  run {
    command = ["true"]
    network = "host"
  }
}
`},
	{name: "two mounts at one place", spec: `
secret "a" {
  env = "A"
}
image "web" {
  from = scratch
  run {
    command = ["true"]
    mount "tmpfs" {
      target = target.arch == "amd64" ? "/run/secrets/a" : "/tmp"
    }
    mount "secret" { #! error: Mounted twice: Two mounts of this step are at /run/secrets/a
      secret = secret.a
    }
    mount "secret" {
      secret = secret.a
      env    = "A"
    }
    mount "secret" {
      secret = secret.a
      env    = "B"
    }
  }
}
`},
	{name: "two agents", spec: `
secret "agent" {
  ssh = true
}
image "web" {
  from = scratch
  run {
    command = ["true"]
    mount "ssh" {
      agent = secret.agent
    }
    mount "ssh" { #! error: Two mounts at one place: Both are mounted at /run/specbuild/ssh-agent.sock
      agent = secret.agent
    }
  }
}
`},
	{name: "agents and files", spec: `
secret "file" {
  env = "A"
}
secret "agent" {
  ssh = true
}
image "web" {
  from = scratch
  run {
    command = ["true"]
    mount "secret" {
      secret = target.os == "linux" ? secret.agent : secret.file #! error: Wrong kind of secret: secret.agent is an SSH agent
    }
    mount "ssh" {
      agent = target.os == "linux" ? secret.file : secret.agent #! error: Wrong kind of secret: secret.file is not an SSH agent
    }
  }
}
`},
}

var packages = []mistake{
	{name: "over a foreign base", lock: debian, spec: baseBlock + `repository "trixie" {
  type  = "deb"
  suite = "trixie"
}
stage "below" {
  from = base.debian
}
image "web" {
  from = stage.below
  packages "deb" { #! error: Packages over a foreign base: image.web is built from an image whose package database specbuild did not write
    repository = repository.trixie
    install    = ["nginx"]
  }
}
`},
	{name: "two repositories", spec: `
repository "trixie" {
  type  = "deb"
  suite = "trixie"
}
repository "sid" {
  type  = "deb"
  suite = "sid"
}
image "web" {
  from = scratch
  packages "deb" { #! error: The lock is stale: closure deb:trixie:main amd64 nginx
    repository = repository.trixie
    install    = ["nginx"]
  }
  packages "deb" {
    repository = repository.sid #! error: Two repositories in one image: (deb:trixie:main)
    install    = ["curl"]
  }
}
`},
	{name: "no such port", spec: `
repository "trixie" {
  type  = "deb"
  suite = "trixie"
}
image "web" {
  from      = scratch
  platforms = ["linux/mips"]
  packages "deb" { #! error: No packages for this platform: deb has no name for linux/mips
    repository = repository.trixie
    install    = ["nginx"]
  }
}
`},
	{name: "the closure of another request", lock: `specbuild-lock 1
release deb:trixie:main - main trixie 2026-11-01T00:00:00Z sha256:1…
package deb:trixie:main amd64 nginx 1.26-3 amd64 main pool/n.deb 200 4…
closure deb:trixie:main amd64 nginx - nginx
`, spec: `
repository "trixie" {
  type  = "deb"
  suite = "trixie"
}
image "web" {
  from = scratch
  packages "deb" { #! error: The lock is stale: it has ` + "`closure deb:trixie:main amd64 nginx …`" + `
    repository = repository.trixie
    install    = ["nginx", "curl"]
  }
}
`},
}

var outputsOfImages = []mistake{
	{name: "one tag for two", spec: `
image "a" {
  from = scratch
  tags = ["web", "docker.io/library/web:latest"]
}
image "b" {
  from = scratch
  tags = ["other", "docker.io/library/web"] #! error: Two images have one tag: docker.io/library/web:latest is a tag of image.a and of image.b
}
`},
	{name: "two tests of one name", early: true, spec: `
image "web" {
  from = scratch
  test "t" {
    command = ["a"]
  }
  test "t" { #! error: Declared twice: test "t"
    command = ["b"]
  }
}
`},
	{name: "tags that are none", early: true, spec: `
image "a" {
  from = scratch
  tags = ["Web"] #! error: Invalid value: "Web" is not a name to push under
}
image "b" {
  from = scratch
  tags = ["web@sha256:7…"] #! error: Invalid value: has a digest, which is known only after the build
}
`},
	{name: "unused", lock: debian, spec: baseBlock + `base "idle" { #! warning: Nothing uses this: No image reaches base.idle.
  image = "idle:1"
}
repository "idle" { #! warning: Nothing uses this: No image reaches repository.idle.
  type  = "deb"
  suite = "trixie"
}
stage "idle" { #! warning: Nothing uses this: No image reaches stage.idle.
  from = stage.under
}
stage "under" {
  from = base.debian
}
image "web" {
  from = base.debian
}
`},
	{name: "used by a branch that is not taken", lock: debian, spec: baseBlock + `variable "debug" {
  type    = bool
  default = false
}
base "other" {
  image = "other:1"
}
stage "extra" {
  from = base.under
}
base "under" {
  image = "under:1"
}
# stage.lint is named in comments only: stage.lint
stage "lint" { #! warning: Nothing uses this: No image reaches stage.lint.
  from = scratch
}
image "web" {
  from = var.debug ? base.other : base.debian
  copy {
    when   = var.debug
    from   = stage.extra
    source = "/x"
    to     = "/x"
  }
}
`},
}
