package report

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/specbuild/specbuild/spec/diag"
)

// gitlabIssue is an issue of GitLab's code quality report, a subset of Code
// Climate's.
type gitlabIssue struct {
	Description string         `json:"description"`
	Check       string         `json:"check_name"`
	Fingerprint string         `json:"fingerprint"`
	Severity    string         `json:"severity"`
	Location    gitlabLocation `json:"location"`
}

type gitlabLocation struct {
	Path  string      `json:"path"`
	Lines gitlabLines `json:"lines"`
}

type gitlabLines struct {
	Begin int `json:"begin"`
}

func (r Report) gitlab(w io.Writer) error {
	issues := []gitlabIssue{}
	fingerprint := r.fingerprints()
	for _, d := range r.Findings {
		name := r.file(d.Range.File)
		if name == "" {
			name = "specbuild.hcl" // an issue has to have a place
		}
		issues = append(issues, gitlabIssue{
			Description: message(d), Check: rule(d), Fingerprint: fingerprint(d),
			Severity: []string{"critical", "minor", "info"}[d.Severity],
			Location: gitlabLocation{Path: name, Lines: gitlabLines{Begin: max(d.Range.Start.Line, 1)}},
		})
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(issues)
}

// The form of JUnit's reports that CI systems agree on.
type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	File    string        `xml:"file,attr,omitempty"`
	Line    int           `xml:"line,attr,omitempty"`
	Failure *junitFailure `xml:"failure"`
	Skipped *junitSkipped `xml:"skipped"`
	Output  string        `xml:"system-out,omitempty"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

type junitSkipped struct {
	Message string `xml:"message,attr"`
}

// junit is a case a finding: errors fail, what is set aside is skipped, and
// the rest passes with what it says as output. Where nothing was found, one
// case passes, since an empty report is a mistake to most readers.
func (r Report) junit(w io.Writer) error {
	suite := junitSuite{Name: "specbuild " + r.Command}
	for _, d := range r.Findings {
		c := r.junitCase(d)
		if d.Severity == diag.Error {
			suite.Failures++
			c.Failure = &junitFailure{Message: printable(d.Summary), Type: rule(d), Text: printable(placed(d) + message(d))}
		} else {
			c.Output = printable(placed(d) + d.Severity.String() + ": " + message(d))
		}
		suite.Cases = append(suite.Cases, c)
	}
	for _, a := range r.Aside {
		c := r.junitCase(a.Finding)
		c.Skipped = &junitSkipped{Message: printable(a.Reason)}
		suite.Skipped++
		suite.Cases = append(suite.Cases, c)
	}
	if len(suite.Cases) == 0 {
		suite.Cases = []junitCase{{Class: "specbuild", Name: "no mistakes"}}
	}
	suite.Tests = len(suite.Cases)
	text, err := xml.MarshalIndent(junitSuites{Suites: []junitSuite{suite}}, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	return err
}

func (r Report) junitCase(d diag.Diagnostic) junitCase {
	name := rule(d)
	if d.Address != "" {
		name += " " + d.Address
	}
	class := r.file(d.Range.File)
	if class == "" {
		class = "specbuild"
	}
	return junitCase{Class: class, Name: name, File: r.file(d.Range.File), Line: d.Range.Start.Line}
}

// placed is the place that a line begins with, if there is one.
func placed(d diag.Diagnostic) string {
	if d.Range.IsZero() {
		return ""
	}
	return d.Range.String() + ": "
}

// printable drops characters that XML 1.0 has no way to write.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return -1
		}
		return r
	}, s)
}
