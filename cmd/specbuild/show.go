package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/spec/show"
)

func (c *cli) show() *cobra.Command {
	var f specFlags
	var platform string
	cmd := &cobra.Command{
		Use:   "show [SPEC…]",
		Short: "Print evaluated specs as JSON",
		Long: `Print what specs come to, as one JSON document: bases, contexts, stages and
images with every expression evaluated. Its shape is in docs/show.md. Nothing is built
and no network is used. What depends on the platform is unknown without --platform,
a variable without a value always.`,
		Example: "  specbuild show ./... | jq '.images[].address'",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.runShow(cmd.Context(), args, &f, platform)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&platform, "platform", "", "evaluate for this platform, such as linux/amd64")
	return cmd
}

func (c *cli) runShow(ctx context.Context, args []string, f *specFlags, platform string) error {
	target, err := parseTarget(platform)
	if err != nil {
		return err
	}
	sp, ds, err := c.load(ctx, args, f, true)
	if err != nil {
		return err
	}
	if ds.HasErrors() {
		return c.report(ds, sp)
	}
	text, more := show.Document(sp, target)
	if err := c.report(append(ds, more...), sp); err != nil {
		return err
	}
	_, err = c.stdout.Write(text)
	return err
}
