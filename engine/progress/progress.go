// Package progress shows events to a person or a machine: a live picture on a
// terminal, one line a step elsewhere, JSON lines for programs.
//
// Output of steps that run at the same time is never mixed: a step's output
// comes in one piece when it has finished. That of a failed step is left to
// who prints the error.
package progress

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/lower/dag"
)

// Printer shows events. Event may be called by several goroutines; Close ends
// what is live and must be called before anything else is printed.
type Printer interface {
	Event(engine.Event)
	Close()
}

// Options is how to show events.
type Options struct {
	Width   func() int // columns of the terminal
	Height  func() int // rows of the terminal
	Color   bool
	Verbose bool             // show output of steps that succeed
	Now     func() time.Time // nil is time.Now
}

func (o Options) now() time.Time {
	if o.Now != nil {
		return o.Now()
	}
	return time.Now()
}

// Quiet shows nothing.
func Quiet() Printer { return quiet{} }

type quiet struct{}

func (quiet) Event(engine.Event) {}
func (quiet) Close()             {}

// JSON writes one object a line; its fields are those of Line.
func JSON(w io.Writer) Printer { return &jsonLines{enc: json.NewEncoder(w)} }

// Line is an event as programs read it. Times are RFC 3339, durations
// seconds.
type Line struct {
	Time    time.Time `json:"time"`
	Event   string    `json:"event"` // started, output, progress, finished, note
	Step    string    `json:"step,omitempty"`
	Name    string    `json:"name,omitempty"`
	Title   string    `json:"title,omitempty"`
	Text    string    `json:"text,omitempty"`
	Done    int64     `json:"done,omitempty"`
	Total   int64     `json:"total,omitempty"`
	Cached  bool      `json:"cached,omitempty"`
	Seconds float64   `json:"seconds,omitempty"`
	Error   string    `json:"error,omitempty"`
}

type jsonLines struct {
	mu  sync.Mutex
	enc *json.Encoder
}

func (j *jsonLines) Event(e engine.Event) {
	l := Line{
		Time: e.Time, Event: kindName(e.Kind), Step: string(e.Node), Name: e.Name, Title: e.Title, Text: e.Text,
		Done: e.Done, Total: e.Total, Cached: e.Cached, Seconds: e.Elapsed.Seconds(),
	}
	if e.Err != nil {
		l.Error = e.Err.Error()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	_ = j.enc.Encode(l) // nobody is left to tell when standard output is gone
}

func (j *jsonLines) Close() {}

func kindName(k engine.EventKind) string {
	return [...]string{"started", "output", "progress", "finished", "note"}[k]
}

// Plain writes one line when a step has finished, and one every ten seconds
// for a step that takes long.
func Plain(w io.Writer, o Options) Printer {
	p := &plain{w: w, o: o, book: newBook(), done: make(chan struct{})}
	go p.heartbeat()
	return p
}

type plain struct {
	mu   sync.Mutex
	w    io.Writer
	o    Options
	book *book
	once sync.Once
	done chan struct{}
}

// beat is how often a long step is mentioned: often enough for CI systems
// that kill silent jobs, seldom enough not to fill a log.
const beat = 10 * time.Second

func (p *plain) heartbeat() {
	t := time.NewTicker(beat)
	defer t.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-t.C:
			p.mu.Lock()
			for _, s := range p.book.running() {
				if took := p.o.now().Sub(s.since); took >= beat {
					fmt.Fprintf(p.w, "  … %s  %s  %s\n", s.label(), seconds(took), s.tail())
				}
			}
			p.mu.Unlock()
		}
	}
}

func (p *plain) Event(e engine.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.Kind == engine.Note {
		if p.book.first(e.Text) {
			fmt.Fprintln(p.w, "  "+printable(e.Text))
		}
		return
	}
	s := p.book.note(e)
	if e.Kind == engine.Finished {
		writeFinished(p.w, s, e, p.o)
	}
}

