package dockerfile

import (
	"slices"
	"strings"
	"time"
)

// A Dockerfile may do what the rules refuse: its image runs as root, or stands
// on a tag that moves on. It did so until today, and what becomes of it is not
// the import's to decide. So the rule is set aside for a while, with a comment
// that says what to do instead.

// grace is how long the waivers of an import hold: time to decide, not to
// forget.
const grace = 90 * 24 * time.Hour

// waive writes the waivers that the spec needs to pass the built-in rules.
func (im *importer) waive() {
	for _, b := range im.bases {
		if _, tag := splitImage(b.image.now()); movesOn(tag) {
			im.waiver(b.line, "base-no-floating-tag", "base."+b.name, "the Dockerfile names no version",
				"the tag "+tag+" is another image after each release: name a version, and take this out")
		}
	}
	for _, st := range im.stages {
		base := st.from.known.user
		said := st.hasUser && len(st.user) > 0
		switch {
		case !st.image:
		case said && st.runsAsRoot(), !said && base == "0":
			im.waiver(st.line, "final-user-non-root", st.addr(), "its Dockerfile runs it as root",
				"the image runs as root: say another run_as, and take this out")
		case !said && base == "":
			im.waiver(st.line, "final-user-non-root", st.addr(), "its Dockerfile leaves the user to the base",
				"the image runs as its base says, which may be root: say run_as, and take this out")
		}
	}
}

func (im *importer) waiver(line int, rule, address, reason, todo string) {
	if im.opts.Today.IsZero() {
		return
	}
	b := &block{name: "waiver", line: line, comments: []string{im.todo(line, "%s", todo)}}
	b.setNeeded("rule", quote(rule))
	b.setNeeded("address", quote(address))
	b.setNeeded("reason", quote(reason))
	b.setNeeded("owner", quote("whoever imported it"))
	b.setNeeded("expires", quote(im.opts.Today.UTC().Add(grace).Format(time.DateOnly)))
	im.waivers = append(im.waivers, b)
}

// movesOn reports whether a tag is moved to each new release, by the words that
// the rule base-no-floating-tag knows.
func movesOn(tag string) bool {
	first, rest, _ := strings.Cut(strings.ToLower(tag), "-")
	words := strings.Fields("canary current dev devel develop edge head latest main mainline master next nightly rolling snapshot stable testing tip unstable")
	return first == "latest" || slices.Contains(words, first) && !strings.ContainsAny(rest, "0123456789")
}
