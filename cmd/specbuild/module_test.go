package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
)

// lies is what a registry gives in place of the truth.
type lies string

const (
	otherArchive  lies = "/blobs/"
	otherManifest lies = "/manifests/sha256:"
)

// A module that the lock pins is refused, at its call, where the registry gives
// other bytes for its digest; nothing of it is kept.
func TestAModuleChangedUnderItsDigestIsRefusedAtItsCall(t *testing.T) {
	c := &configuration.Configuration{Storage: configuration.Storage{"inmemory": configuration.Parameters{}}}
	c.Log.Level = "panic"
	inner := handlers.NewApp(context.Background(), c)
	var lie atomic.Value
	lie.Store(lies(""))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		what := string(lie.Load().(lies))
		if what == "" || r.Method != http.MethodGet || !strings.Contains(r.URL.Path, what) {
			inner.ServeHTTP(w, r)
			return
		}
		truth := httptest.NewRecorder()
		inner.ServeHTTP(truth, r)
		for name, values := range truth.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(truth.Code)
		body := bytes.Clone(truth.Body.Bytes())
		body[len(body)/2] ^= 1
		_, _ = w.Write(body)
	}))
	defer s.Close()
	ref := strings.TrimPrefix(s.URL, "http://") + "/modules/app:1"

	d := newDesk(t, "module \"app\" {\n  source = \"oci://"+ref+"\"\n}\n")
	d.write("template/image.hcl", "image \"app\" {\n  from   = scratch\n  run_as = \"1\"\n  healthcheck {\n    none = true\n  }\n}\n")
	d.must("module", "push", "template", ref)
	if err := os.RemoveAll("template"); err != nil {
		t.Fatal(err)
	}
	d.must("lock")
	for _, l := range []lies{otherArchive, otherManifest} {
		lie.Store(l)
		code, out := d.run("plan", "--cache-dir", d.dir+"/.elsewhere")
		if code != 3 || !strings.Contains(out, "image.hcl:2:12") || strings.Count(out, "sha256:") < 2 {
			t.Errorf("%s: exit %d, want both digests: %s", l, code, out)
		}
	}
	lie.Store(lies(""))
	d.must("plan", "--cache-dir", d.dir+"/.elsewhere")
}
