package rules_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec/diag"
)

// lessonGrades are what a policy would say, for rules that it has to switch
// on.
func lessonGrades() map[string]rules.Grade {
	return map[string]rules.Grade{
		"base-trusted-registry":   of("allow", "registry.example.com/"),
		"base-signature-verified": of("keys", trusted().public),
		"scan-evidence-fresh":     of("files", "scans/*.sarif"),
		"fetch-host-allowed":      of("allow", "mirror.example.com"),
		"run-network-declared":    {Set: true},
		"metadata-required":       of("labels", "org.opencontainers.image.source"),
		"context-ignore-present":  {Limits: map[string]int64{"size": 1}},
	}
}

// unwritten are rules that no piece of a spec breaks: what a registry, a
// finished image or a policy says does.
var unwritten = []rules.Keeper{rules.ByLock, rules.ByBuild, rules.ByPolicy}

// TestLessons holds that what `rules explain` shows as bad is found, as what
// it is told to be, and that what it shows as good is not.
func TestLessons(t *testing.T) {
	t.Parallel()
	for _, r := range rules.All() {
		t.Run(r.ID, func(t *testing.T) {
			t.Parallel()
			if !strings.HasSuffix(r.Mend, ".") {
				t.Errorf("how to mend it is a sentence, not %q", r.Mend)
			}
			if strings.HasPrefix(r.Bad, "# ") {
				return // a command line, which has a story of its own
			}
			if r.Bad == "" {
				if !slices.Contains(unwritten, r.By) {
					t.Error("there is no example of what breaks it")
				}
				return
			}
			if r.By == rules.ByImage {
				// What breaks it has a plan: only what the build makes of it shows. The
				// stories over built images hold that it is found.
				for _, d := range lesson(t, r, r.Bad) {
					if d.Code == "" || d.Code == r.ID {
						t.Errorf("%+v of the bad example, before it is built:\n%s", d, r.Bad)
					}
				}
			} else if ds := lesson(t, r, r.Bad); !slices.ContainsFunc(ds, func(d diag.Diagnostic) bool { return blames(r, d) }) {
				t.Errorf("%+v of the bad example:\n%s", ds, r.Bad)
			}
			if r.Good == "" {
				return
			}
			for _, d := range lesson(t, r, r.Good) {
				if d.Code == r.ID || d.Code == "" || d.Severity == diag.Error {
					t.Errorf("%+v of the good example:\n%s", d, r.Good)
				}
			}
		})
	}
}

// blames reports whether a diagnostic is what the keeper of the rule says.
func blames(r rules.Rule, d diag.Diagnostic) bool {
	if r.By == rules.ByJudge {
		return d.Code == r.ID
	}
	return d.Code == r.ID || d.Code == "" && d.Severity == diag.Error
}

// lesson judges an example; one without an image stands in one.
func lesson(t *testing.T, r rules.Rule, text string) diag.List {
	j := judgement{
		grades: map[string]rules.Grade{r.ID: lessonGrades()[r.ID]},
		files: map[string]string{
			"a": "a", "site/index.html": "x", "conf/.npmrc": "x", "conf/web.conf": "x", "node_modules/x": "xx",
			"package.json": "{}", "package-lock.json": "{}", "requirements.txt": "x", "go.mod": "module x", "install.sh": "true",
		},
	}
	j.signed = map[string]func(*pin.Base){"signed": trusted().sign, "scanned": func(*pin.Base) {}}
	j.evidence = []rules.Evidence{{Name: "scans/base.sarif", Text: sarif{digests: []string{scanned()}, when: time.Now()}.text()}}
	unlocked := []string{"base-digest-pinned", "fetch-checksum", "git-commit-pinned"}
	j.unlocked = slices.Contains(unlocked, r.ID)
	return j.judge(t, whole(text))
}
