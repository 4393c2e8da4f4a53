package pin

import (
	"maps"
	"slices"
)

func (p *parser) base(key, platform, what string, v []string) {
	b := p.bases[key]
	if b == nil {
		b = &Base{Manifests: map[string]string{}, Facts: map[string]Facts{}}
		p.bases[key] = b
	}
	n := factValues(what)
	if n == 0 {
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
	case "signature":
		place(p, &b.Signed.Signatures, v[0], Signature{Payload: v[1], Signature: v[2]})
	case "content":
		p.set(&b.Signed.Index, v[0])
	default:
		f := b.Facts[platform]
		p.fact(&f, what, v)
		b.Facts[platform] = f
	}
}

// factValues is the number of values of a fact; 0 is an unknown one.
func factValues(what string) int {
	switch what {
	case "manifest", "content", "config", "passwd", "group":
		return 1
	case "index", "user", "shape":
		return 2
	case "signature":
		return 3
	case "layer":
		return 5
	}
	return 0
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

// checkBase refuses a base of which lines are missing.
func (p *parser) checkBase(key string, b *Base) {
	if b.Digest == "" || len(b.Manifests) == 0 {
		p.fail("or above it, the base %s has facts but no %s", key, missing(b))
	}
	if slices.Contains(b.Signed.Signatures, Signature{}) {
		p.fail("or above it, the base %s lacks one of its numbered signatures", key)
	}
	for _, platform := range slices.Sorted(maps.Keys(b.Facts)) {
		f := b.Facts[platform]
		if slices.Contains(f.Layers, Layer{}) || slices.Contains(f.Shape, "") {
			p.fail("or above it, the base %s on %s lacks one of its numbered lines", key, platform)
		}
	}
}

func missing(b *Base) string {
	if b.Digest == "" {
		return "index line"
	}
	return "manifest line"
}
