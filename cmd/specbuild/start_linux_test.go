package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The server of sandboxes is there before the packages that make the program
// slow to start are: those with tables and patterns, of which regexp is the
// first. The test program has the same packages, and more.
func TestTheSandboxStartsBeforeTheProgramDoes(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	inits := func(name string) string {
		cmd := exec.Command(self, "version")
		cmd.Args[0] = name
		cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
		out, err := cmd.CombinedOutput() // the sandbox fails: it has no socket
		if !strings.Contains(string(out), "init os @") {
			t.Fatalf("as %s: %v, and told no initialisers: %s", name, err, out)
		}
		return string(out)
	}
	const late = "init regexp @"
	if out := inits("specbuild"); !strings.Contains(out, late) {
		t.Errorf("the program does not initialise regexp any more, so this test proves nothing:\n%s", out)
	}
	if out := inits("specbuild-sandbox"); strings.Contains(out, late) {
		t.Errorf("the sandbox waits for regexp and what comes after it: does engine/sandbox import more than it did?\n%s", out)
	}
}
