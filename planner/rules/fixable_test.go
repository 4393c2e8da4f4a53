package rules_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec/diag"
)

// fixable are the rules of which a mistake can be mended by a machine, and
// how: by `validate --fix` in the spec, with what a registry or server says,
// or in the lock; by `lock --upgrade`; by the importer, where a spec cannot
// say it at all; by another flag, where none says it.
var fixable = map[string]struct{ by, text string }{ // text breaks it, where the rule's own example has no fix
	"base-no-floating-tag":       {by: "registry"},
	"base-digest-pinned":         {by: "registry"},
	"base-not-outdated":          {by: "upgrade"},
	"stage-unused":               {by: "spec"},
	"platform-not-hardcoded":     {by: "spec"},
	"user-numeric-id":            {by: "spec", text: "image \"web\" {\n  from = scratch\n  run_as = \"root\"\n}\n"},
	"user-created-declaratively": {by: "spec"},
	"no-sudo":                    {by: "spec"},
	"no-setuid-files":            {by: "spec"},
	"app-not-writable-by-user":   {by: "spec"},
	"secret-file-in-context":     {by: "spec"},
	"packages-pinned":            {by: "registry"},
	"packages-declared":          {by: "spec"},
	"packages-noninteractive":    {by: "spec"},
	"packages-no-recommends":     {by: "spec"},
	"packages-cache-clean":       {by: "spec"},
	"packages-signature-checked": {by: "spec"},
	"packages-stable-cli":        {by: "spec"},
	"fetch-checksum":             {by: "registry"},
	"fetch-https":                {by: "spec"},
	"git-commit-pinned":          {by: "registry"},
	"tls-verify-on":              {by: "spec"},
	"downloader-fails-on-error":  {by: "spec"},
	"copy-is-typed":              {by: "import"},
	"copy-destination-absolute":  {by: "spec"},
	"context-ignore-present":     {by: "spec"},
	"file-modes-explicit":        {by: "spec"},
	"run-fails-on-error":         {by: "spec"},
	"run-shell-declared":         {by: "spec"},
	"run-workdir-declared":       {by: "spec"},
	"entrypoint-exec-form":       {by: "spec"},
	"entrypoint-single":          {by: "import"},
	"attestations-on":            {by: "flag"},
}

// TestEveryFixableRuleIsMended holds that each of them is: what is mended in a
// spec is judged here, before and after; of the others, that the story or test
// of it is there, under the rule's name.
func TestEveryFixableRuleIsMended(t *testing.T) {
	t.Parallel()
	const all = 33
	if len(fixable) != all {
		t.Errorf("%d rules, not %d", len(fixable), all)
	}
	told := map[string]string{"spec": "`validate --fix`", "registry": "`validate --fix`", "upgrade": "`specbuild lock --upgrade=NAME`", "import": "`specbuild import`", "flag": "--attest=false"}
	known := rules.All()
	for id, how := range fixable {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			i := slices.IndexFunc(known, func(r rules.Rule) bool { return r.ID == id })
			if i < 0 {
				t.Fatal("there is no such rule")
			}
			r := known[i]
			if !strings.Contains(r.Mend, told[how.by]) {
				t.Errorf("%q does not say %s", r.Mend, told[how.by])
			}
			switch how.by {
			case "spec":
				mends(t, r, or(how.text, r.Bad))
			case "registry":
				written(t, `\\?\(`+id+`\\?\)`, "../../testdata/script/validate_fix*.txtar", "../../cmd/specbuild/fix_test.go")
			case "upgrade":
				written(t, `specbuild lock .*--upgrade`, "../../testdata/script/lock_base.txtar")
			case "import":
				name := ""
				for part := range strings.SplitSeq(id, "-") {
					name += strings.ToUpper(part[:1]) + part[1:]
				}
				written(t, `func TestImportMends`+name+`\(`, "../../spec/dockerfile/*_test.go")
			case "flag":
			default:
				t.Errorf("mended by %q", how.by)
			}
		})
	}
}

// mends applies the fixes of a rule's findings until there are none, as
// `validate --fix` does: then nothing of the rule is left.
func mends(t *testing.T, r rules.Rule, text string) {
	t.Helper()
	text = whole(text)
	before := text
	ofRule := func(d diag.Diagnostic) bool { return blames(r, d) }
	if !slices.ContainsFunc(lesson(t, r, text), ofRule) {
		t.Fatalf("nothing is found in\n%s", text)
	}
	for range 5 {
		var fixes []diag.Fix
		for _, d := range lesson(t, r, text) {
			if ofRule(d) && d.Fix != nil {
				fixes = append(fixes, *d.Fix)
			}
		}
		out, done := diag.Apply([]byte(text), fixes)
		if text = string(out); len(done) == 0 {
			break
		}
	}
	for _, d := range lesson(t, r, text) {
		if ofRule(d) {
			t.Errorf("%s: %s. %s\n%s\nwas\n%s", d.Severity, d.Summary, d.Detail, text, before)
		}
	}
}

func or(texts ...string) string {
	i := slices.IndexFunc(texts, func(s string) bool { return s != "" })
	return texts[max(i, 0)]
}

// written holds that some file of those has a line of a form.
func written(t *testing.T, form string, patterns ...string) {
	t.Helper()
	want := regexp.MustCompile(form)
	for _, pattern := range patterns {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(names), err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if want.Match(text) {
				return
			}
		}
	}
	t.Errorf("nothing in %q has %s", patterns, form)
}
