package rules_test

import (
	"testing"

	"github.com/specbuild/specbuild/spec/diag"
)

func TestPortNoSSH(t *testing.T) {
	t.Parallel()
	cases{
		fires: []string{
			`expose = «[8080, 22]»`, `expose = «["22/tcp"]»`,
			`base "b" {
  image = "ssh:1.2"
}
image "web" {
  from = «base.b»
}
`,
			`base "b" {
  image = "ssh:1.2"
}
stage "s" {
  from = base.b
}
image "web" {
  from = «stage.s»
}
`,
		},
		quiet: []string{
			`expose = [2222, 8022]`, `expose = ["22/udp"]`, `labels = { port = "22" }`,
			`base "b" {
  image = "ssh:1.2"
}
image "web" {
  from = base.b
  expose = [8080]
}
`,
			`base "b" {
  image = "ssh:1.2"
}
image "web" {
  from = base.b
  expose = []
}
`,
		},
	}.run(t, "port-no-ssh")
}

func TestPortUnprivileged(t *testing.T) {
	t.Parallel()
	cases{
		severity: diag.Info, release: diag.Info,
		fires: []string{
			`expose = «[80, 443]»`, `expose = «["53/udp"]»`,
			`base "b" {
  image = "web:1.2"
}
image "web" {
  from = «base.b»
  platforms = ["linux/amd64", "linux/arm64"]
}
`,
		},
		quiet: []string{
			`expose = [8080, 1024]`, `expose = []`,
			`image "web" {
  from = scratch
  run_as = "0"
  expose = [80]
}
`, // its mistake is another
			`base "b" {
  image = "web:1.2"
}
image "web" {
  from = base.b
  expose = [8080]
}
`,
		},
	}.run(t, "port-unprivileged")
}

func TestPublishImmutableTag(t *testing.T) {
	t.Parallel()
	cases{
		severity: diag.Warning, release: diag.Warning,
		fires: []string{
			`tags = «["registry.example.com/web:latest"]»`, `tags = «["localhost/web"]»`, `tags = «["registry.example.com:5000/web", "registry.example.com/web2:prod"]»`,
			`tags = «["registry.example.com/web:stable-slim"]»`,
		},
		quiet: []string{
			`tags = ["registry.example.com/web:latest", "registry.example.com/web:1.4.2"]`,
			`tags = ["registry.example.com/web:0.0.0-dev"]`, `tags = ["web:main-0a1b2c3"]`, `tags = ["web:2026-03-01"]`, ``, `tags = []`,
		},
	}.run(t, "publish-immutable-tag")
}

func TestCopyNotWholeContext(t *testing.T) {
	t.Parallel()
	stage := `stage "s" {
  from = scratch
  copy {
    source = "a"
    to = "/a"
  }
}
`
	image := `image "web" {
  from = scratch
  run_as = "1"
`
	cases{
		severity: diag.Warning, release: diag.Warning,
		files: map[string]string{"a": "a", "site/index.html": "x"},
		fires: []string{
			`copy {
    source = «"."»
    to = "/app/"
  }`,
			`copy {
    source = «"**"»
    to = "/app/"
    parents = true
  }`,
			`context "all" {
  path = "."
}
` + image + `  copy {
    from = context.all
    source = «"."»
    to = "/app/"
  }
}
`,
			stage + image + `  copy {
    from = stage.s
    source = «"/"»
    to = "/"
  }
}
`,
			`stage "s" {
  from = scratch
  «copy» {
    to = "/app/"
  }
}
image "web" {
  from = stage.s
  run_as = "1"
}
`,
		},
		quiet: []string{
			`copy {
    source = "site"
    to = "/app/"
  }`,
			`copy {
    source = "."
    to = "/app/"
    exclude = ["a"]
  }`,
			`context "some" {
  path = "."
  include = ["a"]
}
` + image + `  copy {
    from = context.some
    source = "."
    to = "/app/"
  }
}
`,
			`context "site" {
  path = "site"
}
` + image + `  copy {
    from = context.site
    source = "."
    to = "/app/"
  }
}
`,
			stage + image + `  copy {
    from = stage.s
    source = "/a"
    to = "/a"
  }
}
`,
			// A stage that is only copied from takes what it likes.
			`stage "s" {
  from = scratch
  copy {
    to = "/src/"
  }
}
` + image + `  copy {
    from = stage.s
    source = "/src/a"
    to = "/a"
  }
}
`,
		},
	}.run(t, "copy-not-whole-context")
}

func TestPlatformNotHardcoded(t *testing.T) {
	t.Parallel()
	with := func(platform string) string {
		return `locals {
  native = build.platform
}
stage "s" {
  from = scratch
  platform = ` + platform + `
  file {
    path = "/a"
    content = local.native
  }
}
image "web" {
  from = scratch
  run_as = "1"
  platforms = ["linux/amd64", "linux/arm64"]
  copy {
    from = stage.s
    source = "/a"
    to = "/a"
  }
}
`
	}
	cases{
		fires: []string{with(`«"linux/amd64"»`), with(`«"linux/arm64/v8"»`), with(`«"linux/arm/v7"»`)},
		quiet: []string{with("build.platform"), with("target.platform"), with("local.native"), with(`"linux/${target.arch}"`), with(`target.arch == "arm64" ? build.platform : target.platform`)},
	}.run(t, "platform-not-hardcoded")
}

func TestPlatformArchLiteral(t *testing.T) {
	t.Parallel()
	image := func(body string) string {
		return `image "web" {
  from = scratch
  run_as = "1"
  platforms = ["linux/amd64", "linux/arm64"]
  ` + body + "\n}\n"
	}
	stage := func(body string) string {
		return `stage "s" {
  from = scratch
  platform = build.platform
  ` + body + "\n}\n" + image(`copy {
    from = stage.s
    source = "/a"
    to = "/a"
  }`)
	}
	cases{
		severity: diag.Warning, release: diag.Warning,
		fires: []string{
			image(run(`curl -fO «https://example.com/tool_linux_amd64.tar.gz»`)),
			image(run(`ln -s «/usr/lib/x86_64-linux-gnu/libx.so» /libx.so`)),
			image(`run {
    command = ["/get", «"tool-aarch64"»]
  }`),
			stage(run(`curl -fO «https://example.com/tool-amd64»`)),
			stage(run(`curl -fO https://example.com/${target.arch}; tar xf «tool-arm64.tgz»`)),
		},
		quiet: []string{
			image(run(`curl -fO https://example.com/tool_${target.arch}.tar.gz`)),
			stage(run(`curl -fO https://example.com/tool-${build.arch}`)),
			image(run(`case $(uname -m) in x86_64) f=-msse4;; esac; make $f`)),
			image(run(`[ ${target.arch} = amd64 ] || exit 0; cp x86_64 arm64`)),
			image(run(`test "$(dpkg --print-architecture)" = amd64`)),
			image(run(`# amd64 only`)),
			image(run(`echo amd64p32 notamd64`)),
			whole(run(`curl -fO https://example.com/tool_linux_amd64.tar.gz`)), // one platform
		},
	}.run(t, "platform-arch-literal")
}
