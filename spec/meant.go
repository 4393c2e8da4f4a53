package spec

import (
	"errors"
	"path"
	"strings"

	"github.com/specbuild/specbuild/spec/diag"
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
	plain := isYAML(path.Base(at.File)) && string(src[start:end]) == was
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
