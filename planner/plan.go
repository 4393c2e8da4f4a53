// Package planner turns a spec into a plan: the closed set of stages and
// images for each platform, with every name resolved, everything pinned and
// every value final.
package planner

import "github.com/specbuild/specbuild/spec/diag"

// Version is the version of the plan as a document. It rises when a reader
// of the old form would misread the new one.
const Version = 1

// Plan is what is to be built. It is deterministic, and JSON carries all of
// it: `plan --json` prints it for other tools.
type Plan struct {
	Version   int        `json:"version"`
	Workspace string     `json:"workspace"` // its name
	Build     string     `json:"build"`     // the platform of the machine that runs steps
	Images    []Image    `json:"images"`    // that were asked for, in the order of the arguments
	Instances []Instance `json:"instances"` // inputs before those that use them
	Contexts  []Context  `json:"contexts,omitempty"`
	Secrets   []Secret   `json:"secrets,omitempty"`
}

// Image is an image that was asked for.
type Image struct {
	Addr        string          `json:"address"` // "//services/web:image.web"
	Range       diag.Range      `json:"range"`
	Platforms   []PlatformImage `json:"platforms"`     // in the order of the spec
	Explicit    bool            `json:"platformsSaid"` // the spec says its platforms
	Tags        []string        `json:"tags,omitempty"`
	Annotations []KV            `json:"annotations,omitempty"` // of the index
	Stamp       []KV            `json:"stamp,omitempty"`
	Budget      *Budget         `json:"budget,omitempty"`
}

// PlatformImage is an image for one platform.
type PlatformImage struct {
	Platform string `json:"platform"`
	Instance string `json:"instance"` // an Instance.ID
}

// Budget limits an image per platform; zero is no limit.
type Budget struct {
	Range  diag.Range `json:"range"`
	Size   int64      `json:"size,omitempty"` // bytes of all layers, uncompressed
	Layers int        `json:"layers,omitempty"`
}

// KV is a name with a value; lists of it are sorted by name.
type KV struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Instance is a stage or image on one platform for one target. Where the
// target makes no difference, one instance serves several.
type Instance struct {
	ID          string     `json:"id"`      // "//:stage.build@linux/amd64"; with ">linux/arm64" where it is built for another platform
	Addr        string     `json:"address"` // "//:stage.build"
	Range       diag.Range `json:"range"`
	Platform    string     `json:"platform"` // its own
	Targets     []string   `json:"targets"`  // sorted
	From        Source     `json:"from"`
	Steps       []Step     `json:"steps,omitempty"`
	Config      Config     `json:"config"`
	Annotations []KV       `json:"annotations,omitempty"` // images only
	Tests       []Test     `json:"tests,omitempty"`       // images only
}

// Source is a file system that something takes from. Exactly one field is
// set, or none of them: scratch.
type Source struct {
	Instance string   `json:"instance,omitempty"` // an Instance.ID
	Base     *BasePin `json:"base,omitempty"`
	Context  string   `json:"context,omitempty"` // a Context.Addr
}

// IsScratch reports whether it is the empty file system.
func (s Source) IsScratch() bool { return s == Source{} }

// BasePin is a base on one platform.
type BasePin struct {
	Addr     string `json:"address"`
	Ref      string `json:"ref"` // to pull by: "registry/repository:tag@digest", or "layout:DIR"
	Platform string `json:"platform"`
	Digest   string `json:"digest"` // of the manifest for Platform
}

// Context is files to copy: of the folder Path, or of Git or HTTP, one of
// which is set then.
type Context struct {
	Addr    string   `json:"address"`
	Path    string   `json:"path,omitempty"` // below the workspace's root
	Dir     string   `json:"dir,omitempty"`  // the same on this machine
	Git     *GitPin  `json:"git,omitempty"`
	HTTP    *HTTPPin `json:"http,omitempty"`
	Include []string `json:"include,omitempty"`
	Exclude []string `json:"exclude,omitempty"`
}

// GitPin is a commit of a repository.
type GitPin struct {
	Range  diag.Range `json:"range"`
	URL    string     `json:"url"`
	Ref    string     `json:"ref,omitempty"` // as the spec says it; none is HEAD
	Commit string     `json:"commit"`        // the whole id
}

