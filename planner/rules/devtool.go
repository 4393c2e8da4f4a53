package rules

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// devTools are compilers, servers of shells, editors and debuggers, by the
// names of their packages without a version.
var devTools = []string{
	"build-essential", "build-base", "gcc", "g++", "clang", "make", "cmake", "golang", "golang-go", "go", "rust", "rustc", "cargo", "openjdk-*-jdk", "default-jdk",
	"openssh-server", "dropbear", "telnetd", "telnet", "vim", "vim-tiny", "vim-enhanced", "nano", "emacs", "emacs-nox", "gdb", "lldb", "strace", "ltrace",
	"valgrind", "tcpdump", "nmap", "netcat", "netcat-openbsd", "netcat-traditional", "nmap-ncat",
}

func devToolRule() Rule {
	return Rule{
		ID: "packages-no-dev-tools-in-final", Severity: diag.Info, Release: diag.Info, By: ByJudge, Title: "No compiler, editor, debugger or server of shells is installed in an image",
		Why:    "Nothing of the application needs them, they are large, and they are what an intruder would have to bring along.",
		Params: []Param{{Name: "deny", Kind: List, Doc: "names of packages, with * for any part of one; by default compilers, editors, debuggers and servers of shells"}},
		Bad: `base "debian" {
  image = "docker.io/library/debian:13.1"
}
image "web" {
  from   = base.debian
  run_as = "10001"
  packages "apt" {
    install = ["gcc=4:14.2.0-1"]
  }
}`,
		Good: `base "debian" {
  image = "docker.io/library/debian:13.1"
}
stage "build" {
  from = base.debian
  packages "apt" {
    install = ["gcc=4:14.2.0-1"]
  }
}
image "web" {
  from   = base.debian
  run_as = "10001"
  copy {
    from   = stage.build
    source = "/usr/bin/web"
    to     = "/usr/bin/web"
  }
}`,
		Mend:    "Build in a stage, and copy the result from there.",
		Sources: []string{"CIS-4.3", "CIS-DI-0003"},
		check:   devToolsShipped,
	}
}

// devToolsShipped looks at layers that are shipped, and lets a script have
// what it removes again.
func devToolsShipped(d *docket) {
	deny := d.list("deny", devTools...)
	const summary = "A development tool is shipped"
	const detail = "%s installs %s, which nothing needs in a finished image. Build in a stage of its own, and copy the result from there."
	for _, inst := range d.shipped() {
		for _, step := range inst.Body.Steps {
			p, ok := step.(*spec.Packages)
			if !ok {
				continue
			}
			for _, name := range p.Install.V {
				if denied(name, deny) {
					d.found(inst.Body.Addr, d.element(p.Install.Range, name), summary, detail, inst.Body.Addr.Local(), name)
				}
			}
		}
	}
	d.eachStep(d.shipped(), func(st runStep) {
		if !st.kept("/usr") || len(st.script.managers(remove)) > 0 {
			return
		}
		for _, m := range st.script.managers(install) {
			for _, i := range m.names {
				if denied(m.args[i], deny) {
					d.found(st.body().Addr, d.arg(st, m.call, i), summary, detail, st.local(), m.args[i])
				}
			}
		}
	})
}

var versionOfName = regexp.MustCompile(`-?[0-9][0-9.]*$`)

// denied reports whether a package, as an installer is told it, is in a list:
// gcc-14=14.2.0-1 and gcc:arm64 are gcc, and gcc-14-base is not.
func denied(word string, deny []string) bool {
	name, _, _ := strings.Cut(word, "=")
	name, _, _ = strings.Cut(name, ":")
	name = strings.TrimRight(name, "~<>@")
	return slices.ContainsFunc([]string{name, versionOfName.ReplaceAllString(name, "")}, func(n string) bool {
		return n != "" && slices.ContainsFunc(deny, func(pattern string) bool {
			match, err := path.Match(pattern, n)
			return err == nil && match
		})
	})
}
