package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	vcs "github.com/specbuild/specbuild/engine/git"
	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// verifyFlags are the flags of lock verify.
type verifyFlags struct {
	specFlags
	remote bool
	json   bool
}

func (c *cli) lockVerify() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify [SPEC…]",
		Short: "Check that " + pin.FileName + " is whole, and with --remote that it still holds",
		Long: `Check that ` + pin.FileName + ` can be read, is in its form, and has every line that
the specs need: what apply --locked asks for, on all machines that build. Over
everything (./...) lines that nobody needs are told. No network is used.

With --remote the world is asked as well: whether registries still have the bases and
modules, and say of a base what the lock says; whether repositories still have the
commits; whether URLs still give the same files; whether archives still have the
packages. What is found ends it with 3.`,
		Example: "  specbuild lock verify ./...\n  specbuild lock verify --remote ./...",
		RunE:    func(cmd *cobra.Command, args []string) error { return c.runLockVerify(cmd.Context(), args, &f) },
	}
	f.specFlags.add(cmd)
	cmd.Flags().BoolVar(&f.remote, "remote", false, "ask registries, repositories, URLs and archives for what is locked")
	cmd.Flags().BoolVar(&f.json, "json", false, "print what is found as JSON, as validate does")
	return cmd
}

func (c *cli) runLockVerify(ctx context.Context, args []string, f *verifyFlags) error {
	e := engineFlags{sandbox: "native", compression: "gzip"}
	w, err := c.newWorld(&e)
	if err != nil {
		return err
	}
	defer w.close()
	sp, ds, err := c.load(ctx, args, &f.specFlags, false)
	if err != nil {
		return err
	}
	var lock pin.Lock
	if !ds.HasErrors() {
		var more diag.List
		if lock, more, err = c.verified(ctx, w, sp, args, f); err != nil {
			return err
		}
		ds = append(ds, more...)
	}
	if f.json {
		if err := diag.WriteJSON(c.stdout, ds); err != nil {
			return err
		}
		if ds.HasErrors() {
			return errSpec
		}
		return nil
	}
	if err := c.report(ds, sp); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%s is whole: %s\n", pin.FileName, contents(lock))
	return nil
}

// verified is the lock, and what is wrong with it.
func (c *cli) verified(ctx context.Context, w *world, sp *spec.Spec, args []string, f *verifyFlags) (pin.Lock, diag.List, error) {
	lock, exists, ds := readLock(sp.Root)
	if ds.HasErrors() {
		return lock, ds, nil
	}
	judges, more, err := c.judges(ctx, sp, &f.specFlags, true) // they may ask for signatures
	if ds = append(ds, more...); err != nil || ds.HasErrors() {
		return lock, ds, err
	}
	in := w.input(sp, &f.specFlags)
	in.Signed = judges.set.Signed
	needs, more := allNeeds(ctx, in, c.reader(ctx, args, &f.specFlags))
	if ds = append(ds, more...); ds.HasErrors() {
		return lock, ds, nil
	}
	if !exists {
		if !needs.Empty() {
			ds.Errorf(diag.Range{File: pin.FileName}, "There is no lock", "The specs need one. Run `specbuild lock` and commit %s.", pin.FileName)
		}
		return lock, ds, nil
	}
	text, err := os.ReadFile(filepath.Join(sp.Root, pin.FileName))
	if err != nil {
		return lock, ds, err
	}
	if !bytes.Equal(text, lock.Encode()) {
		ds.Errorf(diag.Range{File: pin.FileName}, "The lock is not in its form",
			"It says something, but not as specbuild writes it: lines are not sorted, or are there twice. Run `specbuild lock`, which writes it anew.")
	}
	must := needs // what may be missing is that of machines that nobody named
	must.Closures = slices.DeleteFunc(slices.Clone(needs.Closures), func(n pin.ClosureNeed) bool { return n.Elsewhere })
	ds = append(ds, lock.Missing(must)...)
	ds = append(ds, unsigned(lock, needs)...)
	if sp.Whole && len(f.targets) == 0 && !ds.HasErrors() {
		ds = append(ds, unneeded(lock, needs)...)
	}
	if f.remote && !ds.HasErrors() {
		ds = append(ds, w.verify(ctx, lock, needs)...)
	}
	return lock, ds, nil
}

// unneeded tells what would leave the lock.
func unneeded(lock pin.Lock, needs pin.Needs) diag.List {
	lines := pin.Lines(pin.Diff(lock, lock.Only(needs)))
	if len(lines) == 0 {
		return nil
	}
	return diag.List{{
		Severity: diag.Info, Summary: "The lock has what nobody needs", Range: diag.Range{File: pin.FileName},
		Detail: "`specbuild lock ./...` would take it out: " + strings.Join(lines, "; ") + ".",
	}}
}

// contents says how much a lock pins.
func contents(l pin.Lock) string {
	packages := 0
	for _, r := range l.Repositories {
		for _, ps := range r.Packages {
			packages += len(ps)
		}
	}
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{len(l.Bases), "base"}, {packages, "package"}, {len(l.Git), "commit"}, {len(l.HTTP), "file"}, {len(l.Modules), "module"}} {
		if p.n > 0 {
			parts = append(parts, plural(p.n, p.what))
		}
	}
	if len(parts) == 0 {
		return "it pins nothing"
	}
	return strings.Join(parts, ", ")
}

