package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/engine/cache"
	vcs "github.com/specbuild/specbuild/engine/git"
	"github.com/specbuild/specbuild/engine/local"
	"github.com/specbuild/specbuild/engine/module"
	"github.com/specbuild/specbuild/engine/progress"
	"github.com/specbuild/specbuild/engine/source"
	"github.com/specbuild/specbuild/lower/dag"
	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// modules finds modules from outside for one load: those that the lock pins
// as it pins them, others as they are now, where the lock may be written. The
// store and the network are met only if there is such a module.
type modules struct {
	c       *cli
	upgrade *pin.UpgradePolicy // of `lock`, which asks for what is missing; nil for other commands

	mu     sync.Mutex
	w      *world
	lock   pin.Lock
	exists bool
}

func (m *modules) close() {
	if m.w != nil {
		m.w.close()
	}
}

// Module is spec.Modules.
func (m *modules) Module(ctx context.Context, root, call string, s spec.Source) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.w == nil {
		w, err := m.c.newWorld(&engineFlags{sandbox: "native", compression: "gzip"})
		if err != nil {
			return "", err
		}
		m.w = w
		var ds diag.List
		if m.lock, m.exists, ds = readLock(root); ds.HasErrors() {
			return "", fmt.Errorf("%s cannot be read: %s", pin.FileName, ds[0].Detail)
		}
	}
	if s.Git != "" {
		return m.git(ctx, call, s)
	}
	return m.oci(ctx, call, s)
}

// pinned is what the lock says, unless it is to be asked for anew. Without a
// lock, or for `lock` itself, ask is called; what it answers is what the lock
// will say.
func (m *modules) pinned(call, locked, key string, ask func() (string, error)) (string, error) {
	upgraded := m.upgrade != nil && (m.upgrade.All || slices.Contains(m.upgrade.Names, call))
	switch {
	case locked != "" && !upgraded:
		return locked, nil
	case m.exists && m.upgrade == nil:
		return "", fmt.Errorf("%s is not in %s; run `specbuild lock`", key, pin.FileName)
	}
	return m.c.asked.once(key, ask)
}

func (m *modules) git(ctx context.Context, call string, s spec.Source) (string, error) {
	commit := s.Ref
	if !vcs.IsCommit(commit) {
		key := pin.GitNeed{URL: s.Git, Ref: s.Ref}.Key()
		var err error
		if commit, err = m.pinned(call, m.lock.Git[key], "git "+key, func() (string, error) { return m.w.git.Resolve(ctx, s.Git, s.Ref) }); err != nil {
			return "", err
		}
	}
	op := &dag.Git{Commit: commit}
	if dir, ok := local.FetchedTree(m.w.store, op); ok {
		return dir, nil
	}
	return m.w.store.Snapshot(ctx, "module", "git "+commit, func(dir string) error {
		objects, release, err := m.w.store.Mount(ctx, "git "+objectFormat(commit)+" "+s.Git, cache.Locked)
		if err != nil {
			return err
		}
		defer release()
		if err := m.w.git.Fetch(ctx, vcs.Request{URL: s.Git, Ref: s.Ref, Commit: commit, Dir: objects}); err != nil {
			return err
		}
		when, err := m.w.git.Time(ctx, objects, commit)
		if err != nil {
			return err
		}
		w, err := source.NewWriter(dir, when)
		if err != nil {
			return err
		}
		_, err = m.w.git.Checkout(ctx, objects, commit, w)
		return errors.Join(err, w.Close())
	})
}

// objectFormat is git's name for the hash that commits are named by.
func objectFormat(commit string) string {
	if len(commit) == 64 {
		return "sha256"
	}
	return "sha1"
}

func (m *modules) oci(ctx context.Context, call string, s spec.Source) (string, error) {
	_, digest, fixed := strings.Cut(s.OCI, "@")
	if !fixed {
		var err error
		digest, err = m.pinned(call, m.lock.Modules[s.OCI], "module "+s.OCI, func() (string, error) { return m.w.registry.ResolveModule(ctx, s.OCI) })
		if err != nil {
			return "", err
		}
	}
	return m.w.store.Snapshot(ctx, "module", "oci "+digest, func(dir string) error {
		archive, err := m.w.registry.PullModule(ctx, s.OCI, digest)
		if err != nil {
			return err
		}
		return module.Unpack(bytes.NewReader(archive), dir)
	})
}

// answers are what was asked of the world in this run, so that what was read
// is what gets locked.
type answers struct {
	mu    sync.Mutex
	byKey map[string]string
}

func (a *answers) once(key string, ask func() (string, error)) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if v, ok := a.byKey[key]; ok {
		return v, nil
	}
	v, err := ask()
	if err == nil {
		if a.byKey == nil {
			a.byKey = map[string]string{}
		}
		a.byKey[key] = v
	}
	return v, err
}

func (c *cli) module() *cobra.Command {
	cmd := &cobra.Command{Use: "module", Short: "Publish modules", Args: checkArgs(onlySubcommands), RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(&cobra.Command{
		Use:   "push DIR REGISTRY/REPOSITORY:TAG",
		Short: "Publish a folder as a module",
		Long: `Publish a folder with specs as an OCI artifact, for others to call by
source = "oci://registry/repository:tag". It is checked first; files whose name
begins with a dot stay behind. Equal folders have one digest.`,
		Example: "  specbuild module push templates/go-service registry.example.com/modules/go-service:1.2",
		Args:    checkArgs(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.runModulePush(cmd.Context(), args[0], args[1])
		},
	})
	return cmd
}

func (c *cli) runModulePush(ctx context.Context, dir, ref string) error {
	ref = strings.TrimPrefix(ref, "oci://")
	if err := c.checkModule(ctx, dir); err != nil {
		return err
	}
	return c.pushFolder(ctx, dir, ref)
}

// pushFolder publishes a folder of specs or policies as one archive, and tells
// the digest that a lock will hold.
func (c *cli) pushFolder(ctx context.Context, dir, ref string) error {
	archive, names, err := module.Pack(dir)
	if err != nil {
		return err
	}
	w, err := c.newWorld(&engineFlags{sandbox: "native", compression: "gzip"})
	if err != nil {
		return err
	}
	defer w.close()
	digest, err := w.registry.PushModule(ctx, ref, archive)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "oci://%s  %s  %s, %s\n", ref, digest, plural(len(names), "file"), progress.Bytes(int64(len(archive))))
	return nil
}

// checkModule reads the folder as those who call it will: confined, and
// without the workspace that it lies in.
func (c *cli) checkModule(ctx context.Context, dir string) error {
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	m := &modules{c: c}
	defer m.close()
	sp, ds := spec.CheckModule(ctx, dir, spec.Options{Dir: here, Build: buildPlatform(), Version: versionString(), Modules: m})
	return c.report(ds, sp)
}
