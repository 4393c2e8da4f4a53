package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// desk is a folder with a spec, a cache and a configuration of its own.
type desk struct {
	t   *testing.T
	dir string
}

func newDesk(t *testing.T, spec string) *desk {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HOME"} {
		t.Setenv(name, filepath.Join(dir, ".home"))
	}
	for _, name := range []string{"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "CI"} {
		t.Setenv(name, "")
	}
	t.Chdir(dir)
	d := &desk{t, dir}
	d.write("image.hcl", spec)
	return d
}

func (d *desk) write(name, content string) {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

// run gives the exit code and all that was printed.
func (d *desk) run(args ...string) (int, string) {
	d.t.Helper()
	var out bytes.Buffer
	code := run(context.Background(), args, &out, &out)
	return code, out.String()
}

func (d *desk) must(args ...string) string {
	d.t.Helper()
	code, out := d.run(args...)
	if code != 0 {
		d.t.Fatalf("specbuild %v: exit %d\n%s", args, code, out)
	}
	return out
}

func httpSpec(url, more string) string {
	return `context "tool" {
  http {
    url = "` + url + `"
` + more + `  }
}
image "web" {
  from = scratch
  copy {
    from   = context.tool
    source = "tool"
    to     = "/usr/bin/tool"
    mode   = "0755"
  }
  run_as = "1:1"
}
`
}

// A URL is fetched once for the lock and the build, and never again: neither
// for what is known, nor for another image of it.
func TestAURLIsFetchedOnce(t *testing.T) {
	var asked atomic.Int64
	var body atomic.Value
	body.Store("one")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		b, _ := body.Load().(string)
		_, _ = w.Write([]byte(b))
	}))
	defer s.Close()
	d := newDesk(t, httpSpec(s.URL+"/tool", ""))
	d.must("apply", "-o", "oci:out")
	d.must("plan", "--detailed-exitcode")
	d.must("apply", "-o", "oci:out2")
	d.must("lock")
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
	body.Store("two, as its owner has changed it")
	d.must("apply", "-o", "oci:out3")
	if asked.Load() != 1 {
		t.Errorf("asked %d times for what is known", asked.Load())
	}
	// A fresh machine with the old lock is told.
	t.Setenv("XDG_CACHE_HOME", filepath.Join(d.dir, "fresh"))
	code, out := d.run("apply", "-o", "oci:out4")
	if code == 0 || !strings.Contains(out, "image.hcl:2:3") || !strings.Contains(out, "the lock knows another file") || !strings.Contains(out, "lock --upgrade") {
		t.Errorf("exit %d: %s", code, out)
	}
	if out := d.must("lock", "--upgrade=tool"); !strings.Contains(out, "~ http "+s.URL+"/tool") {
		t.Error(out)
	}
	d.must("apply", "-o", "oci:out4")
}

func TestAnotherSHA256IsRefusedAtItsBlock(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("content")) }))
	defer s.Close()
	want, got := strings.Repeat("ab", 32), sha256.Sum256([]byte("content"))
	d := newDesk(t, httpSpec(s.URL+"/tool", `    sha256 = "`+want+`"`+"\n"))
	code, out := d.run("apply", "-o", "oci:out")
	out = strings.Join(strings.Fields(out), " ")
	if code == 0 || !strings.Contains(out, hex.EncodeToString(got[:])) || !strings.Contains(out, want) || !strings.Contains(out, "image.hcl:2:3") {
		t.Errorf("exit %d: %s", code, out)
	}
	if _, err := os.Stat("specbuild.lock"); err == nil {
		t.Error("there is a lock of nothing")
	}
}

func TestAURLWithoutAnAnswerIsSaidAtItsBlock(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	d := newDesk(t, httpSpec(s.URL+"/tool", ""))
	code, out := d.run("lock")
	if code != 3 || !strings.Contains(out, "The file cannot be fetched") || !strings.Contains(out, "404") || !strings.Contains(out, "image.hcl:2:3") {
		t.Errorf("exit %d: %s", code, out)
	}
}

// The user's configuration is heeded by what fetches; what is wrong in it is
// shown there, without the password.
func TestTheUsersConfigurationSaysProxyAndCertificates(t *testing.T) {
	var asked atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte("from " + r.URL.Host))
	}))
	defer proxy.Close()
	d := newDesk(t, httpSpec("http://files.invalid/tool", ""))
	d.write(".home/specbuild/config.hcl", `proxy = { http = "`+strings.Replace(proxy.URL, "://", "://u:hunter22@", 1)+`" }`+"\n")
	d.must("apply", "-o", "oci:out")
	if asked.Load() != 1 {
		t.Errorf("the proxy was asked %d times", asked.Load())
	}
	for _, name := range []string{"specbuild.lock", "out/index.json"} {
		if b, err := os.ReadFile(name); err != nil || strings.Contains(string(b), "hunter22") || strings.Contains(string(b), "proxy") {
			t.Errorf("%s: %v %s", name, err, b)
		}
	}
	for config, want := range map[string]string{
		`proxy = { http = "ftp:hunter22" }`: "a proxy is a URL",
		`proxy = { htp = "http://x" }`:      `did you mean "http"`,
		`ca = "none.pem"`:                   "The certificates cannot be read",
		`cas = "x"`:                         `"ca"`,
		`proxy = {`:                         "config.hcl:",
	} {
		d.write(".home/specbuild/config.hcl", config+"\n")
		code, out := d.run("lock")
		if code != 3 || !strings.Contains(out, want) || !strings.Contains(out, "config.hcl:1") && !strings.Contains(out, "config.hcl:2") || strings.Contains(strings.ReplaceAll(out, config, ""), "hunter22") {
			t.Errorf("%s: exit %d, want %q: %s", config, code, want, out)
		}
	}
}

