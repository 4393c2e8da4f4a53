package rules_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec/diag"
)

// oci are labels of the OCI image-spec with values that are wrong, and right.
var oci = map[string]struct{ wrong, right []string }{
	"created": {
		[]string{"yesterday", "2026-03-31", "2026-03-31 12:00:00", "1767225600", ""},
		[]string{"2026-03-31T12:00:00Z", "2026-03-31T12:00:00.5+02:00"},
	},
	"url":           {[]string{"example.com", "", "/x", "https://", "see the wiki"}, []string{"https://example.com", "http://example.com/a?b=c#d"}},
	"documentation": {[]string{"docs/README.md"}, []string{"https://example.com/docs"}},
	"source":        {[]string{"git@github.com:acme/web.git", "acme/web"}, []string{"https://github.com/acme/web", "git+ssh://git@example.com/x", "ssh://git@example.com:22/x.git"}},
	"authors": {
		[]string{"Jane <jane@>", "A <a@example.com>, B <b at@example.com>", ""},
		[]string{"Jane", "Jane Doe <jane@example.com>", "team-shop", "https://example.com/team", "a <jane at example dot com>", "A <a@example.com>, B <b@example.com>"},
	},
	"revision": {[]string{"", "$GIT_SHA", "not known yet"}, []string{"8f1d4c3", "8f1d4c3b5a6e7f8091a2b3c4d5e6f70819203142", "r1234", "v1.2.3-4-g8f1d4c3"}},
	"licenses": {
		[]string{"Apache", "Apache 2.0", "MIT, BSD", "GPLv3", "MIT AND", "(MIT OR Apache-2.0", "GPL-2.0-only WITH Apache-2.0", "WITH", "MIT)", "+", "+Classpath-exception-2.0", ""},
		[]string{
			"MIT", "mit", "Apache-2.0", "MIT OR Apache-2.0", "GPL-2.0-or-later", "GPL-2.0+", "GPL-2.0-only WITH Classpath-exception-2.0", "EPL-1.0+",
			"(MIT AND BSD-3-Clause) OR LicenseRef-acme", "LicenseRef-proprietary", "NOASSERTION", "Apache-2.0 AND (MIT OR (Zlib))",
		},
	},
	"base.digest": {[]string{"sha256:abc", "", "latest"}, []string{digest('a'), "sha512:" + strings.Repeat("a", 128)}},
	"version":     {[]string{"", " "}, []string{"1.2.3", "trixie", "2026-03", "4:14.2.0-1"}},
	"title":       {[]string{""}, []string{"A shop: cheap & good"}},
}

func TestMetadataValid(t *testing.T) {
	t.Parallel()
	c := cases{severity: diag.Warning, release: diag.Warning}
	for key, values := range oci {
		for _, v := range values.wrong {
			c.fires = append(c.fires, `labels = { "org.opencontainers.image.`+key+`" = «`+quoted(v)+`» }`)
		}
		for _, v := range values.right {
			c.quiet = append(c.quiet, `labels = { "org.opencontainers.image.`+key+`" = `+quoted(v)+` }`)
		}
	}
	c.fires = append(c.fires,
		`annotations = { "org.opencontainers.image.created" = «"now"» }`,
		`stamp = { "org.opencontainers.image.created" = «"now"» }`,
		`labels = { "org.opencontainers.image.licence" = «"MIT"» }`, // did you mean
		`labels = { "org.opencontainers.image.team" = «"x"» }`,      // nobody else's name space
		`labels = { "my=label" = «"x"» }`,
	)
	c.quiet = append(c.quiet,
		`labels = { maintainer = "not an address", created = "yesterday", licenses = "ours" }`,
		`labels = { "org.label-schema.url" = "x", "io.k8s.display-name" = "My Web", "com.example/x" = "", "org.opencontainers.other" = "" }`,
		`labels = { "org.opencontainers.image.created" = null }`,
		`env = { "CREATED" = "yesterday" }`,
	)
	c.run(t, "metadata-valid")
	ds := (&judgement{}).judge(t, whole(`labels = { "org.opencontainers.image.licence" = "MIT", "org.opencontainers.image.licenses" = "Apache2" }`))
	if len(ds) != 2 || !strings.Contains(ds[0].Detail, "(did you mean licenses?)") || !strings.Contains(ds[1].Detail, "(did you mean Apache-2.0?)") {
		t.Errorf("%+v", ds)
	}
}

