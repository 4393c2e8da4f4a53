package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/specbuild/specbuild/schemas/schematest"
)

// judged is a workspace with everything that judges say of a plan: a warning,
// a policy, a finding that a waiver sets aside, and one that is overridden.
const judged = `
-- .git/HEAD --
-- specbuild.hcl --
workspace {
  name   = "shop"
  policy = ["//own.policy.hcl"]
}
-- own.policy.hcl --
policy "own" {
  enforcement = "soft"
  rule "described" {
    for_each  = plan.images
    condition = try(plan.instances[each.value.platforms[0].instance].config.labels["team"], "") != ""
    message   = "${each.key} has no team"
  }
}
-- token --
t0k3n-of-eight
-- image.hcl --
secret "token" {
  file = "token"
}
base "os" {
  layout = "base"
}
image "web" {
  from   = base.os
  run_as = "0:0"
  run {
    script  = "busybox true"
    network = "outbound"
    mount "secret" {
      secret = secret.token
    }
  }
  copy {
    source = "image.txt"
    to     = "/srv/"
  }
}
waiver {
  rule    = "final-user-non-root"
  address = "image.web"
  reason  = "it binds a raw socket"
  owner   = "team-net"
  expires = "2099-12-31"
}
-- image.txt --
hello
-- base/image.hcl --
image "os" {
  from   = scratch
  run_as = "1:1"
  file {
    path    = "/etc/release"
    content = "1\n"
  }
}
`

// in writes files into a folder, which the program runs in.
func in(t *testing.T, archive string) func(args ...string) (int, string, string) {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		full := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	return func(args ...string) (int, string, string) {
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), append(args, "--cache-dir", filepath.Join(dir, ".cache"), "--progress", "quiet"), &stdout, &stderr)
		return code, stdout.String(), stderr.String()
	}
}

func TestPlanJSON(t *testing.T) {
	do := in(t, judged)
	if code, _, stderr := do("apply", "--locked=false", "--override", "described", "--reason", "for now", "base/image.hcl", "-o", "oci:base"); code != 0 {
		t.Fatal(stderr)
	}
	code, stdout, stderr := do("plan", "--json", "--locked=false", "--override", "described", "--reason", "for now", "image.hcl")
	if code != 0 {
		t.Fatalf("plan --json: %d\n%s", code, stderr)
	}
	schematest.NewPlan(t).Check(t, []byte(stdout))
	var plan struct {
		Lock     []struct{ What string }
		Policies []struct{ Name, Enforcement, Range string }
		Findings []struct{ Severity, Rule, Range string }
		SetAside []struct {
			Finding       struct{ Rule, Address string }
			Reason, Owner string
		}
		Steps     []struct{ Op, State, Reason string }
		Instances []struct {
			From   struct{ Base struct{ Ref string } }
			Config struct{ User string }
		}
		Secrets []struct{ File string }
	}
	if err := json.Unmarshal([]byte(stdout), &plan); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%+v", plan)
	for _, want := range []string{
		"{Name:own Enforcement:soft Range:own.policy.hcl:1:1}",
		"{Severity:warning Rule:described Range:image.hcl:7:1}",
		"{Finding:{Rule:final-user-non-root Address://:image.web} Reason:it binds a raw socket Owner:team-net}",
		"{Finding:{Rule:described Address://:image.web} Reason:for now Owner:}",
		"{Op:run State:run Reason:not built here before}",
		"{Op:copy State:unknown Reason:known after image.web: run /bin/sh -eu -c busybox true}",
		"{From:{Base:{Ref:layout:base}} Config:{User:0:0}}",
		"{File://token}",
		"base layout:base",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %s in\n%s", want, got)
		}
	}
	if strings.Contains(stdout, "t0k3n") {
		t.Errorf("the secret is in the plan:\n%s", stdout)
	}
}

// TestDetailedExitcode: 0 is nothing to do, 2 something, and what goes wrong is
// neither, so that CI can tell them apart; without the flag a plan that could
// be made is 0.
func TestDetailedExitcode(t *testing.T) {
	do := in(t, `
-- .git/HEAD --
-- specbuild.hcl --
-- image.hcl --
image "x" {
  from   = scratch
  run_as = "1:1"
  copy {
    source = "x.txt"
    to     = "/"
  }
}
-- x.txt --
x
-- file --
-- wrong/image.hcl --
image "x" {
  from = nothing
}
`)
	for _, step := range []struct {
		what string
		args []string
		want int
	}{
		{"something to do", []string{"plan", "--detailed-exitcode"}, 2},
		{"something to do, as JSON", []string{"plan", "--detailed-exitcode", "--json"}, 2},
		{"something to do, saved", []string{"plan", "--detailed-exitcode", "--out", "x.plan"}, 2},
		{"something to do, not asked", []string{"plan"}, 0},
		{"it is done", []string{"apply"}, 0},
		{"nothing to do", []string{"plan", "--detailed-exitcode"}, 0},
		{"every step again", []string{"plan", "--detailed-exitcode", "--no-cache"}, 2},
		{"a mistake in the spec", []string{"plan", "--detailed-exitcode", "wrong"}, 3},
		{"no place for the plan", []string{"plan", "--detailed-exitcode", "--out", "file/x.plan"}, 1},
		{"a mistake on the command line", []string{"plan", "--detailed-exit-code"}, 64},
	} {
		if got, _, stderr := do(step.args...); got != step.want {
			t.Errorf("%s: specbuild %s ends with %d, want %d\n%s", step.what, strings.Join(step.args, " "), got, step.want, stderr)
		}
	}
}
