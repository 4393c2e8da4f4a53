package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/image"
	"github.com/specbuild/specbuild/engine/local"
	"github.com/specbuild/specbuild/engine/progress"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec/diag"
)

// applyFlags are the flags of apply.
type applyFlags struct {
	specFlags
	engineFlags
	outputs      []string
	push         bool
	attest       bool
	requireTests bool
	failOnMiss   bool
	json         bool
}

const applyHelp = `Build, test and write the images of a spec.

An argument is a spec file, or a folder with an image.hcl; none means the
current folder. What is known already is not done again. Nothing is written or
pushed before all tests have passed.

The file of a saved plan, of plan --out, is done exactly as it was planned, from
the same folder, or refused if anything has moved since.

Outputs, each may be repeated:
  -o oci:DIR           an OCI image layout, all platforms
  -o oci-tar:FILE      the same as one tar file
  -o docker-tar:FILE   what "docker load" reads, one platform
  -o dir:DIR           the image's files, one platform
  -o attest:DIR        what is in the images and what they were made of, as JSON
  --push               to each of the image's tags, with that attached`

func (c *cli) apply() *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:     "apply [SPEC…]",
		Short:   "Build, test and write images",
		Long:    applyHelp,
		Example: "  specbuild apply examples/quickstart/image.hcl -o oci:web",
		RunE:    func(cmd *cobra.Command, args []string) error { return c.runApply(cmd, args, &f) },
	}
	f.addPlan(cmd)
	f.engineFlags.add(cmd)
	fl := cmd.Flags()
	fl.StringArrayVarP(&f.outputs, "output", "o", nil, "where to write: oci:DIR, oci-tar:FILE, docker-tar:FILE, dir:DIR or attest:DIR")
	fl.BoolVar(&f.push, "push", false, "push each image to its tags")
	fl.BoolVar(&f.attest, "attest", true, "with --push: attach a bill of materials and the provenance to each image")
	fl.BoolVar(&f.requireTests, "require-tests", false, "fail if a test cannot be run on this machine")
	fl.BoolVar(&f.failOnMiss, "fail-on-miss", false, "fail, and run nothing, if a step's result is not known already")
	fl.BoolVar(&f.json, "json", false, "print the result as JSON")
	return cmd
}

func (c *cli) runApply(cmd *cobra.Command, args []string, f *applyFlags) error {
	ctx := cmd.Context()
	outs, err := parseOutputs(f.outputs)
	if err != nil {
		return err
	}
	saved, err := readSaved(args)
	if err != nil {
		return err
	}
	if saved != nil {
		args = saved.Args
		if err := saved.restore(cmd, &f.specFlags); err != nil {
			return err
		}
	}
	f.unattested = f.push && !f.attest
	if err := c.users.enter(); err != nil {
		return err
	}
	w, err := c.newWorld(&f.engineFlags)
	if err != nil {
		return err
	}
	defer w.close()
	f.late = true
	comp, err := c.compile(ctx, args, &f.specFlags, w, saved == nil)
	if err != nil {
		return err
	}
	err = c.applyCompiled(ctx, f, w, comp, saved, outs)
	return errors.Join(err, c.writeReports("apply", &f.specFlags, comp.found, comp.spec))
}

