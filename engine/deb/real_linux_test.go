package deb

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/specbuild/specbuild/engine/layer"
)

// These tests take real packages, by the apt of this machine and from the
// mirror that it is set up with. Archives are kept between runs.

var instLine = regexp.MustCompile(`^Inst (\S+) \((\S+) .*\[(\S+)\]`)

// closure downloads packages with all that they depend on.
func closure(t testing.TB, names ...string) []Package {
	t.Helper()
	for _, tool := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs " + tool)
		}
	}
	empty := filepath.Join(t.TempDir(), "status")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-s", "-o", "Dir::State::status=" + empty, "--no-install-recommends", "install"}, names...)
	out, err := exec.Command("apt-get", args...).Output()
	if err != nil {
		t.Skip("needs the lists of apt-get update: ", err)
	}
	dir := filepath.Join(os.TempDir(), "specbuild-test-debs")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var matches [][]string
	for line := range strings.Lines(string(out)) {
		if m := instLine.FindStringSubmatch(line); m != nil {
			matches = append(matches, m)
		}
	}
	if len(matches) == 0 {
		t.Fatalf("apt-get installs nothing for %v:\n%s", names, out)
	}
	download(t, dir, matches)
	packages := make([]Package, len(matches))
	for i, m := range matches {
		file := filepath.Join(dir, debName(m))
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		packages[i] = packageOf(m[1], m[2], m[3], data)
		packages[i].Open = func(context.Context) (io.ReadCloser, error) { return os.Open(file) }
	}
	return packages
}

// debName is the name that apt gives the file of a package.
func debName(m []string) string {
	return fmt.Sprintf("%s_%s_%s.deb", m[1], strings.ReplaceAll(m[2], ":", "%3a"), m[3])
}

// download brings what is missing into the folder that runs share.
func download(t testing.TB, dir string, matches [][]string) {
	t.Helper()
	args := []string{"download"}
	for _, m := range matches {
		if _, err := os.Stat(filepath.Join(dir, debName(m))); err != nil {
			args = append(args, m[1]+"="+m[2])
		}
	}
	if len(args) == 1 {
		return
	}
	work, err := os.MkdirTemp(dir, ".new-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(work)
	cmd := exec.Command("apt-get", args...)
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("needs the mirror: %v: %s", err, out)
	}
	got, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range got {
		if err := os.Rename(file, filepath.Join(dir, filepath.Base(file))); err != nil {
			t.Fatal(err)
		}
	}
}

// unpacked installs packages and unpacks the layer into a folder.
func unpacked(t *testing.T, names ...string) (string, Result, []Package) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, to unpack owners")
	}
	packages := closure(t, names...)
	r, err := Unpacker{}.Install(t.Context(), Request{Packages: packages, Arch: runtime.GOARCH})
	if err != nil {
		t.Fatal(err)
	}
	var tar bytes.Buffer
	if _, err := layer.Write(&tar, r.Items); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := layer.Unpack(&tar, root, layer.UnpackOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d packages, %d items; warnings:\n%s", len(packages), len(r.Items), strings.Join(r.Warnings, "\n"))
	return root, r, packages
}

// describe tells all of a file that a layer keeps.
func describe(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		return "absent"
	}
	st := info.Sys().(*syscall.Stat_t)
	text := fmt.Sprintf("%o %d:%d", st.Mode, st.Uid, st.Gid)
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		link, _ := os.Readlink(path)
		text += " -> " + link
	case info.Mode().IsRegular():
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		text += fmt.Sprintf(" %d links, %s", st.Nlink, hex.EncodeToString(sum[:8]))
	}
	return text
}

