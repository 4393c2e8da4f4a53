package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/engine/cache"
	vcs "github.com/specbuild/specbuild/engine/git"
	"github.com/specbuild/specbuild/engine/local"
	"github.com/specbuild/specbuild/lower/dag"
	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/lsp"
)

// typingPause is how long nothing must have been typed before a spec is read
// again. A module is read in a few milliseconds; half a word is no mistake yet.
const typingPause = 100 * time.Millisecond

func (c *cli) lsp() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lsp",
		Short: "Serve an editor: mistakes while typing, completion, documentation",
		Long: `Serve an editor over standard input and output, by the Language Server Protocol:
mistakes while typing, completion, documentation, definitions, formatting. How
editors are told to start it is in docs/editors.md.

Nothing is run, fetched or written. Modules from outside are read where a
command has fetched them before.`,
		Args: checkArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.runLSP(cmd.Context(), cmd.InOrStdin()) },
	}
	// What clients add without being asked: there is no other transport, and
	// when the editor is gone its pipe is.
	f := cmd.Flags()
	f.Bool("stdio", true, "talk over standard input and output")
	f.Int("clientProcessId", 0, "the editor's process")
	_, _ = f.MarkHidden("stdio"), f.MarkHidden("clientProcessId")
	return cmd
}

func (c *cli) runLSP(ctx context.Context, in io.Reader) error {
	return lsp.Serve(ctx, in, c.stdout, lsp.Options{
		Version: versionString(), Build: buildPlatform(), Env: os.LookupEnv, Delay: typingPause,
		Modules: func() (spec.Modules, func()) {
			m := &fetchedModules{c: c}
			return m, m.close
		},
	})
}

// fetchedModules finds modules from outside as the lock pins them, where they
// were fetched before. It is for one load. Nothing is asked of a network: an
// editor opens what one only wants to look at.
type fetchedModules struct {
	c     *cli
	store *cache.Store // nil until there is such a module
}

func (m *fetchedModules) close() {
	if m.store != nil {
		m.store.Close()
	}
}

// Module is spec.Modules.
func (m *fetchedModules) Module(_ context.Context, root, _ string, s spec.Source) (string, error) {
	lock, _, ds := readLock(root)
	if ds.HasErrors() {
		return "", fmt.Errorf("%s cannot be read: %s", pin.FileName, ds[0].Detail)
	}
	if m.store == nil {
		store, err := m.c.openStore()
		if err != nil {
			return "", fmt.Errorf("opening the cache: %w", err)
		}
		m.store = store
	}
	if dir, ok := m.find(lock, s); ok {
		return dir, nil
	}
	return "", fmt.Errorf("%s was not fetched yet, which an editor does not do; run `specbuild validate`", s.Fetched())
}

func (m *fetchedModules) find(lock pin.Lock, s spec.Source) (dir string, ok bool) {
	if s.Git == "" {
		_, digest, fixed := strings.Cut(s.OCI, "@")
		if !fixed {
			digest = lock.Modules[s.OCI]
		}
		return m.store.FindSnapshot("module", "oci "+digest)
	}
	commit := s.Ref
	if !vcs.IsCommit(commit) {
		commit = lock.Git[pin.GitNeed{URL: s.Git, Ref: s.Ref}.Key()]
	}
	if dir, ok = local.FetchedTree(m.store, &dag.Git{Commit: commit}); ok {
		return dir, true
	}
	return m.store.FindSnapshot("module", "git "+commit)
}
