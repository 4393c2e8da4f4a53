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
			fs, network := store.FileSystem()
			capability.Findings = append([]sandbox.Finding{{
				Name: "cache", OK: !network, Detail: store.Dir() + " on " + fs,
				Advice: "choose a folder on a local disk with --cache-dir or XDG_CACHE_HOME: steps do not run on a network's",
			}}, capability.Findings...)
			if asJSON {
				enc := json.NewEncoder(c.stdout)
				enc.SetIndent("", "  ")
				return enc.Encode(machineDocument(capability))
			}
			for _, f := range capability.Findings {
				c.printFinding(f)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// machineDoc is the JSON of doctor: what was found out, and the sentences that a
// person is told.
type machineDoc struct {
	Version   int           `json:"version"`
	Kernel    string        `json:"kernel"`
	Root      bool          `json:"root"`
	UserNS    bool          `json:"userNamespaces"`
	SubIDs    bool          `json:"subordinateIDs"`
	Cgroup    string        `json:"cgroup,omitempty"`  // "v1" or "v2"; none without limits
	Overlay   string        `json:"overlay,omitempty"` // "lowerdir+" or "mount"; none where no step runs
	Runc      string        `json:"runc,omitempty"`    // its path, where it is installed
	Platforms []platformDoc `json:"platforms"`         // this machine's first
	Findings  []findingDoc  `json:"findings"`
}

type platformDoc struct {
	Platform string `json:"platform"`
	Runs     bool   `json:"runs"`
	Reason   string `json:"reason"` // how, or why not and what to do
}

type findingDoc struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Found  string `json:"found"`
	Advice string `json:"advice,omitempty"` // what to do, where it is not ok
}

func machineDocument(m sandbox.Capability) machineDoc {
	d := machineDoc{
		Version: 1, Kernel: m.Kernel, Root: m.Root, UserNS: m.UserNS, SubIDs: m.SubIDs, Cgroup: m.Cgroup, Overlay: m.Overlay, Runc: m.RuncPath,
		Platforms: []platformDoc{}, Findings: []findingDoc{},
	}
	for _, p := range m.Platforms {
		d.Platforms = append(d.Platforms, platformDoc{Platform: p.Name, Runs: p.Runs, Reason: p.Reason})
	}
	for _, f := range m.Findings {
		doc := findingDoc{Name: f.Name, OK: f.OK, Found: f.Detail}
		if !f.OK {
			doc.Advice = f.Advice
		}
		d.Findings = append(d.Findings, doc)
	}
	return d
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
