package rules

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/specbuild/specbuild/spec/diag"
)

// Fixes that put steps of the language in the place of commands. They are
// made where all is certain: the step is written out as it is run, what is
// taken out of it stands at its beginning, and nothing else is said of it
// that would be lost.

// command is one of those that a script begins with, each of which must
// succeed before the next one runs.
type command struct {
	call call
	at   span
}

// opening are the commands that a step begins with, set itself left out, as
// long as they are plain calls; ends[i] is where what follows command i
// begins, or the end of the script. whole is true if there is nothing else.
func (st runStep) opening() (commands []command, ends []int, whole bool) {
	if !st.run.Script.Set {
		if st.script.file == nil && len(st.script.calls) == 1 && len(st.run.Command.V) > 0 {
			return []command{{call: st.script.calls[0]}}, []int{0}, true
		}
		return nil, nil, false
	}
	if st.script.file == nil {
		return nil, nil, false
	}
	flat, starts := sequence(st.script.file)
	for len(flat) > 0 && callOf(flat[0]) != nil && callOf(flat[0]).Args[0].Lit() == "set" {
		flat, starts = flat[1:], starts[1:]
	}
	for i, stmt := range flat {
		at := spanOf(stmt)
		j := slices.IndexFunc(st.script.calls, func(c call) bool { return c.at.start == at.start && c.places != nil })
		if callOf(stmt) == nil || j < 0 || j+1 < len(st.script.calls) && st.script.calls[j+1].at.start < at.end && st.script.calls[j+1].at.start > at.start {
			return commands, ends, false
		}
		end := len(st.text.V)
		if i+1 < len(flat) {
			end = starts[i+1]
		}
		commands, ends = append(commands, command{st.script.calls[j], at}), append(ends, end)
	}
	return commands, ends, true
}

// sequence takes chains by && apart: with -e, as every script here has it or is
// told to, they are lines.
func sequence(file *syntax.File) (out []*syntax.Stmt, starts []int) {
	var add func(st *syntax.Stmt)
	add = func(st *syntax.Stmt) {
		if b, ok := st.Cmd.(*syntax.BinaryCmd); ok && b.Op == syntax.AndStmt && !st.Negated && !st.Background && len(st.Redirs) == 0 {
			add(b.X)
			add(b.Y)
			return
		}
		out, starts = append(out, st), append(starts, int(st.Pos().Offset()))
	}
	for _, st := range file.Stmts {
		add(st)
	}
	return out, starts
}

// callOf is the call of a statement that is nothing more than one.
func callOf(st *syntax.Stmt) *syntax.CallExpr {
	c, ok := st.Cmd.(*syntax.CallExpr)
	if !ok || len(c.Args) == 0 || len(c.Assigns) > 0 || st.Negated || st.Background || len(st.Redirs) > 0 {
		return nil
	}
	return c
}

// literally reports whether the command of a step is written out in the spec:
// not computed, not read from a file, the same for each element of for_each.
func (d *docket) literally(st runStep) bool {
	source := d.source(st.text.Range)
	if source == "" || !ascii(source) || strings.Contains(source, "${") || strings.Contains(source, "%{") {
		return false
	}
	if inYAML(st.text.Range) {
		return true
	}
	if st.run.Script.Set {
		return strings.HasPrefix(source, `"`) || strings.HasPrefix(source, "<<")
	}
	words := strings.Join(strings.Fields(source), "")
	want := strings.Join(strings.Fields(`["`+strings.Join(st.run.Command.V, `","`)+`"]`), "")
	return words == want
}

