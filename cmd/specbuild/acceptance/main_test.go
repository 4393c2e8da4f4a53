//go:build linux

// Package acceptance tests specbuild from outside: the program is built as it
// is released, run as its users run it, and judged by other people's tools, a
// real registry and the kernel. Nothing of ours is imported, so that what is
// tested is what somebody else would see.
package acceptance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program is the binary under test: built once, without a C compiler, unless
// SPECBUILD_TEST_BINARY names one (a release, say).
var program string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if program = os.Getenv("SPECBUILD_TEST_BINARY"); program != "" {
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "specbuild-acceptance-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		if err := os.Chmod(dir, 0o755); err != nil { // another user runs it, too
			panic(err)
		}
		program = filepath.Join(dir, "specbuild")
		build := exec.Command("go", "build", "-o", program, "github.com/specbuild/specbuild/cmd/specbuild")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building specbuild: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// missing skips a test for want of something, or fails it where the machine
// is one that must have everything.
func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	what := fmt.Sprintf(format, args...)
	if os.Getenv("SPECBUILD_TEST_REQUIRE") != "" {
		t.Fatalf("SPECBUILD_TEST_REQUIRE is set, and this machine lacks: %s", what)
	}
	t.Skip("needs " + what)
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "root")
	}
}

func needTools(t testing.TB, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, "%s (Debian and Ubuntu: apt install %[1]s)", tool)
		}
	}
}

// busybox is a static shell with its tools.
func busybox(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("busybox")
	if err != nil {
		missing(t, "busybox (Debian and Ubuntu: apt install busybox-static)")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data[:4096], []byte("/lib64/ld-linux")) {
		missing(t, "a static busybox (Debian and Ubuntu: apt install busybox-static)")
	}
	return string(data)
}

// shellStage is a spec's stage with a static shell; project.shell gives its file.
const shellStage = `
stage "shell" {
  from = scratch
  copy {
    source = "busybox"
    to     = "/bin/busybox"
  }
  symlink {
    path = "/bin/sh"
    to   = "busybox"
  }
}
`

// files are a tree as a literal: path to content.
type files map[string]string

// project is a folder with a spec, and a cache of its own.
type project struct {
	t     testing.TB
	dir   string
	cache string   // XDG_CACHE_HOME
	env   []string // more variables, NAME=VALUE
	user  *syscall.Credential
}

// newProject writes files and gives them a cache.
func newProject(t testing.TB, tree files) *project {
	t.Helper()
	p := &project{t: t, dir: t.TempDir(), cache: t.TempDir()}
	p.write(tree)
	return p
}

// newShellProject is newProject with a static shell in its context, for specs
// that hold shellStage; it needs root, since such specs run steps.
func newShellProject(t testing.TB, tree files) *project {
	t.Helper()
	needRoot(t)
	shell := busybox(t)
	p := newProject(t, tree)
	p.write(files{"busybox": shell})
	p.must(os.Chmod(p.path("busybox"), 0o755))
	return p
}

// again is the same folder with an empty cache.
func (p *project) again() *project {
	q := *p
	q.cache = p.t.TempDir()
	return &q
}

func (p *project) path(name string) string { return filepath.Join(p.dir, name) }

func (p *project) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *project) write(tree files) {
	p.t.Helper()
	for name, content := range tree {
		p.must(os.MkdirAll(filepath.Dir(p.path(name)), 0o755))
		p.must(os.WriteFile(p.path(name), []byte(content), 0o644))
	}
}

func (p *project) read(name string) string {
	p.t.Helper()
	data, err := os.ReadFile(p.path(name))
	p.must(err)
	return string(data)
}

// result is what a command came to.
type result struct {
	stdout, stderr string
	code           int
	took           time.Duration
}

// all is everything that was printed.
func (r result) all() string { return r.stdout + r.stderr }

var digestLine = regexp.MustCompile(`(?m)^\S+  (sha256:[0-9a-f]{64})$`)

// digest is the digest of the one image that apply printed.
func (r result) digest(t testing.TB) string {
	t.Helper()
	m := digestLine.FindAllStringSubmatch(r.stdout, -1)
	if len(m) != 1 {
		t.Fatalf("%d digests in\n%s", len(m), r.all())
	}
	return m[0][1]
}

// command is specbuild as a process that was not started yet.
func (p *project) command(args ...string) *exec.Cmd {
	// Nothing here takes a minute: what does hangs, and the test says so.
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	p.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = p.dir
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + p.cache, "XDG_CACHE_HOME=" + p.cache, "TMPDIR=" + os.TempDir(),
	}, p.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.user}
	return cmd
}

// run runs specbuild to its end, whatever that is.
func (p *project) run(args ...string) result {
	p.t.Helper()
	cmd := p.command(args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatalf("specbuild %q: %v", args, err)
	}
	r := result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode(), time.Since(start)}
	for _, bad := range []string{"panic:", "goroutine 1 [", "runtime error"} {
		if strings.Contains(r.stderr, bad) {
			p.t.Fatalf("specbuild %q crashed:\n%s", args, r.stderr)
		}
	}
	return r
}

// ok runs specbuild, which must succeed.
func (p *project) ok(args ...string) result {
	p.t.Helper()
	r := p.run(args...)
	if r.code != 0 {
		p.t.Fatalf("specbuild %q: exit %d\n%s", args, r.code, r.all())
	}
	return r
}

// fails runs specbuild, which must end with that exit code and say each of
// the texts on standard error.
func (p *project) fails(code int, texts []string, args ...string) result {
	p.t.Helper()
	r := p.run(args...)
	if r.code != code {
		p.t.Fatalf("specbuild %q: exit %d, want %d\n%s", args, r.code, code, r.all())
	}
	wants(p.t, r.stderr, texts...)
	return r
}

// wants checks that a text holds others.
func wants(t testing.TB, got string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(got, text) {
			t.Errorf("%q is not in\n%s", text, got)
		}
	}
}

// says is a list of texts that a message must hold.
func says(texts ...string) []string { return texts }

// absent checks that nothing is at a path.
func absent(t testing.TB, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is there (%v)", path, err)
	}
}

// tool runs another program, which must succeed, and gives what it printed.
func tool(t testing.TB, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%q: %v\n%s%s", args, err, &stdout, &stderr)
	}
	return stdout.String()
}
