package deb

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/engine/layer"
)

// programDirs hold what is started; scripts elsewhere (examples, init
// scripts, cron jobs) wait for a system that an image is not.
var programDirs = [...]string{"usr/bin/", "usr/sbin/", "usr/games/", "usr/libexec/"}

// standardLoaderFile reports whether libc6 ships the file: what it names is
// built into the loader besides.
func standardLoaderFile(name string) bool {
	return name == "libc.conf" || strings.Contains(name, "-linux-gnu")
}

// check warns of what an unpacked package lacks (fix-ups 7 and 8). Nothing
// is added silently.
func (in *installation) check() error {
	in.checkInterpreters()
	for _, p := range in.tree.filesBelow("etc/ld.so.conf.d", false) {
		if n := in.tree.nodes[p]; n.archive != nil && !standardLoaderFile(path.Base(p)) {
			in.warn("%s adds library folders in /%s, and there is no ld.so.cache: set LD_LIBRARY_PATH, or configure = true.", n.archive.Name, p)
		}
	}
	x, err := in.readIDs()
	if err != nil {
		return err
	}
	var generated []string
	for _, a := range in.archives {
		found := in.scripts[a]
		if found == nil {
			continue
		}
		if found.generated && !madeByScripts(a.Name) {
			generated = append(generated, a.Name)
		}
		if madeByScripts(a.Name) {
			in.warn("%s is made by its scripts, which an unpacked root does not run: use configure = true, or write its configuration.", a.Name)
		}
		names := slices.Compact(slices.Sorted(slices.Values(found.accounts)))
		names = slices.DeleteFunc(names, func(name string) bool {
			_, user := x.users[name]
			_, group := x.groups[name]
			return user || group
		})
		if len(names) > 0 {
			in.warn("%s wants the account %s: add a user step.", a.Name, strings.Join(names, ", "))
		}
	}
	if len(generated) > 0 {
		in.warn("The configuration that scripts of %s would write (with ucf) is missing: write what is needed, or use configure = true.", strings.Join(generated, ", "))
	}
	return nil
}

// madeByScripts names packages whose programs do not start without what
// their scripts make, though these do not use ucf (tried: 3 of 36 programs).
func madeByScripts(name string) bool {
	switch name {
	case "apache2", "openssh-server", "exim4-config", "exim4-base":
		return true
	}
	return false
}

// checkInterpreters warns of scripts whose interpreter is not there, once
// for each interpreter.
func (in *installation) checkInterpreters() {
	missing := map[string][]string{}
	for p, n := range in.tree.nodes {
		if n.entry == nil || n.entry.interp == "" || n.Type != layer.File || !isProgram(p) || in.hasProgram(n.entry.interp) || !in.asked(n.archive.Name) {
			continue
		}
		missing[n.entry.interp] = append(missing[n.entry.interp], p)
	}
	for _, interp := range slices.Sorted(maps.Keys(missing)) {
		paths := missing[interp]
		slices.Sort(paths)
		packages := map[string]bool{}
		for _, p := range paths {
			packages[in.tree.nodes[p].archive.Name] = true
		}
		in.warn("%d of the programs of %s need %s, which no package has: add %s, if they are used (the first is /%s).",
			len(paths), strings.Join(slices.Sorted(maps.Keys(packages)), ", "), interp, providerOf(interp), paths[0])
	}
}

// asked reports whether the spec lists a package itself: debconf, which comes
// along with half of Debian, has nine programs that nobody misses.
func (in *installation) asked(name string) bool {
	return in.req.Asked == nil || slices.Contains(in.req.Asked, name)
}

func isProgram(p string) bool {
	for _, dir := range programDirs {
		if strings.HasPrefix(p, dir) {
			return true
		}
	}
	return false
}

func (in *installation) hasProgram(interp string) bool {
	if strings.HasPrefix(interp, "/") {
		_, ok := in.tree.stat(interp)
		return ok
	}
	for _, dir := range programDirs {
		if _, ok := in.tree.stat(dir + interp); ok {
			return true
		}
	}
	return false
}

// providerOf names the package of a usual interpreter.
func providerOf(interp string) string {
	switch name := path.Base(interp); {
	case name == "sh":
		return "dash"
	case strings.HasPrefix(name, "perl"):
		return "perl"
	case name == "python" || name == "python3":
		return "python3"
	case name == "awk":
		return "mawk"
	default:
		return name
	}
}
