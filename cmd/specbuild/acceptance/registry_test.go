//go:build linux

package acceptance

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// server is a real registry on loopback that keeps a list of what it was asked.
type server struct {
	*httptest.Server
	host string

	mu       sync.Mutex
	requests []string // "GET /v2/…"
}

// newServer starts a registry; wrap, if not nil, stands before it.
func newServer(t testing.TB, wrap func(http.Handler) http.Handler) *server {
	t.Helper()
	c := &configuration.Configuration{Storage: configuration.Storage{
		"inmemory": configuration.Parameters{}, "delete": configuration.Parameters{"enabled": true},
	}}
	c.Log.Level = "panic"
	var inner http.Handler = handlers.NewApp(context.Background(), c)
	if wrap != nil {
		inner = wrap(inner)
	}
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Method+" "+r.URL.Path)
		s.mu.Unlock()
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	s.host = strings.TrimPrefix(s.URL, "http://")
	return s
}

// asked gives the requests since the last call whose text has the part.
func (s *server) asked(part string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, r := range s.requests {
		if strings.Contains(r, part) {
			out = append(out, r)
		}
	}
	s.requests = nil
	return out
}

// digest is what the registry says a tag is.
func (s *server) digest(t testing.TB, tag string) string {
	t.Helper()
	ref, err := name.ParseReference(s.host + "/" + tag)
	if err != nil {
		t.Fatal(err)
	}
	d, err := remote.Head(ref)
	if err != nil {
		t.Fatal(err)
	}
	return d.Digest.String()
}

// put pushes an image by somebody else's code.
func (s *server) put(t testing.TB, tag string, img v1.Image) {
	t.Helper()
	ref, err := name.ParseReference(s.host + "/" + tag)
	if err == nil {
		err = remote.Write(ref, img)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func webSpec(host, more string) string {
	return fmt.Sprintf(`
image "web" {
  from      = scratch
  platforms = ["linux/amd64", "linux/arm64"]
  tags      = [%q]
  file {
    path    = "/etc/os"
    content = target.platform
  }
  file {
    path    = "/etc/motd"
    content = "hello"
  }
  run_as = "1:1"
  %s
}`, host+"/shop/web:1", more)
}

func TestARegistryTakesTheImageOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	p := newProject(t, files{"image.hcl": webSpec(s.host, "")})

	r := p.ok("apply", "--push", "-o", "oci:out")
	wants(t, r.stdout, s.host+"/shop/web:1  pushed")
	digest := r.digest(t)
	if got := s.digest(t, "shop/web:1"); got != digest {
		t.Errorf("the registry has %s, apply said %s", got, digest)
	}
	ref, err := name.ParseReference(s.host + "/shop/web:1")
	p.must(err)
	idx, err := remote.Index(ref)
	p.must(err)
	if err := validate.Index(idx); err != nil {
		t.Error(err)
	}

	s.asked("")
	r = p.ok("apply", "--push")
	wants(t, r.stdout, "up to date")
	if sent := append(s.asked("PUT "), s.asked("POST ")...); len(sent) > 0 {
		t.Errorf("the second push sent %q", sent)
	}

	// What was written to a layout is pushed as it is.
	r = p.ok("push", "oci:out", s.host+"/shop/web:2", s.host+"/other/web:1")
	for _, tag := range []string{"shop/web:2", "other/web:1"} {
		wants(t, r.stdout, s.host+"/"+tag+"  "+digest+"  pushed")
		if got := s.digest(t, tag); got != digest {
			t.Errorf("%s is %s, want %s", tag, got, digest)
		}
	}
	s.asked("")
	r = p.ok("push", "oci:out", s.host+"/shop/web:2")
	wants(t, r.stdout, "up to date")
	if sent := s.asked("PUT "); len(sent) > 0 {
		t.Errorf("pushing the same again sent %q", sent)
	}
}

func TestANewTagOnTheSameDigestIsOnePut(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	p := newProject(t, files{"image.hcl": webSpec(s.host, "")})
	p.ok("apply", "--push")
	p.write(files{"image.hcl": strings.ReplaceAll(webSpec(s.host, ""), "web:1", "web:2")})
	s.asked("")
	p.ok("apply", "--push")
	s.mu.Lock()
	all := strings.Join(s.requests, "\n")
	s.mu.Unlock()
	if sent := s.asked("PUT "); len(sent) != 1 {
		t.Errorf("a new tag is %d uploads: %q, of\n%s", len(sent), sent, all)
	}
	if a, b := s.digest(t, "shop/web:1"), s.digest(t, "shop/web:2"); a != b {
		t.Errorf("the tags are %s and %s", a, b)
	}
}

func TestAStampAloneChangesNothing(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	spec := func(content, revision string) files {
		text := strings.Replace(webSpec(s.host, `stamp = { "org.opencontainers.image.revision" = "`+revision+`" }`), "hello", content, 1)
		return files{"image.hcl": text}
	}
	p := newProject(t, spec("hello", "one"))
	p.ok("apply", "--push")
	first := s.digest(t, "shop/web:1")

	p.write(spec("hello", "two"))
	r := p.ok("apply", "--push")
	wants(t, r.stdout, "up to date")
	if got := s.digest(t, "shop/web:1"); got != first {
		t.Errorf("a stamp alone moved the tag from %s to %s", first, got)
	}

	// Another content is pushed with the stamp of now.
	p.write(spec("good bye", "three"))
	p.ok("apply", "--push")
	ref, err := name.ParseReference(s.host + "/shop/web:1")
	p.must(err)
	idx, err := remote.Index(ref)
	p.must(err)
	m, err := idx.IndexManifest()
	p.must(err)
	if got := m.Annotations["org.opencontainers.image.revision"]; got != "three" {
		t.Errorf("the stamp is %q, want three", got)
	}
}

// password stands before a registry like an htpasswd file.
func password(user, secret string) func(http.Handler) http.Handler {
	return func(inner http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if u, p, ok := r.BasicAuth(); !ok || u != user || p != secret {
				w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
				http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, http.StatusUnauthorized)
				return
			}
			inner.ServeHTTP(w, r)
		})
	}
}

