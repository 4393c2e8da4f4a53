//go:build linux

package acceptance

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// onShell is an image on the static shell.
func onShell(body string) files {
	return files{"image.hcl": shellStage + "\nimage \"app\" {\n  from = stage.shell\n" + body + "\n  run_as = \"1:1\"\n}\n"}
}

func TestAFailedStepIsToldWhole(t *testing.T) {
	t.Parallel()
	p := newShellProject(t, onShell(`
  run {
    command = ["/bin/sh", "-euc", "for i in $(busybox seq 1 50); do echo out $i; echo err $i >&2; done; exit 7"]
  }
  run {
    script = "echo second"
  }
  run {
    script = "echo third > /third"
  }`))
	r := p.fails(1, says("A step failed", "image.hcl:17", "exit status 7", "image.app"), "apply", "-o", "oci:out")

	// The command, so that a shell takes it; then the output in one piece.
	_, after, ok := strings.Cut(r.stderr, "\n$ /bin/sh -euc 'for i in $(busybox seq 1 50); do echo out $i; echo err $i >&2; done; exit 7'\n")
	if !ok {
		t.Fatalf("the command is not there:\n%s", r.stderr)
	}
	var want strings.Builder
	for i := 1; i <= 50; i++ {
		fmt.Fprintf(&want, "out %d\nerr %d\n", i, i)
	}
	if !strings.HasPrefix(after, want.String()) {
		t.Errorf("the output is not in one piece:\n%s", after)
	}
	wants(t, after, "2 more steps not run because of it")
	if n := strings.Count(r.stderr, "err 50\n"); n != 1 {
		t.Errorf("the output is printed %d times", n)
	}
	absent(t, p.path("out"))

	// It is not remembered: a failure is tried again, and what is fixed goes on.
	p.write(onShell(`
  run {
    command = ["/bin/sh", "-c", "exit 0"]
  }`))
	p.ok("apply", "-o", "oci:out")
}

func TestKeepFailedLeavesAWayIn(t *testing.T) {
	t.Parallel()
	p := newShellProject(t, onShell(`
  run {
    script = "echo half > /half; exit 3"
  }`))
	r := p.fails(1, says("exit status 3"), "apply", "--keep-failed")
	kept := regexp.MustCompile(`(?m)^What it changed is in (.+)\.$`).FindStringSubmatch(r.stderr)
	enter := regexp.MustCompile(`(?m)^To look around: (.+)$`).FindStringSubmatch(r.stderr)
	if kept == nil || enter == nil {
		t.Fatalf("where it is kept, or how to enter, is not said:\n%s", r.stderr)
	}
	if data, err := os.ReadFile(filepath.Join(kept[1], "half")); err != nil || string(data) != "half\n" {
		t.Errorf("%s/half: %q, %v", kept[1], data, err)
	}
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", enter[1])
	cmd.Stdin = strings.NewReader("busybox cat /half && exit 0\n")
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "half") {
		t.Errorf("%s: %v\n%s", enter[1], err, out)
	}
	if left := mounts(t, p.cache); len(left) > 0 {
		unmountBelow(t, p.cache)
		t.Errorf("mounts are left: %q", left)
	}
}

// TestSecretsStayOut: a secret's value is in no output, layer, cache entry,
// key, lock or plan, however it reached a step, even when the step fails.
func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	const inEnv, inFile, fromCommand = "env-s3cr3t-4711", "file-s3cr3t-4712", "command-s3cr3t-4713"
	spec := func(end string) files {
		return files{"token": inFile, "image.hcl": `
secret "env" {
  env = "TOKEN"
}
secret "file" {
  file = "token"
}
secret "command" {
  command = ["/bin/sh", "-c", "echo -n command-s3cr3t-$((4700+13))"]
}
` + shellStage + `
image "app" {
  from = stage.shell
  run {
    script = <<-EOT
      set -o pipefail
      test "$(echo -n "$TOKEN" | busybox md5sum)" = "23bdcc89eb0697ef62d5a21b7ba1b154  -"
      busybox cat /run/secrets/file | busybox md5sum > /sum
      test "$(busybox stat -c '%a %u' /run/secrets/file)" = "400 0"
      busybox cat /elsewhere | busybox md5sum >> /sum
      echo "$TOKEN"
      ` + end + `
    EOT
    mount "secret" {
      secret = secret.env
      env    = "TOKEN"
    }
    mount "secret" {
      secret = secret.file
    }
    mount "secret" {
      secret = secret.command
      target = "/elsewhere"
    }
  }
  run_as = "1:1"
}
`}
	}
	for _, end := range []string{"echo fine", "exit 9"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			p := newShellProject(t, spec(end))
			p.env = append(p.env, "TOKEN="+inEnv)
			var printed strings.Builder
			for _, args := range [][]string{
				{"plan", "--json"}, {"apply", "-v", "--keep-failed", "-o", "oci:out"}, {"apply", "--progress", "json", "-o", "oci:out"}, {"graph", "--format", "json"},
			} {
				r := p.run(args...)
				printed.WriteString(r.all())
				if want := 0; args[0] != "apply" && r.code != want || args[0] == "apply" && (r.code == 0) != (end == "echo fine") {
					t.Errorf("%q: exit %d\n%s", args, r.code, r.all())
				}
			}
			for _, secret := range []string{inEnv, inFile, fromCommand} {
				if strings.Contains(printed.String(), secret) {
					t.Errorf("%s was printed:\n%s", secret, &printed)
				}
				for _, dir := range []string{p.cache, p.path("out")} {
					for _, path := range holders(t, dir, secret) {
						t.Errorf("%s is in %s", secret, path)
					}
				}
			}
		})
	}
}

