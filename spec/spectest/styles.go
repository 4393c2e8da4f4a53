package spectest

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	// What YAML reads as a text without quotes, whoever reads it.
	plain = regexp.MustCompile(`^[A-Za-z/$][A-Za-z0-9_./:@=(){}$, -]*$`)
	words = regexp.MustCompile(`(?i)^(y|n|yes|no|on|off|true|false|null)$`)
)

// scalar writes a text in the first style that can hold it: as a block of
// lines, without quotes, in single quotes, in double ones.
func scalar(text string, depth int) string {
	switch {
	case strings.Contains(text, "\n"):
		if block, ok := literal(text, depth); ok {
			return block
		}
		return quoted(text)
	case plain.MatchString(text) && !words.MatchString(text) && !strings.Contains(text, ": ") && !strings.HasSuffix(text, ":") && strings.TrimSpace(text) == text:
		return text
	case strings.ContainsAny(text, `"\`) && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }):
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	return quoted(text)
}

// literal is a block of lines, with what its first line says about the last.
func literal(text string, depth int) (string, bool) {
	body := strings.TrimRight(text, "\n")
	end := len(text) - len(body)
	if body == "" || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' || r > '~' }) {
		return "", false
	}
	for line := range strings.Lines(body) {
		if strings.TrimSpace(line) == "" && line != "\n" {
			return "", false
		}
	}
	header := "|"
	if strings.HasPrefix(strings.TrimLeft(body, "\n"), " ") || strings.HasPrefix(body, "\n") {
		header += "2"
	}
	header += map[bool]string{true: "-"}[end == 0] + map[bool]string{true: "+"}[end > 1]
	indent := strings.Repeat("  ", depth+1)
	var b strings.Builder
	b.WriteString(header)
	for line := range strings.Lines(body) {
		b.WriteString("\n")
		if line != "\n" {
			b.WriteString(indent + strings.TrimSuffix(line, "\n"))
		}
	}
	b.WriteString(strings.Repeat("\n", max(0, end-1)))
	return b.String(), true
}

// quoted is a text in double quotes. JSON's escapes are YAML's too, and Go's
// are where no byte is escaped as such.
func quoted(text string) string { return strconv.QuoteToGraphic(text) }
