package bake

import (
	"bytes"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// comments are those of a file that stand alone on their lines, by line.
type comments map[int]string

func commentsOf(src []byte) comments {
	out := comments{}
	tokens, _ := hclsyntax.LexConfig(src, "", hcl.InitialPos)
	lines := bytes.Split(src, []byte("\n"))
	for _, t := range tokens {
		line := t.Range.Start.Line
		if t.Type != hclsyntax.TokenComment || line > len(lines) || t.Range.End.Line > line+1 {
			continue
		}
		text := strings.TrimSpace(string(t.Bytes))
		if strings.TrimSpace(string(lines[line-1])) != text || strings.HasPrefix(text, "/*") {
			continue
		}
		out[line] = strings.TrimSpace(strings.TrimLeft(text, "#/"))
	}
	return out
}

// above are the comments that stand right above a place.
func (c comments) above(r hcl.Range) []string {
	first := r.Start.Line
	for {
		if _, ok := c[first-1]; !ok {
			break
		}
		first--
	}
	var out []string
	for line := first; line < r.Start.Line; line++ {
		if c[line] != "" && !strings.HasPrefix(c[line], todoMark) {
			out = append(out, oneLine(c[line]))
		}
	}
	return out
}
