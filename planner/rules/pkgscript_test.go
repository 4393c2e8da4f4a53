package rules_test

import (
	"testing"

	"github.com/specbuild/specbuild/spec/diag"
)

// around are the rules that have their own to say of most commands that
// install something.
var around = []string{
	"packages-noninteractive", "packages-cache-clean", "packages-index-same-step", "packages-no-upgrade", "packages-stable-cli", "lang-packages-pinned",
	"packages-signature-checked", "run-fails-on-error", "run-shell-declared", "run-script-parses", "fetch-https", "tls-verify-on", "no-pipe-to-shell",
	"secret-persisted-by-command", "run-no-host-commands", "no-sudo",
}

func TestPackagesDeclared(t *testing.T) {
	t.Parallel()
	cases{
		severity: diag.Info, release: diag.Info, also: around,
		fires: []string{
			run("apt-get update && «apt-get» install -y curl"),
			run("«apk» add --no-cache curl"),
			run("«dnf» install -y curl && dnf install -y wget"),
			run("DEBIAN_FRONTEND=noninteractive «apt-get» -y -o A=b install curl"),
			`run {
    command = [«"apk"», "add", "curl"]
  }`,
		},
		quiet: []string{
			run("apt-get install -y ./local.deb"),
			run("apt-get install -y $PACKAGES"),
			run("apt-get remove -y curl; apk del curl; dnf remove -y curl"),
			run("zypper --non-interactive install curl"),
			run("echo apt-get install curl; # apt-get install curl"),
			run("npm install curl; make install; install -m 755 curl /usr/bin/"),
			run("dnf install -y https://example.com/x.rpm"),
		},
	}.run(t, "packages-declared")
}

func TestPackagesNonInteractive(t *testing.T) {
	t.Parallel()
	cases{
		also: around,
		fires: []string{
			run("«apt-get» install curl"),
			run("«apt-get» install --no-install-recommends curl"),
			run("«apt-get» -q install curl"),
			run("«apt» install curl"),
			run("«/usr/bin/apt-get» upgrade"),
			run("«apt-get» -t stable-y install curl"),
			run("«dnf» --enablerepo yes install curl"),
			run("«yum» remove curl"),
			run("«zypper» install curl"),
			run("DEBIAN_FRONTEND=noninteractive «apt-get» install curl"),
			run("find / -name x -exec «apt-get» install x \\;"),
			run("env A=b timeout 60 «apt-get» install curl"),
			run("(cd /tmp; «apt-get» purge curl)"),
			run("f() { «dnf» install curl; }; f"),
			`run {
    command = [«"apt-get"», "install", "curl"]
  }`,
			`run {
    command = ["sh", "-c", "«apt-get» install curl"]
  }`,
		},
		quiet: []string{
			run("apt-get install -y curl; apt-get -qy install curl; apt-get install --yes curl; apt-get install --assume-yes curl"),
			run("apt-get -qq install curl; apt-get install -q -q curl; apt-get -q=2 install curl; apt-get -yqq install curl"),
			run("apt-get -o APT::Get::Assume-Yes=true install curl"),
			run("apt-get $APT_OPTS install curl; apt-get install $FLAGS curl; apt-get install \"$@\""),
			run("yes | apt-get install curl; echo y | yum install curl"),
			run("apt-get update; apt-get clean; apt-get download curl; apt-cache policy curl; apt-get -s install curl"),
			run("dnf -y install curl; dnf install --assumeyes curl; yum install curl -y; microdnf makecache"),
			run("zypper -n install curl; zypper in -y curl; zypper --non-interactive in curl; zypper in --no-confirm x"),
			run("apk add curl; apk del curl"),
			run("if apt-get install curl; then id; fi"),
			run("echo 'APT::Get::Assume-Yes \"true\";' > /etc/apt/apt.conf.d/90yes; apt-get install curl"),
			run("cat <<EOT\n      apt-get install curl\n      EOT"),
			run("command -v apt-get; type apt-get; which apt-get install"),
			run("pip install curl; npm install; make install"),
			`file {
    path = "/etc/apt/apt.conf.d/90yes"
    content = "APT::Get::Assume-Yes true;"
  }
` + run("apt-get install curl"),
		},
	}.run(t, "packages-noninteractive")
	for _, m := range []mended{
		{"packages-noninteractive", run("apt-get update && apt-get install curl"), run("apt-get update && apt-get install -y curl")},
		{"packages-noninteractive", run("apt-get --no-install-recommends install \\\n        curl wget"), run("apt-get --no-install-recommends install -y \\\n        curl wget")},
		{"packages-noninteractive", run("zypper in curl"), run("zypper --non-interactive in curl")},
		{"packages-noninteractive", run("dnf install curl # dnf"), run("dnf install -y curl # dnf")},
		{"packages-noninteractive", `run {
    script = "apt-get install curl"
  }`, `run {
    script = "apt-get install -y curl"
  }`},
		{"packages-noninteractive", `run {
    command = ["apt-get", "install", "curl"]
  }`, `run {
    command = ["apt-get", "install", "-y", "curl"]
  }`},
		{"packages-noninteractive", `run {
    command = ["bash", "-ec", "apt-get install curl"]
  }`, `run {
    command = ["bash", "-ec", "apt-get install -y curl"]
  }`},
		// What stands there twice, or comes from elsewhere, has no certain place.
		{"packages-noninteractive", run("sh -c 'apt-get install curl'"), ""},
		{"packages-noninteractive", `run {
    script = join(" ", ["apt-get", "install", "curl"])
  }`, ""},
		{"packages-noninteractive", `run {
    command = concat(["apt-get", "install"], ["install"])
  }`, ""},
		{"packages-noninteractive", `run {
    script = "${"apt-get install curl"}"
  }`, ""},
	} {
		t.Run("fix", m.run)
	}
}

