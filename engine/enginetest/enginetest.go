// Package enginetest is the conformance suite that every engine runs: what a
// graph means, as trees of files. Two engines that pass it give the same
// files, modes, owners and links for the same graph; how they pack them into
// layers is their own business.
//
// Trees are written one entry a line, sorted by path:
//
//	d 0755 0:0 etc
//	f 0644 0:0 etc/motd hello
//	l 0777 0:0 etc/mtab ../proc/mounts
//	h etc/b etc/a
//	p 0644 0:0 run/fifo
//
// A file's content stands behind its path as Go would quote it, without the
// quotes.
package enginetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/layer"
)

// Case is one story: a graph, and the tree or the failure that it comes to.
type Case struct {
	Name  string
	Build func(b *Builder)
	Want  string // the tree, without the suite's own tools
	Fails string // part of the error where the case must fail
	Root  bool   // it runs commands
}

// Platform is what the suite builds for: this machine's.
var Platform = "linux/" + runtime.GOARCH

// toolDir holds the one static program of roots that run something. It is not
// part of what is compared.
const toolDir = ".t"

// Run runs every case on a new engine.
func Run(t *testing.T, newEngine func(t *testing.T) engine.Engine) {
	t.Helper()
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			if c.Root {
				needShell(t)
			}
			runCase(t, newEngine(t), c)
		})
	}
}

func runCase(t *testing.T, e engine.Engine, c Case) {
	t.Helper()
	b := newBuilder(t)
	c.Build(b)
	results, err := e.Run(t.Context(), b.graph(), func(engine.Event) {})
	if c.Fails != "" {
		if err == nil {
			t.Fatalf("it was built, and must fail with %q", c.Fails)
		}
		if !strings.Contains(err.Error(), c.Fails) {
			t.Fatalf("it failed with %q, wanted %q", err, c.Fails)
		}
		return
	}
	if err != nil {
		var se *engine.StepError
		if asStep(err, &se) {
			t.Fatalf("%v\n%s", err, se.Output)
		}
		t.Fatal(err)
	}
	got, err := Tree(t.Context(), results[0].Images[0])
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(c.Want), "\n")
	if c.Want == "" {
		want = nil
	}
	for i := range want {
		want[i] = strings.TrimSpace(want[i])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
}

func needShell(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it runs commands")
	}
	if _, err := exec.LookPath("busybox"); err != nil {
		if os.Getenv("SPECBUILD_TEST_REQUIRE") != "" {
			t.Fatal("busybox is required here")
		}
		t.Skip("needs busybox (busybox-static)")
	}
}

// Tree lists the merged tree of an image's layers in the suite's notation.
func Tree(ctx context.Context, img engine.Image) ([]string, error) {
	tree, contents, err := merged(ctx, img)
	if err != nil {
		return nil, err
	}
	var lines []string
	for e := range tree.Walk("") {
		if e.Path == "" || e.Path == toolDir || strings.HasPrefix(e.Path, toolDir+"/") {
			continue
		}
		lines = append(lines, line(e, contents))
	}
	return lines, nil
}

// shown is the size up to which a file's content is part of its line.
const shown = 4096

func merged(ctx context.Context, img engine.Image) (*layer.Tree, map[string]string, error) {
	contents := map[string]string{}
	var tocs []*layer.TOC
	for _, l := range img.Layers {
		toc, err := readLayer(ctx, l, contents)
		if err != nil {
			return nil, nil, err
		}
		tocs = append(tocs, toc)
	}
	tree, err := layer.Merge(tocs...)
	return tree, contents, err
}

func readLayer(ctx context.Context, l engine.Layer, contents map[string]string) (*layer.TOC, error) {
	r, err := l.Tar(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	dir, err := os.MkdirTemp("", "enginetest-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	toc, diffID, _, err := layer.Unpack(r, dir, layer.UnpackOptions{Unprivileged: true})
	if err != nil {
		return nil, err
	}
	if diffID != l.DiffID() {
		return nil, fmt.Errorf("a layer says it is %s, its tar is %s", l.DiffID(), diffID)
	}
	for _, e := range toc.Entries {
		if e.Type != layer.File || e.Size > shown {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Path))
		if err != nil {
			return nil, err
		}
		contents[e.Digest] = string(b)
	}
	return toc, nil
}

func line(e layer.Entry, contents map[string]string) string {
	path := unquoted(e.Path)
	head := fmt.Sprintf("%c %04o %d:%d %s", e.Type, e.Mode, e.UID, e.GID, path)
	switch e.Type {
	case layer.Hardlink:
		return fmt.Sprintf("h %s %s", path, unquoted(e.Link))
	case layer.Symlink:
		return head + " " + unquoted(e.Link)
	case layer.File:
		if e.Size > shown {
			return head + " " + fmt.Sprintf("(%d bytes)", e.Size)
		}
		for name, v := range e.Xattrs {
			head += fmt.Sprintf(" {%s=%s}", name, v)
		}
		return strings.TrimSpace(head + " " + unquoted(contents[e.Digest]))
	default:
		return head
	}
}

// unquoted is a string as Go quotes it, without the quotes.
func unquoted(s string) string {
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}
