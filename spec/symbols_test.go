package spec

import (
	"fmt"
	"strings"
	"testing"
)

func TestSymbolsOfAFile(t *testing.T) {
	t.Parallel()
	dir := tree(t, `
-- specbuild.hcl --
base "go" {
  image = "docker.io/library/golang:1.25"
}
-- svc/image.hcl --
variable "v" {
  default     = ""
  description = "A version."
}
locals {
  a = 1
}
module "m" {
  source = "//lib"
}
module "k" {
  for_each = toset(["x"])
  source   = "//lib"
}
-- svc/more.image.hcl --
stage "s" {
  for_each = toset(["x"])
  from     = scratch
}
-- lib/image.hcl --
variable "hidden" {
  default = ""
}
image "app" {
  from = scratch
}
`)
	s := mustLoad(t, Options{Dir: dir, Args: []string{"svc"}})
	var got strings.Builder
	for _, sym := range s.Symbols("svc/image.hcl") {
		fmt.Fprintf(&got, "%s %s %s %t %s\n", sym.Name, sym.Kind, sym.Range, sym.Keyed, sym.Doc)
	}
	want := `context.default context  false The module's own folder.
local.a local svc/image.hcl:6:3 false 
module.k module svc/image.hcl:11:1 true 
module.k["x"].image.app image lib/image.hcl:4:1 false 
module.m module svc/image.hcl:8:1 false 
module.m.image.app image lib/image.hcl:4:1 false 
stage.s stage svc/more.image.hcl:1:1 true 
var.v variable svc/image.hcl:1:1 false A version.
workspace.base.go base specbuild.hcl:1:1 false 
`
	if got.String() != want {
		t.Errorf("symbols:\n%swant:\n%s", got.String(), want)
	}
	if s.Symbols("nowhere") != nil {
		t.Error("a file that was not read has symbols")
	}
}
