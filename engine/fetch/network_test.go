package fetch_test

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/specbuild/specbuild/engine/fetch"
)

func get(t *testing.T, n fetch.Network, url string) (string, error) {
	t.Helper()
	tls, err := n.TLS()
	if err != nil {
		t.Fatal(err)
	}
	c := fetch.New(fetch.Options{Retries: -1, Connect: 2 * time.Second, Proxy: n.Proxy(), TLS: tls})
	defer c.Close()
	var b fetch.Buffer
	err = c.Get(context.Background(), fetch.Request{URLs: []string{url}, Size: -1, Limit: 100}, &b)
	return string(b.Bytes()), err
}

func TestPrivateCertificatesAreTrustedBesideTheMachines(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }))
	t.Cleanup(s.Close)
	if _, err := get(t, fetch.Network{}, s.URL); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown certificate: %v", err)
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if got, err := get(t, fetch.Network{CA: ca}, s.URL); err != nil || got != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	if b := (fetch.Network{CA: ca}).Bundle(); !strings.HasSuffix(string(b), string(ca)) {
		t.Error("the bundle lacks the certificate")
	}
	if b := (fetch.Network{}).Bundle(); b != nil {
		t.Error("there is a bundle of nothing")
	}
}

// A proxy answers for every host, so the host of the URL need not exist.
func TestProxyIsAskedButForWhatItIsNotFor(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	var auth atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		auth.Store(r.Header.Get("Proxy-Authorization"))
		_, _ = w.Write([]byte("by proxy to " + r.URL.Host))
	}))
	t.Cleanup(proxy.Close)
	n := fetch.Network{HTTPProxy: strings.Replace(proxy.URL, "://", "://user:pass@", 1), NoProxy: "inside.invalid"}
	if got, err := get(t, n, "http://files.invalid/x"); err != nil || got != "by proxy to files.invalid" {
		t.Errorf("%q, %v", got, err)
	}
	if v, _ := auth.Load().(string); !strings.HasPrefix(v, "Basic ") {
		t.Errorf("the proxy got the credentials %q", v)
	}
	if _, err := get(t, n, "http://inside.invalid/x"); err == nil {
		t.Error("no_proxy was not heeded")
	}
	if asked.Load() != 1 {
		t.Errorf("the proxy was asked %d times", asked.Load())
	}
}

func TestNetworkEnv(t *testing.T) {
	t.Parallel()
	n := fetch.Network{HTTPSProxy: "http://u:p%40ss1@proxy:1", NoProxy: "a,b"}
	want := []string{"https_proxy=http://u:p%40ss1@proxy:1", "HTTPS_PROXY=http://u:p%40ss1@proxy:1", "no_proxy=a,b", "NO_PROXY=a,b"}
	if got := n.Env(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := n.Passwords(); !slices.Equal(got, []string{"p@ss1", "p%40ss1"}) {
		t.Errorf("passwords %q", got)
	}
	if got := (fetch.Network{HTTPProxy: "proxy:3128"}).Passwords(); len(got) > 0 {
		t.Errorf("passwords %q", got)
	}
}

func TestNetworkOverTakesAProxyWhole(t *testing.T) {
	t.Parallel()
	own := fetch.Network{HTTPSProxy: "http://own:1"}
	machine := fetch.Network{HTTPProxy: "http://machine:1", HTTPSProxy: "http://machine:2", NoProxy: "x", CA: []byte("ca")}
	got := own.Over(machine)
	if got.HTTPProxy != "" || got.HTTPSProxy != "http://own:1" || got.NoProxy != "" || string(got.CA) != "ca" {
		t.Errorf("%+v", got)
	}
	if got := (fetch.Network{}).Over(machine); got.HTTPProxy != machine.HTTPProxy {
		t.Errorf("%+v", got)
	}
}

func TestNetworkCheckNamesNoPassword(t *testing.T) {
	t.Parallel()
	for _, n := range []fetch.Network{
		{HTTPProxy: "ftp://u:hunter2@proxy"}, {HTTPSProxy: "http://u:hunter2@[bad"}, {CA: []byte("no certificate")},
	} {
		if err := n.Check(); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%+v: %v", n, err)
		}
	}
	for _, n := range []fetch.Network{{}, {HTTPProxy: "proxy:3128"}, {HTTPSProxy: "socks5://proxy:1"}} {
		if err := n.Check(); err != nil {
			t.Errorf("%+v: %v", n, err)
		}
	}
}
