// Package spec is the typed language: it reads specs, evaluates them to
// constants with ranges, and keeps hcl and cty to itself.
package spec

import (
	"strings"
	"time"

	"github.com/specbuild/specbuild/spec/diag"
)

// Attr is the value of an attribute with the place that set it. Set is false
// for an attribute that was not written (or was null); V is then the zero
// value or the language's default. Unknown is true for one that was written
// but has no value: it depends on a target that is not chosen or on a variable
// without a value (Options.Partial), or it was wrong and was reported.
type Attr[T any] struct {
	V       T
	Range   diag.Range
	Set     bool
	Unknown bool
}

// Platform is a normalised OCI platform: linux/arm64/v8 is linux/arm64.
type Platform struct {
	OS, Arch, Variant string
}

// String is os/arch or os/arch/variant; empty for the zero Platform.
func (p Platform) String() string {
	if p.OS == "" {
		return ""
	}
	if p.Variant != "" {
		return p.OS + "/" + p.Arch + "/" + p.Variant
	}
	return p.OS + "/" + p.Arch
}

// Kind is what a reference can point at.
type Kind string

// The kinds of things that have an address. Scratch has no name. A module is
// called, and no expression can hold one.
const (
	KindScratch    Kind = "scratch"
	KindBase       Kind = "base"
	KindContext    Kind = "context"
	KindSecret     Kind = "secret"
	KindRepository Kind = "repository"
	KindStage      Kind = "stage"
	KindImage      Kind = "image"
	KindModule     Kind = "module"
)

// Addr names one declaration of the workspace. It is comparable and is the
// key under which everything is found.
type Addr struct {
	// Module is the folder below the workspace's root, "//services/web" or
	// "//"; for a module that another calls, with the way there,
	// `//services/web:module.svc["eu"]`; "workspace" for specbuild.hcl.
	Module string
	Kind   Kind
	Name   string // "default" for the module's own folder as a context
	Key    string // the for_each key, or empty
}

// String is "//services/web:image.web" or, with a key, `…:stage.build["eu"]`.
func (a Addr) String() string {
	switch {
	case a.Kind == KindScratch:
		return "scratch"
	case a.Module == workspaceModule || strings.Contains(a.Module, ":"):
		return a.Module + "." + a.Local()
	}
	return a.Module + ":" + a.Local()
}

// Local is the address within its module: "image.web".
func (a Addr) Local() string {
	if a.Kind == KindScratch {
		return "scratch"
	}
	s := string(a.Kind) + "." + a.Name
	if a.Key != "" {
		s += "[" + quote(a.Key) + "]"
	}
	return s
}

// Base is an image that others build on, or an OCI layout on disk.
type Base struct {
	Addr   Addr
	Range  diag.Range
	Image  Attr[string] // a name with a tag or digest
	Digest Attr[string] // "sha256:…", pinned in the spec
	Layout Attr[string] // absolute folder of an OCI layout on this machine
}

// Context is files that can be copied: those of a folder, of a commit, or
// what a URL gives. One of Path, Git and HTTP says which.
type Context struct {
	Addr    Addr
	Range   diag.Range
	Git     *Git
	HTTP    *HTTP
	Path    Attr[string] // below the workspace's root, slash-separated, "." for the root itself
	Dir     string       // the same, absolute on this machine
	Include Attr[[]string]
	Exclude Attr[[]string]
}

// Git is a commit of a repository as a context. A Ref that is not a whole
// commit id is pinned by the lock.
type Git struct {
	Range diag.Range
	URL   Attr[string]
	Ref   Attr[string] // a branch, a tag or 40 hexadecimal digits; default: the repository's HEAD
}

// HTTP is a file that is fetched, as a context. Without SHA256 the lock pins
// what the URL gave.
type HTTP struct {
	Range  diag.Range
	URL    Attr[string]
	SHA256 Attr[string] // 64 hexadecimal digits
	Unpack bool         // the context is what the archive holds, not the archive
}

