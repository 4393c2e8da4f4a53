// Package report writes findings in the forms that other tools read: code
// scanning (SARIF), test reports (JUnit), annotations of pull requests
// (GitHub, GitLab) and editors (gnu).
package report

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/specbuild/specbuild/spec/diag"
)

// Report is what a command found.
type Report struct {
	Command  string // "validate"
	Version  string // of specbuild
	Findings diag.List
	Aside    []Aside           // that do not count
	Rules    []Rule            // that were judged by, for readers' titles and help
	Files    map[string][]byte // the texts that findings are in, by name
	// Dir is the folder that names of files start from, Root the one that
	// reports name them from: the top of the repository. Both are absolute.
	Dir, Root string
}

// Aside is a finding that a waiver or an override sets aside.
type Aside struct {
	Finding diag.Diagnostic
	Reason  string
	Owner   string // empty for an override
}

// Rule is a rule's text.
type Rule struct {
	ID       string
	Severity diag.Severity
	Title    string
	Why      string
	Mend     string // what to do
	URL      string
}

// Formats are the names that Write knows, in the order of help texts.
func Formats() []string {
	return []string{"text", "json", "sarif", "junit", "github", "gitlab", "gnu"}
}

// Write writes a report in one of Formats. Equal findings give equal bytes.
func (r Report) Write(w io.Writer, format string) error {
	r.Findings = r.Findings.Sorted()
	switch format {
	case "text":
		return diag.WriteText(w, r.Findings, r.Files, diag.TextOptions{})
	case "json":
		return diag.WriteJSON(w, r.Findings)
	case "sarif":
		return r.sarif(w)
	case "junit":
		return r.junit(w)
	case "github":
		return r.github(w)
	case "gitlab":
		return r.gitlab(w)
	case "gnu":
		return r.gnu(w)
	}
	return fmt.Errorf("%q is no form of a report; there are %s", format, strings.Join(Formats(), ", "))
}

// file is a name from the top of the repository, as services want it. What
// lies elsewhere, such as a machine's policy, keeps its own.
func (r Report) file(name string) string {
	if name == "" || r.Root == "" {
		return name
	}
	full := filepath.FromSlash(name)
	if !filepath.IsAbs(full) {
		full = filepath.Join(r.Dir, full)
	}
	rel, err := filepath.Rel(r.Root, full)
	if err != nil || !filepath.IsLocal(rel) {
		return name
	}
	return filepath.ToSlash(rel)
}

// rule is the id of what was broken. A mistake of the language has none: its
// fixed phrase becomes one.
func rule(d diag.Diagnostic) string {
	if d.Code != "" {
		return d.Code
	}
	words := strings.FieldsFunc(strings.ToLower(d.Summary), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	return "language/" + strings.Join(words, "-")
}

// message is what was found and what to do, in a line.
func message(d diag.Diagnostic) string {
	return strings.Join(strings.Fields(strings.TrimSuffix(d.Summary, ".")+". "+d.Detail), " ")
}

// fingerprints tell findings apart from run to run: by the rule, the address,
// the file and the text of the line, never by the line's number, so that what
// stands above may change. Equal ones are counted.
func (r Report) fingerprints() func(diag.Diagnostic) string {
	seen := map[string]int{}
	return func(d diag.Diagnostic) string {
		key := strings.Join([]string{rule(d), d.Address, r.file(d.Range.File), r.line(d.Range)}, "\x00")
		if d.Address == "" && r.line(d.Range) == "" {
			key += "\x00" + message(d)
		}
		seen[key]++
		sum := sha256.Sum256([]byte(key + "\x00" + strconv.Itoa(seen[key])))
		return hex.EncodeToString(sum[:16])
	}
}

// line is the text of a range's first line, without blanks around it.
func (r Report) line(at diag.Range) string {
	text := r.Files[at.File]
	for n := 1; n < at.Start.Line; n++ {
		i := bytes.IndexByte(text, '\n')
		if i < 0 {
			return ""
		}
		text = text[i+1:]
	}
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		text = text[:i]
	}
	return string(bytes.TrimSpace(text))
}

// column is a place's column in code points, which SARIF can count in; ours
// are what a reader sees as one character.
func (r Report) column(file string, p diag.Pos) int {
	text := r.Files[file]
	if p.Byte <= 0 || p.Byte > len(text) {
		return p.Column
	}
	start := bytes.LastIndexByte(text[:p.Byte], '\n') + 1
	return utf8.RuneCount(text[start:p.Byte]) + 1
}

// used are the rules that findings name, by id; what a policy declares, or the
// language, is known by its findings alone.
func (r Report) used() []Rule {
	known := map[string]Rule{}
	for _, x := range r.Rules {
		known[x.ID] = x
	}
	var out []Rule
	add := func(d diag.Diagnostic) {
		id := rule(d)
		if slices.ContainsFunc(out, func(x Rule) bool { return x.ID == id }) {
			return
		}
		x, ok := known[id]
		if !ok {
			x = Rule{ID: id, Severity: d.Severity, Title: d.Summary}
		}
		out = append(out, x)
	}
	for _, d := range r.Findings {
		add(d)
	}
	for _, a := range r.Aside {
		add(a.Finding)
	}
	slices.SortFunc(out, func(a, b Rule) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// gnu is a line a finding, as compilers write them.
func (r Report) gnu(w io.Writer) error {
	for _, d := range r.Findings {
		at := "specbuild"
		if !d.Range.IsZero() {
			at = d.Range.String()
		}
		severity := d.Severity.String()
		if d.Severity == diag.Info {
			severity = "note"
		}
		code := ""
		if d.Code != "" {
			code = " [" + d.Code + "]"
		}
		if _, err := fmt.Fprintf(w, "%s: %s: %s%s\n", at, severity, message(d), code); err != nil {
			return err
		}
	}
	return nil
}

// github is the commands of a workflow's log that annotate a pull request.
// Only some ten of a kind are shown, so errors come first.
func (r Report) github(w io.Writer) error {
	sorted := slices.Clone(r.Findings)
	slices.SortStableFunc(sorted, func(a, b diag.Diagnostic) int { return cmp.Compare(a.Severity, b.Severity) })
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	text := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	for _, d := range sorted {
		command := []string{"error", "warning", "notice"}[d.Severity]
		var props []string
		prop := func(name, value string) { props = append(props, name+"="+property.Replace(value)) }
		if !d.Range.IsZero() {
			prop("file", r.file(d.Range.File))
			if d.Range.Start.Line > 0 {
				prop("line", strconv.Itoa(d.Range.Start.Line))
				prop("endLine", strconv.Itoa(max(d.Range.End.Line, d.Range.Start.Line)))
			}
			if d.Range.Start.Line > 0 && d.Range.End.Line == d.Range.Start.Line { // columns of several lines are refused
				prop("col", strconv.Itoa(d.Range.Start.Column))
				prop("endColumn", strconv.Itoa(d.Range.End.Column))
			}
		}
		title := d.Summary
		if d.Code != "" {
			title += " (" + d.Code + ")"
		}
		prop("title", title)
		if _, err := fmt.Fprintf(w, "::%s %s::%s\n", command, strings.Join(props, ","), text.Replace(d.Detail)); err != nil {
			return err
		}
	}
	return nil
}

// slashed is a name as a relative URI.
func slashed(name string) string { return path.Clean(strings.ReplaceAll(name, "\\", "/")) }
