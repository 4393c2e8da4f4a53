package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/layer"
	"github.com/specbuild/specbuild/engine/sandbox"
	"github.com/specbuild/specbuild/lower/dag"
)

// sandboxVersion is part of every run's key: it moves when what a step sees
// of the sandbox does (capabilities, seccomp, masked paths, /dev, umask).
const sandboxVersion = "v1"

// runPlan is a run whose inputs are done.
type runPlan struct {
	n       *dag.Node
	op      *dag.Run
	chain   []*layerRef
	tree    *layer.Tree
	account account
	binds   map[int]bind // by index of the mount
}

// run makes the key of a command: its root, its final environment, and what
// its mounts show, but for the content of caches and the values of secrets.
func (b *build) run(ctx context.Context, s *state, op *dag.Run) (executor, error) {
	if err := b.o.Machine.CanRun(op.Platform); err != nil {
		return executor{}, err
	}
	p := &runPlan{n: s.n, op: op, binds: map[int]bind{}}
	var err error
	if p.tree, err = b.tree(ctx, s.n.Inputs[0]); err != nil {
		return executor{}, err
	}
	if p.chain, err = b.chain(ctx, s.n.Inputs[0]); err != nil {
		return executor{}, err
	}
	if p.account, err = b.account(ctx, s.n.Inputs[0], op.User); err != nil {
		return executor{}, err
	}
	k := cache.NewKey(keyTitle(op))
	k.Line("platform", op.Platform)
	addRoot(k, p.chain)
	for _, a := range op.Args {
		k.Line("arg", a)
	}
	for _, kv := range op.Env {
		k.Line("env", kv.Name+"="+kv.Value)
	}
	k.Line("workdir", op.Workdir)
	p.account.key(k)
	k.Line("network", op.Network)
	for _, h := range op.Hosts {
		k.Line("host", h.Name, h.Value)
	}
	k.Line("sandbox", sandboxVersion)
	k.Line("idmap", b.idmap())
	if err := b.mountKeys(ctx, k, p); err != nil {
		return executor{}, err
	}
	k.Line("outputs", strconv.FormatBool(op.OutputsOn))
	for _, o := range op.Outputs {
		k.Line("output", o)
	}
	return action(k, func(ctx context.Context) (result, error) { return b.runStep(ctx, p) }), nil
}

func (b *build) mountKeys(ctx context.Context, k *cache.Key, p *runPlan) error {
	for i, m := range p.op.Mounts {
		switch m.Type {
		case "cache":
			k.Line("mount-cache", m.Target, "ro=false")
		case "tmpfs":
			k.Line("mount-tmpfs", m.Target, fmt.Sprintf("size=%d", m.Size))
		case "ssh":
			k.Line("mount-ssh", m.Target)
		case "secret":
			present := fmt.Sprintf("present=%t", b.counted(p.n, i))
			if m.Env != "" {
				k.Line("env-secret", m.Env, m.Secret, present)
			} else {
				k.Line("mount-secret", m.Target, m.Secret, "mode=0400", "uid="+strconv.Itoa(p.account.uid), present)
			}
		case "bind":
			bd, err := b.bind(ctx, p.n.Inputs[m.Input], m)
			if err != nil {
				return err
			}
			p.binds[i] = bd
			k.Line("mount-bind", m.Target, fmt.Sprintf("writable=%t", m.Writable))
			if err := addItems(k, bd.items); err != nil {
				return err
			}
		}
	}
	return nil
}

// expect tells the sandbox of the commands that will likely run, once a node
// is not known by its definition: its own, and those of all that is made of
// it, whose definitions are then new too. While inputs are made a process for
// the next command can start. An action that turns out to be known makes that
// vain, once.
func (b *build) expect(ctx context.Context, s *state) {
	if s.expected.Swap(true) {
		return
	}
	switch op := s.n.Op.(type) {
	case dag.Scratch, *dag.Local, *dag.Git, *dag.HTTP:
		return // nobody remembers these: that they are not known says nothing
	case *dag.Run:
		if b.o.Machine.CanRun(op.Platform) == nil {
			b.o.Sandbox.Expect(ctx, sandbox.Spec{Network: network(op), IDMap: b.o.Machine.IDMap()})
		}
	case *dag.Test:
		if len(op.Args) > 0 && b.cannotTest(op) == nil {
			b.o.Sandbox.Expect(ctx, sandbox.Spec{IDMap: b.o.Machine.IDMap()})
		}
	}
	for _, above := range s.above {
		b.expect(ctx, above)
	}
}

