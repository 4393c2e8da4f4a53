package rules_test

import (
	"maps"
	"testing"
	"time"

	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/planner/survey"
	"github.com/specbuild/specbuild/spec/diag"
)

// builtSpec is what the images of these tests are made of: a base, a stage with
// two steps, and two images on it.
const builtSpec = `base "os" {
  image = "debian:13"
}
stage "tools" {
  from = base.os
  run {
    command = ["/make"]
  }
  file {
    path    = "/srv/one"
    content = "1"
  }
  file {
    path    = "/srv/two"
    content = "2"
  }
}
image "web" {
  from       = stage.tools
  run_as     = "10001"
  entrypoint = ["/web"]
}
image "job" {
  from   = stage.tools
  run_as = "10001"
  cmd    = ["/job"]
}
`

// finishedOf is a finished image of builtSpec: its layers are of the base, the
// command, and the two files.
func finishedOf(f rules.Facts, name string, seen survey.Facts) rules.Image {
	out := rules.Image{Name: "//:image." + name, Facts: seen}
	out.Platform = "linux/amd64"
	out.Layers = append(out.Layers, survey.Layer{Base: true}, survey.Layer{}, survey.Layer{})
	for _, inst := range f.Instances {
		if inst.Body.Addr.String() == out.Name {
			out.Range = inst.Body.Range
		}
		if inst.Body.Addr.String() == "//:stage.tools" {
			out.Steps = []diag.Range{f.Bases[0].Base.Range, inst.Body.Steps[0].Where(), inst.Body.Steps[1].Where()}
		}
	}
	return out
}

func at(layer int, paths ...string) []survey.File {
	var out []survey.File
	for _, p := range paths {
		out = append(out, survey.File{Path: p, Kind: survey.Regular, Mode: 0o4755, Size: 3 << 20, What: "a thing", Layer: layer})
	}
	return out
}

func account(name string, id int, password string, layer int) survey.User {
	return survey.User{Name: name, UID: id, GID: id, Password: password, Layer: layer}
}

func group(name string, id, layer int) survey.Group {
	return survey.Group{Name: name, GID: id, Password: survey.Locked, Layer: layer}
}

