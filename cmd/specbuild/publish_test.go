package main

import (
	"testing"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/lower/dag"
)

func TestLayoutNames(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"//:image.only":                                            "only",
		`//:image.web["eu.west-1"]`:                                "web-eu.west-1",
		"//services/a:image.app":                                   "services/a/app",
		"//services/b:image.app":                                   "services/b/app",
		`//services/a:module.svc["EU x"].image.service`:            "services/a/svc-eu-x/service",
		`//services/a:module.svc["us"].module.inner.image.service`: "services/a/svc-us/inner/service",
		"//services/a:stage.tool":                                  "tool",
	}
	var results []engine.Result
	for addr := range want {
		results = append(results, engine.Result{Output: dag.Output{Addr: addr}})
	}
	for addr, got := range layoutNames(results) {
		if got != want[addr] {
			t.Errorf("%s is called %q, want %q", addr, got, want[addr])
		}
	}
}
