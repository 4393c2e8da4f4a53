package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// lockFlags are the flags of lock.
type lockFlags struct {
	specFlags
	engineFlags
	json bool
	diff bool
}

func (c *cli) lock() *cobra.Command {
	var f lockFlags
	cmd := &cobra.Command{
		Use:   "lock [SPEC…]",
		Short: "Pin bases, packages and what lies elsewhere in " + pin.FileName,
		Long: `Pin the bases, packages, contexts and modules from elsewhere that specs use in
` + pin.FileName + `, at the workspace's root.

What is pinned already stays as it is; what is missing is added, in versions
that the lock has already where they fit. Over everything (./...) what nobody
uses any more leaves. With --upgrade
NAMES everything of that name (a base, context, repository or package) is asked for
anew; --upgrade alone asks for all of it.`,
		Example: "  specbuild lock\n  specbuild lock --upgrade\n  specbuild lock --upgrade=nginx,go",
		RunE:    func(cmd *cobra.Command, args []string) error { return c.runLock(cmd.Context(), args, &f, cmd) },
	}
	f.specFlags.add(cmd)
	fl := cmd.Flags()
	fl.StringSlice("upgrade", nil, "ask anew: for everything, or for the names given")
	fl.Lookup("upgrade").NoOptDefVal = upgradeAll
	fl.StringArrayVar(&f.policies, "policy", nil, "lock what this policy asks for as well: a file or folder, oci://… or git::…; may be repeated")
	f.addReport(cmd)
	fl.BoolVar(&f.json, "json", false, "print the changes as JSON")
	fl.BoolVar(&f.diff, "diff", false, "write nothing; print what would change")
	cmd.AddCommand(c.lockVerify())
	return cmd
}

// upgradeAll is --upgrade without a name: no name is empty or has a star.
const upgradeAll = "*"

func upgradePolicy(cmd *cobra.Command) (pin.UpgradePolicy, error) {
	names, err := cmd.Flags().GetStringSlice("upgrade")
	if err != nil {
		return pin.UpgradePolicy{}, err
	}
	if len(names) == 1 && names[0] == upgradeAll {
		return pin.UpgradePolicy{All: true}, nil
	}
	return pin.UpgradePolicy{Names: names}, nil
}

func (c *cli) runLock(ctx context.Context, args []string, f *lockFlags, cmd *cobra.Command) error {
	policy, err := upgradePolicy(cmd)
	if err != nil {
		return err
	}
	// `--upgrade nginx` reads like every other flag, but a flag whose value may
	// be left out takes only `--upgrade=nginx`: the rest are names.
	if policy.All && len(args) > 0 && !isSpec(args[0]) {
		policy = pin.UpgradePolicy{Names: args[:1]}
		args = args[1:]
	}
	f.specFlags.upgrade = &policy
	f.engineFlags.compression, f.engineFlags.sandbox = "gzip", "native"
	w, err := c.newWorld(&f.engineFlags)
	if err != nil {
		return err
	}
	defer w.close()
	sp, ds, err := c.load(ctx, args, &f.specFlags, false)
	if err != nil {
		return err
	}
	if ds.HasErrors() {
		return c.reportLock(f, ds, sp)
	}
	lock, _, more := readLock(sp.Root)
	ds = append(ds, more...)
	judges, more, err := c.judges(ctx, sp, &f.specFlags, true) // they may ask for signatures
	if err != nil {
		return err
	}
	if ds = append(ds, more...); ds.HasErrors() {
		return c.reportLock(f, ds, sp)
	}
	in := w.input(sp, &f.specFlags)
	in.Signed = judges.set.Signed
	needs, more := allNeeds(ctx, in, c.reader(ctx, args, &f.specFlags))
	ds = append(ds, more...)
	if ds.HasErrors() {
		return c.reportLock(f, ds, sp)
	}
	policy.Prune = sp.Whole && len(f.targets) == 0 // nobody else can be using it
	updated, changes, more := c.resolve(ctx, w, lock, needs, policy)
	ds = append(ds, more...)
	if !ds.HasErrors() {
		ds = append(ds, w.outdated(ctx, lock, updated, needs)...)
		ds = append(ds, unsigned(updated, needs)...)
	}
	if err := c.reportLock(f, ds, sp); err != nil {
		return err
	}
	if err := writeLock(sp.Root, updated, len(changes) > 0, f.diff); err != nil {
		return err
	}
	if f.json {
		return json.NewEncoder(c.stdout).Encode(map[string]any{"version": 1, "changes": changes})
	}
	c.printChanges(changes)
	return nil
}

