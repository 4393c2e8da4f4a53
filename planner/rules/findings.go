package rules

import (
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Scores of severities, in tenths of CVSS's (CVSS v3.1, "Qualitative Severity
// Rating Scale"): the lowest of each.
const (
	lowScore      = 1
	mediumScore   = 40
	highScore     = 70
	criticalScore = 90
)

// Score is a severity in words, low, medium, high or critical, as tenths of a
// CVSS score. What scanners call unknown or negligible counts as low.
func Score(word string) (tenths int64, ok bool) {
	switch strings.ToLower(word) {
	case "critical":
		return criticalScore, true
	case "high", "important":
		return highScore, true
	case "medium", "moderate":
		return mediumScore, true
	case "low", "negligible", "unknown", "none", "unspecified", "":
		return lowScore, true
	}
	return 0, false
}

// scoreOf reads a word or a number. What is neither, a vector say, counts as
// critical: it may be.
func scoreOf(text string) int64 {
	if tenths, ok := Score(text); ok {
		return tenths
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil && n >= 0 && n <= 10 {
		return int64(math.Round(n * 10))
	}
	return criticalScore
}

// readResult reads what a scanner has said, in one of the forms that are in
// use: in-toto's list, SARIF, Trivy's report, Grype's.
func readResult(text json.RawMessage) ([]scan, error) {
	var list []struct {
		ID       string `json:"id"`
		Severity []struct {
			Score wording `json:"score"`
		} `json:"severity"`
	}
	if json.Unmarshal(text, &list) == nil && list != nil {
		var s scan
		for _, v := range list {
			f := find{id: v.ID, score: lowScore}
			for _, x := range v.Severity {
				f.score = max(f.score, scoreOf(string(x.Score)))
			}
			s.finds = append(s.finds, f)
		}
		return []scan{s}, nil
	}
	var report struct {
		Runs    json.RawMessage `json:"runs"`
		Results *[]trivyResult  `json:"Results"`
		Schema  int             `json:"SchemaVersion"` // Trivy leaves Results out where it looked at nothing
		Matches *[]grypeMatch   `json:"matches"`
	}
	switch err := json.Unmarshal(text, &report); {
	case err != nil:
	case report.Runs != nil:
		return readSARIF(text)
	case report.Results != nil:
		return []scan{trivyScan(*report.Results)}, nil
	case report.Matches != nil:
		return []scan{grypeScan(*report.Matches)}, nil
	case report.Schema > 0:
		return []scan{{}}, nil
	}
	return nil, errors.New("the scanner's result is in no form that is read: in-toto's list, SARIF, Trivy's or Grype's")
}

// trivyResult is what Trivy has found in one place of an image.
type trivyResult struct {
	Vulnerabilities []struct{ VulnerabilityID, Severity string }
	Secrets         []struct{ RuleID, Severity string }
	Licenses        []struct{ Name, Severity string }
}

func trivyScan(results []trivyResult) scan {
	var s scan
	for _, r := range results {
		for _, v := range r.Vulnerabilities {
			s.finds = append(s.finds, find{v.VulnerabilityID, scoreOf(v.Severity)})
		}
		for _, v := range r.Secrets {
			s.finds = append(s.finds, find{v.RuleID, scoreOf(v.Severity)})
		}
		for _, v := range r.Licenses {
			s.finds = append(s.finds, find{v.Name, scoreOf(v.Severity)})
		}
	}
	return s
}

// grypeMatch is a vulnerability that Grype has found; what is ignored by its
// configuration stands elsewhere.
type grypeMatch struct {
	Vulnerability struct{ ID, Severity string }
}

func grypeScan(matches []grypeMatch) scan {
	var s scan
	for _, m := range matches {
		s.finds = append(s.finds, find{m.Vulnerability.ID, scoreOf(m.Vulnerability.Severity)})
	}
	return s
}

// wording is a string, or a number as it is written.
type wording string

// UnmarshalJSON is json.Unmarshaler.
func (t *wording) UnmarshalJSON(raw []byte) error {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		s = string(raw)
	}
	*t = wording(s)
	return nil
}

// The parts of SARIF 2.1.0 that are read.
type (
	sarifRun struct {
		Tool struct {
			Driver     sarifComponent   `json:"driver"`
			Extensions []sarifComponent `json:"extensions"`
		} `json:"tool"`
		Invocations []struct {
			Successful *bool     `json:"executionSuccessful"`
			Start      time.Time `json:"startTimeUtc"`
			End        time.Time `json:"endTimeUtc"`
		} `json:"invocations"`
		Automation json.RawMessage `json:"automationDetails"`
		Properties json.RawMessage `json:"properties"`
		Results    *[]sarifResult  `json:"results"`
	}
	sarifComponent struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID            string `json:"id"`
		Configuration struct {
			Level string `json:"level"`
		} `json:"defaultConfiguration"`
		Properties sarifProperties `json:"properties"`
	}
	sarifProperties struct {
		Severity wording `json:"security-severity"` // a CVSS score, as code scanning has it
	}
	sarifResult struct {
		RuleID string `json:"ruleId"`
		Rule   struct {
			ID string `json:"id"`
		} `json:"rule"`
		RuleIndex    *int   `json:"ruleIndex"`
		Kind         string `json:"kind"`
		Level        string `json:"level"`
		Baseline     string `json:"baselineState"`
		Suppressions []struct {
			Status string `json:"status"`
		} `json:"suppressions"`
		Properties sarifProperties `json:"properties"`
	}
)

