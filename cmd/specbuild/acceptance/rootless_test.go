//go:build linux

package acceptance

import (
	"archive/tar"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// account is a user of this machine that has subordinate ids while a test runs.
type account struct {
	t        testing.TB
	uid, gid uint32
	lines    map[string]string // of /etc/subuid and /etc/subgid, by file
}

// lend gives subordinate ids to an account of the system that has none, for as
// long as the test runs. newuidmap(1) wants a user with a name, in its own
// group, but takes lines that name it by number.
func lend(t testing.TB, count int) *account {
	t.Helper()
	needRoot(t)
	needTools(t, "newuidmap", "newgidmap")
	if !userNamespaces() {
		missing(t, "user namespaces for ordinary users")
	}
	a := &account{t: t, lines: map[string]string{}}
	a.edit(func() {
		taken, err := os.ReadFile("/etc/subuid")
		if err != nil {
			missing(t, "/etc/subuid (%v)", err)
		}
		a.choose(string(taken))
		a.add(count)
	})
	t.Cleanup(func() { a.edit(a.remove) })
	return a
}

// edit changes the tables under the lock of shadow(5), which the system's own
// programs and other tests respect.
func (a *account) edit(change func()) {
	a.t.Helper()
	lock, err := os.OpenFile("/etc/.pwd.lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		defer lock.Close()
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX) // of our own tests, in this process, too
	}
	if err == nil {
		err = syscall.FcntlFlock(lock.Fd(), syscall.F_SETLKW, &syscall.Flock_t{Type: syscall.F_WRLCK})
	}
	if err != nil {
		a.t.Fatal(err)
	}
	change()
}

var systemAccount = regexp.MustCompile(`(?m)^([^:]+):[^:]*:([0-9]{1,3}):([0-9]{1,3}):`)

func (a *account) choose(taken string) {
	a.t.Helper()
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		a.t.Fatal(err)
	}
	for _, m := range systemAccount.FindAllStringSubmatch(string(passwd), -1) {
		if m[2] == "0" || m[3] == "0" || strings.Contains("\n"+taken, "\n"+m[1]+":") || strings.Contains("\n"+taken, "\n"+m[2]+":") {
			continue
		}
		uid, _ := strconv.ParseUint(m[2], 10, 32) // digits, says the pattern
		gid, _ := strconv.ParseUint(m[3], 10, 32)
		a.uid, a.gid = uint32(uid), uint32(gid)
		return
	}
	missing(a.t, "an account of the system without subordinate ids")
}

// add gives ids that belong to nobody: far up, by the time.
func (a *account) add(count int) {
	a.t.Helper()
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		first := 1<<29 + time.Now().UnixNano()/1000%(1<<30)
		a.lines[file] = fmt.Sprintf("%d:%d:%d\n", a.uid, first, count)
		f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0o644)
		if err == nil {
			_, err = f.WriteString(a.lines[file])
			f.Close()
		}
		if err != nil {
			a.t.Fatal(err)
		}
	}
}

func (a *account) remove() {
	a.t.Helper()
	for file, line := range a.lines {
		text, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(file, []byte(strings.Replace(string(text), line, "", 1)), 0o644)
		}
		if err != nil {
			a.t.Error(err)
		}
	}
	clear(a.lines)
}

// project is a project of the account, with a cache of its own.
func (a *account) project(tree files) *project {
	a.t.Helper()
	p := checkout(a.t, tree, 0o022, 0)
	p.give(a.uid, a.gid)
	return p
}

