package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/engine/source"
	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/planner/policy"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// policyTestName is how a file of tests ends.
const policyTestName = ".policytest.hcl"

func (c *cli) policy() *cobra.Command {
	cmd := &cobra.Command{
		Use: "policy", Short: "Try and publish policies", Args: checkArgs(onlySubcommands),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.policyTest(), c.policyEval(), c.policyPush())
	return cmd
}

func (c *cli) policyTest() *cobra.Command {
	return &cobra.Command{
		Use:   "test [FILE|FOLDER…]",
		Short: "Run the tests of policies",
		Long: `Run the tests in *.policytest.hcl: small workspaces, and what the policies in
the same folder find in them. Every error counts, and everything that the
policies declare or grade; what is found has to be expected, and the other way
round.`,
		Example: "  specbuild policy test policy",
		RunE:    func(cmd *cobra.Command, args []string) error { return c.runPolicyTest(cmd.Context(), args) },
	}
}

func (c *cli) runPolicyTest(ctx context.Context, args []string) error {
	if len(args) == 0 {
		args = []string{"."}
	}
	var files []string
	for _, arg := range args {
		found, err := testFiles(arg)
		if err != nil {
			return err
		}
		files = append(files, found...)
	}
	ran, failed := 0, 0
	for _, file := range files {
		r, f, err := c.testPolicies(ctx, file)
		if err != nil {
			return err
		}
		ran, failed = ran+r, failed+f
	}
	fmt.Fprintf(c.stdout, "%s, %d failed\n", plural(ran, "test"), failed)
	if failed > 0 {
		return exitCode(exitFailed)
	}
	return nil
}

// testFiles are the files of tests that an argument means.
func testFiles(arg string) ([]string, error) {
	info, err := os.Stat(arg)
	if err != nil {
		return nil, usagef("policy test: %w", err)
	}
	if !info.IsDir() {
		return []string{arg}, nil
	}
	var out []string
	err = filepath.WalkDir(arg, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, policyTestName) {
			out = append(out, path)
		}
		return err
	})
	if err == nil && len(out) == 0 {
		err = usagef("policy test: %s holds no file *%s", arg, policyTestName)
	}
	return out, err
}

// testPolicies runs one file, with the policies of its folder.
func (c *cli) testPolicies(ctx context.Context, file string) (ran, failed int, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, 0, err
	}
	name := filepath.ToSlash(file)
	tests, ds := spec.ReadPolicyTests(name, text)
	sources, err := readPolicies(filepath.Dir(file), filepath.ToSlash(filepath.Dir(file)))
	if err != nil {
		return 0, 0, err
	}
	set, problems := policy.Read(sources, readOptions())
	ds = append(ds, problems...)
	files := set.Files
	files[name] = text
	if err := c.report(ds, &spec.Spec{Files: files}); err != nil {
		return 0, 0, err
	}
	for _, t := range tests {
		found, err := c.judgeTest(ctx, set, t)
		if err != nil {
			return ran, failed, err
		}
		ran++
		wrong := set.Compare(t, found)
		if len(wrong) > 0 {
			failed++
			fmt.Fprintf(c.stdout, "FAIL  %s\n", t.Name)
			for _, w := range wrong {
				fmt.Fprintf(c.stdout, "      %s\n", w)
			}
			continue
		}
		fmt.Fprintf(c.stdout, "ok    %s\n", t.Name)
	}
	return ran, failed, nil
}