// reportLock is report, in other tools' forms as well.
func (c *cli) reportLock(f *lockFlags, ds diag.List, sp *spec.Spec) error {
	if err := c.writeReports("lock", &f.specFlags, ds, sp); err != nil {
		return err
	}
	return c.report(ds, sp)
}

// writeLock writes a lock that changed, or that is not in its form: sorted
// lines, as a merge by hand may not leave them. A dry one writes nothing.
func writeLock(root string, lock pin.Lock, changed, dry bool) error {
	if dry {
		return nil
	}
	if !changed {
		text, err := os.ReadFile(filepath.Join(root, pin.FileName))
		if errors.Is(err, fs.ErrNotExist) || err == nil && bytes.Equal(text, lock.Encode()) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return pin.Write(root, lock)
}

// reader reads a spec as another machine would.
type reader func(build spec.Platform) (*spec.Spec, diag.List, error)

func (c *cli) reader(ctx context.Context, args []string, s *specFlags) reader {
	return func(build spec.Platform) (*spec.Spec, diag.List, error) {
		other := *s
		other.build = build
		return c.load(ctx, args, &other, false)
	}
}

// allNeeds are the needs of all machines that build, so that a laptop and CI
// find the same in the lock: of those that the workspace names, else of amd64
// and arm64. What only the latter would need may be missing.
func allNeeds(ctx context.Context, in planner.Input, read reader) (pin.Needs, diag.List) {
	needs, ds := planner.Needs(ctx, in)
	if ds.HasErrors() || read == nil {
		return needs, ds
	}
	builders, said := in.Spec.BuildPlatforms, len(in.Spec.BuildPlatforms) > 0
	if !said {
		builders = []spec.Platform{{OS: "linux", Arch: "amd64"}, {OS: "linux", Arch: "arm64"}}
	}
	for _, b := range builders {
		if b == in.Spec.Build {
			continue
		}
		other, more, err := read(b)
		if err != nil {
			ds.Errorf(diag.Range{}, "The spec cannot be read", "As a machine of %s would read it: %v.", b, err)
			continue
		}
		var theirs pin.Needs
		if !more.HasErrors() {
			in := in
			in.Spec = other
			theirs, more = planner.Needs(ctx, in)
		}
		if more.HasErrors() {
			if said { // nobody said that it builds there
				ds = append(ds, more...)
			}
			continue
		}
		needs = needs.Merge(theirs.Elsewhere(!said))
	}
	return needs, ds
}

// outdated asks what the tags of bases point to now, and tells where that is
// not what the lock keeps. A registry that does not answer tells nothing: the
// lock is whole without it.
func (w *world) outdated(ctx context.Context, before, after pin.Lock, needs pin.Needs) diag.List {
	var ds diag.List
	for _, n := range needs.Bases {
		had, ok := before.Bases[n.Key]
		if !ok || n.Digest != "" || had.Digest != after.Bases[n.Key].Digest {
			continue // asked just now, or pinned by the spec itself
		}
		now, err := w.registry.Resolve(ctx, n.Ref)
		if err != nil {
			continue
		}
		for _, name := range n.Names {
			ds = append(ds, rules.Outdated(spec.Addr{Module: "//", Kind: spec.KindBase, Name: name}, had.Digest, now.Digest, n.Range)...)
		}
	}
	return ds
}

// unsigned are the bases that policies want signed, and that are not.
func unsigned(lock pin.Lock, needs pin.Needs) diag.List {
	var ds diag.List
	for _, n := range needs.Bases {
		b := lock.Bases[n.Key]
		if !n.Signed || len(b.Signed.Signatures) > 0 {
			continue
		}
		for _, name := range n.Names {
			ds = append(ds, rules.Unsigned(spec.Addr{Module: "//", Kind: spec.KindBase, Name: name}, n.Key, b.Digest, n.Range))
		}
	}
	return ds
}

func (c *cli) printChanges(changes []pin.Change) {
	if len(changes) == 0 {
		fmt.Fprintf(c.stdout, "%s is up to date\n", pin.FileName)
		return
	}
	for _, line := range pin.Lines(changes) {
		fmt.Fprintln(c.stdout, line)
	}
	fmt.Fprintf(c.stdout, "%s: %s\n", pin.FileName, plural(len(changes), "change"))
}
