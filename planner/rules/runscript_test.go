package rules_test

import (
	"strings"
	"testing"

	"github.com/specbuild/specbuild/spec/diag"
)

// shelled is a script in a shell of its own.
func shelled(shell, script string) string {
	return "shell = " + shell + "\n  run {\n    script = " + script + "\n  }\n"
}

func TestRunFailsOnError(t *testing.T) {
	t.Parallel()
	cases{
		also: around,
		fires: []string{
			shelled(`["/bin/bash", "-c"]`, `«"make; make install"»`),
			shelled(`["/bin/bash", "-o", "pipefail", "-c"]`, `«"make; make install"»`),
			shelled(`["/bin/bash", "-ec"]`, `«"make; make DESTDIR=$D install"»`),
			shelled(`["/bin/bash", "-euc"]`, `"«sort /x | uniq > /y»"`),
			shelled(`["/bin/bash", "-c"]`, `«"for f in *; do make -C $f; done"»`),
			shelled(`["/bin/sh", "-c"]`, "«<<-SH\n      make\n      make install\n    SH»"),
			shelled(`["/bin/bash", "+e", "-c"]`, `«"make; make install"»`),
			run("«sort /x | uniq > /y»"),
			run("x=$(«sort /x | uniq»)"),
			run("«sort /x | uniq | wc -l» && id"),
			`run {
    command = «["bash", "-c", "make; make install"]»
  }`,
			`run {
    command = ["sh", "-euc", "«sort /x | uniq > /y»"]
  }`,
		},
		quiet: []string{
			shelled(`["/bin/bash", "-c"]`, `"make && make install"`),
			shelled(`["/bin/bash", "-c"]`, `"set -eux; make; make install $D"`),
			shelled(`["/bin/bash", "-c"]`, `"set -o errexit -o nounset; make; make install $D"`),
			shelled(`["/bin/bash", "-ec"]`, `"make; make install"`),
			shelled(`["/bin/bash", "-ec"]`, `"make; echo $? $1 $${x:-y}"`),
			shelled(`["/bin/bash", "-euo", "pipefail", "-c"]`, `"sort /x | uniq; make $D"`),
			shelled(`["/bin/bash", "-e", "-u", "-o", "pipefail", "-c"]`, `"sort /x | uniq; make $D"`),
			shelled(`["/bin/bash", "-c"]`, `"set -euo pipefail; sort /x | uniq"`),
			shelled(`["/bin/busybox", "ash", "-euo", "pipefail", "-c"]`, `"sort /x | uniq"`),
			shelled(`["/usr/bin/perl", "-e"]`, `"a; b | c"`),
			shelled(`["/bin/bash", "-c"]`, `"set $FLAGS; make; make install"`),
			run("echo x | tee /y; printf '%s' x | cat; yes | make config"),
			run("if sort /x | grep -q y; then id; fi; ! sort /x | uniq; sort /x | grep y || true"),
			run("cat <<EOT | make -f -\n      a\n      EOT"),
			run("make; make install"),
			`run {
    command = ["make", "a", "|", "b", ";"]
  }`,
			`run {
    command = ["bash", "-c", "make"]
  }`,
		},
	}.run(t, "run-fails-on-error")
	for _, m := range []mended{
		{"run-fails-on-error", shelled(`["/bin/bash", "-c"]`, `"make; make $D"`), shelled(`["/bin/bash", "-e", "-u", "-c"]`, `"make; make $D"`)},
		{"run-fails-on-error", shelled(`["/bin/bash", "-ec"]`, `"make; make $D"`), ""},
		{"run-fails-on-error", shelled(`["/bin/bash", "-eu", "-c"]`, `"a | b"`), shelled(`["/bin/bash", "-eu", "-o", "pipefail", "-c"]`, `"a | b"`)},
		{"run-fails-on-error", shelled(`["/bin/sh", "-c"]`, `"make; make install"`), shelled(`["/bin/sh", "-e", "-c"]`, `"make; make install"`)},
		{"run-fails-on-error", shelled(`["/bin/sh", "-eu", "-c"]`, `"a | b"`), ""}, // Debian's sh has no pipefail
		{"run-fails-on-error", run("a | b"), ""},
	} {
		t.Run("fix", m.run)
	}
}

