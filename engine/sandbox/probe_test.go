//go:build linux

package sandbox

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestProbe(t *testing.T) {
	c := Probe(Options{})
	for _, f := range c.Findings {
		t.Logf("%+v", f)
		if f.Name == "" || (!f.OK && (f.Detail == "" || f.Advice == "")) {
			t.Errorf("a finding that does not say what to do: %+v", f)
		}
	}
	if os.Geteuid() == 0 && !c.Platform("linux/"+runtime.GOARCH).Runs {
		t.Error("root cannot run its own platform")
	}
	if p := c.Platform("linux/none"); p.Runs || !strings.Contains(p.Reason, "linux/none") {
		t.Errorf("an unknown platform: %+v", p)
	}
}

// A program of another architecture runs, and nothing of the machine changes.
func TestEmulator(t *testing.T) {
	arch := "arm64"
	if runtime.GOARCH == arch {
		arch = "riscv64"
	}
	p := Probe(Options{}).Platform("linux/" + arch)
	if !p.Runs || p.Emulator == nil {
		t.Skip("needs an emulator that is registered per sandbox: " + p.Reason)
	}
	before, _ := filepath.Glob("/proc/sys/fs/binfmt_misc/*")
	s := spec(t, "id")
	build := exec.Command("go", "build", "-o", filepath.Join(s.Root.Lower[0], "bin/foreign"), "./testdata/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+arch)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	s.Args[0], s.Emulator, s.UID, s.GID, s.Groups = "foreign", p.Emulator, 7, 8, []uint32{9}
	if got := run(t, Native(Options{}), s); got.out != "7 7 8 [9]\n" || got.failed != nil {
		t.Errorf("%+v, error %v", got, got.failed)
	}
	if after, _ := filepath.Glob("/proc/sys/fs/binfmt_misc/*"); len(after) != len(before) {
		t.Errorf("the machine's registrations changed: %q, before %q", after, before)
	}
}
