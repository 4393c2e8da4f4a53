package rules

import (
	"slices"
	"strings"
)

// The words are BuildKit's of its rule SecretsUsedInArgOrEnv. On the 405
// Dockerfiles of docker-library these flag nothing but ids of PGP keys, which
// are let off here; the three strengths keep quiet about the rest of what is
// a key or a token and no secret: SORT_KEY, EOS_TOKEN, AUTH=oidc.

// strongWords are enough by themselves.
var strongWords = []string{"apikey", "password", "passwd", "pword", "secret"}

// mediumWords need a value that is no plain word.
var mediumWords = []string{"token", "credential", "credentials"}

// weakWords need a value that looks random.
var weakWords = []string{"key", "auth"}

// keyOwners make a key a strong word: API_KEY.
var keyOwners = []string{"access", "api", "encryption", "master", "private", "secret", "signing"}

// innocent words say that the variable is about a secret and does not hold
// it: PASSWORD_FILE, TOKEN_TTL, AUTH_URL.
var innocent = []string{
	"age", "alg", "algo", "algorithm", "allow", "audience", "bits", "bos", "checksum", "class", "cls", "count", "days", "digest",
	"dir", "directory", "disabled", "domain", "driver", "duration", "enable", "enabled", "endpoint", "eos", "expiration", "expires",
	"expiry", "field", "file", "files", "fingerprint", "folder", "format", "fpr", "hash", "header", "helper", "host", "hostname",
	"hours", "id", "ids", "interval", "issuer", "keyring", "keyserver", "keystore", "kind", "length", "level", "lifetime", "limit",
	"location", "mask", "max", "md5", "method", "min", "minutes", "mode", "name", "names", "pad", "param", "path", "paths",
	"policy", "port", "prefix", "provider", "public", "pubkey", "realm", "region", "required", "retries", "rotation", "scheme",
	"scope", "seconds", "sep", "server", "service", "sha1", "sha256", "sha512", "size", "sock", "socket", "source", "store",
	"suffix", "timeout", "ttl", "type", "unk", "uri", "url", "urls", "user", "username", "version",
}

// secretVariable reports whether an environment variable holds a secret.
func secretVariable(name, value string) bool {
	words := split(name)
	if innocentName(words) || !holds(value) {
		return false
	}
	switch {
	case has(words, strongWords...):
		return !short(words, value)
	case ownedKey(words):
		return !digits(value) && !keyID(words, value)
	case has(words, mediumWords...):
		return !plain(value) && !digits(value)
	case has(words, weakWords...):
		return random(value) && !fingerprints(value)
	}
	return false
}

// secretLabel is secretVariable for labels, whose names are long and of
// others: only the last parts count, and a plain word is no secret.
func secretLabel(name, value string) bool {
	words := split(name)
	last := words[max(0, len(words)-2):]
	return has(last, append([]string{"token"}, strongWords...)...) && !plain(value) && secretVariable(strings.Join(last, "_"), value)
}

// secretAssign is secretVariable for variables of scripts, where key and
// token are common names for other things, and a value with blanks is a
// command. On the 607 shell scripts of a Debian machine with a Go cache it
// flags nothing.
func secretAssign(name, value string) bool {
	words := split(name)
	return !strings.Contains(value, " ") && (has(words, strongWords...) || ownedKey(words)) && secretVariable(name, value)
}

func split(name string) []string {
	return strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '_' || r == '-' || r == '.' || r == '/' })
}

func has(words []string, any ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(any, w) })
}

func innocentName(words []string) bool {
	for i, w := range words {
		if slices.Contains(innocent, w) {
			return true
		}
		if (w == "gpg" || w == "pgp") && i+1 < len(words) && strings.HasPrefix(words[i+1], "key") {
			return true
		}
	}
	return false
}

func ownedKey(words []string) bool {
	for i, w := range words[:max(0, len(words)-1)] {
		if words[i+1] == "key" && slices.Contains(keyOwners, w) {
			return true
		}
	}
	return false
}

// holds reports whether a value could be a secret at all: not a switch, a
// path, an address, a digest or a placeholder.
func holds(value string) bool {
	switch strings.ToLower(value) {
	case "", "0", "1", "true", "false", "yes", "no", "on", "off", "none", "null", "default", "disabled", "enabled", "optional", "required", "trust", "redacted":
		return false
	}
	lower := strings.ToLower(value)
	for _, start := range []string{"/", "./", "../", "~/", "$", "<", "{{", "%", "sha256:", "sha512:", "env:", "file:"} {
		if strings.HasPrefix(lower, start) {
			return false
		}
	}
	return !strings.Contains(value, "://") && strings.Trim(lower, "*x.-_ ") != ""
}

// short reports whether a number is a setting (PASSWORD_TRIES=3) rather than
// a password.
func short(words []string, value string) bool {
	const pin = 4
	return digits(value) && (len(value) < pin || !has(words[len(words)-1:], "password", "passwd", "pword"))
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789.") == "" }

// plain reports whether a value is a word of a language or a name: small
// letters, and what joins them.
func plain(s string) bool {
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz-_.:, ") == ""
}

// random reports whether a value looks drawn: long, without blanks, with
// letters and digits.
func random(s string) bool {
	const long = 16
	return len(s) >= long && !strings.ContainsAny(s, " ,:@") && strings.ContainsAny(s, "0123456789") &&
		strings.ContainsFunc(s, func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' })
}

// keyID reports whether the value of a SIGNING_KEY names a key. Keys to an
// API are hexadecimal too, but in small letters.
func keyID(words []string, value string) bool {
	return fingerprints(value) && (value == strings.ToUpper(value) || has(words, "signing", "master", "encryption"))
}

// fingerprints reports whether a value is ids of keys: 8, 16, 32, 40 or 64
// hexadecimal digits each, or one in groups of four.
func fingerprints(s string) bool {
	if joined := strings.ReplaceAll(s, " ", ""); len(joined) == 40 {
		s = joined
	}
	for _, id := range strings.Fields(s) {
		id = strings.TrimPrefix(id, "0x")
		if !slices.Contains([]int{8, 16, 32, 40, 64}, len(id)) || strings.Trim(strings.ToLower(id), "0123456789abcdef") != "" {
			return false
		}
	}
	return true
}
