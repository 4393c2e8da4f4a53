package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/lower/dag"
)

func (c *cli) graph() *cobra.Command {
	var f specFlags
	var format string
	e := engineFlags{sandbox: "native", compression: "gzip"}
	cmd := &cobra.Command{
		Use:   "graph [SPEC…]",
		Short: "Print the graph of steps",
		Long: `Print the graph of steps that specs come to: each step once, however many
images share it. Formats: text, json, dot, and svg where Graphviz is installed.`,
		Example: "  specbuild graph services/web\n  specbuild graph --format svg > graph.svg",
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := c.newWorld(&e)
			if err != nil {
				return err
			}
			defer w.close()
			comp, err := c.compile(cmd.Context(), args, &f, w, false)
			if err != nil {
				return err
			}
			return c.printGraph(cmd.Context(), comp.graph, format)
		},
	}
	f.addPlan(cmd)
	cmd.Flags().StringVar(&format, "format", "text", "text, json, dot or svg")
	return cmd
}

func (c *cli) printGraph(ctx context.Context, g *dag.Graph, format string) error {
	switch format {
	case "text":
		return g.WriteText(c.stdout)
	case "json":
		enc := json.NewEncoder(c.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(g)
	case "dot":
		return g.WriteDOT(c.stdout)
	case "svg":
		return c.svg(ctx, g)
	default:
		return usagef("--format %s: it must be text, json, dot or svg", format)
	}
}

// svg draws by Graphviz: nobody lays out graphs better, and a picture is not
// worth a library.
func (c *cli) svg(ctx context.Context, g *dag.Graph) error {
	path, err := exec.LookPath("dot")
	if err != nil {
		return errors.New("--format svg needs Graphviz: install the package graphviz, or use --format dot")
	}
	var in bytes.Buffer
	if err := g.WriteDOT(&in); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, "-Tsvg")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, c.stdout, c.stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("dot -Tsvg: %w", err)
	}
	return nil
}
