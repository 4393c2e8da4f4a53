package pin

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLinesAreForPeople: architectures that change alike are one line, below
// their archive.
func TestLinesAreForPeople(t *testing.T) {
	t.Parallel()
	lock := func(nginx, arm string, more ...string) Lock {
		r := Repository{Packages: map[string][]Package{}}
		for arch, version := range map[string]string{"amd64": nginx, "arm64": arm} {
			c := Closure{Arch: arch, Request: NewRequest([]string{"nginx"}, false, false), Packages: []Package{{Name: "nginx", Version: version}}}
			for _, name := range more {
				c.Packages = append(c.Packages, Package{Name: name, Version: "1"})
			}
			r.Closures = append(r.Closures, c)
		}
		r.collect()
		return Lock{Repositories: map[string]Repository{"deb:trixie:main": r}, Bases: map[string]Base{"os:1": {Digest: nginx}}}
	}
	for name, c := range map[string]struct {
		old, now Lock
		want     []string
	}{
		"nothing": {lock("1", "1"), lock("1", "1"), nil},
		"upgrade": {lock("1.26.0-1", "1.26.0-1"), lock("1.26.1-1", "1.26.1-1"), []string{
			"~ base os:1 1.26.0-1 → 1.26.1-1", "packages of deb:trixie:main", "  ~ nginx 1.26.0-1 → 1.26.1-1 (amd64, arm64)"}},
		"one alone": {lock("1", "1"), lock("1", "2"), []string{"packages of deb:trixie:main", "  ~ nginx 1 → 2 (arm64)"}},
		"more": {lock("1", "1"), lock("1", "1", "zlib1g"), []string{"packages of deb:trixie:main",
			"  ~ what nginx brings: 1 package → 2 packages (amd64, arm64)", "  + zlib1g 1 (amd64, arm64)"}},
		"less": {lock("1", "1", "zlib1g"), lock("1", "1"), []string{"packages of deb:trixie:main",
			"  ~ what nginx brings: 2 packages → 1 package (amd64, arm64)", "  - zlib1g 1 (amd64, arm64)"}},
	} {
		if diff := cmp.Diff(c.want, Lines(Diff(c.old, c.now))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
