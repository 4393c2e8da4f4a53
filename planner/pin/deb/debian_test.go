package deb

import (
	"context"
	"testing"
	"time"
)

// TestDebian resolves against the real archive, twice: from the mirror, and
// from the cache of the first time.
func TestDebian(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r := NewResolver(Options{Mirrors: MachineMirrors("/etc"), Cache: t.TempDir()})
	q := Query{Archive: Archive{Suite: "trixie"}, Arch: "amd64", Request: Request{Install: []string{"nginx"}}}
	for range 2 {
		start := time.Now()
		c, err := r.Resolve(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d packages in %v", len(c.Packages), time.Since(start))
		if len(c.Packages) != 29 || len(c.Releases) != 3 {
			t.Errorf("%d packages of %d releases, expected 29 of 3", len(c.Packages), len(c.Releases))
		}
	}
}