// instead is a fix that writes steps in the place of the first commands of a
// run step; up to names where the rest of its script begins, or is negative
// for all of it. extra are the attributes that may be lost with all of it.
func (d *docket) instead(st runStep, steps []string, first command, upTo int, extra ...string) *diag.Fix {
	w, ok := d.Spec.Written(st.run.Range)
	if !ok || !d.literally(st) || slices.Contains(w.Names, "when") || len(steps) == 0 {
		return nil
	}
	block := d.source(w.Range)
	separator := d.between(w.Range)
	if separator == "" {
		return nil
	}
	if upTo < 0 {
		lost := func(name string) bool { return name != "script" && name != "command" && !slices.Contains(extra, name) }
		if slices.ContainsFunc(w.Names, lost) || hasComment(block, d.source(st.text.Range)) {
			return nil
		}
		return &diag.Fix{Range: w.Range, Replacement: strings.Join(steps, separator)}
	}
	from, to, ok := d.cut(st, span{first.at.start, upTo})
	if !ok {
		return nil
	}
	// The fix ends with what is cut out, so that the rest is not touched.
	at := st.text.Range.Start.Byte - w.Range.Start.Byte
	whole := w.Range
	whole.End = stretch(st.text.Range, d.source(st.text.Range), 0, to).End
	return &diag.Fix{Range: whole, Replacement: strings.Join(steps, separator) + separator + block[:at+from]}
}

// between is what stands between two steps of a spec.
func (d *docket) between(step diag.Range) string {
	src := string(d.Spec.Files[step.File])
	head := src[strings.LastIndexByte(src[:step.Start.Byte], '\n')+1 : step.Start.Byte]
	indent := head[:len(head)-len(strings.TrimLeft(head, " \t"))]
	if rest := head[len(indent):]; inYAML(step) {
		if strings.TrimRight(rest, " ") != "-" {
			return ""
		}
		return "\n" + indent + rest
	}
	if indent != head {
		return ""
	}
	return "\n" + indent
}

// cut is the stretch of a script's source that is taken out so that the
// script has no more of a span; lines that would be empty go with it.
func (d *docket) cut(st runStep, gone span) (from, to int, ok bool) {
	if strings.Contains(st.text.V[gone.start:gone.end], "#") {
		return 0, 0, false // a comment that would be lost
	}
	first, ok := d.exact(st.text, span{gone.start, gone.start + lineLength(st.text.V[gone.start:gone.end])})
	if !ok {
		return 0, 0, false
	}
	from = first.Start.Byte - st.text.Range.Start.Byte
	if !strings.Contains(st.text.V[gone.start:gone.end], "\n") {
		return from, first.End.Byte - st.text.Range.Start.Byte, true
	}
	// Over several lines: the next command must stand in the source as well.
	rest := st.text.V[gone.end:]
	next, ok := d.exact(st.text, span{gone.end, gone.end + lineLength(rest)})
	if !ok {
		return 0, 0, false
	}
	return from, next.Start.Byte - st.text.Range.Start.Byte, true
}

func lineLength(text string) int {
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		return i
	}
	return len(text)
}

// hasComment reports whether a block has a comment besides what a script of
// it says: a comment of the author's is kept, or nothing is changed.
func hasComment(block, script string) bool {
	rest := strings.Replace(block, script, "", 1)
	return strings.Contains(rest, "#") || strings.Contains(rest, "//") || strings.Contains(script, "\n#") || strings.Contains(script, " #")
}

// writeStep is the text of a step with a label. The attributes are pairs of
// a name and a value that both syntaxes read: a number, a quoted string, a
// list of them.
func (d *docket) writeStep(at diag.Range, kind, label string, attributes [][2]string) string {
	if inYAML(at) {
		var pairs []string
		for _, a := range attributes {
			pairs = append(pairs, a[0]+": "+a[1])
		}
		return kind + ": {" + label + ": {" + strings.Join(pairs, ", ") + "}}"
	}
	indent := strings.TrimPrefix(d.between(at), "\n")
	width := 0
	for _, a := range attributes {
		width = max(width, len(a[0]))
	}
	var b strings.Builder
	b.WriteString(kind + ` "` + label + `" {` + "\n")
	for _, a := range attributes {
		b.WriteString(indent + "  " + a[0] + strings.Repeat(" ", width-len(a[0])) + " = " + a[1] + "\n")
	}
	b.WriteString(indent + "}")
	return b.String()
}
