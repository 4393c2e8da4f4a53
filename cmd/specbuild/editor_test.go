package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// patience is how long an answer may take. It is generous: the machines that
// run these tests do other things too.
const patience = 30 * time.Second

// editor is the other side of `specbuild lsp`: a process of its own, spoken
// to over its standard streams as an editor does.
type editor struct {
	t    *testing.T
	dir  string
	cmd  *exec.Cmd
	in   io.WriteCloser
	errs bytes.Buffer

	received chan reply
	sent     int
	utf8     bool
	answers  map[string]reply
	found    map[string]judgement // by file, the last that was judgement
	asked    []string             // methods of the server's own requests
	texts    map[string]string
	versions map[string]int
}

type reply struct {
	ID     json.RawMessage `json:"id"` // the server's own are texts
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
	err error
}

type judgement struct {
	URI         string        `json:"uri"`
	Version     *int          `json:"version"`
	Diagnostics []shownInLine `json:"diagnostics"`
}

type shownInLine struct {
	Range    lineRange `json:"range"`
	Severity int       `json:"severity"`
	Message  string    `json:"message"`
	Related  []struct {
		Location struct {
			URI   string    `json:"uri"`
			Range lineRange `json:"range"`
		} `json:"location"`
		Message string `json:"message"`
	} `json:"relatedInformation"`
}

type lineRange struct {
	Start linePos `json:"start"`
	End   linePos `json:"end"`
}

type linePos struct {
	Line      int `json:"line"`
	Character int `json:"character"`
}

// edit opens a folder with an editor, as far as initialized.
func edit(t *testing.T, dir, capabilities string) *editor {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	e := &editor{
		t: t, dir: dir, received: make(chan reply, 1000), answers: map[string]reply{}, found: map[string]judgement{},
		texts: map[string]string{}, versions: map[string]int{},
	}
	// The test program is specbuild where it is called so (TestMain).
	e.cmd = &exec.Cmd{Path: exe, Args: []string{"specbuild", "lsp", "--stdio"}, Dir: t.TempDir(), Stderr: &e.errs}
	e.cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(dir, ".cache"), "HOME="+dir)
	if e.in, err = e.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := e.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = e.cmd.Process.Kill()
		_ = e.cmd.Wait()
	})
	go e.read(bufio.NewReader(out))

	params, err := os.ReadFile(filepath.Join("testdata", "lsp", capabilities+".json"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("ROOTURI", "file://"+dir, "ROOTPATH", dir).Replace(string(params))
	var result struct {
		Capabilities struct {
			PositionEncoding string `json:"positionEncoding"`
		} `json:"capabilities"`
	}
	e.call("initialize", json.RawMessage(text), &result)
	e.utf8 = result.Capabilities.PositionEncoding == "utf-8"
	e.notify("initialized", map[string]any{})
	return e
}

// read takes messages off the stream until it ends. Anything between them is a
// broken stream.
func (e *editor) read(r *bufio.Reader) {
	defer close(e.received)
	for {
		header, err := textproto.NewReader(r).ReadMIMEHeader()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				e.received <- reply{err: err}
			}
			return
		}
		n, err := strconv.Atoi(header.Get("Content-Length"))
		if err != nil {
			e.received <- reply{err: err}
			return
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(r, body); err != nil {
			e.received <- reply{err: err}
			return
		}
		var m reply
		m.err = json.Unmarshal(body, &m)
		e.received <- m
	}
}

