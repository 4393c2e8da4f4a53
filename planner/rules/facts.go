// Package rules holds the built-in rules. A rule is a function of [Facts],
// plain values that the planner fills: rules open no file and ask no registry.
package rules

import (
	"time"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// Facts is all that a rule may look at.
type Facts struct {
	Spec       *spec.Spec
	Instances  []Instance       // of the images asked for, inputs before those that use them
	Bases      []Base           // that instances use, by address
	Unattested bool             // images are pushed without a bill of materials and provenance
	Locked     bool             // --locked: what is advice on a desk is an error in CI
	Unlocked   bool             // there is no lock at all; what a stale one lacks the planner reports itself
	Pending    bool             // the lock is about to be made: what it will tell is left open
	Grades     map[string]Grade // what policies say of rules, by id; also those of their own rules
	Policy     Policy           // what else policies add
	Aside      func(Aside)      // is told what a waiver or an override sets aside; may be nil
	Evidence   []Evidence       // that policies ask for, of bases
	Unasked    bool             // registries were not asked for evidence: what they would have is left open
	Plan       any              // the *planner.Plan, which rules of policies look at; nil where not everything is pinned
	Now        time.Time        // when waivers are judged; zero is the clock's now
	Scanner    Scanner          // finds credentials; nil is a secretscan.Engine
	Looked     Looked           // remembers files that hold none; may be nil
}

// Instance is a stage or image evaluated for one target, with what it
// inherits and becomes.
type Instance struct {
	ID        string // as the plan has it
	From      string // the ID of the stage or image that it is built on; "" where it is none
	Body      *spec.Body
	Platform  spec.Platform     // its own: what its steps run on
	Target    spec.Platform     // what is built for
	Inherited string            // the user that `from` hands down, "uid:gid"; "" where the lock does not know the base
	User      string            // the finished image's user as the config says it, numbers; "" is unknown or root by default
	Labels    map[string]string // of the finished image, inherited ones too; of a base that the lock does not know, none
	Healthy   bool              // a healthcheck is declared or ruled out, here or in what it is built on
	Copies    []Copied          // of every copy and bind mount from a context, in the order of steps
}

// Copied is what one copy or bind mount selects of a context. Paths are
// slash-separated, below the context's root, and sorted.
type Copied struct {
	Step      spec.Step
	Context   spec.Addr
	Files     []File
	Unmatched []Unmatched // source patterns that select nothing

	// Text gives what one of Files holds: nil of what is no text, or has more
	// than MaxText bytes. It is nil itself where contents cannot be read. Several
	// goroutines may call it.
	Text func(path string) ([]byte, error)
}

// MaxText is the most bytes of a file that rules look into.
const MaxText = 1 << 20

// File is a selected file of a context.
type File struct {
	Path    string
	Size    int64     // bytes
	Stamp   [2]uint64 // of the state that it is in; zero where that cannot be told
	Literal bool      // named as it is in `source`, which beats the built-in ignore list
	Ignored string    // the pattern of the built-in list that it beat, or ""
}

// Unmatched is a pattern of `source` that selects nothing.
type Unmatched struct {
	Pattern  string
	HiddenBy string // the list that hides what it would match: "exclude", ".dockerignore", "the built-in list", …; or ""
	Similar  string // a selected path that is close to it, or ""
}

// Base is what the lock knows of a base.
type Base struct {
	Base      *spec.Base
	Name      string              // in full, as the lock has it; a layout's is "layout:" and its folder below the root
	Pinned    bool                // its digest is in the spec or the lock
	Digest    string              // of its index, or of its manifest where there is no index; "" when the lock does not know it
	Platforms []spec.Platform     // of its index, linux only; none when the lock does not know it
	Digests   map[string]string   // of its manifests, by platform
	Configs   map[string]BaseInfo // by platform; only those that an instance uses

	Signatures []Signature // that the lock has of Digest, not verified
	Unlinked   error       // why what is built on is not known to be what Digest stands for; only where there are signatures
}

// BaseInfo is a base's configuration on one platform.
type BaseInfo struct {
	User    string // as its config says it; "" is root
	UID     int
	OnBuild []string // instructions that Dockerfile builds would run on top of it
	Env     []string
	Ports   []string
}

// Policy is what an organisation's policies add to the built-in rules.
type Policy struct {
	Rules     []Rule            // their own, which are not judged here
	Findings  []Finding         // of those rules
	Waivers   []PolicyWaiver    // set aside what is hard, too
	Overrides map[string]string // --override: a rule's id with the reason that was given
}

// PolicyWaiver is a waiver that stands in a policy.
type PolicyWaiver struct {
	*spec.Waiver
	Rank int // of the policy, as Grade.Rank has it
}

// Finding is a broken rule at an address, which is what a waiver names. The
// rule's id is the diagnostic's code.
type Finding struct {
	Addr spec.Addr
	Diag diag.Diagnostic
}

// Aside is a finding that does not count, and why.
type Aside struct {
	Finding  Finding
	Override bool       // by --override, else by a waiver
	Reason   string     // as it was given
	Owner    string     // of the waiver
	Waiver   diag.Range // its block; zero of an override
}

// unpinned reports whether there is no lock, and none about to be made.
func (f *Facts) unpinned() bool { return f.Unlocked && !f.Pending }
