package lsp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// workspaceFile is the file that describes a workspace; it is loaded with all
// modules below it, since what it declares is theirs.
const workspaceFile = "specbuild.hcl"

// errParked is no answer yet: the request waits for a load.
var errParked = errors.New("waiting for the first load")

// folder is one load: what `specbuild validate` of its argument would read.
type folder struct {
	arg   string // absolute: "/src/shop/web", or "/src/shop/..." of a workspace
	base  string // the folder that names in diagnostics start from
	dirty bool   // a text has changed since the last load began
	done  bool   // there was a load

	spec    *spec.Spec // of the last load that gave one; nil if none has
	reads   []string   // absolute paths of the files that it read
	found   map[string][]finding
	fetched map[string]string // folders of modules from outside, by source
}

// loaded is what a load gives back to the loop.
type loaded struct {
	*folder
	spec    *spec.Spec
	diags   diag.List
	texts   map[string]*text // what the editor had, by path
	fetched map[string]string
	stopped bool
}

// argument is what is loaded for a file; empty where its syntax is all that
// can be judged.
func argument(path string) string {
	dir, base := filepath.Split(path)
	dir = filepath.Clean(dir)
	switch {
	case base == workspaceFile:
		return filepath.Join(dir, "...")
	case isYAML(base), base == "image.hcl", strings.HasSuffix(base, ".image.hcl"):
		return dir
	}
	return ""
}

// isYAML takes the ending that is refused too: the loader says so.
func isYAML(base string) bool {
	name, ext := strings.TrimSuffix(base, filepath.Ext(base)), filepath.Ext(base)
	return (ext == ".yaml" || ext == ".yml") && (name == "image" || strings.HasSuffix(name, ".image"))
}

func (s *server) didOpen(p didOpen) {
	path, ok := pathOf(p.TextDocument.URI)
	if !ok {
		return
	}
	d := &document{uri: p.TextDocument.URI, path: path, version: p.TextDocument.Version, text: newText([]byte(p.TextDocument.Text))}
	s.docs[path] = d
	if arg := argument(path); arg != "" && s.folders[arg] == nil {
		s.folders[arg] = &folder{arg: arg, base: s.baseOf(path)}
	}
	s.touch(d, 0)
}

// baseOf is the innermost folder of the editor that a file lies in, or its own.
func (s *server) baseOf(path string) string {
	best := ""
	for _, root := range s.roots {
		if rel, err := filepath.Rel(root, path); err == nil && filepath.IsLocal(rel) && len(root) > len(best) {
			best = root
		}
	}
	if best == "" {
		return filepath.Dir(path)
	}
	return best
}

func (s *server) didChange(p didChange) {
	d, err := s.document(p.TextDocument)
	if err != nil {
		return
	}
	// Requests that wait were asked about the text as it was.
	s.answerParked(argument(d.path))
	for _, c := range p.ContentChanges {
		d.text = d.text.edit(c, s.utf8)
	}
	d.version = p.TextDocument.Version
	s.touch(d, s.opts.Delay)
}

func (s *server) didClose(p didOpen) {
	d, err := s.document(p.TextDocument)
	if err != nil {
		return
	}
	arg := argument(d.path)
	s.answerParked(arg)
	s.touch(d, s.opts.Delay) // the file counts again for those that are open
	delete(s.docs, d.path)
	used := false
	for path := range s.docs {
		used = used || argument(path) == arg
	}
	if f := s.folders[arg]; f != nil && !used {
		delete(s.folders, arg)
		s.publish(slices.Collect(maps.Keys(f.found)))
	}
	if arg == "" {
		s.publish([]string{d.path})
	}
}

// touch says that a file has another text: what reads it is loaded again.
func (s *server) touch(d *document, delay time.Duration) {
	arg := argument(d.path)
	if arg == "" {
		s.publish([]string{d.path})
	}
	for _, f := range s.folders {
		if f.arg == arg || slices.Contains(f.reads, d.path) {
			s.outdate(f)
		}
	}
	s.schedule(delay)
}

// outdate says that a folder has to be read again. A load of it that runs is
// of no use any more.
func (s *server) outdate(f *folder) {
	f.dirty = true
	if s.running != nil && s.loading == f {
		s.running()
	}
}

func (s *server) touchAll() {
	for _, f := range s.folders {
		s.outdate(f)
	}
	s.schedule(s.opts.Delay)
}

