// Package dag is the intermediate representation between the planner and the
// engines: a closed, static, hash-consed graph of steps that a person can
// print and read.
//
// A [Node] is an operation and the nodes it takes from. Its [ID] covers
// meaning only: names, places in the spec and limits are [Meta]. Equal IDs
// are one node, and that is how stages are shared within an image and over a
// monorepo.
package dag

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/specbuild/specbuild/spec/diag"
)

// ID is the hexadecimal sha256 of an operation's canonical lines and its
// inputs' IDs.
type ID string

// Short is the ID's first twelve digits, for people.
func (id ID) Short() string { return string(id[:min(12, len(id))]) }

// Node is one step of the graph.
type Node struct {
	ID     ID
	Op     Op
	Inputs []ID // what each position means is said by the operation
	Meta   Meta
}

// Meta is what a node carries beside its meaning; nothing of it is in an ID
// or a key. Where equal nodes are merged, the first one's is kept.
type Meta struct {
	Name  string     // "image.web", the stage or image that the step belongs to
	Title string     // one line that says what the step does
	Range diag.Range // the step's block

	Platform string        // of the step, "linux/amd64"
	Ref      string        // Base: the name to pull by, "registry/repository:tag@digest", or "layout:DIR"; Git: a branch or tag that has the commit, or ""
	URL      string        // Git, HTTP: where to fetch from
	Size     int64         // HTTP: bytes, 0 if not known
	Dir      string        // Local: the absolute folder on this machine
	Mirrors  []Mirror      // Packages: where to fetch from
	Asked    []string      // Packages: the names that the spec itself lists
	Timeout  time.Duration // Run, Test: 0 is none
	Limits   Limits        // Run
	Caches   []CacheMount  // Run: one for each cache mount, in the order of Op.Mounts
	Secrets  []Secret      // Run: one for each secret or ssh mount, in the order of Op.Mounts
}

// Mirror is one archive that package paths are relative to.
type Mirror struct {
	Name string   // what Package.Source names
	URLs []string // tried in order
}

// Limits bound a running step; zero is no limit.
type Limits struct {
	Memory int64 // bytes
	CPUs   float64
	Pids   int
	Shm    int64 // bytes
}

// CacheMount says which directory of the machine a cache mount is.
type CacheMount struct {
	ID      string // whole identity: workspace, id, platform, uid
	Sharing string // "shared", "locked" or "private"
	MaxSize int64  // bytes, 0 is no limit
}

// Secret says where a secret's bytes come from. Exactly one of Env, File,
// Command and SSH is set.
type Secret struct {
	Addr     string
	Env      string
	File     string
	Command  []string
	SSH      bool
	Optional bool
	Range    diag.Range
}

// Output is one image that was asked for.
type Output struct {
	Addr      string // "//services/web:image.web"
	Range     diag.Range
	Node      ID       // an Index, or an Image where there is one platform
	Images    []ID     // the Image of each platform, in the order of the spec
	Tests     []ID     // must pass before the output is written or pushed
	Tags      []string // full references
	Platforms []string // in the order of Images
	Explicit  bool     // the spec says its platforms
	Stamp     []KV     // annotations written only when it is pushed for another reason
	Budget    Budget
}

// Budget limits an image per platform; zero is no limit.
type Budget struct {
	Size   int64 // bytes of all layers, uncompressed
	Layers int
	Range  diag.Range
}

// Graph is a closed set of nodes, inputs before those that take from them,
// and the outputs that were asked for.
type Graph struct {
	Nodes   []Node
	Outputs []Output

	index map[ID]int
}

// Node finds a node by its ID.
func (g *Graph) Node(id ID) (*Node, bool) {
	i, ok := g.index[id]
	if !ok {
		return nil, false
	}
	return &g.Nodes[i], true
}

// Builder makes a graph; equal nodes become one.
type Builder struct {
	g Graph
}

// Add returns the ID of the node with this operation and these inputs, which
// must have been added before.
func (b *Builder) Add(op Op, inputs []ID, meta Meta) ID {
	id := identify(op, inputs)
	if _, ok := b.g.index[id]; ok {
		return id
	}
	for _, in := range inputs {
		if _, ok := b.g.index[in]; !ok {
			panic("dag: input " + in.Short() + " of " + op.Kind() + " was not added")
		}
	}
	if b.g.index == nil {
		b.g.index = map[ID]int{}
	}
	b.g.index[id] = len(b.g.Nodes)
	b.g.Nodes = append(b.g.Nodes, Node{ID: id, Op: op, Inputs: slices.Clone(inputs), Meta: meta})
	return id
}

// Output adds something that was asked for.
func (b *Builder) Output(o Output) { b.g.Outputs = append(b.g.Outputs, o) }

// Graph is the finished graph, without nodes that no output needs.
func (b *Builder) Graph() *Graph {
	needed := map[ID]bool{}
	var need func(id ID)
	need = func(id ID) {
		if needed[id] {
			return
		}
		needed[id] = true
		for _, in := range b.g.Nodes[b.g.index[id]].Inputs {
			need(in)
		}
	}
	for _, o := range b.g.Outputs {
		need(o.Node)
		for _, t := range o.Tests {
			need(t)
		}
	}
	g := &Graph{Outputs: slices.Clone(b.g.Outputs), index: map[ID]int{}}
	for _, n := range b.g.Nodes {
		if needed[n.ID] {
			g.index[n.ID] = len(g.Nodes)
			g.Nodes = append(g.Nodes, n)
		}
	}
	return g
}

// Lines are the canonical lines of an operation: `name "value"…`, every
// value quoted, so that no value can forge a line.
func Lines(op Op) []string {
	text := strings.TrimSuffix(string(printed(op).text), "\n")
	return strings.Split(text, "\n") // quoted values hold no line ends
}

func identify(op Op, inputs []ID) ID {
	p := printed(op)
	for _, in := range inputs {
		p.text = append(append(append(p.text, "input "...), in...), '\n')
	}
	sum := sha256.Sum256(p.text)
	return ID(hex.EncodeToString(sum[:]))
}

// printer collects lines in one piece of memory: a plan of 200 images has
// thousands of nodes, and their IDs were a third of its time.
type printer struct{ text []byte }

func printed(op Op) *printer {
	p := &printer{text: make([]byte, 0, 512)}
	p.text = append(append(p.text, op.Kind()...), " v1\n"...)
	op.print(p)
	return p
}

func (p *printer) line(name string, values ...string) {
	p.text = append(p.text, name...)
	for _, v := range values {
		p.text = strconv.AppendQuote(append(p.text, ' '), v)
	}
	p.text = append(p.text, '\n')
}

func (p *printer) list(name string, values []string) {
	for _, v := range values {
		p.line(name, v)
	}
}

func (p *printer) flag(name string, on bool) {
	if on {
		p.line(name)
	}
}

func (p *printer) set(name, value string) {
	if value != "" {
		p.line(name, value)
	}
}