// Secret is where a secret's bytes come from when a step is about to run.
type Secret struct {
	Addr     Addr
	Range    diag.Range
	Env      Attr[string]
	File     Attr[string] // absolute, or as written with "~/"
	Command  Attr[[]string]
	SSH      Attr[bool]
	Optional bool
}

// Repository is a package archive.
type Repository struct {
	Addr       Addr
	Range      diag.Range
	Type       Attr[string] // "deb"
	Suite      Attr[string]
	Components Attr[[]string]
	Snapshot   Attr[string]
	Sources    []RepositorySource
}

// RepositorySource is an archive that is not the distribution's own.
type RepositorySource struct {
	Range      diag.Range
	URL        Attr[string]
	Suites     Attr[[]string]
	Components Attr[[]string]
	SignedBy   Attr[string] // the armoured or binary key's bytes, as given by file()
}

// ImageDecl is what of an image does not depend on a platform.
type ImageDecl struct {
	Addr      Addr
	Range     diag.Range // of the block's header
	Platforms Attr[[]Platform]
	Tags      Attr[[]string]
}

// StageDecl is a stage by name.
type StageDecl struct {
	Addr  Addr
	Range diag.Range
}

// Waiver sets aside a rule at an address, for a reason, by an owner, until a day.
type Waiver struct {
	Range   diag.Range
	Rule    Attr[string]
	Address Attr[string] // "image.web" or "//services/web:image.web"
	Reason  Attr[string]
	Owner   Attr[string]
	Expires Attr[time.Time] // midnight UTC at the end of the day given
}

// Body is a stage or an image evaluated for one target: constants with
// ranges and references, and nothing of hcl.
type Body struct {
	Addr        Addr
	Range       diag.Range // of the block's header
	From        Attr[Addr] // scratch, base, stage or image
	Platform    Attr[Platform]
	Workdir     Attr[string]
	Env         []EnvVar // sorted by name
	PathPrepend Attr[[]string]
	Shell       Attr[[]string] // default /bin/sh -eu -c
	Seal        Attr[[]string] // what those built on it may not set: "run_as", "env.NAME"
	Steps       []Step         // in order, those with when = false left out
	Image       *ImageBody     // nil for a stage
	// Incomplete names attributes, of the body or of a step, that have no
	// whole value: maps are without the elements that are not known.
	Incomplete []string
}

// EnvVar is one variable of an env map; Unset is a null: it is removed.
type EnvVar struct {
	Name, Value string
	Unset       bool
	Range       diag.Range
}

// ImageBody is what an image has beyond a stage.
type ImageBody struct {
	RunAs       Attr[string]
	Entrypoint  Attr[[]string]
	Cmd         Attr[[]string]
	Expose      Attr[[]Port]
	Volumes     Attr[[]string]
	Labels      []EnvVar
	Annotations []EnvVar
	Stamp       []EnvVar
	StopSignal  Attr[string]
	Healthcheck *Healthcheck
	UnsetEnv    Attr[[]string]
	UnsetLabels Attr[[]string]
	Tests       []Test
	Budget      *Budget
}

// Port is an exposed port, 1 to 65535.
type Port struct {
	Number   int
	Protocol string // "tcp", "udp" or "sctp"
}

// Healthcheck is a command that tells whether a container is well.
type Healthcheck struct {
	Range                          diag.Range
	None                           bool
	Command                        []string
	Interval, Timeout, StartPeriod time.Duration
	Retries                        int
}

// Budget limits an image, per platform; zero means no limit.
type Budget struct {
	Range  diag.Range
	Size   Attr[int64] // bytes of all layers, uncompressed
	Layers Attr[int]
}

// Test is a check of the finished image.
type Test struct {
	Name    string
	Range   diag.Range
	Command Attr[[]string]
	Env     []EnvVar
	User    Attr[string]
	Workdir Attr[string]
	Timeout Attr[time.Duration]
	Expect  Expect
	Files   []TestFile
	Absent  Attr[[]string]
}

// Expect is what a test's command must do.
type Expect struct {
	ExitCode       int
	StdoutContains []string
	StdoutMatches  []string // RE2
	StderrContains []string
	StderrMatches  []string
}

