package rules

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/specbuild/specbuild/spec/diag"
)

// Fixes of lists of strings that are written out.

// append is a fix that adds strings to the end of a list. It is nil for an
// empty list, for one that is computed, and for one over several lines, whose
// style nobody knows.
func (d *docket) append(list diag.Range, values []string) *diag.Fix {
	source := d.source(list)
	if !ascii(source) || !strings.HasPrefix(source, "[") || strings.ContainsAny(source, "\n(#") {
		return nil
	}
	inside := strings.TrimRight(strings.TrimSuffix(source, "]"), " ") // of YAML, a list ends with its last element
	if inside == "[" || strings.HasSuffix(inside, ",") || !strings.HasSuffix(source, "]") && !inYAML(list) {
		return nil
	}
	quoted := quotedList(values)
	at := stretch(list, source, len(inside), len(inside))
	return &diag.Fix{Range: at, Replacement: ", " + quoted[1:len(quoted)-1]}
}

// dropElement is a fix that takes a string out of a list that has others.
func (d *docket) dropElement(list diag.Range, value string) *diag.Fix {
	source := d.source(list)
	if !ascii(source) || !strings.HasPrefix(source, "[") || strings.Contains(source, "(") {
		return nil
	}
	words := []string{strconv.Quote(value)}
	if inYAML(list) {
		words = append(words, value)
	}
	for _, w := range words {
		for _, text := range []string{", " + w, w + ", "} {
			i := strings.Index(source, text)
			end := i + len(text)
			if i < 1 || strings.Count(source, text) != 1 || text[0] == ',' && end < len(source) && inName(source, end) || text[0] != ',' && inName(source, i-1) {
				continue
			}
			return &diag.Fix{Range: stretch(list, source, i, end)}
		}
	}
	return nil
}

// dropOperand is a fix that takes one of several operands out of a command.
func (d *docket) dropOperand(st runStep, c call, operand string) *diag.Fix {
	m, ok := manages(c)
	i := slices.Index(c.args, operand)
	if !ok || len(m.names) < 2 || !slices.Contains(m.names, i) || i < 1 {
		return nil
	}
	if c.places == nil {
		return d.withoutElement(st, c, i, i)
	}
	at, exact := d.exact(st.text, span{c.places[i-1].end, c.places[i].end})
	if !exact {
		return nil
	}
	return &diag.Fix{Range: at}
}

// madeByTools are folders that tools make anew: no source of anybody's.
var madeByTools = []string{
	"node_modules", "bower_components", ".venv", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".tox", ".nox", ".gradle", ".next", ".nuxt",
	".parcel-cache", ".turbo", ".terraform", ".idea", ".vscode", ".cache", ".DS_Store",
}

// toolFolders are those among the folders of files, each by its path.
func toolFolders(files []File) []string {
	var out []string
	for _, f := range files {
		for dir := path.Dir(f.Path); dir != "." && dir != "/"; dir = path.Dir(dir) {
			if slices.Contains(madeByTools, path.Base(dir)) {
				out = append(out, dir)
			}
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	// What lies in another of them leaves with it.
	return slices.DeleteFunc(slices.Clone(out), func(dir string) bool {
		return slices.ContainsFunc(out, func(o string) bool { return o != dir && below(dir, o) })
	})
}
