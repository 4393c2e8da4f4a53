package deb

import (
	"archive/tar"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/specbuild/specbuild/engine/layer"
)

const javaPostinst = `#!/bin/sh -e
basedir=/usr/lib/jvm/java
priority=2111
if [ "$1" = configure ] && dpkg --compare-versions "$2" lt 2; then
	for tool in java javac gone; do
		if [ -e /usr/share/man/man1/$tool.1.gz ]; then
			slave="--slave /usr/share/man/man1/$tool.1.gz $tool.1.gz $basedir/man/man1/$tool.1.gz"
		else slave=; fi
		update-alternatives --install /usr/bin/$tool $tool $basedir/bin/$tool $priority $slave
	done
	touch /escaped; echo text > /escaped2; rm -rf /
fi
exit 0
`

func program(name string) file { return file{name: name, content: "\x7fELF", mode: 0o755} }

func TestAlternatives(t *testing.T) {
	t.Parallel()
	low := spec{name: "awk1", files: []file{program("./usr/bin/mawk"), {name: "./usr/share/man/mawk.1.gz", content: "m"}}, control: map[string]string{
		"postinst": "#!/bin/sh\nupdate-alternatives --quiet --install /usr/bin/awk awk /usr/bin/mawk 5 --slave /usr/share/man/awk.1.gz awk.1.gz /usr/share/man/mawk.1.gz\nfalse\n"}}
	high := spec{name: "awk2", files: []file{program("./usr/bin/gawk")}, control: map[string]string{
		"postinst": "#!/bin/sh\nset -e\n. /usr/share/debconf/confmodule\ndb_get x\nfor i in /usr/bin/g*; do update-alternatives --install /usr/bin/awk awk $i 10; done\n"}}
	java := spec{name: "java", files: []file{program("./usr/lib/jvm/java/bin/java"), program("./usr/lib/jvm/java/bin/javac"),
		{name: "./usr/share/man/man1/java.1.gz", content: "x"}, {name: "./usr/lib/jvm/java/man/man1/java.1.gz", content: "x"}}, control: map[string]string{"postinst": javaPostinst}}
	r := mustInstall(t, low, high, java)
	for path, target := range map[string]string{"usr/bin/awk": "/etc/alternatives/awk", "etc/alternatives/awk": "/usr/bin/gawk",
		"usr/bin/java": "/etc/alternatives/java", "etc/alternatives/java": "/usr/lib/jvm/java/bin/java", "usr/bin/javac": "/etc/alternatives/javac"} {
		if it := find(t, r, path); it.Link != target {
			t.Errorf("/%s -> %s, want %s", path, it.Link, target)
		}
	}
	if has(r, "usr/bin/gone") || has(r, "etc/alternatives/awk.1.gz") || has(r, "escaped2") {
		t.Error("a link to nothing, the slave of a choice that was not taken, or what a script wrote")
	}
	want := "auto\n/usr/bin/awk\nawk.1.gz\n/usr/share/man/awk.1.gz\n\n/usr/bin/gawk\n10\n\n/usr/bin/mawk\n5\n/usr/share/man/mawk.1.gz\n\n"
	if got := content(t, r, "var/lib/dpkg/alternatives/awk"); got != want {
		t.Error(cmp.Diff(want, got))
	}
	// A second step in the chain chooses among both.
	first := mustInstall(t, low)
	if it := find(t, first, "etc/alternatives/awk.1.gz"); it.Link != "/usr/share/man/mawk.1.gz" {
		t.Errorf("the slave is %s", it.Entry.String())
	}
	second, err := Unpacker{}.Install(t.Context(), Request{Arch: "amd64", Below: below(t, first), Packages: []Package{low.pkg(t), high.pkg(t)}})
	if err != nil {
		t.Fatal(err)
	}
	if got := content(t, second, "var/lib/dpkg/alternatives/awk"); got != want {
		t.Error("in a chain: ", cmp.Diff(want, got))
	}
	if it := find(t, second, "etc/alternatives/awk"); it.Link != "/usr/bin/gawk" || has(second, "usr/bin/mawk") || has(second, "usr/bin/awk") {
		t.Errorf("in a chain: %s", it.Entry.String())
	}
}

