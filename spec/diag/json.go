package diag

import (
	"encoding/json"
	"fmt"
	"io"
)

// JSONVersion is the version of the document that [WriteJSON] writes. Fields
// may be added within a version; a change of meaning makes the next one.
const JSONVersion = 1

type jsonDocument struct {
	Version     int              `json:"version"`
	Errors      int              `json:"errors"`
	Warnings    int              `json:"warnings"`
	Infos       int              `json:"infos"`
	Diagnostics []jsonDiagnostic `json:"diagnostics"`
}

type jsonDiagnostic struct {
	Severity string     `json:"severity"`
	Code     string     `json:"code,omitempty"`
	Summary  string     `json:"summary"`
	Detail   string     `json:"detail"`
	Range    *Range     `json:"range,omitempty"`
	Address  string     `json:"address,omitempty"`
	Notes    []jsonNote `json:"notes,omitempty"`
	Fix      *Fix       `json:"fix,omitempty"`
}

type jsonNote struct {
	Message string `json:"message"`
	Range   *Range `json:"range,omitempty"`
}

// WriteJSON writes one document for programs:
//
//	{"version": 1, "errors": 1, "warnings": 0, "infos": 0, "diagnostics": [{
//	  "severity": "error", "code": …, "summary": …, "detail": …,
//	  "range": {"file": …, "start": {"line": 1, "column": 1, "byte": 0}, "end": {…}},
//	  "address": "//services/web:image.web",
//	  "notes": [{"message": …, "range": {…}}],
//	  "fix": {"range": {…}, "replacement": …}}]}
//
// Severities are "error", "warning" and "info". Code, range, address, notes
// and fix are left out where there is none. Lines and columns count from 1, columns
// in user-perceived characters; bytes from 0, with CRLF counted as one byte.
// Diagnostics are in their sorted order; "diagnostics" is never null.
func WriteJSON(w io.Writer, l List) error {
	doc := jsonDocument{Version: JSONVersion, Diagnostics: []jsonDiagnostic{}}
	for _, d := range l.Sorted() {
		switch d.Severity {
		case Error:
			doc.Errors++
		case Warning:
			doc.Warnings++
		default:
			doc.Infos++
		}
		j := jsonDiagnostic{
			Severity: d.Severity.String(), Code: d.Code, Summary: d.Summary, Detail: d.Detail, Address: d.Address,
			Range: place(d.Range), Fix: d.Fix,
		}
		for _, n := range d.Notes {
			j.Notes = append(j.Notes, jsonNote{n.Message, place(n.Range)})
		}
		doc.Diagnostics = append(doc.Diagnostics, j)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(doc); err != nil {
		return fmt.Errorf("writing diagnostics: %w", err)
	}
	return nil
}

func place(r Range) *Range {
	if r.IsZero() {
		return nil
	}
	return &r
}
