package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Request is a commit to fetch.
type Request struct {
	URL    string
	Ref    string // that had the commit when it was pinned, for servers that give commits by name only; "" is HEAD
	Commit string // the whole id
	Dir    string // a folder for the repository's objects; empty at first, and used again for other commits of one URL
}

// CommitError is a commit that a repository does not have any more.
type CommitError struct{ URL, Commit string }

// Error names the commit.
func (e *CommitError) Error() string {
	return fmt.Sprintf("%s has no commit %s; a branch was rewritten, or a tag moved", Mask(e.URL), e.Commit)
}

// Fetch brings a commit and its files into r.Dir, which the caller has locked:
// the commit alone where the server gives commits by id, else what its ref
// points to, else all branches and tags.
func (c *Client) Fetch(ctx context.Context, r Request) error {
	if !IsCommit(r.Commit) {
		return fmt.Errorf("fetch %s: %q is no commit", Mask(r.URL), r.Commit)
	}
	if err := c.prepare(ctx, r); err != nil {
		return err
	}
	if c.has(ctx, r) {
		return nil
	}
	err := c.fetch(ctx, r, "--depth=1", r.Commit+":refs/specbuild/commits/"+r.Commit)
	if err != nil && !refused(err) {
		return err // the next question would be answered alike
	}
	if err == nil && c.has(ctx, r) {
		return nil
	}
	ref := r.Ref
	if ref == "" || IsCommit(ref) {
		ref = "HEAD"
	}
	if err := c.fetch(ctx, r, "--depth=1", "+"+ref+":refs/specbuild/ref"); err != nil && !refused(err) {
		return err
	}
	if c.has(ctx, r) {
		return nil
	}
	if err := c.fetch(ctx, r, "--depth=2147483647", "+refs/heads/*:refs/specbuild/heads/*", "+refs/tags/*:refs/specbuild/tags/*"); err != nil {
		return err
	}
	if !c.has(ctx, r) {
		return &CommitError{r.URL, r.Commit}
	}
	return nil
}

// prepare makes the repository, or mends one whose fetch was killed: git's lock
// files outlive it. Nobody else is here, as the caller holds the folder.
func (c *Client) prepare(ctx context.Context, r Request) error {
	if _, err := os.Stat(filepath.Join(r.Dir, "HEAD")); err == nil {
		for _, pattern := range []string{"*.lock", "objects/pack/tmp_*", "refs/specbuild/*.lock", "refs/specbuild/*/*.lock"} {
			left, err := filepath.Glob(filepath.Join(r.Dir, pattern))
			if err != nil {
				return err
			}
			for _, name := range left {
				if err := os.Remove(name); err != nil {
					return fmt.Errorf("remove what a killed fetch left: %w", err)
				}
			}
		}
		return nil
	}
	format := "sha1"
	if len(r.Commit) == 64 {
		format = "sha256"
	}
	_, err := c.run(ctx, "", "make a folder for", "init", "--quiet", "--bare", "--template=", "--object-format="+format, "--", r.Dir)
	return err
}

func (c *Client) fetch(ctx context.Context, r Request, depth string, refspecs ...string) error {
	args := append([]string{
		"--git-dir=" + r.Dir, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance",
		"--update-shallow", depth, "--", r.URL,
	}, refspecs...)
	_, err := c.run(ctx, r.URL, "fetch from", args...)
	return err
}

func (c *Client) has(ctx context.Context, r Request) bool {
	_, err := c.run(ctx, "", "look into", "--git-dir="+r.Dir, "cat-file", "-e", r.Commit+"^{commit}")
	return err == nil
}

// refused reports whether a server was reached and would not give this: it may
// have it under another name.
func refused(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	for _, says := range []string{"not our ref", "unadvertised object", "couldn't find remote ref", "could not find remote ref", "no such remote ref", "Server does not allow request"} {
		if strings.Contains(e.Reason, says) {
			return true
		}
	}
	return false
}
