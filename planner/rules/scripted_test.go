package rules_test

import (
	"strings"
	"testing"

	"github.com/specbuild/specbuild/spec/diag"
)

// apply makes the fix of a finding in a text.
func apply(text string, f diag.Fix) string {
	return text[:f.Range.Start.Byte] + f.Replacement + text[f.Range.End.Byte:]
}

// mended is a line of a script, and what `validate --fix` makes of it; where
// it has no fix, the second is empty.
type mended struct{ rule, before, after string }

// run judges, applies the first fix of the rule, and judges again: the finding
// is gone, and nothing else of the text has changed.
func (m mended) run(t *testing.T) {
	t.Helper()
	t.Parallel()
	j := judgement{}
	text := whole(m.before)
	first := func(text string) *diag.Diagnostic {
		for _, d := range j.judge(t, text) {
			if d.Code == "" {
				t.Errorf("%s. %s\n%s", d.Summary, d.Detail, text)
			}
			if d.Code == m.rule {
				return &d
			}
		}
		return nil
	}
	found := first(text)
	switch {
	case found == nil:
		t.Fatalf("%s does not fire in\n%s", m.rule, text)
	case m.after == "" && found.Fix != nil:
		t.Fatalf("a fix that is not certain: %+v in\n%s", found.Fix, text)
	case m.after == "":
		return
	case found.Fix == nil:
		t.Fatalf("%s has no fix in\n%s", m.rule, text)
	}
	got := apply(text, *found.Fix)
	if want := whole(m.after); got != want {
		t.Fatalf("the fix gives\n%s\nnot\n%s", got, want)
	}
	if again := first(got); again != nil {
		t.Errorf("it still fires: %s\n%s", again.Detail, got)
	}
	if strings.Count(got, "\n") != strings.Count(whole(m.after), "\n") {
		t.Error("lines were lost")
	}
}