func TestRealPackages(t *testing.T) {
	root, r, packages := unpacked(t, "nginx", "ca-certificates", "mawk", "vim-tiny", "dash", "base-files", "base-passwd", "passwd", "perl-base")
	t.Run("as dpkg-deb", func(t *testing.T) { compareWithDpkgDeb(t, root, packages) })
	t.Run("database", func(t *testing.T) { checkDatabase(t, root, packages) })
	t.Run("certificates", func(t *testing.T) { compareCertificates(t, root) })
	t.Run("alternatives", func(t *testing.T) {
		for path, target := range map[string]string{"etc/alternatives/awk": "/usr/bin/mawk", "usr/bin/awk": "/etc/alternatives/awk", "etc/alternatives/vi": "/usr/bin/vim.tiny"} {
			if it := find(t, r, path); it.Link != target {
				t.Errorf("/%s -> %s, want %s", path, it.Link, target)
			}
		}
		out, err := exec.Command("update-alternatives", "--root", root, "--query", "awk").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Status: auto\nBest: /usr/bin/mawk\nValue: /usr/bin/mawk\n") {
			t.Errorf("update-alternatives reads: %v\n%s", err, out)
		}
	})
	t.Run("programs", func(t *testing.T) {
		conf := "pid /tmp/nginx.pid; error_log /dev/stderr; events {}\nhttp { access_log off; server { listen 8080; } }\n"
		if err := os.WriteFile(filepath.Join(root, "etc/nginx/test.conf"), []byte(conf), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "dev/null"), nil, 0o666); err != nil {
			t.Fatal(err)
		}
		for want, args := range map[string][]string{
			"test is successful": {"/usr/sbin/nginx", "-t", "-e", "/tmp/error.log", "-c", "/etc/nginx/test.conf"},
			"6 of awk":           {"/usr/bin/awk", "BEGIN { print 2 * 3 \" of awk\" }"},
			"VIM":                {"/usr/bin/vi", "--version"},
			"www-data":           {"/bin/sh", "-c", "while read -r line; do case $line in www-data:*) echo $line;; esac; done < /etc/passwd"},
			"perl 42":            {"/usr/bin/perl", "-e", "print 'perl ', 6*7"},
		} {
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Path = args[0]
			cmd.Err = nil
			cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Chroot: root}
			if out, err := cmd.CombinedOutput(); !strings.Contains(string(out), want) {
				t.Errorf("%v: %v: %s", args, err, out)
			}
		}
	})
}

// Scripts with variables, loops and tests for files.
func TestRealAlternatives(t *testing.T) {
	if testing.Short() {
		t.Skip("fetches 60 MB")
	}
	packages := closure(t, "openjdk-17-jre-headless", "php8.2-cli", "less")
	r, err := Unpacker{}.Install(t.Context(), Request{Packages: packages, Arch: runtime.GOARCH})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(strings.Join(r.Warnings, "\n"))
	for name, target := range map[string]string{"java": "/usr/lib/jvm/java-17-openjdk-amd64/bin/java", "php": "/usr/bin/php8.2", "pager": "/usr/bin/less"} {
		if runtime.GOARCH != "amd64" {
			target = strings.ReplaceAll(target, "amd64", runtime.GOARCH)
		}
		if it := find(t, r, "etc/alternatives/"+name); it.Link != target {
			t.Errorf("%s -> %s, want %s", name, it.Link, target)
		}
		if it := find(t, r, "usr/bin/"+name); it.Link != "/etc/alternatives/"+name {
			t.Errorf("/usr/bin/%s -> %s", name, it.Link)
		}
	}
}