func TestJudgeImages(t *testing.T) {
	t.Parallel()
	cut := make([]survey.File, survey.Most)
	for i := range cut {
		cut[i] = at(1, "/bin/su")[0]
	}
	deflt := map[string]rules.Grade{}
	grade := func(id string, g rules.Grade) map[string]rules.Grade { return map[string]rules.Grade{id: g} }
	wasted := func(size, n int64) survey.Facts {
		return survey.Facts{Size: size, Wasted: n, Layers: nil}
	}
	strict := rules.Grade{Set: true, Severity: diag.Error}
	for name, tc := range map[string]struct {
		seen   survey.Facts
		grades map[string]rules.Grade
		want   []string // "severity code: summary | detail", in the order of places
		line   int      // of the first
	}{
		"a step's setuid programs": {survey.Facts{Setuid: at(1, "/a", "/b", "/c", "/d", "/e", "/f", "/g")}, deflt,
			[]string{"info no-setuid-files: Programs with setuid or setgid | This step of stage.tools brings 7 programs"}, 6},
		"of the second file": {survey.Facts{Setuid: at(2, "/srv/two")}, deflt,
			[]string{"info no-setuid-files: Programs with setuid or setgid | /srv/two (4755 0:0)"}, 13},
		"a base's": {survey.Facts{Setuid: at(0, "/bin/su")}, deflt, []string{"info no-setuid-files: Programs with setuid or setgid | The base os brings 1 program"}, 1},
		"a base's and a step's": {survey.Facts{Setuid: append(at(1, "/bin/x"), at(0, "/bin/su")...)}, deflt,
			[]string{"info no-setuid-files: Programs with setuid or setgid | The base os", "info no-setuid-files: Programs with setuid or setgid | stage.tools"}, 1},
		"more than a list holds": {survey.Facts{Setuid: cut}, grade("no-setuid-files", of("allow", "/bin/su")),
			[]string{"info no-setuid-files: Programs with setuid or setgid | and 495 more"}, 6},
		// quiet: no-setuid-files (what the policy allows)
		"allowed": {survey.Facts{Setuid: at(1, "/bin/su")}, grade("no-setuid-files", of("allow", "/bin/su")), nil, 0},
		// quiet: no-setuid-files (what a pattern of the policy allows)
		"allowed by a pattern": {survey.Facts{Setuid: at(1, "/usr/lib/x/su")}, grade("no-setuid-files", of("allow", "/usr/lib/*/su")), nil, 0},
		// quiet: no-setuid-files (what lies in an allowed folder)
		"allowed by a folder": {survey.Facts{Setuid: at(1, "/usr/lib/x/su")}, grade("no-setuid-files", of("allow", "/usr/lib/")), nil, 0},
		"switched off":        {survey.Facts{Setuid: at(1, "/bin/su")}, grade("no-setuid-files", rules.Grade{Off: true}), nil, 0},
		"graded":              {survey.Facts{Setuid: at(1, "/bin/su")}, grade("no-setuid-files", strict), []string{"error no-setuid-files: Programs with setuid or setgid | "}, 6},

		// fires: no-leftover-files
		"left behind": {survey.Facts{Left: at(1, "/tmp/x")}, deflt, []string{"info no-leftover-files: Files are left behind | 1 item of 3.0 MiB: /tmp/x (a thing, 3.0 MiB)"}, 6},
		// quiet: no-leftover-files (a base's)
		// quiet: packages-cache-clean (a base's)
		"left behind by a base": {survey.Facts{Left: at(0, "/tmp/x"), Caches: at(0, "/var/lib/apt/lists/x")}, deflt, nil, 0},
		// quiet: no-leftover-files (what a policy allows)
		// quiet: file-modes-explicit (what a policy allows)
		"leftovers that are allowed": {survey.Facts{Left: at(1, "/tmp/x")}, grade("no-leftover-files", of("allow", "/tmp/")), nil, 0},
		// fires: packages-cache-clean
		"a cache": {survey.Facts{Caches: at(1, "/var/lib/apt/lists/x")}, deflt, []string{"warning packages-cache-clean: A package cache stays behind | apt/lists/x"}, 6},
		// fires: file-modes-explicit
		"open to all": {survey.Facts{Writable: at(2, "/srv/one")}, deflt, []string{"info file-modes-explicit: Everybody may write | /srv/one"}, 9},

		// quiet: layer-waste-budget (no policy asks)
		"wasted, and nobody asks": {wasted(100<<20, 90<<20), deflt, nil, 0},
		// quiet: layer-waste-budget (less than is let)
		"wasted, within the budget": {wasted(100<<20, 19<<20), grade("layer-waste-budget", strict), nil, 0},
		// quiet: layer-waste-budget (a share that is let)
		"wasted, within the share": {wasted(100<<20, 10<<20), grade("layer-waste-budget", rules.Grade{Set: true, Limits: map[string]int64{"share": 10}}), nil, 0},
		"wasted too much":          {wasted(100<<20, 21<<20), grade("layer-waste-budget", strict), []string{"error layer-waste-budget: Layers hide too many bytes | 21.0 MiB of 100.0 MiB"}, 18},
		"too large": {wasted(100<<20, 0), grade("layer-waste-budget", rules.Grade{Set: true, Limits: map[string]int64{"size": 1 << 20}}),
			[]string{"error layer-waste-budget: The image is too large | 100.0 MiB"}, 18},

		"not to be started": {survey.Facts{Config: survey.Config{Entrypoint: []string{"/web"}}, Start: survey.Start{Command: "web", Path: "/bin/web", Problem: "is a folder", Hint: "Do."}}, deflt,
			[]string{"warning entrypoint-exists: The program cannot be started | On linux/amd64, web, which is /bin/web, is a folder. Do."}, 21},
		// quiet: entrypoint-exists (nothing to start)
		// quiet: entrypoint-exists (a program that starts)
		// quiet: entrypoint-exists (an interpreter in a volume)
		"to be started": {survey.Facts{Start: survey.Start{Command: "/web", Path: "/web"}}, deflt, nil, 0},

		"accounts that share": {survey.Facts{
			Users:  []survey.User{account("root", 0, survey.Locked, 0), account("toor", 0, survey.Locked, 0), account("root", 3, survey.Locked, 0)},
			Groups: []survey.Group{group("a", 1, 1), group("b", 1, 1)},
		}, deflt, []string{
			"warning user-ids-unique: Accounts share a user's name or number | root and toor with the number 0, the name root twice",
			"warning user-ids-unique: Accounts share a group's name or number | /etc/group of the image has a and b with the number 1",
		}, 1},
		// quiet: user-ids-unique (a user and a group of one number)
		"a user and its group": {survey.Facts{Users: []survey.User{account("a", 1, survey.Locked, 1)}, Groups: []survey.Group{group("a", 1, 1)}}, deflt, nil, 0},
		"passwords": {survey.Facts{Users: []survey.User{account("root", 0, survey.Empty, 0), account("a", 1, survey.Set, 1), account("b", 2, survey.Locked, 1)}}, deflt, []string{
			"warning user-no-password: An account can be logged in to | root logs in without a password",
			"error user-no-password: An account can be logged in to | a has a password",
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := facts(t, builtSpec)
			f.Grades = maps.Clone(tc.grades)
			ds := rules.JudgeImages(f, rules.Finished{Images: []rules.Image{finishedOf(f, "web", tc.seen)}, Whole: true}).Sorted()
			matchAll(t, ds, tc.want)
			if len(ds) > 0 && ds[0].Range.Start.Line != tc.line {
				t.Errorf("line %d, not %d", ds[0].Range.Start.Line, tc.line)
			}
		})
	}
}

