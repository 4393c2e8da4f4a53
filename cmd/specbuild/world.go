package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/fetch"
	vcs "github.com/specbuild/specbuild/engine/git"
	"github.com/specbuild/specbuild/engine/image"
	"github.com/specbuild/specbuild/engine/layer"
	"github.com/specbuild/specbuild/engine/layer/blob"
	"github.com/specbuild/specbuild/engine/local"
	"github.com/specbuild/specbuild/engine/progress"
	"github.com/specbuild/specbuild/engine/source"
	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/spec/diag"
)

// engineFlags are the flags of commands that run or ask the engine.
type engineFlags struct {
	sandbox     string
	parallel    int
	noCache     bool
	keepFailed  bool
	verbose     bool
	compression string
}

func (e *engineFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&e.sandbox, "sandbox", "native", "what runs steps: native, or an installed runc")
	f.IntVarP(&e.parallel, "parallel", "j", 0, "steps at once (default: the number of cores)")
	f.BoolVar(&e.noCache, "no-cache", false, "run every step, whatever is known")
	f.BoolVar(&e.keepFailed, "keep-failed", false, "leave a failed step's changes behind, and say how to enter them")
	f.BoolVarP(&e.verbose, "verbose", "v", false, "show the output of steps that succeed")
	f.StringVar(&e.compression, "compression", "gzip", "of layers: gzip, zstd or none")
}

// world is everything outside that a command talks to.
type world struct {
	store    *cache.Store
	registry *image.Registry
	fetch    *fetch.Client
	git      *vcs.Client
	own      fetch.Network // the user's configuration
	network  fetch.Network // what is in force
	asked    *answers      // of the command: what was asked of the world once
	machine  *machine
	left     func()       // takes it from the command's open worlds
	contexts *source.View // of the spec that was compiled last: planned and built from one look
}

func (c *cli) newWorld(f *engineFlags) (*world, error) {
	switch f.compression {
	case "gzip", "zstd", "none":
	default:
		return nil, usagef("--compression %s: it must be gzip, zstd or none", f.compression)
	}
	store, err := c.openStore()
	if err != nil {
		return nil, fmt.Errorf("opening the cache: %w", err)
	}
	m, err := newMachine(f.sandbox, store, c.users)
	if err != nil {
		store.Close()
		return nil, err
	}
	w := &world{store: store, machine: m, asked: &c.asked}
	if w.own, err = c.ownNetwork(); err == nil {
		err = w.connect(c.network)
	}
	if err != nil {
		store.Close()
		return nil, err
	}
	c.worlds = append(c.worlds, w)
	w.left = func() { c.worlds = slices.DeleteFunc(c.worlds, func(o *world) bool { return o == w }) }
	return w, nil
}

func (w *world) close() {
	w.left()
	w.fetch.Close()
	w.store.Close()
}

func (w *world) canRun(platform string) error { return w.machine.canRun(platform) }

func (w *world) engine(f engineFlags) *local.Engine { return w.engineFor(f, local.Forms{}) }

// engineFor is an engine for images whose layers will be asked for in some forms.
func (w *world) engineFor(f engineFlags, images local.Forms) *local.Engine {
	return local.New(local.Options{
		Store: w.store, Registry: w.registry, Fetch: w.fetch, Git: w.git, Network: w.network, Sandbox: w.machine.runner, Machine: w.machine.local(),
		Compressor: blob.Compressor{Kind: f.compression}, Images: images, Contexts: w.contexts,
		Parallel: f.parallel, KeepFailed: f.keepFailed, NoCache: f.noCache,
	})
}

// resolvers answer what the lock lacks.
func (w *world) resolvers() pin.Resolvers {
	return pin.Resolvers{Registry: &baseResolver{w}, Packages: w.debian(), Remotes: remoteResolver{w, w.asked}}
}

// baseResolver reads bases from registries and layouts for the lock.
type baseResolver struct{ *world }

// Resolve asks what a name stands for now.
func (b *baseResolver) Resolve(ctx context.Context, ref string) (pin.Index, error) {
	idx, err := b.registry.Resolve(ctx, ref)
	if err != nil {
		return pin.Index{}, err
	}
	return pin.Index{Digest: idx.Digest, MediaType: idx.MediaType, Manifests: idx.Platforms}, nil
}