// foreign lists what is in a folder and not the account's own.
func (a *account) foreign(dir string) []string {
	a.t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Sys().(*syscall.Stat_t).Uid != a.uid {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return out
}

// manyUsers is a spec whose steps need more users than one, and all that a
// layer can say of them.
const manyUsers = shellStage + `
image "app" {
  from = stage.shell
  file {
    path    = "/etc/passwd"
    content = "root:x:0:0::/root:/bin/sh\nwww:x:33:33::/srv:/bin/sh\n"
  }
  file {
    path    = "/etc/group"
    content = "root:x:0:\nwww:x:33:\nextra:x:44:www\n"
  }
  run {
    script = <<-EOT
      busybox mkdir -m 700 -p /srv/www/gone /srv/www/replaced /tmp
      echo a > /srv/www/a; echo b > /srv/www/gone/b; echo c > /srv/www/replaced/c
      busybox chown -R 33:33 /srv
      busybox chmod 1777 /tmp
      busybox mkdir /home; echo home > /home/f; busybox ln /home/f /home/g; busybox chown 1000:1001 /home/f
      busybox cp /bin/busybox /bin/su; busybox chmod 4755 /bin/su
      busybox cp /bin/busybox /bin/mail; busybox chown 0:8 /bin/mail; busybox chmod 2755 /bin/mail
      busybox mkfifo -m 600 /fifo; busybox chown 65534:65534 /fifo
      busybox ln -s su /bin/link; busybox chown -h 33:44 /bin/link
    EOT
  }
  run {
    user   = "33"
    script = <<-EOT
      busybox id > /srv/www/who
      busybox rm -r /srv/www/gone /srv/www/replaced
      busybox mkdir /srv/www/replaced
      echo tmp > /tmp/mine
      test "$(busybox stat -c %u:%g /home/f)" = 1000:1001
      if echo x > /home/f; then exit 1; fi
    EOT
    cache = ["/srv/cache"]
  }
  run_as = "33:33"
  test "a user's own" {
    command = ["/bin/busybox", "cat", "/srv/www/who"]
    expect {
      stdout_contains = ["uid=33(www) gid=33"]
    }
  }
  test "owners" {
    command = ["/bin/busybox", "stat", "-c", "%a %u:%g", "/bin/mail"]
    expect {
      stdout_contains = ["2755 0:8"]
    }
  }
}
`

func TestSubordinateIDsAreAllUsers(t *testing.T) {
	t.Parallel()
	tree := files{"image.hcl": manyUsers, "busybox": busybox(t)}
	a := lend(t, 65536)
	want := checkout(t, tree, 0o022, 0).ok("apply", "--require-tests").digest(t)
	p := a.project(tree)
	wants(t, p.ok("doctor").stdout, "✓ subordinate ids")
	if r := p.ok("plan"); strings.Contains(r.stdout, "Note:") {
		t.Errorf("the plan has something to say of this machine:\n%s", r.stdout)
	}
	if got := p.ok("apply", "--require-tests", "-o", "oci:out", "-o", "dir:tree").digest(t); got != want {
		t.Errorf("%s, root's is %s", got, want)
	}
	for _, out := range []string{"out", "tree"} {
		if list := a.foreign(p.path(out)); len(list) > 0 {
			t.Errorf("the user cannot delete %q", list)
		}
	}
	wants(t, p.ok("plan").stdout, "Nothing to do")
	if r := p.ok("apply", "--progress", "plain"); strings.Contains(r.stderr, "✓") {
		t.Errorf("steps ran again:\n%s", r.stderr)
	}
	needTools(t, "runc")
	if got := p.ok("apply", "--no-cache", "--sandbox", "runc").digest(t); got != want {
		t.Errorf("by runc %s, root's is %s", got, want)
	}
	if list := a.foreign(p.cache); len(list) == 0 {
		t.Error("nothing in the cache belongs to a subordinate id: it was not the namespace that was tested")
	}
	wants(t, p.ok("cache", "prune", "--all").stdout, "0 B kept")
	if list := a.foreign(p.cache); len(list) > 0 {
		t.Errorf("prune left %q", list)
	}
}

// TestABaseOfManyOwners unpacks a base with other owners, and with a device,
// which a namespace cannot make and no step needs.
func TestABaseOfManyOwners(t *testing.T) {
	t.Parallel()
	shell := busybox(t)
	a := lend(t, 65536)
	s := newServer(t, nil)
	owned := func(e entry, uid, gid int, mode int64) entry {
		e.Uid, e.Gid, e.Mode = uid, gid, mode
		return e
	}
	s.put(t, "base/os:1", baseOf(
		t, file("bin/busybox", shell), link("bin/sh", "busybox"), device("dev/console", 5, 1),
		owned(entry{tar.Header{Name: "var/lib/db/", Typeflag: tar.TypeDir}, ""}, 101, 102, 0o750),
		owned(file("var/lib/db/data", "data"), 101, 102, 0o640), owned(file("usr/bin/wall", "wall"), 0, 5, 0o2755),
	))
	tree := files{"image.hcl": baseSpec(s.host+"/base/os:1", `
  run {
    user   = "101:102"
    script = "test \"$(busybox stat -c '%a %u:%g' /usr/bin/wall)\" = '2755 0:5'; busybox cat /var/lib/db/data > /var/lib/db/copy"
  }
  run {
    script  = "busybox chown 7:7 /var/lib/db/data"
    outputs = ["/var/lib/db/data"]
  }`)}
	want := checkout(t, tree, 0o022, 0).ok("apply").digest(t)
	if got := a.project(tree).ok("apply").digest(t); got != want {
		t.Errorf("%s, root's is %s", got, want)
	}
	// With one id the base is unpacked as well as may be.
	one := checkout(t, files{"image.hcl": baseSpec(s.host+"/base/os:1", `
  run {
    script = "echo x > /x"
  }`)}, 0o022, 0)
	one.give(1234, 1234)
	one.ok("apply")
}

// TestTheUsersOwnIsInReach: secrets, an agent and the exit codes are what they
// are without a namespace.
func TestTheUsersOwnIsInReach(t *testing.T) {
	t.Parallel()
	a := lend(t, 65536)
	p := a.project(files{"busybox": busybox(t), "token": "own", "image.hcl": `
secret "file" {
  file = "token"
}
secret "command" {
  command = ["/bin/sh", "-c", "cat $HOME/token"]
}
secret "agent" {
  ssh = true
}
` + shellStage + `
image "app" {
  from = stage.shell
  run {
    script = "test $(busybox cat /run/secrets/file) = own; test $(busybox cat /command) = own; test -S $SSH_AUTH_SOCK; exit $CODE"
    env    = { CODE = var.code }
    mount "secret" {
      secret = secret.file
    }
    mount "secret" {
      secret = secret.command
      target = "/command"
    }
    mount "ssh" {
      agent = secret.agent
    }
  }
  run_as = "1:1"
}
variable "code" {
  type    = string
  default = "0"
}
`})
	agent, err := net.Listen("unix", filepath.Join(p.cache, "agent"))
	p.must(err)
	defer agent.Close()
	p.must(os.Rename(p.path("token"), filepath.Join(p.cache, "token")))
	p.must(os.Symlink(filepath.Join(p.cache, "token"), p.path("token")))
	for _, path := range []string{"token", "agent"} {
		p.must(os.Chmod(filepath.Join(p.cache, path), 0o600))
		p.must(os.Chown(filepath.Join(p.cache, path), int(a.uid), int(a.gid)))
	}
	p.env = append(p.env, "SSH_AUTH_SOCK="+agent.Addr().String())
	p.ok("apply")
	p.fails(1, says("exit status 7"), "apply", "--var", "code=7")
	p.fails(64, says("--help"), "apply", "--no-such-flag")
	p.write(files{"image.hcl": "image {"})
	p.fails(3, says("image.hcl"), "apply")
}

// TestTheEndOfTheOuterEndsTheInner: who started a build knows one process, and
// what becomes of that becomes of all.
func TestTheEndOfTheOuterEndsTheInner(t *testing.T) {
	t.Parallel()
	a := lend(t, 65536)
	for signal, code := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 130, syscall.SIGKILL: -1} {
		p := a.project(files{"image.hcl": sleepy, "busybox": busybox(t)})
		cmd := p.command("apply")
		p.must(cmd.Start())
		for tries := 0; len(processes(t, p.cache)) < 6; tries++ { // two of specbuild, process 1, the step's
			if tries == 1000 {
				t.Fatalf("the step has no processes after ten seconds: %q", processes(t, p.cache))
			}
			time.Sleep(10 * time.Millisecond)
		}
		p.must(cmd.Process.Signal(signal))
		_ = cmd.Wait() // the exit code tells
		if got := cmd.ProcessState.ExitCode(); got != code {
			t.Errorf("%v: exit %d, want %d", signal, got, code)
		}
		gone(t, p.cache, 2*time.Second)
		if left := mounts(t, p.cache); len(left) > 0 {
			t.Errorf("%v: mounts are left: %q", signal, left)
		}
		// What is left on the disk is no hindrance, and goes.
		p.ok("plan")
		p.ok("cache", "prune", "--all")
		if list := a.foreign(p.cache); len(list) > 0 {
			t.Errorf("%v: prune left %q", signal, list)
		}
		if list, _ := filepath.Glob(filepath.Join(p.cache, "specbuild/tmp/*")); len(list) > 0 {
			t.Errorf("%v: prune left %q", signal, list)
		}
	}
}

