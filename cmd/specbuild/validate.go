package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/engine/source"
	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

func (c *cli) validate() *cobra.Command {
	var f specFlags
	var v validateFlags
	cmd := &cobra.Command{
		Use:   "validate [SPEC…]",
		Short: "Find mistakes in specs, without any network",
		Long: `Find mistakes in specs and judge them by the rules, without any network.

A variable without a value is taken for unknown. What only the lock can tell is
judged if there is one.

--fix mends what has one mending: names that were surely meant, quotes, signs of
the shell, and what rules say. It says what it changes, replaces whole files, and
leaves everything else in them as it is. --diff shows the same and writes nothing;
the exit code is that of what is left.

Only for findings that registries and other servers can mend does --fix ask them:
it writes the tag of a version in the place of one that moves on, and pins in
specbuild.lock what is missing there, as specbuild lock does. What is pinned stays
as it is, and --locked keeps the lock as it is.`,
		Example: "  specbuild validate ./...\n  specbuild validate --fix\n  specbuild validate --diff services/web",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.runValidate(cmd.Context(), args, &f, v)
		},
	}
	f.add(cmd)
	f.addJudging(cmd)
	cmd.Flags().BoolVar(&f.locked, "locked", inCI(), "judge as for a release, and refuse to write the lock (default: on where CI is set)")
	cmd.Flags().BoolVar(&v.json, "json", false, "print the findings as JSON")
	cmd.Flags().BoolVar(&v.fix, "fix", false, "mend what can be mended, in the files")
	cmd.Flags().BoolVar(&v.diff, "diff", false, "print what --fix would change, and write nothing")
	return cmd
}

// validateFlags are those of validate alone.
type validateFlags struct{ json, fix, diff bool }

func (c *cli) runValidate(ctx context.Context, args []string, f *specFlags, v validateFlags) error {
	find := c.findings
	if v.fix || v.diff {
		find = func(ctx context.Context, args []string, f *specFlags) (*spec.Spec, diag.List, error) {
			return c.fix(ctx, args, f, v)
		}
	}
	sp, ds, err := find(ctx, args, f)
	if err != nil {
		return err
	}
	if err := c.writeReports("validate", f, ds, sp); err != nil {
		return err
	}
	if v.json {
		if err := diag.WriteJSON(c.stdout, ds.Sorted()); err != nil {
			return err
		}
		if ds.HasErrors() {
			return errSpec
		}
		return nil
	}
	if err := c.report(ds, sp); err != nil || v.diff {
		return err
	}
	fmt.Fprintf(c.stdout, "%s checked: no mistakes\n", plural(len(sp.Selected), "image"))
	return nil
}

// findings is all that is wrong with specs, without any network.
func (c *cli) findings(ctx context.Context, args []string, f *specFlags) (*spec.Spec, diag.List, error) {
	sp, ds, err := c.load(ctx, args, f, true)
	if err != nil || ds.HasErrors() {
		return sp, ds, err
	}
	lock, exists, more := f.readLock(sp.Root)
	judges, problems, err := c.judges(ctx, sp, f, true)
	if err != nil {
		return nil, nil, err
	}
	more = append(more, problems...)
	ds = append(judges.harden(ds), more...)
	seen := &looked{c: c}
	defer seen.close()
	in := planner.Input{
		Spec: sp, Lock: lock, Locked: f.locked, Allow: []string{planner.NetworkHost},
		Sources: new(source.View), Judge: judges.judgeScanned(ctx, nil), Looked: seen,
	}
	if !more.HasErrors() {
		ds = append(ds, judge(ctx, in, exists)...)
	}
	return sp, ds, nil
}

// judge plans as far as it goes. Without a lock what it would say is not
// known, and that it is missing is no mistake of the spec.
func judge(ctx context.Context, in planner.Input, locked bool) diag.List {
	if !locked {
		_, ds := planner.Unpinned(ctx, in)
		return ds
	}
	_, ds := planner.Make(ctx, in)
	return ds
}
