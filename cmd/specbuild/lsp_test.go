package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
)

func unpackTree(t *testing.T, archive string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range append(txtar.Parse([]byte(archive)).Files, txtar.File{Name: ".git/HEAD"}) {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const lspShop = `
-- specbuild.hcl --
base "corporate" {
  image = "registry.example.com/base:1"
}
-- web/image.hcl --
# 😀 the shop's pages
base "go" {
  image = "golang:1.25"
}

stage "build" {
}

image "web" {
  from   = scratch
  run_as = "1:1"
}
-- lib/image.hcl --
variable "region" {
  type = string
}
stage "app" {
  from = scratch
}
-- shop/image.yaml --
base:
  go: {image: "golang:1.25"}
stage:
  build:
    from: base.go
    # 😀
    env: {NAME: "😀"}
image:
  shop:
    from: scratch
    run_as: "1:1"
`

func labels(t *testing.T, e *editor, params map[string]any) []string {
	t.Helper()
	var list struct {
		Items []struct {
			Label    string `json:"label"`
			TextEdit struct {
				NewText string `json:"newText"`
			} `json:"textEdit"`
		} `json:"items"`
	}
	e.call("textDocument/completion", params, &list)
	var out []string
	for _, i := range list.Items {
		out = append(out, i.Label)
	}
	return out
}

// A session as VS Code has it: everything over the wire, letter by letter.
func TestLSPWithVSCode(t *testing.T) {
	t.Parallel()
	const file = "web/image.hcl"
	e := edit(t, unpackTree(t, lspShop), "vscode")
	if e.utf8 {
		t.Error("an editor that knows UTF-16 alone was given UTF-8")
	}
	e.notify("$/setTrace", map[string]any{"value": "off"})
	e.open(file)
	missing := e.judged(file)
	if len(missing) != 1 || !strings.Contains(missing[0].Message, `"from"`) || missing[0].Range.Start.Line != 5 {
		t.Errorf("the stage without from: %v", missing)
	}
	if !slices.Contains(e.asked, "client/registerCapability") {
		t.Error("it has not asked to be told of changes of files")
	}

	// The author types `from = base.`, and the editor asks at the dot.
	e.typeBehind(file, "stage \"build\" {", "\n  from = base.")
	complete := func() map[string]any {
		return map[string]any{
			"textDocument": e.document(file), "position": e.at(file, "from = base."),
			"context": map[string]any{"triggerKind": 2, "triggerCharacter": "."},
		}
	}
	if got := labels(t, e, complete()); !slices.Equal(got, []string{"go"}) {
		t.Errorf("behind base. there is %q", got)
	}
	if found := e.judged(file); len(found) == 0 {
		t.Error("half a reference is no mistake")
	}
	e.typeBehind(file, "from = base.", "goo")
	found := e.judged(file)
	if len(found) != 1 || !strings.Contains(found[0].Message, "goo") {
		t.Fatalf("a name that is not declared: %v", found)
	}

	// The fix that the editor offers at the light bulb.
	var actions []struct {
		Title, Kind string
		Edit        struct {
			Changes map[string][]struct {
				Range   lineRange `json:"range"`
				NewText string    `json:"newText"`
			} `json:"changes"`
		} `json:"edit"`
	}
	e.call("textDocument/codeAction", map[string]any{
		"textDocument": e.document(file), "range": found[0].Range, "context": map[string]any{"diagnostics": found, "triggerKind": 2},
	}, &actions)
	if len(actions) != 1 || actions[0].Kind != "quickfix" || len(actions[0].Edit.Changes[e.uri(file)]) != 1 {
		t.Fatalf("actions: %v", actions)
	}
	change := actions[0].Edit.Changes[e.uri(file)][0]
	if change.NewText != ".go" || change.Range != (lineRange{e.at(file, "from = base"), e.at(file, "from = base.goo")}) {
		t.Errorf("the fix is %v", change)
	}
	e.replaceIn(file, "from = base", ".goo", change.NewText)
	if left := e.judged(file); len(left) != 0 {
		t.Errorf("after the fix: %v", left)
	}

	vscodeAsks(t, e, file)
	e.notify("textDocument/willSave", map[string]any{"textDocument": e.document(file), "reason": 1})
	e.notify("textDocument/didSave", map[string]any{"textDocument": e.document(file)})
	e.notify("textDocument/didClose", map[string]any{"textDocument": e.document(file)})
	if code := e.quit(); code != 0 {
		t.Errorf("exit code %d\n%s", code, e.errs.String())
	}
}

// vscodeAsks is what the editor asks while nothing is typed.
func vscodeAsks(t *testing.T, e *editor, file string) {
	t.Helper()
	var hover struct {
		Contents struct{ Kind, Value string } `json:"contents"`
	}
	e.call("textDocument/hover", map[string]any{"textDocument": e.document(file), "position": e.at(file, "from = ba")}, &hover)
	if hover.Contents.Kind != "markdown" || !strings.Contains(hover.Contents.Value, "**base.go** — base") {
		t.Errorf("hover: %v", hover)
	}
	var places []struct {
		URI   string    `json:"uri"`
		Range lineRange `json:"range"`
	}
	e.call("textDocument/definition", map[string]any{"textDocument": e.document(file), "position": e.at(file, "from = base.g")}, &places)
	if len(places) != 1 || places[0].URI != e.uri(file) || places[0].Range.Start != (linePos{1, 0}) {
		t.Errorf("definition: %v", places)
	}
	e.call("textDocument/references", map[string]any{
		"textDocument": e.document(file), "position": e.at(file, "base \"g"), "context": map[string]any{"includeDeclaration": true},
	}, &places)
	if len(places) != 2 || places[1].Range.Start != e.at(file, "from = ") {
		t.Errorf("references: %v", places)
	}
	var symbols []struct {
		Name     string `json:"name"`
		Children []any  `json:"children"`
	}
	e.call("textDocument/documentSymbol", map[string]any{"textDocument": e.document(file)}, &symbols)
	if len(symbols) != 3 || symbols[1].Name != "stage build" {
		t.Errorf("symbols: %v", symbols)
	}
	e.replaceIn(file, "from = base.go", "", "\n      workdir =    \"/\"")
	var edits []struct {
		Range   lineRange `json:"range"`
		NewText string    `json:"newText"`
	}
	e.call("textDocument/formatting", map[string]any{"textDocument": e.document(file), "options": map[string]any{"tabSize": 2, "insertSpaces": true}}, &edits)
	if len(edits) != 2 || edits[0].NewText != "  from    = base.go\n" || edits[1].NewText != "  workdir = \"/\"\n" {
		t.Errorf("formatting: %v", edits)
	}
	if r := e.answer(e.request("textDocument/prepareCallHierarchy", map[string]any{"textDocument": e.document(file)})); r.Error == nil || r.Error.Code != -32601 {
		t.Errorf("an unknown method: %v", r.Error)
	}
	if r := e.answer(e.request("textDocument/hover", map[string]any{"textDocument": e.document("closed.hcl"), "position": linePos{}})); r.Error == nil || r.Error.Code != -32602 {
		t.Errorf("a file that is not open: %v", r.Error)
	}
}

// A session as Neovim has it: UTF-8, YAML, one change for what was typed in
// insert mode, no watching of files.
func TestLSPWithNeovim(t *testing.T) {
	t.Parallel()
	const file = "shop/image.yaml"
	e := edit(t, unpackTree(t, lspShop), "neovim")
	if !e.utf8 {
		t.Error("an editor that prefers UTF-8 was not given it")
	}
	e.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{}})
	e.open(file)
	if found := e.judged(file); len(found) != 0 {
		t.Errorf("a right spec: %v", found)
	}
	e.typeBehind(file, "env: {NAME: \"😀\"", ", X: \"${base.go}\"")
	found := e.judged(file)
	if len(found) != 1 || found[0].Range.Start.Line != 6 || found[0].Range.Start.Character < e.at(file, "\"😀\"").Character {
		t.Errorf("a reference in a text, behind one of four bytes: %v", found)
	}
	e.replaceIn(file, "\"😀\"", ", X: \"${base.go}\"", "")
	e.typeBehind(file, "\"😀\"}\n", "    steps:\n      - r")
	got := labels(t, e, map[string]any{
		"textDocument": e.document(file), "position": e.at(file, "steps:\n      - r"), "context": map[string]any{"triggerKind": 1},
	})
	if !slices.Contains(got, "run") || slices.Contains(got, "from") {
		t.Errorf("the steps: %q", got)
	}
	e.replaceIn(file, "steps:\n      - ", "r", "run: {command: [\"true\"]}\n")
	if found := e.judged(file); len(found) != 0 {
		t.Errorf("a step: %v", found)
	}
	e.notify("textDocument/didClose", map[string]any{"textDocument": e.document(file)})
	if code := e.quit(); code != 0 {
		t.Errorf("exit code %d\n%s", code, e.errs.String())
	}
}

