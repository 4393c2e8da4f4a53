package progress

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/lower/dag"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func story() []engine.Event {
	return []engine.Event{
		{Kind: engine.Note, Text: "wrote specbuild.lock"},
		{Kind: engine.Finished, Node: "a", Name: "image.web", Title: "packages nginx", Cached: true},
		{Kind: engine.Started, Node: "b", Name: "stage.build", Title: "run make", Time: start},
		{Kind: engine.Started, Node: "c", Name: "stage.test", Title: "run false", Time: start},
		{Kind: engine.Output, Node: "b", Text: "compiling\n"},
		{Kind: engine.Output, Node: "c", Text: "broken\n"},
		{Kind: engine.Output, Node: "b", Text: "linking\x1b[2J\n"},
		{Kind: engine.Finished, Node: "c", Name: "stage.test", Title: "run false", Err: errors.New("exit status 1")},
		{Kind: engine.Finished, Node: "b", Name: "stage.build", Title: "run make", Elapsed: 1500 * time.Millisecond},
	}
}

func TestPlainKeepsOutputInOnePiece(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := Plain(&out, Options{Verbose: true})
	for _, e := range story() {
		p.Event(e)
	}
	p.Close()
	want := strings.Join([]string{
		"  wrote specbuild.lock",
		"· image.web  packages nginx  cached",
		"✗ stage.test  run false  failed",
		"✓ stage.build  run make  1.5 s",
		"    compiling",
		"    linking�[2J",
		"",
	}, "\n")
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPlainIsQuietAboutOutputUnlessAsked(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := Plain(&out, Options{})
	for _, e := range story() {
		p.Event(e)
	}
	p.Close()
	if strings.Contains(out.String(), "compiling") {
		t.Errorf("output of a step that succeeded was shown:\n%s", out.String())
	}
}

// What took no time worth telling ends with its name, not with spaces.
func TestNoTrailingSpace(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := Plain(&out, Options{Color: true})
	p.Event(engine.Event{Kind: engine.Finished, Node: "a", Name: "image.web", Title: "copy site", Elapsed: time.Millisecond})
	p.Close()
	if got, want := out.String(), "\x1b[32m✓\x1b[0m image.web  copy site\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A note that each platform gives is printed once, on a terminal too.
func TestTheSameNoteIsPrintedOnce(t *testing.T) {
	t.Parallel()
	size := func() int { return 40 }
	for name, printer := range map[string]func(*bytes.Buffer) Printer{
		"plain":    func(b *bytes.Buffer) Printer { return Plain(b, Options{}) },
		"terminal": func(b *bytes.Buffer) Printer { return Terminal(b, Options{Width: size, Height: size}) },
	} {
		var out bytes.Buffer
		p := printer(&out)
		for _, text := range []string{"warning: perl", "warning: python", "warning: perl"} {
			p.Event(engine.Event{Kind: engine.Note, Text: text})
		}
		p.Close()
		if got, want := out.String(), "  warning: perl\n  warning: python\n"; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestJSONLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := JSON(&out)
	for _, e := range story() {
		p.Event(e)
	}
	p.Close()
	var kinds []string
	for line := range strings.Lines(out.String()) {
		var l Line
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		kinds = append(kinds, l.Event)
		if l.Event == "finished" && l.Step == "c" && l.Error != "exit status 1" {
			t.Errorf("the failure is missing: %q", line)
		}
	}
	if got, want := strings.Join(kinds, " "), "note finished started started output output output finished finished"; got != want {
		t.Errorf("events %q, want %q", got, want)
	}
}

// screen plays what a terminal would show: enough of it for our two escapes.
func screen(s string) []string {
	lines := []string{""}
	row := 0
	for len(s) > 0 {
		if rest, ok := strings.CutPrefix(s, "\x1b["); ok {
			n := 0
			i := 0
			for rest[i] >= '0' && rest[i] <= '9' {
				n = n*10 + int(rest[i]-'0')
				i++
			}
			switch rest[i] {
			case 'A':
				row -= n
			case 'J':
				lines = append(lines[:row], "")
			}
			s = rest[i+1:]
			continue
		}
		if s[0] == '\n' {
			row++
			if row == len(lines) {
				lines = append(lines, "")
			}
			s = s[1:]
			continue
		}
		lines[row] += s[:1]
		s = s[1:]
	}
	return lines
}

func TestTerminalShowsWhatRunsAndLeavesWhatIsDone(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := &terminal{
		w: &out, book: newBook(),
		o: Options{
			Width: func() int { return 40 }, Height: func() int { return 12 },
			Now: func() time.Time { return start.Add(2 * time.Second) },
		},
		done: make(chan struct{}), idle: make(chan struct{}),
	}
	close(p.idle)
	events := story()
	for _, e := range events[:7] {
		p.Event(e)
	}
	p.draw("")
	got := strings.Join(screen(out.String()), "\n")
	want := strings.Join([]string{
		"  wrote specbuild.lock",
		"· image.web  packages nginx  cached",
		"▸ stage.build  run make  2.0 s  linkin…",
		"▸ stage.test  run false  2.0 s  broken",
		"",
	}, "\n")
	if got != want {
		t.Errorf("while running:\n%s\nwant\n%s", got, want)
	}
	for _, e := range events[7:] {
		p.Event(e)
	}
	p.Close()
	got = strings.Join(screen(out.String()), "\n")
	if strings.Contains(got, "▸") || !strings.Contains(got, "✓ stage.build  run make  1.5 s") {
		t.Errorf("after the end:\n%s", got)
	}
}

func TestTerminalFoldsManySteps(t *testing.T) {
	t.Parallel()
	p := &terminal{book: newBook(), o: Options{
		Width: func() int { return 80 }, Height: func() int { return 12 },
		Now: func() time.Time { return start.Add(time.Minute) },
	}}
	for _, id := range []dag.ID{"1", "2", "3", "4", "5", "6", "7"} {
		p.book.note(engine.Event{Kind: engine.Started, Node: id, Name: "n", Title: string(id), Time: start})
	}
	lines := p.live()
	if len(lines) != 5 || lines[4] != "  and 3 more" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

func TestTailOfTransfers(t *testing.T) {
	t.Parallel()
	b := newBook()
	s := b.note(engine.Event{Kind: engine.Progress, Node: "a", Text: "downloading", Done: 1_500_000, Total: 10_400_000})
	if got, want := s.tail(), "downloading 1.5 MB of 10.4 MB"; got != want {
		t.Errorf("tail %q, want %q", got, want)
	}
}

func TestBytes(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 12_345: "12 kB", 35_700_000: "35.7 MB", 2_500_000_000: "2.50 GB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}
