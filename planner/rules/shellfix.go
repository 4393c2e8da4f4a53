package rules

import (
	"path"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// bashShell is what `shell` says of bash.
const bashShell = `["/bin/bash", "-euo", "pipefail", "-c"]`

// declareShell takes the command out that makes bash the system's shell, and
// says `shell` where scripts of the stage counted on it: one replacement, from
// the one place to the other.
func (d *docket) declareShell(st runStep, found call) *diag.Fix {
	commands, ends, whole := st.opening()
	if len(commands) == 0 || commands[0].call.at != found.at || found.name != "ln" || path.Base(found.args[len(found.args)-2]) != "bash" || !d.literally(st) {
		return nil
	}
	whole = whole && len(commands) == 1
	var at diag.Range
	w, ok := d.Spec.Written(st.run.Range)
	if !ok || slices.Contains(w.Names, "when") {
		return nil
	}
	src := string(d.Spec.Files[w.Range.File])
	if whole {
		if hasComment(d.source(w.Range), d.source(st.text.Range)) || inYAML(w.Range) && len(st.body().Steps) == 1 { // `steps:` alone is a mistake
			return nil
		}
		at, ok = wholeLines(src, w.Range)
	} else {
		var from, to int
		from, to, ok = d.cut(st, span{commands[0].at.start, ends[0]})
		at = stretch(st.text.Range, d.source(st.text.Range), from, to)
	}
	if !ok {
		return nil
	}
	if st.body().Shell.Set || whole && !d.otherScripts(st) {
		return &diag.Fix{Range: at}
	}
	line := d.besideText(st.body().From.Range, "shell", bashShell)
	if line == nil || line.Range.File != at.File || line.Range.Start.Byte > at.Start.Byte {
		return nil
	}
	all := at
	all.Start = line.Range.Start
	return &diag.Fix{Range: all, Replacement: line.Replacement + src[line.Range.Start.Byte:at.Start.Byte]}
}

// otherScripts reports whether a stage has a script besides that of a step.
func (d *docket) otherScripts(st runStep) bool {
	return slices.ContainsFunc(st.body().Steps, func(s spec.Step) bool {
		r, ok := s.(*spec.Run)
		return ok && r.Script.Set && r.Range != st.run.Range
	})
}

// wholeLines is a block with the lines that it takes; ok is false where
// something else stands on one of them.
func wholeLines(src string, block diag.Range) (diag.Range, bool) {
	from := strings.LastIndexByte(src[:block.Start.Byte], '\n') + 1
	head := strings.TrimSpace(src[from:block.Start.Byte])
	rest, _, _ := strings.Cut(src[block.End.Byte:], "\n")
	if head != "" && !(head == "-" && inYAML(block)) || strings.TrimSpace(rest) != "" {
		return diag.Range{}, false
	}
	out := block
	out.Start.Byte, out.Start.Column = from, 1
	out.End.Byte = min(block.End.Byte+len(rest)+1, len(src))
	out.End.Line, out.End.Column = block.End.Line+1, 1
	return out, true
}
