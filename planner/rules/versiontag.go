package rules

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// VersionTags are those of tags that may be the version of what a tag that
// moves on stands for now, the likeliest first: with the variant of the moving
// one ("latest-alpine", "stable-slim") before others, then those that say more
// of a version before those that say less ("1.27.4" before "1.27"), then the
// newest. A moving tag is none of them, and what says no number neither.
//
// A version that the image itself says, "1.27.4" or "v1.27.4", is asked for
// as a tag by giving it as one of tags.
func VersionTags(moving string, tags []string) []string {
	variant := variantOf(moving)
	var found []versionTag
	for _, tag := range tags {
		if v, ok := readVersion(tag); ok && !isFloating(tag) && tag != moving {
			v.fits = v.variant == variant
			found = append(found, v)
		}
	}
	slices.SortStableFunc(found, func(a, b versionTag) int {
		return cmp.Or(
			-compareBool(a.fits, b.fits), -cmp.Compare(len(a.numbers), len(b.numbers)), -slices.Compare(a.numbers, b.numbers),
			cmp.Compare(len(a.tag), len(b.tag)), cmp.Compare(a.tag, b.tag),
		)
	})
	var out []string
	for _, v := range found {
		if !slices.Contains(out[max(0, len(out)-1):], v.tag) {
			out = append(out, v.tag)
		}
	}
	return out
}

// TagsOfVersion are the tags that an image which says its version may have,
// beside a tag that moves on: with and without a v in front, and with the
// variant of the moving one.
func TagsOfVersion(moving, version string) []string {
	bare := strings.TrimPrefix(version, "v")
	out := []string{version, bare, "v" + bare}
	if variant := variantOf(moving); variant != "" {
		out = append([]string{version + "-" + variant, bare + "-" + variant, "v" + bare + "-" + variant}, out...)
	}
	return out
}

// variantOf is what a moving tag says besides that it moves: "slim".
func variantOf(moving string) string {
	_, variant, _ := strings.Cut(moving, "-")
	return variant
}

// versionTag is a tag taken apart: v1.27.4-alpine.
type versionTag struct {
	tag, variant string
	numbers      []int
	fits         bool // the variant is that of the moving tag
}

// versionForm also reads 2026.01.15, and trixie-20260112: a name in front of a
// date counts for nothing.
var versionForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:v|[a-z]+-)?([0-9]{1,9}(?:\.[0-9]{1,9}){0,4})(?:-([A-Za-z0-9_.-]+))?$`)
})

func readVersion(tag string) (versionTag, bool) {
	m := versionForm().FindStringSubmatch(tag)
	if m == nil {
		return versionTag{}, false
	}
	out := versionTag{tag: tag, variant: m[2]}
	for n := range strings.SplitSeq(m[1], ".") {
		i, err := strconv.Atoi(n)
		if err != nil {
			return versionTag{}, false
		}
		out.numbers = append(out.numbers, i)
	}
	return out, true
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