// TestOneUserAndAllAreKeptApart builds a spec with one id, with all, with
// others: nothing of the one is taken for the other's.
func TestOneUserAndAllAreKeptApart(t *testing.T) {
	t.Parallel()
	a := lend(t, 1000)
	spec := func(last string) files {
		return files{"busybox": busybox(t), "image.hcl": shellStage + `
image "app" {
  from = stage.shell
  run {
    script = "busybox mkdir /srv; if busybox chown 33:33 /srv; then echo all; else echo one; fi > /srv/users"
    cache  = ["/cache"]
  }
  run {
    script = "busybox stat -c %u /srv > /srv/owner; echo x > /cache/x; ` + last + `"
    cache  = ["/cache"]
  }
  run_as = "1:1"
}
`}
	}
	p := a.project(spec("true"))
	// Too few ids: as without any, and it is said.
	wants(t, p.ok("plan").stdout, "Note: steps know one user, root: /etc/subuid gives this user 1000 ids, and 65536 are needed")
	wants(t, p.ok("doctor").stdout, "– subordinate ids", "steps know one user, root: /etc/subuid gives this user 1000 ids")
	one := p.ok("apply").digest(t)
	if list := a.foreign(p.cache); len(list) > 0 {
		t.Errorf("with one id %q belong to another", list)
	}
	// Enough: the steps run again.
	a.edit(func() { a.remove(); a.add(65536) })
	wants(t, p.ok("plan").stdout, "2 cached") // the stage that runs nothing
	all := p.ok("apply").digest(t)
	if all == one {
		t.Error("a result of one user was taken for one of all")
	}
	// Other ones: what was unpacked for the first is not stood on.
	a.edit(func() { a.remove(); a.add(70000) })
	if got := p.ok("apply").digest(t); got != all {
		t.Errorf("with other ids %s, it was %s", got, all)
	}
	p.write(spec("test $(busybox cat /srv/owner) = 33; test ! -e /cache/y; echo y > /cache/y"))
	p.ok("apply")
	// None: what one user had is known, and only that.
	a.edit(a.remove)
	p.write(spec("true"))
	r := p.ok("apply", "--progress", "plain")
	if r.digest(t) != one || strings.Contains(r.stderr, "✓") {
		t.Errorf("with one id again %s, it was %s\n%s", r.digest(t), one, r.stderr)
	}
}

