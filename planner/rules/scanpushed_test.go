package rules_test

import (
	"testing"

	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec/diag"
)

// TestScannedImages judges what is about to be pushed; what was only built is
// not asked for a scan.
func TestScannedImages(t *testing.T) {
	t.Parallel()
	index, amd, arm := digest('1'), digest('2'), digest('3')
	both := func(lists map[string][]string) rules.Grade {
		g := of("files", "scans/*")
		g.Lists["judge"] = []string{"bases", "images"}
		for name, list := range lists {
			g.Lists[name] = list
		}
		return g
	}
	clean := func(digests ...string) rules.Evidence {
		return file(string(sarif{digests: digests, when: ago(1)}.text()))
	}
	grave := func(digests ...string) rules.Evidence {
		return file(string(sarif{digests: digests, when: ago(1), results: cve("CVE-1", `, "level": "error"`)}.text()))
	}
	f := facts(t, builtSpec)
	f.Now, f.Bases = scanNow, nil
	pushed := rules.Pushed{
		Name: "//:image.web", Range: f.Spec.Images[0].Range, Digest: index, Tags: []string{"shop/web:1", "registry.example.com/staging/web:1"},
		Manifests: []rules.Manifest{{Platform: "linux/amd64", Digest: amd}, {Platform: "linux/arm64", Digest: arm}},
	}
	const none, fails = "error scan-evidence-fresh: The image has no scan result | ", "error scan-evidence-fresh: The scan result does not pass | "
	for name, tc := range map[string]struct {
		grade    rules.Grade
		evidence []rules.Evidence
		built    bool // and not pushed
		want     []string
	}{
		"nothing there":          {both(nil), nil, false, []string{none + "image.web for linux/amd64, " + index + ", or its manifest " + amd}},
		"of the index":           {both(nil), []rules.Evidence{clean(index)}, false, nil},
		"of each platform":       {both(nil), []rules.Evidence{clean(amd), clean(arm)}, false, nil},
		"of one platform":        {both(nil), []rules.Evidence{clean(arm)}, false, []string{none + "image.web for linux/amd64"}},
		"each platform its own":  {both(nil), []rules.Evidence{grave(arm)}, false, []string{none + "linux/amd64", fails + "linux/arm64"}},
		"alike is told once":     {both(nil), []rules.Evidence{grave(index)}, false, []string{fails + "Likewise linux/arm64, " + arm + "."}},
		"only built":             {both(nil), nil, true, nil},
		"images are not judged":  {of("files", "scans/*"), nil, false, nil},
		"bases are not asked":    {both(map[string][]string{"judge": {"bases"}}), nil, false, nil},
		"switched off":           {rules.Grade{Off: true, Lists: both(nil).Lists}, nil, false, nil},
		"all tags are excepted":  {both(map[string][]string{"except": {"docker.io/shop", "registry.example.com/staging/"}}), nil, false, nil},
		"one tag is not":         {both(map[string][]string{"except": {"registry.example.com/staging/"}}), nil, false, []string{none}},
		"nobody said where":      {rules.Grade{Set: true, Lists: map[string][]string{"judge": {"images"}}}, nil, false, []string{none + "neither `files` nor `keys`"}},
		"a severity of a policy": {rules.Grade{Set: true, Severity: diag.Warning, Lists: both(nil).Lists}, nil, false, []string{"warning scan-evidence-fresh: The image has no scan result | "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := f
			f.Grades, f.Evidence = map[string]rules.Grade{"scan-evidence-fresh": tc.grade}, tc.evidence
			done := rules.Finished{Whole: true}
			if !tc.built {
				done.Pushed = []rules.Pushed{pushed}
			}
			matchAll(t, rules.JudgeImages(f, done).Sorted(), tc.want)
		})
	}
	grades := map[string]rules.Grade{"scan-evidence-fresh": both(map[string][]string{"judge": {"images"}})}
	if wanted, _ := rules.AsksScanned(grades, "ghcr.io/x"); wanted {
		t.Error("bases are asked for, and the policy names images alone")
	}
	if wanted, registry := rules.AsksScannedImages(grades); !wanted || registry {
		t.Errorf("%v %v", wanted, registry)
	}
	if !rules.OfPushed(grades, "scan-evidence-fresh") || rules.OfPushed(grades, "port-no-ssh") || rules.OfPushed(nil, "scan-evidence-fresh") {
		t.Error("the rule of what is pushed is another")
	}
}
