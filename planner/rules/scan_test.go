package rules_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec/diag"
)

// scanned is the digest of the index that linked makes in tests.
func scanned() string {
	return linked(pin.Base{Manifests: map[string]string{"linux/amd64": digest('b'), "linux/arm64": digest('c')}}).Digest
}

// sarif is a SARIF file of one run.
type sarif struct {
	tool    string
	digests []string  // of what was scanned
	when    time.Time // zero is not said
	broken  bool      // the scanner has failed
	results string    // JSON objects, a comma between them
	rules   string
	id      string // automationDetails
}

func (s sarif) text() []byte {
	tool := s.tool
	if tool == "" {
		tool = "Trivy"
	}
	invocation := fmt.Sprintf(`"executionSuccessful": %v`, !s.broken)
	if !s.when.IsZero() {
		invocation += fmt.Sprintf(`, "startTimeUtc": "2020-01-01T00:00:00Z", "endTimeUtc": %q`, s.when.Format(time.RFC3339))
	}
	names, err := json.Marshal(s.digests)
	if err != nil {
		panic(err)
	}
	return fmt.Appendf(nil, `{"version": "2.1.0", "runs": [{
		"tool": {"driver": {"name": %q, "rules": [%s]}}, "automationDetails": {"id": %q},
		"invocations": [{%s}], "properties": {"imageName": "x", "repoDigests": %s}, "results": [%s]}]}`,
		tool, s.rules, s.id, invocation, names, s.results)
}

// statement is an in-toto statement about a digest with the result of a scanner.
func statement(digest, finished, result string) string {
	return fmt.Sprintf(`{"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://cosign.sigstore.dev/attestation/vuln/v1",
		"subject": [{"name": "x", "digest": {"sha256": %q}}],
		"predicate": {"scanner": {"uri": "pkg:github/aquasecurity/trivy", "result": %s}, "metadata": {"scanStartedOn": %q, "scanFinishedOn": %q}}}`,
		strings.TrimPrefix(digest, "sha256:"), result, finished, finished)
}

