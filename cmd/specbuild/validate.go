package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/engine/source"
	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/spec/diag"
)

func (c *cli) validate() *cobra.Command {
	var f specFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "validate [SPEC…]",
		Short: "Find mistakes in specs, without any network",
		Long: `Find mistakes in specs and judge them by the rules, without any network.

A variable without a value is taken for unknown. What only the lock can tell is
judged if there is one.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.runValidate(cmd.Context(), args, &f, asJSON)
		},
	}
	f.add(cmd)
	f.addJudging(cmd)
	cmd.Flags().BoolVar(&f.locked, "locked", inCI(), "judge as for a release (default: on where CI is set)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the findings as JSON")
	return cmd
}

func (c *cli) runValidate(ctx context.Context, args []string, f *specFlags, asJSON bool) error {
	sp, ds, err := c.load(ctx, args, f, true)
	if err != nil {
		return err
	}
	if !ds.HasErrors() {
		lock, exists, more := readLock(sp.Root)
		judges, problems, err := c.judges(ctx, sp, f, true)
		if err != nil {
			return err
		}
		more = append(more, problems...)
		ds = append(judges.harden(ds), more...)
		in := planner.Input{
			Spec: sp, Lock: lock, Locked: f.locked, Allow: []string{planner.NetworkHost},
			Sources: new(source.View), Judge: judges.judge,
		}
		if !more.HasErrors() {
			ds = append(ds, judge(ctx, in, exists)...)
		}
	}
	if asJSON {
		if err := diag.WriteJSON(c.stdout, ds.Sorted()); err != nil {
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
	fmt.Fprintf(c.stdout, "%s checked: no mistakes\n", plural(len(sp.Selected), "image"))
	return nil
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
