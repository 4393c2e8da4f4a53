package rules

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// scanID is the id of the rule about results of scans.
const scanID = "scan-evidence-fresh"

const day = 24 * time.Hour

// freshFor is how old a result may be where no policy says it: databases of
// vulnerabilities change daily, and a month is when most are mended.
const freshFor = 30 * day

func scanRule() Rule {
	return Rule{
		ID: scanID, By: ByJudge, Off: true, Title: "A scan of a base, and of what is pushed where a policy says so, is there, is fresh and has found nothing grave",
		Why: "A base that was clean when it was locked is not for ever. Scanners are other people's tools: what they wrote is read from files that the policy names, or from the registry, where `cosign attest` puts it, signed. What counts is a result for the digest that the lock has, of the index or of every platform's manifest in use; of each scanner the newest. Registries are asked by `plan` and `apply`, not by `validate`. With `judge = [\"bases\", \"images\"]` nothing is pushed without such a result for the digest that is pushed.",
		Bad: `base "os" {
  image = "registry.example.com/base/root:2"
}
image "web" {
  from   = base.os
  run_as = "10001"
}`,
		Good: `base "os" {
  image = "registry.example.com/base/scanned:2"
}
image "web" {
  from   = base.os
  run_as = "10001"
}`,
		Mend:    "Scan the base by its digest, and put the result where the policy looks; take a patched base where it fails.",
		Sources: []string{"CIS-4.4", "CIS-DI-0004", "KICS vulnerable_openssl_version", "Docker Scout no fixable CVEs", "Docker Scout no AGPL"},
		Params: []Param{
			{Name: "files", Kind: List, Doc: "patterns of files with results, below the workspace's root or absolute: SARIF 2.1.0, in-toto statements, DSSE envelopes"},
			{Name: "keys", Kind: Keys, Doc: "public keys in PEM: only results that one of them has signed count, and registries are asked for them"},
			{Name: "max_age", Kind: Duration, Doc: "how old a result may be; 30d by default"},
			{Name: "fail_on", Kind: Severity, Doc: "low, medium, high or critical, from which on what was found counts; high by default"},
			{Name: "except", Kind: List, Doc: "bases, and tags of images, that need no result, as prefixes of full names up to a slash, a colon or the end; none by default"},
			{Name: "judge", Kind: List, Words: []string{judgeBases, judgeImages}, Doc: "what needs a result: bases, and images before they are pushed; [\"bases\"] by default"},
		},
		check: scannedBase, checkPushed: scannedImage,
	}
}

// The words of the parameter judge.
const (
	judgeBases  = "bases"
	judgeImages = "images"
)

// judges reports whether results are wanted of bases, or of images.
func (g Grade) judges(what string) bool {
	list, said := g.Lists["judge"]
	return g.graded() && !g.Off && (slices.Contains(list, what) || !said && what == judgeBases)
}

// AsksScanned reports whether policies want a scan of a base, and whether
// registries are asked for it. The name is [Base.Name].
func AsksScanned(grades map[string]Grade, name string) (wanted, registry bool) {
	g := grades[scanID]
	wanted = g.judges(judgeBases) && !listed(g.Lists["except"], name)
	return wanted, wanted && len(g.Lists["keys"]) > 0
}

// ScanFiles are the patterns of files with results of scans, as policies grade
// the rule scan-evidence-fresh.
func ScanFiles(grades map[string]Grade) []string {
	if g := grades[scanID]; g.graded() && !g.Off {
		return g.Lists["files"]
	}
	return nil
}

func scannedBase(d *docket) {
	found := read(d.Evidence, d.list("keys"))
	for _, b := range d.Bases {
		if wanted, registry := AsksScanned(d.Grades, b.Name); !wanted || b.Name == "" || b.Digest == "" || d.Unasked && registry {
			continue // the planner says what has no name, or is not in the lock
		}
		for _, digest := range d.Manifests(b) {
			of := wantsScan{
				noun: "base", name: b.Base.Addr.Local(), index: b.Digest, manifest: digest, instead: "what the lock has",
				mend: fmt.Sprintf("Take a patched base, `specbuild lock --upgrade=%s`, or have its owners mend it.", b.Base.Addr.Name),
			}
			if summary, detail := d.verdict(of, found); summary != "" {
				d.found(b.Base.Addr, or(b.Base.Image.Range, b.Base.Layout.Range, b.Base.Range), summary, "%s", detail)
			}
		}
	}
}

// wantsScan is what a scan is wanted of: the manifest for one platform.
type wantsScan struct {
	noun            string // "base"
	name            string // as sentences have it
	index, manifest string // digests; equal where there is no index
	instead         string // what to scan, where other things were
	mend            string // what to do about things that were found
}

