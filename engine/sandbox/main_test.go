//go:build linux

package sandbox

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// probe is the static program of testdata/probe, built once for all tests.
var probe string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if probe = os.Getenv(probeEnv); probe != "" {
			return m.Run() // a child of one of the tests
		}
		dir, err := os.MkdirTemp("", "sandbox-probe-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		if err := os.Chmod(dir, 0o755); err != nil {
			panic(err)
		}
		probe = filepath.Join(dir, "probe")
		build := exec.Command("go", "build", "-o", probe, "./testdata/probe")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			panic(string(out))
		}
		return m.Run()
	}())
}

// probeEnv tells a test program that a test has started where the probe is.
const probeEnv = "SANDBOX_TEST_PROBE"

// newRoot makes an overlay over one layer that holds the probe as /bin/probe.
func newRoot(t testing.TB) Root {
	t.Helper()
	dir := t.TempDir()
	r := Root{Lower: []string{filepath.Join(dir, "lower")}, Upper: filepath.Join(dir, "upper"), Work: filepath.Join(dir, "work")}
	for _, d := range []string{"lower/bin", "lower/tmp", "lower/etc", "upper", "work"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(probe, filepath.Join(r.Lower[0], "bin/probe")); err != nil {
		text, err := os.ReadFile(probe) // another's file cannot be linked
		if err == nil {
			err = os.WriteFile(filepath.Join(r.Lower[0], "bin/probe"), text, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// result is a run with what it printed.
type result struct {
	Exit
	out, err string
	failed   error
}

func run(t testing.TB, r Runner, s Spec) result {
	t.Helper()
	var out, errs bytes.Buffer
	if s.Stdout == nil {
		s.Stdout, s.Stderr = &out, &errs
	}
	exit, err := r.Run(t.Context(), s)
	return result{exit, out.String(), errs.String(), err}
}

// spec is a Spec that runs the probe.
func spec(t testing.TB, args ...string) Spec {
	t.Helper()
	return Spec{Root: newRoot(t), Args: append([]string{"probe"}, args...), Env: []string{"PATH=/bin"}}
}
