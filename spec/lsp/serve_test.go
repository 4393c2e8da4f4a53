package lsp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/specbuild/specbuild/spec"
)

// framed is messages as they go over the wire.
func framed(bodies ...string) string {
	var out bytes.Buffer
	for _, b := range bodies {
		if err := writeMessage(&out, json.RawMessage(b)); err != nil {
			panic(err)
		}
	}
	return out.String()
}

const hello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`

// served is what a server answers to a stream that ends.
func served(t *testing.T, in string) (answers string, err error) {
	t.Helper()
	var out bytes.Buffer
	err = Serve(context.Background(), strings.NewReader(in), &out, Options{})
	return out.String(), err
}

func TestServeAnswersBrokenMessages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"no JSON", framed(hello) + "Content-Length: 1\r\n\r\n{", `"error":{"code":-32700`},
		{"neither method nor id", framed(hello, `{"jsonrpc":"2.0"}`), `"error":{"code":-32600`},
		{"an id that is an object", framed(hello, `{"id":{},"method":"shutdown"}`), `"error":{"code":-32700`},
		{"a request before initialize", framed(`{"id":7,"method":"shutdown"}`), `"id":7,"error":{"code":-32002`},
		{"a header in small letters, and others", "content-length: 32\r\nX: y\r\n\r\n" + `{"id":"a","method":"initialize"}`, `"id":"a"`},
		{"an unknown notification", framed(hello, `{"method":"$/nothing"}`, `{"id":2,"method":"shutdown"}`), `"id":2,"result":null`},
		{"an unknown request", framed(hello, `{"id":"b","method":"textDocument/nothing"}`), `"id":"b","error":{"code":-32601`},
		{"an answer that nobody waits for", framed(hello, `{"id":99,"result":null}`, `{"id":2,"method":"shutdown"}`), `"id":2,"result":null`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got, _ := served(t, c.in); !strings.Contains(got, c.want) {
				t.Errorf("answered %q, without %q", got, c.want)
			}
		})
	}
}

func TestServeEnds(t *testing.T) {
	t.Parallel()
	shutdown, exit := `{"id":2,"method":"shutdown"}`, `{"method":"exit"}`
	for _, c := range []struct {
		name, in string
		want     error
	}{
		{"in order", framed(hello, shutdown, exit), nil},
		{"before shutdown", framed(hello, exit), ErrNoShutdown},
		{"at once", "", ErrNoShutdown},
		{"with its stream, after shutdown", framed(hello, shutdown), nil},
		{"in the middle of a header", framed(hello) + "Content-Le", io.ErrUnexpectedEOF},
		{"in the middle of a message", framed(hello) + "Content-Length: 10\r\n\r\n{", io.ErrUnexpectedEOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := served(t, c.in)
			if c.want == nil && err != nil || c.want != nil && err == nil {
				t.Errorf("ended with %v, want %v", err, c.want)
			}
			if errors.Is(c.want, ErrNoShutdown) && !errors.Is(err, ErrNoShutdown) {
				t.Errorf("ended with %v, want %v", err, c.want)
			}
		})
	}
	for _, header := range []string{"hello\r\n\r\n", "Content-Length: x\r\n\r\n", "Content-Length: -1\r\n\r\n", "Content-Length: 99999999999\r\n\r\n", "X: y\r\n\r\n"} {
		if _, err := served(t, header); err == nil || errors.Is(err, ErrNoShutdown) {
			t.Errorf("the header %q: %v", header, err)
		}
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	in, stay := io.Pipe()
	defer stay.Close()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, in, io.Discard, Options{}) }()
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it goes on")
	}
}

func TestServeEndsWithoutAReader(t *testing.T) {
	t.Parallel()
	out, in := io.Pipe()
	out.Close()
	err := Serve(context.Background(), strings.NewReader(framed(hello)), in, Options{})
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("ended with %v", err)
	}
}

// A request that waits for the first load, or in the queue, is answered once,
// as cancelled.
func TestCancelledRequests(t *testing.T) {
	t.Parallel()
	dir := tree(t, shop)
	var out bytes.Buffer
	s := newServer(&out, Options{})
	s.initialized = true
	path := filepath.Join(dir, "web", "image.hcl")
	s.didOpen(didOpen{textDocument{URI: "file://" + path, Text: ""}})
	params := json.RawMessage(`{"textDocument":{"uri":"file://` + path + `"},"position":{"line":0,"character":0}}`)
	hover := func(id string) message {
		return message{ID: json.RawMessage(id), Method: "textDocument/hover", Params: params}
	}
	s.handle(hover("1"))
	s.accept(incoming{message: hover("2")})
	if out.Len() > 0 {
		t.Fatalf("answered before the file was read: %s", out.String())
	}
	for _, id := range []string{"1", "2", "3"} {
		s.accept(incoming{message: message{Method: "$/cancelRequest", Params: json.RawMessage(`{"id":` + id + `}`)}})
	}
	settle(s)
	if got := strings.Count(out.String(), `"code":-32800`); got != 2 || len(s.queue) != 0 {
		t.Errorf("%d requests were cancelled, %d are left: %s", got, len(s.queue), out.String())
	}
	if strings.Contains(out.String(), `"result"`) {
		t.Errorf("answered all the same: %s", out.String())
	}
}

// What has changed while it was being read is read again, and nothing is said
// of the older text.
func TestTheLatestTextWins(t *testing.T) {
	t.Parallel()
	dir := tree(t, shop)
	var out bytes.Buffer
	s := newServer(&out, Options{})
	path := filepath.Join(dir, "web", "more.image.hcl")
	uri := "file://" + path
	s.didOpen(didOpen{textDocument{URI: uri, Version: 1, Text: "stage \"x\" {\n}\n"}})
	s.wake = nil
	s.load(context.Background())
	s.didChange(didChange{textDocument{URI: uri, Version: 2}, []change{{Text: "stage \"x\" {\n  from = scratch\n}\n"}}})
	settle(s)
	for s.running != nil {
		s.finish(<-s.results)
		settle(s)
	}
	if strings.Contains(out.String(), `"from"`) || !strings.Contains(out.String(), `"version":2`) {
		t.Errorf("published: %s", out.String())
	}
	s.didChange(didChange{textDocument{URI: uri, Version: 3}, []change{{Text: "stage \"x\" {\n}\n"}}})
	s.wake = nil
	s.load(context.Background())
	s.stopLoading() // the server ends while it reads
}

// fetchedFrom gives a folder for every module from outside.
type fetchedFrom string

func (f fetchedFrom) Module(context.Context, string, string, spec.Source) (string, error) {
	return string(f), nil
}

// What is wrong in a module that was fetched is shown at its call: nobody can
// mend it where it is. Names lead into it all the same.
func TestModulesFromOutside(t *testing.T) {
	t.Parallel()
	lib := tree(t, "-- go/image.hcl --\nvariable \"region\" {\n  type = string\n}\nstage \"app\" {\n  from = scratch\n  run {\n    command = [var.regoin]\n  }\n}\n")
	dir := tree(t, "-- image.hcl --\nmodule \"far\" {\n  source = \"git::https://git.example.com/lib.git//go?ref=v1\"\n  region = \"eu\"\n}\nstage \"x\" {\n  from = module.far.stage.app\n}\n")
	ended := 0
	s, p := opened(t, dir, "image.hcl", mark)
	s.opts.Modules = func() (spec.Modules, func()) { return fetchedFrom(lib), func() { ended++ } }
	path := filepath.Join(dir, "image.hcl")
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := s.docs[path]
	d.text = newText(src)
	s.touch(d, 0)
	settle(s)
	found := s.published[path]
	if len(found) != 1 || !strings.Contains(found[0].Message, "regoin") || found[0].Range.Start.Line != 0 || len(found[0].Related) != 1 {
		t.Fatalf("found %v", found)
	}
	if want := "file://" + filepath.Join(lib, "go", "image.hcl"); found[0].Related[0].Location.URI != want || len(s.published) != 1 {
		t.Errorf("the other place is %v, published is %v", found[0].Related, s.published)
	}
	if ended != 1 {
		t.Errorf("the modules of %d loads were let go", ended)
	}
	for piece, want := range map[string]int{"module.far.stage.a": 3, "lib.git//g": 0} {
		p.Position = d.text.position(strings.Index(string(src), piece)+len(piece), s.utf8)
		answer, err := s.definition(message{}, p)
		if err != nil {
			t.Fatal(err)
		}
		places, _ := answer.([]location)
		if len(places) != 1 || places[0].URI != "file://"+filepath.Join(lib, "go", "image.hcl") || places[0].Range.Start.Line != want {
			t.Errorf("%s leads to %v", piece, places)
		}
	}
}

// Of a policy the syntax is judged; another tool's files are left alone.
func TestOtherFiles(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{"a.policy.hcl": 1, "terragrunt.hcl": 0, "values.yaml": 0, "image.yml": 1} {
		dir := tree(t, "-- image.yml --\na: b\n")
		s := newServer(io.Discard, Options{})
		path := filepath.Join(dir, name)
		s.didOpen(didOpen{textDocument{URI: "file://" + path, Text: "a = {\n"}})
		settle(s)
		if got := len(s.published[path]); got != want {
			t.Errorf("%s: %v", name, s.published[path])
		}
	}
}

func TestFilesOfURIs(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"file:///src/my%20shop/image.hcl": "/src/my shop/image.hcl",
		"file:///src/%C3%A9/image.hcl":    "/src/é/image.hcl",
		"untitled:Untitled-1":             "",
		"file://":                         "",
		"%zz":                             "",
	} {
		got, ok := pathOf(uri)
		if filepath.ToSlash(got) != want || ok != (want != "") {
			t.Errorf("%s is %q, %t", uri, got, ok)
		}
	}
	s := newServer(io.Discard, Options{})
	if got := s.uri(filepath.FromSlash("/src/my shop/é.hcl")); got != "file:///src/my%20shop/%C3%A9.hcl" {
		t.Errorf("the URI is %s", got)
	}
}
