// Package diag says what is wrong in something a user wrote, where, and what
// to do about it.
//
// Problems are values: they are collected in a [List], sorted once and
// rendered once. Only the standard library is imported, so that every other
// package can.
package diag

import (
	"cmp"
	"fmt"
	"slices"
)

// Severity orders diagnostics by what follows from them.
type Severity uint8

// The severities. Only Error fails a command.
const (
	Error Severity = iota
	Warning
	Info
)

// String is the lower-case word that reports print.
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	default:
		return "info"
	}
}

// Pos is a place in a file. Line and Column count from 1, columns in
// user-perceived characters; Byte counts from 0.
type Pos struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

// Range is a half-open stretch of one file. The zero Range means "no place".
type Range struct {
	File  string `json:"file"` // as shown to the user, slash-separated
	Start Pos    `json:"start"`
	End   Pos    `json:"end"`
}

// IsZero reports whether the range names no place.
func (r Range) IsZero() bool { return r.File == "" }

// String is "file:line:column", the form that editors and terminals link.
func (r Range) String() string {
	if r.IsZero() {
		return ""
	}
	if r.Start.Line == 0 {
		return r.File
	}
	return fmt.Sprintf("%s:%d:%d", r.File, r.Start.Line, r.Start.Column)
}

// Note points at the other place of a two-place problem: the first
// declaration, each step of a cycle.
type Note struct {
	Message string `json:"message"`
	Range   Range  `json:"range"`
}

// Fix is a replacement of one range that mends the mistake.
type Fix struct {
	Range       Range  `json:"range"`
	Replacement string `json:"replacement"`
}

// Diagnostic is one mistake or finding.
type Diagnostic struct {
	Severity Severity `json:"severity"`
	Code     string   `json:"code,omitempty"` // a rule's id; empty for mistakes of the language
	Summary  string   `json:"summary"`        // a fixed phrase a kind, no names, no full stop
	Detail   string   `json:"detail"`         // sentences: what was found, what is allowed, what to do
	Range    Range    `json:"range"`
	Address  string   `json:"address,omitempty"` // what a rule found it at, as a waiver names it
	Notes    []Note   `json:"notes,omitempty"`
	Fix      *Fix     `json:"fix,omitempty"`

	// Secret says that what stands at Range is one: no excerpt shows it, of
	// this or of another diagnostic.
	Secret bool `json:"-"`
}

// List is a collection of diagnostics in no particular order until sorted.
type List []Diagnostic

// Errorf adds an error of the language; detail is formatted.
func (l *List) Errorf(at Range, summary, detail string, args ...any) {
	*l = append(*l, Diagnostic{Severity: Error, Summary: summary, Detail: fmt.Sprintf(detail, args...), Range: at})
}

// Warnf adds a warning of a rule; detail is formatted.
func (l *List) Warnf(code string, at Range, summary, detail string, args ...any) {
	*l = append(*l, Diagnostic{Severity: Warning, Code: code, Summary: summary, Detail: fmt.Sprintf(detail, args...), Range: at})
}

// HasErrors reports whether any diagnostic is an error.
func (l List) HasErrors() bool {
	return slices.ContainsFunc(l, func(d Diagnostic) bool { return d.Severity == Error })
}

// Sorted is the list by file, place, severity and text, without exact
// repetitions: the one order in which everything prints diagnostics.
func (l List) Sorted() List {
	out := slices.Clone(l)
	slices.SortStableFunc(out, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(a.Range.File, b.Range.File),
			cmp.Compare(a.Range.Start.Line, b.Range.Start.Line),
			cmp.Compare(a.Range.Start.Column, b.Range.Start.Column),
			cmp.Compare(a.Severity, b.Severity),
			cmp.Compare(a.Code, b.Code),
			cmp.Compare(a.Summary, b.Summary),
			cmp.Compare(a.Detail, b.Detail),
		)
	})
	return slices.CompactFunc(out, func(a, b Diagnostic) bool {
		return a.Severity == b.Severity && a.Code == b.Code && a.Summary == b.Summary &&
			a.Detail == b.Detail && a.Range == b.Range
	})
}