func compareWithDpkgDeb(t *testing.T, root string, packages []Package) {
	modes := map[string]string{} // of directories, by the first package that has them
	files := 0
	for _, p := range packages {
		dir := t.TempDir()
		if out, err := exec.Command("dpkg-deb", "-x", archiveFile(t, p), dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || path == dir {
				return err
			}
			name, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			want, got := describe(t, path), describe(t, filepath.Join(root, name))
			if name == "var/run" || name == "var/lock" || !d.IsDir() && name != merged(name) && strings.Contains(name, "/") && got == "absent" {
				return nil
			}
			if d.IsDir() {
				if merged(name) == "usr/"+name || len(merged(name+"/x")) > len(name)+2 {
					return nil // a link now
				}
				if p.Name != "base-files" && modes[name] != "" {
					return nil
				}
				modes[name] = want
			}
			files++
			if got != want {
				t.Errorf("%s: /%s is\n%s, dpkg-deb has\n%s", p.Name, name, got, want)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d files and directories compared", files)
}

// checkDatabase lets dpkg read what was written.
func checkDatabase(t *testing.T, root string, packages []Package) {
	dpkg := func(args ...string) string {
		cmd := exec.Command("dpkg", append([]string{"--root=" + root}, args...)...)
		var out, problems bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &problems
		if err := cmd.Run(); err != nil || problems.Len() > 0 {
			t.Errorf("dpkg %v: %v: %s%s", args, err, out.String(), problems.String())
		}
		return out.String()
	}
	if out := dpkg("--audit"); out != "" {
		t.Errorf("dpkg --audit: %s", out)
	}
	if out := dpkg("--verify"); out != "" {
		t.Errorf("dpkg --verify finds changed files:\n%s", out)
	}
	list := dpkg("-l")
	n := 0
	for lines := bufio.NewScanner(strings.NewReader(list)); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "ii ") {
			n++
		}
	}
	if n != len(packages) {
		t.Errorf("dpkg -l shows %d of %d packages as installed:\n%s", n, len(packages), list)
	}
	if out := dpkg("-S", "/usr/sbin/nginx"); !strings.HasPrefix(out, "nginx") {
		t.Errorf("dpkg -S: %s", out)
	}
	if out := dpkg("-L", "libc6"); !strings.Contains(out, "/libc.so.6\n") {
		t.Errorf("dpkg -L libc6: %s", out)
	}
}

// compareCertificates runs this machine's update-ca-certificates over the
// same certificates.
func compareCertificates(t *testing.T, root string) {
	tool, err := exec.LookPath("update-ca-certificates")
	if err != nil {
		t.Skip("needs update-ca-certificates")
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "conf")
	certs := filepath.Join(dir, "certs")
	if err := os.Mkdir(certs, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(conf, []byte("\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool, "--default", "--certsconf", conf, "--certsdir", filepath.Join(root, certificatesDir),
		"--localcertsdir", dir+"/none", "--hooksdir", dir+"/none", "--etccertsdir", certs)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want, err := os.ReadFile(filepath.Join(certs, "ca-certificates.crt"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, bundlePath))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the bundle has %d bytes, update-ca-certificates makes %d", len(got), len(want))
	}
	names := func(dir string) (all []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			all = append(all, e.Name())
		}
		return all
	}
	if d := cmp.Diff(names(certs), names(filepath.Join(root, certsDir))); d != "" {
		t.Errorf("links: %s", d)
	}
}

// BenchmarkNginx is one platform of the quickstart: decoded archives in the
// store, to the end of the layer's tar and its digest.
func BenchmarkNginx(b *testing.B) {
	packages := closure(b, "nginx", "ca-certificates")
	u := Unpacker{Store: dirStore(b.TempDir())}
	req := Request{Packages: packages, Arch: runtime.GOARCH}
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			u := Unpacker{Store: dirStore(b.TempDir())}
			if _, err := u.archives(b.Context(), u.Store, packages); err != nil {
				b.Fatal(err)
			}
		}
	})
	if _, err := u.Install(b.Context(), req); err != nil {
		b.Fatal(err)
	}
	b.Run("install", func(b *testing.B) {
		for b.Loop() {
			if _, err := u.Install(b.Context(), req); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("install and write", func(b *testing.B) {
		for b.Loop() {
			r, err := u.Install(b.Context(), req)
			if err != nil {
				b.Fatal(err)
			}
			w, err := layer.Write(io.Discard, r.Items)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(w.Size)
		}
	})
}

// archiveFile is the .deb on disk.
func archiveFile(t *testing.T, p Package) string {
	t.Helper()
	f, err := p.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return f.(*os.File).Name()
}
