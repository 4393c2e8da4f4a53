//go:build linux

package acceptance

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// work is an image of several steps, each with its own kind of trace: copies,
// runs beside each other and after each other, a cache mount, limits (a control
// group), a check, a test.
const work = shellStage + `
stage "left" {
  from = stage.shell
  run {
    script = "busybox seq 1 20000 > /left; busybox mkdir -p /d/e; echo x > /d/e/f"
    cache  = ["/cache"]
  }
  run {
    script = "busybox rm -r /d; busybox sha256sum /left > /left.sum"
  }
}

stage "right" {
  from = stage.shell
  run {
    script    = "set -o pipefail; busybox seq 1 30000 | busybox sort > /right"
    resources { 
      memory = "256MiB"
      pids   = 64
    }
  }
}

image "app" {
  from = stage.left
  copy {
    source = "data"
    to     = "/data/"
  }
  copy {
    from   = stage.right
    source = "/right"
    to     = "/right"
  }
  run {
    script  = "test -s /left"
    outputs = []
  }
  run {
    script = "busybox sha256sum /right /data/* > /sums"
  }
  run_as = "1:1"

  test "sums hold" {
    command = ["/bin/busybox", "sha256sum", "-c", "/sums"]
  }
}
`

// workProject is a project of that spec with a mark in its paths, which is in
// the arguments of every process that it starts.
func workProject(t testing.TB) *project {
	t.Helper()
	p := newShellProject(t, files{"image.hcl": work})
	for i := range 40 {
		p.write(files{fmt.Sprintf("data/f%d", i): strings.Repeat(fmt.Sprintln("line", i), 2000)})
	}
	p.env = append(p.env, "SPECBUILD_TEST_MARK="+p.cache)
	return p
}

// processes lists those whose environment, arguments or mounts name a folder:
// a step's process sees nothing of its parent's environment, but its root is
// mounted from the cache.
func processes(t testing.TB, dir string) []string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, proc := range all {
		if filepath.Base(proc) == fmt.Sprint(os.Getpid()) {
			continue
		}
		for _, name := range []string{"environ", "cmdline", "mountinfo"} {
			data, _ := os.ReadFile(filepath.Join(proc, name)) // it may have gone meanwhile
			if strings.Contains(string(data), dir) {
				cmd, _ := os.ReadFile(filepath.Join(proc, "cmdline"))
				out = append(out, fmt.Sprintf("%s (by %s): %q", filepath.Base(proc), name, cmd))
				break
			}
		}
	}
	return out
}

// gone waits until no process of a folder is left.
func gone(t testing.TB, dir string, within time.Duration) {
	t.Helper()
	var left []string
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if left = processes(t, dir); len(left) == 0 {
			return
		}
	}
	t.Errorf("%v later there are still %q", within, left)
}

// cgroups lists the control groups of steps, in all hierarchies.
func cgroups(t testing.TB) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), "specbuild-") {
			out = append(out, path)
		}
		return nil // groups of others come and go
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestKilledAtAnyMoment kills builds at a hundred moments spread over the time
// that one takes, and then lets them end: what comes out is what a build that
// was never interrupted gives, and nothing is left behind. It does not run
// beside other tests, since their control groups and mounts are not ours.
func TestKilledAtAnyMoment(t *testing.T) {
	p := workProject(t)
	clean := p.ok("apply", "-o", "oci:out")
	want, whole := clean.digest(t), clean.took
	before := cgroups(t)

	const builds, kills = 20, 5 // of one cache: a killed one goes on where it was
	random := rand.New(rand.NewPCG(1, 2))
	killed := 0
	for range builds {
		q := p.again()
		for range kills {
			// What was finished is kept, so five of these reach the end of one build.
			if q.killAfter(time.Duration(random.Int64N(int64(whole) * 2 / kills))) {
				killed++
			}
			gone(t, q.cache, 2*time.Second)
		}
		if got := q.ok("apply", "-o", "oci:"+filepath.Join(q.cache, "out")).digest(t); got != want {
			t.Fatalf("after kills the digest is %s, want %s", got, want)
		}
		if left := mounts(t, q.cache); len(left) > 0 {
			t.Errorf("mounts are left: %q", left)
		}
	}
	if left := without(cgroups(t), before); len(left) > 0 {
		t.Errorf("control groups are left: %q", left)
	}
	t.Logf("%d of %d builds of %v were killed", killed, builds*kills, whole)
	if killed < builds*kills/2 {
		t.Errorf("only %d of %d were killed before they ended: that proves little", killed, builds*kills)
	}
}

// killAfter starts apply, kills it after a while, and reports whether it was
// still running.
func (p *project) killAfter(d time.Duration) bool {
	p.t.Helper()
	cmd := p.command("apply", "-o", "oci:"+filepath.Join(p.cache, "out"))
	cmd.Env = append(cmd.Env, "SPECBUILD_TEST_MARK="+p.cache)
	p.must(cmd.Start())
	time.Sleep(d)
	p.must(cmd.Process.Signal(syscall.SIGKILL))
	return cmd.Wait() != nil && cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled()
}

func without(list, other []string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return slices.Contains(other, s) })
}

// sleepy is a step that ends only when it is stopped, and resists.
const sleepy = shellStage + `
image "slow" {
  from = stage.shell
  file {
    path    = "/done"
    content = "done"
  }
  run {
    script = "trap '' INT TERM HUP; echo started; (trap '' INT TERM; busybox sleep 300) & busybox setsid busybox sleep 300; busybox sleep 300"
  }
  run_as = "1:1"
}
`

func TestInterruptEndsEverythingInASecond(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			p := newShellProject(t, files{"image.hcl": sleepy})
			cmd := p.command("apply", "-o", "oci:out", "-v", "--progress", "plain")
			var output strings.Builder
			cmd.Stderr, cmd.Stdout = &output, &output
			p.must(cmd.Start())
			for tries := 0; len(processes(t, p.cache)) < 4; tries++ { // until the step's own are there
				if tries == 1000 {
					t.Fatalf("the step has no processes after ten seconds: %q\n%s", processes(t, p.cache), &output)
				}
				time.Sleep(10 * time.Millisecond)
			}
			start := time.Now()
			p.must(cmd.Process.Signal(signal))
			err := cmd.Wait()
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("it took %v to end", took)
			}
			if code := cmd.ProcessState.ExitCode(); code != 130 {
				t.Errorf("exit %d (%v), want 130\n%s", code, err, &output)
			}
			wants(t, output.String(), "interrupted")
			gone(t, p.cache, time.Second)
			absent(t, p.path("out"))
			if left := mounts(t, p.cache); len(left) > 0 {
				t.Errorf("mounts are left: %q", left)
			}
		})
	}
}
