package spec

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestAtIsPure(t *testing.T) {
	t.Parallel()
	s := mustLoad(t, Options{Dir: "testdata/checkout"})
	addr := Addr{Module: s.Selected[0].Module, Kind: KindStage, Name: "build"} // which mentions target
	first := mustAt(t, s, addr, amd64)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, target := range []Platform{arm64, amd64} {
				if b, l := s.At(addr, target); b == nil || len(l) > 0 || (target == amd64) != (b == first) {
					t.Errorf("for %s: %p, first %p, %v", target, b, first, l)
				}
			}
		})
	}
	wg.Wait()
}

// What mentions no target is one body for all.
func TestAtEvaluatesOnceWhatIsTheSame(t *testing.T) {
	t.Parallel()
	s := mustLoad(t, Options{Dir: "testdata/checkout"})
	if a, b := mustAt(t, s, s.Selected[0], amd64), mustAt(t, s, s.Selected[0], arm64); a != b {
		t.Error("a body without target was evaluated twice")
	}
}

// A mistake that only one target makes is found by At for that target, names
// it, and is no mistake for another.
func TestAtFindsWhatDependsOnTheTarget(t *testing.T) {
	t.Parallel()
	dir := tree(t, `
-- image.hcl --
locals {
  mode = { amd64 = "0755", arm64 = "rwx" }[target.arch]
}
image "i" {
  from = scratch
  file {
    path    = "/a"
    content = "a"
    mode    = local.mode
  }
  run {
    command = ["true"]
    outputs = [target.arch == "amd64" ? "/x" : "/x/../y"]
  }
}
`)
	s := mustLoad(t, Options{Dir: dir})
	mustAt(t, s, s.Selected[0], amd64)
	for range 2 {
		b, l := s.At(s.Selected[0], arm64)
		if b != nil || len(l) != 2 {
			t.Fatalf("body %v, %d mistakes", b, len(l))
		}
		for _, d := range l {
			if !strings.Contains(d.Detail, "(For the target linux/arm64.)") {
				t.Errorf("%s: %s", d.Range, d.Detail)
			}
		}
	}
}

// What Load said is not said again, and a body with mistakes is not given.
func TestAtDoesNotRepeatLoad(t *testing.T) {
	t.Parallel()
	dir := tree(t, "-- image.hcl --\nimage \"i\" {\n  from = base.none\n}\nimage \"j\" {\n  from = scratch\n}\n")
	s, l := Load(context.Background(), Options{Dir: dir, Build: amd64})
	if len(l) != 1 {
		t.Fatalf("%d mistakes", len(l))
	}
	if b, again := s.At(s.Images[0].Addr, amd64); b != nil || len(again) > 0 {
		t.Errorf("body %v, mistakes %v", b, again)
	}
	mustAt(t, s, s.Images[1].Addr, amd64)
}

func TestAtUnknownAddress(t *testing.T) {
	t.Parallel()
	s := mustLoad(t, Options{Dir: "testdata/checkout"})
	module := s.Selected[0].Module
	for _, a := range []Addr{
		{}, {Module: module, Kind: KindStage, Name: "none"}, {Module: module, Kind: KindBase, Name: "go"},
		{Module: "//elsewhere", Kind: KindImage, Name: "checkout"},
		{Module: module, Kind: KindImage, Name: "checkout", Key: "k"},
	} {
		if b, l := s.At(a, amd64); b != nil || len(l) != 1 || l[0].Summary != "Unknown address" {
			t.Errorf("%s: %v %v", a, b, l)
		}
	}
}

func TestCancelledLoad(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if s, _ := Load(ctx, Options{Dir: "testdata/checkout"}); s != nil {
		t.Error("a spec in spite of the cancelled context")
	}
}

// Whatever the bytes are, Load answers with diagnostics that have a place and
// say something, and evaluates what it accepts for any target.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/invalid/*.hcl", "testdata/checkout/*.hcl", "testdata/body/*.txtar"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("no files %s: %v", pattern, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			_, text, _ := strings.Cut(string(data), "-- image.hcl --\n")
			text, _, _ = strings.Cut(text, "-- want/")
			if text == "" {
				text = string(data)
			}
			f.Add([]byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) { loadAnything(t, "image.hcl", data) })
}

// The same in the other syntax.
func FuzzLoadYAML(f *testing.F) {
	for _, pattern := range []string{"testdata/invalid/*.yaml", "../examples/*/yaml/image.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("no files %s: %v", pattern, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) { loadAnything(t, "image.yaml", data) })
}

// loadAnything loads a spec of any bytes: each mistake has a place and words.
func loadAnything(t *testing.T, name string, data []byte) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, partial := range []bool{false, true} {
		s, l := Load(context.Background(), Options{Dir: dir, Build: amd64, Version: "0.1.0", Partial: partial})
		for _, d := range l {
			if d.Summary == "" || d.Detail == "" || d.Range.IsZero() {
				t.Errorf("%s: %q: %q", d.Range, d.Summary, d.Detail)
			}
		}
		if s == nil {
			continue
		}
		for _, i := range s.Images {
			_, more := s.At(i.Addr, arm64)
			if len(l) == 0 && len(more) > 0 && !strings.Contains(string(data), "target") {
				t.Errorf("found only for a target: %v", more)
			}
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, l := Load(context.Background(), Options{Dir: "testdata/checkout", Build: amd64}); len(l) > 0 {
			b.Fatal(l)
		}
	}
}

// A file is judged while it is typed: 10 ms in process is the budget, of
// which this one, thirty times a usual file, may take all.
func BenchmarkLoad200Stages(b *testing.B) {
	var text strings.Builder
	for i := range 200 {
		fmt.Fprintf(&text, `
stage "s%d" {
  from = %s
  run {
    command = ["make", "-j", "4"]
    env     = { A = target.arch, B = local.b }
  }
}
`, i, []string{"scratch", "stage.s0"}[min(i, 1)])
	}
	dir := b.TempDir()
	text.WriteString("locals {\n  b = \"b\"\n}\n")
	if err := os.WriteFile(filepath.Join(dir, "image.hcl"), []byte(text.String()), 0o644); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, l := Load(context.Background(), Options{Dir: dir, Build: amd64}); len(l) > 0 {
			b.Fatal(l)
		}
	}
}