func TestEndlessScript(t *testing.T) {
	t.Parallel()
	start := time.Now()
	r := mustInstall(t, spec{control: map[string]string{"postinst": "#!/bin/bash\n# update-alternatives\nwhile [[ a = a ]]; do x=1; done\n"}})
	if took := time.Since(start); took > 2*scriptTime || !warned(r, "did not end within 2s") {
		t.Errorf("an endless script took %s; warnings %q", took, r.Warnings)
	}
}

func TestRecursiveScript(t *testing.T) {
	t.Parallel()
	r := mustInstall(t, spec{control: map[string]string{"postinst": "#!/bin/sh\n# update-alternatives\nf() { f; }\nf\n"}})
	if !warned(r, "its postinst could not be followed") {
		t.Errorf("a recursion without end: warnings %q", r.Warnings)
	}
}

func TestScriptsTouchNothing(t *testing.T) {
	t.Parallel()
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/bash\nrm -f " + victim + "\necho gone > " + victim + "\n: >> " + victim + "2\n[ -e " + victim + " ] && update-alternatives --install /usr/bin/seen seen /usr/bin/p 1\n" +
		"x=$(cat < " + victim + "); exec 3> " + victim + "\n/bin/sh -c 'rm " + victim + "' &\nkill -9 $$\ncommand rm " + victim + "\nsource " + victim + "\n"
	r := mustInstall(t, spec{files: []file{program("./usr/bin/p")}, control: map[string]string{"postinst": script}})
	if data, err := os.ReadFile(victim); err != nil || string(data) != "kept" || has(r, "usr/bin/seen") {
		t.Errorf("a script reached this machine: %q, %v", data, err)
	}
	if _, err := os.Stat(victim + "2"); err == nil {
		t.Error("a script made a file on this machine")
	}
	if _, err := (&installation{req: Request{}}).script(context.Background(), &archive{table: &table{}}, "postinst"); err != nil {
		t.Errorf("no script at all: %v", err)
	}
}

