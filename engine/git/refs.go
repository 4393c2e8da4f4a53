package git

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// RefError is a ref that a repository does not have, or has twice.
type RefError struct {
	URL    string
	Ref    string
	Names  []string // branches and tags that there are, without "refs/heads/"
	Reason string
}

// Error says what is wrong with the ref.
func (e *RefError) Error() string { return fmt.Sprintf("%s %s", Mask(e.URL), e.Reason) }

// IsCommit reports whether a ref is a whole commit id, which needs no
// resolving: 40 hexadecimal digits, or 64 in repositories of SHA-256.
func IsCommit(ref string) bool {
	if len(ref) != 40 && len(ref) != 64 {
		return false
	}
	return strings.Trim(ref, "0123456789abcdef") == ""
}

// Resolve asks a server which commit a branch, a tag or HEAD (an empty ref) is
// now. Nothing is fetched.
func (c *Client) Resolve(ctx context.Context, url, ref string) (commit string, err error) {
	if IsCommit(ref) {
		return ref, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.opt.Timeout, errTimeout)
	defer cancel()
	out, err := c.run(ctx, url, "list the refs of", "ls-remote", "--quiet", "--", url)
	if err != nil {
		return "", err
	}
	refs := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if id, name, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok && IsCommit(id) {
			refs[name] = id
		}
	}
	return pick(refs, url, ref)
}

// pick finds a ref by the names that git gives it. A branch and a tag of one
// name that differ are an error: git itself prefers one here and the other
// there.
func pick(refs map[string]string, url, ref string) (string, error) {
	if ref == "" {
		ref = "HEAD"
	}
	peeled := func(name string) string { // a tag with a message points to the tag, and its peeled form to the commit
		if id, ok := refs[name+"^{}"]; ok {
			return id
		}
		return refs[name]
	}
	tag, branch := peeled("refs/tags/"+ref), peeled("refs/heads/"+ref)
	switch {
	case peeled(ref) != "":
		return peeled(ref), nil
	case tag != "" && branch != "" && tag != branch:
		return "", &RefError{URL: url, Ref: ref, Reason: fmt.Sprintf("has a branch and a tag %q; write refs/heads/%s or refs/tags/%s", ref, ref, ref)}
	case tag != "":
		return tag, nil
	case branch != "":
		return branch, nil
	}
	e := &RefError{URL: url, Ref: ref, Reason: fmt.Sprintf("has no branch or tag %q", ref)}
	if ref == "HEAD" {
		e.Reason = "has no HEAD: it is empty, or its branch is gone; name a `ref`"
	}
	for name := range refs {
		for _, kind := range []string{"refs/heads/", "refs/tags/"} {
			if short, ok := strings.CutPrefix(name, kind); ok && !strings.HasSuffix(short, "^{}") {
				e.Names = append(e.Names, short)
			}
		}
	}
	slices.Sort(e.Names)
	e.Names = slices.Compact(e.Names)
	return "", e
}
