package survey

import (
	"path"
	"strings"
)

// gathering finds what was left behind, while files go by, parents first. A
// folder that is a leftover as a whole is one, with the bytes of all below it.
type gathering struct {
	found  []File
	caches []File

	dir  string  // the folder that files go into, with a slash behind
	into *[]File // whose last element the folder is
}

// look takes a file.
func (g *gathering) look(c Config, f File) {
	if g.dir != "" && strings.HasPrefix(f.Path, g.dir) {
		last := &(*g.into)[len(*g.into)-1]
		last.Size += f.Size
		last.Layer = max(last.Layer, f.Layer)
		return
	}
	g.dir = ""
	switch {
	case f.Kind == Folder:
		if what := cacheFolder(f.Path); what != "" {
			g.open(&g.caches, f, what)
		} else if what := leftFolder(f.Path); what != "" {
			g.open(&g.found, f, what)
		}
	case f.Kind != Regular || f.Size == 0: // nothing is in it
	default:
		if what := cacheFile(f.Path); what != "" {
			f.What = what
			g.caches = add(g.caches, f)
		} else if what := leftFile(c, f.Path); what != "" {
			f.What = what
			g.found = add(g.found, f)
		}
	}
}

// open begins a folder; what is below it goes into its size.
func (g *gathering) open(list *[]File, f File, what string) {
	if len(*list) == Most {
		return
	}
	f.What, f.Size = what, 0
	*list = append(*list, f)
	g.dir, g.into = f.Path+"/", list
}

// left is what is sure: a folder with something in it, and a copy of an editor
// only beside what it is a copy of.
func (g *gathering) left(root Root) []File {
	g.caches = filled(g.caches)
	var out []File
	for _, f := range filled(g.found) {
		if name, backup := strings.CutSuffix(f.Path, "~"); backup {
			if _, _, ok := root.Resolve(name); !ok {
				continue
			}
		}
		out = append(out, f)
	}
	return out
}

func filled(list []File) []File {
	var out []File
	for _, f := range list {
		if f.Size > 0 {
			out = append(out, f)
		}
	}
	return out
}

// cacheFolders are folders of package managers that hold nothing but what can
// be fetched again, with whose they are. Those that begin with ~ lie in a home.
var cacheFolders = map[string]string{
	"/var/cache/dnf": "dnf's cache", "/var/cache/libdnf5": "dnf's cache", "/var/cache/yum": "yum's cache", "/var/cache/tdnf": "tdnf's cache",
	"/var/cache/zypp": "zypper's cache", "/var/cache/pacman/pkg": "pacman's cache",
	"~/.cache/pip": "pip's cache", "~/.cache/uv": "uv's cache", "~/.cache/pypoetry/cache": "Poetry's cache", "~/.cache/pipenv": "Pipenv's cache",
	"~/.npm/_cacache": "npm's cache", "~/.cache/yarn": "Yarn's cache", "/usr/local/share/.cache/yarn": "Yarn's cache", "~/.yarn/berry/cache": "Yarn's cache",
	"~/.cache/composer": "Composer's cache", "~/.composer/cache": "Composer's cache", "~/.cargo/registry/cache": "cargo's cache",
	"/usr/local/cargo/registry/cache": "cargo's cache", "/go/pkg/mod/cache": "Go's module cache", "~/go/pkg/mod/cache": "Go's module cache",
}

func cacheFolder(p string) string { return inHome(cacheFolders, p) }

// inHome looks a path up in a table, as it is and from the home it is in.
func inHome(table map[string]string, p string) string {
	if what := table[p]; what != "" {
		return what
	}
	for _, homes := range []string{"/root/", "/home/"} {
		rest, ok := strings.CutPrefix(p, homes)
		if ok && homes == "/home/" {
			_, rest, ok = strings.Cut(rest, "/")
		}
		if ok {
			return table["~/"+rest]
		}
	}
	return ""
}

// cacheFile knows the files of package managers whose folders have to stay.
func cacheFile(p string) string {
	dir, name := path.Split(p)
	switch dir {
	case "/var/lib/apt/lists/", "/var/lib/apt/lists/partial/":
		if name != "lock" {
			return "apt's index"
		}
	case "/var/cache/apt/":
		if name == "pkgcache.bin" || name == "srcpkgcache.bin" {
			return "apt's cache"
		}
	case "/var/cache/apt/archives/", "/var/cache/apt/archives/partial/":
		if strings.HasSuffix(name, ".deb") {
			return "apt's archives"
		}
	case "/var/cache/apk/", "/etc/apk/cache/":
		if strings.HasPrefix(name, "APKINDEX.") || strings.HasSuffix(name, ".apk") {
			return "apk's cache"
		}
	}
	return ""
}

// leftFolders are of those who build and edit. Caches of programs that may
// well look into them again, such as models and browsers, are none.
var leftFolders = map[string]string{
	"~/.cache/go-build": "a cache of the Go compiler", "~/.cache/ccache": "a cache of a compiler", "~/.ccache": "a cache of a compiler",
	"~/.cache/bazel": "a cache of Bazel", "~/.cache/node-gyp": "a cache of node-gyp", "~/.npm/_logs": "logs of npm",
	"~/.gradle/caches": "a cache of Gradle", "~/.vscode-server": "an editor's files",
}

func leftFolder(p string) string {
	switch path.Base(p) {
	case ".git", ".hg", ".svn", ".bzr":
		return "a working copy's history"
	}
	return inHome(leftFolders, p)
}

// leftFile knows files by where they are and how they are called: an archive
// in a web server's folder is there to be served, one in /root is not.
func leftFile(c Config, p string) string {
	dir, name := path.Split(p)
	dir = path.Clean(dir)
	switch {
	case strings.HasPrefix(p, "/tmp/"), strings.HasPrefix(p, "/var/tmp/"):
		return "a temporary file"
	case name == ".DS_Store", name == "Thumbs.db", strings.HasPrefix(name, ".") && (strings.HasSuffix(name, ".swp") || strings.HasSuffix(name, ".swo")),
		strings.HasSuffix(name, "~") && len(name) > 1:
		return "an editor's file"
	case dir == "/root" || dir == "/usr/src" || dir == "/usr/local/src":
		if ending(name, ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tar.zst", ".zip", ".deb", ".rpm", ".whl") {
			return "an archive"
		}
	}
	if dir == "/" && ending(name, ".deb", ".rpm", ".apk", ".whl") {
		return "an archive"
	}
	if dir == "/" || dir == path.Clean("/"+c.Workdir) {
		switch name {
		case "Dockerfile", "Containerfile", ".dockerignore", "image.hcl", "image.yaml", "specbuild.hcl", "specbuild.lock":
			return "a file of the build"
		}
	}
	return ""
}

func ending(name string, of ...string) bool {
	for _, e := range of {
		if strings.HasSuffix(name, e) && len(name) > len(e) {
			return true
		}
	}
	return false
}
