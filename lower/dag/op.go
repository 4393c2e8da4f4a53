package dag

import (
	"fmt"
	"strconv"
)

// Op is what a node does. The set is closed: Scratch, Base, Local, Git, HTTP,
// Copy, Run, Packages, Files, Image, Index and Test.
//
// Scratch, Base, Copy, Run, Packages and Files give a root: a chain of
// layers, the last of which is their own. Their first input is the root
// below, but for Scratch and Base, which have none.
type Op interface {
	// Kind is the operation's name in lower case.
	Kind() string
	print(*printer)
}

// KV is a name with a value; lists of it are sorted by name.
type KV struct{ Name, Value string }

// Scratch is the empty root.
type Scratch struct{}

// Base is the root of an image that exists already.
type Base struct {
	Digest   string // of the manifest for Platform, "sha256:…"
	Platform string
}

// Local is a selection of the files of a context. Each copy has its own, so
// that it is keyed on what it takes and nothing else.
type Local struct {
	Context string // folder below the workspace's root, slash-separated
	Include []string
	Exclude []string
	Sources []string // the copy's own source patterns; none means everything
}

// Git is a selection of the files of a commit, whichever repository it is
// fetched from: known without fetching it.
type Git struct {
	Commit  string // the whole id, hexadecimal
	Include []string
	Exclude []string
	Sources []string // as Local's
}

// HTTP is a selection of a fetched file, or of what it holds as an archive,
// whichever URL gives it: known without fetching it.
type HTTP struct {
	SHA256  string // hexadecimal
	Name    string // the file's name in the context; without meaning if Unpack is set, and empty then
	Unpack  bool
	Include []string
	Exclude []string
	Sources []string // as Local's
}

// Copy puts files of its second input into a root: inputs are the root below
// and a root, a Local, a Git or an HTTP.
type Copy struct {
	Sources []string // none means everything
	To      string   // absolute; ends in "/" for "into"
	Exclude []string
	Owner   string // "uid:gid", or empty for: as it is
	Mode    string // four octal digits, or empty for: as it is
	Parents bool
	Unpack  bool
}

// Mount is one mount of a run, in the order of the spec.
type Mount struct {
	Type     string // "cache", "bind", "tmpfs", "secret" or "ssh"
	Target   string // absolute; empty for a secret given as Env
	Env      string // secret: the variable
	Secret   string // secret: its address, "//services/web:secret.netrc"; what it holds is nowhere
	Input    int    // bind, and cache with first content: index into Inputs, else 0
	Sources  []string
	Writable bool  // bind
	Size     int64 // tmpfs, bytes
	Optional bool  // secret: its presence is part of the key
}

// Run runs a command: inputs are the root below, then what its mounts take
// from.
type Run struct {
	Args      []string
	Shown     []string // what people read in place of Args; none where the spec itself says them
	Env       []KV     // final but for HOME, which the engine takes from the root's passwd
	Workdir   string
	User      string // "uid:gid"
	Network   string // "none", "outbound" or "host"
	Hosts     []KV
	Mounts    []Mount
	Outputs   []string // absolute; only changes below these are kept
	OutputsOn bool     // outputs were given: with none of them, nothing is kept
	Platform  string
}

// Package is one locked package of an archive.
type Package struct {
	Name, Version, Arch string
	Source              string // names a Mirror of Meta; not part of the ID
	Path                string // below the mirror's root; not part of the ID
	Size                int64  // bytes; follows from SHA256, so not part of the ID
	SHA256              string // hexadecimal
}

// Packages unpacks packages of a distribution natively into a root.
type Packages struct {
	Manager string // "deb"
	Arch    string // the distribution's word, "amd64"
	// Configure leaves them for their maintainer scripts, which a Run over
	// them calls.
	Configure bool
	Packages  []Package
}

// FileEntry is a file, directory or symbolic link of the spec's own.
type FileEntry struct {
	Type    string // "file", "directory" or "symlink"
	Path    string // absolute
	Mode    string // four octal digits, or empty for the default
	Owner   string // "uid:gid"
	Content string // of a file; the target of a symlink
}

// User is a line of passwd and the groups it is in.
type User struct {
	Name        string
	UID, GID    int
	Home, Shell string
	Groups      []string
	OwnGroup    bool // a group of the user's own name is made too
}

// Group is a line of group.
type Group struct {
	Name string
	GID  int
}

// FileStep is one of Entry, User and Group.
type FileStep struct {
	Entry *FileEntry
	User  *User
	Group *Group
}

// Files writes what the spec itself says: adjacent file, directory, symlink,
// user and group steps are one layer.
type Files struct {
	Steps []FileStep
}

// Config is an image's configuration, final: what is inherited is merged in.
type Config struct {
	User        string // numbers
	Env         []string
	Entrypoint  []string
	Cmd         []string
	Workdir     string
	Ports       []string // "8080/tcp", sorted
	Volumes     []string // sorted
	Labels      []KV
	StopSignal  string
	Healthcheck *Healthcheck
}

// Healthcheck is the config's health check; None switches an inherited one
// off. Times are in nanoseconds.
type Healthcheck struct {
	None                           bool
	Command                        []string
	Interval, Timeout, StartPeriod int64
	Retries                        int
}

// Image is a finished image of one platform: inputs are its root, then runs
// that keep nothing but must succeed.
type Image struct {
	Platform    string
	Config      Config
	Annotations []KV
}

// Index is an image of several platforms: inputs are its Images.
type Index struct {
	Annotations []KV
}