// HTTPPin is a file that a URL gives.
type HTTPPin struct {
	Range  diag.Range `json:"range"`
	URL    string     `json:"url"`
	SHA256 string     `json:"sha256"`         // hexadecimal
	Size   int64      `json:"size,omitempty"` // bytes; 0 is not known
	Name   string     `json:"name,omitempty"` // in the context; none if it is unpacked
	Unpack bool       `json:"unpack,omitempty"`
}

// Secret says where a secret's bytes come from. Exactly one of Env, File,
// Command and SSH is set.
type Secret struct {
	Addr     string     `json:"address"`
	Range    diag.Range `json:"range"`
	Env      string     `json:"env,omitempty"`
	File     string     `json:"file,omitempty"`
	Command  []string   `json:"command,omitempty"`
	SSH      bool       `json:"ssh,omitempty"`
	Optional bool       `json:"optional,omitempty"`
}

// Step is one block, resolved. Exactly one of the pointers is set.
type Step struct {
	Range    diag.Range `json:"range"`
	Copy     *Copy      `json:"copy,omitempty"`
	Run      *Run       `json:"run,omitempty"`
	Packages *Packages  `json:"packages,omitempty"`
	Entry    *Entry     `json:"entry,omitempty"`
	User     *User      `json:"user,omitempty"`
	Group    *Group     `json:"group,omitempty"`
}

// Copy takes files of From.
type Copy struct {
	From    Source   `json:"from"`
	Sources []string `json:"sources,omitempty"` // none means everything
	To      string   `json:"to"`                // absolute; ends in "/" for "into"
	Exclude []string `json:"exclude,omitempty"`
	Owner   string   `json:"owner,omitempty"` // "uid:gid"; empty is as it is
	Mode    string   `json:"mode,omitempty"`  // four octal digits; empty is as it is
	Parents bool     `json:"parents,omitempty"`
	Unpack  bool     `json:"unpack,omitempty"`
}

// Run is a command with everything that it sees.
type Run struct {
	Args      []string `json:"args"`
	Shown     []string `json:"shown,omitempty"` // what people read in place of Args, where these are not the spec's
	Env       []KV     `json:"env"`             // final but for HOME
	Workdir   string   `json:"workdir"`
	User      string   `json:"user"` // "uid:gid"
	Network   string   `json:"network"`
	Hosts     []KV     `json:"hosts,omitempty"`
	Mounts    []Mount  `json:"mounts,omitempty"`
	Outputs   []string `json:"outputs,omitempty"`     // absolute
	OutputsOn bool     `json:"outputsOnly,omitempty"` // with no Outputs: a check, which keeps nothing
	Timeout   int64    `json:"timeout,omitempty"`     // nanoseconds
	Memory    int64    `json:"memory,omitempty"`      // bytes
	CPUs      float64  `json:"cpus,omitempty"`
	Pids      int      `json:"pids,omitempty"`
	Shm       int64    `json:"shm,omitempty"` // bytes
}

// Mount is one mount of a run.
type Mount struct {
	Type     string   `json:"type"` // "cache", "bind", "tmpfs", "secret" or "ssh"
	Target   string   `json:"target,omitempty"`
	Env      string   `json:"env,omitempty"`  // secret: the variable
	From     *Source  `json:"from,omitempty"` // bind, and cache with first content
	Sources  []string `json:"sources,omitempty"`
	Writable bool     `json:"writable,omitempty"`
	Size     int64    `json:"size,omitempty"`    // tmpfs, bytes
	Secret   string   `json:"secret,omitempty"`  // a Secret.Addr
	CacheID  string   `json:"cacheID,omitempty"` // the whole identity
	Sharing  string   `json:"sharing,omitempty"`
	MaxSize  int64    `json:"maxSize,omitempty"` // cache, bytes
}

// Packages are packages of a distribution: locked ones, which are unpacked
// natively, or what a program of the base itself is asked for.
type Packages struct {
	Manager    string    `json:"manager"`        // "deb"; or the base's own "apt", "apk" or "dnf"
	Arch       string    `json:"arch,omitempty"` // deb: the distribution's word
	Install    []string  `json:"install"`        // as asked for
	Recommends bool      `json:"recommends,omitempty"`
	Configure  bool      `json:"configure,omitempty"`  // deb: maintainer scripts run
	Repository string    `json:"repository,omitempty"` // deb
	Packages   []Package `json:"packages,omitempty"`   // deb: that this step adds, sorted by name
	Mirrors    []Mirror  `json:"mirrors,omitempty"`    // deb
	Run        *Run      `json:"run,omitempty"`        // the command that installs them, or of deb configures them
}

