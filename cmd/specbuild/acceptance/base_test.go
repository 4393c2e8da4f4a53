//go:build linux

package acceptance

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
)

// baseSpec is an image on a base of a registry.
func baseSpec(ref, steps string) string {
	return fmt.Sprintf(`
base "os" {
  image = %q
}

image "app" {
  from      = base.os
  platforms = ["linux/%s"]
  file {
    path    = "/etc/app"
    content = "app"
  }
  %s
  run_as = "1:1"
}`, ref, runtime.GOARCH, steps)
}

// entry is a tar header with its content.
type entry struct {
	tar.Header
	content string
}

// baseOf makes an image of one layer by somebody else's code.
func baseOf(t testing.TB, entries ...entry) v1.Image {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		e.Size = int64(len(e.content))
		if e.Mode == 0 {
			e.Mode = 0o755
		}
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	return imageOf(t, l)
}

func imageOf(t testing.TB, l v1.Layer) v1.Image {
	t.Helper()
	img, err := mutate.AppendLayers(empty.Image, l)
	if err != nil {
		t.Fatal(err)
	}
	cf, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	cf = cf.DeepCopy()
	cf.OS, cf.Architecture = "linux", runtime.GOARCH
	if img, err = mutate.ConfigFile(img, cf); err != nil {
		t.Fatal(err)
	}
	return img
}

func file(path, content string) entry {
	return entry{tar.Header{Name: path, Typeflag: tar.TypeReg}, content}
}
func link(path, to string) entry {
	return entry{tar.Header{Name: path, Typeflag: tar.TypeSymlink, Linkname: to}, ""}
}
func hardlink(path, to string) entry {
	return entry{tar.Header{Name: path, Typeflag: tar.TypeLink, Linkname: to}, ""}
}
func device(path string, major, minor int64) entry {
	return entry{tar.Header{Name: path, Typeflag: tar.TypeChar, Devmajor: major, Devminor: minor}, ""}
}

func TestTheLockStandsForTheRegistry(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.put(t, "base/os:1", baseOf(t, file("etc/os-release", "one"), link("bin", "usr/bin"), file("usr/bin/tool", "tool")))
	p := newProject(t, files{"image.hcl": baseSpec(s.host+"/base/os:1", "")})

	// --locked refuses to write, and says what to run.
	p.fails(3, says("specbuild lock"), "apply", "--locked")
	absent(t, p.path("specbuild.lock"))

	p.ok("lock")
	first := p.read("specbuild.lock")
	wants(t, first, s.digest(t, "base/os:1"), s.host+"/base/os:1")
	for _, line := range strings.Split(strings.TrimSpace(first), "\n")[1:] {
		if !strings.HasPrefix(line, "base ") && !strings.HasPrefix(line, "#") {
			t.Errorf("the line %q is not of the base", line)
		}
	}
	wants(t, p.ok("lock").stdout, "up to date")

	// The tag moves; the lock does not, until it is told to.
	before := s.digest(t, "base/os:1")
	s.put(t, "base/os:1", baseOf(t, file("etc/os-release", "two")))
	p.ok("lock")
	if p.read("specbuild.lock") != first {
		t.Error("lock without --upgrade rolled a pinned base")
	}
	digest := p.ok("apply", "--locked").digest(t)
	if again := p.again().ok("apply", "--locked").digest(t); again != digest {
		t.Errorf("with an empty cache the image is %s, before it was %s", again, digest)
	}
	r := p.ok("lock", "--upgrade")
	wants(t, r.stdout, "base/os:1")
	if lock := p.read("specbuild.lock"); strings.Contains(lock, before) || !strings.Contains(lock, s.digest(t, "base/os:1")) {
		t.Errorf("--upgrade left the lock at\n%s", lock)
	}
	if rolled := p.ok("apply", "--locked").digest(t); rolled == digest {
		t.Error("a new base is the same image")
	}

	// A plan with a lock asks the registry nothing, even with an empty cache.
	s.asked("")
	p.again().ok("plan")
	if got := s.asked(""); len(got) > 0 {
		t.Errorf("plan asked %q", got)
	}
	s.Close()
	p.again().ok("plan")
	p.again().ok("validate", "--locked")

	// A base that the lock lacks is named, and what to run.
	p.write(files{"image.hcl": baseSpec(s.host+"/base/other:1", "")})
	p.fails(3, says("image.hcl", "base/other:1", "specbuild lock"), "apply")
}

