//go:build linux

package acceptance

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// counts are a plan's steps by what becomes of them.
func (p *project) counts(args ...string) map[string]int {
	p.t.Helper()
	r := p.ok(append([]string{"plan", "--json"}, args...)...)
	var plan struct {
		Steps []struct{ Name, Title, State string }
	}
	if err := json.Unmarshal([]byte(r.stdout), &plan); err != nil {
		p.t.Fatalf("plan --json: %v\n%s", err, r.stdout)
	}
	got := map[string]int{}
	for _, s := range plan.Steps {
		got[s.State]++
	}
	return got
}

// ran lists the steps that apply ran, not those that it knew.
func ran(r result) (out []string) {
	for line := range strings.Lines(r.stderr) {
		if rest, ok := strings.CutPrefix(line, "✓ "); ok {
			out = append(out, strings.TrimSpace(rest))
		}
	}
	return out
}

// TestAnEqualResultStopsTheWave: a step whose command changed, and whose
// result did not, is the only one that runs.
func TestAnEqualResultStopsTheWave(t *testing.T) {
	t.Parallel()
	spec := func(comment string) files {
		return files{"image.hcl": shellStage + `
stage "generated" {
  from = stage.shell
  run {
    script = "echo content > /generated # ` + comment + `"
  }
}
image "app" {
  from = stage.shell
  copy {
    from   = stage.generated
    source = "/generated"
    to     = "/generated"
  }
  run {
    script = "busybox sha256sum /generated > /sum"
  }
  run_as = "1:1"
}`}
	}
	p := newShellProject(t, spec("one"))
	first := p.ok("apply", "--progress", "plain")
	if got := p.counts(); got["run"]+got["unknown"] != 0 {
		t.Errorf("after apply there is something to do: %v", got)
	}
	p.write(spec("two"))
	// What stands on the changed step is known only when that has run.
	if got := p.counts(); got["run"] != 1 || got["unknown"] != 2 {
		t.Errorf("the plan is %v, want one that runs and two known later", got)
	}
	r := p.ok("apply", "--progress", "plain")
	if got := ran(r); len(got) != 1 || !strings.Contains(got[0], "# two") {
		t.Errorf("%q ran, want the changed step alone", got)
	}
	if r.digest(t) != first.digest(t) {
		t.Error("the image changed")
	}
}

// TestImagesShareStages: what images have in common is one step, done once,
// however many use it and for however many platforms.
func TestImagesShareStages(t *testing.T) {
	t.Parallel()
	var spec strings.Builder
	spec.WriteString(shellStage + `
stage "tools" {
  from     = stage.shell
  platform = build.platform
  run {
    script = "busybox mkdir /out; busybox date +%s%N > /out/built"
  }
}
`)
	const images = 5
	for i := range images {
		fmt.Fprintf(&spec, `
image "app%d" {
  from      = scratch
  platforms = ["linux/amd64", "linux/arm64"]
  copy {
    from   = stage.tools
    source = "/out/built"
    to     = "/built"
  }
  file {
    path    = "/name"
    content = "%[1]d"
  }
  run_as = "1:1"
}
`, i)
	}
	p := newShellProject(t, files{"image.hcl": spec.String()})
	r := p.ok("apply", "--progress", "plain", "-o", "oci:out")
	runs := 0
	for _, s := range ran(r) {
		if strings.Contains(s, "busybox date") {
			runs++
		}
	}
	// The shell's two, the tools' one, one shared copy, one file an image.
	if got, want := len(ran(r)), 2+1+1+images; got != want || runs != 1 {
		t.Errorf("%d steps ran (want %d), the shared one %d times:\n%s", got, want, runs, r.stderr)
	}
	if got := p.counts(); got["cached"] != 2+1+1+images {
		t.Errorf("the plan has %v", got)
	}
}

// TestTheSameFilesOnANewBaseAreTheSameLayer: a copy is keyed on what it writes
// and where, not on what it lies upon.
func TestTheSameFilesOnANewBaseAreTheSameLayer(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.put(t, "os:1", baseOf(t, file("usr/bin/tool", "one"), link("bin", "usr/bin")))
	p := newProject(t, files{"image.hcl": baseSpec(s.host+"/os:1", `
  copy {
    source = "data"
    to     = "/bin/"
  }`), "data/mine": "mine"})
	p.ok("apply", "--progress", "plain")
	s.put(t, "os:1", baseOf(t, file("usr/bin/tool", "two"), link("bin", "usr/bin")))
	p.ok("lock", "--upgrade")
	r := p.ok("apply", "--progress", "plain", "-o", "dir:tree")
	if got := ran(r); len(got) != 0 {
		t.Errorf("on a new base of the same layout %q ran", got)
	}
	if got := p.read("tree/usr/bin/mine") + p.read("tree/bin/tool"); got != "minetwo" {
		t.Errorf("the tree holds %q", got)
	}

	// A base where /bin is a folder of its own is another placement.
	s.put(t, "os:1", baseOf(t, file("bin/tool", "three")))
	p.ok("lock", "--upgrade")
	if got := ran(p.ok("apply", "--progress", "plain")); len(got) != 1 {
		t.Errorf("on a base of another layout %q ran, want the copy", got)
	}
}

// TestTwoAppliesAtOnceDoTheWorkOnce: processes share a cache.
func TestTwoAppliesAtOnceDoTheWorkOnce(t *testing.T) {
	t.Parallel()
	p := newShellProject(t, files{"image.hcl": shellStage + `
image "app" {
  from = stage.shell
  run {
    script = "busybox sleep 1; busybox date +%s%N > /built"
  }
  run_as = "1:1"
}`})
	const processes = 4
	results := make(chan result, processes)
	for range processes {
		go func() { results <- p.run("apply", "--progress", "plain") }()
	}
	digests, runs := map[string]bool{}, 0
	for range processes {
		r := <-results
		if r.code != 0 {
			t.Errorf("exit %d\n%s", r.code, r.all())
			continue
		}
		digests[r.digest(t)] = true
		runs += strings.Count(strings.Join(ran(r), "\n"), "busybox date")
	}
	if len(digests) != 1 || runs != 1 {
		t.Errorf("%d digests, and the step ran %d times", len(digests), runs)
	}
}