// verifier asks the world whether what is locked is still so.
type verifier struct {
	w     *world
	lock  pin.Lock
	group sync.WaitGroup
	slots chan struct{}

	mu sync.Mutex
	ds diag.List
}

// askedAtOnce bounds the questions that are open at a time.
const askedAtOnce = 8

func (w *world) verify(ctx context.Context, lock pin.Lock, needs pin.Needs) diag.List {
	v := &verifier{w: w, lock: lock, slots: make(chan struct{}, askedAtOnce)}
	for _, n := range needs.Bases {
		v.ask(n.Range, "The base is not as it is locked", n.Key, func() error { return v.base(ctx, n) })
	}
	for _, n := range needs.Modules {
		v.ask(n.Range, "The module is not as it is locked", n.Ref, func() error {
			_, err := w.registry.PullModule(ctx, n.Ref, lock.Modules[n.Ref])
			return err
		})
	}
	for _, n := range needs.Git {
		v.ask(n.Range, "The commit is gone", n.Key(), func() error { return v.commit(ctx, n) })
	}
	for _, n := range needs.HTTP {
		v.ask(n.Range, "The file is not as it is locked", n.URL, func() error { return v.file(ctx, n) })
	}
	v.packages(ctx, needs.Closures)
	v.group.Wait()
	return v.ds
}

// ask asks one question while others are asked.
func (v *verifier) ask(at diag.Range, summary, name string, question func() error) {
	v.group.Go(func() {
		v.slots <- struct{}{}
		defer func() { <-v.slots }()
		err := question()
		if err == nil {
			return
		}
		text := err.Error()
		if !strings.Contains(text, name) {
			text = name + ": " + text
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		v.ds.Errorf(at, summary, "%s. `specbuild lock --upgrade` takes what is there now.", strings.TrimRight(text, "."))
	})
}

// base asks for the digest that is locked, and compares what the lock keeps of
// the base: a line that was edited by hand is found.
func (v *verifier) base(ctx context.Context, n pin.BaseNeed) error {
	have := v.lock.Bases[n.Key]
	if !strings.HasPrefix(n.Key, layoutBase) { // whose index need not list it any more, while it has it
		r, err := pin.ParseReference(n.Key)
		if err != nil {
			return err
		}
		r.Digest = have.Digest
		now, err := v.w.registry.Resolve(ctx, r.String())
		if err != nil {
			return err
		}
		for platform, digest := range have.Manifests {
			if now.Platforms[platform] != digest {
				return fmt.Errorf("the lock says that %s is %s, and the index %s", platform, digest, or(now.Platforms[platform], "has none"))
			}
		}
	}
	for platform, facts := range have.Facts {
		base, err := v.w.registry.Base(ctx, n.Ref, have.Manifests[platform])
		if err != nil {
			return err
		}
		config, err := pin.TrimConfig(base.Config)
		if err != nil {
			return err
		}
		same := config == facts.Config && len(base.Layers) == len(facts.Layers)
		for i := 0; same && i < len(facts.Layers); i++ {
			l := base.Layers[i]
			same = facts.Layers[i] == pin.Layer{Digest: l.Digest, DiffID: l.DiffID, MediaType: l.MediaType, Size: l.Size}
		}
		if !same {
			return fmt.Errorf("the configuration or the layers for %s are not those of %s: the lock was edited", platform, have.Manifests[platform])
		}
	}
	return nil
}

// layoutBase is how the lock's keys of bases on disk begin.
const layoutBase = "layout:"

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// commit fetches a commit into a folder of its own: what was fetched before
// says nothing of today.
func (v *verifier) commit(ctx context.Context, n pin.GitNeed) error {
	dir, err := v.w.store.TempDir()
	if err != nil {
		return err
	}
	err = v.w.git.Fetch(ctx, vcs.Request{URL: n.URL, Ref: n.Ref, Commit: v.lock.Git[n.Key()], Dir: dir})
	return errors.Join(err, os.RemoveAll(dir))
}

func (v *verifier) file(ctx context.Context, n pin.HTTPNeed) error {
	now, err := remoteResolver{v.w, v.w.asked}.File(ctx, n.URL)
	if err != nil {
		return err
	}
	if have := v.lock.HTTP[n.URL]; now != have {
		return fmt.Errorf("it is sha256:%s of %d bytes now, and sha256:%s of %d in the lock", now.SHA256, now.Size, have.SHA256, have.Size)
	}
	return nil
}

// packages asks the mirrors for each archive file once; they are not fetched.
func (v *verifier) packages(ctx context.Context, needs []pin.ClosureNeed) {
	d := v.w.debian()
	asked := map[string]bool{}
	for _, n := range needs {
		closure, _ := v.lock.Repositories[n.Repo.Key()].Closure(n.Arch, n.Request, n.Below)
		for _, p := range closure.Packages {
			if asked[p.SHA256] {
				continue
			}
			asked[p.SHA256] = true
			var urls []string
			for _, base := range d.urls(n.Repo, p.Source) {
				urls = append(urls, strings.TrimSuffix(base, "/")+"/"+p.Path)
			}
			v.ask(n.Range, "The package is gone", p.Name+" "+p.Version, func() error { return v.w.fetch.Has(ctx, urls, p.Size) })
		}
	}
}
