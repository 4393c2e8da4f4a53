package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/engine/sandbox"
)

func (c *cli) doctor() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine can do, and what is missing",
		Long: `Try what builds need of this machine, and say for each what was found and what to
do where something is missing. Images without run steps and tests need none of it.`,
		Args: checkArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			store, err := c.openStore()
			if err != nil {
				return fmt.Errorf("opening the cache: %w", err)
			}
			defer store.Close()
			capability := sandbox.Probe(sandbox.Options{}) // never from memory: somebody asks because something changed
			if asJSON {
				enc := json.NewEncoder(c.stdout)
				enc.SetIndent("", "  ")
				return enc.Encode(capability)
			}
			fs, network := store.FileSystem()
			c.printFinding(sandbox.Finding{
				Name: "cache", OK: !network, Detail: store.Dir() + " on " + fs,
				Advice: "choose a folder on a local disk with --cache-dir or XDG_CACHE_HOME: steps do not run on a network's",
			})
			for _, f := range capability.Findings {
				c.printFinding(f)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (c *cli) printFinding(f sandbox.Finding) {
	mark := "✓"
	if !f.OK {
		mark = "–"
	}
	fmt.Fprintf(c.stdout, "%s %-28s %s\n", mark, f.Name, f.Detail)
	if f.Advice != "" && !f.OK {
		fmt.Fprintf(c.stdout, "  %-28s %s\n", "", f.Advice)
	}
}

// plural is a count with its noun.
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