func (e *editor) send(m any) {
	e.t.Helper()
	body, err := json.Marshal(m)
	if err != nil {
		e.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(e.in, "Content-Length: %d\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n%s", len(body), body); err != nil {
		e.t.Fatalf("the server has gone: %v\n%s", err, e.errs.String())
	}
}

func (e *editor) notify(method string, params any) {
	e.t.Helper()
	e.send(map[string]any{"jsonrpc": "2.0", "method": method, "params": params})
}

// request sends one and does not wait.
func (e *editor) request(method string, params any) (id int) {
	e.t.Helper()
	e.sent++
	e.send(map[string]any{"jsonrpc": "2.0", "id": e.sent, "method": method, "params": params})
	return e.sent
}

// answer waits for what a request comes to.
func (e *editor) answer(id int) reply {
	e.t.Helper()
	e.until(fmt.Sprintf("an answer to request %d", id), func() bool { _, ok := e.answers[strconv.Itoa(id)]; return ok })
	return e.answers[strconv.Itoa(id)]
}

// call sends a request and decodes its result.
func (e *editor) call(method string, params, result any) {
	e.t.Helper()
	r := e.answer(e.request(method, params))
	if r.Error != nil {
		e.t.Fatalf("%s: %d %s", method, r.Error.Code, r.Error.Message)
	}
	if err := json.Unmarshal(r.Result, result); err != nil {
		e.t.Fatalf("%s: %v in %s", method, err, r.Result)
	}
}

// until takes messages until a condition holds.
func (e *editor) until(what string, done func() bool) {
	e.t.Helper()
	late := time.After(patience)
	for !done() {
		select {
		case m, ok := <-e.received:
			if !ok {
				e.t.Fatalf("the server has ended, without %s\n%s", what, e.errs.String())
			}
			e.take(m)
		case <-late:
			e.t.Fatalf("there is no %s after %s", what, patience)
		}
	}
}

func (e *editor) take(m reply) {
	e.t.Helper()
	switch {
	case m.err != nil:
		e.t.Fatalf("what comes is not the protocol: %v", m.err)
	case m.Method == "textDocument/publishDiagnostics":
		var p judgement
		if err := json.Unmarshal(m.Params, &p); err != nil {
			e.t.Fatal(err)
		}
		e.found[e.file(p.URI)] = p
	case m.Method != "" && m.ID != nil:
		e.asked = append(e.asked, m.Method)
		e.send(map[string]any{"jsonrpc": "2.0", "id": m.ID, "result": nil})
	case m.ID != nil:
		if _, twice := e.answers[string(m.ID)]; twice {
			e.t.Errorf("request %s was answered twice", m.ID)
		}
		e.answers[string(m.ID)] = m
	}
}

func (e *editor) uri(file string) string { return "file://" + filepath.Join(e.dir, file) }

func (e *editor) file(uri string) string {
	rel, _ := filepath.Rel(e.dir, strings.TrimPrefix(uri, "file://"))
	return rel
}

func (e *editor) document(file string) map[string]any { return map[string]any{"uri": e.uri(file)} }

// open opens a file as it is on disk.
func (e *editor) open(file string) {
	e.t.Helper()
	src, err := os.ReadFile(filepath.Join(e.dir, file))
	if err != nil {
		e.t.Fatal(err)
	}
	e.texts[file], e.versions[file] = string(src), 1
	language := "hcl"
	if filepath.Ext(file) == ".yaml" {
		language = "yaml"
	}
	e.notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{
		"uri": e.uri(file), "languageId": language, "version": 1, "text": string(src),
	}})
}

// at is the place right behind a piece of a file's text.
func (e *editor) at(file, piece string) linePos {
	e.t.Helper()
	before, _, ok := strings.Cut(e.texts[file], piece)
	if !ok {
		e.t.Fatalf("%s has no %q:\n%s", file, piece, e.texts[file])
	}
	return e.pos(before + piece)
}

func (e *editor) pos(before string) linePos {
	line := before[strings.LastIndexByte(before, '\n')+1:]
	p := linePos{Line: strings.Count(before, "\n"), Character: len(line)}
	if !e.utf8 {
		p.Character = len(utf16.Encode([]rune(line)))
	}
	return p
}

// typeBehind types a text behind a piece of the file, a letter at a time.
func (e *editor) typeBehind(file, piece, text string) {
	e.t.Helper()
	for _, letter := range text {
		e.replaceIn(file, piece, "", string(letter))
		piece += string(letter)
	}
}

// replaceIn replaces what stands behind a piece of the file.
func (e *editor) replaceIn(file, piece, old, text string) {
	e.t.Helper()
	before, after, ok := strings.Cut(e.texts[file], piece+old)
	if !ok {
		e.t.Fatalf("%s has no %q:\n%s", file, piece+old, e.texts[file])
	}
	e.versions[file]++
	e.texts[file] = before + piece + text + after
	e.notify("textDocument/didChange", map[string]any{
		"textDocument": map[string]any{"uri": e.uri(file), "version": e.versions[file]},
		"contentChanges": []any{map[string]any{
			"range": lineRange{e.pos(before + piece), e.pos(before + piece + old)}, "rangeLength": len(utf16.Encode([]rune(old))), "text": text,
		}},
	})
}

// judged waits until what was published is about the text as it is now.
func (e *editor) judged(file string) []shownInLine {
	e.t.Helper()
	e.until(fmt.Sprintf("judgement of version %d of %s", e.versions[file], file), func() bool {
		p, ok := e.found[file]
		return ok && p.Version != nil && *p.Version == e.versions[file]
	})
	return e.found[file].Diagnostics
}

// quit ends in order and gives the exit code.
func (e *editor) quit() int {
	e.t.Helper()
	if r := e.answer(e.request("shutdown", nil)); r.Error != nil || string(r.Result) != "null" {
		e.t.Errorf("shutdown: %v %s", r.Error, r.Result)
	}
	e.notify("exit", nil)
	return e.ended()
}

// ended waits for the end of the process.
func (e *editor) ended() int {
	e.t.Helper()
	for m := range e.received {
		e.take(m)
	}
	if err := e.cmd.Wait(); err != nil && e.cmd.ProcessState == nil {
		e.t.Fatal(err)
	}
	return e.cmd.ProcessState.ExitCode()
}
