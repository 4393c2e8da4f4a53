package rules_test

import (
	"strings"
	"testing"
	"time"

	"github.com/specbuild/specbuild/spec/diag"
)

// waived is an image that runs as root, with a waiver.
func waived(rule, address, expires string) string {
	return `image "web" {
  from = scratch
  workdir = "/srv"
}
` +
		"waiver {\n  rule = \"" + rule + "\"\n  address = \"" + address + `"
  reason = "Binds port 21 until OPS-123 is done."
  owner = "team-files"
  expires = "` + expires + `"
}
`
}

func TestWaiver(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const root = "error final-user-non-root: The image runs as root"
	for name, tc := range map[string]struct {
		text string
		want []string // "severity code: summary", and "| " a part of the detail
	}{
		// quiet: suppression-justified (these two)
		// quiet: suppression-justified
		"by the short address": {waived("final-user-non-root", "image.web", "2026-12-31"), nil},
		"by the whole address": {waived("final-user-non-root", "//:image.web", "2026-12-31"), nil},
		// fires: suppression-justified
		"on its last day": {waived("final-user-non-root", "image.web", "2026-03-01"), []string{"warning suppression-justified: The waiver expires soon | until 2026-03-01, for a last month"}},
		"after its last day": {waived("final-user-non-root", "image.web", "2026-02-28"),
			[]string{"error suppression-justified: The waiver has expired | have team-files decide anew"}},
		"expired, and nothing to set aside": {waived("secret-in-url", "image.web", "2026-02-28"),
			[]string{root, "error suppression-justified: The waiver has expired | Take it out"}},
		"no such rule": {waived("final-user-nonroot", "image.web", "2026-12-31"),
			[]string{root, "error : No such rule | did you mean final-user-non-root?"}},
		"no rule at all like it": {waived("be-nice", "image.web", "2026-12-31"),
			[]string{root, "error : No such rule | \"be-nice\" is not the id of a rule. docs"}},
		"no such address": {waived("final-user-non-root", "image.wbe", "2026-12-31"),
			[]string{"error : Unknown address | did you mean \"web\"?"}},
		"no such address of this module": {waived("final-user-non-root", "//:image.other", "2026-12-31"),
			[]string{root, "error : Unknown address | //:image.other is not declared. A waiver"}},
		"no such address, but one like it": {waived("final-user-non-root", "//:image.wbe", "2026-12-31"),
			[]string{root, "error : Unknown address | did you mean image.web?"}},
		// quiet: suppression-justified (what it sets aside was not judged)
		"a module that was not read": {waived("final-user-non-root", "//services/ftp:image.ftp", "2026-12-31"), []string{root}},
		"another rule":               {waived("port-no-ssh", "image.web", "2026-12-31"), []string{root, "warning suppression-justified: The waiver sets nothing aside | Take the waiver out"}},
		"what the planner refuses":   {waived("user-numeric-id", "image.web", "2026-12-31"), []string{root, "error : This cannot be set aside | the user of an image"}},
		// quiet: suppression-justified (what it sets aside is judged in the image)
		"what is judged in the image":          {waived("entrypoint-exists", "image.web", "2026-12-31"), []string{root}},
		"what is judged in the image as well":  {waived("user-ids-unique", "image.web", "2026-12-31"), []string{root}},
		"expired, of what the build may break": {waived("entrypoint-exists", "image.web", "2026-02-28"), []string{root, "error suppression-justified: The waiver has expired | judged when the image is built"}},
		"what the language refuses":            {waived("port-valid", "image.web", "2026-12-31"), []string{root, "error : This cannot be set aside | ports are"}},
		"waivers themselves":                   {waived("suppression-justified", "image.web", "2026-12-31"), []string{root, "error : This cannot be set aside | a waiver names"}},
		"twice":                                {waived("final-user-non-root", "image.web", "2026-12-31") + strings.SplitAfterN(waived("final-user-non-root", "image.web", "2026-12-31"), "}\n", 2)[1], []string{"warning suppression-justified: The waiver sets nothing aside | "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ds := (&judgement{now: now}).judge(t, tc.text)
			matchAll(t, ds, tc.want)
		})
	}
}