// Where two places are at fault, both are shown, and a mistake in another file
// of the module stands in that file.
func TestLSPDiagnosticsOfOtherFiles(t *testing.T) {
	t.Parallel()
	e := edit(t, unpackTree(t, lspShop+`
-- web/more.image.hcl --
base "go" {
  image = "golang:1.24"
}
`), "vscode")
	e.open("web/image.hcl")
	e.until("a mistake in the other file", func() bool { return len(e.found["web/more.image.hcl"].Diagnostics) > 0 })
	found := e.found["web/more.image.hcl"].Diagnostics
	if len(found) != 1 || len(found[0].Related) != 1 || found[0].Related[0].Location.URI != e.uri("web/image.hcl") {
		t.Fatalf("declared twice: %v", found)
	}
	if e.found["web/more.image.hcl"].Version != nil {
		t.Error("a file that is not open has a version")
	}
	e.replaceIn("web/image.hcl", "base \"go", "", "lang")
	e.replaceIn("web/image.hcl", "stage \"build\" {", "", "\n  from = base.go")
	e.until("no mistake in the other file", func() bool { return len(e.found["web/more.image.hcl"].Diagnostics) == 0 })

	// What was wrong in a file that is closed is wrong no longer for anybody.
	e.replaceIn("web/image.hcl", "base \"golang", "", "!")
	e.judged("web/image.hcl")
	e.notify("textDocument/didClose", map[string]any{"textDocument": e.document("web/image.hcl")})
	e.until("an empty list", func() bool { return len(e.found["web/image.hcl"].Diagnostics) == 0 })
	if code := e.quit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// What a template's file says is judged for those that call it, unsaved.
func TestLSPModulesSeeUnsavedText(t *testing.T) {
	t.Parallel()
	e := edit(t, unpackTree(t, lspShop+`
-- app/image.hcl --
module "lib" {
  source = "//lib"
  region = "eu"
}
image "app" {
  from   = module.lib.stage.app
  run_as = "1:1"
}
`), "vscode")
	e.open("app/image.hcl")
	if found := e.judged("app/image.hcl"); len(found) != 0 {
		t.Fatalf("a right spec: %v", found)
	}
	e.open("lib/image.hcl")
	e.judged("lib/image.hcl")
	e.replaceIn("lib/image.hcl", "variable \"region", "", "s")
	e.until("a mistake of the caller", func() bool { return len(e.found["app/image.hcl"].Diagnostics) > 0 })
	e.replaceIn("lib/image.hcl", "variable \"region", "s", "")
	e.until("no mistake of the caller", func() bool { return len(e.found["app/image.hcl"].Diagnostics) == 0 })
	if code := e.quit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// A file that is opened before it is saved for the first time.
func TestLSPNewFile(t *testing.T) {
	t.Parallel()
	e := edit(t, unpackTree(t, "-- empty/README --\n"), "neovim")
	e.texts["empty/image.hcl"], e.versions["empty/image.hcl"] = "stage \"x\" {\n}\n", 1
	e.notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{
		"uri": e.uri("empty/image.hcl"), "languageId": "hcl", "version": 1, "text": e.texts["empty/image.hcl"],
	}})
	if found := e.judged("empty/image.hcl"); len(found) != 1 || !strings.Contains(found[0].Message, `"from"`) {
		t.Errorf("a new file: %v", found)
	}
	if code := e.quit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestLSPCancelsRequests(t *testing.T) {
	t.Parallel()
	e := edit(t, unpackTree(t, lspShop), "vscode")
	e.open("web/image.hcl")
	params := map[string]any{"textDocument": e.document("web/image.hcl"), "position": linePos{6, 0}}
	// The first waits for the file to be read, so the cancellation finds it.
	id := e.request("textDocument/completion", params)
	e.notify("$/cancelRequest", map[string]any{"id": id})
	other := e.request("textDocument/completion", params)
	if r := e.answer(id); r.Error == nil && r.Result == nil || r.Error != nil && r.Error.Code != -32800 {
		t.Errorf("a request that was cancelled: %v %s", r.Error, r.Result)
	}
	if r := e.answer(other); r.Error != nil {
		t.Errorf("the other request: %v", r.Error)
	}
	e.notify("$/cancelRequest", map[string]any{"id": 99999})
	if code := e.quit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestLSPEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end  func(e *editor)
		code int
	}{
		"exit without shutdown": {func(e *editor) { e.notify("exit", nil) }, 1},
		"the editor is gone":    {func(e *editor) { e.in.Close() }, 1},
		"gone after shutdown": {func(e *editor) {
			e.answer(e.request("shutdown", nil))
			e.in.Close()
		}, 0},
		"a request after shutdown": {func(e *editor) {
			e.answer(e.request("shutdown", nil))
			if r := e.answer(e.request("textDocument/hover", map[string]any{})); r.Error == nil || r.Error.Code != -32600 {
				e.t.Errorf("a request after shutdown: %v", r.Error)
			}
			e.notify("exit", nil)
		}, 0},
		"what is no message": {func(e *editor) { fmt.Fprint(e.in, "hello\r\n\r\n") }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := edit(t, unpackTree(t, lspShop), "neovim")
			c.end(e)
			if code := e.ended(); code != c.code {
				t.Errorf("exit code %d, want %d\n%s", code, c.code, e.errs.String())
			}
		})
	}
}

