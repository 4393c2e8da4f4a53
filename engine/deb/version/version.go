// Package version orders versions of Debian packages as dpkg does
// (deb-version(7)): for the index, which says what may be installed, and for
// archives, whose scripts and relations ask.
package version

import "strings"

// Compare orders two versions: negative, zero or positive. What is no version
// has a place, too.
func Compare(a, b string) int {
	ea, ua, ra := split(a)
	eb, ub, rb := split(b)
	if c := comparePart(ea, eb); c != 0 {
		return c
	}
	if c := comparePart(ua, ub); c != 0 {
		return c
	}
	return comparePart(ra, rb)
}

// Satisfies reports whether a version stands in a relation to another: of
// control files (<<, <=, =, >=, >>, and < and >, which mean <= and >=) or of
// `dpkg --compare-versions` (lt, le-nl …). An unknown relation is not met.
func Satisfies(version, relation, other string) bool {
	c := Compare(version, other)
	if strings.HasSuffix(relation, "-nl") && (version == "") != (other == "") {
		c = -c // no version is later than any (dpkg(1)); it is earlier else
	}
	switch relation {
	case "<<", "lt", "lt-nl":
		return c < 0
	case "<=", "<", "le", "le-nl":
		return c <= 0
	case "=", "eq":
		return c == 0
	case ">=", ">", "ge", "ge-nl":
		return c >= 0
	case ">>", "gt", "gt-nl":
		return c > 0
	case "ne":
		return c != 0
	}
	return false
}

// split is epoch, upstream version and revision; a missing epoch or revision
// orders as "0" and as "" do, which are equal.
func split(v string) (epoch, upstream, revision string) {
	if e, rest, ok := strings.Cut(v, ":"); ok {
		epoch, v = e, rest
	}
	if i := strings.LastIndexByte(v, '-'); i >= 0 {
		return epoch, v[:i], v[i+1:]
	}
	return epoch, v, ""
}

// comparePart takes turns: a run of non-digits by character, a run of digits
// as a number. Numbers are compared as digits: real versions overflow any
// integer.
func comparePart(a, b string) int {
	for a != "" || b != "" {
		for a != "" && !digit(a[0]) || b != "" && !digit(b[0]) {
			if c := weight(a) - weight(b); c != 0 {
				return c
			}
			a, b = a[min(1, len(a)):], b[min(1, len(b)):]
		}
		var na, nb string
		na, a = number(a)
		nb, b = number(b)
		if len(na) != len(nb) {
			return len(na) - len(nb)
		}
		if c := strings.Compare(na, nb); c != 0 {
			return c
		}
	}
	return 0
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// number cuts the digits at the start, without leading zeros.
func number(s string) (digits, rest string) {
	n := 0
	for n < len(s) && digit(s[n]) {
		n++
	}
	return strings.TrimLeft(s[:n], "0"), s[n:]
}

// weight is the order of a character: a tilde before the end, the end and
// digits before letters, letters before all else.
func weight(s string) int {
	if s == "" || digit(s[0]) {
		return 0
	}
	switch c := s[0]; {
	case c == '~':
		return -1
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		return int(c)
	default:
		return int(c) + 256
	}
}