func TestPackagesNoRecommends(t *testing.T) {
	t.Parallel()
	cases{
		severity: diag.Info, release: diag.Info, also: around,
		fires: []string{
			run("«apt-get» install -y curl"),
			run("«aptitude» install -y curl"),
			run("«dnf» install -y curl"),
			run("«zypper» -n install curl"),
			run("«apt-get» -y install curl=1 wget"),
		},
		quiet: []string{
			run("apt-get install -y --no-install-recommends curl; apt-get --no-install-recommends install -y curl"),
			run("apt-get install -y -o APT::Install-Recommends=0 curl; apt-get install -y --install-recommends curl"),
			run("apt-get install -y $OPTS curl"),
			run("echo 'APT::Install-Recommends \"0\";' > /etc/apt/apt.conf.d/99n; apt-get install -y curl"),
			run("apt-get build-dep -y curl; apt-get remove -y curl; apt-get -f install -y"),
			run("dnf install -y --setopt=install_weak_deps=False curl; dnf --setopt install_weak_deps=0 install -y curl"),
			run("yum install -y curl; microdnf install -y curl; apk add curl"),
			run("zypper -n install --no-recommends curl"),
		},
	}.run(t, "packages-no-recommends")
	for _, m := range []mended{
		{"packages-no-recommends", run("apt-get install -y curl"), run("apt-get install --no-install-recommends -y curl")},
		{"packages-no-recommends", run("dnf -y install curl"), run("dnf -y install --setopt=install_weak_deps=False curl")},
		{"packages-no-recommends", run("zypper -n in curl"), run("zypper -n in --no-recommends curl")},
		{"packages-no-recommends", run("aptitude -y install curl"), run("aptitude -y install --without-recommends curl")},
	} {
		t.Run("fix", m.run)
	}
}

