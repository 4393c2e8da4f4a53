package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

type affectedFlags struct {
	specFlags
	since string
	json  bool
}

func (c *cli) affected() *cobra.Command {
	var f affectedFlags
	cmd := &cobra.Command{
		Use:   "affected --since REV [SPEC…]",
		Short: "List the images that changed since a revision",
		Long: `List the images whose definition or inputs differ from those at a revision of
git: what CI has to build of a change. Both are planned, and compared by what
they are made of, their tags and budgets, not by which paths changed: a comment
in a spec affects nothing, a new base affects all that stand on it. Nothing is
run.

Without arguments all of the workspace is meant, as by //... .`,
		// Not $(…): where nothing is affected, apply without arguments means this folder.
		Example: "  specbuild affected --since origin/main\n  specbuild affected --since origin/main | xargs -rd '\\n' specbuild apply",
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.since == "" {
				return usagef("affected needs --since, a revision of git such as origin/main")
			}
			return c.runAffected(cmd.Context(), args, &f)
		},
	}
	f.addPlan(cmd)
	cmd.Flags().StringVar(&f.since, "since", "", "the revision to compare with: a branch, a tag or a commit")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the images with their reasons as JSON")
	return cmd
}

// change is an image that is not what it was.
type change struct {
	Address string `json:"address"`
	Reason  string `json:"reason"` // "new", "changed", or why it cannot be compared
	Step    string `json:"step,omitempty"`
}

