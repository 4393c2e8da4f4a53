package secretscan

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestReadsAll holds that the file of patterns is read whole, and that what
// is in it compiles: a pattern that does not would only be met by the one who
// has such a secret.
func TestReadsAll(t *testing.T) {
	t.Parallel()
	c := read(patterns)
	if len(c.rules) != 222 || len(c.rules) != strings.Count(patterns, "\n[[rules]]\n") || len(c.allow) != 13 || len(c.stop) != 2 {
		t.Fatalf("%d rules, %d patterns and %d words of what is none", len(c.rules), len(c.allow), len(c.stop))
	}
	lists, stopwords := 0, 0
	for _, r := range c.rules {
		if r.id == "" || r.title() == "" || r.pattern.text == "" && r.path.text == "" || len(r.keywords) == 0 && r.pattern.text != "" {
			t.Errorf("%+v", r)
		}
		for _, k := range r.keywords {
			if k == "" || k != strings.ToLower(k) {
				t.Errorf("%s: the keyword %q", r.id, k)
			}
		}
		compile(t, &r.pattern, &r.path)
		for _, a := range r.allow {
			lists, stopwords = lists+1, stopwords+len(a.stop)
			compile(t, a.patterns...)
			compile(t, a.paths...)
		}
		if n := r.pattern.compiled().NumSubexp(); r.group > n {
			t.Errorf("%s: group %d of %d", r.id, r.group, n)
		}
	}
	compile(t, c.allow...)
	if lists != 13 || stopwords != 1446 {
		t.Errorf("%d lists of what is none, %d words", lists, stopwords)
	}
}

func compile(t *testing.T, list ...*expression) {
	t.Helper()
	for _, x := range list {
		if _, err := regexp.Compile(x.text); err != nil {
			t.Error(err)
		}
	}
}

// TestAdjusted holds that what adjust names is there: after an update of the
// patterns its cases would silently mean nothing.
func TestAdjusted(t *testing.T) {
	t.Parallel()
	c := read(patterns)
	for _, id := range []string{
		"pkcs12-file", "mapbox-api-token", "aws-amazon-bedrock-api-key-short-lived", "jwt", "vault-service-token", "sourcegraph-access-token",
		"square-access-token", "private-key", "curl-auth-header", "curl-auth-user", "kubernetes-secret-yaml", "nuget-config-password",
		"freemius-secret-key", "airtable-personnal-access-token", "facebook-access-token", "gcp-api-key", Generic, "plaid-client-id",
	} {
		if !slices.ContainsFunc(c.rules, func(r *rule) bool { return r.id == id }) {
			t.Errorf("gitleaks has no rule %s any more", id)
		}
	}
	kept := 0
	for _, r := range c.rules {
		if r.adjust() {
			kept++
		}
	}
	if kept < 190 {
		t.Errorf("%d rules are left", kept)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	c := read(`
# a comment
title = "x"
[allowlist]
regexes = [ '''^a"b$''', "c,d", ] # of values
stopwords = ["one"
  # between
  , "two"]
[[rules]]
id = "r"
regex = '''a=]'b'''
entropy = 3.5
secretGroup = 2
keywords = ["a", 'b']
[[rules.allowlists]]
condition = "AND"
regexTarget = "line"
paths = ['''\.md$''']
`)
	if len(c.rules) != 1 || len(c.allow) != 2 || c.allow[0].text != `^a"b$` || c.allow[1].text != "c,d" || !slices.Equal(c.stop, []string{"one", "two"}) {
		t.Fatalf("%+v", c)
	}
	r := c.rules[0]
	if r.id != "r" || r.pattern.text != `a=]'b` || r.entropy != 3.5 || r.group != 2 || !slices.Equal(r.keywords, []string{"a", "b"}) {
		t.Errorf("%+v", r)
	}
	if a := r.allow; len(a) != 1 || !a[0].all || a[0].target != "line" || a[0].paths[0].text != `\.md$` {
		t.Errorf("%+v", a)
	}
	for _, cut := range []string{"[[rules.allowlists]]", "[[rules]]\nkeywords = [", "= =", "regexes", "[allowlist]\nregexes = ['''"} {
		read(cut) // what is cut off is read as far as it goes
	}
}

// TestAutomaton compares with a search for each keyword.
func TestAutomaton(t *testing.T) {
	t.Parallel()
	words := map[string][]uint16{"he": {0}, "she": {1}, "his": {2}, "hers": {3}, "s": {4, 5}, "-x.": {6}}
	a := newAutomaton(words)
	for _, text := range []string{"", "ushers", "USHERS his -X.hehe", "shshehers-x-x..", "aaaa", "\xffshe\x00"} {
		got := map[string]int{}
		state := 0
		for i := range len(text) {
			state = int(a.next[state*a.width+int(a.class[text[i]])])
			for _, f := range a.out[state] {
				word := strings.ToLower(text[i+1-f.length : i+1])
				if !slices.Equal(words[word], f.rules) {
					t.Errorf("%q in %q is of %v", word, text, f.rules)
				}
				got[word]++
			}
		}
		for word := range words {
			want := 0
			for i := range text {
				if i+len(word) <= len(text) && strings.ToLower(text[i:i+len(word)]) == word {
					want++
				}
			}
			if got[word] != want {
				t.Errorf("%q is %d times in %q, not %d", word, want, text, got[word])
			}
		}
	}
}

// TestEnds holds that a text which is all keywords does not take for ever.
func TestEnds(t *testing.T) {
	t.Parallel()
	e := &Engine{attempts: 8}
	late := "gh" + "p_" + "aB3dE9fG7hJ2kL5mN8pQ4rS6tU1vW0xY9zA8"
	noise := strings.Repeat("gh"+"p_0123456789-", 400)
	if hits := e.Scan("", noise+late); len(hits) != 0 {
		t.Errorf("%+v: more was tried than is allowed", hits)
	}
	if hits := (&Engine{}).Scan("", noise+" "+late); len(hits) != 1 {
		t.Errorf("%+v", hits)
	}
}

func TestEntropy(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]float64{"": 0, "aaaa": 0, "abab": 1, "abcd": 2, "aabc": 1.5} {
		if got := entropy(s); math.Abs(got-want) > 1e-9 {
			t.Errorf("%q has %f bits a byte, not %f", s, got, want)
		}
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]string{
		`api_key = "`: "api_key", `  "db.token": "`: "db.token", "A-B=>'": "A-B", "x, key ||= ": "key", "": "", "=": "", "é.key:": ".key",
	} {
		if got := name(head); got != want {
			t.Errorf("the name in %q is %q, not %q", head, got, want)
		}
	}
}
