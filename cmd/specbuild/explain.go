package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/local"
	"github.com/specbuild/specbuild/lower/dag"
)

type explainFlags struct {
	specFlags
	engineFlags
	step string
}

func (c *cli) explain() *cobra.Command {
	var f explainFlags
	cmd := &cobra.Command{
		Use:   "explain STEP [SPEC…]",
		Short: "Say why a step ran, and what it is made of",
		Long: `Say why a step ran when it last did here, what becomes of it now, and what its key
is made of. STEP is a part of its name as plan prints it ("image.web: copy", "go
build"), or where its block stands (image.hcl:12).`,
		Example: "  specbuild explain 'go build'\n  specbuild explain services/web/image.hcl:12 services/web",
		Args:    checkArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.step = args[0]
			return c.runExplain(cmd.Context(), args[1:], &f)
		},
	}
	f.addPlan(cmd)
	f.engineFlags.add(cmd)
	return cmd
}

func (c *cli) runExplain(ctx context.Context, args []string, f *explainFlags) error {
	w, err := c.newWorld(&f.engineFlags)
	if err != nil {
		return err
	}
	defer w.close()
	comp, err := c.compile(ctx, args, &f.specFlags, w, false)
	if err != nil {
		return err
	}
	explained, err := w.engine(f.engineFlags).Explain(ctx, comp.graph)
	if err != nil {
		return withSpec(err, comp)
	}
	found := 0
	for i := range comp.graph.Nodes {
		n := &comp.graph.Nodes[i]
		x, ok := explained[n.ID]
		if !ok || !meant(n, f.step) {
			continue
		}
		if found > 0 {
			fmt.Fprintln(c.stdout)
		}
		found++
		c.printExplanation(n, x)
	}
	if found == 0 {
		return usagef("explain %s: no step is called so; `specbuild plan --all` lists them", f.step)
	}
	return nil
}

// meant reports whether a person who says this may mean a step.
func meant(n *dag.Node, said string) bool {
	at := n.Meta.Range
	place := fmt.Sprintf("%s:%d", at.File, at.Start.Line)
	return strings.Contains(n.Meta.Name+": "+n.Meta.Title, said) || place == said || strings.HasSuffix(place, "/"+said)
}

func (c *cli) printExplanation(n *dag.Node, x local.Explanation) {
	fmt.Fprintf(c.stdout, "%s: %s\n", n.Meta.Name, n.Meta.Title)
	fmt.Fprintf(c.stdout, "  at        %s\n", n.Meta.Range)
	if n.Meta.Platform != "" {
		fmt.Fprintf(c.stdout, "  platform  %s\n", n.Meta.Platform)
	}
	now := "cached"
	switch x.State {
	case engine.WillRun:
		now = "will run: " + x.Reason
	case engine.Unknown:
		now = x.Reason
	}
	fmt.Fprintf(c.stdout, "  now       %s\n", now)
	if x.Ran.IsZero() {
		fmt.Fprintln(c.stdout, "  last ran  never here")
	} else {
		fmt.Fprintf(c.stdout, "  last ran  %s: %s\n", x.Ran.Local().Format(time.DateTime), x.Why)
	}
	fmt.Fprintln(c.stdout, "  made of")
	const most = 40
	for i, l := range x.Definition {
		if i == most {
			fmt.Fprintf(c.stdout, "    … and %s more\n", plural(len(x.Definition)-most, "line"))
			break
		}
		fmt.Fprintf(c.stdout, "    %s\n", l)
	}
}