func TestLSPBrokenMessages(t *testing.T) {
	t.Parallel()
	e := edit(t, unpackTree(t, lspShop), "neovim")
	fmt.Fprint(e.in, "Content-Length: 5\r\n\r\n{\"a\":")
	if r := e.answer(e.request("textDocument/hover", "no object")); r.Error == nil || r.Error.Code != -32602 {
		t.Errorf("params of another type: %v", r.Error)
	}
	if r := e.answer(e.request("initialize", map[string]any{})); r.Error == nil || r.Error.Code != -32600 {
		t.Errorf("a second initialize: %v", r.Error)
	}
	if code := e.quit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// An editor opens what one only wants to look at: nothing is run, fetched or
// written.
func TestLSPOnlyReads(t *testing.T) {
	t.Parallel()
	dir := unpackTree(t, "-- marker/.keep --\n")
	spec := `secret "token" {
  command = ["touch", "` + dir + `/marker/ran"]
}
module "far" {
  source = "git::https://git.invalid/x.git?ref=v1"
}
base "go" {
  image = "registry.invalid/go:1"
}
image "web" {
  from   = base.go
  run_as = "1:1"
  run {
    command = ["true"]
    mount "secret" {
      secret = secret.token
    }
  }
}
`
	if err := os.WriteFile(filepath.Join(dir, "image.hcl"), []byte(spec), 0o644); err != nil {
		t.Fatal(err)
	}
	e := edit(t, dir, "vscode")
	e.open("image.hcl")
	found := e.judged("image.hcl")
	if len(found) != 1 || !strings.Contains(found[0].Message, "was not fetched yet") || found[0].Range.Start.Line != 4 {
		t.Errorf("a module that was not fetched: %v", found)
	}
	var hover json.RawMessage
	e.call("textDocument/hover", map[string]any{"textDocument": e.document("image.hcl"), "position": e.at("image.hcl", "secret = secret.to")}, &hover)
	e.notify("textDocument/didSave", map[string]any{"textDocument": e.document("image.hcl")})
	if code := e.quit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, name := range []string{"marker/ran", "specbuild.lock"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s was written", name)
		}
	}
}

