package planner_test

import "strings"

// trixie is locked with three closures: one that can be configured, one that
// lacks what maintainer scripts need, and one that is not configured.
const trixie = `specbuild-lock 1
release deb:trixie:main - main trixie 2026-11-01T00:00:00Z sha256:1…
package deb:trixie:main amd64 apt 3.0.3 amd64 main pool/a.deb 200 2…
package deb:trixie:main amd64 coreutils 9.7-3 amd64 main pool/c.deb 200 3…
package deb:trixie:main amd64 dash 0.5.12-12 amd64 main pool/d.deb 200 4…
package deb:trixie:main amd64 dpkg 1.22.21 amd64 main pool/p.deb 200 5…
package deb:trixie:main amd64 nginx 1.26-3 amd64 main pool/n.deb 200 6…
closure deb:trixie:main amd64 base+configure - apt coreutils dash dpkg
closure deb:trixie:main amd64 nginx+configure - nginx
closure deb:trixie:main amd64 nginx - nginx
closure deb:trixie:main amd64 nginx base+configure nginx
closure deb:trixie:main amd64 base+configure nginx apt coreutils dash dpkg
`

const trixieBlock = `
repository "trixie" {
  type  = "deb"
  suite = "trixie"
}
`

var managers = []mistake{
	{name: "a manager that nothing brings", lock: trixie, spec: trixieBlock + `stage "tools" {
  from = scratch
  packages "apt" { #! error: There is no such package manager here: stage.tools is built from scratch, and nothing below this step brings apt-get.
    install = ["curl=1"]
  }
  packages "apk" { #! error: There is no such package manager here: brings apk.
    install = ["curl=1"]
  }
}
stage "deb" {
  from = scratch
  packages "deb" {
    repository = repository.trixie
    install    = ["nginx"]
  }
  packages "dnf" { #! error: There is no such package manager here: brings dnf.
    install = ["curl=1"]
  }
}
image "web" {
  from = scratch
  copy {
    from   = stage.tools
    source = "/x"
    to     = "/x"
  }
  copy {
    from   = stage.deb
    source = "/x"
    to     = "/y"
  }
}
`},
	{name: "a manager that something may bring", lock: trixie, spec: trixieBlock + `stage "copied" {
  from = scratch
  file {
    path    = "/usr/bin/apk"
    content = "x"
  }
  copy {
    source = "image.hcl"
    to     = "/x"
  }
  packages "apk" {
    install = ["curl=1"]
  }
}
image "web" {
  from = scratch
  packages "deb" {
    repository = repository.trixie
    install    = ["base"]
    configure  = true
  }
  packages "apt" {
    install = ["curl=1"]
  }
  copy {
    from   = stage.copied
    source = "/x"
    to     = "/x"
  }
  packages "deb" { #! error: Packages over those of a package manager: apt-get has run below
    repository = repository.trixie
    install    = ["nginx"]
  }
}
`, files: "-- x --\n"},
	{name: "managers on another platform", lock: debian, with: cannotRun, spec: baseBlock + `image "web" {
  from      = base.debian
  platforms = ["linux/amd64", "linux/arm64"]
  packages "apt" { #! error: This machine cannot run the step: It runs on linux/arm64: there is no emulator
    install = ["curl=1"]
  }
}
`},
	{name: "scripts without what they need", lock: trixie, spec: trixieBlock + `image "web" {
  from = scratch
  packages "deb" { #! error: Packages cannot be configured here: Maintainer scripts need dpkg, which no package of image.web brings. Add "dpkg" to
    repository = repository.trixie
    install    = ["nginx"]
    configure  = true
  }
}
`},
	{name: "configured and not", lock: trixie, spec: trixieBlock + `stage "below" {
  from = scratch
  packages "deb" {
    repository = repository.trixie
    install    = ["nginx"]
  }
}
image "web" {
  from = stage.below
  packages "deb" { #! error: Packages of one image are configured in two ways: count on those of the packages below
    repository = repository.trixie
    install    = ["base"]
    configure  = true
  }
}
image "other" {
  from = scratch
  packages "deb" {
    repository = repository.trixie
    install    = ["base"]
    configure  = true
  }
  packages "deb" { #! error: Packages of one image are configured in two ways: Say the same ` + "`configure`" + ` in both.
    repository = repository.trixie
    install    = ["nginx"]
  }
}
`},
	{name: "scripts on another platform", lock: strings.ReplaceAll(trixie, "amd64", "arm64"), with: cannotRun, spec: trixieBlock + `image "web" {
  from      = scratch
  platforms = ["linux/arm64"]
  packages "deb" { #! error: This machine cannot run the step: there is no emulator
    repository = repository.trixie
    install    = ["base"]
    configure  = true
  }
}
`},
}