// holders lists the files below a folder that hold a text, packed or not.
func holders(t testing.TB, dir, text string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil && path == dir {
			return nil // nothing was written there
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		plain, _ := unzip(data)
		if bytes.Contains(data, []byte(text)) || bytes.Contains(plain, []byte(text)) {
			out = append(out, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestATimeoutEndsAStep(t *testing.T) {
	t.Parallel()
	p := newShellProject(t, onShell(`
  run {
    script  = "echo began; busybox setsid busybox sleep 300 & busybox sleep 300"
    timeout = "500ms"
  }`))
	r := p.fails(1, says("500ms", "began"), "apply", "-o", "oci:out")
	if r.took > 10*time.Second {
		t.Errorf("it took %v", r.took)
	}
	gone(t, p.cache, time.Second)
	absent(t, p.path("out"))
}

func TestAMemoryLimitEndsAStep(t *testing.T) {
	t.Parallel()
	p := newShellProject(t, onShell(`
  run {
    script = "set -o pipefail; busybox head -c 200m /dev/zero | busybox tail -c 200m > /dev/null"
    resources {
      memory = "32MiB"
    }
  }`))
	r := p.fails(1, nil, "apply", "-o", "oci:out")
	if strings.Contains(r.stderr, "delegated cgroup is needed") {
		missing(t, "control groups that this user may make")
	}
	wants(t, r.stderr, "memory", "32")
	absent(t, p.path("out"))

	// The same step within its limit.
	p.write(onShell(`
  run {
    script = "set -o pipefail; busybox head -c 2m /dev/zero | busybox tail -c 2m > /dev/null"
    resources {
      memory = "64MiB"
    }
  }`))
	p.ok("apply", "-o", "oci:out")
}

func TestAFailedTestWritesNothing(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	p := newShellProject(t, onShell(`
  tags = ["`+s.host+`/app:1"]
  test "greets" {
    command = ["/bin/sh", "-c", "echo good bye"]
    expect {
      stdout_contains = ["hello"]
    }
  }`))
	r := p.fails(1, says("A test failed", "greets", "hello", "good bye", "image.hcl:18"), "apply", "-o", "oci:out", "-o", "oci-tar:out.tar", "--push")
	absent(t, p.path("out"))
	absent(t, p.path("out.tar"))
	if sent := s.asked("PUT "); len(sent) > 0 {
		t.Errorf("%q was sent, and:\n%s", sent, r.stderr)
	}

	// File tests need no sandbox, and hold the same.
	p.write(onShell(`
  test "ships no shell" {
    absent = ["/bin/sh"]
    file "/bin/busybox" {
      mode = "0700"
    }
  }`))
	p.fails(1, says("A test failed", "ships no shell", "/bin/sh"), "apply", "-o", "oci:out")
	absent(t, p.path("out"))
}

func TestABudgetIsKept(t *testing.T) {
	t.Parallel()
	p := newProject(t, files{"big": strings.Repeat("x", 2<<20), "image.hcl": `
image "app" {
  from = scratch
  copy {
    source = "big"
    to     = "/big"
  }
  run_as = "1:1"
  budget {
    size = "1MiB"
  }
}`})
	p.fails(1, says("over its budget", "image.hcl:9", "1"), "apply", "-o", "oci:out")
	absent(t, p.path("out"))
	p.write(files{"image.hcl": strings.Replace(p.read("image.hcl"), "1MiB", "3MiB", 1)})
	p.ok("apply", "-o", "oci:out")
}

// TestWhatOthersFinishedIsKept: a failed branch ends those that stand
// on it; what others finished is kept.
func TestWhatOthersFinishedIsKept(t *testing.T) {
	t.Parallel()
	spec := func(command string) files {
		return files{"image.hcl": shellStage + `
stage "good" {
  from = stage.shell
  run {
    script = "echo good > /good"
  }
}
stage "bad" {
  from = stage.good
  run {
    script = "` + command + `"
  }
}
image "app" {
  from = stage.bad
  run_as = "1:1"
}`}
	}
	p := newShellProject(t, spec("exit 1"))
	p.fails(1, says("A step failed"), "apply")
	p.write(spec("exit 0"))
	r := p.ok("apply", "--progress", "plain")
	if strings.Contains(r.stderr, "✓ stage.good") || strings.Count(r.stderr, "✓") != 1 {
		t.Errorf("more than the failed step ran again:\n%s", r.stderr)
	}
}

// unzip gives what a gzip file holds.
func unzip(data []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
