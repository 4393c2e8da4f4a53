package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/leak"
	"github.com/specbuild/specbuild/engine/local"
	"github.com/specbuild/specbuild/spec/diag"
)

// failure is an error of a build with the spec that it can be shown in.
type failure struct {
	err  error
	comp *compiled
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func withSpec(err error, comp *compiled) error { return &failure{err, comp} }

// printFailure prints why a build failed: the place in the spec, the whole
// command, its output in one piece, what failed once more where that was long,
// and how much was not done because of it.
func (c *cli) printFailure(err error) {
	var files map[string][]byte
	var f *failure
	if errors.As(err, &f) {
		files = f.comp.spec.Files
	}
	var se *engine.StepError
	var be *local.BudgetError
	switch {
	case errors.As(err, &se):
		c.printStep(se, files)
	case errors.As(err, &be):
		c.printOne(diag.Diagnostic{Summary: "The image is over its budget", Detail: be.Detail + ".", Range: be.Output.Budget.Range}, files)
	default:
		fmt.Fprintf(c.stderr, "specbuild: %v\n", err)
	}
}

func (c *cli) printOne(d diag.Diagnostic, files map[string][]byte) {
	if err := diag.WriteText(c.stderr, diag.List{d}, files, c.textOptions()); err != nil {
		fmt.Fprintf(c.stderr, "specbuild: %s: %s\n", d.Summary, d.Detail)
	}
}

// screen is how many lines of output may stand between what failed and the
// end: behind more of them it is out of sight, and is said again.
const screen = 15

func (c *cli) printStep(se *engine.StepError, files map[string][]byte) {
	summary := "A step failed"
	var leaked *leak.Error
	switch {
	case errors.As(se, &leaked):
		summary = "A secret is in what was built"
	case strings.HasPrefix(se.Title, "test "):
		summary = "A test failed"
	}
	c.printOne(diag.Diagnostic{
		Summary: summary, Detail: fmt.Sprintf("%s, %s: %v.", se.Name, se.Title, se.Err), Range: se.Range,
	}, files)
	if len(se.Command) > 0 {
		fmt.Fprintf(c.stderr, "\n$ %s\n", quoteCommand(se.Command))
		fmt.Fprint(c.stderr, se.Output)
		if se.Output != "" && !strings.HasSuffix(se.Output, "\n") {
			fmt.Fprintln(c.stderr)
		}
	}
	if strings.Count(se.Output, "\n") > screen {
		fmt.Fprintf(c.stderr, "\n%s: %s, %s: %v.\n", se.Range, se.Name, se.Title, se.Err)
	}
	if se.Skipped > 0 {
		fmt.Fprintf(c.stderr, "\n%s not run because of it.\n", plural(se.Skipped, "more step"))
	}
	if se.Kept != "" {
		fmt.Fprintf(c.stderr, "\nWhat it changed is in %s.\nTo look around: %s\n", se.Kept, se.Enter)
	}
}

// quoteCommand writes a command so that a shell would read it back.
func quoteCommand(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		if a != "" && !strings.ContainsAny(a, " \t\n\"'\\$`*?[]{}();<>|&~#!") {
			out[i] = a
			continue
		}
		out[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	return strings.Join(out, " ")
}
