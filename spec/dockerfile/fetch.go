package dockerfile

import (
	"slices"
	"strings"
)

// fetches reports whether a command reaches for the network. Docker gives all
// of them one; here a step says so. prepared is true after `go mod download`.
func (c call) fetches(prepared bool) bool {
	c.name = strings.TrimPrefix(c.name, "xx-") // cross-compiling wrappers
	sub := c.subcommand()
	is := func(words ...string) bool { return slices.Contains(words, sub) }
	has := func(words ...string) bool {
		return slices.ContainsFunc(c.args, func(a string) bool { return slices.Contains(words, a) })
	}
	switch c.name {
	case "curl", "wget", "aria2c", "axel", "svn", "hg", "scp", "rsync", "ssh", "sftp", "ftp", "npx", "pnpx", "bunx", "uvx", "pipx",
		"apt-add-repository", "add-apt-repository", "install-php-extensions", "docker-php-ext-install", "pecl", "cpan", "cpanm",
		"freshclam", "rustup", "rustup-init", "sdk", "nvm", "conda", "mamba", "micromamba", "skopeo", "crane", "oras", "ansible-galaxy",
		"debootstrap", "mmdebstrap", "mvn", "mvnw", "gradle", "gradlew", "sbt", "lein", "bazel", "bazelisk", "opam", "raco":
		return !has("-o", "--offline") || c.name == "curl" || c.name == "wget"
	case "git":
		return is("clone", "fetch", "pull", "submodule", "ls-remote", "lfs")
	case "apt", "apt-get", "aptitude":
		return is("update", "install", "upgrade", "dist-upgrade", "full-upgrade", "build-dep", "source", "download")
	case "apk":
		return is("add", "update", "upgrade", "fetch")
	case "dnf", "yum", "microdnf", "tdnf", "zypper", "pacman", "emerge", "xbps-install", "brew":
		return !is("clean", "remove", "erase", "autoremove")
	case "go":
		switch {
		case is("mod"):
			return has("download", "tidy", "vendor")
		case is("get"):
			return true
		case is("install", "run"):
			return !prepared || slices.ContainsFunc(c.args, func(a string) bool { return strings.Contains(a, "@") })
		}
		return is("build", "test", "generate", "vet", "list", "tool") && !prepared && !has("-mod=vendor")
	case "npm":
		return is("ci", "install", "i", "add", "update", "exec", "audit", "x", "create", "init", "link", "pack") || len(c.args) == 0
	case "yarn":
		return sub == "" || is("install", "add", "global", "dlx", "upgrade", "up", "create", "set", "plugin", "workspaces")
	case "pnpm":
		return is("install", "i", "add", "fetch", "dlx", "update", "up", "deploy", "create") && !has("--offline")
	case "bun":
		return is("install", "i", "add", "x", "create", "update")
	case "deno":
		return is("cache", "install", "add", "compile", "run")
	case "corepack":
		return is("prepare", "install", "use", "up", "pack")
	case "pip", "pip3", "pip2":
		return is("install", "download", "wheel") && !has("--no-index")
	case "python", "python3":
		return slices.Contains(c.args, "-m") && slices.Contains(c.args, "pip")
	case "uv":
		return is("sync", "pip", "add", "lock", "tool", "run", "python", "export") && !has("--offline")
	case "poetry", "pdm", "pipenv", "rye", "hatch":
		return is("install", "add", "sync", "update", "lock", "self", "build")
	case "cargo":
		return is("build", "install", "fetch", "test", "run", "chef", "update", "vendor", "binstall", "check", "clippy", "add") &&
			!has("--offline", "--frozen") && !(is("chef") && has("prepare"))
	case "bundle", "bundler":
		return sub == "" || is("install", "update", "add", "package", "cache")
	case "gem", "luarocks", "composer", "nuget", "helm", "mix", "rebar3", "stack", "cabal", "swift", "flutter", "dart", "pub", "terraform",
		"playwright", "conan", "elm", "shards", "nimble", "zig", "hex", "dotnet", "php", "R", "Rscript", "az", "aws", "gcloud", "gsutil":
		return c.fetchesToo(sub, has)
	case "gpg", "apt-key":
		return slices.ContainsFunc(c.args, func(a string) bool {
			return a == "--recv-keys" || a == "--recv-key" || a == "--recv" || strings.HasPrefix(a, "--keyserver") || a == "--fetch-keys"
		})
	}
	return false
}

