//go:build linux

package acceptance

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// checkBlobs verifies every blob of a layout.
func checkBlobs(t testing.TB, dir string) {
	t.Helper()
	blobs, err := filepath.Glob(filepath.Join(dir, "blobs/sha256/*"))
	if err != nil || len(blobs) == 0 {
		t.Fatalf("%d blobs in %s (%v)", len(blobs), dir, err)
	}
	for _, b := range blobs {
		data, err := os.ReadFile(b)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != filepath.Base(b) {
			t.Errorf("the blob %s is %s", filepath.Base(b), got)
		}
	}
}

// copiesOnly is an image for two platforms that no step runs for.
const copiesOnly = `
image "app" {
  from      = scratch
  platforms = ["linux/amd64", "linux/arm64"]
  user "app" {
    uid = 10001
  }
  copy {
    source = "data"
    to     = "/srv/data/"
    owner  = "app"
  }
  copy {
    source = "data/run.sh"
    to     = "/usr/bin/run"
  }
  file {
    path    = "/etc/os"
    content = target.platform
    mode    = "0600"
    owner   = "app"
  }
  symlink {
    path = "/run.sh"
    to   = "usr/bin/run"
  }
  run_as = "app"
}
`

var copiesTree = files{"image.hcl": copiesOnly, "data/run.sh": "#!/bin/sh\n", "data/a/b/c": "c\n", "data/x": "x\n"}

// checkout makes the same project as somebody else would have it: another
// folder, other times, modes by another umask.
func checkout(t testing.TB, tree files, umask os.FileMode, age time.Duration) *project {
	t.Helper()
	p := newProject(t, tree)
	then := time.Now().Add(-age)
	p.must(filepath.WalkDir(p.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := os.FileMode(0o666)
		if d.IsDir() || strings.HasSuffix(path, ".sh") || d.Name() == "busybox" {
			mode = 0o777
		}
		if err := os.Chmod(path, mode&^umask); err != nil {
			return err
		}
		return os.Chtimes(path, then, then)
	}))
	return p
}

func TestADigestIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	withRuns := func(t testing.TB) files {
		needRoot(t)
		tree := files{"busybox": busybox(t), "image.hcl": withoutLimits(work)}
		for i := range 5 {
			tree[fmt.Sprintf("data/f%d", i)] = strings.Repeat("line\n", i*1000)
		}
		return tree
	}
	for name, tree := range map[string]func(testing.TB) files{
		"copies": func(testing.TB) files { return copiesTree },
		"runs":   withRuns,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree := tree(t)
			one := checkout(t, tree, 0o022, 0)
			want := one.ok("apply", "-o", "oci:out").digest(t)
			same := func(what string, p *project, args ...string) {
				t.Helper()
				r := p.run(append([]string{"apply"}, args...)...)
				if r.code != 0 {
					t.Errorf("%s: exit %d\n%s", what, r.code, r.all())
				} else if got := r.digest(t); got != want {
					t.Errorf("%s: %s, want %s", what, got, want)
				}
			}
			same("the same again", one)
			same("an empty cache", one.again())
			same("a shared umask, an old checkout", checkout(t, tree, 0o002, 1000*time.Hour))
			same("a private umask, from the future", checkout(t, tree, 0o077, -1000*time.Hour))

			serial := one.again()
			serial.env = append(serial.env, "GOMAXPROCS=1")
			same("one core", serial, "-j", "1")
			many := one.again()
			many.env = append(many.env, "GOMAXPROCS=16", "LANG=tr_TR.UTF-8", "TZ=Pacific/Chatham", "SOURCE_DATE_EPOCH=")
			same("many cores, another language and time zone", many, "-j", "16")
			same("nothing taken from the cache", one, "--no-cache")
			if _, err := exec.LookPath("runc"); err == nil && os.Geteuid() == 0 {
				same("steps by runc", one.again(), "--sandbox", "runc")
			}
			if user := ordinary(t, tree); user != nil {
				same("an ordinary user", user)
				same("an ordinary user again", user)
			}
			if os.Geteuid() == 0 {
				user := lend(t, 65536).project(tree)
				same("a user with subordinate ids", user)
				same("a user with subordinate ids again", user)
				if _, err := exec.LookPath("runc"); err == nil {
					same("a user with subordinate ids, by runc", user, "--no-cache", "--sandbox", "runc")
				}
			}
		})
	}
}

// withoutLimits leaves out resources, which an ordinary user may be unable to
// set, and which are in no key.
func withoutLimits(spec string) string {
	before, rest, _ := strings.Cut(spec, "    resources {")
	_, after, _ := strings.Cut(rest, "    }\n")
	return before + after
}

// ordinary is a project of a user without rights, or nil where this process
// may not become one or such a user cannot run steps.
func ordinary(t testing.TB, tree files) *project {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil // then all others are of an ordinary user, too
	}
	p := checkout(t, tree, 0o022, 0)
	p.give(1234, 1234) // who has no subordinate ids: steps know one user
	if _, runs := tree["busybox"]; runs && !userNamespaces() {
		t.Log("ordinary users can make no namespaces here")
		return nil
	}
	return p
}

// give makes a project another user's, who runs it from now on.
func (p *project) give(uid, gid uint32) {
	p.t.Helper()
	for _, dir := range []string{p.dir, p.cache} {
		p.must(os.Chmod(dir, 0o755))
		p.must(os.Chmod(filepath.Dir(dir), 0o755))
		p.must(filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, int(uid), int(gid))
		}))
	}
	p.user = &syscall.Credential{Uid: uid, Gid: gid}
}

// userNamespaces says whether an ordinary user may make one.
func userNamespaces() bool {
	for _, file := range []string{"/proc/sys/kernel/unprivileged_userns_clone", "/proc/sys/user/max_user_namespaces"} {
		if data, err := os.ReadFile(file); err == nil && strings.TrimSpace(string(data)) == "0" {
			return false
		}
	}
	data, err := os.ReadFile("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
	return err != nil || strings.TrimSpace(string(data)) == "0"
}

// TestTheTimeOfCreationIsInNoKey: SOURCE_DATE_EPOCH dates the image, and runs
// nothing again.
func TestTheTimeOfCreationIsInNoKey(t *testing.T) {
	t.Parallel()
	p := newProject(t, copiesTree)
	plain := p.ok("apply", "-o", "oci:out").digest(t)
	q := *p
	q.env = append(q.env, "SOURCE_DATE_EPOCH=1700000000")
	r := q.ok("apply", "-o", "oci:dated", "--progress", "plain")
	if r.digest(t) == plain {
		t.Error("the date is not in the image")
	}
	if strings.Contains(r.stderr, "✓") {
		t.Errorf("a date ran steps again:\n%s", r.stderr)
	}
	needTools(t, "skopeo")
	wants(t, tool(t, p.dir, "skopeo", "inspect", "--override-arch", runtime.GOARCH, "oci:dated:app"), "2023-11-14T22:13:20Z")
}