// Manifests are the digests of those of a base that are used, sorted: on the platforms of what is
// built from it, else, where something is only copied, on those of all steps.
func (f *Facts) Manifests(b Base) []string {
	built, reached := map[string]bool{}, map[string]bool{}
	for _, inst := range f.Instances {
		digest, there := b.Digests[inst.Platform.String()]
		if !there {
			continue
		}
		reached[digest] = true
		if inst.Body.From.V == b.Base.Addr {
			built[digest] = true
		}
	}
	if len(built) == 0 {
		built = reached
	}
	if len(built) == 0 {
		return []string{b.Digest}
	}
	return slices.Sorted(maps.Keys(built))
}

// verdict is what is wrong with the scans of one manifest; the summary is
// empty where nothing is.
func (d *docket) verdict(s wantsScan, r reading) (summary, detail string) {
	var of, fresh []scan
	limit := time.Duration(d.limit("max_age", int64(freshFor/time.Second))) * time.Second
	for _, x := range r.scans {
		if !slices.Contains(x.digests, s.index) && !slices.Contains(x.digests, s.manifest) {
			continue
		}
		of = append(of, x)
		if age := d.Now.Sub(x.when); !x.when.IsZero() && age <= limit && age > -day { // clocks differ
			fresh = append(fresh, x)
		}
	}
	if len(of) == 0 {
		return "The " + s.noun + " has no scan result", fmt.Sprintf("There is no result of a scan of %s, %s. %s", s.name, digests(s.index, s.manifest), d.whyNone(s, r))
	}
	if len(fresh) == 0 {
		last := slices.MaxFunc(of, func(a, b scan) int { return a.when.Compare(b.when) })
		return "The scan result is old", fmt.Sprintf("The last result for %s, in %s, %s; the policy takes what is at most %s old. Scan %s again.",
			s.name, last.name, dated(last.when, d.Now), ageOf(limit), s.index)
	}
	for _, x := range newest(fresh) {
		if x.failed {
			return "The scan did not end well", fmt.Sprintf("%s says that %s itself has failed on %s, so it tells nothing. Scan %s again.", x.name, x.named(), s.name, s.index)
		}
		if grave := x.from(d.limit("fail_on", highScore)); len(grave) > 0 {
			return "The scan result does not pass", fmt.Sprintf("%s has found %s in %s, %s, that the policy does not let pass: %s (%s). %s",
				x.named(), plural(len(grave), "thing"), s.name, s.index, few(grave), x.name, s.mend)
		}
	}
	return "", ""
}

// digests names what a result may be of.
func digests(index, manifest string) string {
	if index == manifest {
		return index
	}
	return index + ", or its manifest " + manifest
}

// whyNone says what was found instead.
func (d *docket) whyNone(s wantsScan, r reading) string {
	var others []string
	for _, x := range r.scans {
		others = append(others, x.digests...)
	}
	slices.Sort(others)
	others = slices.Compact(others)
	switch {
	case len(d.list("files")) == 0 && len(d.list("keys")) == 0:
		return "The policy names neither `files` nor `keys`, so nobody has looked for one."
	case len(r.refused) > 0:
		more := ""
		if n := len(r.refused) - 1; n > 0 {
			more = fmt.Sprintf(", and %s more", plural(n, "document"))
		}
		return fmt.Sprintf("What is there does not count: %v%s.", r.refused[0], more)
	case len(r.scans) > 0 && len(others) == 0:
		return fmt.Sprintf("%s does not say what was scanned: no digest is in its properties or its name.", r.scans[0].name)
	case len(others) > 0:
		return fmt.Sprintf("What is there is of %s. Scan %s.", few(others), s.instead)
	}
	if s.noun == "image" {
		return "Write it with -o oci:DIR, scan that, and put the result where the policy looks."
	}
	return "Scan it by this digest, and put the result where the policy looks."
}

// newest is the last scan of each tool: it replaces those before.
func newest(all []scan) []scan {
	var out []scan
	for _, s := range all {
		i := slices.IndexFunc(out, func(o scan) bool { return o.tool == s.tool })
		switch {
		case i < 0:
			out = append(out, s)
		case s.when.After(out[i].when):
			out[i] = s
		}
	}
	return out
}

func (s scan) named() string {
	if s.tool == "" {
		return "the scanner"
	}
	return s.tool
}

// from are the ids of what was found from a score on, each once, the gravest
// first.
func (s scan) from(score int64) []string {
	found := slices.Clone(s.finds)
	slices.SortStableFunc(found, func(a, b find) int { return int(b.score - a.score) })
	var out []string
	for _, f := range found {
		if f.score >= score && !slices.Contains(out, f.id) {
			out = append(out, f.id)
		}
	}
	return out
}

func dated(when, now time.Time) string {
	switch {
	case when.IsZero():
		return "does not say when it was made"
	case when.After(now):
		return "is dated " + when.UTC().Format(time.RFC3339) + ", which is still to come"
	}
	return "is of " + when.UTC().Format(time.RFC3339)
}

// ageOf is a duration as policies write it.
func ageOf(limit time.Duration) string {
	if limit%day == 0 {
		return plural(int(limit/day), "day")
	}
	return limit.String()
}
