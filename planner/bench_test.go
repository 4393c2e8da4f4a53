package planner_test

import (
	"fmt"
	"strings"
	"testing"
)

// monorepo is a spec of n images for two platforms, on five stages that they
// share and a base.
func monorepo(n int) string {
	var b strings.Builder
	b.WriteString("-- image.hcl --\n" + baseBlock)
	for i := range 5 {
		from := "base.debian"
		if i > 0 {
			from = fmt.Sprintf("stage.tools%d", i-1)
		}
		fmt.Fprintf(&b, `
stage "tools%d" {
  from     = %s
  platform = build.platform
  run {
    command = ["make", "tools%d"]
    cache   = ["/root/.cache"]
  }
}
`, i, from, i)
	}
	for i := range n {
		fmt.Fprintf(&b, `
image "service%d" {
  from      = base.debian
  platforms = ["linux/amd64", "linux/arm64"]
  tags      = ["registry.example.com/shop/service%d:1"]
  user "app" {
    uid = 10001
  }
  copy {
    from   = stage.tools%d
    source = "/out/tool"
    to     = "/usr/bin/tool"
  }
  copy {
    source = "config/%d.conf"
    to     = "/etc/service.conf"
  }
  run_as     = "app"
  env        = { PORT = "8080", ARCH = target.arch }
  entrypoint = ["/usr/bin/tool"]
}
`, i, i, i%5, i)
	}
	b.WriteString("-- specbuild.lock --\n" + debian)
	for i := range n {
		fmt.Fprintf(&b, "-- config/%d.conf --\n%d\n", i, i)
	}
	return b.String()
}

// BenchmarkMakeLower plans and lowers 200 images of two platforms: the first
// time bodies are evaluated too, which spec keeps; "again" is without that,
// "unchecked" without looking at files either.
func BenchmarkMakeLower(b *testing.B) {
	ar := parse(monorepo(200))
	b.Run("first", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			s := open(b, ar)
			b.StartTimer()
			s.make(b)
		}
	})
	s := open(b, ar)
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			s.make(b)
		}
	})
	s.in.Sources = nil
	b.Run("unchecked", func(b *testing.B) {
		for b.Loop() {
			s.make(b)
		}
	})
}

// What 200 images share is there once.
func TestSharing(t *testing.T) {
	t.Parallel()
	m := open(t, parse(monorepo(200))).make(t)
	kinds := map[string]int{}
	for _, n := range m.graph.Nodes {
		kinds[n.Op.Kind()]++
	}
	want := map[string]int{
		"base": 2, "run": 5, "files": 2, // of all
		"local": 200, "index": 200, "image": 400, // of each
		"copy": 2*5 + 2*200, // tools by five and two platforms, files by image and platform
	}
	for kind, n := range want {
		if kinds[kind] != n {
			t.Errorf("there are %d nodes %s, not %d", kinds[kind], kind, n)
		}
	}
}
