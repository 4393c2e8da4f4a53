package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
)

// A file without a checksum is fetched once, by --fix, and its checksum is in
// the lock; a server that has none is told, and the rest is mended.
func TestFixPinsAURL(t *testing.T) {
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/tool" {
			http.NotFound(w, r)
			return
		}
		asked.Add(1)
		_, _ = w.Write([]byte("one"))
	}))
	defer s.Close()
	d := newDesk(t, httpSpec(s.URL+"/tool", ""))
	if out := d.must("validate"); !strings.Contains(out, "[fetch-checksum]") || asked.Load() > 0 {
		t.Fatalf("asked %d times\n%s", asked.Load(), out)
	}
	const line = "is pinned to sha256:7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed (fetch-checksum)\n"
	if out := d.must("validate", "--fix"); !strings.Contains(out, "specbuild.lock: http "+s.URL+"/tool "+line) || strings.Contains(out, "[fetch-checksum]") {
		t.Error(out)
	}
	d.must("apply", "--locked", "-o", "oci:out")
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}

	d = newDesk(t, strings.Replace(httpSpec(s.URL+"/none", ""), "run_as", "tags = [\"web:1\"]\n  run_as", 1))
	out := d.must("validate", "--fix")
	for _, want := range []string{"web:1 → docker.io/library/web:1", "warning: The file cannot be fetched [fix-not-pinned]", "404", "--fix pins nothing until then", "[fetch-checksum]"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if _, err := os.Stat("specbuild.lock"); err == nil {
		t.Error("there is a lock of nothing")
	}
}