// TestAMapThatIsRefusedIsSaid: newuidmap that fails leaves one user, and a line.
func TestAMapThatIsRefusedIsSaid(t *testing.T) {
	t.Parallel()
	a := lend(t, 65536)
	p := a.project(files{"busybox": busybox(t), "image.hcl": shellStage + `
image "app" {
  from = stage.shell
  run {
    script = "echo x > /x"
  }
  run_as = "1:1"
}
`})
	bin := t.TempDir()
	p.must(os.Chmod(bin, 0o755))
	p.must(os.Chmod(filepath.Dir(bin), 0o755))
	newgidmap, err := exec.LookPath("newgidmap")
	p.must(err)
	p.must(os.Symlink(newgidmap, filepath.Join(bin, "newgidmap")))
	p.must(os.WriteFile(filepath.Join(bin, "newuidmap"), []byte("#!/bin/sh\necho not today >&2\nexit 1\n"), 0o755))
	p.env = append(p.env, "PATH="+bin+":"+os.Getenv("PATH"))
	const why = "steps know one user, root: enter a user namespace: map ids: newuidmap: exit status 1: not today"
	wants(t, p.ok("apply", "--progress", "plain").stderr, why)
	wants(t, p.ok("plan").stdout, "steps know one user, root: map ids: newuidmap")
}