// fetchesToo is fetches for the managers that are met less often.
func (c call) fetchesToo(sub string, has func(...string) bool) bool {
	is := func(words ...string) bool { return slices.Contains(words, sub) }
	switch c.name {
	case "dotnet":
		return is("restore", "tool", "workload", "add", "new", "nuget") || is("build", "publish", "test", "pack", "run") && !has("--no-restore", "--no-build")
	case "composer":
		return is("install", "update", "require", "create-project", "global") || sub == ""
	case "mix":
		return is("deps.get", "local.hex", "local.rebar", "archive.install", "do")
	case "rebar3":
		return is("get-deps", "compile", "release", "as")
	case "stack", "cabal", "swift", "zig":
		return is("setup", "build", "update", "install", "fetch", "package")
	case "flutter", "dart":
		return is("pub", "precache", "build", "upgrade")
	case "terraform", "helm":
		return is("init", "get", "repo", "dependency", "pull", "plugin")
	case "playwright", "conan", "shards", "nimble":
		return is("install", "install-deps", "update")
	case "php":
		return slices.ContainsFunc(c.args, func(a string) bool { return strings.HasPrefix(a, "composer") || strings.Contains(a, "/composer") })
	case "R", "Rscript":
		return slices.ContainsFunc(c.args, func(a string) bool { return strings.Contains(a, "install") || strings.Contains(a, "renv::restore") })
	case "gem", "luarocks", "pub", "nuget":
		return is("install", "update", "fetch", "get", "restore", "download")
	}
	return true
}

// subcommand is the first word that is no option.
func (c call) subcommand() string {
	skip := false
	for _, a := range c.args {
		switch {
		case skip:
			skip = false
		case a == "-C" || a == "--prefix" || a == "--cwd" || a == "--dir" || a == "--directory" || a == "--manifest-path" || a == "-c":
			skip = true
		case !strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "+"):
			return a
		}
	}
	return ""
}

// quiet reports whether a command surely has no use for a network, nor for
// variables of the environment that only others read.
func (c call) quiet() bool {
	return slices.Contains(strings.Fields(`mkdir rm rmdir ln chmod chown chgrp cp mv touch cat tar unzip gunzip install test [ echo printf true false
		set : export cd sed grep awk find head tail cut sort uniq tr tee wc ls basename dirname realpath readlink date sleep id whoami
		useradd adduser groupadd addgroup usermod groupmod userdel deluser passwd update-ca-certificates ldconfig strip sha256sum sha512sum
		md5sum dpkg setcap getent locale-gen localedef a2enmod a2ensite a2dissite docker-php-ext-enable docker-php-ext-configure exit mktemp
		if then fi umask which type command uname arch dpkg-reconfigure unset trap`), c.name)
}

// deaf reports whether a command surely reads no variable of the environment
// but those that [implicit] knows.
func (c call) deaf() bool {
	return c.quiet() || managerOf(c.name) != "" || slices.Contains(strings.Fields(`curl wget git pip pip3 npm yarn pnpm go cargo gem bundle composer
		docker-php-ext-install pecl gpg a2enmod rustup corepack`), c.name) && !c.opaque()
}

// opaque reports whether a command may read any variable: it runs what the
// project brings along.
func (c call) opaque() bool {
	switch c.name {
	case "make", "gmake", "cmake", "ninja", "just", "task", "bazel", "meson", "ant", "rake", "earthly", "mage":
		return true
	case "npm", "yarn", "pnpm", "bun":
		return slices.Contains(c.args, "run") || slices.Contains(c.args, "build")
	}
	return c.local || strings.HasPrefix(c.name, "xx-")
}