func TestRunShellDeclared(t *testing.T) {
	t.Parallel()
	cases{
		severity: diag.Warning, release: diag.Warning, also: around,
		fires: []string{
			run("«ln» -sf /bin/bash /bin/sh"),
			run("«ln» -snf bash /bin/sh"),
			run("rm /bin/sh && «ln» -s /bin/bash /bin/sh"),
			run("«cp» /bin/bash /bin/sh"),
			run("«mv» /bin/bash /usr/bin/sh"),
			run("«update-alternatives» --install /bin/sh sh /bin/bash 100"),
			run("echo 'dash dash/sh boolean false' | debconf-set-selections; «dpkg-reconfigure» dash"),
			run("«chsh» -s /bin/bash"),
			run("«usermod» --shell /usr/bin/zsh root"),
			`run {
    command = [«"ln"», "-sf", "/bin/bash", "/bin/sh"]
  }`,
		},
		quiet: []string{
			run("ln -s /bin/busybox /bin/sh; ln -s dash /bin/sh; ln -sf /bin/sh /usr/local/bin/bash"),
			run("ln -s /usr/bin/bash /usr/local/bin/mysh; cp /bin/sh /x/bash"),
			run("usermod -s /usr/sbin/nologin www-data; chsh -s /bin/bash postgres; usermod -aG docker root"),
			run("update-alternatives --install /usr/bin/cc cc /usr/bin/gcc 1; update-alternatives --set python /usr/bin/python3"),
			run("echo ln -sf /bin/bash /bin/sh; bash /bin/sh; dpkg-reconfigure tzdata"),
			run("ln -s $SHELL /bin/sh"),
			`symlink {
    path = "/bin/sh"
    to = "/bin/busybox"
  }`,
		},
	}.run(t, "run-shell-declared")
}

func TestRunScriptParses(t *testing.T) {
	t.Parallel()
	cases{
		also:  around,
		files: map[string]string{"broken.sh": "if true\n", "bash.sh": "x=(1 2)\n"},
		fires: []string{
			`run {
    script = "«i»f true; then id"
  }`,
			`run {
    script = «file("broken.sh")»
  }`,
			`run {
    script = "x=«(»1 2)"
  }`,
			`run {
    script = "for «(»(i=0; i<3; i++)); do id; done"
  }`,
			`run {
    command = ["bash", "-c", "id; «d»one"]
  }`,
			shelled(`["/bin/dash", "-c"]`, `"cat «<»(ls)"`),
		},
		quiet: []string{
			run("id"),
			`shell = ["/bin/bash", "-euo", "pipefail", "-c"]
  run {
    script = file("bash.sh")
  }`,
			shelled(`["/bin/bash", "-euc"]`, `"x=(1 2); cat <(ls) <<< y; for ((i=0;i<3;i++)); do id; done; [[ a =~ b ]]"`),
			run("x=abc; echo $${x//a/b} $${x:0:1}"), // busybox has these
			run("[[ -e /x ]] && id; local x=1; echo {a,b}; set -o pipefail; source /x"),
			shelled(`["/usr/bin/python3", "-c"]`, `"if x:\n  print(1)"`),
			shelled(`["pwsh", "-Command"]`, `"if ($x) { Get-Item }"`),
			`run {
    command = ["python3", "-c", "if ("]
  }`,
			`run {
    command = ["bash", "/x.sh", "if ("]
  }`,
			`run {
    command = ["if", "("]
  }`,
		},
	}.run(t, "run-script-parses")
}

