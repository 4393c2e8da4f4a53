package rules_test

import (
	"testing"

	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec/diag"
)

// of is a grade that gives a rule a list.
func of(name string, values ...string) rules.Grade {
	return rules.Grade{Lists: map[string][]string{name: values}}
}

func TestBaseTrustedRegistry(t *testing.T) {
	t.Parallel()
	cases{
		grade: of("allow", "registry.example.com/base", "docker.io/library/", "ghcr.io/acme/go:1.25", "layout:vendor"),
		fires: []string{
			built(`image = «"quay.io/acme/root:1.2"»`),
			built(`image = «"registry.example.com/baseless/root:1.2"»`), // no part of a name
			built(`image = «"registry.example.com:5000/base/root:1.2"»`),
			built(`image = «"acme/root:1.2"»`), // docker.io/acme
			built(`image = «"ghcr.io/acme/go:1.26"»`),
			built(`image = «"evil.example.com/registry.example.com/base/root:1.2"»`),
			built("image = «\"quay.io/acme/root:1.2\"»\n  digest = \"" + digest('0') + "\""),
			built(`layout = «"oci"»`),
			built(`layout = «"vendored"»`),
			`base "b" {
  image = «"quay.io/acme/root:1.2"»
}
image "web" {
  from = scratch
  run_as = "1"
  copy {
    from = base.b
    source = "/bin/x"
    to = "/bin/x"
  }
}
`,
		},
		quiet: []string{
			built(`image = "registry.example.com/base/root:1.2"`),
			built(`image = "registry.example.com/base:1.2"`),
			built(`image = "registry.example.com/base@` + digest('0') + `"`),
			built(`image = "root:1.2"`),
			built(`image = "docker.io/root:1.2"`),
			built(`image = "index.docker.io/library/root:1.2"`),
			built(`image = "ghcr.io/acme/go:1.25"`),
			built(`layout = "vendor/oci"`),
			`base "unused" {
  image = "quay.io/acme/root:1.2"
}
` + whole(""),
		},
		files: map[string]string{"oci/oci-layout": "{}", "vendor/oci/oci-layout": "{}", "vendored/oci-layout": "{}"},
	}.run(t, "base-trusted-registry")
	// Without a list there is nothing to judge by, whatever the grade.
	cases{quiet: []string{built(`image = "quay.io/acme/root:1.2"`)}}.run(t, "base-trusted-registry")
	cases{grade: rules.Grade{Set: true}, quiet: []string{built(`image = "quay.io/acme/root:1.2"`)}}.run(t, "base-trusted-registry")
}

func TestRunNetworkDeclared(t *testing.T) {
	t.Parallel()
	step := func(network string) string {
		return "run {\n    command = [\"/x\"]\n    " + network + "\n  }"
	}
	cases{
		grade: rules.Grade{Set: true, Severity: diag.Error},
		fires: []string{
			step(`network = «"outbound"»`),
			`stage "deps" {
  from = scratch
  ` + step(`network = «"outbound"»`) + `
}
image "web" {
  from = scratch
  run_as = "1"
  copy {
    from = stage.deps
    source = "/x"
    to = "/x"
  }
}
`,
			`variable "net" {
  type = string
  default = "outbound"
}
` + `image "web" {
  from = scratch
  run_as = "1"
  ` + step(`network = «var.net»`) + "\n}\n",
		},
		quiet: []string{
			step(`network = "none"`), step(""), step(`env = { network = "outbound" }`),
			`stage "unused" {
  from = scratch
  ` + step(`network = "outbound"`) + "\n}\n" + whole(""),
		},
	}.run(t, "run-network-declared")
	cases{quiet: []string{step(`network = "outbound"`)}}.run(t, "run-network-declared") // off by itself
}

func TestMetadataRequired(t *testing.T) {
	t.Parallel()
	cases{
		severity: diag.Info, release: diag.Info,
		grade: of("labels", "org.opencontainers.image.source", "com.example.owner"),
		fires: []string{
			`«image "web"» {
  from = scratch
  run_as = "1"
}
`,
			`«image "web"» {
  from = scratch
  run_as = "1"
  platforms = ["linux/amd64", "linux/arm64"]
  labels = { "com.example.owner" = "shop", "org.opencontainers.image.source" = null }
}
`,
			`«image "web"» {
  from = scratch
  run_as = "1"
  labels = { "com.example.owner" = " ", "org.opencontainers.image.source" = "https://git.example.com/x" }
}
`,
			// What describes the image below describes another.
			`image "below" {
  from = scratch
  run_as = "1"
  labels = { "com.example.owner" = "shop", "org.opencontainers.image.source" = "https://git.example.com/x" }
}
«image "web"» {
  from = image.below
}
`,
		},
		quiet: []string{
			`labels = { "com.example.owner" = "shop", "org.opencontainers.image.source" = "https://git.example.com/x", "com.example.other" = "x" }`,
			`labels = { "com.example.owner" = "shop" }
  annotations = { "org.opencontainers.image.source" = "https://git.example.com/x" }`,
			`labels = { "com.example.owner" = "shop" }
  stamp = { "org.opencontainers.image.source" = "https://git.example.com/x" }`,
			`image "below" {
  from = scratch
  run_as = "1"
  labels = { "com.example.owner" = "shop", "org.opencontainers.image.source" = "https://git.example.com/x" }
}
image "web" {
  from = image.below
  labels = { "org.opencontainers.image.source" = "https://git.example.com/y" }
}
`,
		},
	}.run(t, "metadata-required")
	cases{
		severity: diag.Info, release: diag.Info,
		grade: rules.Grade{Lists: map[string][]string{"labels": {"com.example.owner"}, "allow": {"com.example.", "org.opencontainers.image."}}},
		fires: []string{`labels = { "com.example.owner" = "shop", maintainer = «"x"» }`},
		quiet: []string{
			`labels = { "com.example.owner" = "shop", "com.example.more" = "x" }`,
			`labels = { "com.example.owner" = "shop", "org.opencontainers.image.title" = "x" }`,
			`labels = { "com.example.owner" = "shop", maintainer = null }`,
		},
	}.run(t, "metadata-required")
	// A base that no lock describes may hand it down.
	cases{
		unlocked: true, grade: of("labels", "com.example.owner"),
		quiet: []string{built(`image = "root:1.2"`)},
	}.run(t, "metadata-required")
}