// TestSharedLayerIsToldOnce holds that two images on one stage make one
// finding of it, and one each of what is their own.
func TestSharedLayerIsToldOnce(t *testing.T) {
	t.Parallel()
	f := facts(t, builtSpec)
	seen := survey.Facts{Setuid: at(1, "/bin/su"), Start: survey.Start{Command: "/x", Problem: "is a folder"}}
	var images []rules.Image
	for _, name := range []string{"web", "job"} {
		images = append(images, finishedOf(f, name, seen))
	}
	matchAll(t, rules.JudgeImages(f, rules.Finished{Images: images}).Sorted(), []string{
		"info no-setuid-files: Programs with setuid or setgid | stage.tools",
		"warning entrypoint-exists: The program cannot be started | ",
		"warning entrypoint-exists: The program cannot be started | ",
	})
}

// TestToldBefore holds that what a rule has said of a step's script it does
// not say again of its files, set aside or not.
func TestToldBefore(t *testing.T) {
	t.Parallel()
	f := facts(t, builtSpec)
	img := finishedOf(f, "web", survey.Facts{
		Caches: at(1, "/var/lib/apt/lists/x"), Users: []survey.User{account("a", 1, survey.Set, 1)}, Setuid: at(1, "/bin/su"), Writable: at(1, "/srv/x"),
	})
	var told diag.List
	for _, id := range []string{"packages-cache-clean", "user-no-password", "no-setuid-files", "file-modes-explicit"} {
		told = append(told, diag.Diagnostic{Code: id, Address: "//:stage.tools", Range: img.Steps[1]})
	}
	if ds := rules.JudgeImages(f, rules.Finished{Images: []rules.Image{img}, Told: told}); len(ds) > 0 {
		t.Errorf("%+v", ds)
	}
	told[0].Range = img.Steps[2] // of another step
	if ds := rules.JudgeImages(f, rules.Finished{Images: []rules.Image{img}, Told: told}); len(ds) != 1 {
		t.Errorf("%+v", ds)
	}
}

// TestWaiverOfAnImage holds what becomes of waivers of rules over finished
// images, in each phase.
func TestWaiverOfAnImage(t *testing.T) {
	t.Parallel()
	broken := survey.Facts{Start: survey.Start{Command: "/web", Problem: "is a folder"}}
	const finding = "warning entrypoint-exists: The program cannot be started"
	const useless = "warning suppression-justified: The waiver sets nothing aside"
	for name, tc := range map[string]struct {
		rule, expires string
		seen          survey.Facts
		partly, used  bool
		override      bool
		want          []string
	}{
		"sets aside":                   {rule: "entrypoint-exists", expires: "2090-01-01", seen: broken},
		"of another rule":              {rule: "no-setuid-files", expires: "2090-01-01", seen: broken, want: []string{useless, finding}},
		"useless, not all was built":   {rule: "no-setuid-files", expires: "2090-01-01", partly: true},
		"useless":                      {rule: "no-setuid-files", expires: "2090-01-01", want: []string{useless}},
		"of a rule of both, unused":    {rule: "user-no-password", expires: "2090-01-01", want: []string{useless}},
		"of a rule of both, used":      {rule: "user-no-password", expires: "2090-01-01", used: true},
		"of a rule over the spec":      {rule: "port-no-ssh", expires: "2090-01-01"},
		"expires soon":                 {rule: "entrypoint-exists", expires: "2026-03-20", seen: broken, want: []string{"warning suppression-justified: The waiver expires soon"}},
		"expired, and overridden":      {rule: "entrypoint-exists", expires: "2026-01-01", seen: broken, override: true, want: []string{"warning suppression-justified: The waiver has expired"}},
		"expired, and nothing to mend": {rule: "entrypoint-exists", expires: "2026-01-01", override: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := builtSpec + "waiver {\n  rule = \"" + tc.rule + "\"\n  address = \"image.web\"\n  reason = \"so\"\n  owner = \"me\"\n  expires = \"" + tc.expires + "\"\n}\n"
			f := facts(t, text)
			f.Now = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
			if tc.override {
				f.Policy.Overrides = map[string]string{tc.rule: "so"}
			}
			done := rules.Finished{Images: []rules.Image{finishedOf(f, "web", tc.seen)}, Whole: !tc.partly, Waived: map[diag.Range]bool{}}
			var aside []string
			f.Aside = func(a rules.Aside) { aside = append(aside, a.Finding.Diag.Code) }
			if tc.used {
				done.Waived[f.Spec.Waivers[0].Range] = true
			}
			ds := rules.JudgeImages(f, done)
			matchAll(t, ds, tc.want)
			if name == "sets aside" && len(aside) != 1 {
				t.Errorf("%v", aside)
			}
		})
	}
}
