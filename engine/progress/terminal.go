package progress

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/specbuild/specbuild/engine"
)

// Terminal keeps the running steps at the bottom, each with its time and the
// tail of what it prints, and lets finished ones scroll by above.
func Terminal(w io.Writer, o Options) Printer {
	t := &terminal{w: w, o: o, book: newBook(), done: make(chan struct{}), idle: make(chan struct{})}
	go t.refresh()
	return t
}

type terminal struct {
	mu    sync.Mutex
	w     io.Writer
	o     Options
	book  *book
	drawn int // lines of the live part that are on the screen
	once  sync.Once
	done  chan struct{}
	idle  chan struct{}
}

// frame is the time between two pictures: fluent to the eye, and below one
// per cent of a core.
const frame = 100 * time.Millisecond

// showAfter keeps steps that are over at once from flickering by.
const showAfter = 50 * time.Millisecond

func (t *terminal) refresh() {
	defer close(t.idle)
	tick := time.NewTicker(frame)
	defer tick.Stop()
	for {
		select {
		case <-t.done:
			return
		case <-tick.C:
			t.mu.Lock()
			t.draw("")
			t.mu.Unlock()
		}
	}
}

func (t *terminal) Event(e engine.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Kind == engine.Note {
		if t.book.first(e.Text) {
			t.draw("  " + printable(e.Text) + "\n")
		}
		return
	}
	s := t.book.note(e)
	if e.Kind == engine.Finished {
		var above strings.Builder
		writeFinished(&above, s, e, t.o)
		t.draw(above.String())
	}
}

// Close removes the live part.
func (t *terminal) Close() {
	t.once.Do(func() {
		close(t.done)
		<-t.idle
		t.mu.Lock()
		defer t.mu.Unlock()
		fmt.Fprint(t.w, t.erase())
		t.drawn = 0
	})
}

func (t *terminal) erase() string {
	if t.drawn == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\x1b[J", t.drawn)
}

// draw replaces the live part, with text above it, in one write, so that
// nothing flickers.
func (t *terminal) draw(above string) {
	var b strings.Builder
	b.WriteString(t.erase())
	b.WriteString(above)
	lines := t.live()
	for _, l := range lines {
		b.WriteString(l)
		b.WriteByte('\n')
	}
	if b.Len() == 0 {
		return
	}
	t.drawn = len(lines)
	fmt.Fprint(t.w, b.String())
}

// live is one line for each running step, at most a third of the screen.
func (t *terminal) live() []string {
	now := t.o.now()
	width, most := t.o.Width(), max(3, t.o.Height()/3)
	var lines []string
	var rest int
	for _, s := range t.book.running() {
		took := now.Sub(s.since)
		if took < showAfter {
			continue
		}
		if len(lines) == most {
			rest++
			continue
		}
		line := fmt.Sprintf("▸ %s  %s", s.label(), seconds(took))
		if tail := s.tail(); tail != "" {
			line += "  " + tail
		}
		lines = append(lines, clip(line, width))
	}
	if rest > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", rest))
	}
	return lines
}

// clip cuts a line to the width, so that it does not wrap: the count of lines
// to erase must be right.
func clip(s string, width int) string {
	if width < 2 || utf8.RuneCountInString(s) < width {
		return s
	}
	r := []rune(s)
	return string(r[:width-2]) + "…"
}
