package rules

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec/diag"
)

func languagePackageRules() []Rule {
	return []Rule{{
		ID: "lang-packages-pinned", Severity: diag.Warning, Release: diag.Warning, By: ByJudge, Title: "What pip, npm, gem, go and cargo install by name has a version",
		Why: "The registry's newest is another one tomorrow, and no lock of ours knows of it.",
		Bad: `run {
  script  = "pip install --no-cache-dir flask"
  network = "outbound"
}`,
		Good: `run {
  script  = "pip install --no-cache-dir flask==3.1.2"
  network = "outbound"
}`,
		Mend:    "Name a version, or install from a lock or requirements file.",
		Sources: []string{"DL3013", "DL3016", "DL3028", "DL3062", "KICS:unpinned_package_version_in_pip_install", "KICS:npm_install_without_pinned_version", "KICS:gem_install_without_version", "Blubber:pypkgver"},
		check:   unpinnedLanguages,
	}}
}

// language is the installer of a language's packages that a call is, with its
// arguments: python -m pip and uv pip are pip.
func language(c call) (name string, args []string) {
	switch {
	case python.MatchString(c.name):
		i := slices.Index(c.args, "-m")
		if i >= 0 && i+1 < len(c.args) && c.args[i+1] == "pip" {
			return "pip", c.args[i+2:]
		}
		return "", nil
	case pip.MatchString(c.name):
		return "pip", c.args
	case c.name == "uv" && len(c.args) > 0 && c.args[0] == "pip":
		return "uv pip", c.args[1:]
	}
	return c.name, c.args
}

var (
	python = regexp.MustCompile(`^(python|pypy)[0-9.]*$`)
	pip    = regexp.MustCompile(`^pip[0-9.]*$`)
)

// verb is the first operand, which for these tools says what is done.
func (o options) verb(args []string) string {
	if len(o.operands) == 0 {
		return ""
	}
	return args[o.operands[0]]
}

var (
	pipOptions = syntaxOf{"rceifdtpb", []string{
		"--requirement", "--constraint", "--editable", "--index-url", "--extra-index-url", "--find-links", "--target", "--prefix", "--root", "--python",
		"--trusted-host", "--cache-dir", "--platform", "--python-version", "--implementation", "--abi", "--no-binary", "--only-binary", "--progress-bar",
		"--upgrade-strategy", "--src", "--config-settings", "--global-option", "--install-option", "--log", "--proxy", "--retries", "--timeout", "--cert",
		"--client-cert", "--report", "--root-user-action", "--exists-action", "--build-option", "--group", "--use-feature", "--build", "--dest", "-C", "--build-constraint",
	}}
	npmOptions   = syntaxOf{"", []string{"--prefix", "--registry", "--cache", "--omit", "--include", "--loglevel", "--workspace", "--userconfig", "--tag", "--install-strategy", "--os", "--cpu", "--libc"}}
	gemOptions   = syntaxOf{"vsinPpBgr", []string{"--version", "--source", "--install-dir", "--bindir", "--trust-policy", "--platform", "--file", "--http-proxy", "--build-root", "--document"}}
	cargoOptions = syntaxOf{"FjZpC", []string{
		"--version", "--vers", "--git", "--branch", "--tag", "--rev", "--path", "--root", "--index", "--registry", "--bin", "--example", "--features", "--jobs",
		"--profile", "--target", "--target-dir", "--config", "--color", "--message-format",
	}}
	goOptions = syntaxOf{}
)

// unpinned is for each tool the verbs that install by name, its options, and
// whether a word with these options has no version.
type installer struct {
	verbs   []string
	options syntaxOf
	loose   func(name string, o options) bool
}

func installerOf(name string) (installer, bool) {
	switch name {
	case "pip", "uv pip", "pipx":
		return installer{[]string{"install", "download", "wheel"}, pipOptions, loosePython}, true
	case "npm", "pnpm":
		return installer{[]string{"install", "i", "add"}, npmOptions, looseNode}, true
	case "yarn":
		return installer{[]string{"add", "global"}, npmOptions, looseNode}, true
	case "gem":
		return installer{[]string{"install"}, gemOptions, looseGem}, true
	case "go":
		return installer{[]string{"install", "get", "run"}, goOptions, looseGo}, true
	case "cargo":
		return installer{[]string{"install", "binstall"}, cargoOptions, looseCargo}, true
	}
	return installer{}, false
}