func matchAll(t *testing.T, ds diag.List, want []string) {
	t.Helper()
	var got []string
	for _, d := range ds {
		got = append(got, d.Severity.String()+" "+d.Code+": "+d.Summary)
	}
	if len(got) != len(want) {
		t.Fatalf("got %q\nwant %q", got, want)
	}
	for i, w := range want {
		head, part, _ := strings.Cut(w, " | ")
		if got[i] != head || !strings.Contains(ds[i].Detail, part) {
			t.Errorf("got %s. %s\nwant %s", got[i], ds[i].Detail, w)
		}
		if ds[i].Range.IsZero() {
			t.Errorf("%s has no place", got[i])
		}
	}
}

// TestExpiredWaiverTellsWhatItSetAside holds that the mistake is told once.
func TestExpiredWaiverTellsWhatItSetAside(t *testing.T) {
	t.Parallel()
	ds := (&judgement{now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}).judge(t, waived("final-user-non-root", "image.web", "2026-03-01"))
	if len(ds) != 1 || ds[0].Range.Start.Line != 10 || len(ds[0].Notes) != 1 || ds[0].Notes[0].Range.Start.Line != 1 {
		t.Errorf("%+v", ds)
	}
	// The clock's own time, where the caller says none.
	if ds := (&judgement{}).judge(t, waived("final-user-non-root", "image.web", "2020-01-01")); len(ds) != 1 || ds[0].Summary != "The waiver has expired" {
		t.Errorf("%+v", ds)
	}
}

// TestWaiverOfWhatIsNotAsked holds that building one image says nothing about
// the waivers of another.
func TestWaiverOfWhatIsNotAsked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, ".git/HEAD", "")
	write(t, dir, "web.image.hcl", waived("final-user-non-root", "image.web", "2090-01-01"))
	write(t, dir, "other.image.hcl", `image "other" {
  from = scratch
  run_as = "1"
}
`)
	if ds := (&judgement{}).judgeAt(t, dir, []string{"other.image.hcl"}); len(ds) > 0 {
		t.Errorf("%+v", ds)
	}
	if ds := (&judgement{}).judgeAt(t, dir, nil); len(ds) > 0 {
		t.Errorf("%+v", ds)
	}
}

// TestWaiverOfAStage holds the same for a stage, whose findings come from the
// images that ship it.
func TestWaiverOfAStage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, ".git/HEAD", "")
	write(t, dir, "a.image.hcl", `stage "s" {
  from = scratch
  copy {
    to = "/app/"
  }
}
image "web" {
  from = stage.s
  run_as = "1"
}
`+
		strings.SplitAfterN(waived("copy-not-whole-context", "stage.s", "2090-01-01"), "}\n", 2)[1])
	write(t, dir, "b.image.hcl", `image "other" {
  from = scratch
  run_as = "1"
  copy {
    from = stage.s
    source = "/app/x"
    to = "/x"
  }
}
`)
	for _, args := range [][]string{nil, {"a.image.hcl"}, {"b.image.hcl"}} {
		if ds := (&judgement{}).judgeAt(t, dir, args); len(ds) > 0 {
			t.Errorf("%v: %+v", args, ds)
		}
	}
}

// TestWaiverOfOneAddress holds that a waiver reaches no further than it says.
func TestWaiverOfOneAddress(t *testing.T) {
	t.Parallel()
	text := waived("final-user-non-root", "image.web", "2090-01-01") + `image "ftp" {
  from = scratch
}
`
	matchAll(t, (&judgement{}).judge(t, text), []string{"error final-user-non-root: The image runs as root | ftp"})
	// Of a base's finding, the base is the address.
	floating := `base "b" {
  image = "root:latest"
}
`
	on := strings.NewReplacer("scratch", "base.b", "  workdir = \"/srv\"\n", "  run_as = \"1\"\n")
	matchAll(t, (&judgement{}).judge(t, floating+on.Replace(waived("base-no-floating-tag", "base.b", "2090-01-01"))), nil)
}
