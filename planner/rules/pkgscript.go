package rules

import (
	"regexp"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

func packageScriptRules() []Rule {
	return []Rule{
		{
			ID: "packages-declared", Severity: diag.Info, Release: diag.Info, By: ByJudge, Title: "Packages are installed by a `packages` step, not by a command",
			Why: "A `packages` step is resolved into the lock, so that the same versions are installed tomorrow, and leaves no index and no cache.",
			Bad: `base "alpine" {
  image = "docker.io/library/alpine:3.22"
}
image "web" {
  from   = base.alpine
  run_as = "10001"
  run {
    script  = "apk add --no-cache curl=8.14.1-r2"
    network = "outbound"
  }
}`,
			Good: `base "alpine" {
  image = "docker.io/library/alpine:3.22"
}
image "web" {
  from   = base.alpine
  run_as = "10001"
  packages "apk" {
    install = ["curl=8.14.1-r2"]
  }
}`,
			Mend:    "Write the names into a `packages` step; `validate --fix` does it for commands that a step begins with, where each package has its version.",
			Sources: nil,
			check:   undeclaredPackages,
		},
		{
			ID: "packages-noninteractive", By: ByJudge, Title: "A package manager asks no question",
			Why: "Nobody is there to answer: apt, dnf and zypper then give up, on the day that a package needs one more.",
			Bad: `run {
  script  = "apt-get update && apt-get install --no-install-recommends curl && rm -rf /var/lib/apt/lists/*"
  network = "outbound"
}`,
			Good: `run {
  script  = "apt-get update && apt-get install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/*"
  network = "outbound"
}`,
			Mend:    "Add -y, for zypper --non-interactive before the verb; `validate --fix` does it.",
			Sources: []string{"DL3014", "DL3030", "DL3034", "DL3038", "DS-0021", "KICS:apt_get_missing_flags_to_avoid_manual_input", "KICS:yum_install_allows_manual_input", "KICS:missing_flag_from_dnf_install", "KICS:missing_zypper_non_interactive_switch", "sg:missing-assume-yes-switch", "sg:missing-dnf-assume-yes-switch", "sg:missing-yum-assume-yes-switch", "sg:missing-zypper-no-confirm-switch", "bn:ruleAptGetInstallUseY", "bn:yumInstallForceYes"},
			check:   interactivePackages,
		},
		{
			ID: "packages-no-recommends", Severity: diag.Info, Release: diag.Info, By: ByJudge, Title: "Packages that are only recommended are not installed",
			Why: "They are often most of the size, and every one of them has its own vulnerabilities. What is needed is better named.",
			Bad: `run {
  script  = "apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*"
  network = "outbound"
}`,
			Good: `run {
  script  = "apt-get update && apt-get install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/*"
  network = "outbound"
}`,
			Mend:    "Add --no-install-recommends, for dnf --setopt=install_weak_deps=False, for zypper --no-recommends; `validate --fix` does it.",
			Sources: []string{"DL3015", "DS-0029", "KICS:apt_get_not_avoiding_additional_packages", "sg:missing-no-install-recommends", "bn:ruleAptGetInstallUseNoRec"},
			check:   recommendedPackages,
		},
		cacheRule(),
		{
			ID: "packages-index-same-step", By: ByJudge, Title: "The index is fetched in the step that installs from it",
			Why: "A step that only fetches the index is not run again while it is cached: what is installed later comes from an old index, or is not there any more.",
			Bad: `run {
  script  = "apt-get update"
  network = "outbound"
}`,
			Good: `run {
  script  = "apt-get update && apt-get install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/*"
  network = "outbound"
}`,
			Mend:    "Make the two steps one.",
			Sources: []string{"CKV_DOCKER_5", "DS-0017", "CIS-4.7", "CIS-DI-0007", "KICS:update_instruction_alone", "bn:ruleAptGetUpdatePrecedesInstall"},
			check:   indexAlone,
		},
		{
			ID: "packages-no-upgrade", Severity: diag.Warning, Release: diag.Warning, By: ByJudge, Title: "No command upgrades all packages",
			Why: "The base's files are then in the image twice, in versions that nobody chose. A newer base has the same fixes, tested together and pinned.",
			Bad: `run {
  script  = "apt-get update && apt-get dist-upgrade -y && rm -rf /var/lib/apt/lists/*"
  network = "outbound"
}`,
			Good: `run {
  script  = "apt-get update && apt-get install -y --no-install-recommends openssl && rm -rf /var/lib/apt/lists/*"
  network = "outbound"
}`,
			Mend:    "Roll the base forward with `specbuild lock --upgrade`, or name the packages that must be newer.",
			Sources: []string{"DL3005", "DL3017", "DL3031", "DL3035", "DL3039", "DS-0024", "DKL-DI-0003", "KICS:run_using_upgrade_commands", "KICS:run_using_dnf_update", "KICS:use_of_apk_upgrade", "KICS:yum_update_disabled", "KICS:run_using_zypper_update", "sg:avoid-apt-get-upgrade", "sg:avoid-apk-upgrade", "sg:avoid-dnf-update", "sg:avoid-yum-update", "sg:avoid-zypper-update"},
			check:   upgradeAll,
		},
		signatureRule(),
		{
			ID: "packages-stable-cli", Severity: diag.Warning, Release: diag.Warning, By: ByJudge, Title: "Scripts call apt-get and apt-cache, not apt",
			Why: "apt is for people: it says itself that its options and output change between versions.",
			Bad: `run {
  script  = "apt update && apt install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/*"
  network = "outbound"
}`,
			Good: `run {
  script  = "apt-get update && apt-get install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/*"
  network = "outbound"
}`,
			Mend:    "Call apt-get, or apt-cache for questions; `validate --fix` does it.",
			Sources: []string{"DL3027", "CKV_DOCKER_9", "KICS:run_using_apt", "sg:prefer-apt-get"},
			check:   aptForPeople,
		},
	}
}

// undeclaredPackages speaks of managers that have a `packages` step, once a
// step, and not of archives that lie on the disk.
func undeclaredPackages(d *docket) {
	d.eachStep(d.all(), func(st runStep) {
		for _, m := range st.script.managers(install) {
			step := map[string]string{"apt": "apt", "apk": "apk", "dnf": "dnf"}[m.family]
			named := slices.ContainsFunc(m.names, func(i int) bool { return packageName(m.args[i]) })
			if step == "" || !named || m.args[m.verb] == "build-dep" || m.args[m.verb] == "builddep" {
				continue
			}
			d.mend(st.body().Addr, d.arg(st, m.call, -1), d.packagesFix(st, m), "A command installs packages",
				"%s calls %s %s. Write `packages \"%s\" { install = […] }` instead: its versions are in the lock, and it leaves no index behind.",
				st.local(), m.name, m.args[m.verb], step)
			return
		}
	})
}

// packageName reports whether a word names a package of an archive: it is
// known, and no file and no URL.
func packageName(w string) bool {
	return !strings.Contains(w, dynamic) && !strings.ContainsAny(w, "/@*[{") && !strings.HasSuffix(w, ".deb") && !strings.HasSuffix(w, ".rpm") && !strings.HasSuffix(w, ".apk")
}

// interactivePackages takes a configuration that says yes for an answer, and
// so everything that could be one.
func interactivePackages(d *docket) {
	d.eachStep(d.all(), func(st runStep) {
		for _, m := range st.script.managers(install, upgrade, remove) {
			if len(m.yes) == 0 || m.open || m.has(m.yes...) || m.quietTwice() || m.tested || fedByYes(st.script, m.call) {
				continue
			}
			if m.configures("Assume-Yes") || m.configures("assumeyes") || d.says(st, "Assume-Yes") || d.says(st, "assumeyes") {
				continue
			}
			yes, at := "-y", m.verb
			if m.family == "zypper" {
				yes, at = "--non-interactive", -1
			}
			d.mend(st.body().Addr, d.arg(st, m.call, -1), d.behind(st, m.call, at, yes), "A package manager may ask",
				"%s calls %s %s without %s: where it has a question, the step fails, since nobody answers. Add %s.", st.local(), m.name, m.args[m.verb], yes, yes)
		}
	})
}

// quietTwice is -qq of apt, which means -y.
func (m managed) quietTwice() bool {
	n := 0
	for _, f := range m.flags {
		if f.name == "-q" || f.name == "--quiet" {
			n++
		}
	}
	return m.family == "apt" && (n > 1 || slices.Contains(m.args, "-q=2") || slices.Contains(m.args, "--quiet=2"))
}

// configures reports whether an option says a word of the configuration.
func (m managed) configures(setting string) bool {
	return slices.ContainsFunc(m.args, func(w string) bool { return strings.Contains(strings.ToLower(w), strings.ToLower(setting)) })
}

// fedByYes reports whether something is piped into a command, which may be
// its answers.
func fedByYes(_ *script, c call) bool { return c.pipe > 0 && c.element > 0 || c.heredoc != "" }

// weak is how each family is told to leave out what is recommended.
var weak = map[string]struct{ flag, setting string }{
	"apt":    {"--no-install-recommends", "Install-Recommends"},
	"dnf":    {"--setopt=install_weak_deps=False", "install_weak_deps"},
	"zypper": {"--no-recommends", "onlyRequires"},
}

// recommendedPackages leaves out yum, microdnf and tdnf, which have no weak
// dependencies or do not install them.
func recommendedPackages(d *docket) {
	d.eachStep(d.all(), func(st runStep) {
		for _, m := range st.script.managers(install) {
			w, ok := weak[m.family]
			verb := m.args[m.verb]
			if !ok || m.family == "dnf" && m.name != "dnf" && m.name != "dnf5" || verb == "build-dep" || verb == "builddep" || verb == "reinstall" || len(m.names) == 0 {
				continue
			}
			given := m.has("--no-install-recommends", "--no-recommends", "--install-recommends", "--recommends", "--without-recommends", "-R", "--with-recommends", "--download-only", "--only-upgrade")
			if m.open || given || m.configures(w.setting) || d.says(st, w.setting) {
				continue
			}
			flag := w.flag
			if m.name == "aptitude" {
				flag = "--without-recommends"
			}
			d.mend(st.body().Addr, d.arg(st, m.call, -1), d.behind(st, m.call, m.verb, flag), "Recommended packages come along",
				"%s calls %s %s without %s, so what is recommended for these packages is installed too. Add it, and name what is needed.", st.local(), m.name, verb, flag)
		}
	})
}

// bystanders are commands that install nothing. Behind any other, a script
// may install all by itself what its step fetched the index for.
var bystanders = []string{
	"add-apt-repository", "apt-key", "cat", "cd", "chmod", "chown", "command", "cp", "curl", "date", "dearmor", "dpkg", "echo", "env", "export", "gpg",
	"grep", "install", "ln", "ls", "mkdir", "mv", "printf", "rm", "sed", "set", "sleep", "sudo", "tee", "test", "[", "touch", "true", ":", "update-ca-certificates",
	"wget",
}

// indexAlone is only sure of a script of which all is known.
func indexAlone(d *docket) {
	dirs := map[string]string{"apt": "/var/lib/apt/lists", "apk": "/var/cache/apk", "dnf": "/var/cache", "zypper": "/var/cache/zypp"}
	d.eachStep(d.all(), func(st runStep) {
		var first *managed
		for _, c := range st.script.calls {
			m, ok := manages(c)
			switch {
			case ok && m.does == update:
				if first == nil {
					first = &m
				}
			case ok && m.does == clean:
			case ok || !slices.Contains(bystanders, c.name):
				return
			}
		}
		if first == nil || !st.kept(dirs[first.family]) {
			return
		}
		d.found(st.body().Addr, d.arg(st, first.call, -1), "The index is fetched alone",
			"%s calls %s %s and installs nothing in that step, which is not run again while it is cached: a later step installs from an old index. Do both in one step.",
			st.local(), first.name, first.args[first.verb])
	})
}

// upgradeAll lets a package be upgraded that is named, but with apt, whose
// upgrade is always of all.
func upgradeAll(d *docket) {
	d.eachStep(d.all(), func(st runStep) {
		for _, c := range st.script.calls {
			m, ok := manages(c)
			verb := c.name
			switch {
			case c.name == "unattended-upgrade" || c.name == "unattended-upgrades":
			case !ok || m.does != upgrade || c.args[m.verb] == "fix":
				continue
			case m.family != "apt" && (m.open || len(m.names) > 0):
				continue
			case m.has("-s", "--simulate", "--dry-run", "--just-print", "--print-uris", "--assumeno", "-d", "--download-only", "--downloadonly"):
				continue
			default:
				verb += " " + c.args[m.verb]
			}
			d.found(st.body().Addr, d.arg(st, c, -1), "A command upgrades all packages",
				"%s calls %s, which replaces packages of the base by what the archive has that day. Roll the base forward with `specbuild lock --upgrade`, or name the packages that must be newer.",
				st.local(), verb)
		}
	})
}

// aptVerbs are what the other tools call it. apt list has no equal.
var aptVerbs = map[string]string{
	"full-upgrade": "dist-upgrade", "search": "", "show": "", "policy": "", "depends": "", "rdepends": "", "madison": "",
}

func aptForPeople(d *docket) {
	d.eachStep(d.all(), func(st runStep) {
		for _, c := range st.script.calls {
			if c.name != "apt" || len(c.args) == 0 || c.option("--version", "-v", "--help", "-h") {
				continue
			}
			m, ok := manages(c)
			if !ok {
				continue
			}
			tool := "apt-get"
			verb := c.args[m.verb]
			if as, special := aptVerbs[verb]; special && as == "" {
				tool = "apt-cache"
			}
			var fix *diag.Fix
			_, special := aptVerbs[verb]
			if (m.does != other || tool == "apt-cache" || slices.Contains([]string{"source", "download", "changelog"}, verb)) && (!special || tool == "apt-cache") && verb != "reinstall" {
				fix = d.reword(st, c, -1, strings.TrimSuffix(c.first, "apt")+tool)
			}
			d.mend(st.body().Addr, d.arg(st, c, -1), fix, "A script calls apt",
				"%s calls apt %s. apt promises nothing of its options and output to scripts: call %s.", st.local(), verb, tool)
		}
	})
}

func signatureRule() Rule {
	return Rule{
		ID: "packages-signature-checked", By: ByJudge, Title: "No option or setting lets packages in whose signature was not checked",
		Why: "Whoever stands between the archive and the build could hand it any package, which runs as root.",
		Bad: `run {
  script  = "apk add --no-cache --allow-untrusted /tmp/agent.apk"
  network = "outbound"
}`,
		Good: `run {
  script  = "apk add --no-cache /tmp/agent.apk"
  network = "outbound"
}`,
		Mend:    "Leave the option out, which `validate --fix` does, and give the package manager the archive's key.",
		Sources: []string{"CKV2_DOCKER_7", "CKV2_DOCKER_8", "CKV2_DOCKER_9", "CKV2_DOCKER_10", "CKV2_DOCKER_11", "CIS-4.11", "CIS-DI-0011", "ky:check-untrust-flag", "ky:check-authentication", "ky:check-nogpgcheck", "ky:check-missing-signature-options", "ky:check-apt-command-force-yes"},
		check:   uncheckedPackages,
	}
}

// unchecked are the options of each family that turn checks off.
var unchecked = map[string][]string{
	"apt":    {"--allow-unauthenticated", "--force-yes", "--allow-insecure-repositories"},
	"apk":    {"--allow-untrusted"},
	"dnf":    {"--nogpgcheck", "--no-gpgchecks"},
	"zypper": {"--no-gpg-checks", "--allow-unsigned-rpm", "--no-gpgcheck", "-G"},
	"rpm":    {"--nosignature", "--nodigest", "--noverify", "--nofiledigest"},
}

// uncheckedSettings are names of settings, with the value that turns checks
// off: true means that a true one does.
var uncheckedSettings = map[string]bool{
	"APT::Get::AllowUnauthenticated": true, "Acquire::AllowInsecureRepositories": true, "Acquire::AllowWeakRepositories": true,
	"gpgcheck": false, "repo_gpgcheck": false, "localpkg_gpgcheck": false,
}

func uncheckedPackages(d *docket) {
	d.eachStep(d.all(), func(st runStep) {
		for _, c := range st.script.calls {
			d.uncheckedOption(st, c)
			if text := puts(c); text != "" {
				if what := uncheckedSetting(text); what != "" {
					d.found(st.body().Addr, d.arg(st, c, -1), "Signatures of packages are not checked",
						"%s writes %s, so a package is installed whoever made it. Give the archive's key to the package manager instead (signed-by, gpgkey).", st.local(), what)
				}
			}
		}
	})
	for _, inst := range d.Instances {
		for _, step := range inst.Body.Steps {
			f, ok := step.(*spec.File)
			if !ok {
				continue
			}
			if what := uncheckedSetting(f.Content.V); what != "" && packageConfig.MatchString(f.Path.V) {
				d.found(inst.Body.Addr, or(f.Content.Range, f.Range), "Signatures of packages are not checked",
					"%s writes %s to %s, so a package is installed whoever made it. Give the archive's key to the package manager instead (signed-by, gpgkey).", inst.Body.Addr.Local(), what, f.Path.V)
			}
		}
	}
}

// packageConfig are the files that package managers are configured by.
var packageConfig = regexp.MustCompile(`^/etc/(apt/|yum|dnf/|zypp/)`)

func (d *docket) uncheckedOption(st runStep, c call) {
	m, ok := manages(c)
	family, o := m.family, m.options
	if c.name == "rpm" || c.name == "zypper" {
		family, o = c.name, c.parse(m.manager.options)
		if c.name == "rpm" && !o.has("-i", "-U", "-F", "--install", "--upgrade", "--freshen", "--reinstall") {
			return
		}
	} else if !ok {
		return
	}
	for _, f := range o.flags {
		what := ""
		switch name, value, _ := strings.Cut(f.value, "="); {
		case f.name == "-G" && !slices.ContainsFunc(c.args, func(w string) bool { return w == "ar" || w == "addrepo" || w == "mr" || w == "modifyrepo" }):
		case slices.Contains(unchecked[family], f.name):
			if !off(f.value) || f.value == "" {
				what = f.name
			}
		case f.name == "-o" || f.name == "--option" || f.name == "--setopt":
			name = name[strings.LastIndexByte(name, '.')+1:]
			if bad, known := uncheckedSettings[name]; known && (bad && truth(value) || !bad && off(value)) {
				what = f.value
			}
		}
		if what == "" {
			continue
		}
		last := f.word
		if !strings.HasSuffix(c.args[f.word], f.value) {
			last++
		}
		d.mend(st.body().Addr, d.arg(st, c, f.word), d.without(st, c, f, last), "Signatures of packages are not checked",
			"%s calls %s with %s, so a package is installed whoever made it. Leave the option out, and give %s the archive's key.", st.local(), c.name, what, c.name)
	}
}

// puts is what a command writes: the words of echo and printf, what cat
// and tee read here, and what sed puts in the place of something.
func puts(c call) string {
	switch c.name {
	case "echo", "printf":
		return strings.Join(c.args, " ")
	case "cat", "tee":
		return c.heredoc
	case "sed":
		var out []string
		for _, script := range c.args {
			if with, ok := replaces(script); ok {
				out = append(out, with)
			}
		}
		return strings.Join(out, "\n")
	}
	return ""
}

// replaces is what sed's s command puts in: s/old/new/.
func replaces(script string) (with string, ok bool) {
	i := strings.IndexByte(script, 's')
	if i < 0 || i+1 >= len(script) || !strings.ContainsRune("/|#,:!@%", rune(script[i+1])) {
		return "", false
	}
	parts := strings.Split(script[i+2:], script[i+1:i+2])
	if len(parts) < 3 {
		return "", false
	}
	return parts[1], true
}

var (
	trusted    = regexp.MustCompile(`(?m)^\s*['"]?deb(?:-src)?\s+\[[^\]]*\btrusted=yes\b|^\s*Trusted:\s*yes\s*$`)
	gpgcheck   = regexp.MustCompile(`(?im)(?:^|[\s'"\\n])((?:repo_|localpkg_)?gpgcheck\s*=\s*(?:0|no|false|off))\b`)
	aptSetting = regexp.MustCompile(`(?i)((?:APT::Get::AllowUnauthenticated|Acquire::AllowInsecureRepositories)\s+["']?(?:true|1|yes))`)
	sigLevel   = regexp.MustCompile(`(?m)(?:^|\s)(SigLevel\s*=\s*Never)\b`)
)

// uncheckedSetting is the setting in a text of configuration that turns
// checks off, or "".
func uncheckedSetting(text string) string {
	if trusted.MatchString(text) {
		return "[trusted=yes]"
	}
	for _, re := range []*regexp.Regexp{gpgcheck, aptSetting, sigLevel} {
		if m := re.FindStringSubmatch(text); m != nil {
			return m[1]
		}
	}
	return ""
}