func quoted(s string) string { return `"` + s + `"` }

func TestPublishRegistryExplicit(t *testing.T) {
	t.Parallel()
	cases{
		fires: []string{
			`tags = [«"web:1.2"»]`,
			`tags = [«"acme/web:1.2"», "docker.io/acme/web:1.2"]`,
			`tags = ["registry.example.com/web:1.2", «"web:1.3"»]`,
			`variable "v" {
  type = string
  default = "1.2"
}
image "web" {
  from = scratch
  run_as = "1"
  tags = «["acme/web:${var.v}"]»
}
`,
		},
		quiet: []string{
			`tags = ["docker.io/acme/web:1.2"]`, `tags = ["localhost/web:1.2"]`, `tags = ["localhost:5000/web:1.2"]`,
			`tags = ["registry.example.com/web:1.2"]`, `tags = ["host:5000/web:1.2"]`, `tags = []`,
			`labels = { tags = "web:1.2" }`,
		},
	}.run(t, "publish-registry-explicit")
}

// TestAttestationsOn: the flag is told at each image that is pushed.
func TestAttestationsOn(t *testing.T) {
	t.Parallel()
	const image = `image %q {
  from   = scratch
  run_as = "1"
  %s
}
`
	tagged, plain := fmt.Sprintf(image, "a", `tags = ["registry.example.com/a:1.2"]`), fmt.Sprintf(image, "b", "")
	waiver := `waiver {
  rule    = "attestations-on"
  address = "image.a"
  reason  = "they are made by the pipeline"
  owner   = "team"
  expires = "2099-12-31"
}
`
	off := map[string]rules.Grade{"attestations-on": {Set: true, Off: true}}
	for name, tt := range map[string]struct {
		j     judgement
		text  string
		fires bool
	}{
		// fires: attestations-on
		// quiet: attestations-on (the four below)
		// quiet: attestations-on
		// quiet: attestations-on
		// quiet: attestations-on
		"not attested":      {judgement{pushed: true}, tagged + plain, true},
		"attested":          {judgement{}, tagged, false},
		"nothing is pushed": {judgement{pushed: true}, plain, false},
		"waived":            {judgement{pushed: true}, tagged + waiver, false},
		"off":               {judgement{pushed: true, grades: off}, tagged, false},
	} {
		var got []diag.Diagnostic
		for _, d := range tt.j.judge(t, tt.text) {
			if d.Code == "attestations-on" {
				got = append(got, d)
			}
		}
		if fires := len(got) == 1 && got[0].Severity == diag.Warning && got[0].Range.Start.Line == 1; fires != tt.fires || !fires && len(got) > 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestHealthcheckDecided(t *testing.T) {
	t.Parallel()
	cases{
		severity: diag.Info, release: diag.Info,
		fires: []string{
			`expose = «[8080]»`, `expose = «["53000/udp"]»`,
			`base "b" {
  image = "ssh:1.2"
}
image "web" {
  from = base.b
  expose = «[8080]»
}
`,
			`stage "s" {
  from = scratch
}
image "web" {
  from = stage.s
  run_as = "1"
  expose = «[8080]»
}
`,
		},
		quiet: []string{
			"", `expose = []`,
			`expose = [8080]
  healthcheck {
    none = true
  }`,
			`expose = [8080]
  healthcheck {
    command = ["/x"]
  }`,
			`base "b" {
  image = "healthy:1.2"
}
image "web" {
  from = base.b
  run_as = "1"
  expose = [8080]
}
`,
			`image "below" {
  from = scratch
  run_as = "1"
  expose = [8080]
  healthcheck {
    none = true
  }
}
image "web" {
  from = image.below
}
`,
		},
	}.run(t, "healthcheck-decided")
	// What a base says that no lock describes, nobody knows.
	cases{unlocked: true, quiet: []string{strings.ReplaceAll(built(`image = "healthy:1.2"`), "run_as = \"1\"", "run_as = \"1\"\n  expose = [8080]")}}.run(t, "healthcheck-decided")
}
