package pin

import (
	"cmp"
	"slices"
)

// Change is one difference of two locks. Old or New is empty for what is
// added or gone.
type Change struct {
	What string `json:"what"`          // "base docker.io/library/debian:12 linux/amd64", "package deb:trixie:main amd64 nginx"
	Old  string `json:"old,omitempty"` // a digest or a version
	New  string `json:"new,omitempty"`
}

// String is one line for people.
func (c Change) String() string {
	switch {
	case c.Old == "":
		return "+ " + c.What + " " + c.New
	case c.New == "":
		return "- " + c.What + " " + c.Old
	default:
		return "~ " + c.What + " " + c.Old + " -> " + c.New
	}
}

// Diff lists what differs for people: digests of bases, versions of packages,
// closures by what was asked. It is sorted.
func Diff(old, now Lock) []Change {
	a, b := old.summary(), now.summary()
	var out []Change
	for what, v := range a {
		if b[what] != v {
			out = append(out, Change{What: what, Old: v, New: b[what]})
		}
	}
	for what, v := range b {
		if _, ok := a[what]; !ok {
			out = append(out, Change{What: what, New: v})
		}
	}
	slices.SortFunc(out, func(x, y Change) int { return cmp.Compare(x.What, y.What) })
	return out
}

func (l Lock) summary() map[string]string {
	out := map[string]string{}
	for key, b := range l.Bases {
		out[kindBase+" "+key] = b.Digest
		if len(b.Signed.Signatures) > 0 {
			out[kindBase+" "+key+" signed"] = b.Signed.fingerprints()
		}
		for p := range b.Facts {
			out[kindBase+" "+key+" "+p] = b.Manifests[p]
		}
	}
	for key, r := range l.Repositories {
		for arch, ps := range r.Packages {
			for _, p := range ps {
				what := kindPackage + " " + key + " " + arch + " " + p.Name
				if have := out[what]; have != "" {
					out[what] = have + ", " + p.Version
				} else {
					out[what] = p.Version
				}
			}
		}
		for _, c := range r.Closures {
			out[kindClosure+" "+key+" "+c.Arch+" "+c.Request.String()+" over "+joinRequests(c.Below)] = packageCount(len(c.Packages))
		}
	}
	l.summarizeRemotes(out)
	return out
}
