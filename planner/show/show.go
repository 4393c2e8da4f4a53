// Package show writes a plan as the JSON document of `plan --json`, for
// programs that review plans: planner.Plan, with what becomes of its steps and
// what judges said of it → a document whose shape docs/plan.md and
// schemas/plan.schema.json promise.
//
// The document is the same on every machine that has the same sources: no
// absolute path is in it, and of a secret only where it comes from.
package show

import (
	"fmt"
	"io"

	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/spec/diag"
)

// Document is everything that is said of a plan.
type Document struct {
	Plan      *planner.Plan
	Root      string // the workspace's folder, absolute: paths are written from it
	Specbuild string // the version of the program
	Steps     []Step // of the graph that the plan comes to, inputs first
	Policies  []Policy
	Findings  diag.List // without errors, since nothing is planned where there is one
	SetAside  []Aside
	Lock      []pin.Change // what apply would write, where there is no lock yet
}

// Step is a node of the graph with what becomes of it.
type Step struct {
	ID       string     `json:"id"` // as `graph --format json` has it
	Op       string     `json:"op"` // what it does: "run", "copy", "image", …
	Name     string     `json:"name"`
	Title    string     `json:"title"`
	Platform string     `json:"platform,omitempty"`
	Range    diag.Range `json:"range"`
	State    State      `json:"state"`
	Reason   string     `json:"reason,omitempty"` // of what is not cached
}

// State is what becomes of a step.
type State string

// The states. What is unknown is known when the steps below it have run.
const (
	Run     State = "run"
	Cached  State = "cached"
	Unknown State = "unknown"
)

// Policy is a policy that the plan was judged by.
type Policy struct {
	Name        string     `json:"name"`
	Range       diag.Range `json:"range"`
	Enforcement string     `json:"enforcement"` // "advisory", "soft" or "hard"
}

// Aside is a finding that a waiver or an override sets aside.
type Aside struct {
	Finding diag.Diagnostic
	Reason  string
	Owner   string // of the waiver; empty for an override
}

// finding is a diagnostic as the document has it.
type finding struct {
	Severity string     `json:"severity"`
	Rule     string     `json:"rule,omitempty"`
	Summary  string     `json:"summary"`
	Detail   string     `json:"detail,omitempty"`
	Range    diag.Range `json:"range"`
	Address  string     `json:"address,omitempty"`
}

func of(d diag.Diagnostic) finding {
	return finding{d.Severity.String(), d.Code, d.Summary, d.Detail, d.Range, d.Address}
}

// aside is an Aside as the document has it.
type aside struct {
	Finding finding `json:"finding"`
	Reason  string  `json:"reason"`
	Owner   string  `json:"owner,omitempty"`
}

// document is the order of the keys at the top. Lists are there even if they
// are empty, so that a reader need not ask.
type document struct {
	Version   int                `json:"version"`
	Specbuild string             `json:"specbuild"`
	Workspace string             `json:"workspace"`
	Build     string             `json:"build"`
	Images    []planner.Image    `json:"images"`
	Instances []planner.Instance `json:"instances"`
	Contexts  []planner.Context  `json:"contexts"`
	Secrets   []planner.Secret   `json:"secrets"`
	Steps     []Step             `json:"steps"`
	Policies  []Policy           `json:"policies"`
	Findings  []finding          `json:"findings"`
	SetAside  []aside            `json:"setAside"`
	Lock      []pin.Change       `json:"lock"`
}

// Write writes the document, indented.
func (d Document) Write(w io.Writer) error {
	p := d.Plan
	doc := document{
		Version: p.Version, Specbuild: d.Specbuild, Workspace: p.Workspace, Build: p.Build,
		Images: p.Images, Instances: p.Instances, Contexts: p.Contexts, Secrets: p.Secrets,
		Steps: d.Steps, Policies: d.Policies, Lock: d.Lock,
	}
	for _, f := range d.Findings.Sorted() {
		doc.Findings = append(doc.Findings, of(f))
	}
	for _, a := range d.SetAside {
		doc.SetAside = append(doc.SetAside, aside{of(a.Finding), a.Reason, a.Owner})
	}
	text, err := encode(doc, d.Root)
	if err != nil {
		return fmt.Errorf("writing the plan: %w", err)
	}
	_, err = w.Write(text)
	return err
}