// schedule wakes the loop when the delay is over; a new change begins it anew.
func (s *server) schedule(delay time.Duration) { s.wake = time.After(delay) }

// load begins the next load that is due. One runs at a time: several would
// take the machine from the editor itself.
func (s *server) load(ctx context.Context) {
	if s.running != nil || s.wake != nil {
		return
	}
	for _, arg := range slices.Sorted(maps.Keys(s.folders)) {
		f := s.folders[arg]
		if !f.dirty {
			continue
		}
		f.dirty = false
		ctx, cancel := context.WithCancel(ctx)
		s.running, s.loading = cancel, f
		job := s.prepare(f)
		go func() { s.results <- job(ctx) }()
		return
	}
}

// stopLoading ends the load that runs and waits for it.
func (s *server) stopLoading() {
	if s.running != nil {
		s.running()
		<-s.results
	}
}

// prepare takes what a load needs from the state, so that it can run beside it.
func (s *server) prepare(f *folder) func(context.Context) *loaded {
	out := &loaded{folder: f, texts: map[string]*text{}, fetched: map[string]string{}}
	overlay := map[string][]byte{}
	for path, d := range s.docs {
		overlay[path], out.texts[path] = d.text.raw, d.text
	}
	opts := spec.Options{
		Args: []string{f.arg}, Dir: f.base, Env: s.opts.Env, Build: s.opts.Build, Version: s.opts.Version,
		Partial: true, Overlay: overlay,
	}
	if opts.Env == nil {
		opts.Env = func(string) (string, bool) { return "", false }
	}
	modules := s.opts.Modules
	return func(ctx context.Context) *loaded {
		if modules != nil {
			m, end := modules()
			defer end()
			opts.Modules = &recorded{m, out.fetched}
		}
		out.load(ctx, opts)
		out.stopped = ctx.Err() != nil
		return out
	}
}

// load must not take the server with it, whatever the text is: the editor
// would start it again with the same text, and then give up.
func (r *loaded) load(ctx context.Context, opts spec.Options) {
	defer func() {
		if p := recover(); p != nil {
			r.diags = diag.List{{
				Severity: diag.Error, Summary: "Internal error", Detail: fmt.Sprintf("Reading this spec has ended in a defect of specbuild; please report it: %v\n%s", p, debug.Stack()),
			}}
		}
	}()
	r.spec, r.diags = spec.Load(ctx, opts)
}

// recorded remembers where modules from outside lie, for their definitions.
type recorded struct {
	spec.Modules
	dirs map[string]string
}

func (r *recorded) Module(ctx context.Context, root, call string, src spec.Source) (string, error) {
	dir, err := r.Modules.Module(ctx, root, call, src)
	if err == nil {
		r.dirs[src.Fetched()] = dir
	}
	return dir, err
}

// finish takes over what a load has found. What has changed meanwhile is
// loaded again, and what was found before that is about another text.
func (s *server) finish(r *loaded) {
	s.running()
	s.running, s.loading = nil, nil
	f := r.folder
	if s.folders[f.arg] != f {
		return
	}
	f.done = true
	if r.stopped {
		f.dirty = true
		return
	}
	f.fetched = r.fetched
	if r.spec != nil && r.spec.Folders != nil { // what does not parse is answered by what did
		f.spec, f.reads = r.spec, nil
		for name := range r.spec.Files {
			if path, ours := f.path(name); ours {
				f.reads = append(f.reads, path)
			}
		}
	}
	if !f.dirty {
		before := f.found
		f.found = s.findings(r)
		s.publish(append(slices.Collect(maps.Keys(before)), slices.Collect(maps.Keys(f.found))...))
	}
	s.answerParked(f.arg)
}

// park keeps a request until the first load of its folder is there: an editor
// asks as soon as it has opened a file.
func (s *server) park(m message, d *document) bool {
	arg := argument(d.path)
	f := s.folders[arg]
	if f == nil || f.done {
		return false
	}
	s.parked[arg] = append(s.parked[arg], m)
	return true
}

func (s *server) answerParked(arg string) {
	waiting := s.parked[arg]
	delete(s.parked, arg)
	if f := s.folders[arg]; f != nil && len(waiting) > 0 {
		was := f.done
		f.done = true // what is there has to do
		for _, m := range waiting {
			s.handle(m)
		}
		f.done = was
	}
}
