package pin

import (
	"slices"
	"strings"
)

// repoLines is what was read of a repository, before it is checked.
type repoLines struct {
	releases []Release
	packages map[string]*packageLines // by architecture
	closures []closureLine
}

// packageLines are packages with the numbers of their lines.
type packageLines struct {
	all    []Package
	lines  []int32
	sorted bool // each is behind the one before it
}

type closureLine struct {
	Closure
	key   string
	words []string // of its packages, quoted ones too: a version may have any byte
	line  int
}

func (p *parser) repo(key string) *repoLines {
	r := p.repos[key]
	if r == nil {
		r = &repoLines{packages: map[string]*packageLines{}}
		p.repos[key] = r
	}
	return r
}

func (p *parser) release(key string, v []string) {
	if p.want(v, 4) {
		r := p.repo(key)
		r.releases = append(r.releases, Release{Source: v[0], Suite: v[1], Date: v[2], Digest: p.digest(v[3])})
	}
}

// run is lines of packages of one repository and architecture. Lines are
// sorted, so that they stand together and begin alike.
type run struct {
	prefix string // "package KEY ARCH ", or "" before the first
	list   *packageLines
}

// pkg reads the first line of a run, or one with a quoted value.
func (p *parser) pkg(line, key, arch string, v []string) {
	if !p.want(v, 7) {
		return
	}
	r := p.repo(key)
	list := r.packages[arch]
	if list == nil {
		list = &packageLines{sorted: true}
		r.packages[arch] = list
	}
	if prefix := kindPackage + " " + key + " " + arch + " "; strings.HasPrefix(line, prefix) {
		p.run = run{prefix, list}
		p.reserve()
	}
	p.add(list, v)
}

// reserve makes room for the lines of the run that begins.
func (p *parser) reserve() {
	n := 1
	for rest := p.rest; strings.HasPrefix(rest, p.run.prefix); n++ {
		i := strings.IndexByte(rest, '\n')
		if i < 0 {
			break
		}
		rest = rest[i+1:]
	}
	p.run.list.all, p.run.list.lines = slices.Grow(p.run.list.all, n), slices.Grow(p.run.list.lines, n)
}

// packageFast reads a line of the current run that has no quoted value and
// the right number of others, or leaves it alone.
func (p *parser) packageFast(line string) bool {
	if p.run.prefix == "" || !strings.HasPrefix(line, p.run.prefix) || strings.IndexByte(line, '"') >= 0 {
		return false
	}
	rest := line[len(p.run.prefix):]
	var v [7]string
	for i := range v[:6] {
		at := strings.IndexByte(rest, ' ')
		if at <= 0 {
			return false
		}
		v[i], rest = rest[:at], rest[at+1:]
	}
	v[6] = rest
	if rest == "" || strings.IndexByte(rest, ' ') >= 0 {
		return false
	}
	p.add(p.run.list, v[:])
	return true
}

func (p *parser) add(list *packageLines, v []string) {
	if !isHex(v[6]) {
		p.fail("%q is no sha256", clip(v[6]))
	}
	list.all = append(list.all, Package{Name: v[0], Version: v[1], Arch: v[2], Source: v[3], Path: v[4], Size: p.int(v[5]), SHA256: v[6]})
	list.lines = append(list.lines, int32(p.number))
	if n := len(list.all); n > 1 && list.sorted {
		a, b := &list.all[n-2], &list.all[n-1]
		list.sorted = a.Name < b.Name || a.Name == b.Name && a.Version < b.Version
	}
}

func (p *parser) closure(key, arch string, v []string) {
	if len(v) < 2 {
		p.fail("a closure needs its request and what lies below it")
		return
	}
	r := p.repo(key)
	c := Closure{Arch: arch, Request: parseRequest(v[0]), Below: parseRequests(v[1])}
	r.closures = append(r.closures, closureLine{c, c.key(), slices.Clone(v[2:]), p.number})
}

func (p *parser) repository(r *repoLines) Repository {
	out := Repository{Releases: r.releases, Packages: make(map[string][]Package, len(r.packages))}
	for arch, list := range r.packages {
		out.Packages[arch] = p.packages(list)
	}
	p.noRepeats(&out, r)
	out.Closures = slices.Grow(out.Closures, len(r.closures))
	for i := range r.closures {
		c := &r.closures[i]
		if i > 0 && c.key == r.closures[i-1].key {
			continue
		}
		c.Packages = p.members(out.Packages[c.Arch], c)
		out.Closures = append(out.Closures, c.Closure)
	}
	return out
}

// packages sorts what is not sorted, and drops what is said twice alike.
func (p *parser) packages(list *packageLines) []Package {
	if list.sorted {
		return list.all
	}
	order := make([]int, len(list.all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return comparePackages(list.all[a], list.all[b]) })
	out := make([]Package, 0, len(order))
	for _, i := range order {
		k := &list.all[i]
		if n := len(out); n > 0 && out[n-1].Name == k.Name && out[n-1].Version == k.Version {
			if out[n-1] != *k {
				p.failAt(int(list.lines[i]), "the package %s %s is said otherwise in another line, as happens when two branches are merged", k.Name, k.Version)
			}
			continue
		}
		out = append(out, *k)
	}
	return out
}

// members looks a closure's words up. They are sorted as the packages are, so
// that each is found a little behind the one before.
func (p *parser) members(all []Package, c *closureLine) []Package {
	out := make([]Package, 0, len(c.words))
	at := 0
	for _, word := range c.words {
		name, version, exact := strings.Cut(word, "=")
		if at >= len(all) || all[at].Name > name {
			at = 0 // somebody has sorted the words otherwise
		}
		at = gallop(all, at, name)
		if at == len(all) || all[at].Name != name {
			p.failAt(c.line, "a closure names the package %s, which no line pins", clip(name))
			continue
		}
		found := at
		if exact {
			for found < len(all) && all[found].Name == name && all[found].Version != version {
				found++
			}
			if found == len(all) || all[found].Name != name {
				p.failAt(c.line, "a closure names the package %s %s, which no line pins", name, version)
				continue
			}
		} else if at+1 < len(all) && all[at+1].Name == name {
			p.failAt(c.line, "a closure names the package %s, which has several versions here, as happens when two branches are merged", name)
		}
		out = append(out, all[found])
	}
	return out
}

// gallop is the first place from at on that is not before name.
func gallop(all []Package, at int, name string) int {
	step := 1
	low := at
	for at < len(all) && all[at].Name < name {
		low = at + 1
		at += step
		step *= 2
	}
	high := min(at, len(all))
	for low < high {
		if mid := (low + high) / 2; all[mid].Name < name {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// noRepeats sorts closures and releases and refuses two answers to one
// question.
func (p *parser) noRepeats(out *Repository, r *repoLines) {
	slices.SortStableFunc(r.closures, func(a, b closureLine) int { return strings.Compare(a.key, b.key) })
	for i := 1; i < len(r.closures); i++ {
		a, b := &r.closures[i-1], &r.closures[i]
		if a.key == b.key && !slices.Equal(a.words, b.words) {
			p.failAt(b.line, "the closure of %s is said otherwise in line %d, as happens when two branches are merged", b.Request, a.line)
		}
	}
	slices.SortFunc(out.Releases, func(a, b Release) int { return strings.Compare(a.Source, b.Source) })
	for i := 1; i < len(out.Releases); i++ {
		if a, b := out.Releases[i-1], out.Releases[i]; a.Source == b.Source && a != b {
			p.fail("or above it, the release %s is said twice, as happens when two branches are merged", a.Source)
		}
	}
	out.Releases = slices.Compact(out.Releases)
}
