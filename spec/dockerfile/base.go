package dockerfile

import (
	"path"
	"slices"
	"strings"
)

// FROM names a stage before, an image, or an expression over either. A spec
// tells them apart: stages are references, and each image is one base block
// whose name is written out, since a spec is read without Docker's defaults.

// base is an image that stages are built on or copy from.
type base struct {
	name     string
	image    text
	comments []string
	line     int
}

// base is the block of an image; the same image is one block.
func (im *importer) base(name text, line int) *base {
	name = im.fullName(name, line)
	for _, b := range im.bases {
		if b.image.equal(name) {
			return b
		}
	}
	repo, tag := splitImage(name.now())
	wish := path.Base(repo)
	if im.names["base "+wish] && tag != "" {
		wish += "-" + tag
	}
	b := &base{name: im.unique("base", wish, "-"), image: name, line: line}
	im.bases = append(im.bases, b)
	return b
}

// choice is FROM base-${TARGETARCH}: stages of which an expression picks one.
func (im *importer) choice(name text, before int) (string, *stage) {
	at := slices.IndexFunc(name, func(p part) bool { return p.expr != "" })
	head, headOK := name[:at].constant()
	tail, tailOK := name[at+1:].constant()
	if !headOK || !tailOK {
		return "", nil
	}
	var entries []string
	var some *stage
	for _, st := range im.stages[:before] {
		mid, ok := strings.CutPrefix(st.src.Name, strings.ToLower(head))
		if !ok || st.src.Name == "" {
			continue
		}
		if mid, ok = strings.CutSuffix(mid, strings.ToLower(tail)); !ok || mid == "" {
			continue
		}
		entries = append(entries, key(mid)+" = "+st.addr())
		if some == nil || mid == name[at].now {
			some = st
		}
	}
	// A name that is all expression is a stage's only if it is one by default.
	whole := head+tail == "" && im.find(name.now(), before, false) == nil
	if len(entries) == 0 || whole {
		return "", nil
	}
	return "{ " + strings.Join(entries, ", ") + " }[" + name[at].expr + "]", some
}

// claimBase gives a base the comments of the stage that is only its name.
func (im *importer) claimBase(st *stage) {
	for _, b := range im.bases {
		if "base."+b.name == st.alias {
			b.comments = append(b.comments, st.block.comments...)
		}
	}
}

// fullName writes Docker's own registry and the tag out. Where the name is one
// variable, both go into its default.
func (im *importer) fullName(name text, line int) text {
	if len(name) == 1 && name[0].expr != "" {
		for _, v := range im.variables {
			if s, ok := v.value.constant(); ok && name[0].expr == "var."+v.name && s != "" {
				v.value = im.fullName(literal(s), line)
				name[0].now = v.value.now()
			}
		}
		return name
	}
	now := name.now()
	first, _, several := strings.Cut(now, "/")
	if name[0].expr == "" {
		switch {
		case !several:
			name = literal("docker.io/library/").with(name...)
		case !strings.ContainsAny(first, ".:") && first != "localhost":
			name = literal("docker.io/").with(name...)
		}
	}
	if _, tag := splitImage(now); tag == "" {
		im.note(line, Changed, "FROM %s has no tag; it is written as latest, which is better said as a version.", now)
		name = name.with(part{lit: ":latest"})
	}
	return name
}

// splitImage takes a name apart; the tag may be a digest.
func splitImage(name string) (repo, tag string) {
	if repo, digest, ok := strings.Cut(name, "@"); ok {
		r, _ := splitImage(repo)
		return r, digest
	}
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		return name[:i], name[i+1:]
	}
	return name, ""
}

// platform is the stage's own, as an expression; empty is that of what uses
// it. A stage on another is for the same platform, whatever its FROM says.
func (st *stage) platform() string {
	if p := st.from.parent; p != nil && p.native != "" && !st.image {
		return p.native
	}
	if st.src.Platform == "" {
		return ""
	}
	im := st.im
	get := func(name string) (text, bool) {
		if v, ok := im.global.get(name); ok {
			return v, ok
		}
		return im.platformArg(name)
	}
	t, err := newExpander(im.escape, get).expand(st.src.Platform)
	expr := t.hcl()
	switch {
	case err != nil || len(t) == 0:
		im.note(st.line, Dropped, "FROM --platform=%s says nothing that can be worked out.", st.src.Platform)
		return ""
	case expr == "target.platform":
		return ""
	case st.image && !isConstant(t):
		im.note(st.line, Changed, "FROM --platform=%s: an image is built for its `platforms`, so this one is too.", st.src.Platform)
		return ""
	}
	return expr
}

func isConstant(t text) bool {
	_, ok := t.constant()
	return ok
}
