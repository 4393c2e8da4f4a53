package lsp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/grammar"
)

// Options is what a server needs beside its two streams.
type Options struct {
	Version string        // of specbuild, for required_version and the editor's log
	Build   spec.Platform // the machine that runs steps
	// Env is for SPECBUILD_VAR_*; nil where no variable is set.
	Env func(string) (string, bool)
	// Modules gives what finds modules from outside for one load, and what
	// ends it; nil where none can be found.
	Modules func() (spec.Modules, func())
	// Delay is how long there must be no change before specs are read again;
	// 0 is at once.
	Delay time.Duration
}

// ErrNoShutdown is the end of a server that was not asked to end: the editor
// is gone, or sent `exit` before `shutdown`.
var ErrNoShutdown = errors.New("the editor has gone without shutdown")

// Serve answers an editor until it says exit, its stream ends or ctx does.
// It is nil only after an orderly shutdown. A Read that is under way when ctx
// ends is left to whoever owns the stream; no goroutine else remains.
func Serve(ctx context.Context, in io.Reader, out io.Writer, opts Options) error {
	s := newServer(out, opts)
	stop := make(chan struct{})
	defer close(stop)
	defer s.stopLoading()
	return s.loop(ctx, receive(in, stop))
}

func newServer(out io.Writer, opts Options) *server {
	return &server{
		opts: opts, out: out, module: spec.Grammar(), workspace: spec.WorkspaceGrammar(), functions: functions(),
		docs: map[string]*document{}, folders: map[string]*folder{},
		published: map[string][]finding{}, parked: map[string][]message{}, results: make(chan *loaded, 1),
	}
}

type server struct {
	opts              Options
	out               io.Writer
	module, workspace *grammar.Block
	functions         []function

	gone   error // of the writer
	broken error // of the reader

	utf8, snippets, watch bool
	initialized, ending   bool
	roots                 []string // the editor's folders, absolute

	docs      map[string]*document // what is open, by absolute path
	folders   map[string]*folder   // what is loaded, by argument of the load
	published map[string][]finding // by absolute path
	queue     []message            // in the order they came
	parked    map[string][]message // requests that wait for a folder's first load
	running   context.CancelFunc   // nil where nothing is being loaded
	loading   *folder              // what that is of
	results   chan *loaded
	wake      <-chan time.Time // when the delay is over
	sent      int              // requests of ours
}

// document is a file that the editor has open.
type document struct {
	uri     string // as the editor writes it
	path    string
	version int
	text    *text
}

// incoming is a message, or why there is none.
type incoming struct {
	message
	err error
}

// receive reads in a goroutine of its own, which ends with the stream, with
// the message `exit`, or with stop.
func receive(in io.Reader, stop <-chan struct{}) <-chan incoming {
	out := make(chan incoming)
	go func() {
		r := bufio.NewReaderSize(in, 1<<16)
		for {
			m, err := readMessage(r)
			select {
			case out <- incoming{m, err}:
			case <-stop:
				return
			}
			if err != nil && !errors.Is(err, errNotJSON) || m.Method == "exit" {
				return
			}
		}
	}()
	return out
}

