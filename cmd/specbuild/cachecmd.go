package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/progress"
	"github.com/specbuild/specbuild/engine/sandbox"
)

func (c *cli) cache() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "Look at the cache, or make it smaller",
		Args:  checkArgs(onlySubcommands),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.cacheUsage(), c.cachePrune())
	return cmd
}

func (c *cli) cacheUsage() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "du",
		Short: "Print what the cache takes on disk, by kind",
		Args:  checkArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.users.enter(); err != nil {
				return err
			}
			store, err := c.openStore()
			if err != nil {
				return err
			}
			defer store.Close()
			usage, err := store.Usage(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(c.stdout).Encode(usage)
			}
			fmt.Fprintf(c.stdout, "%s\n", store.Dir())
			return c.printUsage(usage)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (c *cli) printUsage(usage []cache.Usage) error {
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	var total int64
	for _, u := range usage {
		total += u.Bytes
		if u.Count > 0 {
			fmt.Fprintf(w, "%s\t%d\t%s\t\n", u.Kind, u.Count, progress.Bytes(u.Bytes))
		}
	}
	fmt.Fprintf(w, "total\t\t%s\t\n", progress.Bytes(total))
	return w.Flush()
}

func (c *cli) cachePrune() *cobra.Command {
	var (
		o      cache.PruneOptions
		keep   string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Remove what was not used for long",
		Long: `Remove what was not used for long, least recently used first. What another
running specbuild may need stays. Without flags, what was not used for 30 days goes.`,
		Example: "  specbuild cache prune --keep 20GB\n  specbuild cache prune --older-than 72h --dry-run",
		Args:    checkArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if keep != "" {
				n, err := parseBytes(keep)
				if err != nil {
					return usagef("--keep: %v", err)
				}
				o.KeepBytes = n
			}
			if !o.All && o.KeepBytes == 0 && o.OlderThan == 0 {
				o.OlderThan = 30 * 24 * time.Hour
			}
			if err := c.users.enter(); err != nil {
				return err
			}
			store, err := c.openStore()
			if err != nil {
				return err
			}
			defer store.Close()
			report, err := store.Prune(cmd.Context(), o)
			if err != nil {
				return c.users.explain(err)
			}
			if asJSON {
				return json.NewEncoder(c.stdout).Encode(report)
			}
			return c.printPruned(report, o.DryRun)
		},
	}
	f := cmd.Flags()
	f.StringVar(&keep, "keep", "", "remove until at most this much is left, such as 10GB")
	f.DurationVar(&o.OlderThan, "older-than", 0, "remove what was not used for so long, such as 72h")
	f.BoolVar(&o.All, "all", false, "remove everything")
	f.BoolVar(&o.DryRun, "dry-run", false, "only say what would be removed")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (c *cli) printPruned(r cache.PruneReport, dry bool) error {
	if err := c.printUsage(r.Removed); err != nil {
		return err
	}
	verb := "removed"
	if dry {
		verb = "would be removed"
	}
	fmt.Fprintf(c.stdout, "%s %s, %s kept\n", progress.Bytes(r.Freed), verb, progress.Bytes(r.Kept))
	if r.Spared > 0 {
		fmt.Fprintf(c.stdout, "%s were spared: another specbuild is running and may need them\n", progress.Bytes(r.Spared))
	}
	return nil
}

// openStore opens the user's cache, or the one of --cache-dir.
func (c *cli) openStore() (*cache.Store, error) {
	return cache.Open(cache.Options{
		Dir: c.cacheDir,
		// Control groups of steps whose specbuild was killed go with its lease.
		Reap: func(string) { _ = sandbox.CleanCgroups("") },
	})
}
