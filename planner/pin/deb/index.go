package deb

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Package is a package of an archive: what the lock keeps of it, and the
// relations that resolving needs, as written in the index.
type Package struct {
	Name, Version, Arch string
	Source              string // "debian", "debian-security" or an archive's URL
	Path                string // below the archive's root
	Size                int64  // of the .deb, bytes
	SHA256              string // hexadecimal
	InstalledSize       int64  // KiB, as the archive states it

	Priority, MultiArch                                          string
	Essential                                                    bool
	PreDepends, Depends, Recommends, Conflicts, Breaks, Provides string
}

// indexFields are the fields kept of a stanza, in the order of a cached
// index's lines.
var indexFields = [...]string{
	"Package", "Version", "Architecture", "Filename", "Size", "SHA256", "Installed-Size", "Priority",
	"Multi-Arch", "Essential", "Pre-Depends", "Depends", "Recommends", "Conflicts", "Breaks", "Provides",
}

// trim keeps of a Packages file the fields that are used, a line each, so
// that a later load only cuts lines: 57 MB become 20.
func trim(packages string) string {
	var out strings.Builder
	out.Grow(len(packages) / 2)
	var values [len(indexFields)]string
	flush := func() {
		if values[0] == "" {
			return
		}
		for i, v := range values {
			out.WriteString(v)
			out.WriteByte('\n')
			values[i] = ""
		}
	}
	for line := range strings.Lines(packages) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			flush()
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || line[0] == ' ' {
			continue // none of the fields is folded in Debian's indexes
		}
		if i := slices.Index(indexFields[:], name); i >= 0 {
			values[i] = strings.TrimSpace(value)
		}
	}
	flush()
	return out.String()
}

var errIndex = errors.New("malformed index")

// parseTrimmed reads what trim wrote.
func parseTrimmed(text, source string) ([]Package, error) {
	n := strings.Count(text, "\n")
	if n%len(indexFields) != 0 {
		return nil, errIndex
	}
	out := make([]Package, n/len(indexFields))
	var f [len(indexFields)]string
	for i := range out {
		for j := range f {
			f[j], text, _ = strings.Cut(text, "\n")
		}
		size, err := strconv.ParseInt(f[4], 10, 64)
		if err != nil || size <= 0 || len(f[5]) != 64 || f[3] == "" || f[1] == "" {
			return nil, fmt.Errorf("%w: package %q", errIndex, f[0])
		}
		installed, _ := strconv.ParseInt(f[6], 10, 64) // optional in the format
		out[i] = Package{
			Name: f[0], Version: f[1], Arch: f[2], Source: source, Path: f[3], Size: size, SHA256: f[5],
			InstalledSize: installed, Priority: f[7], MultiArch: f[8], Essential: f[9] == "yes",
			PreDepends: f[10], Depends: f[11], Recommends: f[12], Conflicts: f[13], Breaks: f[14], Provides: f[15],
		}
	}
	return out, nil
}

func compress(text string) ([]byte, error) {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil, err
	}
	return w.EncodeAll([]byte(text), nil), w.Close()
}

func decompress(raw []byte) (string, error) {
	r, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxIndexSize))
	if err != nil {
		return "", err
	}
	defer r.Close()
	out, err := r.DecodeAll(raw, nil)
	return string(out), err
}

// Index is all packages of an archive for one architecture. It is not
// changed after New, and may be used by several goroutines.
type Index struct {
	arch     string
	versions map[string][]*Package // by name, best first
	provides func() map[string][]provider
}

type provider struct {
	pkg     *Package
	version string // empty for an unversioned Provides
}

// NewIndex orders packages of one architecture ("amd64") and of "all". Of
// equal versions the one that comes first stays first.
func NewIndex(arch string, packages []Package) *Index {
	x := &Index{arch: arch, versions: make(map[string][]*Package, len(packages))}
	for i := range packages {
		p := &packages[i]
		if p.Arch == arch || p.Arch == "all" {
			x.versions[p.Name] = append(x.versions[p.Name], p)
		}
	}
	for _, list := range x.versions {
		if len(list) > 1 {
			slices.SortStableFunc(list, func(a, b *Package) int { return CompareVersions(b.Version, a.Version) })
		}
	}
	x.provides = sync.OnceValue(x.findProviders)
	return x
}

// findProviders looks at the best version of each name only, as resolving
// does; the solver checks that one is still chosen when another is pinned.
func (x *Index) findProviders() map[string][]provider {
	out := map[string][]provider{}
	for _, name := range slices.Sorted(maps.Keys(x.versions)) {
		for _, p := range x.versions[name] {
			for _, group := range parseRelations(p.Provides) {
				for _, r := range group {
					out[r.name] = append(out[r.name], provider{p, r.version})
				}
			}
		}
	}
	for _, list := range out {
		// Not file order: a mirror's way of listing must decide nothing.
		slices.SortStableFunc(list, func(a, b provider) int {
			return cmp.Or(boolFirst(a.pkg.Essential, b.pkg.Essential),
				cmp.Compare(rank(a.pkg.Priority), rank(b.pkg.Priority)), cmp.Compare(a.pkg.Name, b.pkg.Name))
		})
	}
	return out
}

func boolFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

func rank(priority string) int {
	i := slices.Index([]string{"required", "important", "standard", "optional", "extra"}, priority)
	if i < 0 {
		return 5
	}
	return i
}

// relation is one alternative of a dependency: "name:arch (op version)".
type relation struct{ name, arch, op, version string }

// String is the relation as deb822 writes it.
func (r relation) String() string {
	s := r.name
	if r.arch != "" {
		s += ":" + r.arch
	}
	if r.op != "" {
		s += " (" + r.op + " " + r.version + ")"
	}
	return s
}

// parseRelations reads "a | b (>= 1), c": groups, each of alternatives.
func parseRelations(s string) [][]relation {
	if s == "" {
		return nil
	}
	var out [][]relation
	for group := range strings.SplitSeq(s, ",") {
		var alts []relation
		for alt := range strings.SplitSeq(group, "|") {
			name, rest, _ := strings.Cut(strings.TrimSpace(alt), "(")
			var r relation
			r.name, r.arch, _ = strings.Cut(strings.TrimSpace(name), ":")
			cond := strings.TrimSpace(strings.TrimRight(strings.TrimSpace(rest), ")"))
			r.version = strings.TrimLeft(cond, "<>= ")
			r.op = strings.TrimSpace(cond[:len(cond)-len(r.version)])
			if r.name != "" {
				alts = append(alts, r)
			}
		}
		if len(alts) > 0 {
			out = append(out, alts)
		}
	}
	return out
}

// allows reports whether a version meets the relation's.
func (r relation) allows(version string) bool {
	if r.op == "" {
		return true
	}
	if version == "" {
		return false // an unversioned Provides meets no versioned relation
	}
	c := CompareVersions(version, r.version)
	switch r.op {
	case "<<":
		return c < 0
	case "<=", "<":
		return c <= 0
	case "=":
		return c == 0
	case ">=", ">":
		return c >= 0
	case ">>":
		return c > 0
	}
	return false
}