func TestRunWorkdirDeclared(t *testing.T) {
	t.Parallel()
	cases{
		severity: diag.Info, release: diag.Info, also: around,
		fires: []string{
			`run {
    script = "«cd /src» && make"
  }`,
			run("«cd /src»\n      make"),
			run("«cd /src» && ./configure && make"),
			run("«cd src»; make"),
			run("«cd '/my src'»\n      make"),
		},
		quiet: []string{
			run("(cd /src && make)"),
			run("make && cd /src && make"),
			run("cd \"$(mktemp -d)\" && make; cd - && id"),
			run("cd $DIR && make"),
			run("cd /src"),
			run("cd && id"),
			run("cd /src || exit 0; make"),
			run("for d in a b; do cd $d && make; done"),
			run("mkdir /x; cd /x; make"),
			run("cd /src > /dev/null && make"),
			`run {
    script = "cd /src && make"
    workdir = "/"
  }`,
			`run {
    command = ["cd", "/src"]
  }`,
		},
	}.run(t, "run-workdir-declared")
	for _, m := range []mended{
		{"run-workdir-declared", "run {\n    script = \"cd /src && make\"\n  }", "run {\n    script = \"make\"\n    workdir = \"/src\"\n  }"},
		{"run-workdir-declared", "run {\n    script = \"cd /src; make\"\n    network = \"outbound\"\n  }", "run {\n    script = \"make\"\n    workdir = \"/src\"\n    network = \"outbound\"\n  }"},
		{
			"run-workdir-declared", run("cd /src\n      make"),
			strings.Replace(run("make"), "SH\n  }", "SH\n    workdir = \"/src\"\n  }", 1),
		},
		{
			"run-workdir-declared", run("cd /src &&\n      make"),
			strings.Replace(run("make"), "SH\n  }", "SH\n    workdir = \"/src\"\n  }", 1),
		},
		{"run-workdir-declared", run("cd src && make"), ""},
		{"run-workdir-declared", run("cd /src # there\n      make"), ""},
		{"run-workdir-declared", "run {\n    script = join(\"\", [\"cd /src && make\"])\n  }", ""},
	} {
		t.Run("fix", m.run)
	}
}

func TestRunNoHostCommands(t *testing.T) {
	t.Parallel()
	cases{
		severity: diag.Warning, release: diag.Warning, also: around,
		fires: []string{
			run("«ssh» host id"),
			run("«vim» /etc/hosts"),
			run("«service» nginx start"),
			run("«systemctl» start nginx"),
			run("«systemctl» enable --now nginx"),
			run("«ps» aux; «free» -m; «top» -b"),
			run("«kill» 1; «mount» /dev/sda /mnt; «/sbin/ifconfig»"),
			run("«shutdown» now"),
			`run {
    command = [«"service"», "nginx", "start"]
  }`,
		},
		quiet: []string{
			run("systemctl enable nginx; systemctl --root=/x preset-all; systemctl mask foo"),
			run("./server & pid=$!; sleep 1; kill $pid; ps"),
			run("command -v ssh; which vim; type ps; ssh-keyscan example.com; ssh -V"),
			run("vim -es +PlugInstall +qall; emacs --batch x.el"),
			run("echo service nginx start; apk add vim ssh mount; rm -rf /usr/bin/top"),
			run("cat <<EOT\n      service nginx start\n      EOT"),
			run("git service; npm top; make kill"),
			run("if ps; then id; fi"),
			`run {
    script = "$SERVICE nginx start; # service"
  }`,
		},
	}.run(t, "run-no-host-commands")
}

func TestRunDeterministic(t *testing.T) {
	t.Parallel()
	cases{
		severity: diag.Info, release: diag.Info, also: around,
		fires: []string{
			run("«date» > /build-time"),
			run("echo \"built $(«date»)\" >> /etc/motd"),
			run("go build -ldflags \"-X main.date=$(«date -u +%F»)\" ."),
			run("now=$(date +%s); make VERSION=«$now»"),
			run("«uuidgen» | tee /etc/machine-id"),
			run("«openssl rand -hex 16» > /key"),
			run("«head -c 32 /dev/urandom» | base64 > /key"),
			run("make HOST=«$HOSTNAME»"),
			run("{ «hostname»; id; } > /etc/info"),
			shelled(`["/bin/bash", "-euo", "pipefail", "-c"]`, `"make SEED=«$RANDOM»"`),
		},
		quiet: []string{
			run("date; echo \"$(date) start\""),
			run("start=$(date +%s); make; echo $(( $(date +%s) - start ))"),
			run("date -u -d @$SOURCE_DATE_EPOCH > /t; date --date=@0 > /t; date -r /etc/passwd > /t; date \"$@\" > /t"),
			run("date > /dev/null; date >&2; uuidgen > /tmp/x; make 2> /log"),
			run("d=$(mktemp -d); make -C $d; uname -m > /arch; hostname x"),
			run("echo date > /x; cat /etc/hosts > /x; make date"),
			run("HOSTNAME=x; make HOST=$HOSTNAME; touch /x; openssl req -new > /x"),
			run("[ \"$(date +%Y)\" -gt 2000 ]; sleep $(date +%S)"),
		},
	}.run(t, "run-deterministic")
}