func unpinnedLanguages(d *docket) {
	d.eachStep(d.all(), func(st runStep) {
		for _, c := range st.script.calls {
			name, args := language(c)
			in, ok := installerOf(name)
			if !ok {
				continue
			}
			o := call{args: args}.parse(in.options)
			if o.open || len(o.operands) == 0 || !slices.Contains(in.verbs, args[o.operands[0]]) || o.has("--help", "--require-hashes", "--dry-run") {
				continue
			}
			words := o.operands[1:]
			if name == "yarn" && args[o.operands[0]] == "global" {
				if len(words) == 0 || args[words[0]] != "add" {
					continue
				}
				words = words[1:]
			}
			if name == "go" && args[o.operands[0]] == "run" && len(words) > 1 {
				words = words[:1] // the rest is the program's own
			}
			before := len(c.args) - len(args)
			for _, i := range words {
				if w := args[i]; !strings.Contains(w, dynamic) && in.loose(w, o) {
					d.found(st.body().Addr, d.arg(st, c, before+i), "A package has no version",
						"%s installs %s with %s, in whatever version is newest when the step runs. Name one, or install from a lock or requirements file.",
						st.local(), w, name)
					break // one finding a call
				}
			}
		}
	})
}

// local reports whether a word is a path, an archive or a URL.
func local(w string) bool {
	return w == "" || strings.HasPrefix(w, ".") || strings.HasPrefix(w, "/") || strings.HasPrefix(w, "~") || strings.Contains(w, "://") || strings.HasPrefix(w, "file:")
}

var fixedPython = regexp.MustCompile(`[^=!<>~]===?[^=]|\s@\s|@`)

// loosePython lets constraints stand for versions, and takes >= for none.
func loosePython(name string, o options) bool {
	for _, end := range []string{".whl", ".tar.gz", ".zip", ".tgz", ".txt"} {
		if strings.HasSuffix(name, end) {
			return false
		}
	}
	return !local(name) && !strings.Contains(name, "/") && !fixedPython.MatchString(name) && !o.has("-c", "--constraint", "--no-index") && name != "-"
}

// moving are names of versions that move on.
var moving = []string{"", "latest", "next", "beta", "alpha", "canary", "master", "main", "head", "upgrade", "patch", "nightly", "dev"}

func looseNode(name string, _ options) bool {
	if local(name) || strings.HasSuffix(name, ".tgz") || strings.HasSuffix(name, ".tar.gz") || strings.Contains(name, "#") || strings.Contains(name, ":") {
		return false
	}
	scoped := strings.HasPrefix(name, "@")
	if strings.Contains(name, "/") && !scoped {
		return false // a repository of GitHub
	}
	pkg, version, _ := strings.Cut(strings.TrimPrefix(name, "@"), "@")
	return pkg != "" && slices.Contains(moving, strings.ToLower(version))
}

func looseGem(name string, o options) bool {
	return !local(name) && !strings.HasSuffix(name, ".gem") && !strings.Contains(name, ":") && !o.has("-v", "--version", "-g", "--file", "--local", "-l")
}

// looseGo takes a module without a version for one of the go.mod beside it,
// which pins it, but for `go get`, which changes that.
func looseGo(name string, _ options) bool {
	pkg, version, given := strings.Cut(name, "@")
	host, _, sub := strings.Cut(pkg, "/")
	return !local(name) && sub && strings.Contains(host, ".") && path.Ext(name) != ".go" && given && slices.Contains(moving, strings.ToLower(version))
}

func looseCargo(name string, o options) bool {
	_, version, _ := strings.Cut(name, "@")
	if local(name) || version != "" || o.has("--version", "--vers", "--path", "--rev", "--tag") {
		return false
	}
	return true
}
