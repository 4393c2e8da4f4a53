//go:build linux

package acceptance

import (
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestApkIsCalled: there is no Alpine here, so what is tested is how its apk
// would be called, and what of its traces is left, by a program of its name.
func TestApkIsCalled(t *testing.T) {
	t.Parallel()
	p := newShellProject(t, files{"apk": `#!/bin/sh
mkdir -p /lib/apk/db /var/log
echo times > /var/log/apk.log
: > /lib/apk/db/lock
touch "$5/kept"
for a in "$@"; do echo "<$a>"; done > /lib/apk/db/asked
echo world > /lib/apk/db/world
[ -e /lib/apk/db/before ] && cat /lib/apk/db/before
`, "image.hcl": shellStage + `
stage "os" {
  from = stage.shell
  run {
    command = ["/bin/busybox", "--install", "-s", "/bin"]
  }
  copy {
    source = "apk"
    to     = "/sbin/apk"
    mode   = "0755"
  }
  file {
    path    = "/var/log/apk.log"
    content = "of the base"
  }
  file {
    path    = "/lib/apk/db/before"
    content = "before"
  }
}
image "app" {
  from      = stage.os
  platforms = ["linux/` + runtime.GOARCH + `"]
  packages "apk" {
    install = ["curl=8.14.1-r2", "so"]
  }
  run_as = "1:1"
}
`})
	p.ok("apply", "-o", "oci:image", "-o", "dir:out")
	want := "<add>\n<--no-progress>\n<--update-cache>\n<--cache-dir>\n</run/specbuild/packages>\n<-->\n<curl=8.14.1-r2>\n<so>\n"
	if got := p.read("out/lib/apk/db/asked"); got != want {
		t.Errorf("apk was called with\n%s", got)
	}
	if d := cmp.Diff([]string{"lib/apk/db/asked", "lib/apk/db/world"}, topLayer(t, p.path("image"))); d != "" {
		t.Error("the layer holds more or less than what was installed (-want +got): ", d)
	}
}

// rpmSpec is a package that recommends another, with a script that no shell
// is needed for.
const rpmSpec = `Name: tool
Version: 1.2
Release: 3
Summary: a test
License: none
BuildArch: noarch
AutoReqProv: no
Recommends: extra
%description
A tool.
%package -n extra
Summary: extra
%description -n extra
Extra.
%install
mkdir -p %{buildroot}/usr/bin %{buildroot}/usr/share/extra
echo 'tool 1.2' > %{buildroot}/usr/bin/tool
echo extra > %{buildroot}/usr/share/extra/x
%post -p <lua>
f = io.open("/etc/tool.conf", "w") f:write("configured") f:close()
%files
/usr/bin/tool
%files -n extra
/usr/share/extra/x
`

// TestDnf installs from a repository of rpms by Debian's dnf: there is no other
// that could be had here without a registry of somebody else's.
func TestDnf(t *testing.T) {
	t.Parallel()
	image := `
image "NAME" {
  from      = stage.repo
  platforms = ["PLATFORM"]
  packages "dnf" {
    install    = ["tool=1.2-3"]
    recommends = RECOMMENDS
  }
  run_as = "1:1"
  test "is there" {
    file "/usr/bin/tool" {
      contains = "tool 1.2"
    }
    file "/etc/tool.conf" {
      contains = "configured"
    }
    absent = ["/var/cache/dnf/*", "/var/log/dnf*", "/var/lib/dnf/history*", "/run/specbuild"ABSENT]
  }
}
`
	fill := strings.NewReplacer("PLATFORM", "linux/"+runtime.GOARCH, "NAME", "alone", "RECOMMENDS", "false", "ABSENT", `, "/usr/share/extra/x"`)
	more := strings.NewReplacer("PLATFORM", "linux/"+runtime.GOARCH, "NAME", "more", "RECOMMENDS", "true", "ABSENT", "")
	p := newProject(t, files{"tool.spec": rpmSpec, "image.hcl": debianRepository + `
stage "os" {
  from = scratch
  packages "deb" {
    repository = repository.debian
    install    = ["dnf", "rpm", "createrepo-c", "dash", "bash", "coreutils", "grep", "sed", "findutils", "libc-bin"]
  }
}
stage "rpms" {
  from = stage.os
  copy {
    source = "tool.spec"
    to     = "/tool.spec"
  }
  run {
    script  = "rpmbuild -bb --define '_rpmdir /repo' /tool.spec && createrepo_c /repo"
    outputs = ["/repo"]
  }
}
stage "repo" {
  from = stage.os
  copy {
    from   = stage.rpms
    source = "/repo"
    to     = "/srv/repo"
  }
  file {
    path    = "/etc/yum.repos.d/test.repo"
    content = "[test]\nname=test\nbaseurl=file:///srv/repo\ngpgcheck=0\n"
  }
}
waiver {
  rule    = "packages-signature-checked"
  address = "stage.repo"
  reason  = "an archive of this test's own, without a key"
  owner   = "tests"
  expires = "2099-12-31"
}
` + fill.Replace(image) + more.Replace(image)})
	p.debian()
	p.ok("apply", "--target", "image.alone", "-o", "oci:image")
	for _, name := range topLayer(t, p.path("image")) {
		known := name == "etc/tool.conf" || name == "usr/bin/tool" || strings.HasPrefix(name, "srv/repo/") || // librepo notes checksums in xattrs
			strings.Contains(name, "rpmdb.sqlite")
		if !known {
			t.Errorf("%s is left in the layer", name)
		}
	}
	r := p.ok("apply", "--target", "image.more", "-o", "dir:out")
	if got := p.read("out/usr/share/extra/x"); got != "extra\n" {
		t.Errorf("the recommended package has %q\n%s", got, r.all())
	}
}
