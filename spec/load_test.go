package spec

import (
	"context"
	"testing"

	"github.com/specbuild/specbuild/spec/diag"
)

var (
	amd64 = Platform{OS: "linux", Arch: "amd64"}
	arm64 = Platform{OS: "linux", Arch: "arm64"}
)

// mustLoad loads a folder and fails on any diagnostic.
func mustLoad(t *testing.T, opts Options) *Spec {
	t.Helper()
	opts.Build = amd64
	s, l := Load(context.Background(), opts)
	noDiagnostics(t, l)
	if s == nil {
		t.Fatal("no spec")
	}
	return s
}

func noDiagnostics(t *testing.T, l diag.List) {
	t.Helper()
	for _, d := range l.Sorted() {
		t.Errorf("%s: %s: %s", d.Range, d.Summary, d.Detail)
	}
	if len(l) > 0 {
		t.FailNow()
	}
}

// mustAt evaluates a body and fails on any diagnostic.
func mustAt(t *testing.T, s *Spec, addr Addr, target Platform) *Body {
	t.Helper()
	b, l := s.At(addr, target)
	noDiagnostics(t, l)
	if b == nil {
		t.Fatalf("no body of %s", addr)
	}
	return b
}

// The first example of the language is right as it stands there.
func TestLanguageExample(t *testing.T) {
	t.Parallel()
	s := mustLoad(t, Options{Dir: "testdata/checkout", Version: "0.1.0"})
	if len(s.Selected) != 1 || s.Selected[0].Local() != "image.checkout" {
		t.Fatalf("selected: %v", s.Selected)
	}
	for _, target := range []Platform{amd64, arm64} {
		b := mustAt(t, s, Addr{Module: s.Selected[0].Module, Kind: KindStage, Name: "build"}, target)
		run, ok := b.Steps[3].(*Run)
		if !ok {
			t.Fatalf("step 3 is %T", b.Steps[3])
		}
		if got := run.Env[1]; got.Name != "GOARCH" || got.Value != target.Arch {
			t.Errorf("for %s: %+v", target, got)
		}
		if b.Platform.V != amd64 {
			t.Errorf("the stage runs on %s, not on the building machine", b.Platform.V)
		}
	}
}
