package source

import (
	"fmt"
	"strings"
)

// UnmatchedError is a source pattern that matches nothing.
type UnmatchedError struct {
	Source  string
	Ignored []Ignored // what it would match if it were not ignored; a few
	Similar []string  // names that are there and much like it; a few
}

// Error says what is there instead.
func (e *UnmatchedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "source %q matches nothing", e.Source)
	for _, ig := range e.Ignored {
		fmt.Fprintf(&b, "; %s is left out by %s", ig.Path, ig.By)
	}
	if len(e.Similar) > 0 {
		fmt.Fprintf(&b, "; did you mean %s?", strings.Join(e.Similar, ", "))
	}
	return b.String()
}

// PatternError is a pattern that cannot be meant.
type PatternError struct {
	Pattern string
	List    string // "include", "exclude", "source" or ".dockerignore"
	Reason  string
}

// Error names the list and the pattern.
func (e *PatternError) Error() string {
	return fmt.Sprintf("%s pattern %q %s", e.List, e.Pattern, e.Reason)
}

// LinkError is a source that goes through a link that cannot be followed.
type LinkError struct {
	Path   string // of the link
	Target string // as the link says it
	Reason string // "leaves the context", "is part of a loop", …
}

// Error names the link.
func (e *LinkError) Error() string {
	return fmt.Sprintf("the link %s (to %s) %s", e.Path, e.Target, e.Reason)
}

// EntryError is something that no layer can hold.
type EntryError struct {
	Path   string
	Reason string // "is a device", …
}

// Error names the path.
func (e *EntryError) Error() string { return e.Path + " " + e.Reason }

// ChangedError is a file that is not what it was when it was hashed, or that
// changes while it is read.
type ChangedError struct{ Path string }

// Error names the path.
func (e *ChangedError) Error() string {
	return fmt.Sprintf("%s was changed while it was in use", e.Path)
}