func TestPackagesIndexSameStep(t *testing.T) {
	t.Parallel()
	cases{
		also: around,
		fires: []string{
			run("«apt-get» update"),
			run("«apt-get» -qq update && rm -rf /tmp/x"),
			run("«apk» update"),
			run("«zypper» --non-interactive refresh"),
			run("«dnf» makecache"),
			run("«apt-get» update") + run("apt-get install -y --no-install-recommends curl"),
			`run {
    command = [«"apt-get"», "update"]
  }`,
		},
		quiet: []string{
			run("apt-get update && apt-get install -y curl"),
			run("apt-get update && ./install-deps.sh"),
			run("apt-get update && npx playwright install-deps"),
			run("apt-get update && apt-get upgrade -y"),
			run("apt-get update && apt-cache policy curl"),
			run("git submodule update; npm update; dnf check-update || true"),
			`run {
    script = "apt-get update"
    cache  = ["/var/lib/apt/lists"]
  }`,
			`run {
    script  = "apt-get update"
    outputs = []
  }`,
		},
	}.run(t, "packages-index-same-step")
}

func TestPackagesNoUpgrade(t *testing.T) {
	t.Parallel()
	cases{
		severity: diag.Warning, release: diag.Warning, also: around,
		fires: []string{
			run("apt-get update && «apt-get» upgrade -y"),
			run("«apt-get» -y dist-upgrade"),
			run("«apt» full-upgrade -y"),
			run("«apk» -U upgrade"),
			run("«yum» -y update"),
			run("«dnf» upgrade -y --security"),
			run("«microdnf» update -y"),
			run("«zypper» -n dup"),
			run("«unattended-upgrade» -d"),
			`run {
    command = [«"apk"», "upgrade", "--no-cache"]
  }`,
		},
		quiet: []string{
			run("apt-get install -y --only-upgrade openssl; apk add --upgrade openssl"),
			run("dnf upgrade -y openssl; yum -y update tzdata; zypper -n update openssl; apk upgrade openssl"),
			run("dnf upgrade -y $PACKAGES; apk upgrade \"$@\""),
			run("pip install --upgrade pip; npm upgrade; helm upgrade x y; alembic upgrade head"),
			run("apt-get -s upgrade; dnf upgrade --assumeno"),
			run("apt-get update; # apt-get upgrade"),
			run("yum $VERB; apt-get \"$1\""),
		},
	}.run(t, "packages-no-upgrade")
}

func TestPackagesStableCLI(t *testing.T) {
	t.Parallel()
	cases{
		severity: diag.Warning, release: diag.Warning, also: around,
		fires: []string{
			run("«apt» install -y curl"),
			run("«/usr/bin/apt» update && apt-get install -y curl"),
			run("«apt» list --installed"),
			run("«apt» show curl > /tmp/x"),
			run("nice «apt» -y purge curl"),
		},
		quiet: []string{
			run("apt-get install -y curl; apt-cache show curl; apt-key list; apt-mark hold curl"),
			run("ls /etc/apt; rm -rf /var/lib/apt; echo apt install"),
			run("apt --version; apt; command -v apt"),
			run("apt $WHAT"),
			run("brew install apt; pip install apt"),
		},
	}.run(t, "packages-stable-cli")
	for _, m := range []mended{
		{"packages-stable-cli", run("apt update"), run("apt-get update")},
		{"packages-stable-cli", run("/usr/bin/apt -y install curl"), run("/usr/bin/apt-get -y install curl")},
		{"packages-stable-cli", run("apt show curl"), run("apt-cache show curl")},
		{"packages-stable-cli", run("apt full-upgrade"), ""},
		{"packages-stable-cli", run("apt list"), ""},
		{"packages-stable-cli", `run {
    command = ["apt", "install", "-y", "curl"]
  }`, `run {
    command = ["apt-get", "install", "-y", "curl"]
  }`},
	} {
		t.Run("fix", m.run)
	}
}

