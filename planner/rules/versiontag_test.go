package rules_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/planner/rules"
)

func TestVersionTags(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ moving, tags, want string }{
		"what says most, then the newest": {"latest", "1 1.27 1.27.4 1.26.3 1.26 1.9.12 latest", "1.27.4 1.26.3 1.9.12 1.27 1.26 1"},
		"numbers, not letters":            {"latest", "9.9 10.1 10.10", "10.10 10.1 9.9"},
		"the variant first":               {"stable-slim", "2.1 2.1-slim 2-slim 2.2-alpine", "2.1-slim 2-slim 2.2-alpine 2.1"},
		"none where there was none":       {"latest", "2.1-slim 2.1 3.0-rc.1", "2.1 3.0-rc.1 2.1-slim"},
		"names that move on":              {"latest", "edge nightly stable-slim testing latest", ""},
		"names without a number":          {"latest", "trixie bookworm-slim main-0a1b2c3", ""},
		"dates":                           {"latest", "trixie-20260112 trixie-20251103 13.2", "13.2 trixie-20260112 trixie-20251103"},
		"a date of a moving name":         {"stable", "stable-20260112 stable-slim", "stable-20260112"},
		"with a v":                        {"latest", "v2.0.1 v2.0.0 2.0.1", "2.0.1 v2.0.1 v2.0.0"},
		"each once":                       {"latest", "1.2 1.2 1.2", "1.2"},
		"what is no version":              {"latest", "sha256-ab.sig 1.2.3.4.5.6 12345678901234 -1", ""},
		"nothing":                         {"latest", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := strings.Join(rules.VersionTags(tc.moving, strings.Fields(tc.tags)), " "); got != tc.want {
				t.Errorf("%q, not %q", got, tc.want)
			}
		})
	}
}

func TestTagsOfVersion(t *testing.T) {
	t.Parallel()
	for moving, want := range map[string]string{"latest": "1.2 v1.2", "edge-alpine": "1.2-alpine v1.2-alpine 1.2 v1.2"} {
		for _, said := range []string{"1.2", "v1.2"} {
			got := rules.VersionTags(moving, rules.TagsOfVersion(moving, said))
			if strings.Join(got, " ") != want {
				t.Errorf("%s of %s: %q, not %q", said, moving, got, want)
			}
		}
	}
	if got := rules.VersionTags("latest", rules.TagsOfVersion("latest", "latest")); slices.Contains(got, "latest") {
		t.Errorf("a version that moves on: %q", got)
	}
}
