package pin

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/specbuild/specbuild/spec/diag"
)

// maxProblems bounds what is reported of one damaged lock: after some lines
// it is the whole file that is wrong.
const maxProblems = 10

// Parse reads a lock. name is the file's name in diagnostics. Nothing is
// guessed: a line that does not fit is an error that says what to run.
// Lines may stand in any order, since merges put them so.
func Parse(name string, data []byte) (Lock, diag.List) {
	p := parser{file: name, bases: map[string]*Base{}, repos: map[string]*repoLines{}}
	text := string(data)
	for text != "" && len(p.problems) < maxProblems {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		p.number++
		line = strings.TrimSuffix(line, "\r")
		if p.number == 1 {
			if line != header {
				p.fail("the first line is %q and not %q: another version of specbuild wrote it, or no specbuild", clip(line), header)
				return Lock{}, p.problems
			}
			continue
		}
		if line == "" {
			continue
		}
		if strings.HasPrefix(line, "<<<<<<<") || strings.HasPrefix(line, "=======") || strings.HasPrefix(line, ">>>>>>>") {
			p.fail("this is the mark of a merge conflict. Keep the lines of one side")
			return Lock{}, p.problems
		}
		p.line(line)
	}
	if p.number == 0 {
		p.number = 1
		p.fail("the file is empty")
	}
	l := p.finish()
	if len(p.problems) > 0 {
		return Lock{}, p.problems
	}
	return l, nil
}

type parser struct {
	file     string
	number   int
	problems diag.List
	fields   []string // of the current line; the memory is used again
	bases    map[string]*Base
	repos    map[string]*repoLines

	// Lines are sorted, so the repository of a line is mostly that of the
	// line before.
	lastKey, lastArch string
	lastRepo          *repoLines
	lastPackages      *[]packageLine
}

type repoLines struct {
	releases []Release
	packages map[string]*[]packageLine
	closures []closureLine
}

type packageLine struct {
	Package
	line int
}

type closureLine struct {
	Closure
	names []string
	line  int
}

func (p *parser) fail(format string, args ...any) { p.failAt(p.number, format, args...) }

func (p *parser) failAt(line int, format string, args ...any) {
	at := diag.Pos{Line: line, Column: 1}
	p.problems.Errorf(diag.Range{File: p.file, Start: at, End: at}, "The lock cannot be read",
		"In line %d, %s. Run `specbuild lock` after restoring the file from version control, or delete it to pin everything anew.",
		line, fmt.Sprintf(format, args...))
}

func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

func (p *parser) line(line string) {
	if !p.split(line) {
		return
	}
	f := p.fields
	if len(f) < 4 {
		p.fail("%q is too short: a line is a kind, a key, a platform and values", clip(line))
		return
	}
	switch f[0] {
	case kindPackage:
		p.pkg(f[1], f[2], f[3:])
	case kindBase:
		p.base(f[1], f[2], f[3], f[4:])
	case kindRelease:
		p.release(f[1], f[3:])
	case kindClosure:
		p.closure(f[1], f[2], f[3:])
	default:
		p.fail("the kind %q is unknown: a newer specbuild may have written it", clip(f[0]))
	}
}

// split cuts a line at single spaces into p.fields, quoted values unquoted.
func (p *parser) split(line string) bool {
	p.fields = p.fields[:0]
	for rest := line; ; {
		if strings.HasPrefix(rest, `"`) {
			q, err := strconv.QuotedPrefix(rest)
			if err != nil {
				p.fail("a quoted value does not end")
				return false
			}
			v, err := strconv.Unquote(q)
			if err != nil {
				p.fail("%s is no quoted value", clip(q))
				return false
			}
			p.fields = append(p.fields, v)
			rest = rest[len(q):]
		} else {
			v := rest
			if i := strings.IndexByte(rest, ' '); i >= 0 {
				v = rest[:i]
			}
			if v == "" {
				p.fail("there is an empty value: values stand one space apart, empty ones as \"\"")
				return false
			}
			p.fields = append(p.fields, v)
			rest = rest[len(v):]
		}
		if rest == "" {
			return true
		}
		if rest[0] != ' ' {
			p.fail("there is no space behind a quoted value")
			return false
		}
		rest = rest[1:]
	}
}

func (p *parser) want(values []string, n int) bool {
	if len(values) == n {
		return true
	}
	p.fail("there are %d values where there must be %d", len(values), n)
	return false
}

func (p *parser) int(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		p.fail("%q is no number", clip(s))
	}
	return n
}