// TestAKeptStepIsEnteredByItsUser: the command that is printed works for the
// user who reads it, with the users of the step.
func TestAKeptStepIsEnteredByItsUser(t *testing.T) {
	t.Parallel()
	needTools(t, "unshare")
	a := lend(t, 65536)
	for users, script := range map[string]string{"one": "echo x > /kept; exit 3", "all": "echo x > /kept; busybox chown 33:33 /kept; exit 3"} {
		tree := files{"busybox": busybox(t), "image.hcl": shellStage + fmt.Sprintf(`
image "app" {
  from = stage.shell
  run {
    script = %q
  }
  run_as = "1:1"
}
`, script)}
		p, owner := a.project(tree), "33:33"
		if users == "one" {
			p.give(1234, 1234)
			owner = "0:0"
		}
		r := p.fails(1, says("exit status 3"), "apply", "--keep-failed")
		enter := regexp.MustCompile(`(?m)^To look around: (.+)$`).FindStringSubmatch(r.stderr)
		if enter == nil {
			t.Fatalf("how to enter is not said:\n%s", r.stderr)
		}
		cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", enter[1])
		cmd.Stdin = strings.NewReader("busybox stat -c 'owner %u:%g' /kept\n")
		cmd.Env, cmd.SysProcAttr = os.Environ(), &syscall.SysProcAttr{Credential: p.user}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "owner "+owner) {
			t.Errorf("%s user(s): %s: %v\n%s", users, enter[1], err, out)
		}
	}
}

// TestWhatIsLeftWithoutIDs: a user who has lost the ids is told why prune
// fails; with them, the folder also goes as the documentation says.
func TestWhatIsLeftWithoutIDs(t *testing.T) {
	t.Parallel()
	needTools(t, "unshare")
	a := lend(t, 65536)
	tree := files{"busybox": busybox(t), "image.hcl": manyUsers}
	p := a.project(tree)
	p.ok("apply")
	a.edit(a.remove)
	p.fails(1, says("permission denied", "subordinate ids, which cannot be used now: /etc/subuid has no line for this user"), "cache", "prune", "--all")
	a.edit(func() { a.add(65536) })
	q := a.project(tree)
	q.ok("apply")
	cmd := exec.CommandContext(t.Context(), "unshare", "--map-root-user", "--map-auto", "rm", "-rf", filepath.Join(q.cache, "specbuild"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: q.user}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	absent(t, filepath.Join(q.cache, "specbuild"))
}

// TestNobodyIsInsideByName: the name that the program goes by in a namespace
// makes nobody root.
func TestNobodyIsInsideByName(t *testing.T) {
	t.Parallel()
	p := newProject(t, files{})
	cmd := p.command("version")
	cmd.Args[0] = "specbuild-namespace"
	if out, err := cmd.CombinedOutput(); err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("exit %d: %s", cmd.ProcessState.ExitCode(), out)
	}
}