func TestPackagesSignatureChecked(t *testing.T) {
	t.Parallel()
	source := func(path, content string) string {
		return "file {\n    path = \"" + path + "\"\n    content = " + content + "\n  }\n"
	}
	cases{
		also: around,
		fires: []string{
			run("apt-get install -y «--allow-unauthenticated» curl"),
			run("apt-get install «--force-yes» -y curl"),
			run("apt-get «-o» APT::Get::AllowUnauthenticated=true install -y curl"),
			run("apt-get «-o» Acquire::AllowInsecureRepositories=1 update"),
			run("apk add «--allow-untrusted» x.apk"),
			run("dnf install -y «--nogpgcheck» curl"),
			run("yum -y «--setopt=base.gpgcheck=0» install curl"),
			run("zypper «--no-gpg-checks» -n in curl"),
			run("zypper ar «-G» https://example.com/x x"),
			run("rpm -i «--nosignature» x.rpm"),
			run("rpm -Uvh «--nodigest» x.rpm"),
			run("«echo» 'deb [trusted=yes] https://example.com/ x main' > /etc/apt/sources.list.d/x.list"),
			run("«echo» \"gpgcheck=0\" >> /etc/yum.repos.d/x.repo"),
			run("«sed» -i 's/gpgcheck=1/gpgcheck=0/' /etc/yum.conf"),
			run("«cat» > /etc/yum.repos.d/x.repo <<EOT\n[x]\ngpgcheck=0\nEOT"),
			run("«printf» '[x]\\ngpgcheck = 0\\n' | tee /etc/yum.repos.d/x.repo"),
			source("/etc/apt/sources.list.d/x.list", `«"deb [arch=amd64 trusted=yes] https://example.com/ x main\n"»`),
			source("/etc/yum.repos.d/x.repo", `«"[x]\ngpgcheck=0\n"»`),
		},
		quiet: []string{
			run("apt-get install -y --allow-downgrades curl; apk add curl; dnf install -y curl"),
			run("dnf install -y --setopt=gpgcheck=1 curl; apt-get -o APT::Get::AllowUnauthenticated=false install -y curl"),
			run("sed -i 's/gpgcheck=0/gpgcheck=1/' /etc/yum.conf; grep gpgcheck=0 /etc/yum.conf"),
			run("echo 'deb [signed-by=/x.gpg] https://example.com x main' > /etc/apt/sources.list.d/x.list"),
			run("rpm -qa --nosignature; rpm --import x.asc; rpm -Va --nodigest"),
			run("zypper --gpg-auto-import-keys ref; tar -G x; zypper in -y curl"),
			run("echo gpgcheck=1 repo_gpgcheck=1 >> /etc/yum.conf"),
			run("echo --allow-untrusted; ./apk.sh --allow-unauthenticated; git --force-yes"),
			run("# apt-get --allow-unauthenticated"),
			source("/etc/apt/sources.list", `"deb https://example.com x main\n"`),
			source("/srv/doc.txt", `"gpgcheck=0"`),
			source("/etc/yum.repos.d/x.repo", `"#gpgcheck=0\ngpgcheck=1\n"`),
		},
	}.run(t, "packages-signature-checked")
	for _, m := range []mended{
		{"packages-signature-checked", run("apt-get install -y --allow-unauthenticated curl"), run("apt-get install -y curl")},
		{"packages-signature-checked", run("dnf --nogpgcheck install -y curl"), run("dnf install -y curl")},
		{"packages-signature-checked", run("apt-get -o APT::Get::AllowUnauthenticated=true install -y curl"), run("apt-get install -y curl")},
		{"packages-signature-checked", run("apk add \\\n        --allow-untrusted \\\n        curl"), run("apk add \\\n        \\\n        curl")},
		{"packages-signature-checked", `run {
    command = ["apk", "add", "--allow-untrusted", "curl"]
  }`, `run {
    command = ["apk", "add", "curl"]
  }`},
		{"packages-signature-checked", run("echo gpgcheck=0 > /etc/yum.conf"), ""},
	} {
		t.Run("fix", m.run)
	}
}