func (p *plain) Close() { p.once.Do(func() { close(p.done) }) }

// writeFinished prints a finished step and, if asked, its output.
func writeFinished(w io.Writer, s *step, e engine.Event, o Options) {
	mark, note := "✓", seconds(e.Elapsed)
	switch {
	case e.Err != nil:
		mark, note = "✗", "failed"
	case e.Cached:
		mark, note = "·", "cached"
	}
	line := paint(o.Color, mark, e) + " " + s.label()
	if note != "" {
		line += "  " + dim(o.Color, note)
	}
	fmt.Fprintln(w, line)
	if o.Verbose && e.Err == nil {
		for line := range strings.Lines(s.output.String()) {
			fmt.Fprintf(w, "    %s\n", printable(strings.TrimRight(line, "\n")))
		}
	}
}

func paint(on bool, mark string, e engine.Event) string {
	switch {
	case !on:
		return mark
	case e.Err != nil:
		return "\x1b[31m" + mark + "\x1b[0m"
	case e.Cached:
		return "\x1b[2m" + mark + "\x1b[0m"
	default:
		return "\x1b[32m" + mark + "\x1b[0m"
	}
}

func dim(on bool, s string) string {
	if !on || s == "" {
		return s
	}
	return "\x1b[2m" + s + "\x1b[0m"
}

// step is what a printer remembers of a node.
type step struct {
	name, title string
	since       time.Time
	output      strings.Builder
	text        string // the last Progress text
	done, total int64
}

func (s *step) label() string {
	if s.name == "" {
		return printable(s.title)
	}
	return printable(s.name + "  " + s.title)
}

// tail is the last line of output, or how far a transfer is.
func (s *step) tail() string {
	if s.total > 0 {
		return fmt.Sprintf("%s %s of %s", s.text, Bytes(s.done), Bytes(s.total))
	}
	if s.done > 0 {
		return fmt.Sprintf("%s %s", s.text, Bytes(s.done))
	}
	out := strings.TrimRight(s.output.String(), "\r\n \t")
	if i := strings.LastIndexAny(out, "\r\n"); i >= 0 {
		out = out[i+1:]
	}
	if out == "" {
		out = s.text
	}
	return printable(out)
}

// book keeps the steps that are under way, in the order in which they began,
// and what was noted.
type book struct {
	steps map[dag.ID]*step
	order []dag.ID
	notes map[string]bool
}

func newBook() *book { return &book{steps: map[dag.ID]*step{}, notes: map[string]bool{}} }

// first reports whether a note is new: what is found on each platform is said
// once.
func (b *book) first(note string) bool {
	seen := b.notes[note]
	b.notes[note] = true
	return !seen
}

func (b *book) note(e engine.Event) *step {
	s, ok := b.steps[e.Node]
	if !ok {
		s = &step{name: e.Name, title: e.Title, since: e.Time}
		b.steps[e.Node] = s
		b.order = append(b.order, e.Node)
	}
	switch e.Kind {
	case engine.Output:
		s.output.WriteString(e.Text)
	case engine.Progress:
		s.text, s.done, s.total = e.Text, e.Done, e.Total
	case engine.Finished:
		delete(b.steps, e.Node)
	}
	return s
}

func (b *book) running() []*step {
	var out []*step
	live := b.order[:0]
	for _, id := range b.order {
		if s, ok := b.steps[id]; ok {
			out = append(out, s)
			live = append(live, id)
		}
	}
	b.order = live
	return out
}

// printable shows control characters, so that what a step prints cannot move
// the cursor or change the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0):
			return '�'
		default:
			return r
		}
	}, s)
}

// Bytes says a size in the units that people compare: 1 MB is 10^6 bytes.
func Bytes(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000*1000:
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	case n < 1000*1000*1000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	default:
		return fmt.Sprintf("%.2f GB", float64(n)/1e9)
	}
}

func seconds(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return ""
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	default:
		return d.Truncate(time.Second).String()
	}
}
