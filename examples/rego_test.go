package examples_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// opa is OPA's packages behind tools/opa, in a module of their own.
type opa struct{ program string }

func newOPA(t *testing.T) opa {
	t.Helper()
	program := filepath.Join(t.TempDir(), "opa")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-C", filepath.Join("..", "tools", "opa"), "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building tools/opa: %v\n%s", err, text)
	}
	return opa{program}
}

func (o opa) run(t *testing.T, args ...string) string {
	t.Helper()
	text, err := exec.CommandContext(t.Context(), o.program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("opa %s: %v\n%s", strings.Join(args, " "), err, text)
	}
	return string(text)
}

// deniedSpec breaks both policies of examples/rego, once each; what is waived
// or not a rule of specbuild's own plans nevertheless.
const deniedSpec = `
base "os" {
  layout = "os"
}
stage "fetched" {
  from = base.os
  run {
    command = ["/bin/fetch"]
    network = "outbound"
  }
}
image "bad" {
  from   = base.os
  run_as = "0:0"
  run {
    command = ["/bin/fetch"]
    network = "outbound"
  }
}
image "good" {
  from   = base.os
  run_as = "10001:10001"
  copy {
    from   = stage.fetched
    source = "/fetched"
    to     = "/srv/"
  }
  run {
    command = ["/bin/true"]
  }
}
waiver {
  rule    = "final-user-non-root"
  address = "image.bad"
  reason  = "to be denied by another policy"
  owner   = "us"
  expires = "2099-12-31"
}
`

// TestRego judges plans as the program makes them by the policies of
// examples/rego, and runs their tests.
func TestRego(t *testing.T) {
	t.Parallel()
	l, o := newLab(t), newOPA(t)
	if out := o.run(t, "test", "rego"); strings.Count(out, ": PASS") < 10 {
		t.Errorf("the tests of the policies are few:\n%s", out)
	}

	dir := t.TempDir()
	for name, text := range map[string]string{
		".git/HEAD": "", "image.hcl": deniedSpec,
		"below/image.hcl": "image \"os\" {\n  from   = scratch\n  run_as = \"1:1\"\n  file {\n    path    = \"/bin/true\"\n    content = \"\"\n  }\n}\n",
	} {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l.run(t, dir, "apply", "--locked=false", "-o", "oci:os", "below/image.hcl")
	deny := func(targets ...string) string {
		plan := filepath.Join(t.TempDir(), "plan.json")
		args := []string{"plan", "--json", "--locked=false", "image.hcl"}
		for _, target := range targets {
			args = append(args, "--target", target)
		}
		if err := os.WriteFile(plan, []byte(l.run(t, dir, args...).stdout), 0o644); err != nil {
			t.Fatal(err)
		}
		return o.run(t, "deny", "rego", plan)
	}
	want := `image.hcl:12:1: //:image.bad runs as root on linux/amd64
image.hcl:15:3: //:image.bad has a step with the network "outbound"; let a stage fetch, and copy from it
`
	if got := strings.ReplaceAll(deny(), "linux/arm64", "linux/amd64"); got != want {
		t.Errorf("denied is\n%swant\n%s", got, want)
	}
	if got := deny("image.good"); got != "" {
		t.Errorf("a good image is denied:\n%s", got)
	}
}
