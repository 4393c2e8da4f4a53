package format

import (
	"fmt"
	"strings"
	"unicode"
)

// Quote is a text as a quoted string of HCL, in which nothing is a template.
// Who reads it gets the text back, in the normal form C that HCL gives to all
// strings; bytes that are not UTF-8 have no place there.
func Quote(s string) string { return `"` + Escape(s) + `"` }

// Escape is a text as it stands inside the quotes of an HCL string. Line ends,
// quotes and what cannot be seen are escaped, and `${` and `%{` doubled.
func Escape(s string) string {
	var b strings.Builder
	for _, r := range EscapeTemplate(s) {
		switch {
		case r == '\\' || r == '"':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// EscapeTemplate is a text as it stands in a here-document, where nothing but
// the signs of a template is special.
func EscapeTemplate(s string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(s)
}