// installing is a step that reaches the network, with whatever else it has.
func installing(line, attributes string) string {
	return "run {\n    script = \"" + line + "\"\n    network = \"outbound\"\n    " + attributes + "\n  }\n"
}

func TestPackagesCacheClean(t *testing.T) {
	t.Parallel()
	cases{
		severity: diag.Warning, release: diag.Warning, also: around,
		fires: []string{
			run("apt-get update && «apt-get» install -y --no-install-recommends curl"),
			run("apt-get update && «apt-get» install -y curl && apt-get clean"),
			run("apk update && «apk» add curl"),
			run("«apk» add curl"),
			run("«dnf» install -y curl"),
			run("yum install -y curl && «yum» install -y wget"),
			run("«zypper» -n in curl"),
			run("«pip» install flask==3.1"),
			run("«python3» -m pip install -r requirements.txt"),
			run("«npm» ci"),
			run("«yarn» install --frozen-lockfile"),
			run("«gem» update --system"),
			installing("apt-get update && «apt-get» install -y curl", `cache = ["/var/cache/apt"]`),
			installing("«apk» add curl", `outputs = ["/var"]`),
			`stage "s" {
  from = scratch
  ` + run("«dnf» install -y curl") + `}
image "web" {
  from = stage.s
  run_as = "1"
}
`,
		},
		quiet: []string{
			run("apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*"),
			run("apt-get update && apt-get install -y curl && rm -rf /var/lib/{apt,dpkg}/x /tmp"),
			run("apt-get update; apt-get install -y curl; find /var/lib/apt/lists -delete"),
			run("apt-get update; apt-get install -y curl; rm -rf $JUNK"),
			run("apt-get update; apt-get install -y curl; /usr/bin/cleanup-layer.sh"),
			run("apt-get update; apt-get install -y curl; apt-get dist-clean"),
			run("apt-get install -y ./x.deb"),
			run("apk add --no-cache curl; apk --no-cache add curl; apk del curl; apk add $FLAGS curl"),
			run("apk update && apk add curl && rm -rf /var/cache/apk/*"),
			run("dnf install -y curl && dnf clean all"),
			run("yum install -y curl && rm -rf /var/cache/yum"),
			run("zypper -n in curl && zypper clean -a"),
			run("pip install --no-cache-dir flask==3; PIP_NO_CACHE_DIR=1 pip install flask==3"),
			run("pip install flask==3 && rm -rf ~/.cache; pip list"),
			run("npm ci && npm cache clean --force; npm test; npm run install"),
			run("yarn install && yarn cache clean; yarn build"),
			installing("apt-get update && apt-get install -y curl", `cache = ["/var/lib/apt/lists", "/var/cache/apt"]`),
			installing("apt-get update && apt-get install -y curl", `cache = ["/var/lib/apt"]`),
			installing("pip install flask==3", `cache = ["/root/.cache/pip"]`),
			installing("npm ci", `cache = ["/root/.npm"]`),
			installing("apk add curl && cp /usr/bin/curl /out/", `outputs = ["/out"]`),
			installing("pip install flask==3", `outputs = ["/opt/venv"]`),
			installing("pip install flask==3", `env = { PIP_NO_CACHE_DIR = "1" }`),
			"env = { PIP_NO_CACHE_DIR = \"off\" }\n  " + run("pip install flask==3"),
			// Nobody pulls the layers of a stage that is only copied from.
			`stage "s" {
  from = scratch
  ` + run("dnf install -y curl") + `}
image "web" {
  from = scratch
  run_as = "1"
  copy {
    from = stage.s
    source = "/usr/bin/curl"
    to = "/curl"
  }
}
`,
		},
	}.run(t, "packages-cache-clean")
	for _, m := range []mended{
		{"packages-cache-clean", run("apt-get update && apt-get install -y curl"), run("apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*")},
		{"packages-cache-clean", run("apt-get update\n      apt-get install -y \\\n        curl\n      id"), run("apt-get update\n      apt-get install -y \\\n        curl && rm -rf /var/lib/apt/lists/*\n      id")},
		{"packages-cache-clean", run("apk add curl"), run("apk add --no-cache curl")},
		{"packages-cache-clean", run("apk update && apk add curl"), run("apk update && apk add curl && rm -rf /var/cache/apk/*")},
		{"packages-cache-clean", run("yum install -y curl"), run("yum install -y curl && yum clean all")},
		{"packages-cache-clean", run("zypper -n in curl"), run("zypper -n in curl && zypper clean --all")},
		{"packages-cache-clean", run("python -m pip install -r x.txt"), run("python -m pip install --no-cache-dir -r x.txt")},
		{"packages-cache-clean", run("npm ci"), run("npm ci && npm cache clean --force")},
		// Behind a redirection, or in a loop, it would not be the same.
		{"packages-cache-clean", run("dnf install -y curl > /dev/null"), ""},
		{"packages-cache-clean", run("for p in a b; do dnf install -y $p; done"), ""},
		{"packages-cache-clean", run("dnf install -y curl || id"), ""},
	} {
		t.Run("fix", m.run)
	}
}

