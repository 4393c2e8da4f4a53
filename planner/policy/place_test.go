package policy_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/planner/policy"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
)

// TestAnInstanceIsNoBase holds that what is found at an instance, or at a step
// of it, is found there and not at the base that it is built on or copies from:
// a waiver of the base would set it aside.
func TestAnInstanceIsNoBase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{".git/HEAD": "", "image.hcl": `base "os" {
  image = "registry.example.com/base/os:1"
}
image "web" {
  from   = base.os
  run_as = "1:1"
  copy {
    from   = base.os
    source = "/x"
    to     = "/y"
  }
}
`} {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sp, ds := spec.Load(context.Background(), spec.Options{Dir: dir, Build: spec.Platform{OS: "linux", Arch: "amd64"}})
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	body, _ := sp.At(sp.Images[0].Addr, spec.Platform{OS: "linux", Arch: "amd64"})
	base := planner.Source{Base: &planner.BasePin{Addr: "//:base.os", Ref: "registry.example.com/base/os:1"}}
	plan := &planner.Plan{Instances: []planner.Instance{{
		ID: "//:image.web@linux/amd64", Addr: "//:image.web", Range: body.Range, From: base,
		Steps: []planner.Step{{Range: body.Steps[0].Where(), Copy: &planner.Copy{From: base, To: "/y"}}},
	}}}
	set, ds := policy.Read([]policy.File{{Name: "a.policy.hcl", Text: []byte(`policy "a" {
  rule "instance" {
    for_each  = plan.instances
    condition = each.value.from.base.address == ""
    message   = "x"
  }
  rule "step" {
    for_each  = plan.instances["//:image.web@linux/amd64"].steps
    condition = each.value.copy.from.base.ref == ""
    message   = "x"
  }
  rule "base" {
    for_each  = spec.bases
    condition = false
    message   = "x"
  }
}
`)}}, policy.ReadOptions{Plan: planner.Plan{}})
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	found := map[string]string{}
	for _, d := range set.Judge(rules.Facts{Spec: sp, Bases: []rules.Base{{Base: sp.Bases[0]}}, Plan: plan, Now: now}, policy.Options{}) {
		found[d.Code] = d.Address
	}
	for rule, want := range map[string]string{"instance": "//:image.web", "step": "//:image.web", "base": "//:base.os"} {
		if found[rule] != want {
			t.Errorf("%s is found at %q, not at %q", rule, found[rule], want)
		}
	}
}
