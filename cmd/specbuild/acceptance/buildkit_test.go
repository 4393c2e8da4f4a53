//go:build linux

package acceptance

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// buildkit is a running buildkitd of the version whose packages read
// Dockerfiles for us.
type buildkit struct {
	dir     string // everything of it: state, socket, log
	address string
	client  string // the program buildctl
}

// goTool builds a program of tools/buildkit, or finds it in Go's cache, and
// gives its path there.
func goTool(t testing.TB, name string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "tool", "-n", name)
	cmd.Dir = filepath.Join("..", "..", "..", "tools", "buildkit")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("building %s: %v\n%s", name, err, &stderr)
	}
	return strings.TrimSpace(stdout.String())
}

// newBuildkit starts a daemon that speaks plain HTTP to a registry. It ends
// with the test, and leaves no process, mount or control group.
func newBuildkit(t testing.TB, registry string) *buildkit {
	t.Helper()
	needRoot(t)
	needTools(t, "runc")
	// Not t.TempDir: a socket's path has at most 107 bytes.
	dir, err := os.MkdirTemp("", "buildkit-")
	if err != nil {
		t.Fatal(err)
	}
	b := &buildkit{dir: dir, address: "unix://" + dir + "/socket", client: goTool(t, "buildctl")}
	group := "specbuild-" + filepath.Base(dir)
	config := fmt.Sprintf(`
root = "%[1]s/state"
[grpc]
  address = [%[2]q]
[otel]
  socketPath = "%[1]s/otel"
[cdi]
  disabled = true
[worker.oci]
  enabled = true
  binary = "runc"
  gc = false
  defaultCgroupParent = "/%[3]s"
[worker.containerd]
  enabled = false
[registry.%[4]q]
  http = true
`, dir, b.address, group, registry)
	if err := os.WriteFile(dir+"/config.toml", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(dir + "/log")
	if err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command(goTool(t, "buildkitd"), "--config", dir+"/config.toml")
	daemon.Env = append(os.Environ(), "TMPDIR="+dir) // it leaves empty folders
	daemon.Stdout, daemon.Stderr = log, log
	daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- daemon.Wait() }()
	t.Cleanup(func() {
		b.end(t, daemon.Process, ended)
		log.Close()
		unmountBelow(t, dir)
		removeGroups(t, group)
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	b.await(t, ended)
	return b
}

// await waits until the daemon answers.
func (b *buildkit) await(t testing.TB, ended chan error) {
	t.Helper()
	for range 300 {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("buildkitd ended: %v\n%s", err, b.log())
		case <-time.After(100 * time.Millisecond):
		}
		if exec.Command(b.client, "--addr", b.address, "debug", "workers").Run() == nil {
			return
		}
	}
	t.Fatalf("buildkitd does not answer:\n%s", b.log())
}

func (b *buildkit) log() []byte {
	data, err := os.ReadFile(b.dir + "/log")
	if err != nil {
		return []byte(err.Error())
	}
	return data
}

// end asks the daemon to end, and makes it.
func (b *buildkit) end(t testing.TB, p *os.Process, ended chan error) {
	t.Helper()
	p.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Errorf("buildkitd does not end:\n%s", b.log())
		p.Kill()
		<-ended
	}
}

// removeGroups removes the control groups that the daemon made for its steps,
// in each hierarchy there is, the inner ones first. That of a step which is
// just ending is busy for a moment.
func removeGroups(t testing.TB, name string) {
	t.Helper()
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		tops, err := filepath.Glob(pattern + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, top := range tops {
			var groups []string
			err := filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
				if err == nil && e.IsDir() {
					groups = append(groups, path)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
			for _, g := range slices.Backward(groups) {
				removeGroup(t, g)
			}
		}
	}
}

func removeGroup(t testing.TB, path string) {
	t.Helper()
	var err error
	for range 20 {
		if err = syscall.Rmdir(path); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("remove the control group %s: %v", path, err)
}

// build builds the Dockerfile of a folder, which is its context too.
func (b *buildkit) build(t testing.TB, dir string, env []string, args ...string) v1.Image {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	cmd := exec.CommandContext(t.Context(), b.client, append([]string{
		"--addr", b.address, "build", "--progress", "plain", "--frontend", "dockerfile.v0",
		"--local", "context=" + dir, "--local", "dockerfile=" + dir, "--output", "type=oci,tar=false,dest=" + out,
	}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("BuildKit: %v\n%s", err, output)
	}
	return onlyImage(t, out)
}

// onlyImage is the one image of a layout.
func onlyImage(t testing.TB, dir string) v1.Image {
	t.Helper()
	idx, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	for {
		m, err := idx.IndexManifest()
		if err != nil || len(m.Manifests) != 1 {
			t.Fatalf("%s: %v, %v; want one image", dir, m, err)
		}
		d := m.Manifests[0]
		if d.MediaType.IsImage() {
			img, err := idx.Image(d.Digest)
			if err != nil {
				t.Fatal(err)
			}
			return img
		}
		if idx, err = idx.ImageIndex(d.Digest); err != nil {
			t.Fatal(err)
		}
	}
}