// loop takes all that has come before it answers one, so that what was
// cancelled meanwhile is not worked on.
func (s *server) loop(ctx context.Context, in <-chan incoming) error {
	for s.gone == nil {
		if len(s.queue) > 0 {
			select {
			case m := <-in:
				s.accept(m)
				continue
			default:
			}
			m := s.queue[0]
			s.queue = s.queue[1:]
			if m.Method == "exit" {
				return s.ended()
			}
			s.handle(m)
			continue
		}
		if s.broken != nil {
			return s.ended()
		}
		select {
		case m := <-in:
			s.accept(m)
		case r := <-s.results:
			s.finish(r)
			s.load(ctx)
		case <-s.wake:
			s.wake = nil
			s.load(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("writing to the editor: %w", s.gone)
}

func (s *server) ended() error {
	switch {
	case s.broken != nil && !errors.Is(s.broken, io.EOF):
		return s.broken
	case s.ending:
		return nil
	}
	return ErrNoShutdown
}

// accept queues a message, or drops the one that it cancels.
func (s *server) accept(m incoming) {
	switch {
	case errors.Is(m.err, errNotJSON):
		s.send(failure{"2.0", nullID, refusef(codeParse, "%s", m.err)})
	case m.err != nil:
		s.broken = m.err // what came before it is still answered
	case m.Method == "$/cancelRequest":
		var p struct {
			ID json.RawMessage `json:"id"`
		}
		if json.Unmarshal(m.Params, &p) == nil {
			s.cancel(p.ID)
		}
	case m.Method == "" && len(m.ID) == 0:
		s.send(failure{"2.0", nullID, refusef(codeInvalidRequest, "the message has neither a method nor an id")})
	case m.Method == "": // the answer to a request of ours, of which none matters
	default:
		s.queue = append(s.queue, m.message)
	}
}

var nullID = json.RawMessage("null")

// cancel answers a request that nobody waits for any more. One that was
// answered already is not found.
func (s *server) cancel(id json.RawMessage) {
	drop := func(list []message) []message {
		for i, m := range list {
			if m.isRequest() && bytes.Equal(m.ID, id) {
				s.send(failure{"2.0", id, refusef(codeCancelled, "cancelled")})
				return append(list[:i:i], list[i+1:]...)
			}
		}
		return list
	}
	s.queue = drop(s.queue)
	for key := range s.parked {
		s.parked[key] = drop(s.parked[key])
	}
}

func (s *server) send(v any) {
	if s.gone == nil {
		s.gone = writeMessage(s.out, v)
	}
}

// handle answers one message.
func (s *server) handle(m message) {
	answer, err := s.guarded(m)
	if errors.Is(err, errParked) || !m.isRequest() {
		return // of a notification nobody hears what is wrong with it
	}
	var refused *rpcError
	switch {
	case errors.As(err, &refused):
		s.send(failure{"2.0", m.ID, refused})
	case err != nil:
		s.send(failure{"2.0", m.ID, refusef(codeInvalidParams, "%s: %s", m.Method, err)})
	default:
		s.send(response{"2.0", m.ID, answer})
	}
}

// guarded answers a message. A defect in one answer must not end the others:
// an editor starts a server a few times and then gives up.
func (s *server) guarded(m message) (answer any, err error) {
	defer func() {
		if p := recover(); p != nil {
			answer, err = nil, refusef(codeInternal, "a defect of specbuild, please report it: %v\n%s", p, debug.Stack())
		}
	}()
	return s.dispatch(m)
}

func (s *server) dispatch(m message) (any, error) {
	switch {
	case m.Method == "initialize":
		return s.initialize(m)
	case !s.initialized:
		return nil, refusef(codeNotInitialized, "the first request is initialize")
	case m.Method == "shutdown":
		s.ending = true
		return nil, nil
	case s.ending:
		return nil, refusef(codeInvalidRequest, "%s after shutdown", m.Method)
	}
	switch m.Method {
	case "initialized":
		s.watchFiles()
	case "textDocument/didOpen":
		return nil, with(m, s.didOpen)
	case "textDocument/didChange":
		return nil, with(m, s.didChange)
	case "textDocument/didClose":
		return nil, with(m, s.didClose)
	case "textDocument/didSave", "workspace/didChangeWatchedFiles":
		// What a spec reads with file() or copies may be any file.
		s.touchAll()
	case "textDocument/completion":
		return answer(m, s.completion)
	case "textDocument/hover":
		return answer(m, s.hover)
	case "textDocument/definition":
		return answer(m, s.definition)
	case "textDocument/references":
		return answer(m, s.references)
	case "textDocument/formatting":
		return answer(m, s.formatting)
	case "textDocument/documentSymbol":
		return answer(m, s.documentSymbols)
	case "textDocument/codeAction":
		return answer(m, s.codeActions)
	default:
		if m.isRequest() {
			return nil, refusef(codeNoMethod, "there is no method %s", m.Method)
		}
	}
	return nil, nil
}

// answer decodes what a request asks.
func answer[P any](m message, do func(message, P) (any, error)) (any, error) {
	var p P
	if err := json.Unmarshal(m.Params, &p); err != nil {
		return nil, err
	}
	return do(m, p)
}

func with[P any](m message, do func(P)) error {
	var p P
	if err := json.Unmarshal(m.Params, &p); err != nil {
		return err
	}
	do(p)
	return nil
}

func (s *server) initialize(m message) (any, error) {
	if s.initialized {
		return nil, refusef(codeInvalidRequest, "initialize was sent twice")
	}
	var p initializeParams
	if err := json.Unmarshal(m.Params, &p); err != nil {
		return nil, err
	}
	s.initialized = true
	for _, f := range p.WorkspaceFolders {
		if dir, ok := pathOf(f.URI); ok {
			s.roots = append(s.roots, dir)
		}
	}
	if dir, ok := pathOf(p.RootURI); ok && len(s.roots) == 0 {
		s.roots = append(s.roots, dir)
	}
	encoding := "utf-16" // what every client can
	for _, e := range p.Capabilities.General.PositionEncodings {
		if e == "utf-8" {
			encoding, s.utf8 = e, true
		}
	}
	s.snippets = p.Capabilities.TextDocument.Completion.CompletionItem.SnippetSupport
	s.watch = p.Capabilities.Workspace.DidChangeWatchedFiles.DynamicRegistration
	return map[string]any{
		"capabilities": capabilities(encoding),
		"serverInfo":   map[string]any{"name": "specbuild", "version": s.opts.Version},
	}, nil
}

// watchFiles asks to be told of specs that others change: git, another editor.
func (s *server) watchFiles() {
	if !s.watch {
		return
	}
	var watchers []any
	for _, glob := range []string{"**/image.{hcl,yaml}", "**/*.image.{hcl,yaml}", "**/specbuild.hcl", "**/specbuild.lock"} {
		watchers = append(watchers, map[string]any{"globPattern": glob})
	}
	s.sent++
	s.send(request{"2.0", fmt.Sprintf("specbuild-%d", s.sent), "client/registerCapability", map[string]any{
		"registrations": []any{map[string]any{
			"id": "specs", "method": "workspace/didChangeWatchedFiles", "registerOptions": map[string]any{"watchers": watchers},
		}},
	}})
}

// document is what a request is about.
func (s *server) document(d textDocument) (*document, error) {
	path, _ := pathOf(d.URI)
	if doc := s.docs[path]; doc != nil {
		return doc, nil
	}
	return nil, refusef(codeInvalidParams, "%s is not open", d.URI)
}
