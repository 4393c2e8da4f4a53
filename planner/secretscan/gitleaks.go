package secretscan

import (
	_ "embed" // of the patterns
	"strconv"
	"strings"
)

// patterns is config/gitleaks.toml of gitleaks v8.30.1 as it is, under the
// licence beside it: a newer one is dropped in, and what is different here is
// said by adjust.
//
//go:embed gitleaks.toml
var patterns string

// config is what a file of gitleaks says, as far as it is used here.
type config struct {
	rules []*rule
	allow []*expression // patterns of values that are no secrets, whatever rule finds them
	stop  []string      // words in such values
}

// allowlist says what of a rule's findings is none.
type allowlist struct {
	target   string // "match" or "line"; else the secret itself
	patterns []*expression
	stop     []string
	paths    []*expression
	all      bool // asks for the path and a pattern, not one of them
}

// read understands the TOML that gitleaks generates: tables, and keys with
// strings, numbers and lists of strings. What else there were would be passed
// over; a test holds that there is nothing.
func read(text string) config {
	var c config
	table := ""
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		trimmed := strings.TrimSpace(line)
		key, _, isKey := strings.Cut(trimmed, "=")
		switch {
		case trimmed == "" || trimmed[0] == '#':
			text = rest
		case trimmed[0] == '[':
			table, text = strings.Trim(trimmed, "[]"), rest
			c.begin(table)
		case isKey:
			values, tail := value(text[strings.IndexByte(text, '=')+1:])
			c.set(table, strings.TrimSpace(key), values)
			text = tail
		default:
			text = rest
		}
	}
	return c
}

func (c *config) begin(table string) {
	switch r := c.last(); {
	case table == "rules":
		c.rules = append(c.rules, &rule{})
	case table == "rules.allowlists" && r != nil:
		r.allow = append(r.allow, allowlist{})
	}
}

// last is the rule that is being read, or nil.
func (c *config) last() *rule {
	if len(c.rules) == 0 {
		return nil
	}
	return c.rules[len(c.rules)-1]
}

func (c *config) set(table, key string, values []string) {
	first := ""
	if len(values) > 0 {
		first = values[0]
	}
	r := c.last()
	switch {
	case table == "allowlist" && key == "regexes":
		c.allow = expressions(values)
	case table == "allowlist" && key == "stopwords":
		c.stop = values
	case table == "rules" && r != nil:
		r.set(key, first, values)
	case table == "rules.allowlists" && r != nil && len(r.allow) > 0:
		r.allow[len(r.allow)-1].set(key, first, values)
	}
}

func (r *rule) set(key, first string, values []string) {
	switch key {
	case "id":
		r.id = first
	case "description":
		r.description = first
	case "regex":
		r.pattern.text = first
	case "entropy":
		r.entropy, _ = strconv.ParseFloat(first, 64)
	case "secretGroup":
		r.group, _ = strconv.Atoi(first)
	case "path":
		r.path.text = first
	case "keywords":
		r.keywords = values
	}
}

func (a *allowlist) set(key, first string, values []string) {
	switch key {
	case "regexTarget":
		a.target = first
	case "regexes":
		a.patterns = expressions(values)
	case "stopwords":
		a.stop = values
	case "paths":
		a.paths = expressions(values)
	case "condition":
		a.all = first == "AND"
	}
}

// value takes a value off a text: a list's elements, or a single one.
func value(text string) (values []string, rest string) {
	text = strings.TrimLeft(text, " \t")
	if !strings.HasPrefix(text, "[") {
		one, rest := scalar(text)
		return []string{one}, rest
	}
	for text = text[1:]; ; {
		text = strings.TrimLeft(text, " \t\r\n,")
		if text == "" || text[0] == ']' {
			return values, strings.TrimPrefix(text, "]")
		}
		if text[0] == '#' {
			_, text, _ = strings.Cut(text, "\n")
			continue
		}
		var one string
		one, text = scalar(text)
		values = append(values, one)
	}
}

// scalar takes a string or a bare word off a text. gitleaks writes what has
// a backslash in it as a literal string.
func scalar(text string) (one, rest string) {
	for _, quote := range []string{"'''", `"`, "'"} {
		if after, ok := strings.CutPrefix(text, quote); ok {
			one, rest, _ = strings.Cut(after, quote)
			return one, rest
		}
	}
	if i := strings.IndexAny(text, ",]\n"); i >= 0 {
		return strings.TrimSpace(text[:i]), text[i:]
	}
	return strings.TrimSpace(text), ""
}
