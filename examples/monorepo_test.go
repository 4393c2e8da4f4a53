package examples_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/schemas/schematest"
)

// TestMonorepo is what the workspace's CI does: its policies are tried, all
// eight specs judged, a plan saved, and that plan done; the last for the sites
// alone, since compiling Go is tried by another example.
func TestMonorepo(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	dir := filepath.Join(t.TempDir(), "monorepo")
	copyExample(t, "monorepo", dir)
	l.run(t, dir, "fmt", "--check", "./...")
	l.run(t, dir, "policy", "test", "policy")
	l.run(t, dir, "validate", "--locked=false", "./...").blameless(t, "[packages-pinned]")
	l.run(t, dir, "lock", "./...")
	l.run(t, dir, "validate", "--locked", "./...").blameless(t)

	schematest.NewPlan(t).Check(t, []byte(l.run(t, dir, "plan", "--json", "./...").stdout))
	l.run(t, dir, "plan", "--out", "images.plan", "sites/...")
	out := l.run(t, dir, "apply", "images.plan", "-o", "oci:out", "--json", "--progress=json")
	var result struct {
		Images []struct {
			Addr, Digest string
			Platforms    []struct{ Platform string }
		}
	}
	if err := json.Unmarshal([]byte(out.stdout), &result); err != nil {
		t.Fatal(err)
	}
	if len(result.Images) != 6 {
		t.Errorf("%d images were built", len(result.Images))
	}
	for _, img := range result.Images {
		if len(img.Platforms) != 2 {
			t.Errorf("%s is for %v", img.Addr, img.Platforms)
		}
	}
	unpacked := 0
	for _, title := range ran(t, out.stderr) {
		if strings.HasPrefix(title, "packages busybox-static") {
			unpacked++
		}
	}
	if unpacked != 2 {
		t.Errorf("the packages of six sites for two platforms were unpacked %d times", unpacked)
	}
	if again := l.run(t, dir, "plan", "sites/..."); !strings.Contains(again.stdout, "Nothing to do") {
		t.Errorf("after apply: %s", again.stdout)
	}

	// One page changes one image.
	page := filepath.Join(dir, "sites", "docs", "pages", "index.html")
	if err := os.WriteFile(page, []byte("<h1>other</h1>\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	changed := l.run(t, dir, "plan", "sites/...")
	if n := strings.Count(changed.stdout, "will run: pages/index.html changed"); n == 0 || n != strings.Count(changed.stdout, "will run:") {
		t.Errorf("after a page of docs: %s", changed.stdout)
	}
}