func network(op *dag.Run) sandbox.Network {
	switch op.Network {
	case "outbound":
		return sandbox.NetworkOutbound
	case "host":
		return sandbox.NetworkHost
	default:
		return sandbox.NetworkNone
	}
}

// runStep runs the command and makes a layer of what it changed.
func (b *build) runStep(ctx context.Context, p *runPlan) (result, error) {
	dirs, err := b.lowers(ctx, p.chain)
	if err != nil {
		return result{}, err
	}
	scratch, err := b.scratch()
	if err != nil {
		return result{}, err
	}
	defer b.later.Go(func() { b.sweep(scratch) })
	root := sandbox.Root{Lower: dirs, Upper: filepath.Join(scratch, "upper"), Work: filepath.Join(scratch, "work")}
	spec, done, secrets, err := b.sandboxSpec(ctx, p, root)
	if err != nil {
		return result{}, err
	}
	defer done()
	out := newOutput(append(b.hidden(ctx), secrets...), func(text string) { b.send(p.n, engine.Event{Kind: engine.Output, Text: text}) })
	spec.Stdout, spec.Stderr = out, out
	exit, err := b.o.Sandbox.Run(ctx, spec)
	text := out.close()
	if err := ctx.Err(); err != nil {
		return result{}, context.Cause(ctx)
	}
	if err == nil {
		err = exitError(exit, p.n.Meta)
	}
	if err != nil {
		command := p.op.Args
		if len(p.op.Shown) > 0 {
			command = p.op.Shown
			if errors.Is(err, sandbox.ErrCommand) {
				err = fmt.Errorf("what is below has no shell, and so no package manager: %w", err)
			}
		}
		se := b.stepError(p.n, command, text, b.explainFull(err))
		if b.o.KeepFailed {
			if kerr := b.keep(se, scratch, root, spec); kerr != nil {
				se.Err = errors.Join(se.Err, kerr)
			}
		}
		return result{}, se
	}
	r, err := b.sealUpper(ctx, p, root.Upper, exit.Stubs)
	r.entry.Output = text
	return r, err
}

// exitError is what went wrong with a command, in words.
func exitError(x sandbox.Exit, meta dag.Meta) error {
	switch {
	case x.TimedOut:
		return fmt.Errorf("it was stopped after %v (`timeout`)", meta.Timeout)
	case x.OOM:
		return fmt.Errorf("it ran out of memory: its limit is %d bytes (`resources.memory`)", meta.Limits.Memory)
	case x.Signal != 0:
		return fmt.Errorf("it was ended by the signal %v", x.Signal)
	case x.Code != 0:
		return fmt.Errorf("exit status %d", x.Code)
	default:
		return nil
	}
}

func (b *build) stepError(n *dag.Node, command []string, output string, err error) *engine.StepError {
	return &engine.StepError{
		Node: n.ID, Name: n.Meta.Name, Title: n.Meta.Title, Range: n.Meta.Range,
		Command: command, Output: output, Err: err,
	}
}

// explainFull adds that the disk is full, where it is: a command says so in
// many words or none.
func (b *build) explainFull(err error) error {
	free, ferr := freeSpace(b.o.Store.Dir())
	if ferr == nil && free < 1<<20 {
		return fmt.Errorf("%w; the disk of the cache %s is full: `specbuild cache prune` makes room", err, b.o.Store.Dir())
	}
	return err
}

// keep leaves a failed step's directories behind, and says how to enter its
// root.
func (b *build) keep(se *engine.StepError, scratch string, root sandbox.Root, spec sandbox.Spec) error {
	dir, err := b.o.Store.Keep(scratch)
	if err != nil {
		return err
	}
	// The kernel mounts no overlay where a volatile one was (overlayfs.rst).
	if err := os.RemoveAll(filepath.Join(dir, filepath.Base(root.Work), "work")); err != nil {
		return err
	}
	se.Kept = filepath.Join(dir, filepath.Base(root.Upper))
	lower := slices.Clone(root.Lower)
	slices.Reverse(lower) // mount(8) wants the highest first
	unshare, option := b.unshare()
	se.Enter = fmt.Sprintf("%[4]s sh -c 'mkdir -p %[1]s/root && mount -t overlay overlay -o %[5]slowerdir=%[2]s,upperdir=%[1]s/upper,workdir=%[1]s/work %[1]s/root && c=$(command -v chroot) && exec env -i %[3]s $c %[1]s/root /bin/sh'",
		dir, strings.Join(lower, ":"), pathOf(spec.Env), unshare, option)
	return nil
}

