package rules

import (
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

func fetchRules() []Rule {
	return []Rule{
		{
			ID: "fetch-checksum", Severity: diag.Warning, By: ByJudge, Title: "Every file that is fetched has its checksum in the spec or in the lock",
			Why: "Who controls the server, or the way to it, decides what the URL gives; without a checksum that is what gets into the image. Without a lock this is advice, with --locked an error.",
			Bad: `context "tool" {
  http {
    url = "https://example.com/tool-1.4.2"
  }
}
image "web" {
  from   = scratch
  run_as = "10001"
  copy {
    from   = context.tool
    source = "tool-1.4.2"
    to     = "/usr/bin/tool"
  }
}`,
			Good: `context "tool" {
  http {
    url    = "https://example.com/tool-1.4.2"
    sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
  }
}
image "web" {
  from   = scratch
  run_as = "10001"
  copy {
    from   = context.tool
    source = "tool-1.4.2"
    to     = "/usr/bin/tool"
  }
}`,
			Mend:    "Run `specbuild lock`, which fetches the file and writes its checksum, and commit specbuild.lock; `validate --fix` does the same for what the lock lacks. Or write the `sha256` that the publisher gives.",
			Sources: []string{"CIS-4.12", "buildx http.checksum", "KICS curl_or_wget_instead_of_add"},
			check:   unpinnedFile,
		},
		{
			ID: "git-commit-pinned", Severity: diag.Warning, By: ByJudge, Title: "Every git source is pinned to a commit, in the spec or in the lock",
			Why: "Branches move, and tags can be moved. Without a lock this is advice, with --locked an error.",
			Bad: `context "src" {
  git {
    url = "https://git.example.com/shop/web.git"
    ref = "main"
  }
}
image "web" {
  from   = scratch
  run_as = "10001"
  copy {
    from   = context.src
    source = "public"
    to     = "/srv/www"
  }
}`,
			Good: `context "src" {
  git {
    url = "https://git.example.com/shop/web.git"
    ref = "8f1d4c3b5a6e7f8091a2b3c4d5e6f70819203142"
  }
}
image "web" {
  from   = scratch
  run_as = "10001"
  copy {
    from   = context.src
    source = "public"
    to     = "/srv/www"
  }
}`,
			Mend:    "Run `specbuild lock`, which asks the server and writes the commit, and commit specbuild.lock; `validate --fix` does the same for what the lock lacks. `specbuild lock --upgrade=NAME` follows the branch when you want it.",
			Sources: []string{"CIS-4.12", "buildx git.isCommitRef", "buildx git.checksum"},
			check:   unpinnedCommit,
		},
	}
}

// fetched are the contexts that steps take from and that are no folders.
// Where there is a lock that lacks one, it is stale, which the planner says.
func (d *docket) fetched() []*spec.Context {
	if !d.unpinned() {
		return nil
	}
	used := map[spec.Addr]bool{}
	for _, inst := range d.Instances {
		for _, step := range inst.Body.Steps {
			switch t := step.(type) {
			case *spec.Copy:
				used[t.From.V] = true
			case *spec.Run:
				for _, m := range t.Mounts {
					used[m.From.V] = true
				}
			}
		}
	}
	var out []*spec.Context
	for _, c := range d.Spec.Contexts {
		if used[c.Addr] && (c.Git != nil || c.HTTP != nil) {
			out = append(out, c)
		}
	}
	return out
}

func unpinnedFile(d *docket) {
	for _, c := range d.fetched() {
		if h := c.HTTP; h != nil && !h.SHA256.Set && !h.URL.Unknown {
			d.found(c.Addr, or(h.URL.Range, h.Range), "The file has no checksum",
				"There is neither a lock nor a `sha256` for what %s fetches, so whatever the server gives is taken. Run `specbuild lock` and commit specbuild.lock, or write the checksum.", c.Addr.Local())
		}
	}
}

// unpinnedCommit looks at modules too, whose steps are run as the spec's own.
func unpinnedCommit(d *docket) {
	for _, c := range d.fetched() {
		if g := c.Git; g != nil && !g.Ref.Unknown && !isCommit(g.Ref.V) {
			d.found(c.Addr, or(g.Ref.Range, g.Range), "The commit is not pinned",
				"There is no lock with the commit of %s, so whatever %s is at that time is taken. Run `specbuild lock` and commit specbuild.lock, or name a whole commit.",
				c.Addr.Local(), refName(g.Ref.V))
		}
	}
	if !d.unpinned() {
		return
	}
	for _, m := range d.Spec.Fetched {
		if m.Source.Git != "" && !isCommit(m.Source.Ref) {
			d.found(m.Addr, m.Range, "The commit is not pinned",
				"There is no lock with the commit of the module %q, so whatever %s is at that time is taken. Run `specbuild lock` and commit specbuild.lock, or name a whole commit.",
				m.Name, refName(m.Source.Ref))
		}
	}
}

func refName(ref string) string {
	if ref == "" {
		return "the repository's HEAD"
	}
	return ref
}

// isCommit reports whether a ref is a whole commit id, by SHA-1 or SHA-256.
func isCommit(ref string) bool {
	return (len(ref) == 40 || len(ref) == 64) && strings.Trim(ref, "0123456789abcdef") == ""
}
