package spec

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
)

// meant is the error of a text that has one way to be right.
type meant struct {
	error
	text string
}

// offer adds to the last diagnostic the fix that writes what was meant in the
// place of a text.
func (d *decoder) offer(at diag.Range, was string, err error) {
	var m meant
	if errors.As(err, &m) {
		(*d.diags)[len(*d.diags)-1].Fix = rewriteText(d.mod.sourceBytes(at.File), at, was, quote(m.text))
	}
}

// rewriteText is a fix that puts what is given in the place of a string. It
// is nil where the string does not stand there as it is.
func rewriteText(src []byte, at diag.Range, was, is string) *diag.Fix {
	start, end := at.Start.Byte, at.End.Byte
	if start < 0 || start > end || end > len(src) {
		return nil
	}
	plain := string(src[start:end]) == was // YAML's, or a number
	if string(src[start:end]) != quote(was) && !plain {
		return nil
	}
	return &diag.Fix{Range: at, Replacement: is}
}

// execForm is the list that a line of words means, quoted; ok is false where
// only a shell could say: for variables, patterns, several commands.
func execForm(line string) (list string, ok bool) {
	var words []string
	word, inWord := "", false
	for line != "" {
		c := line[0]
		line = line[1:]
		switch {
		case c == ' ':
			if inWord {
				words = append(words, quote(word))
			}
			word, inWord = "", false
		case c == '\'' || c == '"':
			end := strings.IndexByte(line, c)
			if end < 0 || c == '"' && strings.ContainsAny(line[:end], "\\$`") {
				return "", false
			}
			word, inWord, line = word+line[:end], true, line[end+1:]
		case strings.IndexByte("\\$`&|;<>()*?[]{}~#!\t\n", c) >= 0:
			return "", false
		default:
			word, inWord = word+string(c), true
		}
	}
	if inWord {
		words = append(words, quote(word))
	}
	return "[" + strings.Join(words, ", ") + "]", len(words) > 0
}

// notReference answers a text where a reference is asked: one in quotes, a
// name alone, as a Dockerfile has it, or an image of a registry.
func (d *decoder) notReference(in input, allowed string, kinds []Kind) {
	s, known := "", in.v.IsKnown() && !in.v.IsNull()
	if known {
		s = in.v.AsString()
	}
	found := fmt.Sprintf("%s takes a reference, %s, not %s.", in.name, allowed, eval.Describe(in.v))
	for _, k := range kinds {
		ref := string(k) + "." + s
		switch {
		case strings.HasPrefix(s, string(k)+"."), k == KindScratch && s == string(k):
			ref = s
		case k == KindScratch || !slices.Contains(d.mod.declared(k), s):
			continue
		}
		d.invalid(in.at(), "%s References are written without quotes: write %s.", found, ref)
		if _, diags := hclsyntax.ParseTraversalAbs([]byte(ref), "", hcl.InitialPos); !diags.HasErrors() {
			(*d.diags)[len(*d.diags)-1].Fix = rewriteText(in.source(d), in.at(), s, ref)
		}
		return
	}
	if known && slices.Contains(kinds, KindBase) {
		name := baseName(s)
		d.invalid(in.at(), "%s An image of a registry is declared, base %q { image = … }, and named by base.%s.", found, name, name)
		return
	}
	d.invalid(in.at(), "%s References are written without quotes.", found)
}

// baseName is what one would call the base of an image: golang for
// docker.io/library/golang:1.25.
func baseName(image string) string {
	name, _, _ := strings.Cut(path.Base(image), ":")
	if name, _, _ = strings.Cut(name, "@"); eval.CheckName(name) != nil {
		return "name"
	}
	return name
}

// parseMode reads four octal digits; three, as chmod takes them, have one way
// to be right.
func parseMode(s string) (uint32, error) {
	m, err := eval.ParseMode(s)
	if _, octal := eval.ParseMode("0" + s); err != nil && octal == nil {
		return 0, meant{err, "0" + s}
	}
	return m, err
}
