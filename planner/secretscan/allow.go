package secretscan

import (
	"encoding/base64"
	"slices"
	"strings"
)

// harmless reports whether a value is none, whatever found it: gitleaks' own
// list, and what people write in the place of a secret.
func (e *Engine) harmless(value string) bool {
	lower := strings.ToLower(value)
	holds := func(word string) bool { return strings.Contains(lower, word) }
	return slices.ContainsFunc(e.stop, holds) || placeholder(lower) || matches(e.allow, value)
}

// placeholder knows what documentation, templates and tests write.
func placeholder(lower string) bool {
	for _, word := range []string{
		"example", "changeme", "change-me", "change_me", "placeholder", "replaceme", "replace-me", "replace_me", "redacted", "dummy",
		"your-", "your_", "yourtoken", "yourkey", "insert-", "insert_", "notreal", "not-real", "not_real", "fake", "sample", "xxxx", "****", "....", "todo",
		"${", "{{", "}}", "<%", "%s", "$(", "0123456789", "1234567890", "abcdefgh", "00000000", "deadbeef",
	} {
		if strings.Contains(lower, word) {
			return true
		}
	}
	return lower != "" && strings.HasPrefix(lower, "<") && strings.HasSuffix(lower, ">")
}

// harmless reports whether what a rule found is none by the lists of that
// rule, and by what is known here of its kind.
func (r *rule) harmless(value, match, line, path string) bool {
	return slices.ContainsFunc(r.allow, func(a allowlist) bool { return a.lets(value, match, line, path) }) ||
		!strings.Contains(value, r.needs) || r.unlike(value, path)
}

func (a allowlist) lets(value, match, line, path string) bool {
	target := value
	switch a.target {
	case "match":
		target = match
	case "line":
		target = line
	}
	lower := strings.ToLower(value)
	named := slices.ContainsFunc(a.stop, func(w string) bool { return strings.Contains(lower, w) })
	byText, byPath := matches(a.patterns, target) || named, len(a.paths) > 0 && matches(a.paths, path)
	if a.all {
		return byText && byPath
	}
	return byText || byPath
}

// unlike reports whether what has the form of a secret cannot be one.
func (r *rule) unlike(value, path string) bool {
	switch r.id {
	case "private-key":
		return !keyBody(value)
	case "jwt":
		return sampleToken(value)
	case "gcp-api-key":
		return inBrowsers(path)
	}
	return r.assigned && (digest(value) || fingerprint(value)) || r.id == Generic && (uuid(value) || public(value))
}

// keyBody reports whether a key is between its first and last line: a line
// of base64, and not the variable of a program that writes one.
func keyBody(text string) bool {
	const line = 40
	run := 0
	for i := range len(text) {
		if c := text[i]; c == '+' || c == '/' || c == '=' || wordByte(c) && c != '_' {
			if run++; run >= line {
				return !placeholder(strings.ToLower(text))
			}
			continue
		}
		run = 0
	}
	return false
}

// sampleToken reports whether a JSON web token says by itself that it is an
// example.
func sampleToken(token string) bool {
	for _, part := range strings.SplitN(token, ".", 3)[:2] {
		text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(part, "="))
		if err != nil {
			return true
		}
		for _, word := range []string{"example", "John Doe", "1234567890", `"test`, "localhost"} {
			if strings.Contains(string(text), word) {
				return true
			}
		}
	}
	return false
}

// inBrowsers reports whether a file is sent to browsers: Google's keys in it
// are restricted by site, and meant to be there.
func inBrowsers(path string) bool {
	return slices.ContainsFunc([]string{".js", ".mjs", ".cjs", ".map", ".html", ".htm", ".ts", ".tsx", ".jsx", ".vue", ".css"}, func(ext string) bool {
		return strings.HasSuffix(strings.ToLower(path), ext)
	})
}

// digest reports whether a value says that it is a checksum.
func digest(value string) bool {
	lower := strings.ToLower(value)
	return slices.ContainsFunc([]string{"sha1", "sha256", "sha384", "sha512", "md5", "blake"}, func(kind string) bool { return strings.HasPrefix(lower, kind) })
}

// fingerprint reports whether a value is that of an OpenPGP key, as gpg
// writes it.
func fingerprint(value string) bool {
	return len(value) == 40 && strings.Trim(value, "0123456789ABCDEF") == ""
}

// public reports whether a key begins as providers mark the half of a pair
// that is sent to browsers.
func public(value string) bool {
	return strings.HasPrefix(value, "pk.") || strings.HasPrefix(value, "pk_")
}

func uuid(value string) bool {
	parts := strings.Split(value, "-")
	return len(value) == 36 && len(parts) == 5 && len(parts[0]) == 8 && strings.Trim(strings.ToLower(value), "0123456789abcdef-") == ""
}
