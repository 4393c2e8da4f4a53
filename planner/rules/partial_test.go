package rules_test

import (
	"context"
	"testing"

	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// TestUnknownValues holds that what a variable without a value decides is
// judged only when it has one: `validate` and editors ask before that.
func TestUnknownValues(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, ".git/HEAD", "")
	write(t, dir, "image.hcl", `
variable "v" {
  type = string
}
variable "n" {
  type = number
}
stage "s" {
  from     = scratch
  env      = { API_KEY = var.v, A = "x" }
  run {
    script = "sudo ${var.v}"
  }
  run {
    command = ["sh", "-c", var.v]
    env     = { PASSWORD = var.v }
  }
  run {
    command = ["sudo", var.v]
  }
  file {
    path    = "/etc/shadow"
    content = var.v
  }
}
image "web" {
  from    = stage.s
  run_as  = "1"
  expose  = [var.n, 22]
  volumes = ["/etc", var.v]
  tags    = ["web:${var.v}"]
}
waiver {
  rule    = "no-sudo"
  address = "stage.s"
  reason  = var.v
  owner   = "x"
  expires = var.v
}
`)
	sp, ds := spec.Load(context.Background(), spec.Options{Dir: dir, Partial: true, Build: spec.Platform{OS: "linux", Arch: "amd64"}, Version: "0.1.0"})
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	asked := false
	_, ds = planner.Unpinned(context.Background(), planner.Input{Spec: sp, Judge: func(f rules.Facts) diag.List {
		asked = len(f.Instances) == 2
		f.Unlocked = true
		return rules.Judge(f)
	}})
	if len(ds) > 0 || !asked {
		t.Errorf("asked %v: %v", asked, ds)
	}
}
