package spec

import (
	"strconv"

	"github.com/specbuild/specbuild/spec/diag"
)

func quote(s string) string { return strconv.Quote(s) }

// Spec is the evaluated workspace, as far as it does not depend on a
// platform. Every collection is sorted by address.
type Spec struct {
	Root         string            // absolute folder of the workspace
	Name         string            // the workspace's name, else its folder's
	Build        Platform          // the machine that runs steps
	Files        map[string][]byte // what was read, by the name diagnostics use
	Bases        []*Base
	Contexts     []*Context
	Secrets      []*Secret
	Repositories []*Repository
	Stages       []*StageDecl
	Images       []*ImageDecl
	Waivers      []*Waiver
	Selected     []Addr // the images that the arguments asked for

	eval evaluator
}

type evaluator interface {
	at(addr Addr, target Platform) (*Body, diag.List)
}

// At evaluates the stage or image at addr for one target platform. It is
// pure and memoised; diagnostics that Load gave already are not given again.
// The body is nil if there were errors, those that Load gave included; it is
// shared and must not be changed.
func (s *Spec) At(addr Addr, target Platform) (*Body, diag.List) { return s.eval.at(addr, target) }

// Options is what Load needs beside files.
type Options struct {
	Args     []string          // files or folders; none means "."
	Dir      string            // the folder that relative arguments start from
	Vars     map[string]string // --var, as written
	VarFiles []string
	Env      func(string) (string, bool) // for SPECBUILD_VAR_*
	Build    Platform
	Version  string // this build of specbuild, for required_version
	// Partial treats a variable without a value as unknown instead of
	// reporting it: validate and editors.
	Partial bool
	// Overlay is text that is read instead of files, by absolute path: what
	// an editor has not saved yet.
	Overlay map[string][]byte
}
