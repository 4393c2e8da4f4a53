package leak

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
)

// pattern is one way in which a secret may be written, without ends of lines.
type pattern struct {
	text, name, as string
}

// patternsOf are the ways to write a secret.
func patternsOf(s Secret) []pattern {
	if len(bytes.TrimSpace(s.Value)) < Shortest {
		return nil
	}
	var out []pattern
	add := func(as string, texts ...string) {
		for _, t := range texts {
			t = string(joined([]byte(t)))
			if len(t) >= Shortest {
				out = append(out, pattern{t[:min(len(t), longest)], s.Name, as})
			}
		}
	}
	add("as it is", string(s.Value))
	add("base64", base64Forms(s.Value)...)
	add("hex", hexForms(s.Value)...)
	add("URL-encoded", urlForms(s.Value)...)
	if bytes.ContainsAny(s.Value, "\n=:\"") {
		for _, part := range parts(string(s.Value)) {
			add("in part", part)
			add("in part, base64", base64Forms([]byte(part))...)
		}
	}
	return out
}

// Forms are the texts as which a value may be written, itself the first, for
// whoever hides them. Of a value of several lines they hold the telling parts
// too.
func Forms(value []byte) []string {
	out := []string{string(value), base64.StdEncoding.EncodeToString(value), base64.RawURLEncoding.EncodeToString(value)}
	out = append(out, base64Forms(value)...)
	out = append(append(out, hexForms(value)...), urlForms(value)...)
	return append(out, parts(string(value))...)
}

// base64Forms are what base64 makes of a value wherever it begins within a
// text: three places, and of each the characters that hold bits of the value
// alone.
func base64Forms(value []byte) []string {
	var out []string
	for before := range 3 {
		text := base64.RawStdEncoding.EncodeToString(append(make([]byte, before), value...))
		first, last := (before*8+5)/6, (before+len(value))*8/6
		core := text[first:last]
		out = append(out, core, strings.NewReplacer("+", "-", "/", "_").Replace(core))
	}
	return out
}

func hexForms(value []byte) []string {
	low := hex.EncodeToString(value)
	return []string{low, strings.ToUpper(low)}
}

// urlForms are the value as a query and as a path have it, with both cases of
// the digits, and with every byte escaped.
func urlForms(value []byte) []string {
	var all strings.Builder
	for _, b := range value {
		all.WriteByte('%')
		all.WriteString(hex.EncodeToString([]byte{b}))
	}
	query, path := url.QueryEscape(string(value)), url.PathEscape(string(value))
	return []string{query, path, lowEscapes(query), lowEscapes(path), all.String(), strings.ToUpper(all.String())}
}

// lowEscapes writes the digits of escapes small, and nothing else.
func lowEscapes(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], bytes.ToLower(b[i+1:i+3]))
		}
	}
	return string(b)
}

// shortestPart is the length from which a part of a value tells a secret of
// its own: a token of npm has 36 characters, a line of a key 64.
const shortestPart = 20

// parts are the pieces of a file of credentials that are secrets themselves:
// the lines of a key, the token of an .npmrc. What is around them, as the
// addresses in a service account's JSON, is public and may be anywhere.
func parts(value string) []string {
	var out []string
	between := func(r rune) bool { return strings.ContainsRune(" \t\r\n\"'=:,;{}[]()<>@", r) }
	for _, word := range strings.FieldsFunc(withoutPublic(strings.ReplaceAll(value, `\n`, "\n")), between) {
		if len(word) >= shortestPart && len(word) < len(value) && random(word) {
			out = append(out, word)
		}
	}
	return out
}

// withoutPublic takes out of a bundle in PEM what everybody may have.
func withoutPublic(value string) string {
	for _, what := range []string{"CERTIFICATE", "PUBLIC KEY"} {
		begin, end := "-----BEGIN "+what+"-----", "-----END "+what+"-----"
		for {
			before, rest, ok := strings.Cut(value, begin)
			_, after, closed := strings.Cut(rest, end)
			if !ok || !closed {
				break
			}
			value = before + after
		}
	}
	return value
}

// random reports whether a word looks like nothing that a person wrote.
func random(word string) bool {
	var low, high, digit int
	for _, r := range word {
		switch {
		case r >= 'a' && r <= 'z':
			low = 1
		case r >= 'A' && r <= 'Z':
			high = 1
		case r >= '0' && r <= '9':
			digit = 1
		case !strings.ContainsRune("+/-_.", r):
			return false
		}
	}
	return low+high+digit == 3
}

// joined takes the ends of lines out of b, in place.
func joined(b []byte) []byte {
	at := bytes.IndexByte(b, '\n')
	if r := bytes.IndexByte(b, '\r'); at < 0 || r >= 0 && r < at {
		at = r
	}
	if at < 0 {
		return b
	}
	out := b[:at]
	for rest := b[at:]; len(rest) > 0; {
		n := bytes.IndexByte(rest, '\n')
		if n < 0 {
			n = len(rest)
		}
		line := rest[:n]
		for len(line) > 0 {
			c := bytes.IndexByte(line, '\r')
			if c < 0 {
				c = len(line)
			}
			out = append(out, line[:c]...)
			line = line[min(c+1, len(line)):]
		}
		rest = rest[min(n+1, len(rest)):]
	}
	return out
}