// TestFile is a file that must be there.
type TestFile struct {
	Path     string
	Range    diag.Range
	Mode     Attr[uint32]
	Owner    Attr[string] // "uid:gid"
	Contains Attr[string]
}

// Step is one block of a stage or image that makes a layer: *Copy, *Run,
// *Packages, *File, *Directory, *Symlink, *User or *Group.
type Step interface{ Where() diag.Range }

// Copy takes files of a context, stage, image or base.
type Copy struct {
	Range   diag.Range
	From    Attr[Addr]     // default: the module's context.default
	Source  Attr[[]string] // default in stages: everything
	To      Attr[string]
	Exclude Attr[[]string]
	Owner   Attr[string]
	Mode    Attr[uint32]
	Parents bool
	Unpack  bool
}

// Run runs a command in a sandbox.
type Run struct {
	Range       diag.Range
	Command     Attr[[]string] // or Script
	Script      Attr[string]
	Env         []EnvVar
	PathPrepend Attr[[]string]
	Workdir     Attr[string]
	User        Attr[string]
	Network     Attr[string] // "none", "outbound" or "host"
	Mounts      []Mount      // the cache shorthand included, in order
	Outputs     Attr[[]string]
	Timeout     Attr[time.Duration]
	Hosts       []EnvVar // name → address
	Resources   Resources
}

// Mount is one mount of a run; Type says which fields count.
type Mount struct {
	Range    diag.Range
	Type     string // "cache", "bind", "tmpfs", "secret" or "ssh"
	Target   Attr[string]
	ID       Attr[string]   // cache
	Sharing  Attr[string]   // cache: "shared", "locked" or "private"
	From     Attr[Addr]     // bind, cache
	Source   Attr[[]string] // bind, cache
	MaxSize  Attr[int64]    // cache, bytes
	Size     Attr[int64]    // tmpfs, bytes
	Writable bool           // bind
	Secret   Attr[Addr]     // secret, and the agent of ssh
	Env      Attr[string]   // secret: as a variable of this step instead of a file
}

// Resources limits a run; zero means no limit.
type Resources struct {
	Memory Attr[int64]   // bytes
	CPUs   Attr[float64] // cores
	Pids   Attr[int]
	Shm    Attr[int64] // bytes of /dev/shm
}

// Packages installs packages of a distribution.
type Packages struct {
	Range      diag.Range
	Manager    string // "deb", or the base's own: "apt", "apk", "dnf"
	Install    Attr[[]string]
	Repository Attr[Addr]
	Recommends bool
	Configure  bool
}

// File writes a file of the spec's own text.
type File struct {
	Range   diag.Range
	Path    Attr[string]
	Content Attr[string]
	Mode    Attr[uint32]
	Owner   Attr[string]
}

// Directory makes a directory, or gives an existing one mode and owner.
type Directory struct {
	Range diag.Range
	Path  Attr[string]
	Mode  Attr[uint32]
	Owner Attr[string]
}

// Symlink makes a symbolic link at Path that holds To.
type Symlink struct {
	Range diag.Range
	Path  Attr[string]
	To    Attr[string]
	Owner Attr[string]
}

// User adds a user, and its own group unless Group names another.
type User struct {
	Range  diag.Range
	Name   string
	UID    Attr[int]
	GID    Attr[int]
	Group  Attr[string]
	Home   Attr[string]
	Shell  Attr[string]
	Groups Attr[[]string]
}

// Group adds a group.
type Group struct {
	Range diag.Range
	Name  string
	GID   Attr[int]
}

// Where is the place of the block's header.
func (s *Copy) Where() diag.Range      { return s.Range }
func (s *Run) Where() diag.Range       { return s.Range }
func (s *Packages) Where() diag.Range  { return s.Range }
func (s *File) Where() diag.Range      { return s.Range }
func (s *Directory) Where() diag.Range { return s.Range }
func (s *Symlink) Where() diag.Range   { return s.Range }
func (s *User) Where() diag.Range      { return s.Range }
func (s *Group) Where() diag.Range     { return s.Range }
