package rules

import (
	"slices"
	"strings"
)

// secretParameters are names in a query whose value is a secret.
var secretParameters = []string{
	"access_token", "api_key", "apikey", "auth_token", "client_secret", "passwd", "password", "private_token", "secret", "token", "x-amz-signature",
}

// secretURL finds a URL in a text that holds a password or token. shown is
// the URL without it; what is empty where there is none.
func secretURL(text string) (shown, what string, at span) {
	for rest, gone := text, 0; ; {
		i := strings.Index(rest, "://")
		if i < 0 {
			return "", "", span{}
		}
		begin := i
		for begin > 0 && schemeByte(rest[begin-1]) {
			begin--
		}
		end := i + len("://")
		for end < len(rest) && !strings.ContainsRune(" \t\r\n\"'`<>|\\", rune(rest[end])) {
			end++
		}
		if begin < i {
			if shown, what = judgeURL(rest[begin:i], rest[i+len("://"):end]); what != "" {
				return shown, what, span{gone + begin, gone + end}
			}
		}
		gone, rest = gone+end, rest[end:]
	}
}

func schemeByte(c byte) bool { return alphanumeric(c) || c == '+' || c == '-' || c == '.' }

// judgeURL does not use net/url: what stands in a script has variables in it,
// and passwords that are not encoded.
func judgeURL(scheme, rest string) (shown, what string) {
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	host := authority
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		host = authority[at+1:]
		user, password, _ := strings.Cut(authority[:at], ":")
		if real(password) || password == "" && random(user) && real(user) {
			return visible(scheme + "://…@" + host), "password"
		}
	}
	_, query, _ := strings.Cut(tail, "?")
	query, _, _ = strings.Cut(query, "#")
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if slices.Contains(secretParameters, strings.ToLower(name)) && real(value) && !digits(value) && holds(value) {
			return visible(scheme + "://" + host + "/…?" + name + "=…"), "token"
		}
	}
	return "", ""
}

// real reports whether a part of a URL is a value and not the place for one:
// a variable, or what documentation writes there.
func real(s string) bool {
	if strings.Contains(s, dynamic) || strings.ContainsAny(s, "${}[]") || strings.Contains(s, "%s") {
		return false
	}
	placeholder := len(s) > 1 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == "" // PASSWORD
	return strings.Trim(strings.ToLower(s), "*x.…") != "" && !placeholder
}

func visible(s string) string { return strings.ReplaceAll(s, dynamic, "…") }