func TestCredentialsComeFromDockersConfiguration(t *testing.T) {
	t.Parallel()
	const secret = "open-sesame-7391"
	s := newServer(t, password("ali", secret))
	p := newProject(t, files{"image.hcl": webSpec(s.host, "")})

	r := p.fails(1, says(s.host), "apply", "--push")
	if !strings.Contains(strings.ToLower(r.stderr), "unauthorized") && !strings.Contains(r.stderr, "401") {
		t.Errorf("the message does not say what is wrong:\n%s", r.stderr)
	}

	auth, err := json.Marshal(map[string]any{"auths": map[string]any{
		s.host: map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte("ali:" + secret))},
	}})
	p.must(err)
	p.write(files{"docker/config.json": string(auth)})
	p.env = append(p.env, "DOCKER_CONFIG="+p.path("docker"))
	r = p.ok("apply", "--push", "-v")
	wants(t, r.stdout, "pushed")
	if strings.Contains(r.all(), secret) {
		t.Error("the password was printed")
	}

	// A helper, as Docker calls it.
	p.write(files{"docker/config.json": fmt.Sprintf(`{"credHelpers": {%q: "acceptance"}}`, s.host), "bin/docker-credential-acceptance": fmt.Sprintf(
		"#!/bin/sh\ncat >/dev/null\necho '{\"ServerURL\":\"%s\",\"Username\":\"ali\",\"Secret\":\"%s\"}'\n", s.host, secret)})
	p.must(os.Chmod(p.path("bin/docker-credential-acceptance"), 0o755))
	p.env = append(p.env, "PATH="+p.path("bin")+":"+os.Getenv("PATH"))
	wants(t, p.ok("apply", "--push").stdout, "up to date")
}

func TestAnUnreachableRegistryIsSaidInSeconds(t *testing.T) {
	t.Parallel()
	p := newProject(t, files{"image.hcl": webSpec("127.0.0.1:1", "")})
	r := p.fails(1, says("127.0.0.1:1", "refused"), "apply", "--push")
	if r.took.Seconds() > 15 {
		t.Errorf("it took %v", r.took)
	}
	p.write(files{"image.hcl": baseSpec("127.0.0.1:1/os:1", "")})
	r = p.run("plan")
	wants(t, r.stderr, "127.0.0.1:1", "refused")
	if r.code != 1 && r.code != 3 || r.took.Seconds() > 15 {
		t.Errorf("exit %d after %v", r.code, r.took)
	}
}

// TestASilentRegistryIsSaidInSeconds: one that takes connections and never
// answers.
func TestASilentRegistryIsSaidInSeconds(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() }) // the kernel takes connections, nobody reads them
	p := newProject(t, files{"image.hcl": baseSpec(l.Addr().String()+"/os:1", "")})
	r := p.fails(3, says("image.hcl:2", l.Addr().String()+"/os:1", "does not answer"), "plan")
	if r.took.Seconds() > 30 {
		t.Errorf("it took %v", r.took)
	}
}
