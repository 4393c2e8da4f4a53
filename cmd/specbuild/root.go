package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/engine/fetch"
)

// cli is what all commands share: where to print, and the global flags.
type cli struct {
	stdout, stderr io.Writer
	reports        io.Writer // standard output, where --report names no file; see yield
	users          users

	progress string // auto, terminal, plain, json, quiet
	color    string // auto, always, never
	cacheDir string
	asked    answers
	network  fetch.Network // what the workspace says
	worlds   []*world      // that are open
}

const longHelp = `specbuild compiles a declarative spec, in HCL, into container images.

  specbuild apply image.hcl -o oci:web    build, test and write an image
  specbuild plan image.hcl                say what apply would do, and why
  specbuild validate image.hcl            find mistakes, without any network`

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "specbuild",
		Short:         "Compile declarative specs into container images",
		Long:          longHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          checkArgs(cobra.NoArgs),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	f := root.PersistentFlags()
	f.StringVar(&c.progress, "progress", "auto", "how to show what happens: auto, terminal, plain, json or quiet")
	f.StringVar(&c.color, "color", "auto", "color: auto, always or never")
	f.StringVar(&c.cacheDir, "cache-dir", "", "the cache's folder (default $XDG_CACHE_HOME/specbuild)")
	root.AddCommand(
		c.validate(), c.lock(), c.plan(), c.apply(), c.graph(), c.explain(), c.affected(), c.console(), c.module(), c.policy(), c.push(),
		c.fmt(), c.lsp(), c.schema(), c.show(), c.list(), c.rulesCmd(), c.initCmd(),
		c.cache(), c.doctor(), c.version(),
		c.importCmd(),
	)
	return root
}
