package spec_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/spec"
)

func loadConfig(t *testing.T, text string) (spec.Config, string, string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "config.hcl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, ds := spec.LoadConfig(path)
	var said strings.Builder
	for _, d := range ds {
		said.WriteString(d.Range.String() + ": " + d.Summary + ": " + d.Detail + "\n")
	}
	return c, dir, said.String()
}

func TestConfigOfTheUser(t *testing.T) {
	t.Parallel()
	c, dir, said := loadConfig(t, `
proxy = {
  https    = "http://proxy.example.com:3128"
  no_proxy = "localhost"
}
ca = "certs/ours.pem"
`)
	if said != "" || len(c.Proxy.V) != 2 || c.Proxy.V[0].Name != "https" || c.Proxy.V[1].Value != "localhost" {
		t.Errorf("%+v %s", c.Proxy.V, said)
	}
	if want := filepath.Join(dir, "certs/ours.pem"); c.CA.V != want {
		t.Errorf("ca is %q, want %q", c.CA.V, want)
	}
	if c, _, said := loadConfig(t, `ca = "~/x.pem"`); said != "" || c.CA.V != "~/x.pem" {
		t.Errorf("%q %s", c.CA.V, said)
	}
	if c, ds := spec.LoadConfig(filepath.Join(t.TempDir(), "none.hcl")); len(ds) > 0 || c.CA.Set || c.Proxy.Set {
		t.Errorf("a file that is not there: %+v %v", c, ds)
	}
}

func TestMistakesInTheConfigOfTheUser(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`proxi = {}`: `did you mean`,
		`proxy = { https = "socks9://u:hidden" }`: "a proxy is a URL",
		`proxy = { all = "http://x" }`:            `"all" is not known`,
		`proxy = "http://x"`:                      "is a map of http",
		`proxy = { http = var.x }`:                "config.hcl:1",
		`ca = file("x")`:                          "config.hcl:1",
		`ca = ""`:                                 "which is no path",
		`ca = [7]`:                                "config.hcl:1",
		"workspace {}":                            "config.hcl:1",
		`ca = `:                                   "config.hcl:",
	} {
		_, _, said := loadConfig(t, text+"\n")
		if !strings.Contains(strings.ToLower(said), strings.ToLower(want)) || strings.Contains(said, "hidden") || strings.Count(said, "\n") != 1 {
			t.Errorf("%s: want one %q, said %q", text, want, said)
		}
	}
}
