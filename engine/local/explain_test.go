package local_test

import (
	"strings"
	"testing"

	"github.com/specbuild/specbuild/engine/local"
)

// The first thing in which two definitions differ is told as a person would,
// with both values where they are short.
func TestDifference(t *testing.T) {
	t.Parallel()
	a, b := strings.Repeat("a1", 32), strings.Repeat("b2", 32)
	for name, tc := range map[string]struct{ before, now, want string }{
		"a file":          {"copy v1\ncontext f \"src/go.sum\" false sha256:" + a + " \"\"", "copy v1\ncontext f \"src/go.sum\" false sha256:" + b + " \"\"", "src/go.sum changed"},
		"a new file":      {"copy v1", "copy v1\ncontext f \"x\" false sha256:" + a + " \"\"", "x is new"},
		"a file less":     {"copy v1\ncontext f \"x\" false sha256:" + a + " \"\"", "copy v1", "x is gone"},
		"a base's digest": {"base \"debian:12\" sha256:" + a, "base \"debian:12\" sha256:" + b, "base debian:12 changed: a1a1a1a1a1a1… → b2b2b2b2b2b2…"},
		"a variable":      {"run v2\nenv \"X\" \"1\"", "run v2\nenv \"X\" \"2\"", "env X changed: 1 → 2"},
		"a long variable": {"env \"X\" \"" + a + "\"", "env \"X\" \"" + b + "\"", "env X changed"},
		"what is below":   {"input copy 1", "input copy 2", local.StandsOn + " (copy) changed"},
		"nothing":         {"run v2", "run v2", "its result is not in the cache any more"},
	} {
		if got := local.Difference(strings.Split(tc.before, "\n"), strings.Split(tc.now, "\n")); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}