// Package is one package of an archive.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Arch    string `json:"arch"`
	Source  string `json:"source"` // a Mirror.Name
	Path    string `json:"path"`
	Size    int64  `json:"size"` // bytes
	SHA256  string `json:"sha256"`
}

// Mirror says where the files of one archive can be had.
type Mirror struct {
	Name string   `json:"name"`
	URLs []string `json:"urls"` // tried in order
}

// Entry is a file, directory or symbolic link that the spec itself says. A
// directory without mode and owner is made 0755 0:0 where there is none, and
// one that exists keeps what it is.
type Entry struct {
	Type    string `json:"type"` // "file", "directory" or "symlink"
	Path    string `json:"path"`
	Mode    string `json:"mode,omitempty"`
	Owner   string `json:"owner,omitempty"`   // "uid:gid"
	Content string `json:"content,omitempty"` // of a file; the target of a symlink
}

// User is a line of passwd, and the groups that it is in.
type User struct {
	Name     string   `json:"name"`
	UID      int      `json:"uid"`
	GID      int      `json:"gid"`
	Home     string   `json:"home"`
	Shell    string   `json:"shell"`
	Groups   []string `json:"groups,omitempty"`
	OwnGroup bool     `json:"ownGroup,omitempty"` // a group of its name is made too
}

// Group is a line of group.
type Group struct {
	Name string `json:"name"`
	GID  int    `json:"gid"`
}

// Config is the configuration of an image, or what a stage hands to what is
// built from it.
type Config struct {
	User        string       `json:"user,omitempty"` // numbers
	Env         []KV         `json:"env,omitempty"`
	Entrypoint  []string     `json:"entrypoint,omitempty"`
	Cmd         []string     `json:"cmd,omitempty"`
	Workdir     string       `json:"workdir,omitempty"`
	Ports       []string     `json:"ports,omitempty"`   // "8080/tcp", sorted
	Volumes     []string     `json:"volumes,omitempty"` // sorted
	Labels      []KV         `json:"labels,omitempty"`
	StopSignal  string       `json:"stopSignal,omitempty"`
	Healthcheck *Healthcheck `json:"healthcheck,omitempty"`
}

// Healthcheck tells whether a container is well; None switches an inherited
// one off. Times are in nanoseconds.
type Healthcheck struct {
	None        bool     `json:"none,omitempty"`
	Command     []string `json:"command,omitempty"` // a first word "CMD-SHELL" is a base's shell form
	Interval    int64    `json:"interval,omitempty"`
	Timeout     int64    `json:"timeout,omitempty"`
	StartPeriod int64    `json:"startPeriod,omitempty"`
	Retries     int      `json:"retries,omitempty"`
}

// Test is a check of the finished image.
type Test struct {
	Name           string     `json:"name"`
	Range          diag.Range `json:"range"`
	Args           []string   `json:"args,omitempty"` // none: only files are checked
	Env            []KV       `json:"env,omitempty"`
	User           string     `json:"user"` // "uid:gid"
	Workdir        string     `json:"workdir"`
	Timeout        int64      `json:"timeout,omitempty"` // nanoseconds
	ExitCode       int        `json:"exitCode"`
	StdoutContains []string   `json:"stdoutContains,omitempty"`
	StdoutMatches  []string   `json:"stdoutMatches,omitempty"`
	StderrContains []string   `json:"stderrContains,omitempty"`
	StderrMatches  []string   `json:"stderrMatches,omitempty"`
	Files          []TestFile `json:"files,omitempty"`
	Absent         []string   `json:"absent,omitempty"`
}

// TestFile is a file that a test wants; empty fields are not checked.
type TestFile struct {
	Path     string `json:"path"`
	Mode     string `json:"mode,omitempty"`
	Owner    string `json:"owner,omitempty"`
	Contains string `json:"contains,omitempty"`
}