// Facts streams the layers of a base once: what is learnt of them stays in
// the store, so that a build does not stream them again.
func (b *baseResolver) Facts(ctx context.Context, ref, digest string) (pin.Facts, error) {
	base, err := b.registry.Base(ctx, ref, digest)
	if err != nil {
		return pin.Facts{}, err
	}
	keep := map[string][]byte{"etc/passwd": nil, "etc/group": nil}
	var layers []pin.Layer
	var tocs []*layer.TOC
	for _, l := range base.Layers {
		toc, err := b.tableOf(ctx, ref, l, keep)
		if err != nil {
			return pin.Facts{}, err
		}
		tocs = append(tocs, toc)
		layers = append(layers, pin.Layer{Digest: l.Digest, DiffID: l.DiffID, MediaType: l.MediaType, Size: l.Size})
	}
	tree, err := layer.Merge(tocs...)
	if err != nil {
		return pin.Facts{}, err
	}
	return pin.NewFacts(base.Config, layers, tree, keep["etc/passwd"], keep["etc/group"])
}

// Signed reads what is signed of a base, and the index that ties its
// manifests to the digest that is signed.
func (b *baseResolver) Signed(ctx context.Context, ref, digest string) (pin.Signed, error) {
	found, err := b.registry.Signatures(ctx, ref, digest)
	if err != nil || len(found) == 0 {
		return pin.Signed{}, err
	}
	var out pin.Signed
	for _, s := range found {
		out.Signatures = append(out.Signatures, pin.Signature{Payload: string(s.Payload), Signature: base64.StdEncoding.EncodeToString(s.Signature)})
	}
	index, err := b.registry.RawManifest(ctx, ref, digest)
	out.Index = string(index)
	return out, err
}

func (b *baseResolver) tableOf(ctx context.Context, ref string, l image.BaseLayer, keep map[string][]byte) (*layer.TOC, error) {
	r, err := b.registry.OpenBlob(ctx, ref, l.Digest)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	d, err := layer.Decompress(r, l.MediaType, layer.Limits{})
	if err != nil {
		return nil, err
	}
	defer d.Close()
	own := map[string][]byte{"etc/passwd": nil, "etc/group": nil, "etc/shadow": nil, "etc/gshadow": nil}
	toc, diffID, _, err := layer.ReadTOC(d, layer.ReadOptions{Devices: true, Keep: own})
	if err != nil {
		return nil, fmt.Errorf("layer %s: %w", l.Digest, err)
	}
	if diffID != l.DiffID {
		return nil, fmt.Errorf("layer %s is not what the configuration says: its content is %s, claimed is %s", l.Digest, diffID, l.DiffID)
	}
	for path, content := range own {
		if content != nil { // the uppermost layer that has the file decides
			keep[path] = content
		}
	}
	if err := local.KeepAccounts(b.store, own); err != nil {
		return nil, err
	}
	_, err = b.store.PutTOC(diffID, toc.Encode())
	return toc, err
}

// terminal is the file behind a writer if it is one.
func terminal(w io.Writer) (*os.File, bool) {
	f, ok := w.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

func (c *cli) colors() bool {
	switch c.color {
	case "always":
		return true
	case "never":
		return false
	default:
		_, tty := terminal(c.stderr)
		return tty && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
}

func (c *cli) textOptions() diag.TextOptions {
	o := diag.TextOptions{Color: c.colors()}
	if f, ok := terminal(c.stderr); ok {
		o.Width, _, _ = term.GetSize(int(f.Fd()))
	}
	return o
}

// printer shows what an engine does, on standard error.
func (c *cli) printer(verbose bool) progress.Printer {
	o := progress.Options{Color: c.colors(), Verbose: verbose}
	f, tty := terminal(c.stderr)
	mode := c.progress
	if mode == "auto" {
		mode = "plain"
		if tty && os.Getenv("TERM") != "dumb" {
			mode = "terminal"
		}
	}
	switch mode {
	case "quiet":
		return progress.Quiet()
	case "json":
		return progress.JSON(c.stderr)
	case "terminal":
		size := func() (int, int) {
			if f == nil {
				return 80, 24
			}
			w, h, err := term.GetSize(int(f.Fd()))
			if err != nil {
				return 80, 24
			}
			return w, h
		}
		o.Width = func() int { w, _ := size(); return w }
		o.Height = func() int { _, h := size(); return h }
		return progress.Terminal(c.stderr, o)
	default:
		return progress.Plain(c.stderr, o)
	}
}