// A keystroke reads the module that it is in, however many there are.
func TestLSPReadsOneModuleOfMany(t *testing.T) {
	t.Parallel()
	var archive strings.Builder
	archive.WriteString("-- specbuild.hcl --\nworkspace {\n  members = [\"services/*\"]\n}\nbase \"go\" {\n  image = \"golang:1.25\"\n}\n")
	for i := range 200 {
		fmt.Fprintf(&archive, "-- services/s%03d/image.hcl --\n", i)
		fmt.Fprintf(&archive, "stage \"build\" {\n  from = workspace.base.go\n  copy {\n    to = \"/src/\"\n  }\n  run {\n    command = [\"make\"]\n  }\n}\nimage \"web\" {\n  from   = scratch\n  run_as = \"1:1\"\n  copy {\n    from = stage.build\n    source = \"/out\"\n    to = \"/\"\n  }\n  labels = {}\n}\nstage \"wrong%d\" {\n}\n", i)
	}
	e := edit(t, unpackTree(t, archive.String()), "vscode")
	const file = "services/s117/image.hcl"
	e.open(file)
	if found := e.judged(file); len(found) != 1 {
		t.Fatalf("the stage without from: %v", found)
	}
	var took []time.Duration
	for i := range 10 {
		began := time.Now()
		e.replaceIn(file, "labels = {", "", fmt.Sprintf("a%d = \"x\", ", i))
		e.judged(file)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("from a keystroke to its diagnostics: %s in the middle of ten, of which %s are the pause", took[5], typingPause)
	for name := range e.found {
		if name != file && len(e.found[name].Diagnostics) > 0 {
			t.Errorf("%s was read too", name)
		}
	}
	if code := e.quit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
