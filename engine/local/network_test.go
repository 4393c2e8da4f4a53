package local

import (
	"crypto/tls"
	"encoding/pem"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/engine/fetch"
	"github.com/specbuild/specbuild/lower/dag"
)

// certificate is a real one, in PEM form.
func certificate(t *testing.T) []byte {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	s.StartTLS()
	t.Cleanup(s.Close)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

func networked(network string, env []dag.KV, script string) *dag.Run {
	return &dag.Run{
		Args: []string{"/bin/sh", "-ec", script}, Env: append([]dag.KV{{Name: "PATH", Value: "/bin"}}, env...),
		Workdir: "/", User: "0:0", Network: network, Platform: native,
	}
}

// What a step with network is given leaves no trace in its layer or its key,
// and a password of it none in what is shown.
func TestNetworkedStepsGetProxyAndCertificates(t *testing.T) {
	t.Parallel()
	ca := certificate(t)
	n := fetch.Network{HTTPSProxy: "http://user:hunter22@proxy.example.com:3128", NoProxy: "localhost", CA: ca}
	e := newEngine(t, func(o *Options) { o.Network = n })
	script := `echo "$https_proxy $HTTPS_PROXY $no_proxy ${http_proxy-unset}"; echo "$SSL_CERT_FILE $CURL_CA_BUNDLE"
busybox cat "$SSL_CERT_FILE" > /bundle; test ! -w "$SSL_CERT_FILE" || ! (echo x > "$SSL_CERT_FILE")`
	g := withShell(t).step(networked("outbound", nil, script), "run")
	res, rec := mustRun(t, e, g.image())
	var shown strings.Builder
	for _, ev := range rec.events {
		shown.WriteString(ev.Text)
	}
	for _, want := range []string{"proxy.example.com:3128", " localhost unset", caTarget + " " + caTarget} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("the step does not see %q: %s", want, shown.String())
		}
	}
	if strings.Contains(shown.String(), "hunter22") {
		t.Errorf("the password is shown: %s", shown.String())
	}
	tree := treeOf(t, res)
	if _, ok := tree.Lookup("run"); ok {
		t.Error("the mount point is in the layer")
	}
	f, ok := tree.Lookup("bundle")
	if !ok || f.Size < int64(len(ca)) {
		t.Errorf("the bundle has %d bytes, the certificate alone has %d", f.Size, len(ca))
	}
	// The same step on a machine with another network is known.
	other := New(Options{Store: e.o.Store, Registry: e.o.Registry, Sandbox: e.o.Sandbox, Machine: e.o.Machine})
	if _, rec := mustRun(t, other, withShell(t).step(networked("outbound", nil, script), "run").image()); len(rec.made()) > 0 {
		t.Errorf("made again: %q", rec.made())
	}
}

func TestStepsWithoutNetworkGetNeither(t *testing.T) {
	t.Parallel()
	e := newEngine(t, func(o *Options) {
		o.Network = fetch.Network{HTTPSProxy: "http://proxy.example.com:3128", CA: certificate(t)}
	})
	script := `test -z "${https_proxy-}${SSL_CERT_FILE-}"; test ! -e ` + caTarget
	mustRun(t, e, withShell(t).step(networked("none", nil, script), "run").image())
}

func TestWhatAStepSaysItselfBeatsTheMachine(t *testing.T) {
	t.Parallel()
	e := newEngine(t, func(o *Options) {
		o.Network = fetch.Network{HTTPSProxy: "http://proxy.example.com:3128", CA: certificate(t)}
	})
	env := []dag.KV{{Name: "SSL_CERT_FILE", Value: "/own.pem"}, {Name: "https_proxy", Value: ""}}
	script := `test "$SSL_CERT_FILE" = /own.pem; test -z "$https_proxy"; test -n "$HTTPS_PROXY"; test "$CURL_CA_BUNDLE" = ` + caTarget
	mustRun(t, e, withShell(t).step(networked("outbound", env, script), "run").image())
}

// The root's own certificates stay trusted: most programs take one file for
// all.
func TestTheBundleHasTheRootsOwnCertificates(t *testing.T) {
	t.Parallel()
	ca := certificate(t)
	e := newEngine(t, func(o *Options) { o.Network = fetch.Network{CA: ca} })
	g := withShell(t).file("/etc/ssl/certs/ca-certificates.crt", "the root's own", "0644").
		step(networked("outbound", nil, `busybox cat "$SSL_CERT_FILE" > /bundle`), "run")
	res, _ := mustRun(t, e, g.image())
	if f, _ := treeOf(t, res).Lookup("bundle"); f.Digest != digestOf([]byte("the root's own\n"+string(ca))) {
		t.Error("the bundle is not the root's and the configured certificates")
	}
}
