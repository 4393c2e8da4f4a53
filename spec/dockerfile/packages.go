package dockerfile

import (
	"slices"
	"strings"
)

// installation is what one or several calls of a package manager install.
type installation struct {
	manager    string // apt, apk or dnf
	packages   []string
	recommends bool
}

// join adds another installation by the same manager.
func (in *installation) join(other installation) bool {
	if in.manager != other.manager || in.recommends != other.recommends {
		return false
	}
	for _, p := range other.packages {
		if !slices.Contains(in.packages, p) {
			in.packages = append(in.packages, p)
		}
	}
	return true
}

func (in *installation) write(b *block) {
	b.setNeeded("install", list(in.packages))
	if in.recommends {
		b.set("recommends", "true")
	}
}

// managerOf is the manager that a program belongs to.
func managerOf(name string) string {
	switch name {
	case "apt", "apt-get", "apt-cache", "apt-key", "aptitude", "apt-mark", "dpkg":
		return "apt"
	case "apk":
		return "apk"
	case "dnf", "yum", "microdnf":
		return "dnf"
	}
	return ""
}

// packagePiece understands the calls of package managers that a `packages`
// step stands for: refreshing the index, installing by name, cleaning up.
func packagePiece(name string, words []text) (piece, bool) {
	if name == "rm" {
		return cleanup(words)
	}
	p := piece{manager: managerOf(name)}
	var operands []string
	sub := ""
	in := installation{manager: p.manager, recommends: p.manager != "apk"}
	for _, w := range words {
		now := w.now()
		_, constant := w.constant()
		switch {
		case strings.HasPrefix(now, "-"):
			if !constant || !in.option(now) {
				return piece{}, false
			}
		case sub == "" && constant:
			sub = now
		default:
			e, ok := packageName(w)
			if !ok {
				return piece{}, false
			}
			if !slices.Contains(operands, e) {
				operands = append(operands, e)
			}
		}
	}
	in.packages = operands
	p.kind, p.install = p.meaning(name, sub, len(operands)), in
	return p, p.kind != otherPiece
}

// meaning is what a subcommand does.
func (p piece) meaning(name, sub string, operands int) pieceKind {
	install := name == "apt-get" && sub == "install" || name == "apt" && sub == "install" || name == "apk" && sub == "add" || name == "dnf" && sub == "install"
	switch {
	case install && operands > 0:
		return installPiece
	case operands > 0 && sub != "clean":
	case (name == "apt-get" || name == "apt" || name == "apk") && sub == "update", name == "dnf" && sub == "makecache":
		return refreshPiece
	case (name == "apt-get" || name == "apt") && (sub == "clean" || sub == "autoclean"), name == "dnf" && sub == "clean":
		return cleanPiece
	}
	return otherPiece
}

// option judges an option: one that changes what is installed in a way that a
// step cannot say is none.
func (in *installation) option(s string) bool {
	switch in.manager {
	case "apt":
		switch s {
		case "-y", "--yes", "--assume-yes", "-q", "-qq", "-yq", "-yqq", "-qy", "-qqy", "--quiet", "--no-install-suggests":
			return true
		case "--no-install-recommends":
			in.recommends = false
			return true
		}
	case "apk":
		return slices.Contains([]string{"--no-cache", "--update", "-U", "--update-cache", "-q", "--quiet", "--no-progress", "-u", "--upgrade"}, s) && s != "-u" && s != "--upgrade"
	case "dnf":
		switch s {
		case "-y", "--assumeyes", "-q", "--quiet", "--refresh":
			return true
		case "--setopt=install_weak_deps=False", "--setopt=install_weak_deps=0", "--setopt=install_weak_deps=false":
			in.recommends = false
			return true
		}
	}
	return false
}

// packageName is a package as a step takes it: name, name=version, name:arch.
func packageName(w text) (string, bool) {
	name, version, pinned := strings.Cut(w.now(), "=")
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789+.-_:ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" ||
		strings.HasSuffix(name, "-") || strings.HasPrefix(name, ".") || strings.ToLower(name) != name {
		return "", false
	}
	if pinned && (version == "" || strings.ContainsAny(version, "*?/<>=")) {
		return "", false
	}
	if len(w) > 1 && w[0].expr != "" || len(w) == 1 && w[0].expr != "" {
		return "", false
	}
	if len(w) > 1 && !strings.Contains(w[0].lit, "=") {
		return "", false
	}
	return w.hcl(), true
}

// cleanup is rm -rf of what package managers leave.
func cleanup(words []text) (piece, bool) {
	p := piece{kind: cleanPiece}
	paths := 0
	for _, w := range words {
		s, ok := w.constant()
		if !ok {
			return piece{}, false
		}
		if strings.HasPrefix(s, "-") {
			if strings.Trim(s, "-rfv") != "" {
				return piece{}, false
			}
			continue
		}
		m := ""
		for manager, dirs := range map[string][]string{
			"apt": {"/var/lib/apt/lists", "/var/cache/apt"},
			"apk": {"/var/cache/apk"},
			"dnf": {"/var/cache/dnf", "/var/cache/yum"},
		} {
			for _, d := range dirs {
				if s == d || strings.HasPrefix(s, d+"/") {
					m = manager
				}
			}
		}
		if m == "" || p.manager != "" && p.manager != m {
			return piece{}, false
		}
		p.manager = m
		paths++
	}
	return p, paths > 0
}
