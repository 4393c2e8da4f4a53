package secretscan

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// rule is one of gitleaks', with what is different here.
type rule struct {
	id, description string
	pattern, path   expression // path is empty of a rule about all files
	entropy         float64    // bits a byte that a secret has at least
	group           int        // of pattern: the secret; 0 is the first that is there
	keywords        []string   // in small letters, one of which is in or beside every match
	allow           []allowlist

	assigned bool   // a name, an operator and a value
	named    bool   // the keyword is in the name
	apart    bool   // the keyword is not a part of the secret
	ahead    int    // how far after a keyword a match may end, in bytes
	needs    string // in the secret, else it is none
}

// operator is how gitleaks writes what stands between a name and its value.
const operator = `(?:=|>|:{1,3}=|\|\||:|=>|\?=|,)`

// adjust is what is different here; false leaves a rule out. Ids, and keys
// that are made to be public, are no secrets.
func (r *rule) adjust() bool {
	for _, public := range []string{"client-id", "access-id", "public-key", "pub-key", "pub-api-key"} {
		if strings.HasSuffix(r.id, public) {
			return false
		}
	}
	var before string
	before, _, r.assigned = strings.Cut(strings.ToLower(r.pattern.text), operator)
	r.named = r.assigned && slices.ContainsFunc(r.keywords, func(k string) bool { return strings.Contains(before, k) })
	if r.ahead = after; r.assigned {
		r.ahead = afterName
	}
	switch r.id {
	case "pkcs12-file", // by its name: the caller has a rule of its own for these
		"mapbox-api-token",                       // pk.…, the public kind
		"aws-amazon-bedrock-api-key-short-lived": // the prefix alone, not the key
		return false
	case "jwt":
		r.keywords = []string{"eyj"} // `{"` in base64, as all begin
	case "vault-service-token":
		r.keywords = []string{"hvs."} // "s." and 24 letters is also a field of a variable s
	case "sourcegraph-access-token":
		r.needs = "sgp_" // else any commit beside the name
	case "square-access-token":
		r.needs = "sq0atp-" // EAAA is what base64 of small numbers begins with
	case "private-key":
		r.apart, r.ahead = true, afterKey
	case "curl-auth-header", "curl-auth-user", "kubernetes-secret-yaml", "nuget-config-password", "freemius-secret-key",
		"airtable-personnal-access-token", "facebook-access-token":
		r.apart = true
	}
	return true
}

// title is the first clause of the description: what follows is why it is
// bad, which every message says.
func (r *rule) title() string {
	head, _, _ := strings.Cut(r.description, ",")
	return head
}

// concerns reports whether a rule is about a file. One that is about some
// files only is about no text of another kind.
func (r *rule) concerns(path string) bool {
	return r.path.text == "" || r.path.compiled().MatchString(path)
}

// secret is the place of the secret in a match.
func (r *rule) secret(m []int) (start, end int) {
	if r.group > 0 {
		return m[2*r.group], m[2*r.group+1]
	}
	for i := 2; i < len(m); i += 2 {
		if m[i] >= 0 && m[i+1] > m[i] {
			return m[i], m[i+1]
		}
	}
	return m[0], m[1]
}

// worth reports whether a keyword can be a part of a match, before any
// expression is run: nearly none is. "key" and "token" are in every second
// line of a program.
func (r *rule) worth(text string, start, end int) bool {
	switch {
	case r.apart:
		return true
	case r.assigned && assignedAt(text, end):
		return true
	case r.named:
		return false
	}
	const shortest = 16 // of all secrets that hold their keyword
	n := end - start
	for i := start - 1; i >= 0 && n < shortest && inToken(text[i]); i-- {
		n++
	}
	for i := end; i < len(text) && n < shortest && inToken(text[i]); i++ {
		n++
	}
	return n >= shortest
}

// inToken reports whether a byte may be in a token: not what quotes,
// separates or brackets.
func inToken(c byte) bool {
	return c > ' ' && c < 0x7f && !strings.ContainsRune("\"'`<>(){}[],;\\", rune(c))
}

// assignedAt reports whether an operator and a value follow a keyword, as
// gitleaks writes it: the rest of the name, up to three quotes or blanks, the
// operator, up to five quotes or blanks, and ten bytes with a digit. A value
// that was drawn at random has one.
func assignedAt(text string, i int) bool {
	skip := func(most int, class func(c byte) bool) {
		for n := 0; n < most && i < len(text) && class(text[i]); n++ {
			i++
		}
	}
	skip(20, func(c byte) bool { return c == ' ' || c == '\t' || c == '-' || c == '.' || wordByte(c) })
	skip(3, func(c byte) bool { return c == '\'' || c == '"' || blank(c) })
	rest := text[i:]
	switch {
	case rest == "":
		return false
	case strings.HasPrefix(rest, "=>"), strings.HasPrefix(rest, "||"), strings.HasPrefix(rest, "?="):
		i += 2
	case rest[0] == ':':
		skip(3, func(c byte) bool { return c == ':' })
		skip(1, func(c byte) bool { return c == '=' })
	case rest[0] == '=', rest[0] == '>', rest[0] == ',':
		i++
	default:
		return false
	}
	skip(5, func(c byte) bool { return c == '=' || c == '\'' || c == '"' || c == '`' || blank(c) })
	const shortest, longest = 10, 150
	begin, digit := i, false
	skip(longest, func(c byte) bool {
		digit = digit || c >= '0' && c <= '9'
		return inToken(c)
	})
	return digit && i-begin >= shortest
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' }

// name is what stands before a value without quotes and operators.
func name(head string) string {
	head = strings.TrimRight(head, "=>:|?,`'\" \t\r\n\f")
	i := len(head)
	for i > 0 && (wordByte(head[i-1]) || head[i-1] == '-' || head[i-1] == '.') {
		i--
	}
	return head[i:]
}

// entropy is Shannon's, in bits a byte.
func entropy(s string) float64 {
	var counts [256]int
	for i := range len(s) {
		counts[s[i]]++
	}
	var bits float64
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(len(s))
			bits -= p * math.Log2(p)
		}
	}
	return bits
}

// expression is a pattern that is compiled when it is used.
type expression struct {
	text string
	once sync.Once
	re   *regexp.Regexp
}

// compiled panics on what is no pattern: all of them are in this package, and
// a test compiles them.
func (x *expression) compiled() *regexp.Regexp {
	x.once.Do(func() { x.re = regexp.MustCompile(x.text) })
	return x.re
}

func expressions(texts []string) []*expression {
	out := make([]*expression, len(texts))
	for i, t := range texts {
		out[i] = &expression{text: t}
	}
	return out
}

func matches(list []*expression, s string) bool {
	return slices.ContainsFunc(list, func(x *expression) bool { return x.compiled().MatchString(s) })
}