// readSARIF reads a scan from each run.
func readSARIF(text []byte) ([]scan, error) {
	var doc struct {
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	if err := json.Unmarshal(text, &doc); err != nil || doc.Version != "2.1.0" {
		return nil, errors.New("this is no SARIF 2.1.0")
	}
	var out []scan
	for _, run := range doc.Runs {
		s := scan{tool: run.Tool.Driver.Name, failed: run.Results == nil} // null: the scanner did not look
		s.digests = digestsIn(string(run.Properties) + " " + string(run.Automation))
		for _, i := range run.Invocations {
			s.failed = s.failed || i.Successful != nil && !*i.Successful
			for _, when := range []time.Time{i.Start, i.End} {
				if when.After(s.when) {
					s.when = when
				}
			}
		}
		if run.Results != nil {
			s.finds = run.finds(*run.Results)
		}
		out = append(out, s)
	}
	return out, nil
}

func (run sarifRun) finds(results []sarifResult) []find {
	rules := map[string]sarifRule{}
	for _, c := range append(run.Tool.Extensions, run.Tool.Driver) {
		for _, r := range c.Rules {
			rules[r.ID] = r
		}
	}
	var out []find
	for _, r := range results {
		if !r.counts() {
			continue
		}
		id := r.RuleID
		if id == "" {
			id = r.Rule.ID
		}
		rule := rules[id]
		if i := r.RuleIndex; id == "" && i != nil && *i >= 0 && *i < len(run.Tool.Driver.Rules) {
			rule = run.Tool.Driver.Rules[*i]
			id = rule.ID
		}
		out = append(out, find{id, r.score(rule)})
	}
	return out
}

// counts reports whether a result says that something is wrong, still is, and
// that nobody has set it aside (SARIF 2.1.0, 3.27.9, 3.27.23 and 3.27.24).
func (r sarifResult) counts() bool {
	switch r.Kind {
	case "pass", "notApplicable", "informational":
		return false
	}
	suppressed := len(r.Suppressions) > 0
	for _, s := range r.Suppressions {
		suppressed = suppressed && (s.Status == "" || s.Status == "accepted")
	}
	return !suppressed && r.Baseline != "absent"
}

// score is that of the result, else that of its rule, else what its level
// stands for.
func (r sarifResult) score(rule sarifRule) int64 {
	for _, s := range []wording{r.Properties.Severity, rule.Properties.Severity} {
		if s != "" {
			return scoreOf(string(s))
		}
	}
	level := r.Level
	if level == "" {
		level = rule.Configuration.Level
	}
	switch level {
	case "error":
		return highScore
	case "note", "none":
		return lowScore
	}
	return mediumScore // "warning" is what silence means
}

var digestForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`sha256[:_-]([0-9a-f]{64})\b`) })

// digestsIn are the digests that a text holds, as names or in a file's name.
func digestsIn(text string) []string {
	var out []string
	for _, m := range digestForm().FindAllStringSubmatch(text, -1) {
		out = append(out, "sha256:"+m[1])
	}
	return out
}
