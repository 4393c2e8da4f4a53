package rules_test

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
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

var preface = `<!-- Made from planner/rules by go test ./planner/rules -run TestDocs -update. Do not edit. -->

# Rules

Every ` + "`validate`, `plan` and `apply`" + ` judges a spec by these rules, without network. A finding says what was found and what to do; it is
told once, for however many platforms it shows. ` + "`--locked`" + `, which is on in CI, makes some of them stricter. ` + "`specbuild rules`" + ` lists them,
` + "`specbuild rules explain ID`" + ` says what is below, and ` + "`specbuild validate --fix`" + ` mends what has one mending.

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
by ` + "`specbuild lock`" + `, which asks registries; what the *build* keeps, by ` + "`apply`" + `, as a step that failed.

What is *judged in the image* is found by ` + "`apply`" + ` in the files that a build came to, before anything is written or pushed; waivers and policies
hold for it as for the rest. Rules that other keepers have may look there as well: ` + imageToo(rules.All()) + `. A layer that several images
share is told of once, at the step or base that brought it. An image that adds no file to its base is not pulled to be looked at, unless a
policy grades one of these rules.

| rule | finding | kept by | what it asks |
|---|---|---|---|
`

// imageToo are the rules that look at finished images besides.
func imageToo(all []rules.Rule) string {
	var out []string
	for _, r := range all {
		if r.OfImages() && r.By != rules.ByImage {
			out = append(out, "`"+r.ID+"`")
		}
	}
	return strings.Join(out, ", ")
}

func page(all []rules.Rule) string {
	var table, reasons, notices strings.Builder
	for _, r := range all {
		fmt.Fprintf(&table, "| [`%s`](#%s) | %s | %s | %s |\n", r.ID, r.ID, r.Finding(), r.By.Keeps(), strings.ReplaceAll(r.Title, "|", "\\|"))
		fmt.Fprintf(&reasons, "\n### %s\n\n%s. %s\n", r.ID, r.Title, r.Why)
		for _, p := range r.Params {
			need := ""
			if p.Needed {
				need = "; the rule is off without it"
			}
			fmt.Fprintf(&reasons, "\nA policy may give it `%s` (%s): %s%s.\n", p.Name, p.Kind, p.Doc, need)
		}
		for _, example := range [][2]string{{"Bad", r.Bad}, {"Good", r.Good}} {
			if example[1] != "" {
				fmt.Fprintf(&reasons, "\n%s:\n```hcl\n%s\n```\n", example[0], example[1])
			}
		}
		if r.Mend != "" {
			fmt.Fprintf(&reasons, "\nTo mend it: %s\n", r.Mend)
		}
		if len(r.Sources) > 0 {
			fmt.Fprintf(&reasons, "\nElsewhere: %s.\n", strings.Join(r.Sources, ", "))
		}
	}
	for _, n := range rules.Notices() {
		fmt.Fprintf(&notices, "| `%s` | %s | %s |\n", n.Code, n.Title, n.Why)
	}
	return preface + table.String() + otherCodes + notices.String() + "\n## Reasons\n" + reasons.String()
}

const otherCodes = `
## Warnings that are no rules

Some warnings are about what a command does, and have a code of their own. There is nothing to grade or to set aside.

| code | what is so | what follows |
|---|---|---|
`

// code finds the codes that diagnostics are given, where they stand in the
// source; those that are computed are of rules or of policies.
var code = regexp.MustCompile(`(?:\bWarnf\(|\bCode: +|\.Code = )"([^"]*)"`)

// TestEveryCodeIsDocumented holds that no diagnostic has a code that neither
// the rules nor the list of other warnings tell of.
func TestEveryCodeIsDocumented(t *testing.T) {
	t.Parallel()
	known := map[string]int{}
	for _, r := range rules.All() {
		known[r.ID] = 0
	}
	for _, n := range rules.Notices() {
		known[n.Code] = 0
	}
	for _, folder := range []string{"spec", "planner", "lower", "engine", "cmd"} {
		err := filepath.WalkDir(filepath.Join("../..", folder), func(file string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return err
			}
			text, err := os.ReadFile(file)
			for _, m := range code.FindAllSubmatch(text, -1) {
				if _, ok := known[string(m[1])]; !ok {
					t.Errorf("%s: the code %q is neither a rule's nor in rules.Notices", file, m[1])
				}
				known[string(m[1])]++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range rules.Notices() {
		if known[n.Code] < 2 { // once in the table itself
			t.Errorf("nothing warns of %s", n.Code)
		}
	}
}