// digest checks the form only; what it names is checked when it is read.
func (p *parser) digest(s string) string {
	if hex, ok := strings.CutPrefix(s, "sha256:"); !ok || !isHex(hex) {
		p.fail("%q is no digest", clip(s))
	}
	return s
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == 64
}

// set fills a value that may be said once only.
func (p *parser) set(at *string, v string) {
	if *at != "" && *at != v {
		p.fail("this is said otherwise in a line above, as happens when two branches are merged")
	}
	*at = v
}

func (p *parser) base(key, platform, what string, v []string) {
	b := p.bases[key]
	if b == nil {
		b = &Base{Manifests: map[string]string{}, Facts: map[string]Facts{}}
		p.bases[key] = b
	}
	counts := map[string]int{"index": 2, "manifest": 1, "config": 1, "user": 2, "passwd": 1, "group": 1, "layer": 5, "shape": 2}
	n, known := counts[what]
	if !known {
		p.fail("the fact %q of a base is unknown: a newer specbuild may have written it", clip(what))
		return
	}
	if !p.want(v, n) {
		return
	}
	switch what {
	case "index":
		p.set(&b.Digest, p.digest(v[0]))
		b.MediaType = v[1]
	case "manifest":
		d := b.Manifests[platform]
		p.set(&d, p.digest(v[0]))
		b.Manifests[platform] = d
	default:
		f := b.Facts[platform]
		p.fact(&f, what, v)
		b.Facts[platform] = f
	}
}

func (p *parser) fact(f *Facts, what string, v []string) {
	switch what {
	case "config":
		p.set(&f.Config, v[0])
	case "user":
		f.UID, f.GID = int(p.int(v[0])), int(p.int(v[1]))
	case "passwd":
		p.set(&f.Passwd, p.digest(v[0]))
	case "group":
		p.set(&f.Group, p.digest(v[0]))
	case "layer":
		y := Layer{Digest: p.digest(v[1]), DiffID: p.digest(v[2]), MediaType: v[3], Size: p.int(v[4])}
		place(p, &f.Layers, v[0], y)
	case "shape":
		place(p, &f.Shape, v[0], v[1])
	}
}

// place puts a value at its number. Numbers far above any real base's would
// only fill memory.
func place[T comparable](p *parser, s *[]T, number string, v T) {
	const most = 1 << 16
	i := p.int(number)
	if i < 0 || i >= most {
		p.fail("the number %s is too large", clip(number))
		return
	}
	var none T
	for int64(len(*s)) <= i {
		*s = append(*s, none)
	}
	if (*s)[i] != none && (*s)[i] != v {
		p.fail("this is said otherwise in a line above, as happens when two branches are merged")
	}
	(*s)[i] = v
}

func (p *parser) repo(key string) *repoLines {
	if p.lastRepo != nil && p.lastKey == key {
		return p.lastRepo
	}
	r := p.repos[key]
	if r == nil {
		r = &repoLines{packages: map[string]*[]packageLine{}}
		p.repos[key] = r
	}
	p.lastKey, p.lastRepo, p.lastPackages = key, r, nil
	return r
}

func (p *parser) release(key string, v []string) {
	if p.want(v, 4) {
		r := p.repo(key)
		r.releases = append(r.releases, Release{Source: v[0], Suite: v[1], Date: v[2], Digest: p.digest(v[3])})
	}
}

func (p *parser) pkg(key, arch string, v []string) {
	if !p.want(v, 7) {
		return
	}
	r := p.repo(key)
	if p.lastPackages == nil || p.lastArch != arch {
		p.lastArch, p.lastPackages = arch, r.packages[arch]
		if p.lastPackages == nil {
			p.lastPackages = new([]packageLine)
			r.packages[arch] = p.lastPackages
		}
	}
	if !isHex(v[6]) {
		p.fail("%q is no sha256", clip(v[6]))
	}
	*p.lastPackages = append(*p.lastPackages, packageLine{
		Package{Name: v[0], Version: v[1], Arch: v[2], Source: v[3], Path: v[4], Size: p.int(v[5]), SHA256: v[6]}, p.number,
	})
}

func (p *parser) closure(key, arch string, v []string) {
	if len(v) < 2 {
		p.fail("a closure needs its request and what lies below it")
		return
	}
	r := p.repo(key)
	r.closures = append(r.closures, closureLine{
		Closure{Arch: arch, Request: parseRequest(v[0]), Below: parseRequests(v[1])}, slices.Clone(v[2:]), p.number,
	})
}

