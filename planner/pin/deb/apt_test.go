package deb

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// smaller are the packages for which apt's set is another, larger one: a
// later dependency meets an or-group for which apt had chosen already.
var smaller = []string{"podman"}

// TestSameAsApt compares closures with apt's own in an empty root: 75 packages
// of trixie on amd64 and a dozen of bookworm on arm64.
func TestSameAsApt(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("apt-get"); err != nil {
		if os.Getenv("SPECBUILD_TEST_REQUIRE") != "" {
			t.Fatal("apt-get is required here")
		}
		t.Skip("needs apt-get")
	}
	sets := []struct{ suite, arch, names string }{
		{"trixie", "amd64", `nginx curl git golang-go python3 python3-pip nodejs ruby perl php postgresql redis-server mariadb-server
			haproxy memcached varnish apache2 openssh-server exim4 vim emacs-nox gcc g++ build-essential make cmake clang rustc openjdk-21-jre
			maven ffmpeg imagemagick texlive-latex-base libreoffice-writer chromium firefox-esr systemd dbus man-db rabbitmq-server docker.io
			podman skopeo buildah runc qemu-system-x86 sqlite3 r-base-core octave gnuplot-nox bash zsh tmux jq ca-certificates iproute2
			nftables strace gdb valgrind default-mta`},
		{"bookworm", "arm64", "nginx curl git golang-go python3 ruby php postgresql redis-server ffmpeg systemd openjdk-17-jre"},
	}
	for _, set := range sets {
		t.Run(set.suite+"-"+set.arch, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
			defer cancel()
			m := MachineMirrors("/etc")
			index, _, err := NewResolver(Options{Mirrors: m}).Load(ctx, Archive{Suite: set.suite}, set.arch)
			if err != nil {
				t.Fatal(err)
			}
			apt := aptRoot(ctx, t, m, set.suite, set.arch)
			var wg sync.WaitGroup
			slots := make(chan struct{}, 2) // apt is busy on one core
			for _, name := range strings.Fields(set.names) {
				wg.Go(func() {
					slots <- struct{}{}
					defer func() { <-slots }()
					sameAsApt(t, index, apt, name)
				})
			}
			wg.Wait()
		})
	}
}

func sameAsApt(t *testing.T, index *Index, apt func(args ...string) []string, name string) {
	t.Helper()
	list, err := index.Solve(Request{Install: []string{name}})
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	var got []string
	for _, p := range list {
		got = append(got, p.Name+" "+p.Version)
	}
	slices.Sort(got)
	request := []string{"-s", "--no-install-recommends", "install", name}
	if slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "usr-is-merged ") }) {
		// Our roots are merged from the start, so we never take usrmerge,
		// which converts one and brings perl along; apt is told the same.
		request = append(request, "usr-is-merged")
	}
	want := apt(request...)
	if len(want) == 0 {
		t.Errorf("%s: apt said nothing", name)
	}
	if !slices.Equal(got, want) {
		missing := slices.DeleteFunc(slices.Clone(want), func(s string) bool { return slices.Contains(got, s) })
		extra := slices.DeleteFunc(got, func(s string) bool { return slices.Contains(want, s) })
		if slices.Contains(smaller, name) && len(extra) == 0 {
			return
		}
		t.Errorf("%s: apt alone has %q, we alone %q", name, missing, extra)
	}
}

var instLine = regexp.MustCompile(`(?m)^Inst (\S+?)(?::\S+)? \((\S+) `)

// aptRoot is apt with a state of its own and the same sources; it answers
// with "name version" of what it would install, sorted.
func aptRoot(ctx context.Context, t *testing.T, m Mirrors, suite, arch string) func(args ...string) []string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/lib/dpkg"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	key := " [signed-by=" + filepath.Join(dir, "keys.gpg") + "] "
	for name, content := range map[string]string{
		"keys.gpg": string(debianKeys), "var/lib/dpkg/status": "",
		"etc/apt/sources.list": "deb" + key + m.Debian[0] + " " + suite + " main\ndeb" + key + m.Debian[0] + " " + suite + "-updates main\ndeb" + key + m.Security[0] + " " + suite + "-security main\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// The machine's own configuration must not speak: a container's switches
	// apt's caches off, which makes each run take seconds.
	conf := filepath.Join(dir, "apt.conf")
	if err := os.WriteFile(conf, []byte("Dir \""+dir+"\";\nDir::Etc::parts \""+dir+"/etc/apt/apt.conf.d\";\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) []string {
		args = append([]string{"-o", "Dir=" + dir, "-o", "Dir::State::status=" + dir + "/var/lib/dpkg/status", "-o", "APT::Architecture=" + arch,
			"-o", "APT::Architectures=" + arch, "-o", "APT::Sandbox::User=root", "-o", "Acquire::Languages=none", "-o", "Dir::Bin::methods=/usr/lib/apt/methods"}, args...)
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "APT_CONFIG="+conf, "LC_ALL=C.UTF-8")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("apt-get %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		var list []string
		for _, f := range instLine.FindAllStringSubmatch(string(out), -1) {
			list = append(list, f[1]+" "+f[2])
		}
		slices.Sort(list)
		return list
	}
	run("update")
	return run
}

// TestAnyNeedsAPackageThatAllowsIt: what depends on b:any is content with any
// architecture's b, if b says that it serves others.
func TestAnyNeedsAPackageThatAllowsIt(t *testing.T) {
	t.Parallel()
	for multiArch, met := range map[string]bool{"allowed": true, "foreign": false, "": false} {
		index := world(t, "a 1; Depends: b:any\nb 1; Multi-Arch: "+multiArch)
		list, err := index.Solve(Request{Install: []string{"a"}})
		if got := err == nil && len(list) == 2; got != met {
			t.Errorf("Multi-Arch %q: met %t, want %t (%v)", multiArch, got, met, err)
		}
	}
}
