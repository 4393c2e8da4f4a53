package rules

import (
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

func cacheRule() Rule {
	return Rule{
		ID: "packages-cache-clean", Severity: diag.Warning, Release: diag.Warning, By: ByJudge, Title: "The index and the cache of a package manager are in no layer",
		Why: "They are useless in a finished image: tens of megabytes that every machine pulls, and that a later step can only hide.",
		Bad: `run {
  script  = "apt-get update && apt-get install -y --no-install-recommends curl"
  network = "outbound"
}`,
		Good: `run {
  script  = "apt-get update && apt-get install -y --no-install-recommends curl"
  cache   = ["/var/lib/apt/lists", "/var/cache/apt"]
  network = "outbound"
}`,
		Mend: "Put a cache mount there, or clean up at the end of the same step, which `validate --fix` writes. For pip --no-cache-dir, for apk --no-cache is enough.",
		Sources: []string{
			"DL3009", "DL3019", "DL3032", "DL3036", "DL3040", "DL3042", "DL3060", "DS-0015", "DS-0019", "DS-0020", "DS-0025", "DS-0027", "DKL-DI-0004", "DKL-DI-0005",
			"KICS:apt_get_install_lists_were_not_deleted", "KICS:apk_add_using_local_cache_path", "KICS:yum_clean_all_missing", "KICS:missing_dnf_clean_all",
			"KICS:missing_zypper_clean", "KICS:pip_install_keeping_cached_packages", "sg:remove-package-cache", "sg:remove-package-lists", "sg:missing-apk-no-cache",
			"sg:missing-dnf-clean-all", "sg:missing-yum-clean-all", "sg:missing-zypper-clean", "sg:missing-pip-no-cache-dir", "bn:apkAddUseNoCache",
			"bn:ruleAptGetInstallThenRemoveAptLists", "bn:yumInstallRmVarCacheYum", "bn:pipUseNoCacheDir", "bn:npmCacheClean", "bn:gemUpdateSystemRmRootGem",
		},
		check:      leftCaches,
		checkImage: cachesLeft,
	}
}

// cacheKind is a cache that installing leaves behind.
type cacheKind struct {
	what   string   // for the message
	dirs   []string // where it lies; "~" is the home of whoever runs the step
	parts  []string // of a path that is removed: one of them is enough
	clean  string   // the command that cleans it
	option string   // of the installing command, that keeps it from being written
}

var cacheKinds = map[string]cacheKind{
	"apt":    {"apt's index", []string{"/var/lib/apt/lists"}, []string{"/var/lib/apt", "/var/lib/{"}, "rm -rf /var/lib/apt/lists/*", ""},
	"apk":    {"apk's index", []string{"/var/cache/apk", "/etc/apk/cache"}, []string{"/var/cache", "/etc/apk/cache"}, "rm -rf /var/cache/apk/*", "--no-cache"},
	"dnf":    {"the cache of packages", []string{"/var/cache/dnf", "/var/cache/yum", "/var/cache/libdnf5", "/var/cache/tdnf"}, []string{"/var/cache"}, "clean all", ""},
	"zypper": {"zypper's cache", []string{"/var/cache/zypp"}, []string{"/var/cache"}, "zypper clean --all", ""},
	"pip":    {"pip's cache", []string{"~/.cache/pip"}, []string{".cache", "pip"}, "", "--no-cache-dir"},
	"npm":    {"npm's cache", []string{"~/.npm"}, []string{".npm"}, "npm cache clean --force", ""},
	"yarn":   {"yarn's cache", []string{"~/.cache/yarn"}, []string{".cache", "yarn"}, "yarn cache clean", ""},
	"gem":    {"gem's cache", []string{"~/.gem"}, []string{".gem"}, "rm -rf /root/.gem", ""},
}

// leftCaches looks at what is shipped: the layers of other stages are pulled
// by nobody.
func leftCaches(d *docket) {
	d.eachStep(d.shipped(), func(st runStep) {
		last := map[string]call{} // that installs, by kind of cache
		var kinds []string
		for _, c := range st.script.calls {
			kind := d.fills(st, c)
			if kind == "" {
				continue
			}
			if _, seen := last[kind]; !seen {
				kinds = append(kinds, kind)
			}
			last[kind] = c
		}
		for _, kind := range kinds {
			k := cacheKinds[kind]
			if !st.keeps(k) || cleans(st.script, kind, k) {
				continue
			}
			c := last[kind]
			mend := "clean up in the same step: " + k.command(c)
			if k.option != "" && !fetchesIndex(c) {
				mend = "add " + k.option
			}
			d.mend(st.body().Addr, d.arg(st, c, -1), d.cacheFix(st, kind, k, c), "A package cache stays behind",
				"%s leaves %s in the layer of this step. Put a cache mount there, or %s.", st.local(), k.what, mend)
		}
	})
}

// fills is the kind of cache that a call leaves something in, or "".
func (d *docket) fills(st runStep, c call) string {
	if m, ok := manages(c); ok {
		writes := m.does == install || m.does == update || m.does == upgrade
		switch {
		case !writes, m.family == "apk" && (m.open || m.has("--no-cache", "--cache-dir")), m.has("-s", "--simulate", "--print-uris"):
			return ""
		case m.family == "apt" && m.does != update && !slices.ContainsFunc(st.script.managers(update), func(u managed) bool { return u.family == "apt" }):
			return "" // an earlier step left the index, and is told so; files on disk need none
		}
		return m.family
	}
	switch name, args := language(c); name {
	case "pip":
		o := call{args: args}.parse(pipOptions)
		set, given := d.env(st, "PIP_NO_CACHE_DIR")
		_, moved := d.env(st, "PIP_CACHE_DIR")
		if o.verb(args) == "install" && !o.open && !o.has("--no-cache-dir", "--cache-dir", "--dry-run", "--help") && (!given || set == "") && !moved && !d.says(st, "no-cache-dir") {
			return "pip"
		}
	case "npm":
		o := call{args: args}.parse(npmOptions)
		_, moved := d.env(st, "npm_config_cache")
		_, upper := d.env(st, "NPM_CONFIG_CACHE")
		if slices.Contains([]string{"install", "i", "ci", "add", "clean-install"}, o.verb(args)) && !o.open && !o.has("--cache", "--help", "--package-lock-only") && !moved && !upper {
			return "npm"
		}
	case "yarn":
		o := call{args: args}.parse(syntaxOf{})
		_, moved := d.env(st, "YARN_CACHE_FOLDER")
		verb := o.verb(args)
		if (verb == "install" || verb == "add" || verb == "" && len(o.operands) == 0) && !o.open && !o.has("--cache-folder", "--version", "-v", "--help", "-h") && !moved {
			return "yarn"
		}
	case "gem":
		if slices.Contains(args, "update") && slices.Contains(args, "--system") {
			return "gem"
		}
	}
	return ""
}

func fetchesIndex(c call) bool {
	m, ok := manages(c)
	return ok && m.does == update
}

// keeps reports whether the cache is written to the step's layer. Whose home
// it is in is often not known: any mount that sounds like it is one.
func (st runStep) keeps(k cacheKind) bool {
	if !strings.HasPrefix(k.dirs[0], "~") {
		return !slices.ContainsFunc(k.dirs, st.mounted) && slices.ContainsFunc(k.dirs, st.kept)
	}
	for _, dir := range k.dirs {
		tail := strings.TrimPrefix(dir, "~")
		name := tail[strings.LastIndexByte(tail, '/')+1:]
		if slices.ContainsFunc(st.run.Mounts, func(m spec.Mount) bool {
			t := m.Target.V
			return strings.Contains(t, strings.TrimPrefix(name, ".")) || strings.HasSuffix(t, ".cache") || t == "/root" || strings.HasPrefix(t, "/home")
		}) {
			return false
		}
		if st.run.Outputs.Set && !slices.ContainsFunc(st.run.Outputs.V, func(o string) bool { return o == "/" || below("/root", o) || strings.HasPrefix(o, "/home") }) {
			return false
		}
	}
	return true
}

// cleans reports whether a script cleans up after itself, or calls something
// that may.
func cleans(s *script, kind string, k cacheKind) bool {
	for _, c := range s.calls {
		switch c.name {
		case "rm", "find", "rmdir", "shred", "unlink":
			for _, a := range c.args {
				if strings.HasPrefix(a, dynamic) || slices.ContainsFunc(k.parts, func(p string) bool { return strings.Contains(a, p) }) {
					return true
				}
			}
		default:
			if strings.Contains(c.name, "clean") {
				return true
			}
			if m, ok := manages(c); ok && m.does == clean && m.family == kind && (kind != "apt" || strings.HasPrefix(m.args[m.verb], "dist")) {
				return true
			}
			if name, args := language(c); name == kind && len(args) > 1 && args[0] == "cache" {
				return true
			}
		}
	}
	return false
}

// command is what cleans up behind a call.
func (k cacheKind) command(c call) string {
	if k.clean == "clean all" {
		return c.name + " clean all"
	}
	return k.clean
}

// cacheFix adds the option, or the command behind the last call of a line
// that has nothing else behind it.
func (d *docket) cacheFix(st runStep, kind string, k cacheKind, c call) *diag.Fix {
	if k.option != "" && !fetchesIndex(c) && (kind != "apk" || len(st.script.managers(update)) == 0) {
		at := slices.IndexFunc(c.args, func(w string) bool { return w == "add" || w == "install" || w == "upgrade" })
		if at < 0 {
			return nil
		}
		return d.behind(st, c, at, k.option)
	}
	command := k.command(c)
	if !c.plain || c.places == nil || len(c.args) == 0 || command == "" {
		return nil
	}
	return d.behind(st, c, len(c.args)-1, "&&", command)
}