func TestLangPackagesPinned(t *testing.T) {
	t.Parallel()
	cases{
		severity: diag.Warning, release: diag.Warning, also: around,
		fires: []string{
			run("pip install --no-cache-dir «flask»"),
			run("pip3 install -U «pip» setuptools"),
			run("python3.12 -m pip install flask==3.1 «requests»"),
			run("pip install «'flask>=3'»"),
			run("uv pip install «flask»"),
			run("npm install -g «express»"),
			run("npm i --save «express@latest»"),
			run("npm install «@angular/cli»"),
			run("yarn global add «serve»"),
			run("pnpm add «serve»"),
			run("gem install «rails»"),
			run("go install «golang.org/x/tools/gopls@latest»"),
			run("go run «example.com/cmd/x@main» ./..."),
			run("cargo install --locked «ripgrep»"),
			run("cargo install «just» --root /usr"),
			`run {
    command = ["pip", "install", «"flask"»]
  }`,
		},
		quiet: []string{
			run("pip install flask==3.1 'requests===2.0' 'x @ https://example.com/x.whl'"),
			run("pip install -r requirements.txt; pip install --requirement=x.txt; pip install -c constraints.txt flask"),
			run("pip install .; pip install -e .; pip install ./dist/x.whl; pip install x-1.0-py3-none-any.whl; pip install '.[dev]'"),
			run("pip install $PACKAGES; pip install \"flask==$VERSION\"; pip install --index-url https://example.com/simple flask==1"),
			run("pip install git+https://example.com/x@v1; pip list; pip uninstall flask; pipenv install flask"),
			run("npm install; npm ci; npm install express@4.18.2; npm install ./x; npm i @angular/cli@17.0.0; npm install -g x.tgz"),
			run("npm install --prefix web; npm install user/repo#abc; npm install --registry https://example.com"),
			run("yarn install; yarn add serve@1.2.3; yarn global list; pnpm install --frozen-lockfile"),
			run("gem install rails -v 7.1; gem install rails:7.1; gem install x.gem; gem list; bundle install"),
			run("go install ./cmd/x; go install golang.org/x/tools/gopls@v0.16.0; go get ./...; go run main.go; go install github.com/a/b"),
			run("cargo install --path .; cargo install ripgrep --version 14.0; cargo install just@1.0; cargo install --git https://example.com/x --rev abc; cargo build"),
			run("apt-get install -y python3-flask; dnf install -y npm"),
			run("echo pip install flask"),
		},
	}.run(t, "lang-packages-pinned")
}
