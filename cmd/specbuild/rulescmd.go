package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/planner/rules"
)

// rulesCmd is `specbuild rules`.
func (c *cli) rulesCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "rules [WORD…]",
		Short: "List the built-in rules; rules explain ID teaches one",
		Long: `List the built-in rules that specs are judged by: the id, what follows where one
is broken, who keeps it, and what it asks. With words only those that have all of
them in their id or title, or by what another tool calls them: rules secret,
rules DL3006.`,
		Example: "  specbuild rules\n  specbuild rules secret\n  specbuild rules DL3006\n  specbuild rules explain final-user-non-root",
		RunE: func(_ *cobra.Command, args []string) error {
			return c.runRules(args, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(c.rulesExplain())
	return cmd
}

func (c *cli) rulesExplain() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "explain ID",
		Short:   "Say why there is a rule, what breaks it, and how to mend that",
		Example: "  specbuild rules explain secret-in-url",
		Args:    checkArgs(cobra.ExactArgs(1)),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var ids []string
			for _, r := range rules.All() {
				ids = append(ids, r.ID)
			}
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error { return c.explainRule(args[0], asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// ruleJSON is a rule as programs read it.
type ruleJSON struct {
	ID       string      `json:"id"`
	Severity string      `json:"severity"`
	Release  string      `json:"release"` // with --locked
	Off      bool        `json:"off,omitempty"`
	By       string      `json:"by"`
	Title    string      `json:"title"`
	Why      string      `json:"why"`
	Params   []paramJSON `json:"params,omitempty"`
	Bad      string      `json:"bad,omitempty"`
	Good     string      `json:"good,omitempty"`
	Mend     string      `json:"mend,omitempty"`
	Sources  []string    `json:"sources,omitempty"`
}

// paramJSON is what a policy may give a rule.
type paramJSON struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Doc    string `json:"doc"`
	Needed bool   `json:"needed,omitempty"`
}

func asRuleJSON(r rules.Rule) ruleJSON {
	out := ruleJSON{
		ID: r.ID, Severity: r.Severity.String(), Release: r.Release.String(), Off: r.NeedsPolicy(), By: string(r.By), Title: r.Title, Why: r.Why,
		Bad: r.Bad, Good: r.Good, Mend: r.Mend, Sources: r.Sources,
	}
	for _, p := range r.Params {
		out.Params = append(out.Params, paramJSON{p.Name, string(p.Kind), p.Doc, p.Needed})
	}
	return out
}

func (c *cli) runRules(words []string, asJSON bool) error {
	found := slices.DeleteFunc(rules.All(), func(r rules.Rule) bool {
		return slices.ContainsFunc(words, func(w string) bool { return !r.Matches(w) })
	})
	if asJSON {
		out := []ruleJSON{}
		for _, r := range found {
			out = append(out, asRuleJSON(r))
		}
		return c.printJSON(map[string]any{"version": 1, "rules": out})
	}
	if len(found) == 0 {
		return usagef("rules %s: no rule has that in its id or title, or is called so elsewhere", strings.Join(words, " "))
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for _, r := range found {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.ID, r.Finding(), r.By.Keeps(), r.Title)
	}
	return w.Flush()
}

func (c *cli) explainRule(id string, asJSON bool) error {
	r, ok, similar := rules.Find(id)
	if ok && asJSON {
		return c.printJSON(asRuleJSON(r))
	}
	if ok {
		fmt.Fprint(c.stdout, explanation(r))
		return nil
	}
	for _, n := range rules.Notices() {
		if n.Code == id {
			fmt.Fprintf(c.stdout, "%s: a warning that is no rule\n\n%s. %s\n", n.Code, n.Title, n.Why)
			return nil
		}
	}
	return usagef("rules explain %s: there is no such rule%s; `specbuild rules` lists them", id, similar)
}

// explanation is all that is to be said about a rule, as docs/rules.md says
// it too.
func explanation(r rules.Rule) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, %s\n\n%s. %s\n", r.ID, r.Finding(), keptBy(r.By), r.Title, r.Why)
	for _, p := range r.Params {
		need := ""
		if p.Needed {
			need = "; the rule is off without it"
		}
		fmt.Fprintf(&b, "\nA policy may give it %s (%s): %s%s.\n", p.Name, p.Kind, p.Doc, need)
	}
	example := func(head, text string) {
		if text != "" {
			fmt.Fprintf(&b, "\n%s:\n\n    %s\n", head, strings.ReplaceAll(text, "\n", "\n    "))
		}
	}
	example("Bad", r.Bad)
	example("Good", r.Good)
	if r.Mend != "" {
		fmt.Fprintf(&b, "\nTo mend it: %s\n", r.Mend)
	}
	if r.OfImages() && r.By != rules.ByImage {
		fmt.Fprintf(&b, "\nIt also looks at the files of each image that apply has built.\n")
	}
	if r.By == rules.ByJudge || r.By == rules.ByPolicy || r.OfImages() {
		fmt.Fprintf(&b, "\nWhere there is a reason, a waiver of %q sets it aside until a day.\n", r.ID)
	}
	if len(r.Sources) > 0 {
		fmt.Fprintf(&b, "\nElsewhere: %s\n", strings.Join(r.Sources, ", "))
	}
	return b.String()
}

func keptBy(k rules.Keeper) string {
	switch k {
	case rules.ByJudge:
		return "judged by every validate, plan and apply"
	case rules.ByImage:
		return "judged by apply, in the finished image"
	}
	return "kept by " + k.Keeps()
}
