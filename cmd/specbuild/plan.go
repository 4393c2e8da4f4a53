package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/lower/dag"
	"github.com/specbuild/specbuild/planner/show"
)

// planFlags are the flags of plan.
type planFlags struct {
	specFlags
	engineFlags
	detailed bool
	json     bool
	all      bool
	out      string
}

func (c *cli) plan() *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:   "plan [SPEC…]",
		Short: "Say what apply would do, and why",
		Long: `Say for each step whether its result is known, whether it will run and the first
reason, or after which step that is known. Nothing is run, fetched or written.`,
		Example: "  specbuild plan ./...\n  specbuild plan --all --platform linux/arm64 services/web\n  specbuild plan --out web.plan && specbuild apply web.plan",
		RunE:    func(cmd *cobra.Command, args []string) error { return c.runPlan(cmd.Context(), args, &f) },
	}
	f.addPlan(cmd)
	f.engineFlags.add(cmd)
	fl := cmd.Flags()
	fl.BoolVar(&f.detailed, "detailed-exitcode", false, "exit with 2 if there is something to do")
	fl.BoolVar(&f.json, "json", false, "print the plan and the forecast as JSON")
	fl.StringVar(&f.out, "out", "", "save the plan in a file, which apply does exactly or refuses")
	fl.BoolVar(&f.all, "all", false, "list steps that are known, too")
	return cmd
}

func (c *cli) runPlan(ctx context.Context, args []string, f *planFlags) error {
	w, err := c.newWorld(&f.engineFlags)
	if err != nil {
		return err
	}
	defer w.close()
	comp, err := c.compile(ctx, args, &f.specFlags, w, false)
	if err != nil {
		return err
	}
	forecast, err := w.engine(f.engineFlags).Forecast(ctx, comp.graph)
	if err != nil {
		return withSpec(err, comp)
	}
	n := tally(forecast)
	if f.json {
		if err := c.printPlanJSON(comp, forecast); err != nil {
			return err
		}
	} else {
		c.printPlan(comp, forecast, f.all)
		c.printMachine(w, comp.graph)
		fmt.Fprintf(c.stdout, "%s\n", n)
	}
	if f.out != "" {
		if err := c.save(ctx, f.out, args, &f.specFlags, comp, w.engine(f.engineFlags)); err != nil {
			return err
		}
	}
	if f.detailed && (n.run > 0 || n.unknown > 0) {
		return errChanges
	}
	return nil
}

// counts are the steps of a forecast by what becomes of them.
type counts struct{ run, cached, unknown int }

func tally(forecast []engine.Forecast) counts {
	var n counts
	for _, f := range forecast {
		switch f.State {
		case engine.Cached:
			n.cached++
		case engine.WillRun:
			n.run++
		default:
			n.unknown++
		}
	}
	return n
}

// String is the plan's last line.
func (n counts) String() string {
	if n.run+n.unknown == 0 {
		return fmt.Sprintf("Nothing to do: %s cached.", plural(n.cached, "step"))
	}
	parts := []string{fmt.Sprintf("%d will run", n.run)}
	if n.unknown > 0 {
		parts = append(parts, fmt.Sprintf("%d known later", n.unknown))
	}
	parts = append(parts, fmt.Sprintf("%d cached", n.cached))
	return "Steps: " + strings.Join(parts, ", ") + "."
}

func (c *cli) printPlan(comp *compiled, forecast []engine.Forecast, all bool) {
	said := map[dag.ID]engine.Forecast{}
	for _, f := range forecast {
		said[f.Node] = f
	}
	below := newReaches(comp.graph)
	w := bufio.NewWriter(c.stdout)
	for _, out := range comp.graph.Outputs {
		fmt.Fprintln(w, label(out.Addr))
		for i, img := range out.Images {
			printPlatform(w, below, said, out, i, img, all)
		}
	}
	fmt.Fprintln(w)
	_ = w.Flush() // standard output that is gone is met by the next write
}