// judgeTest writes the test's workspace for a moment, and judges it.
func (c *cli) judgeTest(ctx context.Context, set *policy.Set, t *spec.PolicyTest) (found diag.List, err error) {
	dir, err := os.MkdirTemp("", "specbuild-policy-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	files := map[string]string{"image.hcl": t.Spec.V}
	if len(t.Files) > 0 {
		files = map[string]string{}
	}
	for _, f := range t.Files {
		files[f.Name] = f.Value
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	for name, text := range files {
		if err := root.MkdirAll(filepath.Dir(filepath.FromSlash(name)), 0o755); err != nil {
			return nil, fmt.Errorf("%s: the file %s cannot be written: %w", t.Range, name, err)
		}
		if err := root.WriteFile(filepath.FromSlash(name), []byte(text), 0o644); err != nil {
			return nil, fmt.Errorf("%s: the file %s cannot be written: %w", t.Range, name, err)
		}
	}
	f := &specFlags{locked: t.Locked}
	sp, ds, err := c.loadIn(ctx, dir, dir, []string{"./..."}, f, true)
	if err != nil || ds.HasErrors() {
		return ds, err
	}
	facts, more := factsOf(ctx, sp, f)
	if more.HasErrors() {
		return append(ds, more...), nil
	}
	return append(ds, set.Judge(facts, policy.Options{Partial: true})...), nil
}

// factsOf are what rules look at, with a plan where there is a lock.
func factsOf(ctx context.Context, sp *spec.Spec, f *specFlags) (rules.Facts, diag.List) {
	lock, exists, ds := readLock(sp.Root)
	if ds.HasErrors() {
		return rules.Facts{}, ds
	}
	var facts rules.Facts
	in := planner.Input{
		Spec: sp, Lock: lock, Locked: f.locked, Allow: []string{planner.NetworkHost}, Sources: new(source.View),
		Judge: func(f rules.Facts) diag.List {
			facts = f
			return nil
		},
	}
	return facts, append(ds, judge(ctx, in, exists)...)
}

type policyEvalFlags struct {
	specFlags
	expr   string
	sees   bool
	asJSON bool
	image  string // oci:DIR
}

func (c *cli) policyEval() *cobra.Command {
	var f policyEvalFlags
	cmd := &cobra.Command{
		Use:   "eval [SPEC…]",
		Short: "Show what a rule sees, and what it says",
		Long: `Show what each rule of the policies says of the specs. With --sees, what rules
look at: spec, and plan where there is a lock. With --expr, what an expression
over them is worth, for who writes a rule. With --image both show a finished
image as well, of a layout that apply wrote.`,
		Example: "  specbuild policy eval services/web\n  specbuild policy eval --expr '[for a, i in spec.images : i.run_as]'\n  specbuild policy eval --sees | jq '.[0].spec.images'\n  specbuild policy eval --image oci:out --expr 'image.users'",
		RunE:    func(cmd *cobra.Command, args []string) error { return c.runPolicyEval(cmd.Context(), args, &f) },
	}
	f.add(cmd)
	f.addJudging(cmd)
	cmd.Flags().StringVarP(&f.expr, "expr", "e", "", "evaluate this in the scope of a rule")
	cmd.Flags().BoolVar(&f.sees, "sees", false, "print what rules look at, as JSON, for each platform that is built")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print what rules say as JSON")
	cmd.Flags().StringVar(&f.image, "image", "", "for --sees and --expr: a finished image, oci:DIR or oci:DIR:NAME")
	return cmd
}

func (c *cli) runPolicyEval(ctx context.Context, args []string, f *policyEvalFlags) error {
	sp, ds, err := c.load(ctx, args, &f.specFlags, true)
	if err != nil {
		return err
	}
	if err := c.report(ds, sp); err != nil {
		return err
	}
	facts, ds := factsOf(ctx, sp, &f.specFlags)
	if err := c.report(ds, sp); err != nil {
		return err
	}
	var finished []rules.Image
	if f.image != "" {
		if finished, err = c.finishedIn(ctx, f); err != nil {
			return err
		}
	}
	switch {
	case f.sees:
		return c.printSeen(facts, finished)
	case f.expr != "":
		text, ds := policy.Expression(facts, finished, f.expr)
		sp.Files["expression"] = []byte(f.expr)
		if err := c.report(ds, sp); err != nil {
			return err
		}
		fmt.Fprintln(c.stdout, text)
		return nil
	}
	judges, ds, err := c.judges(ctx, sp, &f.specFlags, true)
	if err != nil {
		return err
	}
	if err := c.report(ds, sp); err != nil {
		return err
	}
	return c.printVerdicts(judges.set.Verdicts(facts, judges.opts), f.asJSON)
}

// finishedIn is what rules see of an image that was written as a layout.
func (c *cli) finishedIn(ctx context.Context, f *policyEvalFlags) ([]rules.Image, error) {
	if f.expr == "" && !f.sees {
		return nil, usagef("--image shows a finished image with --sees or --expr; rules over it are judged by apply and push")
	}
	l, err := openLayout(f.image, nil)
	if err != nil {
		return nil, err
	}
	w, err := c.newWorld(&engineFlags{sandbox: "native", compression: "gzip"})
	if err != nil {
		return nil, err
	}
	defer w.close()
	manifests, err := manifestsOf(l.artifact)
	if err != nil {
		return nil, err
	}
	return surveyLayout(ctx, w, l, manifests)
}

func (c *cli) printSeen(facts rules.Facts, finished []rules.Image) error {
	seen, err := policy.See(facts, finished)
	if err != nil {
		return err
	}
	out := make([]map[string]json.RawMessage, len(seen))
	for i, s := range seen {
		out[i] = s.Roots
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(out); err != nil {
		return err
	}
	_, err = c.stdout.Write(text.Bytes())
	return err
}

// printVerdicts is a line a rule, and a line for each thing that it found.
func (c *cli) printVerdicts(verdicts []policy.Verdict, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(c.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(verdicts)
	}
	if len(verdicts) == 0 {
		fmt.Fprintln(c.stdout, "no policy with rules holds here")
		return nil
	}
	t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for _, v := range verdicts {
		says := "holds"
		switch {
		case !v.Judged:
			says = "is judged with the " + v.Phase
		case len(v.Found) > 0:
			says = fmt.Sprintf("broken %s", plural(len(v.Found), "time"))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", v.Policy, v.Rule, says)
		for _, d := range v.Found {
			fmt.Fprintf(t, "\t\t  %s: %s\n", d.Range, d.Summary)
		}
	}
	return t.Flush()
}

func (c *cli) policyPush() *cobra.Command {
	return &cobra.Command{
		Use:   "push FOLDER REGISTRY/REPOSITORY:TAG",
		Short: "Publish a folder of policies",
		Long: `Publish a folder with policies as an OCI artifact, for workspaces to name by
policy = ["oci://registry/repository:tag"]. They are read first; tests stay
with them. Equal folders have one digest.`,
		Example: "  specbuild policy push policy registry.example.com/policy/acme:3",
		Args:    checkArgs(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.runPolicyPush(cmd.Context(), args[0], strings.TrimPrefix(args[1], "oci://"))
		},
	}
}

func (c *cli) runPolicyPush(ctx context.Context, dir, ref string) error {
	files, err := readPolicies(dir, filepath.ToSlash(dir))
	if err != nil {
		return err
	}
	set, ds := policy.Read(files, readOptions())
	if err := c.report(ds, &spec.Spec{Files: set.Files}); err != nil {
		return err
	}
	return c.pushFolder(ctx, dir, ref)
}
