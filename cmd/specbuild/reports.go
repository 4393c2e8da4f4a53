package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/diag/report"
)

// rulesPage is where the text of a built-in rule can be read.
const rulesPage = "https://github.com/specbuild/specbuild/blob/main/docs/rules.md#"

// writeReports writes what was found in the forms that --report asks for, into
// files or, without one, to standard output. They are written whether or not
// there are errors: that is what they are for.
func (c *cli) writeReports(command string, f *specFlags, ds diag.List, sp *spec.Spec) error {
	if len(f.reports) == 0 {
		return nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	r := report.Report{Command: command, Version: versionString(), Findings: ds, Aside: f.aside, Dir: dir}
	if sp != nil {
		r.Files, r.Root = sp.Files, repository(sp.Root)
	}
	for _, x := range rules.All() {
		r.Rules = append(r.Rules, report.Rule{ID: x.ID, Severity: x.Severity, Title: x.Title, Why: x.Why, Mend: x.Mend, URL: rulesPage + x.ID})
	}
	for _, arg := range f.reports {
		format, file, named := strings.Cut(arg, ":")
		var out bytes.Buffer
		if err := r.Write(&out, format); err != nil {
			return err
		}
		if !named {
			if _, err := c.reports.Write(out.Bytes()); err != nil {
				return err
			}
			continue
		}
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
	}
	return nil
}

// checkReports refuses reports that nobody could read, before anything is
// done: of no known form, or with something else on standard output.
func (s *specFlags) checkReports(cmd *cobra.Command, _ []string) error {
	json := cmd.Flags().Lookup("json")
	taken := ""
	switch {
	case json != nil && json.Changed:
		taken = "what --json prints"
	case slices.Contains([]string{"graph", "affected", "eval"}, cmd.Name()):
		taken = "what " + cmd.Name() + " prints"
	}
	for _, arg := range s.reports {
		format, _, named := strings.Cut(arg, ":")
		if !slices.Contains(report.Formats(), format) {
			return usagef("--report %s: %q is no form of a report; there are %s", arg, format, strings.Join(report.Formats(), ", "))
		}
		if !named && taken != "" {
			return usagef("--report %s: standard output is for %s; name a file, --report %s:FILE", arg, taken, arg)
		}
		if !named {
			taken = "--report " + arg
		}
	}
	return nil
}

// yield leaves standard output to a report that goes there, so that it is
// that document and nothing else. What is for people goes to standard error.
func (c *cli) yield(s *specFlags) {
	if c.reports != nil {
		return
	}
	c.reports = c.stdout
	if slices.ContainsFunc(s.reports, func(arg string) bool { return !strings.Contains(arg, ":") }) {
		c.stdout = c.stderr
	}
}

// repository is the top of the git work tree around a workspace, which
// services that read reports name files from; without one, the workspace.
func repository(root string) string {
	for dir := root; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return root
		}
	}
}