// printPlatform lists the steps that one platform's image needs, in the order
// in which they can run, each with what becomes of it.
func printPlatform(to io.Writer, below reaches, said map[dag.ID]engine.Forecast, out dag.Output, i int, img dag.ID, all bool) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	cached := 0
	fmt.Fprintf(w, "  %s\n", out.Platforms[i])
	for _, id := range below.of(img, out.Tests) {
		f, ok := said[id]
		if !ok {
			continue
		}
		n, _ := below.g.Node(id)
		switch f.State {
		case engine.Cached:
			cached++
			if all {
				fmt.Fprintf(w, "    · %s\t%s\tcached\n", n.Meta.Name, n.Meta.Title)
			}
		case engine.WillRun:
			fmt.Fprintf(w, "    + %s\t%s\twill run: %s\n", n.Meta.Name, n.Meta.Title, f.Reason)
		default:
			fmt.Fprintf(w, "    ? %s\t%s\t%s\n", n.Meta.Name, n.Meta.Title, f.Reason)
		}
	}
	if cached > 0 && !all {
		fmt.Fprintf(w, "    · %s cached\n", plural(cached, "step"))
	}
	_ = w.Flush() // what cannot be written is known to the writer below it
}

// reaches tells what nodes of a graph stand on, without going through the
// whole graph for each of them.
type reaches struct {
	g  *dag.Graph
	at map[dag.ID]int // where in the graph a node is
}

func newReaches(g *dag.Graph) reaches {
	r := reaches{g: g, at: make(map[dag.ID]int, len(g.Nodes))}
	for i := range g.Nodes {
		r.at[g.Nodes[i].ID] = i
	}
	return r
}

// of lists what an image stands on, and its tests, inputs first.
func (r reaches) of(img dag.ID, tests []dag.ID) []dag.ID {
	needed := map[int]bool{}
	var need func(dag.ID)
	need = func(id dag.ID) {
		i, ok := r.at[id]
		if !ok || needed[i] {
			return
		}
		needed[i] = true
		for _, in := range r.g.Nodes[i].Inputs {
			need(in)
		}
	}
	need(img)
	for _, t := range tests {
		if n, ok := r.g.Node(t); ok && n.Inputs[0] == img {
			need(t)
		}
	}
	out := make([]dag.ID, 0, len(needed))
	for _, i := range slices.Sorted(maps.Keys(needed)) {
		out = append(out, r.g.Nodes[i].ID)
	}
	return out
}

// printMachine says what this machine cannot do of the plan, before anything
// is tried.
func (c *cli) printMachine(w *world, g *dag.Graph) {
	var platforms []string
	for _, n := range g.Nodes {
		switch n.Op.(type) {
		case *dag.Run, *dag.Test:
			if !slices.Contains(platforms, n.Meta.Platform) {
				platforms = append(platforms, n.Meta.Platform)
			}
		}
	}
	for _, line := range w.machine.notes(platforms) {
		fmt.Fprintf(c.stdout, "Note: %s\n", line)
	}
}

// printPlanJSON prints the document that docs/plan.md describes.
func (c *cli) printPlanJSON(comp *compiled, forecast []engine.Forecast) error {
	doc := show.Document{
		Plan: comp.plan, Root: comp.spec.Root, Specbuild: versionString(), Findings: comp.found, Lock: comp.locked,
	}
	for _, f := range forecast {
		n, ok := comp.graph.Node(f.Node)
		if !ok {
			continue
		}
		doc.Steps = append(doc.Steps, show.Step{
			ID: string(f.Node), Op: n.Op.Kind(), Name: n.Meta.Name, Title: n.Meta.Title, Platform: n.Meta.Platform,
			Range: n.Meta.Range, State: state(f.State), Reason: f.Reason,
		})
	}
	for _, p := range comp.judges.set.Policies {
		doc.Policies = append(doc.Policies, show.Policy{Name: p.Name, Range: p.Range, Enforcement: p.Enforcement.V})
	}
	for _, a := range comp.judges.flags.aside {
		doc.SetAside = append(doc.SetAside, show.Aside(a))
	}
	return doc.Write(c.stdout)
}

// state is an engine's word in the document's.
func state(s engine.State) show.State {
	switch s {
	case engine.Cached:
		return show.Cached
	case engine.WillRun:
		return show.Run
	default:
		return show.Unknown
	}
}
