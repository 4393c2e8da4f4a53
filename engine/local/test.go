package local

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/layer"
	"github.com/specbuild/specbuild/engine/sandbox"
	"github.com/specbuild/specbuild/lower/dag"
)

// test checks a finished image. Files are always looked at; a command that
// this machine cannot run is told as untested, with the reason.
func (b *build) test(ctx context.Context, id dag.ID) (*engine.Untested, error) {
	s := b.nodes[id]
	op := s.n.Op.(*dag.Test)
	var reason error
	if _, ok := b.known(s); !ok { // what has passed need not be able to run again
		reason = b.cannotTest(op)
	}
	if reason == nil {
		_, err := b.get(ctx, id)
		return nil, err
	}
	err := b.checkFiles(ctx, s.n, op)
	b.left.Add(-1)
	return &engine.Untested{Test: op.Name, Platform: op.Platform, Reason: reason.Error()}, err
}

func (b *build) cannotTest(op *dag.Test) error {
	if len(op.Args) == 0 {
		return nil
	}
	if err := b.o.Machine.CanRun(op.Platform); err != nil {
		return err
	}
	if b.idmap() == "single" && op.User != "" && op.User != "0" && op.User != "0:0" {
		return fmt.Errorf("%w: the test's user is %s, and only 0:0 is mapped; see `specbuild doctor`", errNotRoot, op.User)
	}
	return nil
}

// testStep makes a test's key: the image's content, what it would be started
// with, and the test itself.
func (b *build) testStep(ctx context.Context, s *state, op *dag.Test) (executor, error) {
	img := b.node(s.n.Inputs[0])
	chain, err := b.chain(ctx, img.Inputs[0])
	if err != nil {
		return executor{}, err
	}
	k := cache.NewKey("test v1")
	addRoot(k, chain)
	k.Line("sandbox", sandboxVersion)
	addLines(k, dag.Lines(op)[1:])
	return action(k, func(ctx context.Context) (result, error) {
		if err := b.checkFiles(ctx, s.n, op); err != nil {
			return result{}, err
		}
		if len(op.Args) == 0 {
			return result{}, nil
		}
		return result{}, b.checkCommand(ctx, s.n, op, chain)
	}), nil
}

// checkFiles looks at what must, and must not, be in the image: a question to
// its table of contents.
func (b *build) checkFiles(ctx context.Context, n *dag.Node, op *dag.Test) error {
	root := b.node(n.Inputs[0]).Inputs[0]
	tree, err := b.tree(ctx, root)
	if err != nil {
		return err
	}
	var wrong []string
	for _, f := range op.Files {
		w, err := b.checkFile(ctx, root, tree, f)
		if err != nil {
			return err
		}
		wrong = append(wrong, w...)
	}
	for _, path := range op.Absent {
		if _, err := tree.Resolve(path); err == nil {
			wrong = append(wrong, path+" is in the image, and must be absent")
		}
	}
	if len(wrong) > 0 {
		return b.stepError(n, nil, "", fmt.Errorf("%s", strings.Join(wrong, "; ")))
	}
	return nil
}

func (b *build) checkFile(ctx context.Context, root dag.ID, tree *layer.Tree, f dag.TestFile) ([]string, error) {
	path, err := tree.Resolve(f.Path)
	if err != nil {
		return []string{f.Path + " is not in the image"}, nil //nolint:nilerr // it is the finding
	}
	e, _ := tree.Lookup(path)
	if e.Type == layer.Hardlink {
		_, e, _ = tree.Content(path)
	}
	var wrong []string
	if mode := fmt.Sprintf("%04o", e.Mode); f.Mode != "" && mode != f.Mode {
		wrong = append(wrong, fmt.Sprintf("%s has the mode %s, wanted %s", f.Path, mode, f.Mode))
	}
	if owner := strconv.Itoa(e.UID) + ":" + strconv.Itoa(e.GID); f.Owner != "" && owner != f.Owner {
		wrong = append(wrong, fmt.Sprintf("%s is owned by %s, wanted %s", f.Path, owner, f.Owner))
	}
	if f.Contains == "" {
		return wrong, nil
	}
	content, err := b.readFile(ctx, root, path)
	if err == nil && !bytes.Contains(content, []byte(f.Contains)) {
		wrong = append(wrong, fmt.Sprintf("%s does not contain %q", f.Path, f.Contains))
	}
	return wrong, err
}

// checkCommand runs the test's command in the finished image: its root can be
// written, and is thrown away.
func (b *build) checkCommand(ctx context.Context, n *dag.Node, op *dag.Test, chain []*layerRef) error {
	dirs, err := b.lowers(ctx, chain)
	if err != nil {
		return err
	}
	scratch, err := b.scratch()
	if err != nil {
		return err
	}
	defer b.later.Go(func() { b.sweep(scratch) })
	acc, err := b.account(ctx, b.node(n.Inputs[0]).Inputs[0], op.User)
	if err != nil {
		return err
	}
	both := newOutput(b.hidden(ctx), func(text string) { b.send(n, engine.Event{Kind: engine.Output, Text: text}) })
	var stdout, stderr bytes.Buffer
	exit, err := b.o.Sandbox.Run(ctx, sandbox.Spec{
		Root: sandbox.Root{Lower: dirs, Upper: filepath.Join(scratch, "upper"), Work: filepath.Join(scratch, "work")},
		Args: op.Args, Env: environment(op.Env, acc.home), Workdir: op.Workdir,
		UID: uint32(acc.uid), GID: uint32(acc.gid), Groups: acc.groups,
		Timeout: n.Meta.Timeout,
		Stdout:  &tee{&stdout, both}, Stderr: &tee{&stderr, both},
		IDMap: b.o.Machine.IDMap(), Emulator: b.o.Machine.Emulator(op.Platform),
	})
	text := both.close()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil && (exit.TimedOut || exit.OOM) {
		err = exitError(exit, n.Meta)
	}
	if err != nil {
		return b.stepError(n, op.Args, text, err)
	}
	if wrong := judge(op, exit.Code, stdout.String(), stderr.String()); len(wrong) > 0 {
		return b.stepError(n, op.Args, text, fmt.Errorf("%s", strings.Join(wrong, "; ")))
	}
	return nil
}

// tee keeps one stream apart while the other keeps both in order.
type tee struct {
	own  *bytes.Buffer
	both *output
}

func (t *tee) Write(p []byte) (int, error) {
	t.own.Write(p)
	return t.both.Write(p)
}

// judge compares what a command did with what the test expects.
func judge(op *dag.Test, code int, stdout, stderr string) []string {
	var wrong []string
	if code != op.ExitCode {
		wrong = append(wrong, fmt.Sprintf("exit status %d, wanted %d", code, op.ExitCode))
	}
	for _, s := range []struct {
		name, text        string
		contains, matches []string
	}{
		{"stdout", stdout, op.StdoutContains, op.StdoutMatches},
		{"stderr", stderr, op.StderrContains, op.StderrMatches},
	} {
		for _, want := range s.contains {
			if !strings.Contains(s.text, want) {
				wrong = append(wrong, fmt.Sprintf("%s does not contain %q", s.name, want))
			}
		}
		for _, want := range s.matches {
			re, err := regexp.Compile(want)
			if err != nil || !re.MatchString(s.text) {
				wrong = append(wrong, fmt.Sprintf("%s does not match %q", s.name, want))
			}
		}
	}
	return wrong
}
