package pin

import (
	"strings"
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
			"~ base os:1 1.26.0-1 → 1.26.1-1", "packages of deb:trixie:main (~1)", "  ~ nginx 1.26.0-1 → 1.26.1-1 (amd64, arm64)"}},
		"one alone": {lock("1", "1"), lock("1", "2"), []string{"packages of deb:trixie:main (~1)", "  ~ nginx 1 → 2 (arm64)"}},
		"more": {lock("1", "1"), lock("1", "1", "zlib1g"), []string{"packages of deb:trixie:main (+1)",
			"  ~ what nginx brings: 1 package → 2 packages (amd64, arm64)", "  + zlib1g 1 (amd64, arm64)"}},
		"less": {lock("1", "1", "zlib1g"), lock("1", "1"), []string{"packages of deb:trixie:main (-1)",
			"  ~ what nginx brings: 2 packages → 1 package (amd64, arm64)", "  - zlib1g 1 (amd64, arm64)"}},
	} {
		if diff := cmp.Diff(c.want, Lines(Diff(c.old, c.now))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestLinesOfBases: another tag of a repository is a change, what platforms
// have follows from it, and digests are as long as one reads.
func TestLinesOfBases(t *testing.T) {
	t.Parallel()
	one, two := "sha256:"+strings.Repeat("1", 64), "sha256:"+strings.Repeat("2", 64)
	base := func(digest string, platforms ...string) Base {
		b := Base{Digest: digest, Manifests: map[string]string{}, Facts: map[string]Facts{}}
		for _, p := range platforms {
			b.Manifests[p], b.Facts[p] = digest, Facts{}
		}
		return b
	}
	const nginx, amd64, arm64 = "docker.io/library/nginx", "linux/amd64", "linux/arm64"
	commit := map[string]string{"https://example.com/x.git#main": strings.Repeat("a", 40)}
	for name, c := range map[string]struct {
		old, now Lock
		want     []string
	}{
		"another tag": {
			Lock{Bases: map[string]Base{nginx + ":1.27.1": base(one, amd64)}}, Lock{Bases: map[string]Base{nginx + ":1.27.2": base(two, amd64)}},
			[]string{"~ base docker.io/library/nginx 1.27.1 → 1.27.2 (sha256:111111111111 → sha256:222222222222)"},
		},
		"the same tag": {
			Lock{Bases: map[string]Base{nginx + ":1": base(one, amd64)}}, Lock{Bases: map[string]Base{nginx + ":1": base(two, amd64)}},
			[]string{"~ base docker.io/library/nginx:1 sha256:111111111111 → sha256:222222222222"},
		},
		"one platform more": {
			Lock{Bases: map[string]Base{nginx + ":1": base(one, amd64)}}, Lock{Bases: map[string]Base{nginx + ":1": base(one, amd64, arm64)}},
			[]string{"+ base docker.io/library/nginx:1 linux/arm64 sha256:111111111111"},
		},
		"two tags for one": {
			Lock{Bases: map[string]Base{nginx + ":1": base(one)}}, Lock{Bases: map[string]Base{nginx + ":2": base(two), nginx + ":3": base(two)}},
			[]string{
				"- base docker.io/library/nginx:1 sha256:111111111111",
				"+ base docker.io/library/nginx:2 sha256:222222222222", "+ base docker.io/library/nginx:3 sha256:222222222222",
			},
		},
		"a commit": {Lock{}, Lock{Git: commit}, []string{"+ git https://example.com/x.git#main aaaaaaaaaaaa"}},
	} {
		if diff := cmp.Diff(c.want, Lines(Diff(c.old, c.now))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
