//go:build linux

package acceptance

import (
	"fmt"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// release is an image of a version by somebody else's code, that may say so.
func release(t *testing.T, version, label string) v1.Image {
	t.Helper()
	img := baseOf(t, file("etc/release", version))
	if label == "" {
		return img
	}
	cf, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	cf = cf.DeepCopy()
	cf.Config.Labels = map[string]string{label: version}
	if img, err = mutate.ConfigFile(img, cf); err != nil {
		t.Fatal(err)
	}
	return img
}

// TestAMovingTagBecomesItsVersion holds that --fix finds the version of a
// moving tag among the tags of its repository, where the image says none, and
// by what it says.
func TestAMovingTagBecomesItsVersion(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		others []string // versions that are there too
		label  string
		say    string   // what the image says its version is
		tags   []string // of the image itself
		moving string
		want   string
	}{
		"among its tags":         {others: []string{"1.2.9", "1.3.0", "1.3.1", "2.0.0"}, tags: []string{"1.3", "1.3.2"}, moving: "stable", want: "1.3.2"},
		"by what it says":        {label: "org.opencontainers.image.version", say: "7.1", tags: []string{"v7.1", "v7"}, moving: "latest", want: "v7.1"},
		"by an older label":      {label: "org.label-schema.version", say: "7.1", tags: []string{"7.1"}, moving: "edge", want: "7.1"},
		"says what is not there": {label: "version", say: "7.1-dev", tags: []string{"7"}, moving: "latest", want: "7"},
		"a variant":              {others: []string{"5.0"}, tags: []string{"4.2-slim"}, moving: "latest-slim", want: "4.2-slim"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, nil)
			for _, v := range tc.others {
				s.put(t, "base/os:"+v, release(t, v, ""))
			}
			img := release(t, tc.say, tc.label)
			for _, tag := range append(tc.tags, tc.moving) {
				s.put(t, "base/os:"+tag, img)
			}
			p := newProject(t, files{"image.hcl": baseSpec(s.host+"/base/os:"+tc.moving, "")})
			before := p.read("image.hcl")
			r := p.ok("validate", "--fix")
			wants(t, r.stdout, fmt.Sprintf("os:%s → %s/base/os:%s (base-no-floating-tag)", tc.moving, s.host, tc.want))
			if got, want := p.read("image.hcl"), strings.Replace(before, "os:"+tc.moving, "os:"+tc.want, 1); got != want {
				t.Errorf("%s\nis not\n%s", got, want)
			}
			wants(t, p.read("specbuild.lock"), "base/os:"+tc.want+" ")
		})
	}
}

// TestAMovingTagIsAskedAboutWithMeasure holds that a repository of many tags
// is not asked about each, and that what was not found is not asked again.
func TestAMovingTagIsAskedAboutWithMeasure(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	other := release(t, "other", "")
	for i := range 60 {
		s.put(t, fmt.Sprintf("base/os:1.%d", i), other)
	}
	s.put(t, "base/os:latest", release(t, "mine", ""))
	p := newProject(t, files{"image.hcl": baseSpec(s.host+"/base/os:latest", `tags = ["app:1"]`)})
	before := p.read("image.hcl")
	s.asked("")
	r := p.fails(3, says("asked for the tag of its version: of 40 that were tried, none is the image that"), "validate", "--fix")
	wants(t, r.stdout, "app:1 → docker.io/library/app:1")
	if got, want := p.read("image.hcl"), strings.Replace(before, "app:1", "docker.io/library/app:1", 1); got != want {
		t.Errorf("%s", got)
	}
	if n := len(s.asked("HEAD /v2/base/os/manifests/")); n != 40 {
		t.Errorf("%d tags were asked about, not 40", n)
	}
}

// TestALockedBaseIsRenamed holds that a base which the lock has keeps its
// digest under the tag of its version, and is not read again.
func TestALockedBaseIsRenamed(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	for _, tag := range []string{"1.4", "latest"} {
		s.put(t, "base/os:"+tag, release(t, "1.4", "org.opencontainers.image.version"))
	}
	p := newProject(t, files{"image.hcl": baseSpec(s.host+"/base/os:latest", "")})
	p.ok("lock")
	locked := p.read("specbuild.lock")
	s.put(t, "base/os:latest", release(t, "1.5", "org.opencontainers.image.version"))
	s.asked("")
	p.ok("validate", "--fix", "./...")
	if got, want := p.read("specbuild.lock"), strings.ReplaceAll(locked, "os:latest", "os:1.4"); got != want {
		t.Errorf("%s\nis not\n%s", got, want)
	}
	if read := s.asked("/blobs/"); len(read) > 1 { // the configuration, for its label
		t.Errorf("blobs were read again: %q", read)
	}
	p.ok("plan", "--locked")
}