// What the workspace says stands in place of the user's configuration, for
// modules too, which are fetched while specs are read.
func TestTheWorkspaceSaysProxyAndCertificates(t *testing.T) {
	var asked, other atomic.Int64
	count := func(n *atomic.Int64) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n.Add(1)
			_, _ = w.Write([]byte("from " + r.URL.Host))
		}))
		t.Cleanup(s.Close)
		return s
	}
	workspaces, users := count(&asked), count(&other)
	d := newDesk(t, httpSpec("http://files.invalid/tool", ""))
	d.write(".home/specbuild/config.hcl", `proxy = { http = "`+users.URL+`" }`+"\n")
	d.write("specbuild.hcl", "workspace {\n  proxy = { http = \""+workspaces.URL+"\" }\n}\n")
	d.must("apply", "-o", "oci:out")
	if asked.Load() != 1 || other.Load() != 0 {
		t.Errorf("the workspace's proxy was asked %d times, the user's %d times", asked.Load(), other.Load())
	}
	if lock, err := os.ReadFile("specbuild.lock"); err != nil || strings.Contains(string(lock), "127.0.0.1") {
		t.Errorf("%v %s", err, lock)
	}

	d.write("image.hcl", "module \"m\" {\n  source = \"git::http://git.invalid/m.git\"\n}\n")
	if code, out := d.run("lock"); code == 0 || asked.Load() < 2 || other.Load() != 0 {
		t.Errorf("exit %d, the workspace's proxy was asked %d times, the user's %d times: %s", code, asked.Load(), other.Load(), out)
	}

	d.write("image.hcl", httpSpec("http://files.invalid/tool", ""))
	for says, want := range map[string]string{
		`proxy = { http = "ftp:hunter22" }`: "a proxy is a URL",
		`ca = "./none.pem"`:                 "The certificates cannot be read",
		`ca = "../up.pem"`:                  "specbuild.hcl:2",
	} {
		d.write("specbuild.hcl", "workspace {\n  "+says+"\n}\n")
		code, out := d.run("lock")
		if code != 3 || !strings.Contains(out, want) || !strings.Contains(out, "specbuild.hcl:2") || strings.Contains(strings.ReplaceAll(out, says, ""), "hunter22") {
			t.Errorf("%s: exit %d, want %q: %s", says, code, want, out)
		}
	}
}

// git gets the certificates too, and its error is at the block.
func TestGitTrustsTheConfiguredCertificates(t *testing.T) {
	git := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	top := t.TempDir()
	git("init", "--quiet", "--initial-branch=main", top+"/repo")
	if err := os.WriteFile(top+"/repo/file", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	git("-C", top+"/repo", "add", "--all")
	git("-C", top+"/repo", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "-m", "one")
	s := httptest.NewTLSServer(&cgi.Handler{
		Path:   git("--exec-path") + "/git-http-backend",
		Env:    []string{"GIT_PROJECT_ROOT=" + top, "GIT_HTTP_EXPORT_ALL=1"},
		Stderr: io.Discard,
	})
	defer s.Close()
	d := newDesk(t, `context "src" {
  git {
    url = "`+s.URL+`/repo/.git"
    ref = "main"
  }
}
image "web" {
  from = scratch
  copy {
    from   = context.src
    source = "file"
    to     = "/file"
  }
  run_as = "1:1"
}
`)
	code, out := d.run("lock")
	if code != 3 || !strings.Contains(out, "certificate") || !strings.Contains(out, "image.hcl:2:3") {
		t.Errorf("an unknown certificate: exit %d: %s", code, out)
	}
	d.write(".home/specbuild/ours.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	d.write(".home/specbuild/config.hcl", "ca = \"ours.pem\"\n")
	d.must("apply", "-o", "oci:out")
}

func TestPrivateCertificatesOfTheConfiguration(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("content")) }))
	defer s.Close()
	d := newDesk(t, httpSpec(s.URL+"/tool", ""))
	code, out := d.run("lock")
	if code != 3 || !strings.Contains(out, "certificate") {
		t.Errorf("an unknown certificate: exit %d: %s", code, out)
	}
	d.write(".home/specbuild/ours.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	d.write(".home/specbuild/config.hcl", "ca = \"ours.pem\"\n")
	d.must("apply", "-o", "oci:out")
}