// Test checks a finished image: its input is the Image.
type Test struct {
	Name           string
	Platform       string
	Args           []string // none: only files are checked
	Env            []KV
	User           string
	Workdir        string
	ExitCode       int
	StdoutContains []string
	StdoutMatches  []string
	StderrContains []string
	StderrMatches  []string
	Files          []TestFile
	Absent         []string
}

// TestFile is a file that a test wants; empty fields are not checked.
type TestFile struct {
	Path, Mode, Owner, Contains string
}

// Kind names the operation.
func (Scratch) Kind() string   { return "scratch" }
func (*Base) Kind() string     { return "base" }
func (*Local) Kind() string    { return "local" }
func (*Git) Kind() string      { return "git" }
func (*HTTP) Kind() string     { return "http" }
func (*Copy) Kind() string     { return "copy" }
func (*Run) Kind() string      { return "run" }
func (*Packages) Kind() string { return "packages" }
func (*Files) Kind() string    { return "files" }
func (*Image) Kind() string    { return "image" }
func (*Index) Kind() string    { return "index" }
func (*Test) Kind() string     { return "test" }

func (Scratch) print(*printer) {}

func (o *Base) print(p *printer) {
	p.line("digest", o.Digest)
	p.line("platform", o.Platform)
}

func (o *Local) print(p *printer) {
	p.line("context", o.Context)
	p.list("include", o.Include)
	p.list("exclude", o.Exclude)
	p.list("source", o.Sources)
}

func (o *Git) print(p *printer) {
	p.line("commit", o.Commit)
	p.list("include", o.Include)
	p.list("exclude", o.Exclude)
	p.list("source", o.Sources)
}

func (o *HTTP) print(p *printer) {
	p.line("sha256", o.SHA256)
	p.set("name", o.Name)
	p.flag("unpack", o.Unpack)
	p.list("include", o.Include)
	p.list("exclude", o.Exclude)
	p.list("source", o.Sources)
}

func (o *Copy) print(p *printer) {
	p.list("source", o.Sources)
	p.line("to", o.To)
	p.list("exclude", o.Exclude)
	p.set("owner", o.Owner)
	p.set("mode", o.Mode)
	p.flag("parents", o.Parents)
	p.flag("unpack", o.Unpack)
}

func (o *Run) print(p *printer) {
	p.line("platform", o.Platform)
	p.list("arg", o.Args)
	p.list("shown", o.Shown)
	printKV(p, "env", o.Env)
	p.line("workdir", o.Workdir)
	p.line("user", o.User)
	p.line("network", o.Network)
	printKV(p, "host", o.Hosts)
	for _, m := range o.Mounts {
		m.print(p)
	}
	p.flag("outputs", o.OutputsOn)
	p.list("output", o.Outputs)
}

func (m Mount) print(p *printer) {
	p.line("mount", m.Type, m.Target, m.Env, strconv.Itoa(m.Input),
		fmt.Sprintf("writable=%t optional=%t size=%d", m.Writable, m.Optional, m.Size))
	p.list("mount-source", m.Sources)
	if m.Secret != "" {
		p.line("mount-secret", m.Secret)
	}
}

func (o *Packages) print(p *printer) {
	p.line("manager", o.Manager, o.Arch)
	p.flag("configure", o.Configure)
	for _, k := range o.Packages {
		p.line("package", k.Name, k.Version, k.Arch, k.SHA256)
	}
}

func (o *Files) print(p *printer) {
	for _, s := range o.Steps {
		switch {
		case s.Entry != nil:
			p.line(s.Entry.Type, s.Entry.Path, s.Entry.Mode, s.Entry.Owner, s.Entry.Content)
		case s.User != nil:
			u := s.User
			p.line("user", u.Name, strconv.Itoa(u.UID), strconv.Itoa(u.GID), u.Home, u.Shell, strconv.FormatBool(u.OwnGroup))
			p.list("user-group", u.Groups)
		case s.Group != nil:
			p.line("group", s.Group.Name, strconv.Itoa(s.Group.GID))
		}
	}
}

func (o *Image) print(p *printer) {
	p.line("platform", o.Platform)
	o.Config.print(p)
	printKV(p, "annotation", o.Annotations)
}

func (c *Config) print(p *printer) {
	p.set("user", c.User)
	p.list("env", c.Env)
	p.list("entrypoint", c.Entrypoint)
	p.list("cmd", c.Cmd)
	p.set("workdir", c.Workdir)
	p.list("port", c.Ports)
	p.list("volume", c.Volumes)
	printKV(p, "label", c.Labels)
	p.set("stop-signal", c.StopSignal)
	if h := c.Healthcheck; h != nil {
		p.line("healthcheck", fmt.Sprintf("none=%t interval=%d timeout=%d start=%d retries=%d",
			h.None, h.Interval, h.Timeout, h.StartPeriod, h.Retries))
		p.list("healthcheck-arg", h.Command)
	}
}

func (o *Index) print(p *printer) { printKV(p, "annotation", o.Annotations) }

func (o *Test) print(p *printer) {
	p.line("name", o.Name)
	p.line("platform", o.Platform)
	p.list("arg", o.Args)
	printKV(p, "env", o.Env)
	p.line("user", o.User)
	p.line("workdir", o.Workdir)
	p.line("exit-code", strconv.Itoa(o.ExitCode))
	p.list("stdout-contains", o.StdoutContains)
	p.list("stdout-matches", o.StdoutMatches)
	p.list("stderr-contains", o.StderrContains)
	p.list("stderr-matches", o.StderrMatches)
	for _, f := range o.Files {
		p.line("file", f.Path, f.Mode, f.Owner, f.Contains)
	}
	p.list("absent", o.Absent)
}

func printKV(p *printer, name string, kvs []KV) {
	for _, kv := range kvs {
		p.line(name, kv.Name, kv.Value)
	}
}