// finish checks what only the whole file tells.
func (p *parser) finish() Lock {
	l := Lock{Bases: make(map[string]Base, len(p.bases)), Repositories: make(map[string]Repository, len(p.repos))}
	for key, b := range p.bases {
		if b.Digest == "" || len(b.Manifests) == 0 {
			p.fail("or above it, the base %s has facts but no %s", key, missing(b))
		}
		for platform, f := range b.Facts {
			if slices.Contains(f.Layers, Layer{}) || slices.Contains(f.Shape, "") {
				p.fail("or above it, the base %s on %s lacks one of its numbered lines", key, platform)
			}
		}
		l.Bases[key] = *b
	}
	for key, r := range p.repos {
		l.Repositories[key] = p.repository(r)
	}
	return l
}

func missing(b *Base) string {
	if b.Digest == "" {
		return "index line"
	}
	return "manifest line"
}

func (p *parser) repository(r *repoLines) Repository {
	out := Repository{Releases: r.releases, Packages: make(map[string][]Package, len(r.packages))}
	for arch, lines := range r.packages {
		out.Packages[arch] = p.packages(*lines)
	}
	for _, c := range r.closures {
		all := out.Packages[c.Arch]
		c.Packages = make([]Package, 0, len(c.names))
		for _, name := range c.names {
			if k, ok := p.find(all, name, c.line); ok {
				c.Packages = append(c.Packages, k)
			}
		}
		out.Closures = append(out.Closures, c.Closure)
	}
	p.noRepeats(&out, r)
	return out
}

func (p *parser) packages(lines []packageLine) []Package {
	order := func(a, b packageLine) int { return comparePackages(a.Package, b.Package) }
	if !slices.IsSortedFunc(lines, order) {
		slices.SortStableFunc(lines, order)
	}
	out := make([]Package, 0, len(lines))
	for i := range lines {
		k := &lines[i].Package
		if n := len(out); n > 0 && out[n-1].Name == k.Name && out[n-1].Version == k.Version {
			if out[n-1] != *k {
				p.failAt(lines[i].line, "the package %s %s is said otherwise in another line, as happens when two branches are merged", k.Name, k.Version)
			}
			continue
		}
		out = append(out, *k)
	}
	return out
}

// find looks a closure's word up: a name, or "name=version" where there are
// several versions.
func (p *parser) find(all []Package, word string, line int) (Package, bool) {
	name, version, exact := strings.Cut(word, "=")
	i, ok := slices.BinarySearchFunc(all, name, func(k Package, name string) int { return strings.Compare(k.Name, name) })
	if !ok {
		p.failAt(line, "a closure names the package %s, which no line pins", clip(name))
		return Package{}, false
	}
	if !exact {
		if i+1 < len(all) && all[i+1].Name == name {
			p.failAt(line, "a closure names the package %s, which has several versions here, as happens when two branches are merged", name)
		}
		return all[i], true
	}
	for ; i < len(all) && all[i].Name == name; i++ {
		if all[i].Version == version {
			return all[i], true
		}
	}
	p.failAt(line, "a closure names the package %s %s, which no line pins", name, version)
	return Package{}, false
}

// noRepeats sorts closures and releases and refuses two answers to one
// question.
func (p *parser) noRepeats(out *Repository, r *repoLines) {
	slices.SortStableFunc(r.closures, func(a, b closureLine) int { return strings.Compare(a.key(), b.key()) })
	for i := 1; i < len(r.closures); i++ {
		a, b := r.closures[i-1], r.closures[i]
		if a.key() == b.key() && !slices.Equal(a.names, b.names) {
			p.failAt(b.line, "the closure of %s is said otherwise in line %d, as happens when two branches are merged", b.Request, a.line)
		}
	}
	out.Closures = slices.Clip(out.Closures)
	slices.SortStableFunc(out.Closures, func(a, b Closure) int { return strings.Compare(a.key(), b.key()) })
	out.Closures = slices.CompactFunc(out.Closures, func(a, b Closure) bool { return a.key() == b.key() })
	slices.SortFunc(out.Releases, func(a, b Release) int { return strings.Compare(a.Source, b.Source) })
	for i := 1; i < len(out.Releases); i++ {
		if a, b := out.Releases[i-1], out.Releases[i]; a.Source == b.Source && a != b {
			p.fail("or above it, the release %s is said twice, as happens when two branches are merged", a.Source)
		}
	}
	out.Releases = slices.Compact(out.Releases)
}