// applyCompiled builds what was planned, looks at it, and writes it.
func (c *cli) applyCompiled(ctx context.Context, f *applyFlags, w *world, comp *compiled, saved *savedPlan, outs []output) error {
	if saved != nil {
		if err := saved.holds(ctx, comp, w.engine(f.engineFlags)); err != nil {
			return err
		}
	}
	if f.failOnMiss {
		if err := c.allKnown(ctx, comp, w.engine(f.engineFlags)); err != nil {
			return err
		}
	}
	if f.push {
		if err := c.checkPush(comp); err != nil {
			return err
		}
	}
	swallowed, err := w.swallowed(ctx, comp.graph, outs)
	if err != nil {
		return err
	}
	comp.found = append(comp.found, swallowed...)
	if err := c.report(swallowed, comp.spec); err != nil {
		return err
	}
	p := c.printer(f.verbose)
	defer p.Close()
	if why := c.users.stayed; why != nil {
		p.Event(engine.Event{Kind: engine.Note, Time: time.Now(), Text: fmt.Sprintf("steps know one user, root: %v", why)})
	}
	if len(comp.locked) > 0 {
		p.Event(engine.Event{Kind: engine.Note, Time: time.Now(), Text: describeChanges(comp.locked)})
	}
	pub := &publisher{world: w, outputs: outs, push: f.push, attest: f.attest, graph: comp.graph, created: sourceDateEpoch(), printer: p}
	results, err := w.engineFor(f.engineFlags, pub.forms()).Run(ctx, comp.graph, p.Event)
	if err != nil {
		p.Close()
		return withSpec(err, comp)
	}
	if err := untested(results, f.requireTests, p); err != nil {
		return err
	}
	var pushed []rules.Pushed
	if wanted, _ := comp.judges.set.ScansImages(); wanted && f.push {
		if pushed, err = pub.pushed(ctx, results); err != nil {
			return err
		}
	}
	late, err := c.judgeImages(ctx, w, f, comp, results, pushed)
	if err != nil || late.HasErrors() {
		p.Close()
		return errors.Join(err, c.report(late, comp.spec))
	}
	done, err := pub.publish(ctx, results)
	p.Close()
	if err != nil {
		return err
	}
	if err := c.report(late, comp.spec); err != nil {
		return err
	}
	if f.json {
		enc := json.NewEncoder(c.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(map[string]any{"version": 1, "images": done})
	}
	c.printDone(done)
	return nil
}

// allKnown fails where a step would run, and says which and why: in CI, a
// build that was thought to be cached is one that something has changed.
func (c *cli) allKnown(ctx context.Context, comp *compiled, e *local.Engine) error {
	forecast, err := e.Forecast(ctx, comp.graph)
	if err != nil {
		return withSpec(err, comp)
	}
	var missing []string
	for _, f := range forecast {
		if f.State == engine.Cached {
			continue
		}
		if n, ok := comp.graph.Node(f.Node); ok {
			missing = append(missing, fmt.Sprintf("%s: %s: %s", n.Meta.Name, n.Meta.Title, f.Reason))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("--fail-on-miss: %s not known already:\n  %s", plural(len(missing), "step"), strings.Join(missing, "\n  "))
}

// checkPush refuses before the build what could only fail after it.
func (c *cli) checkPush(comp *compiled) error {
	var ds diag.List
	for _, img := range comp.plan.Images {
		if len(img.Tags) == 0 {
			ds.Errorf(img.Range, "No tag to push to", "%s has no tags, and --push needs at least one: add `tags = [\"registry/repository:tag\"]`.", img.Addr)
		}
		if !img.Explicit {
			ds.Warnf("publish-platforms-said", img.Range, "Platforms are not said", "%s is pushed for this machine's platform alone, %s; say `platforms` so that another machine pushes the same.",
				img.Addr, comp.plan.Build)
		}
	}
	return c.report(ds, comp.spec)
}

func untested(results []engine.Result, required bool, p progress.Printer) error {
	var missing []string
	for _, r := range results {
		for _, u := range r.Untested {
			text := fmt.Sprintf("not tested: %s %q for %s: %s", label(r.Output.Addr), u.Test, u.Platform, u.Reason)
			p.Event(engine.Event{Kind: engine.Note, Time: time.Now(), Text: text})
			missing = append(missing, text)
		}
	}
	if required && len(missing) > 0 {
		p.Close()
		return errors.New("--require-tests: " + strings.Join(missing, "; "))
	}
	return nil
}

// sourceDateEpoch is the time that images are said to be created at, where the
// environment says one (reproducible-builds.org).
func sourceDateEpoch() time.Time {
	n, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return image.Epoch
	}
	return time.Unix(n, 0).UTC()
}

func (c *cli) printDone(done []published) {
	for _, d := range done {
		fmt.Fprintf(c.stdout, "%s  %s\n", label(d.Address), d.Digest)
		for _, p := range d.Platforms {
			fmt.Fprintf(c.stdout, "  %-14s %s  %s, %s\n", p.Platform, p.Digest[:19], plural(p.Layers, "layer"), progress.Bytes(p.Size))
		}
		for _, o := range d.Outputs {
			fmt.Fprintf(c.stdout, "  → %s  %s\n", o.Where, o.State)
		}
	}
}
