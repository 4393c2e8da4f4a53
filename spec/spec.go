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
	Selected     []Addr // the images, and stages where one was named, that the arguments asked for
	// Folders are the modules by Addr.Module with their folders, below the
	// root and slash-separated; of one that was fetched, source//folder.
	Folders map[string]string
	// Calls are the headers of the blocks that call modules, by the Addr.Module
	// of what they call.
	Calls map[string]diag.Range
	// Fetched are the calls of modules from outside the workspace, in the order
	// they were met.
	Fetched []FetchedModule
	// BuildPlatforms are the machines that build; empty where the workspace
	// does not say.
	BuildPlatforms []Platform
	// Policies are where the workspace's policies are, in its order.
	Policies []PolicySource
	// Whole is true if everything of the workspace was asked for, so that what
	// the lock holds besides is used by nobody.
	Whole bool

	eval evaluator
}

type evaluator interface {
	at(addr Addr, target Platform) (*Body, diag.List)
	evaluate(module, text string, target Platform) (string, diag.List)
	roots() []string
	symbols(file string) []Symbol
	written(header diag.Range) (Written, bool)
}

// At evaluates the stage or image at addr for one target platform. It is
// pure and memoised; diagnostics that Load gave already are not given again.
// The body is nil if there were errors, those that Load gave included; it is
// shared and must not be changed.
func (s *Spec) At(addr Addr, target Platform) (*Body, diag.List) { return s.eval.at(addr, target) }

// Options is what Load needs beside files.
type Options struct {
	// Args are files, folders, folder/... for all below, patterns of folders,
	// and addresses, //services/*:image.web; none means ".".
	Args []string
	// Targets narrow Args to some images and stages, by address: "image.web",
	// "stage.build", "//services/web:image.*".
	Targets  []string
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
	// Top is an absolute folder above which no workspace is looked for, such
	// as a tree that was checked out for a moment; empty for the usual border.
	Top     string
	Modules Modules // for modules that are fetched; nil where none can be
	// Network is told what the workspace says of the network, before anything
	// is fetched; what it finds wrong is reported. It may be nil.
	Network func(Network) diag.List
}
