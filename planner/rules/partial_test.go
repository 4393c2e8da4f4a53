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

// TestUnknownLabels holds that a required label whose value a variable gives
// is not missing while that has none, and is when it is empty.
func TestUnknownLabels(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		variable, body string
		fires          bool
	}{
		"a value":           {"", `labels = { team = var.v }`, false},
		"the whole map":     {"", `labels = { (var.v) = "shop" }`, false},
		"an annotation":     {"", `annotations = { team = "${var.v}-x" }`, false},
		"another attribute": {"", `env = { TEAM = var.v }`, true},
		"empty":             {`default = ""`, `labels = { team = var.v }`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, ".git/HEAD", "")
			write(t, dir, "image.hcl", "variable \"v\" {\n  type = string\n  "+tc.variable+"\n}\n"+whole(tc.body))
			sp, ds := spec.Load(context.Background(), spec.Options{Dir: dir, Partial: true, Build: spec.Platform{OS: "linux", Arch: "amd64"}, Version: "0.1.0"})
			if len(ds) > 0 {
				t.Fatal(ds)
			}
			_, ds = planner.Unpinned(context.Background(), planner.Input{Spec: sp, Judge: func(f rules.Facts) diag.List {
				f.Unlocked, f.Grades = true, map[string]rules.Grade{"metadata-required": of("labels", "team")}
				return rules.Judge(f)
			}})
			if fired := len(ds) == 1 && ds[0].Code == "metadata-required"; fired != tc.fires || !fired && len(ds) > 0 {
				t.Errorf("%+v", ds)
			}
		})
	}
}
