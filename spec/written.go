package spec

import (
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/syntax"
)

// Written is a block as it stands in a file.
type Written struct {
	// Range is from the header to the end: of HCL the closing brace, of YAML
	// the last line of the value, without blank lines and comments behind it.
	Range diag.Range
	Names []string // of its attributes and of the blocks in it, sorted
}

// Written finds the block that begins where a header does, for who rewrites
// it. ok is false for what was not loaded, for a block that a `dynamic` one
// writes, and for one in YAML's flow style, whose end no line shows.
func (s *Spec) Written(header diag.Range) (w Written, ok bool) { return s.eval.written(header) }

func (b *bodies) written(header diag.Range) (Written, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.shared.sorted() {
		f := e.mod.files[header.File]
		if f == nil {
			continue
		}
		body, _ := f.Body.(*hclsyntax.Body)
		blk := blockAt(body, header.Start.Byte)
		if blk == nil || blk.Type == dynamicName || blk.Body == nil {
			return Written{}, false
		}
		w := Written{Range: header, Names: namesIn(blk.Body)}
		if isYAML(path.Base(header.File)) {
			end := endOfValue(string(f.Bytes), header.Start.Byte)
			w.Range.End = positionOf(string(f.Bytes), end)
			return w, end > 0
		}
		w.Range.End = syntax.Range(blk.CloseBraceRange).End
		return w, true
	}
	return Written{}, false
}

// blockAt is the block whose header begins at a byte, however deep; nil where
// there is none.
func blockAt(body *hclsyntax.Body, at int) *hclsyntax.Block {
	if body == nil {
		return nil
	}
	for _, blk := range body.Blocks {
		if blk.TypeRange.Start.Byte == at {
			return blk
		}
		if found := blockAt(blk.Body, at); found != nil {
			return found
		}
	}
	return nil
}

func namesIn(body *hclsyntax.Body) []string {
	var out []string
	for name := range body.Attributes {
		out = append(out, name)
	}
	for _, blk := range body.Blocks {
		out = append(out, blk.Type)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// endOfValue is where what belongs to a key of a YAML map ends: before the
// first line that is not deeper than the key. A comment that is deeper may be
// the last line of a script, so it belongs to it. It is 0 in flow style.
func endOfValue(src string, key int) int {
	begin := strings.LastIndexByte(src[:key], '\n') + 1
	if strings.Trim(src[begin:key], " -") != "" {
		return 0
	}
	end := lineEnd(src, key)
	for next := end + 1; next < len(src); {
		stop := lineEnd(src, next)
		text := strings.TrimLeft(src[next:stop], " ")
		deeper := stop-next-len(text) > key-begin
		switch {
		case text == "" || text[0] == '#' && !deeper:
		case !deeper:
			return end
		default:
			end = stop
		}
		next = stop + 1
	}
	return end
}

// lineEnd is the offset of the newline behind a byte, or of the text's end.
func lineEnd(src string, at int) int {
	if i := strings.IndexByte(src[at:], '\n'); i >= 0 {
		return at + i
	}
	return len(src)
}

// positionOf is a byte of a text with its line and column; columns count bytes,
// as replacements do.
func positionOf(src string, at int) diag.Pos {
	return diag.Pos{Line: 1 + strings.Count(src[:at], "\n"), Column: at - strings.LastIndexByte(src[:at], '\n'), Byte: at}
}
