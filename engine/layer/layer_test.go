package layer

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parse reads entries as lines of a table of contents, in any order. A
// content may follow a file's line after " = "; its size and digest are not
// written then.
func parse(t *testing.T, text string) []Item {
	t.Helper()
	var items []Item
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		line, content, isFile := strings.Cut(line, " = ")
		if isFile {
			words := strings.SplitN(line, " ", 5) // f mode uid gid "path" …
			line = strings.Join(words[:4], " ") + fmt.Sprintf(" %d - ", len(content)) + words[4]
		}
		e, err := decodeEntry(line)
		if err != nil {
			t.Fatalf("bad line %q in a test: %v", line, err)
		}
		item := Item{Entry: e}
		if isFile {
			item.Open = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }
		}
		items = append(items, item)
	}
	return items
}

// tocOf is a table of entries written as for parse, in order, with digests.
func tocOf(t *testing.T, text string) *TOC {
	t.Helper()
	w, err := Write(io.Discard, parse(t, text))
	if err != nil {
		t.Fatal(err)
	}
	if w.Empty {
		return &TOC{}
	}
	return w.TOC
}

func treeOf(t *testing.T, layers ...string) *Tree {
	t.Helper()
	var tocs []*TOC
	for _, text := range layers {
		tocs = append(tocs, tocOf(t, text))
	}
	tree, err := Merge(tocs...)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// lines prints entries without the digests of files.
func lines[T Entry | Item](list []T) string {
	var out strings.Builder
	for _, v := range list {
		var e Entry
		switch v := any(v).(type) {
		case Entry:
			e = v
		case Item:
			e = v.Entry
		}
		e.Digest = ""
		out.WriteString(strings.Replace(e.String(), " - ", " ", 1) + "\n")
	}
	return out.String()
}

func (t *Tree) entries() []Entry {
	var out []Entry
	for e := range t.Walk("") {
		out = append(out, e)
	}
	return out
}

// text takes the indentation of a literal away.
func text(s string) string {
	var out strings.Builder
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			out.WriteString(line + "\n")
		}
	}
	return out.String()
}

func equal(t *testing.T, got, want string) {
	t.Helper()
	if diff := cmp.Diff(text(want), got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// wantError checks that an error is there and says something.
func wantError(t *testing.T, err error, says string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one that says %q", says)
	}
	if !strings.Contains(err.Error(), says) {
		t.Fatalf("error %q does not say %q", err, says)
	}
}

// writeTar makes a layer of items.
func writeTar(t *testing.T, items []Item) ([]byte, Written) {
	t.Helper()
	var out bytes.Buffer
	w, err := Write(&out, items)
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), w
}

// rawTar writes headers as they are, for tars that Write refuses to make.
func rawTar(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range headers {
		content := h.PAXRecords["TEST.content"]
		h.PAXRecords = nil
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(content))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content[:min(len(content), int(h.Size))]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

func needTool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("needs %s", name)
	}
	return path
}
