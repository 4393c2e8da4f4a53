package sandbox

import (
	"context"
	"slices"
	"sync"
)

// spares hold processes that were started before somebody asked for a run, so
// that the run need not wait for one: starting this program takes longer than
// all the mounts of a run. A spare has its namespaces and nothing of any run;
// it waits for its job, is used for one, and ends with us or with the context
// that it was expected in, whichever comes first.
//
// There is at most one of a kind. While a run uses it the next one starts, if
// a run is still expected.
type spares struct {
	mu   sync.Mutex
	kind map[string]*stock
}

// stock is what there is for one kind of run.
type stock struct {
	expected []context.Context // one a run that was announced and has not come
	idle     *process
	forget   func() bool // the end of idle's context does nothing any more
}

// expect notes that a run will likely be asked for before ctx ends.
func (s *spares) expect(ctx context.Context, b birth) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := b.key()
	if s.kind == nil {
		s.kind = map[string]*stock{}
	}
	if s.kind[k] == nil {
		s.kind[k] = &stock{}
	}
	st := s.kind[k]
	st.expected = append(st.expected, ctx)
	s.fill(st, b)
}

// take gives a process for a run that was asked for: the spare, or a new one.
func (s *spares) take(b birth) *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.kind[b.key()]
	if st == nil {
		return newProcess(b)
	}
	if st.prune(); len(st.expected) > 0 {
		st.expected = st.expected[1:]
	}
	p := st.idle
	if p == nil || !st.forget() {
		return newProcess(b) // there is none, or it is being ended
	}
	st.idle = nil
	if p.gone() {
		p.kill() // somebody else has ended it
		return newProcess(b)
	}
	return p
}

// refill starts the next spare, once the run that took the last one has it.
func (s *spares) refill(b birth) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.kind[b.key()]; st != nil {
		s.fill(st, b)
	}
}

// fill starts a spare where one is missing. s is locked.
func (s *spares) fill(st *stock, b birth) {
	if st.prune(); st.idle != nil || len(st.expected) == 0 {
		return
	}
	p := newProcess(b)
	st.idle = p
	st.forget = context.AfterFunc(st.expected[0], func() {
		s.mu.Lock()
		if st.idle == p {
			st.idle = nil
		}
		s.mu.Unlock()
		p.kill()
	})
}

// prune forgets runs whose context has ended.
func (st *stock) prune() {
	st.expected = slices.DeleteFunc(st.expected, func(ctx context.Context) bool { return ctx.Err() != nil })
}