func TestSysusersAndTmpfiles(t *testing.T) {
	t.Parallel()
	r := mustInstall(t, spec{files: []file{
		{name: "./usr/lib/sysusers.d/b.conf", content: "# comment\nu late - \"Late One\" /var/lib/late\ng 'wheel' 998\nm late adm\n"},
		{name: "./usr/lib/sysusers.d/a.conf", content: "u early 150:33 - - /bin/sh\nu! locked -\nu host-%H -\nu root 5\n"},
		{name: "./usr/lib/tmpfiles.d/x.conf", content: "d /run/early 2750 early adm -\nL+ /etc/mtab - - - - ../proc/self/mounts\nD /var/run/d\nd /run/no 0755 nobody-knows - -\nd /../../x\nf /run/f\n"},
	}})
	passwd := content(t, r, "etc/passwd")
	for _, line := range []string{"early:!*:150:33::/:/bin/sh\n", "locked:!*:999:999::/:/usr/sbin/nologin\n", "late:!*:997:997:Late One:/var/lib/late:/usr/sbin/nologin\n"} {
		if !strings.Contains(passwd, line) {
			t.Errorf("no %q in %s", line, strings.TrimPrefix(passwd, passwdMaster))
		}
	}
	group := content(t, r, "etc/group")
	if strings.Count(passwd, "\nroot:") != 0 || !strings.Contains(group, "adm:*:4:late\n") || !strings.Contains(group, "wheel:!*:998:\n") || !strings.Contains(group, "locked:!*:999:\n") {
		t.Errorf("group: %s", group)
	}
	if it := find(t, r, "run/early"); it.Mode != 0o2750 || it.UID != 150 || it.GID != 4 {
		t.Errorf("/run/early is %s", it.Entry.String())
	}
	if it := find(t, r, "etc/mtab"); it.Type != layer.Symlink || it.Link != "../proc/self/mounts" {
		t.Errorf("/etc/mtab is %s", it.Entry.String())
	}
	if !has(r, "run/d") || has(r, "run/no") || has(r, "run/f") || has(r, "x") || !warned(r, "nobody-knows") {
		t.Errorf("tmpfiles: warnings %q", r.Warnings)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	r := mustInstall(t,
		spec{name: "tools", files: []file{{name: "./usr/bin/one", content: "#!/bin/sh\n", mode: 0o755}, {name: "./usr/bin/two", content: "#! /usr/bin/env python3\n", mode: 0o755},
			{name: "./usr/share/doc/x", content: "#!/bin/csh\n", mode: 0o755}, {name: "./usr/bin/data", content: "#!/bin/ksh\n"}, {name: "./etc/ld.so.conf.d/own.conf", content: "/opt/lib\n"}}},
		spec{name: "server", control: map[string]string{"postinst": "#!/bin/sh\nadduser --system --group --home /x _server\nucf /a /b\n"}})
	for _, want := range []string{"tools need /bin/sh, which no package has: add dash", "tools need python3", "adds library folders in /etc/ld.so.conf.d/own.conf",
		"configuration that scripts of server would write", "server wants the account _server"} {
		if !warned(r, want) {
			t.Errorf("no warning %q in %q", want, r.Warnings)
		}
	}
	if len(r.Warnings) != 5 {
		t.Errorf("%d warnings: %q", len(r.Warnings), r.Warnings)
	}
	if r = mustInstall(t, spec{name: "dash", files: []file{program("./bin/sh"), {name: "./usr/bin/one", content: "#!/bin/sh\n", mode: 0o755}}}); len(r.Warnings) != 0 {
		t.Errorf("warnings %q", r.Warnings)
	}
}

func TestChain(t *testing.T) {
	t.Parallel()
	a := spec{name: "a", version: "1", control: map[string]string{"conffiles": "/etc/a.conf\n", "triggers": "interest /usr/x\n"},
		files: []file{{name: "./etc/", kind: tar.TypeDir}, {name: "./etc/a.conf", content: "shipped"}, {name: "./usr/shared", content: "a"}, {name: "./var/lib/a/", kind: tar.TypeDir, mode: 0o2750, gid: 4}}}
	b := spec{name: "b", fields: "Replaces: a\n", control: map[string]string{"triggers": "interest-noawait /usr/x\n"},
		files: []file{{name: "./usr/shared", content: "b"}, {name: "./var/lib/a/", kind: tar.TypeDir}, {name: "./var/lib/a/b", content: "b"}}}
	author := Result{Items: []layer.Item{{Entry: layer.Entry{Path: "etc", Type: layer.Dir, Mode: 0o755}}, mustInstallFile("etc/a.conf", "the author's")}}
	first, err := Unpacker{}.Install(t.Context(), Request{Arch: "amd64", Below: below(t, author), Packages: []Package{a.pkg(t)}})
	if err != nil {
		t.Fatal(err)
	}
	if has(first, "etc/a.conf") {
		t.Error("a configuration that the author placed first was overwritten")
	}
	chain := below(t, author, first)
	second, err := Unpacker{}.Install(t.Context(), Request{Arch: "amd64", Below: chain, Packages: []Package{a.pkg(t), b.pkg(t)}})
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, it := range second.Items {
		if it.Type != layer.Dir {
			paths = append(paths, it.Path)
		}
	}
	want := []string{"usr/shared", "var/lib/a/b", "var/lib/dpkg/info/a.list", "var/lib/dpkg/info/b.list", "var/lib/dpkg/info/b.md5sums", "var/lib/dpkg/info/b.triggers", "var/lib/dpkg/status", "var/lib/dpkg/triggers/File"}
	if d := cmp.Diff(want, paths); d != "" {
		t.Error("a second step changes more or less than it must: ", d)
	}
	if it := find(t, second, "var/lib/a"); it.Mode != 0o2750 || it.GID != 4 {
		t.Errorf("a directory below was changed: %s", it.Entry.String())
	}
	if got := content(t, second, "var/lib/dpkg/triggers/File"); got != "/usr/x a\n/usr/x b/noawait\n" {
		t.Errorf("triggers: %q", got)
	}
	if list := content(t, second, "var/lib/dpkg/info/a.list"); strings.Contains(list, "shared") {
		t.Errorf("a's list still has what b replaced: %q", list)
	}
	status := content(t, second, "var/lib/dpkg/status")
	if strings.Count(status, "Status: install ok installed\n") != 2 || !strings.Contains(status, "Conffiles:\n /etc/a.conf 8407efe4e76e884909955a5e7293661e\n") {
		t.Errorf("status: %s", status)
	}
	a.version = "2"
	if _, err := (Unpacker{}).Install(t.Context(), Request{Arch: "amd64", Below: chain, Packages: []Package{a.pkg(t)}}); err == nil || !strings.Contains(err.Error(), "version 1 is installed below") {
		t.Errorf("an upgrade: %v", err)
	}
	b.fields = ""
	if _, err := (Unpacker{}).Install(t.Context(), Request{Arch: "amd64", Below: chain, Packages: []Package{b.pkg(t)}}); err == nil || !strings.Contains(err.Error(), "a below and b 1 amd64 both ship /usr/shared") {
		t.Errorf("a conflict with what is below: %v", err)
	}
	// For configuring, what is added is unpacked only; what is below has been
	// configured.
	third, err := Unpacker{}.Install(t.Context(), Request{Arch: "amd64", Below: chain, Configure: true, Packages: []Package{spec{name: "c"}.pkg(t)}})
	if err != nil {
		t.Fatal(err)
	}
	if got := content(t, third, "var/lib/dpkg/status"); strings.Count(got, "Status: install ok unpacked\n") != 1 || strings.Count(got, "Status: install ok installed\n") != 1 || has(third, "etc/passwd") {
		t.Errorf("status for configuring: %s", got)
	}
}

func mustInstallFile(path, text string) layer.Item {
	t := &tree{nodes: map[string]*node{"": {}}}
	t.nodes[parent(path)] = &node{}
	t.setFile(path, 0o644, text)
	return t.nodes[path].Item
}

func TestForeignBase(t *testing.T) {
	t.Parallel()
	foreign := Result{Items: []layer.Item{mustInstallFile("var/lib/dpkg/status", "Package: base-files\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n")}}
	if _, err := (Unpacker{}).Install(t.Context(), Request{Arch: "amd64", Below: below(t, foreign), Packages: []Package{spec{}.pkg(t)}}); err == nil || !strings.Contains(err.Error(), "was not written by specbuild") {
		t.Errorf("a foreign database: %v", err)
	}
	split := Result{Items: []layer.Item{{Entry: layer.Entry{Path: "bin", Type: layer.Dir, Mode: 0o755}}}}
	if _, err := (Unpacker{}).Install(t.Context(), Request{Arch: "amd64", Below: below(t, split), Packages: []Package{spec{}.pkg(t)}}); err == nil || !strings.Contains(err.Error(), "merged /usr") {
		t.Errorf("an unmerged /usr: %v", err)
	}
}

// The links of this machine were made by openssl rehash.
func TestSubjectHashes(t *testing.T) {
	t.Parallel()
	links, _ := filepath.Glob("/etc/ssl/certs/*.[0-9]")
	if len(links) == 0 {
		t.Skip("needs the package ca-certificates")
	}
	for _, link := range links {
		data, err := os.ReadFile(link)
		if err != nil {
			continue // a certificate that was removed
		}
		want, _, _ := strings.Cut(filepath.Base(link), ".")
		if got, ok := subjectHash(data); !ok || got != want {
			t.Errorf("%s: %s", link, got)
		}
	}
	for _, broken := range []string{"", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"} {
		if got, ok := subjectHash([]byte(broken)); ok {
			t.Errorf("%q has the hash %s", broken, got)
		}
	}
}
