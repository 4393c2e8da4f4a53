package report

import (
	"encoding/json"
	"io"
	"net/url"
	"path/filepath"

	"github.com/specbuild/specbuild/spec/diag"
)

// The parts of SARIF 2.1.0 (OASIS, sarif-v2.1.0-os) that findings need, each
// left out where it says nothing.

const (
	sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	homepage    = "https://github.com/specbuild/specbuild"
	srcRoot     = "SRCROOT"
)

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool       sarifTool                `json:"tool"`
	Columns    string                   `json:"columnKind"`
	URIBases   map[string]sarifArtifact `json:"originalUriBaseIds,omitempty"`
	Results    []sarifResult            `json:"results"`
	Automation *sarifAutomation         `json:"automationDetails,omitempty"`
}

type sarifAutomation struct {
	ID string `json:"id"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version,omitempty"`
	URI     string      `json:"informationUri"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID      string       `json:"id"`
	Short   sarifText    `json:"shortDescription"`
	Full    *sarifText   `json:"fullDescription,omitempty"`
	Help    *sarifText   `json:"help,omitempty"`
	URL     string       `json:"helpUri,omitempty"`
	Default sarifDefault `json:"defaultConfiguration"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifDefault struct {
	Level string `json:"level"`
}

type sarifResult struct {
	RuleID       string             `json:"ruleId"`
	RuleIndex    int                `json:"ruleIndex"`
	Level        string             `json:"level"`
	Message      sarifText          `json:"message"`
	Locations    []sarifLocation    `json:"locations,omitempty"`
	Related      []sarifLocation    `json:"relatedLocations,omitempty"`
	Fingerprints map[string]string  `json:"partialFingerprints"`
	Fixes        []sarifFix         `json:"fixes,omitempty"`
	Suppressions []sarifSuppression `json:"suppressions,omitempty"`
}

type sarifLocation struct {
	Physical *sarifPhysical `json:"physicalLocation,omitempty"`
	Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	Message  *sarifText     `json:"message,omitempty"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   *sarifRegion  `json:"region,omitempty"`
}

type sarifArtifact struct {
	URI  string `json:"uri"`
	Base string `json:"uriBaseId,omitempty"`
}

type sarifRegion struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn,omitempty"`
	EndLine     int `json:"endLine,omitempty"`
	EndColumn   int `json:"endColumn,omitempty"`
}

type sarifLogical struct {
	Name string `json:"fullyQualifiedName"`
}

type sarifFix struct {
	Description sarifText     `json:"description"`
	Changes     []sarifChange `json:"artifactChanges"`
}

type sarifChange struct {
	Artifact     sarifArtifact      `json:"artifactLocation"`
	Replacements []sarifReplacement `json:"replacements"`
}

type sarifReplacement struct {
	Deleted  sarifRegion `json:"deletedRegion"`
	Inserted *sarifText  `json:"insertedContent,omitempty"`
}

type sarifSuppression struct {
	Kind   string `json:"kind"`
	Reason string `json:"justification"`
}

func (r Report) sarif(w io.Writer) error {
	run := sarifRun{
		Tool:    sarifTool{sarifDriver{Name: "specbuild", Version: r.Version, URI: homepage, Rules: []sarifRule{}}},
		Columns: "unicodeCodePoints", Results: []sarifResult{},
		Automation: &sarifAutomation{ID: "specbuild/" + r.Command + "/"},
	}
	if r.Root != "" {
		root := url.URL{Scheme: "file", Path: filepath.ToSlash(r.Root) + "/"}
		run.URIBases = map[string]sarifArtifact{srcRoot: {URI: root.String()}}
	}
	index := map[string]int{}
	for i, x := range r.used() {
		index[x.ID] = i
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, x.sarif())
	}
	fingerprint := r.fingerprints()
	for _, d := range r.Findings {
		run.Results = append(run.Results, r.result(d, index, fingerprint))
	}
	for _, a := range r.Aside {
		result := r.result(a.Finding, index, fingerprint)
		reason := a.Reason
		if a.Owner != "" {
			reason += " (" + a.Owner + ")"
		}
		result.Suppressions = []sarifSuppression{{Kind: "external", Reason: reason}}
		run.Results = append(run.Results, result)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{run}})
}

func (x Rule) sarif() sarifRule {
	out := sarifRule{ID: x.ID, Short: sarifText{x.Title + "."}, URL: x.URL, Default: sarifDefault{level(x.Severity)}}
	if x.Why != "" {
		out.Full = &sarifText{x.Why}
	}
	if x.Mend != "" {
		out.Help = &sarifText{x.Mend}
	}
	return out
}

func level(s diag.Severity) string { return []string{"error", "warning", "note"}[s] }

func (r Report) result(d diag.Diagnostic, index map[string]int, fingerprint func(diag.Diagnostic) string) sarifResult {
	id := rule(d)
	out := sarifResult{
		RuleID: id, RuleIndex: index[id], Level: level(d.Severity), Message: sarifText{message(d)},
		Fingerprints: map[string]string{"specbuild/v1": fingerprint(d)},
	}
	here := sarifLocation{Physical: r.physical(d.Range)}
	if d.Address != "" {
		here.Logical = []sarifLogical{{Name: d.Address}}
	}
	if here.Physical != nil || here.Logical != nil {
		out.Locations = []sarifLocation{here}
	}
	for _, n := range d.Notes {
		if at := r.physical(n.Range); at != nil {
			out.Related = append(out.Related, sarifLocation{Physical: at, Message: &sarifText{n.Message}})
		}
	}
	if f := d.Fix; f != nil {
		change := sarifReplacement{Deleted: r.region(f.Range)}
		if f.Replacement != "" {
			change.Inserted = &sarifText{f.Replacement}
		}
		out.Fixes = []sarifFix{{
			Description: sarifText{"Replace it."},
			Changes:     []sarifChange{{Artifact: r.artifact(f.Range.File), Replacements: []sarifReplacement{change}}},
		}}
	}
	return out
}

// physical is the place of a range; nil for none.
func (r Report) physical(at diag.Range) *sarifPhysical {
	if at.IsZero() {
		return nil
	}
	out := &sarifPhysical{Artifact: r.artifact(at.File)}
	if at.Start.Line > 0 {
		reg := r.region(at)
		out.Region = &reg
	}
	return out
}

func (r Report) artifact(name string) sarifArtifact {
	rel := r.file(name)
	u := url.URL{Path: slashed(rel)}
	if filepath.IsAbs(filepath.FromSlash(rel)) {
		u.Scheme = "file"
		return sarifArtifact{URI: u.String()}
	}
	out := sarifArtifact{URI: u.String()}
	if r.Root != "" {
		out.Base = srcRoot
	}
	return out
}

func (r Report) region(at diag.Range) sarifRegion {
	return sarifRegion{
		StartLine: at.Start.Line, StartColumn: r.column(at.File, at.Start),
		EndLine: max(at.End.Line, at.Start.Line), EndColumn: r.column(at.File, at.End),
	}
}
