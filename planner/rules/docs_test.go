package rules_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/planner/rules"
)

var update = flag.Bool("update", false, "write docs/rules.md")

const docs = "../../docs/rules.md"

// TestDocs holds docs/rules.md to the table of rules.
func TestDocs(t *testing.T) {
	t.Parallel()
	want := page(rules.All())
	if *update {
		if err := os.WriteFile(docs, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("docs/rules.md is not what the rules say; run go test ./planner/rules -run TestDocs -update")
	}
}

const preface = `<!-- Made from planner/rules by go test ./planner/rules -run TestDocs -update. Do not edit. -->

# Rules

Every ` + "`validate`, `plan` and `apply`" + ` judges a spec by these rules, without network. A finding says what was found and what to do; it is
told once, for however many platforms it shows. ` + "`--locked`" + `, which is on in CI, makes some of them stricter.

A finding of a rule that is *judged* can be set aside where there is a reason:

` + "```hcl" + `
waiver {
  rule    = "final-user-non-root"
  address = "image.legacy-ftp" # what the finding names
  reason  = "Binds port 21 until OPS-123 is done."
  owner   = "team-files"
  expires = "2027-03-31"       # the last day that it holds
}
` + "```" + `

What the *language* or the *planner* keeps cannot be said, or has no plan: there is nothing to set aside. What the *lock* keeps is told
by ` + "`specbuild lock`" + `, which asks registries.

| rule | finding | kept by | what it asks |
|---|---|---|---|
`

func page(all []rules.Rule) string {
	var table, reasons strings.Builder
	for _, r := range all {
		severity := r.Severity.String()
		if r.Release != r.Severity {
			severity += "; with --locked " + r.Release.String()
		}
		by := map[rules.Keeper]string{rules.ByJudge: "judged", rules.ByLanguage: "the language", rules.ByPlanner: "the planner", rules.ByLock: "the lock", rules.ByPolicy: "a policy"}[r.By]
		fmt.Fprintf(&table, "| [`%s`](#%s) | %s | %s | %s |\n", r.ID, r.ID, severity, by, strings.ReplaceAll(r.Title, "|", "\\|"))
		fmt.Fprintf(&reasons, `
### %s

%s. %s
`, r.ID, r.Title, r.Why)
	}
	return preface + table.String() + "\n## Reasons\n" + reasons.String()
}
