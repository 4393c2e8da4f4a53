//go:build linux

package acceptance

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// These bases are made of Debian's packages of today, from the mirror that
// this machine is set up with.
const debianRepository = `
repository "debian" {
  type  = "deb"
  suite = "trixie"
}
`

// debian locks a project that takes from Debian's mirror, or skips.
func (p *project) debian() {
	p.t.Helper()
	needRoot(p.t)
	if r := p.run("lock"); r.code != 0 {
		missing(p.t, "Debian's mirror: %s", r.stderr)
	}
}

// configuredOS is what a base of Debian's own holds: dpkg and its friends,
// configured.
func configuredOS(steps string) string {
	return debianRepository + fmt.Sprintf(`
image "os" {
  from      = scratch
  platforms = ["linux/%s"]
  tags      = var.tags
  packages "deb" {
    repository = repository.debian
    install    = ["ca-certificates"]
    configure  = true
  }
  run_as = "33:33"
  %s
}
variable "tags" {
  type    = list(string)
  default = []
}
`, runtime.GOARCH, steps)
}

// archive is a Debian archive on loopback, of packages by dpkg-deb.
type archive struct {
	url, dir string
	mu       sync.Mutex
	seen     []string
}

func newArchive(t testing.TB) *archive {
	t.Helper()
	needTools(t, "dpkg-deb")
	a := &archive{dir: t.TempDir()}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.seen = append(a.seen, r.URL.Path)
		a.mu.Unlock()
		http.FileServer(http.Dir(a.dir)).ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

// asked is how often something with that in its name was fetched since the
// last question.
func (a *archive) asked(part string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, path := range a.seen {
		if strings.Contains(path, part) {
			n++
		}
	}
	a.seen = nil
	return n
}

// add builds a package and lists it; scripts are by name.
func (a *archive) add(t testing.TB, name, version, fields string, scripts files) {
	t.Helper()
	tree := t.TempDir()
	control := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: T <t@example.com>\n%sDescription: a test\n", name, version, fields)
	for path, text := range map[string]string{"DEBIAN/control": control, "usr/bin/" + name: "#!/bin/sh\necho " + name + " " + version + "\n"} {
		at := filepath.Join(tree, path)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for script, text := range scripts {
		if err := os.WriteFile(filepath.Join(tree, "DEBIAN", script), []byte("#!/bin/sh\nset -e\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	deb := filepath.Join(a.dir, name+"_"+version+"_all.deb")
	if out, err := exec.Command("dpkg-deb", "--root-owner-group", "-b", tree, deb).CombinedOutput(); err != nil {
		t.Fatalf("dpkg-deb: %v\n%s", err, out)
	}
	data, err := os.ReadFile(deb)
	if err != nil {
		t.Fatal(err)
	}
	index := filepath.Join(a.dir, "Packages")
	before, _ := os.ReadFile(index) // none at first
	text := fmt.Sprintf("%s%sFilename: ./%s\nSize: %d\nSHA256: %x\n\n", before, control, filepath.Base(deb), len(data), sha256.Sum256(data))
	release := fmt.Sprintf("Date: Sat, 01 Nov 2025 00:00:00 UTC\nSHA256:\n %x %d Packages\n", sha256.Sum256([]byte(text)), len(text))
	for file, content := range map[string]string{"Packages": text, "Release": release} {
		if err := os.WriteFile(filepath.Join(a.dir, file), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// untidy is a postinst that leaves behind all that packages are known for.
const untidy = `
update-alternatives --install /usr/bin/t t /usr/bin/tool 1
mkdir -p /etc/ssh /var/lib/tool
head -c 64 /dev/urandom > /etc/ssh/ssh_host_rsa_key
head -c 16 /dev/urandom > /etc/machine-id
head -c 16 /dev/urandom > /tmp/tool.$$
ldconfig
/usr/sbin/policy-rc.d tool start || echo "denied by $?" >&2
adduser --system --home /var/lib/tool --no-create-home tool 2>/dev/null || useradd -r tool
echo "$DEBIAN_FRONTEND" > /var/lib/tool/frontend
`

// aptLayer is all that is left in the layer, but for folders.
var aptLayer = []string{
	"etc/alternatives/t", "etc/group", "etc/gshadow", "etc/machine-id", "etc/passwd", "etc/shadow",
	"usr/bin/t", "usr/bin/tool", "var/lib/apt/extended_states", "var/lib/dpkg/alternatives/t",
	"var/lib/dpkg/info/tool.list", "var/lib/dpkg/info/tool.md5sums", "var/lib/dpkg/info/tool.postinst", "var/lib/dpkg/status",
	"var/lib/tool/frontend",
}

// topLayer lists what is no folder in the last layer of a layout's image.
func topLayer(t testing.TB, dir string) []string {
	t.Helper()
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	img, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	r, err := layers[len(layers)-1].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var names []string
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeDir {
			names = append(names, h.Name)
		}
	}
}

func toolImages(ref, url, images string) string {
	return fmt.Sprintf(`
base "os" {
  image = %q
}
stage "os" {
  from = base.os
  file {
    path    = "/etc/apt/sources.list.d/test.list"
    content = "deb [trusted=yes] %s ./\n"
  }
}
waiver {
  rule    = "packages-signature-checked"
  address = "stage.os"
  reason  = "an archive of this test's own, without a key"
  owner   = "tests"
  expires = "2099-12-31"
}
`, ref, url) + strings.ReplaceAll(images, "PLATFORM", "linux/"+runtime.GOARCH)
}

// TestADebianOfOnesOwn: a base is made of configured packages, and packages
// are installed over it by its own apt-get.
func TestADebianOfOnesOwn(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	testConfigured(t, s.host+"/base/os:1")
	testApt(t, s)
}

// testConfigured makes the base and pushes it.
func testConfigured(t *testing.T, tag string) {
	p := newProject(t, files{"image.hcl": configuredOS(`
  test "nothing is left to do" {
    user    = "0:0"
    command = ["/bin/sh", "-euc", <<-SH
      dpkg --audit
      dpkg -l | sed '1,/^+++/d' | cut -c1-2 | sort -u
      dpkg --verify
      getent passwd _apt www-data | cut -d: -f1
      cut -d: -f3 /etc/shadow | sort -u
      update-alternatives --query awk | grep ^Value
      find /run /tmp /var/log -type f -size +0
      test -s /etc/ld.so.cache && test -s /etc/ssl/certs/ca-certificates.crt && echo made
    SH
    ]
    expect {
      stdout_matches = ["\\Aii\n_apt\nwww-data\n3652\nValue: /usr/bin/mawk\nmade\n\\z"]
    }
  }
  test "no droppings" {
    absent = ["/usr/sbin/policy-rc.d", "/var/lib/dpkg/lock", "/var/lib/dpkg/*-old", "/var/cache/debconf/*-old", "/etc/passwd-", "/var/log/dpkg.log", "/var/cache/ldconfig/aux-cache"]
    file "/var/lib/dpkg/specbuild" {
      contains = "format 1\n"
    }
  }`)})
	p.debian()
	digest := p.ok("apply").digest(t)
	if again := p.ok("apply", "--no-cache").digest(t); again != digest {
		t.Errorf("the second time it is %s, at first %s", again, digest)
	}

	p.ok("apply", "--push", "--var", `tags=["`+tag+`"]`)

	// What is added later is configured too, and nothing twice.
	p.write(files{"image.hcl": configuredOS(`
  packages "deb" {
    repository = repository.debian
    install    = ["jq"]
    configure  = true
  }
  test "both are there" {
    user    = "0:0"
    command = ["/bin/sh", "-euc", "dpkg --audit && dpkg -l jq base-passwd | grep -c ^ii"]
    expect {
      stdout_contains = "2"
    }
  }`)})
	p.ok("lock")
	if steps := ran(p.ok("apply", "--progress", "plain")); len(steps) == 0 || slices.ContainsFunc(steps, func(s string) bool { return strings.Contains(s, "ca-certificates") }) {
		t.Errorf("these steps ran: %q", steps)
	}
}

func testApt(t *testing.T, s *server) {
	a := newArchive(t)
	a.add(t, "tool", "1.0", "Recommends: extra\n", files{"postinst": untidy})
	a.add(t, "tool", "2.0", "Recommends: extra\n", nil)
	a.add(t, "extra", "1:3.1", "", nil)
	t.Run("apt", func(t *testing.T) {
		spec := toolImages(s.host+"/base/os:1", a.url, `
image "app" {
  from      = stage.os
  platforms = ["PLATFORM"]
  packages "apt" {
    install = ["tool=1.0"]
  }
  run_as = "1:1"
  test "the version of the spec" {
    command = ["/usr/bin/t"]
    expect {
      stdout_contains = "tool 1.0"
    }
    absent = ["/usr/bin/extra"]
  }
}
`)
		p := newProject(t, files{"image.hcl": spec})
		first := p.ok("apply", "-o", "dir:out", "-o", "oci:image", "--verbose")
		wants(t, first.all(), "denied by 101", "removed /etc/ssh/ssh_host_rsa_key")
		digest := first.digest(t)
		if d := cmp.Diff(aptLayer, topLayer(t, p.path("image"))); d != "" {
			t.Error("the layer holds more or less than the package (-want +got): ", d)
		}
		if got := p.read("out/var/lib/tool/frontend"); got != "noninteractive\n" {
			t.Errorf("DEBIAN_FRONTEND=%q", got)
		}
		if fetched := a.asked("tool_1.0"); fetched != 1 {
			t.Errorf("the package was fetched %d times", fetched)
		}
		// A step that runs again fetches nothing again, and makes the same.
		if again := p.ok("apply", "--no-cache").digest(t); again != digest {
			t.Errorf("the second time it is %s, at first %s", again, digest)
		}
		if fetched := a.asked(".deb"); fetched != 0 {
			t.Errorf("the second time %d packages were fetched", fetched)
		}
		if other := p.again().ok("apply").digest(t); other != digest {
			t.Errorf("on another machine it is %s, here %s", other, digest)
		}
	})

	t.Run("recommends", func(t *testing.T) {
		p := newProject(t, files{"image.hcl": toolImages(s.host+"/base/os:1", a.url, `
image "app" {
  from      = stage.os
  platforms = ["PLATFORM"]
  packages "apt" {
    install    = ["tool"]
    recommends = true
  }
  run_as = "1:1"
  test "all of the newest" {
    command = ["/bin/sh", "-c", "tool; extra"]
    expect {
      stdout_contains = ["tool 2.0", "extra 1:3.1"]
    }
  }
}
`)})
		wants(t, p.ok("apply").stderr, "packages-pinned", `tool has no version`)
		p.fails(3, says("packages-pinned"), "apply", "--locked")
	})

	t.Run("mistakes", func(t *testing.T) {
		steps := `
  platforms = ["PLATFORM"]
  packages "%s" {
    install = ["%s=1"]
  }
  run_as = "1:1"
}
`
		p := newProject(t, files{"image.hcl": toolImages(s.host+"/base/os:1", a.url,
			"image \"gone\" {\n  from = stage.os"+fmt.Sprintf(steps, "apt", "tool")+
				"image \"alpine\" {\n  from = stage.os"+fmt.Sprintf(steps, "apk", "tool")+
				"image \"fedora\" {\n  from = stage.os"+fmt.Sprintf(steps, "dnf", "tool"))})
		for image, texts := range map[string][]string{
			"gone":   says("image.gone, packages apt tool: exit status 100", "$ packages apt tool=1\n", "Version '1' for 'tool' was not found"),
			"alpine": says("image.alpine, packages apk tool: exit status 1", `this base has no apk: packages "apk" is for Alpine`),
			"fedora": says("image.fedora, packages dnf tool: exit status 1", `this base has no dnf: packages "dnf" is for Fedora`),
		} {
			r := p.fails(1, texts, "apply", "--target", "image."+image)
			if strings.Contains(r.stderr, "remember()") {
				t.Errorf("the error shows the program and not the command:\n%s", r.stderr)
			}
		}
	})

	t.Run("a certificate of the user's", func(t *testing.T) {
		server := httptest.NewTLSServer(http.FileServer(http.Dir(a.dir)))
		t.Cleanup(server.Close)
		p := newProject(t, files{"image.hcl": toolImages(s.host+"/base/os:1", server.URL, `
image "app" {
  from      = stage.os
  platforms = ["PLATFORM"]
  packages "apt" {
    install = ["extra=1:3.1"]
  }
  run_as = "1:1"
}
`)})
		p.fails(1, says("image.app, packages apt extra: exit status 100", "certificate"), "apply")
		config := filepath.Join(p.cache, ".config/specbuild/config.hcl")
		p.must(os.MkdirAll(filepath.Dir(config), 0o755))
		p.must(os.WriteFile(config, []byte("ca = \"~/ca.pem\"\n"), 0o644))
		block := &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
		p.must(os.WriteFile(filepath.Join(p.cache, "ca.pem"), pem.EncodeToMemory(block), 0o644))
		p.ok("apply")
	})

	t.Run("one user", func(t *testing.T) {
		p := ordinary(t, files{"image.hcl": toolImages(s.host+"/base/os:1", a.url, `
image "app" {
  from      = stage.os
  platforms = ["PLATFORM"]
  packages "apt" {
    install = ["extra=1:3.1"]
  }
  run_as = "0:0"
  test "it runs" {
    command = ["/usr/bin/extra"]
    expect {
      stdout_contains = "extra 1:3.1"
    }
  }
}
waiver {
  rule    = "final-user-non-root"
  address = "image.app"
  reason  = "there is no other"
  owner   = "t"
  expires = "2099-01-01"
}
`)})
		if p == nil || !userNamespaces() {
			missing(t, "user namespaces for ordinary users")
		}
		p.ok("apply")
	})

	t.Run("no shell", func(t *testing.T) {
		s.put(t, "base/static:1", baseOf(t, file("usr/bin/tool", "tool")))
		p := newProject(t, files{"image.hcl": baseSpec(s.host+"/base/static:1", `
  packages "apt" {
    install = ["tool=1.0"]
  }`)})
		p.fails(1, says("image.app, packages apt tool: what is below has no shell, and so no package manager"), "apply")
	})
}
