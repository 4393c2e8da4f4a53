package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/engine/image"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

func (c *cli) push() *cobra.Command {
	var f specFlags
	cmd := &cobra.Command{
		Use:   "push oci:DIR[:NAME] TAG…",
		Short: "Push an image of an OCI layout to tags",
		Long: `Push an image that apply wrote with -o oci:DIR, as it is, to one or more tags:
for pipelines that build in one place and publish in another. Credentials are
those of Docker's configuration and its helpers.

Policies hold that are the machine's, the workspace's around this folder, or
named by --policy: what they ask of finished images, of scans of them, and of
tags. A layout has no spec, so what a hard policy asks of specs refuses it:
push with apply --push then. No bill of materials is attached, as apply --push
does it.`,
		Example: "  specbuild push oci:web registry.example.com/shop/web:1.4.2",
		Args:    checkArgs(cobra.MinimumNArgs(2)),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.runPush(cmd.Context(), args[0], args[1:], &f) },
	}
	cmd.Flags().StringArrayVar(&f.policies, "policy", nil, "judge by this policy as well: a file or folder, oci://… or git::…; may be repeated")
	return cmd
}

func (c *cli) runPush(ctx context.Context, from string, tags []string, f *specFlags) error {
	l, err := openLayout(from, tags)
	if err != nil {
		return err
	}
	sp, ds, err := c.around(ctx)
	if err != nil {
		return err
	}
	if ds.HasErrors() {
		return c.report(ds, sp)
	}
	w, err := c.newWorld(&engineFlags{sandbox: "native", compression: "gzip"})
	if err != nil {
		return err
	}
	defer w.close()
	ds, err = c.judgeLayout(ctx, w, sp, f, l)
	if err != nil {
		return err
	}
	if err := c.report(ds, sp); err != nil {
		return err
	}
	for _, tag := range tags {
		there, err := w.registry.Head(ctx, tag)
		if err != nil {
			return err
		}
		state := "up to date"
		if there != l.artifact.Digest {
			if err := w.registry.Push(ctx, tag, l.artifact); err != nil {
				return err
			}
			state = "pushed"
		}
		fmt.Fprintf(c.stdout, "%s  %s  %s\n", tag, l.artifact.Digest, state)
	}
	return nil
}

// around is the workspace that this folder is in, without its specs.
func (c *cli) around(ctx context.Context) (*spec.Spec, diag.List, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, nil, err
	}
	sp, ds := spec.Workspace(ctx, spec.Options{Dir: dir, Env: os.LookupEnv, Network: c.connect, Build: buildPlatform(), Version: versionString()})
	return sp, ds, nil
}

// layoutImage is an image of a layout on its way to tags.
type layoutImage struct {
	from, ref string // "oci:DIR:NAME", and the same without "oci:"
	artifact  *image.Artifact
	tags      []string
}

func openLayout(from string, tags []string) (*layoutImage, error) {
	ref, ok := strings.CutPrefix(from, "oci:")
	if !ok {
		return nil, usagef("%s: it must be an OCI layout, oci:DIR or oci:DIR:NAME", from)
	}
	a, err := image.OpenLayout(ref)
	return &layoutImage{from, ref, a, tags}, err
}

// judgeLayout is what policies have against pushing a layout. What they ask of
// finished images is judged as after a build; without such a policy its files
// are not looked at.
func (c *cli) judgeLayout(ctx context.Context, w *world, sp *spec.Spec, f *specFlags, l *layoutImage) (diag.List, error) {
	j, ds, err := c.judges(ctx, sp, f, false)
	if err != nil || ds.HasErrors() {
		return ds, err
	}
	at := diag.Range{File: l.from}
	if ds = append(ds, unjudged(j, at)...); ds.HasErrors() {
		return ds, nil
	}
	done := rules.Finished{Alone: true}
	pushed := rules.Pushed{Name: l.from, Range: at, Tags: l.tags, Digest: l.artifact.Digest}
	if pushed.Manifests, err = manifestsOf(l.artifact); err != nil {
		return nil, err
	}
	done.Pushed = []rules.Pushed{pushed}
	if j.set.GradesImages() {
		if done.Images, err = surveyLayout(ctx, w, l, pushed.Manifests); err != nil {
			return nil, fmt.Errorf("looking at the files of %s: %w", l.from, err)
		}
	}
	j.facts = rules.Facts{Spec: sp, Evidence: evidenceFiles(sp.Root, j.set.ScanFiles())}
	for _, d := range j.judgeImages(done, attachedTo(ctx, w.registry, j.set, done.Pushed)) {
		if d.Severity == diag.Error || j.set.Asks(d.Code) { // the rest was advice to who built it
			ds = append(ds, d)
		}
	}
	return ds, nil
}

// unjudged reports rules that policies ask for and that a layout cannot be
// judged by. It fails closed where a policy is hard.
func unjudged(j *judges, at diag.Range) diag.List {
	var ds diag.List
	hard, others := j.set.Unjudged()
	if len(hard) > 0 {
		ds.Errorf(at, "A layout cannot be judged", "A hard policy asks for %s, which a spec shows and a layout does not. Push with `specbuild apply --push`.", fewNames(hard))
	}
	if len(others) > 0 {
		ds.Warnf("layout-in-part", at, "A layout is judged in part", "Policies ask for %s, which a spec shows and a layout does not. `specbuild apply --push` judges it.", fewNames(others))
	}
	return ds
}

// fewNames are some names in words.
func fewNames(names []string) string {
	const most = 5
	if more := len(names) - most; more > 0 {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}
