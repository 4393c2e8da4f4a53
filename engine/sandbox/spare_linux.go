package sandbox

import (
	"context"
	"slices"
	"sync"
)

// spares hold servers that were started before somebody asked for a run, or
// have served one, so that a run need not wait for one: starting this program
// takes longer than all the mounts of a run. A spare has the namespaces of the
// next run ready and nothing else of it; it waits for a job, and ends with us,
// or when no run is expected any more.
//
// One of a kind is started ahead. Runs at the same time have one each, and
// leave them to those that are expected.
type spares struct {
	mu   sync.Mutex
	kind map[string]*stock
}

// stock is what there is for one kind of run.
type stock struct {
	expected []context.Context // one a run that was announced and has not come
	idle     []spare
}

// spare is a server that waits.
type spare struct {
	*process
	forget func() bool // the end of the context that it waits in does nothing any more
}

// expect notes that a run will likely be asked for before ctx ends.
func (s *spares) expect(ctx context.Context, b birth) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := b.key()
	if s.kind == nil {
		s.kind = map[string]*stock{}
	}
	st := s.kind[k]
	if st == nil {
		st = &stock{}
		s.kind[k] = st
	}
	st.expected = append(st.expected, ctx)
	if len(st.idle) == 0 {
		s.keep(st, newProcess(b))
	}
}

// take gives a server for a run that was asked for, a spare or a new one, and
// says whether more runs are expected.
func (s *spares) take(b birth) (p *process, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.kind[b.key()]
	if st == nil {
		return newProcess(b), false
	}
	if st.prune(); len(st.expected) > 0 {
		st.expected = st.expected[1:]
	}
	more = len(st.expected) > 0
	for n := len(st.idle); n > 0; n = len(st.idle) {
		last := st.idle[n-1]
		st.idle = st.idle[:n-1]
		if !last.forget() {
			continue // it is being ended
		}
		if !last.gone() {
			return last.process, more
		}
		last.kill() // somebody else has ended it
	}
	return newProcess(b), more
}

// put keeps a server that has served a run for the next one, or ends it where
// none is expected.
func (s *spares) put(b birth, p *process) {
	s.mu.Lock()
	st := s.kind[b.key()]
	if st != nil {
		st.prune()
	}
	needed := st != nil && len(st.idle) < len(st.expected)
	if needed {
		s.keep(st, p)
	}
	s.mu.Unlock()
	if !needed {
		p.kill()
	}
}

// keep has a server wait until the context of a run ends that is expected.
// s is locked.
func (s *spares) keep(st *stock, p *process) {
	forget := context.AfterFunc(st.expected[len(st.expected)-1], func() {
		s.mu.Lock()
		st.idle = slices.DeleteFunc(st.idle, func(w spare) bool { return w.process == p })
		s.mu.Unlock()
		p.kill()
	})
	st.idle = append(st.idle, spare{p, forget})
}

// prune forgets runs whose context has ended.
func (st *stock) prune() {
	st.expected = slices.DeleteFunc(st.expected, func(ctx context.Context) bool { return ctx.Err() != nil })
}
