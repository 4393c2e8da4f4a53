package spec

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/specbuild/specbuild/spec/diag"
)

func TestVariables(t *testing.T) {
	t.Parallel()
	dir := tree(t, `
-- .git/HEAD --
-- specbuild.hcl --
variable "team" {
  default = "shop"
}
-- image.hcl --
variable "version" {
  description = "The version."
  type        = string
}
variable "regions" {
  type    = map(object({
    name = string
  }))
  default = {
    eu = { name = "Europe" }
  }
}
module "svc" {
  source = "//svc"
  inner  = "x"
}
-- b.image.yaml --
variable:
  size: {type: number, default: 3, description: How large.}
-- svc/image.hcl --
variable "inner" {
}
`)
	s := mustLoad(t, Options{Dir: dir, Partial: true})
	want := []VariableDecl{
		{Module: "//", Name: "regions", Type: "map(object({ name = string }))", Default: `{ eu = { name = "Europe" } }`},
		{Module: "//", Name: "size", Type: "number", Default: "3", Description: "How large."},
		{Module: "//", Name: "version", Type: "string", Description: "The version.", Required: true},
		{Module: "workspace", Name: "team", Default: `"shop"`},
	}
	got := s.Variables()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreTypes(diag.Range{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if r := got[0].Range; r.Start.Line != 5 {
		t.Errorf("regions stands at %s", r)
	}
}