func TestABaseThatDoesNotExist(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	p := newProject(t, files{"image.hcl": baseSpec(s.host+"/no/such:1", "")})
	for _, args := range [][]string{{"lock"}, {"plan"}, {"apply", "-o", "oci:out"}} {
		r := p.run(args...)
		if r.code != 3 && r.code != 1 {
			t.Errorf("%q: exit %d", args, r.code)
		}
		wants(t, r.stderr, s.host+"/no/such:1", "image.hcl")
	}
	absent(t, p.path("specbuild.lock"))
	absent(t, p.path("out"))
}

func TestAPushToTheBasesRegistryMountsItsLayers(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.put(t, "base/os:1", baseOf(t, file("usr/bin/tool", strings.Repeat("tool", 1000)), link("bin", "usr/bin")))
	spec := strings.Replace(baseSpec(s.host+"/base/os:1", ""), "run_as", fmt.Sprintf("tags = [%q]\n  run_as", s.host+"/shop/app:1"), 1)
	p := newProject(t, files{"image.hcl": spec})
	p.ok("lock")
	s.asked("")
	p.ok("apply", "--push")
	fetched := 0
	s.mu.Lock()
	for _, r := range s.requests {
		if strings.HasPrefix(r, "GET ") && strings.Contains(r, "/blobs/sha256:") {
			fetched++
		}
	}
	s.mu.Unlock()
	if fetched > 1 { // the configuration
		t.Errorf("%d blobs of the base were fetched, wanted the configuration at most", fetched)
	}
	if s.digest(t, "shop/app:1") == "" {
		t.Error("nothing was pushed")
	}
}

// hostile are layers that were made to hurt: they write, link or delete above
// their root. victim is a file outside.
func hostile(victim string) map[string][]entry {
	up := strings.Repeat("../", 20)
	outside, base := filepath.Split(victim)
	return map[string][]entry{
		"dotdot":              {file(up+victim, "hurt")},
		"inner dotdot":        {file("a/../../../.."+victim, "hurt")},
		"absolute":            {file(victim, "hurt")},
		"through a link":      {link("x", outside), file("x/"+base, "hurt")},
		"through two links":   {link("x", "y"), link("y", outside), file("x/"+base, "hurt")},
		"link with dotdot":    {link("x", up+outside), file("x/"+base, "hurt")},
		"hard link outside":   {hardlink("x", up+victim), file("x", "hurt")},
		"hard link absolute":  {hardlink("x", victim), file("x", "hurt")},
		"hard link over link": {link("y", outside), hardlink("x", "y/"+base), file("x", "hurt")},
		"whiteout dotdot":     {file(up+outside+".wh."+base, "")},
		"whiteout of dotdot":  {file("a/.wh...", ""), file(".wh..", "")},
		"whiteout over link":  {link("x", outside), file("x/.wh."+base, "")},
	}
}

// runs is a step that reads all of its root.
const runs = `
  run {
    script = "busybox find / -xdev >/dev/null; echo ran > /ran"
  }`

