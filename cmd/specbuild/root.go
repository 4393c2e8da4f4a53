package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/engine/fetch"
	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/spec/diag/report"
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
		Args:          checkArgs(onlySubcommands),
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
	completeWords(root)
	return root
}

// onlySubcommands refuses what is no command, with the one that may be meant.
func onlySubcommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	meant := ""
	if names := cmd.SuggestionsFor(args[0]); len(names) > 0 {
		meant = "; did you mean " + strings.Join(names, " or ") + "?"
	}
	return fmt.Errorf("unknown command %q for %q%s", args[0], cmd.CommandPath(), meant)
}

// completeWords tells shells the words that flags take, of all commands.
func completeWords(cmd *cobra.Command) {
	for flag, words := range map[string][]string{
		"progress": {"auto", "terminal", "plain", "json", "quiet"}, "color": {"auto", "always", "never"},
		"compression": {"gzip", "zstd", "none"}, "sandbox": {"native", "runc"}, "format": {"text", "json", "dot", "svg"},
		"lang": {"go", "node", "python", "rust", "static", "deb"}, "report": report.Formats(), "allow": {planner.NetworkHost},
	} {
		if cmd.Flag(flag) != nil {
			// It fails where a command has said its own words, which stay.
			_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
		}
	}
	for _, sub := range cmd.Commands() {
		completeWords(sub)
	}
}