func (c *cli) runAffected(ctx context.Context, args []string, f *affectedFlags) error {
	if len(args) == 0 && len(f.targets) == 0 {
		args = []string{"//..."}
	}
	e := engineFlags{sandbox: "native", compression: "gzip"}
	w, err := c.newWorld(&e)
	if err != nil {
		return err
	}
	defer w.close()
	comp, err := c.compile(ctx, args, &f.specFlags, w, false)
	if err != nil {
		return err
	}
	now, err := define(ctx, w, e, comp)
	if err != nil {
		return withSpec(err, comp)
	}
	before, why, err := c.definedAt(ctx, args, f, w, e)
	if err != nil {
		return err
	}
	changes := compareDefinitions(now, before, why)
	if f.json {
		enc := json.NewEncoder(c.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(map[string]any{"version": 1, "since": f.since, "images": changes})
	}
	for _, ch := range changes {
		fmt.Fprintln(c.stdout, ch.Address)
	}
	if why != "" {
		fmt.Fprintf(c.stderr, "Everything counts as changed: %s.\n", why)
	}
	return nil
}

// definition is what an image is made of: the definition of each of its steps,
// in order, by what the plan calls it.
type definition struct {
	key   string
	steps []step
}

type step struct{ title, key string }

// define asks the engine what the images of a graph are, by address.
func define(ctx context.Context, w *world, e engineFlags, comp *compiled) (map[string]definition, error) {
	keys, err := w.engine(e).Definitions(ctx, comp.graph)
	if err != nil {
		return nil, err
	}
	out := map[string]definition{}
	below := newReaches(comp.graph)
	for _, o := range comp.graph.Outputs {
		var d definition
		for _, img := range o.Images {
			d.key += keys[img] + "\n"
			for _, id := range below.of(img, o.Tests) {
				n, _ := comp.graph.Node(id)
				d.steps = append(d.steps, step{n.Meta.Name + ": " + n.Meta.Title, keys[id]})
			}
		}
		for _, id := range o.Tests {
			d.key += keys[id] + "\n"
		}
		// In no key, and still something for apply to do: to push to a new tag,
		// or to refuse what a budget has become too small for.
		d.key += fmt.Sprintf("%q %d %d\n", o.Tags, o.Budget.Size, o.Budget.Layers)
		out[o.Addr] = d
	}
	return out, nil
}

// definedAt is define for the tree of a revision. Where that cannot be planned
// it says why: then nothing is known to be unchanged.
func (c *cli) definedAt(ctx context.Context, args []string, f *affectedFlags, w *world, e engineFlags) (map[string]definition, string, error) {
	here, err := os.Getwd()
	if err != nil {
		return nil, "", err
	}
	tree, err := checkout(ctx, here, f.since)
	if err != nil {
		return nil, "", err
	}
	defer tree.remove()
	for i, arg := range args {
		args[i] = tree.relative(arg)
	}
	sp, ds, err := c.loadIn(ctx, tree.here, filepath.Join(tree.dir, "tree"), args, &f.specFlags, false)
	if err != nil {
		return nil, "", err
	}
	comp := &compiled{spec: sp}
	if !ds.HasErrors() {
		if ds, err = c.compileSpec(ctx, comp, &f.specFlags, w, false); err != nil {
			return nil, "", err
		}
	}
	for _, d := range ds.Sorted() {
		if d.Severity.String() == "error" {
			return nil, fmt.Sprintf("at %s there is a mistake, %s: %s", f.since, d.Range, d.Summary), nil
		}
	}
	before, err := define(ctx, w, e, comp)
	if err != nil {
		return nil, fmt.Sprintf("at %s: %v", f.since, err), nil
	}
	return before, "", nil
}

// compareDefinitions lists what is new or not what it was, sorted by address.
func compareDefinitions(now, before map[string]definition, why string) []change {
	changes := []change{}
	for addr, d := range now {
		old, there := before[addr]
		switch {
		case why != "":
			changes = append(changes, change{Address: addr, Reason: why})
		case !there:
			changes = append(changes, change{Address: addr, Reason: "new"})
		case old.key != d.key:
			changes = append(changes, change{Address: addr, Reason: "changed", Step: firstStep(d, old)})
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return strings.Compare(a.Address, b.Address) })
	return changes
}

// firstStep is the first step that the old image did not have.
func firstStep(now, before definition) string {
	known := map[string]bool{}
	for _, s := range before.steps {
		known[s.key] = true
	}
	for _, s := range now.steps {
		if !known[s.key] {
			return s.title
		}
	}
	return ""
}

// oldTree is the tree of a revision in a folder of its own.
type oldTree struct {
	dir  string // to be removed
	top  string // of the work tree that it is of
	here string // the current folder in it
}

func (t *oldTree) remove() { _ = os.RemoveAll(t.dir) }

// relative makes an argument mean the old tree: absolute ones would mean
// today's.
func (t *oldTree) relative(arg string) string {
	if !filepath.IsAbs(arg) || strings.HasPrefix(arg, "//") {
		return arg
	}
	if rel, err := filepath.Rel(t.top, arg); err == nil && !strings.HasPrefix(rel, "..") {
		return filepath.Join(t.dir, "tree", rel)
	}
	return arg
}

// checkout writes the files of a revision as git would into a work tree, so
// that line ends and filters are those of the files here. Git's own index and
// work tree are not touched.
func checkout(ctx context.Context, here, rev string) (*oldTree, error) {
	top, err := runGit(ctx, here, nil, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, err
	}
	commit, err := runGit(ctx, here, nil, "rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{commit}")
	if err != nil {
		return nil, fmt.Errorf("--since %s: git knows no such revision here; in a shallow clone, fetch it first", rev)
	}
	dir, err := os.MkdirTemp("", "specbuild-since-")
	if err != nil {
		return nil, err
	}
	t := &oldTree{dir: dir, top: top}
	tree := filepath.Join(dir, "tree")
	index := append(os.Environ(), "GIT_INDEX_FILE="+filepath.Join(dir, "index"))
	for _, args := range [][]string{
		{"read-tree", commit},
		{"checkout-index", "--all", "--force", "--prefix=" + tree + string(filepath.Separator)},
	} {
		if _, err := runGit(ctx, top, index, args...); err != nil {
			t.remove()
			return nil, err
		}
	}
	real, err := filepath.EvalSymlinks(here)
	if err == nil {
		var rel string
		if rel, err = filepath.Rel(top, real); err == nil {
			t.here = filepath.Join(tree, rel)
			err = os.MkdirAll(t.here, 0o700) // a folder that is new since
		}
	}
	if err != nil {
		t.remove()
		return nil, err
	}
	return t, nil
}

// runGit runs git and gives its output without the last newline.
func runGit(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env = dir, env
	var errText bytes.Buffer
	cmd.Stderr = &errText
	out, err := cmd.Output()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", errors.New("affected compares with a revision of git, and there is no git on PATH")
	case err != nil:
		text := strings.TrimSpace(errText.String())
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, text)
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}
