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
			"base \"b\" {\n  image = \"ssh:1.2\"\n}\nimage \"web\" {\n  from = «base.b»\n}\n",
			"base \"b\" {\n  image = \"ssh:1.2\"\n}\nstage \"s\" {\n  from = base.b\n}\nimage \"web\" {\n  from = «stage.s»\n}\n",
		},
		quiet: []string{
			`expose = [2222, 8022]`, `expose = ["22/udp"]`, `labels = { port = "22" }`,
			"base \"b\" {\n  image = \"ssh:1.2\"\n}\nimage \"web\" {\n  from = base.b\n  expose = [8080]\n}\n",
			"base \"b\" {\n  image = \"ssh:1.2\"\n}\nimage \"web\" {\n  from = base.b\n  expose = []\n}\n",
		},
	}.run(t, "port-no-ssh")
}

func TestPortUnprivileged(t *testing.T) {
	t.Parallel()
	cases{
		severity: diag.Info, release: diag.Info,
		fires: []string{
			`expose = «[80, 443]»`, `expose = «["53/udp"]»`,
			"base \"b\" {\n  image = \"web:1.2\"\n}\nimage \"web\" {\n  from = «base.b»\n  platforms = [\"linux/amd64\", \"linux/arm64\"]\n}\n",
		},
		quiet: []string{
			`expose = [8080, 1024]`, `expose = []`,
			"image \"web\" {\n  from = scratch\n  run_as = \"0\"\n  expose = [80]\n}\n", // its mistake is another
			"base \"b\" {\n  image = \"web:1.2\"\n}\nimage \"web\" {\n  from = base.b\n  expose = [8080]\n}\n",
		},
	}.run(t, "port-unprivileged")
}

func TestPublishImmutableTag(t *testing.T) {
	t.Parallel()
	cases{
		severity: diag.Warning, release: diag.Warning,
		fires: []string{
			`tags = «["registry.example.com/web:latest"]»`, `tags = «["web"]»`, `tags = «["registry.example.com:5000/web", "registry.example.com/web2:prod"]»`,
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
	stage := "stage \"s\" {\n  from = scratch\n  copy {\n    source = \"a\"\n    to = \"/a\"\n  }\n}\n"
	image := "image \"web\" {\n  from = scratch\n  run_as = \"1\"\n"
	cases{
		severity: diag.Warning, release: diag.Warning,
		files: map[string]string{"a": "a", "site/index.html": "x"},
		fires: []string{
			"copy {\n    source = «\".\"»\n    to = \"/app/\"\n  }",
			"copy {\n    source = «\"**\"»\n    to = \"/app/\"\n    parents = true\n  }",
			"context \"all\" {\n  path = \".\"\n}\n" + image + "  copy {\n    from = context.all\n    source = «\".\"»\n    to = \"/app/\"\n  }\n}\n",
			stage + image + "  copy {\n    from = stage.s\n    source = «\"/\"»\n    to = \"/\"\n  }\n}\n",
			"stage \"s\" {\n  from = scratch\n  «copy» {\n    to = \"/app/\"\n  }\n}\nimage \"web\" {\n  from = stage.s\n  run_as = \"1\"\n}\n",
		},
		quiet: []string{
			"copy {\n    source = \"site\"\n    to = \"/app/\"\n  }",
			"copy {\n    source = \".\"\n    to = \"/app/\"\n    exclude = [\"a\"]\n  }",
			"context \"some\" {\n  path = \".\"\n  include = [\"a\"]\n}\n" + image + "  copy {\n    from = context.some\n    source = \".\"\n    to = \"/app/\"\n  }\n}\n",
			"context \"site\" {\n  path = \"site\"\n}\n" + image + "  copy {\n    from = context.site\n    source = \".\"\n    to = \"/app/\"\n  }\n}\n",
			stage + image + "  copy {\n    from = stage.s\n    source = \"/a\"\n    to = \"/a\"\n  }\n}\n",
			// A stage that is only copied from takes what it likes.
			"stage \"s\" {\n  from = scratch\n  copy {\n    to = \"/src/\"\n  }\n}\n" + image + "  copy {\n    from = stage.s\n    source = \"/src/a\"\n    to = \"/a\"\n  }\n}\n",
		},
	}.run(t, "copy-not-whole-context")
}

func TestPlatformNotHardcoded(t *testing.T) {
	t.Parallel()
	with := func(platform string) string {
		return "locals {\n  native = build.platform\n}\nstage \"s\" {\n  from = scratch\n  platform = " + platform + "\n  file {\n    path = \"/a\"\n    content = local.native\n  }\n}\nimage \"web\" {\n  from = scratch\n  run_as = \"1\"\n  platforms = [\"linux/amd64\", \"linux/arm64\"]\n  copy {\n    from = stage.s\n    source = \"/a\"\n    to = \"/a\"\n  }\n}\n"
	}
	cases{
		fires: []string{with(`«"linux/amd64"»`), with(`«"linux/arm64/v8"»`), with(`«"linux/arm/v7"»`)},
		quiet: []string{with("build.platform"), with("target.platform"), with("local.native"), with(`"linux/${target.arch}"`), with(`target.arch == "arm64" ? build.platform : target.platform`)},
	}.run(t, "platform-not-hardcoded")
}

func TestPlatformArchLiteral(t *testing.T) {
	t.Parallel()
	image := func(body string) string {
		return "image \"web\" {\n  from = scratch\n  run_as = \"1\"\n  platforms = [\"linux/amd64\", \"linux/arm64\"]\n  " + body + "\n}\n"
	}
	stage := func(body string) string {
		return "stage \"s\" {\n  from = scratch\n  platform = build.platform\n  " + body + "\n}\n" + image("copy {\n    from = stage.s\n    source = \"/a\"\n    to = \"/a\"\n  }")
	}
	cases{
		severity: diag.Warning, release: diag.Warning,
		fires: []string{
			image(run(`curl -fO «https://example.com/tool_linux_amd64.tar.gz»`)),
			image(run(`ln -s «/usr/lib/x86_64-linux-gnu/libx.so» /libx.so`)),
			image("run {\n    command = [\"/get\", «\"tool-aarch64\"»]\n  }"),
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
