package source

import (
	"context"
	"sync"

	"github.com/moby/patternmatcher"
)

// task is a piece of work on a context: a folder to read, some files to look
// at or to hash.
type task func(*worker) error

// worker is what a goroutine has for itself.
type worker struct {
	docker *patternmatcher.PatternMatcher // compiles as it goes, and so is not shared; nil if there is nothing to match
}

// pool runs tasks last in, first out, so that few folders are open at once.
// Whoever calls run works itself. Others help while the view has a token left:
// a small context is read without any hand-over, and 200 of them at once keep
// no more goroutines busy than one does.
type pool struct {
	ctx    context.Context
	tree   *contents
	filter *filter

	mu      sync.Mutex
	wake    sync.Cond
	tasks   []task
	helpers int
	err     error
}

func newPool(ctx context.Context, t *contents, f *filter) *pool {
	p := &pool{ctx: ctx, tree: t, filter: f}
	p.wake.L = &p.mu
	return p
}

// add adds a task, and asks for help if there are more than the one that this
// goroutine does next.
func (p *pool) add(t task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return
	}
	p.tasks = append(p.tasks, t)
	p.wake.Signal()
	if len(p.tasks) < 2 {
		return
	}
	select {
	case p.tree.view.tokens <- struct{}{}:
		p.helpers++
		go p.help()
	default:
	}
}

// run works until there are no tasks, or one fails; tasks that were added and
// not begun are dropped then.
func (p *pool) run() error {
	w := &worker{docker: p.tree.matcher(p.filter)}
	defer p.tree.idle(w.docker)
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		p.work(w)
		if p.helpers == 0 && len(p.tasks) == 0 {
			return p.err
		}
		p.wake.Wait()
	}
}

func (p *pool) help() {
	w := &worker{docker: p.tree.matcher(p.filter)}
	defer p.tree.idle(w.docker)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.work(w)
	p.helpers--
	<-p.tree.view.tokens
	p.wake.Broadcast()
}

// work does tasks while there are any. The lock is held, but for the tasks.
func (p *pool) work(w *worker) {
	for len(p.tasks) > 0 {
		t := p.tasks[len(p.tasks)-1]
		p.tasks = p.tasks[:len(p.tasks)-1]
		p.mu.Unlock()
		err := context.Cause(p.ctx)
		if err == nil {
			err = t(w)
		}
		p.mu.Lock()
		if err != nil {
			if p.err == nil {
				p.err = err
			}
			p.tasks = nil
		}
	}
}

// matcher gives a matcher that nobody uses now: they compile their patterns
// when these are first needed, which is not to be done again for each copy.
func (t *contents) matcher(f *filter) *patternmatcher.PatternMatcher {
	if len(f.docker) == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.matchers); n > 0 {
		m := t.matchers[n-1]
		t.matchers = t.matchers[:n-1]
		return m
	}
	return f.dockerMatcher()
}

func (t *contents) idle(m *patternmatcher.PatternMatcher) {
	if m != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.matchers = append(t.matchers, m)
	}
}