func pathOf(env []string) string {
	for _, kv := range env {
		if strings.HasPrefix(kv, "PATH=") {
			return kv
		}
	}
	return ""
}

// sealUpper makes a layer of an upper directory, and the directory the
// snapshot of that layer: what a later step stands on is what was just
// written, and no tar is written that nobody reads.
func (b *build) sealUpper(ctx context.Context, p *runPlan, upper string, stubs []string) (result, error) {
	o := layer.UpperOptions{Below: p.tree, Stubs: relative(stubs), UIDs: b.idRanges(true), GIDs: b.idRanges(false), Stop: ctx.Err}
	if p.op.OutputsOn {
		o.Outputs = relative(p.op.Outputs)
		if o.Outputs == nil {
			o.Outputs = []string{}
		}
	}
	items, notes, err := layer.FromUpper(upper, o)
	if err != nil {
		return result{}, err
	}
	for _, note := range notes {
		b.send(p.n, engine.Event{Kind: engine.Note, Text: p.n.Meta.Name + ": " + note})
	}
	r, err := b.provenSeal(ctx, items, false)
	if err != nil || len(r.own) == 0 {
		return r, err
	}
	if err := layer.SealUpper(upper, items, o); err != nil {
		return result{}, err
	}
	_, err = b.o.Store.AdoptSnapshot(ctx, b.snapKind(), r.own[0].diffID, upper)
	return r, err
}

// relative is the form of Entry.Path.
func relative(paths []string) []string {
	var out []string
	for _, p := range paths {
		out = append(out, strings.Trim(filepath.ToSlash(filepath.Clean(p)), "/"))
	}
	return out
}

// sandboxSpec is a run as the sandbox wants it; done gives the caches back.
func (b *build) sandboxSpec(ctx context.Context, p *runPlan, root sandbox.Root) (sandbox.Spec, func(), [][]byte, error) {
	op, meta := p.op, p.n.Meta
	spec := sandbox.Spec{
		Root: root, Args: op.Args, Workdir: op.Workdir,
		UID: uint32(p.account.uid), GID: uint32(p.account.gid), Groups: p.account.groups,
		ShmSize:  meta.Limits.Shm,
		Limits:   sandbox.Limits{Memory: meta.Limits.Memory, CPUs: meta.Limits.CPUs, Pids: int64(meta.Limits.Pids)},
		Timeout:  meta.Timeout,
		Network:  network(op),
		IDMap:    b.o.Machine.IDMap(),
		Emulator: b.o.Machine.Emulator(op.Platform),
	}
	for _, h := range op.Hosts {
		spec.Hosts = append(spec.Hosts, sandbox.Host{Name: h.Name, IP: h.Value})
	}
	spec.Env = environment(op.Env, p.account.home)
	m := mounter{b: b, p: p}
	err := m.all(ctx)
	if err == nil && op.Network != "none" {
		err = m.network(ctx, slices.Concat(spec.Env, m.env))
	}
	if err != nil {
		m.release()
		return spec, nil, nil, err
	}
	spec.Mounts, spec.Once = m.mounts, len(m.secrets) > 0
	spec.Env = append(spec.Env, m.env...)
	return spec, m.release, m.secrets, nil
}

// environment is the final environment of a command.
func environment(env []dag.KV, home string) []string {
	var out []string
	hasHome := false
	for _, kv := range env {
		hasHome = hasHome || kv.Name == "HOME"
		out = append(out, kv.Name+"="+kv.Value)
	}
	if !hasHome {
		out = append(out, "HOME="+home)
	}
	return out
}

// errNotRoot is wrapped where a step needs a user that this machine cannot
// give it.
var errNotRoot = errors.New("this user cannot run steps as another user")
