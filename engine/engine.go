// Package engine is the contract between the front half of specbuild and what
// runs its graphs.
//
// An [Engine] takes a closed graph and gives [Result] values whose bytes are
// lazy: a layer is compressed or fetched only when somebody opens it. While
// it runs it tells what happens by [Event] values; it prints nothing.
package engine

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/specbuild/specbuild/lower/dag"
	"github.com/specbuild/specbuild/spec/diag"
)

// Engine runs a graph. The events of one node are in order, and the function
// is never called by two goroutines at once.
type Engine interface {
	Run(ctx context.Context, g *dag.Graph, events func(Event)) ([]Result, error)
}

// Result is one output of a graph, in the graph's order.
type Result struct {
	Output dag.Output
	Images []Image // one a platform, in the order of the output's
	Index  *dag.Index
	// Untested lists tests that this machine could not run, with the reason.
	Untested []Untested
	// Search finds a secret of the build in what is made of the result: any
	// value that JSON can write, every string of it. Nil where the build has none.
	Search func(what string, value any) error
}

// Untested is a test that was not run.
type Untested struct {
	Test, Platform, Reason string
}

// Image is a finished image of one platform.
type Image struct {
	Platform    string
	Config      dag.Config
	Annotations []dag.KV
	Layers      []Layer   // lowest first, the base's too
	History     []History // in order; the entries that are not Empty are as many as Layers
	Steps       []dag.ID  // the node that made each of Layers; none where the engine cannot tell
}

// History is one line of an image's history.
type History struct {
	CreatedBy string
	Created   string // RFC 3339 as a base has it; empty for ours
	Author    string
	Comment   string
	Empty     bool // it made no layer
}

// Blob describes the compressed bytes of a layer.
type Blob struct {
	MediaType string
	Digest    string // "sha256:…"
	Size      int64  // bytes
}

// Layer is one layer of an image. Methods may be called more than once and
// by several goroutines.
type Layer interface {
	// DiffID is the digest of the uncompressed tar.
	DiffID() string
	// Blob describes the compressed layer, which is made if there is none yet.
	Blob(ctx context.Context) (Blob, error)
	// Open gives the compressed bytes that Blob describes.
	Open(ctx context.Context) (io.ReadCloser, error)
	// Tar gives the uncompressed bytes.
	Tar(ctx context.Context) (io.ReadCloser, error)
	// Origin is the repository that holds the blob already, as
	// "registry/repository", or empty.
	Origin() string
}

// EventKind says what an event tells.
type EventKind uint8

// The kinds of events of a node: Started once, then Output and Progress any
// number of times, then Finished once. A node whose result was known has
// Finished alone, with Cached. Note concerns the machine or the whole run.
const (
	Started EventKind = iota
	Output
	Progress
	Finished
	Note
)

// Event is something that happened.
type Event struct {
	Kind    EventKind
	Time    time.Time
	Node    dag.ID
	Name    string // the stage or image, as in dag.Meta
	Title   string // the step, as in dag.Meta
	Text    string // Output: bytes of the command; Note and Progress: what is done
	Done    int64  // Progress: bytes so far
	Total   int64  // Progress: bytes in all, 0 if unknown
	Cached  bool   // Finished: the result was known
	Elapsed time.Duration
	Err     error // Finished: why it failed
}

// StepError is a step that failed, with all that a person needs to see.
type StepError struct {
	Node    dag.ID
	Name    string     // the stage or image
	Title   string     // the step
	Range   diag.Range // the step's block in the spec
	Command []string   // what ran; none for steps that run nothing
	Output  string     // everything it printed, in one piece
	Skipped int        // how many steps were not run because of it
	Kept    string     // --keep-failed: where its upper directory is
	Enter   string     // --keep-failed: the command that enters it
	Err     error
}

// Error is one line; the rest is for whoever renders it.
func (e *StepError) Error() string {
	return fmt.Sprintf("%s: %s: %v", e.Name, e.Title, e.Err)
}

// Unwrap gives the cause.
func (e *StepError) Unwrap() error { return e.Err }

// State is what a forecast says of a node.
type State uint8

// The states of a forecast.
const (
	WillRun State = iota
	Cached
	Unknown // known only after the steps that it stands on have run
)

// Forecast says what a run of the graph would do with one node, and the first
// reason of it.
type Forecast struct {
	Node   dag.ID
	State  State
	Reason string
}