// envelope signs a statement as `cosign attest --key` does.
func (s signer) envelope(payload string) string {
	const kind = "application/vnd.in-toto+json"
	sum := sha256.Sum256(fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(kind), kind, len(payload), payload))
	sig, err := ecdsa.SignASN1(rand.Reader, s.key, sum[:])
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"payloadType": %q, "payload": %q, "signatures": [{"keyid": "", "sig": %q}]}`,
		kind, base64.StdEncoding.EncodeToString([]byte(payload)), base64.StdEncoding.EncodeToString(sig))
}

var scanNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func ago(days int) time.Time { return scanNow.AddDate(0, 0, -days) }

func stamp(days int) string { return ago(days).Format(time.RFC3339) }

// cve is a result of a rule without a score of its own.
func cve(id, more string) string {
	return fmt.Sprintf(`{"ruleId": %q, "message": {"text": "x"}%s}`, id, more)
}

// verdict judges a spec with one base, whose index is scanned().
func verdict(t *testing.T, g rules.Grade, evidence ...rules.Evidence) diag.List {
	t.Helper()
	j := judgement{
		now: scanNow, evidence: evidence, grades: map[string]rules.Grade{"scan-evidence-fresh": g},
		signed: map[string]func(*pin.Base){"nonroot": func(*pin.Base) {}},
	}
	return j.judge(t, built(`image = "registry.example.com/base/nonroot:1"`))
}

func file(text string) rules.Evidence {
	return rules.Evidence{Name: "scans/os.json", Text: []byte(text)}
}

// TestScanResults judges one document at a time; want is the summary, or
// empty where it passes, and says a part of the detail.
func TestScanResults(t *testing.T) {
	t.Parallel()
	ok := sarif{digests: []string{"x@" + scanned()}, when: ago(1)}
	with := func(change func(*sarif)) string {
		s := ok
		change(&s)
		return string(s.text())
	}
	results := func(all ...string) string { return with(func(s *sarif) { s.results = strings.Join(all, ",") }) }
	trivy := func(severity string) string {
		return `{"SchemaVersion": 2, "Results": [{"Target": "x", "Vulnerabilities": [{"VulnerabilityID": "CVE-1", "Severity": "` + severity + `"}]}]}`
	}
	const none, old, fails, broken = "The base has no scan result", "The scan result is old", "The scan result does not pass", "The scan did not end well"
	for name, tc := range map[string]struct{ text, want, says string }{
		"clean":                      {string(ok.text()), "", ""},
		"of the platform's manifest": {with(func(s *sarif) { s.digests = []string{"x@" + digest('b')} }), "", ""},
		"named by automationDetails": {with(func(s *sarif) { s.digests, s.id = nil, "trivy/"+scanned()+"/1" }), "", ""},
		"of another image":           {with(func(s *sarif) { s.digests = []string{digest('f')} }), none, "What is there is of " + digest('f')},
		"of another platform":        {with(func(s *sarif) { s.digests = []string{digest('c')} }), none, scanned() + ", or its manifest " + digest('b')},
		"of nobody knows what":       {with(func(s *sarif) { s.digests = nil }), none, "scans/os.json does not say what was scanned"},
		"old":                        {with(func(s *sarif) { s.when = ago(31) }), old, "is of 2026-01-29T12:00:00Z; the policy takes what is at most 30 days old"},
		"just not old":               {with(func(s *sarif) { s.when = ago(30) }), "", ""},
		"without a date":             {with(func(s *sarif) { s.when = time.Time{} }), old, "does not say when it was made"},
		"of tomorrow's tomorrow":     {with(func(s *sarif) { s.when = ago(-2) }), old, "still to come"},
		"the scanner has failed":     {with(func(s *sarif) { s.broken = true }), broken, "Trivy itself has failed"},
		"an error":                   {results(cve("CVE-1", `, "level": "error"`)), fails, "Trivy has found 1 thing in base.b"},
		"a warning":                  {results(cve("CVE-1", `, "level": "warning"`), cve("CVE-2", "")), "", ""},
		"a note":                     {results(cve("CVE-1", `, "level": "note"`)), "", ""},
		"a score":                    {results(cve("CVE-1", `, "level": "note", "properties": {"security-severity": "7.0"}`)), fails, "CVE-1"},
		"a lower score":              {results(cve("CVE-1", `, "level": "error", "properties": {"security-severity": 6.9}`)), "", ""},
		"a vector":                   {results(cve("CVE-1", `, "properties": {"security-severity": "CVSS:3.1/AV:N"}`)), fails, "CVE-1"},
		"suppressed":                 {results(cve("CVE-1", `, "level": "error", "suppressions": [{"kind": "external", "status": "accepted"}]`)), "", ""},
		"suppression refused":        {results(cve("CVE-1", `, "level": "error", "suppressions": [{"kind": "external"}, {"kind": "external", "status": "rejected"}]`)), fails, "CVE-1"},
		"gone since":                 {results(cve("CVE-1", `, "level": "error", "baselineState": "absent"`)), "", ""},
		"what passes":                {results(cve("CVE-1", `, "level": "error", "kind": "pass"`)), "", ""},
		"the rule's score, by id": {with(func(s *sarif) {
			s.rules, s.results = `{"id": "CVE-1", "properties": {"security-severity": "9.8"}}`, cve("CVE-1", "")
		}), fails, "CVE-1"},
		"the rule's level, by index": {with(func(s *sarif) {
			s.rules, s.results = `{"id": "CVE-7", "defaultConfiguration": {"level": "error"}}`, `{"ruleIndex": 0}`
		}), fails, "CVE-7"},
		"an index that is none":        {results(`{"ruleIndex": 7}`), "", ""},
		"the rule of the result":       {results(`{"rule": {"id": "CVE-9"}, "level": "error"}`), fails, "CVE-9"},
		"the same twice, gravest last": {results(cve("CVE-1", `, "level": "error"`), cve("CVE-1", `, "level": "error"`), cve("CVE-2", `, "properties": {"security-severity": "9.9"}`)), fails, "2 things in base.b, " + scanned() + ", that the policy does not let pass: CVE-2, CVE-1"},
		"no results at all":            {`{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "T"}}, "properties": {"d": "` + scanned() + `"}, "invocations": [{"endTimeUtc": "` + stamp(1) + `"}]}]}`, broken, "T itself"},
		"another version":              {`{"version": "2.0.0", "runs": []}`, none, "this is no SARIF 2.1.0"},
		"no JSON":                      {`x`, none, "What is there does not count: scans/os.json: "},
		"something else":               {`{"bomFormat": "CycloneDX"}`, none, "this is no SARIF, no in-toto statement"},
		"a list":                       {`[1]`, none, "this is no SARIF, no in-toto statement"},

		"a statement":                   {statement(scanned(), stamp(1), trivy("MEDIUM")), "", ""},
		"a statement that fails":        {statement(scanned(), stamp(1), trivy("CRITICAL")), fails, "pkg:github/aquasecurity/trivy has found"},
		"of Trivy without results":      {statement(scanned(), stamp(1), `{"SchemaVersion": 2, "ArtifactName": "x"}`), "", ""},
		"secrets and licences":          {statement(scanned(), stamp(1), `{"Results": [{"Secrets": [{"RuleID": "aws", "Severity": "HIGH"}], "Licenses": [{"Name": "AGPL-3.0", "Severity": "HIGH"}]}]}`), fails, "aws, AGPL-3.0"},
		"of Grype":                      {statement(scanned(), stamp(1), `{"matches": [{"vulnerability": {"id": "CVE-1", "severity": "Negligible"}}]}`), "", ""},
		"of Grype that fails":           {statement(scanned(), stamp(1), `{"matches": [{"vulnerability": {"id": "CVE-1", "severity": "Critical"}}]}`), fails, "CVE-1"},
		"a SARIF in it":                 {statement(scanned(), stamp(1), with(func(s *sarif) { s.digests, s.results = nil, cve("CVE-1", `, "level": "error"`) })), fails, "CVE-1"},
		"in-toto's list":                {statement(scanned(), stamp(1), `[{"id": "CVE-1", "severity": [{"method": "nvd", "score": "8.1"}, {"method": "vendor", "score": "low"}]}]`), fails, "CVE-1"},
		"in-toto's list, mild":          {statement(scanned(), stamp(1), `[{"id": "CVE-1", "severity": [{"score": 3.1}]}, {"id": "CVE-2"}]`), "", ""},
		"in-toto's empty list":          {statement(scanned(), stamp(1), `[]`), "", ""},
		"a result in no known form":     {statement(scanned(), stamp(1), `{"x": 1}`), none, "in no form that is read"},
		"no result":                     {statement(scanned(), stamp(1), `null`), none, "in no form that is read"},
		"of another subject":            {statement(digest('f'), stamp(1), trivy("LOW")), none, digest('f')},
		"an old statement":              {statement(scanned(), stamp(40), trivy("LOW")), old, "is of 2026-01-20"},
		"a statement of the old form":   {strings.Replace(statement(scanned(), stamp(1), trivy("LOW")), "Statement/v1", "Statement/v0.1", 1), "", ""},
		"a statement about parts":       {strings.Replace(statement(scanned(), stamp(1), "{}"), "cosign.sigstore.dev/attestation/vuln/v1", "spdx.dev/Document", 1), none, "Scan it by this digest"},
		"any predicate that is a SARIF": {`{"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://example.com/x", "subject": [{"digest": {"sha256": "` + strings.TrimPrefix(scanned(), "sha256:") + `"}}], "predicate": ` + with(func(s *sarif) { s.digests = []string{digest('f')} }) + `}`, "", ""},
		"an envelope":                   {stranger().envelope(statement(scanned(), stamp(1), trivy("LOW"))), "", ""},
		"a bundle":                      {`{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "dsseEnvelope": ` + stranger().envelope(statement(scanned(), stamp(1), trivy("LOW"))) + `}`, "", ""},
		"an envelope of something else": {`{"payloadType": "text/plain", "payload": "eA=="}`, none, `but "text/plain"`},
		"several, one after another":    {with(func(s *sarif) { s.digests = nil }) + "\n" + string(ok.text()), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ds := verdict(t, of("files", "scans/*"), file(tc.text))
			if tc.want == "" {
				if len(ds) > 0 {
					t.Errorf("%+v of\n%s", ds, tc.text)
				}
				return
			}
			if len(ds) != 1 || ds[0].Summary != tc.want || !strings.Contains(ds[0].Detail, tc.says) || ds[0].Code != "scan-evidence-fresh" || ds[0].Severity != diag.Error || !strings.HasPrefix(place(ds[0]), "2:11-2:") {
				t.Errorf("%+v, want %q: %q, of\n%s", ds, tc.want, tc.says, tc.text)
			}
		})
	}
}

// TestSeveralScans holds that of each scanner the newest counts, and that all
// scanners have to pass.
func TestSeveralScans(t *testing.T) {
	t.Parallel()
	grave := cve("CVE-1", `, "level": "error"`)
	scan := func(tool string, days int, results string) rules.Evidence {
		return file(string(sarif{tool: tool, digests: []string{scanned()}, when: ago(days), results: results}.text()))
	}
	for name, tc := range map[string]struct {
		evidence []rules.Evidence
		passes   bool
	}{
		"mended since":           {[]rules.Evidence{scan("a", 5, grave), scan("a", 1, "")}, true},
		"found since":            {[]rules.Evidence{scan("a", 1, grave), scan("a", 5, "")}, false},
		"two tools":              {[]rules.Evidence{scan("a", 1, ""), scan("b", 2, "")}, true},
		"one of two tools":       {[]rules.Evidence{scan("a", 1, ""), scan("b", 2, grave)}, false},
		"a tool of former times": {[]rules.Evidence{scan("a", 1, ""), scan("b", 200, grave)}, true},
		"one that is unreadable": {[]rules.Evidence{file("x"), scan("a", 1, "")}, true},
	} {
		if ds := verdict(t, of("files", "scans/*"), tc.evidence...); (len(ds) == 0) != tc.passes {
			t.Errorf("%s: %v", name, ds)
		}
	}
}

func TestWithKeysOnlyWhatIsSignedCounts(t *testing.T) {
	t.Parallel()
	clean := statement(scanned(), stamp(1), `[]`)
	g := of("keys", trusted().public)
	changed := strings.Replace(trusted().envelope(clean), `"payload": "`, `"payload": "`+base64.StdEncoding.EncodeToString([]byte(" {}")), 1)
	for name, tc := range map[string]struct{ text, says string }{
		"signed":         {trusted().envelope(clean), ""},
		"beside another": {stranger().envelope(clean) + trusted().envelope(clean), "none of the keys has signed it"},
		"another key":    {stranger().envelope(clean), "none of the keys has signed it"},
		"changed":        {changed, "none of the keys has signed it"},
		"no signature":   {strings.Replace(trusted().envelope(clean), `"sig"`, `"gis"`, 1), "none of the keys has signed it"},
		"a statement":    {clean, "nobody has signed it, and the policy has keys"},
		"a SARIF file":   {string(sarif{digests: []string{scanned()}, when: ago(1)}.text()), "nobody has signed it, and the policy has keys"},
	} {
		ds := verdict(t, g, file(tc.text))
		if tc.says == "" && len(ds) > 0 || tc.says != "" && (len(ds) != 1 || !strings.Contains(ds[0].Detail, tc.says)) {
			t.Errorf("%s: %+v", name, ds)
		}
	}
	if ds := verdict(t, of("keys", "x"), file(trusted().envelope(clean))); len(ds) != 1 || !strings.Contains(ds[0].Detail, "key 1: this is no public key") {
		t.Errorf("%+v", ds)
	}
}

// TestANameIsNoSubject: what a file is called is said by nobody's key.
func TestANameIsNoSubject(t *testing.T) {
	t.Parallel()
	none := strings.Replace(statement(scanned(), stamp(1), `[]`), `"sha256"`, `"sha512"`, 1)
	name := "scans/" + strings.Replace(scanned(), ":", "-", 1) + ".json"
	for _, g := range []rules.Grade{of("keys", trusted().public), of("files", "scans/*")} {
		ds := verdict(t, g, rules.Evidence{Name: name, Text: []byte(trusted().envelope(none))})
		if len(ds) != 1 || !strings.Contains(ds[0].Detail, "no subject with a sha256") {
			t.Errorf("%+v", ds)
		}
	}
}

func TestScanLimitsOfThePolicy(t *testing.T) {
	t.Parallel()
	medium := cve("CVE-1", `, "properties": {"security-severity": "5.0"}`)
	text := file(string(sarif{digests: []string{scanned()}, when: ago(10), results: medium}.text()))
	with := func(limits map[string]int64) rules.Grade {
		g := of("files", "scans/*")
		g.Limits = limits
		return g
	}
	score := func(word string) int64 {
		n, ok := rules.Score(word)
		if !ok {
			t.Fatalf("%q is no severity", word)
		}
		return n
	}
	for want, limits := range map[string]map[string]int64{
		"":                          {"fail_on": score("high"), "max_age": 11 * 24 * 3600},
		"does not let pass: CVE-1":  {"fail_on": score("medium")},
		"does not let pass: CVE-1 ": {"fail_on": score("low")},
		"at most 9 days old":        {"max_age": 9 * 24 * 3600},
		"at most 12h0m0s old":       {"max_age": 12 * 3600},
	} {
		ds := verdict(t, with(limits), text)
		if want == "" && len(ds) > 0 || want != "" && (len(ds) != 1 || !strings.Contains(ds[0].Detail, want)) {
			t.Errorf("%v: %+v, want %q", limits, ds, want)
		}
	}
	if _, ok := rules.Score("grave"); ok {
		t.Error("a word that is no severity is one")
	}
}

func TestScanEvidenceFresh(t *testing.T) {
	t.Parallel()
	name := func(s string) string { return `image = «"registry.example.com/base/` + s + `:1"»` }
	plain := func(s string) string { return strings.NewReplacer("«", "", "»", "").Replace(name(s)) }
	g := of("files", "scans/*")
	g.Lists["except"] = []string{"docker.io/library/", "layout:vendor"}
	of := func(d string) rules.Evidence {
		return rules.Evidence{Name: "scans/x.sarif", Text: sarif{digests: []string{d}, when: time.Now()}.text()}
	}
	bases := map[string]func(*pin.Base){"nonroot": func(*pin.Base) {}}
	platforms := func(text string) string {
		return strings.ReplaceAll(text, "image \"web\" {", "image \"web\" {\n  platforms = [\"linux/amd64\", \"linux/arm64\"]")
	}
	cases{
		grade: g, signed: bases, evidence: []rules.Evidence{of(scanned())},
		also: []string{"final-user-non-root"},
		fires: []string{
			built(name("root")), platforms(built(name("root"))), built(`layout = «"oci"»`),
			built(`image = «"ghcr.io/acme/root:1"»`),
			`base "b" {
  ` + name("root") + `
}
image "web" {
  from = scratch
  run_as = "1"
  copy {
    from = base.b
    source = "/bin/x"
    to = "/bin/x"
  }
}
`,
		},
		quiet: []string{
			built(plain("nonroot")), platforms(built(plain("nonroot"))), built(`image = "root:1"`), built(`layout = "vendor/oci"`),
			`base "unused" {
  image = "registry.example.com/base/root:1"
}
` + whole(""),
			whole(""),
		},
		files: map[string]string{"oci/oci-layout": "{}", "vendor/oci/oci-layout": "{}"},
	}.run(t, "scan-evidence-fresh")
	// A manifest's result is one for that platform alone; a file's name says
	// what was scanned where the file does not.
	amd := of(digest('b'))
	cases{
		grade: g, signed: bases, evidence: []rules.Evidence{amd},
		fires: []string{platforms(built(name("nonroot")))}, quiet: []string{built(plain("nonroot"))},
	}.run(t, "scan-evidence-fresh")
	byName := rules.Evidence{Name: "scans/" + strings.Replace(scanned(), ":", "-", 1) + ".sarif", Text: sarif{when: time.Now()}.text()}
	cases{grade: g, signed: bases, evidence: []rules.Evidence{byName}, quiet: []string{built(plain("nonroot"))}}.run(t, "scan-evidence-fresh")
	// Off by itself, and nothing is known without a lock.
	cases{quiet: []string{built(plain("root"))}}.run(t, "scan-evidence-fresh")
	cases{grade: g, unlocked: true, quiet: []string{built(plain("root"))}}.run(t, "scan-evidence-fresh")
	cases{grade: rules.Grade{Off: true, Lists: maps.Clone(g.Lists)}, quiet: []string{built(plain("root"))}}.run(t, "scan-evidence-fresh")
}

func TestWhereNobodyHasLooked(t *testing.T) {
	t.Parallel()
	ds := verdict(t, rules.Grade{Set: true})
	if len(ds) != 1 || !strings.Contains(ds[0].Detail, "neither `files` nor `keys`") {
		t.Errorf("%+v", ds)
	}
	ds = verdict(t, of("keys", trusted().public), rules.Evidence{Name: "registry.example.com/x", Err: errors.New("the registry refused (403)")}, file("x"))
	if len(ds) != 1 || !strings.Contains(ds[0].Detail, "registry.example.com/x: the registry refused (403), and 1 document more") {
		t.Errorf("%+v", ds)
	}
	// Where registries were not asked, what they have is left open.
	j := judgement{unasked: true, grades: map[string]rules.Grade{"scan-evidence-fresh": of("keys", trusted().public)}}
	if ds := j.judge(t, built(`image = "registry.example.com/base/nonroot:1"`)); len(ds) > 0 {
		t.Errorf("%+v", ds)
	}
	j.grades["scan-evidence-fresh"] = of("files", "scans/*")
	if ds := j.judge(t, built(`image = "registry.example.com/base/nonroot:1"`)); len(ds) != 1 {
		t.Errorf("files were looked at: %+v", ds)
	}
}

func TestAsksScanned(t *testing.T) {
	t.Parallel()
	grades := func(g rules.Grade) map[string]rules.Grade { return map[string]rules.Grade{"scan-evidence-fresh": g} }
	both := rules.Grade{Lists: map[string][]string{"keys": {"x"}, "files": {"scans/*"}, "except": {"quay.io/acme"}}}
	for name, tc := range map[string]struct {
		grade            rules.Grade
		base             string
		wanted, registry bool
	}{
		"both":     {both, "ghcr.io/x", true, true},
		"excepted": {both, "quay.io/acme/x:1", false, false},
		"files":    {of("files", "scans/*"), "ghcr.io/x", true, false},
		"graded":   {rules.Grade{Set: true}, "ghcr.io/x", true, false},
		"off":      {rules.Grade{Off: true, Lists: both.Lists}, "ghcr.io/x", false, false},
		"none":     {rules.Grade{}, "ghcr.io/x", false, false},
	} {
		if wanted, registry := rules.AsksScanned(grades(tc.grade), tc.base); wanted != tc.wanted || registry != tc.registry {
			t.Errorf("%s: %v %v", name, wanted, registry)
		}
	}
	if got := rules.ScanFiles(grades(both)); len(got) != 1 || got[0] != "scans/*" {
		t.Errorf("%q", got)
	}
	if got := rules.ScanFiles(grades(rules.Grade{Off: true, Lists: both.Lists})); got != nil {
		t.Errorf("%q", got)
	}
}