// TestHostileBases: such a layer is refused by name, nothing outside is
// touched, and a build with the same cache afterwards is right.
func TestHostileBases(t *testing.T) {
	t.Parallel()
	needRoot(t)
	s := newServer(t, nil)
	outside := t.TempDir()
	victim := filepath.Join(outside, "victim")
	if err := os.WriteFile(victim, []byte("untouched"), 0o600); err != nil {
		t.Fatal(err)
	}
	shell := []entry{file("bin/busybox", busybox(t)), link("bin/sh", "busybox")}
	s.put(t, "good:1", baseOf(t, shell...))
	good := files{"image.hcl": baseSpec(s.host+"/good:1", runs)}
	want := newProject(t, good).ok("apply").digest(t)

	for name, entries := range hostile(victim) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tag := "hostile/" + strings.ReplaceAll(name, " ", "-") + ":1"
			s.put(t, tag, baseOf(t, append(shell, entries...)...))
			p := newProject(t, files{"image.hcl": baseSpec(s.host+"/"+tag, runs)})
			p.fails(3, says(tag, "image.hcl", "layer sha256:"), "apply", "-o", "oci:out", "-o", "dir:tree")
			absent(t, p.path("out"))
			absent(t, p.path("tree"))
			absent(t, p.path("specbuild.lock"))

			p.write(good)
			if got := p.ok("apply").digest(t); got != want {
				t.Errorf("a good image with the same cache is %s, want %s", got, want)
			}
		})
	}
	t.Cleanup(func() {
		if got, err := os.ReadFile(victim); err != nil || string(got) != "untouched" {
			t.Errorf("the file outside is %q (%v)", got, err)
		}
		if names, err := os.ReadDir(outside); err != nil || len(names) != 1 {
			t.Errorf("the folder outside holds %v (%v)", names, err)
		}
	})
}

// TestADeviceOfABaseOpensNothing: real bases hold device nodes, so they are
// kept; a step that opens one is refused by the kernel.
func TestADeviceOfABaseOpensNothing(t *testing.T) {
	t.Parallel()
	needRoot(t)
	s := newServer(t, nil)
	s.put(t, "os:1", baseOf(t, file("bin/busybox", busybox(t)), link("bin/sh", "busybox"), device("zero", 1, 5), device("disk", 8, 0)))
	p := newProject(t, files{"image.hcl": baseSpec(s.host+"/os:1", `
  run {
    script = "test -c /zero; ! busybox head -c 1 /zero 2>/result; busybox grep 'ermission denied' /result"
  }`)})
	p.ok("apply", "-o", "oci:out")
	// A folder of an ordinary file system is no place for one.
	p.fails(1, says("zero", "device"), "apply", "-o", "dir:tree")
	absent(t, p.path("tree/zero"))
	absent(t, p.path("tree/disk"))
}

// TestADecompressionBombIsRefused: a layer of some megabytes that would be
// many gigabytes ends early, and takes no disk.
func TestADecompressionBombIsRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.put(t, "bomb:1", bomb(t, 4<<30))
	p := newProject(t, files{"image.hcl": baseSpec(s.host+"/bomb:1", "")})
	r := p.fails(3, says("bomb:1", "image.hcl"), "apply", "-o", "oci:out")
	if r.took > 20*time.Second {
		t.Errorf("it took %v", r.took)
	}
	absent(t, p.path("out"))
	if got := diskUse(t, p.cache); got > 64<<20 {
		t.Errorf("%d bytes are in the cache", got)
	}
}

// bomb is an image whose one layer is a file of zeros, in zstd: gzip cannot
// make anything a thousand times smaller, zstd can.
func bomb(t testing.TB, size int64) v1.Image {
	t.Helper()
	var head bytes.Buffer
	if err := tar.NewWriter(&head).WriteHeader(&tar.Header{Name: "zeros", Typeflag: tar.TypeReg, Mode: 0o644, Size: size}); err != nil {
		t.Fatal(err)
	}
	var z bytes.Buffer
	w, err := zstd.NewWriter(&z)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	_, err = w.Write(head.Bytes())
	for n := int64(0); n < size && err == nil; n += int64(len(zeros)) {
		_, err = w.Write(zeros)
	}
	if err == nil {
		_, err = w.Write(make([]byte, 1024))
	}
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return imageOf(t, static.NewLayer(z.Bytes(), types.OCILayerZStd))
}

func diskUse(t testing.TB, dir string) (total int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			info, err := d.Info()
			if err != nil {
				return err
			}
			total += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return total
}
