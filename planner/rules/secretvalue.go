package rules

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/planner/secretscan"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// literalID is the rule about values that are credentials by their form.
const literalID = "secret-literal-value"

// Scanner finds credentials in texts by their form. Several goroutines may
// use one.
type Scanner interface {
	// Scan gives what it finds in order. path is a file's in its context, or
	// empty for a text of the spec.
	Scan(path, text string) []secretscan.Hit
}

// Looked remembers files that were looked into and hold nothing, by their
// stamps, so that what has not changed is not read again.
type Looked interface {
	Clean(s secretscan.Stamp) bool
	Keep(stamps []secretscan.Stamp) error
}

func literalRule() Rule {
	return Rule{
		ID: literalID, By: ByJudge, Title: "Nothing in the spec, and no file that is copied, has the form of a credential",
		Why: "Tokens and keys of some 200 providers are known by their form (the patterns are those of gitleaks), whatever they are called. " +
			"Looked at are all texts of the spec, and what copies take from contexts: text files of less than 1 MB, but no lock files, dependencies, tests and documentation.",
		Bad: `run {
  command = ["curl", "-fsS", "-u", "deploy:Tr0ub4dor", "-o", "/app.bin", "https://artifacts.example.com/app.bin"]
}`,
		Good: `secret "netrc" {
  file = "~/.netrc"
}
image "web" {
  from   = scratch
  run_as = "10001"
  run {
    command = ["curl", "-fsS", "--netrc-file", "/run/secrets/netrc", "-o", "/app.bin", "https://artifacts.example.com/app.bin"]
    mount "secret" {
      secret = secret.netrc
    }
  }
}`,
		Mend:    "Revoke it, since the history of the repository keeps it; declare a `secret` and mount it. What is no credential is waived, or renamed.",
		Sources: []string{"gitleaks", "CIS-4.10", "CIS-DI-0010", "DS-0031", "KICS passwords_and_secrets"},
		check:   literalSecrets,
	}
}

// literalSecrets looks at the evaluated texts, since a value may come from a
// variable or a file; then at what is written and reached no text.
func literalSecrets(d *docket) {
	l := literals{docket: d, told: map[string]bool{}}
	for _, inst := range d.Instances {
		b := inst.Body
		d.eachText(b, func(name string, text spec.Attr[string]) { l.text(b.Addr, name, text) })
	}
	d.eachRun(func(b *spec.Body, r *spec.Run, _ *script, text spec.Attr[string]) {
		if text.V != "" {
			l.text(b.Addr, "", text)
			return
		}
		l.text(b.Addr, "", spec.Attr[string]{V: strings.Join(r.Command.V, " "), Range: r.Command.Range})
	})
	l.written()
	l.copied()
}

// literals are the values that were found.
type literals struct {
	*docket
	told map[string]bool // values, those that another rule tells of too
}

// text looks at one text of the spec. What a variable is called decides
// secret-named-variable; here a name only helps to know a value.
func (l *literals) text(addr spec.Addr, name string, text spec.Attr[string]) {
	if len(text.V) < 8 {
		return
	}
	scanned, head := text.V, 0
	if name != "" {
		scanned, head = name+` = "`+text.V+`"`, len(name)+len(` = "`)
	}
	for _, h := range l.scanner().Scan("", scanned) {
		if h.Start < head || h.End-head > len(text.V) || name != "" && h.Rule == secretscan.Generic || !credential(h, scanned) {
			continue
		}
		at := span{h.Start - head, h.End - head}
		l.tell(addr, text.V[at.start:at.end], l.within(text, at, ""), h)
	}
}

func (l *literals) tell(addr spec.Addr, value string, at diag.Range, h secretscan.Hit) {
	l.told[value] = true
	if l.covered(addr, at) {
		return
	}
	l.secret(addr, at, "A credential stands in the spec",
		"%s holds what has the form of a credential: %s (gitleaks: %s). Everybody can read it who has the spec or the image. If it is real, revoke it. %s",
		addr.Local(), h.Rule, lowerFirst(h.Title), mountIt)
}

// covered reports whether another finding tells of a secret at this place.
func (d *docket) covered(addr spec.Addr, at diag.Range) bool {
	return slices.ContainsFunc(d.findings, func(f Finding) bool {
		r := f.Diag.Range
		return f.Diag.Secret && f.Addr == addr && r.File == at.File && r.Start.Byte < at.End.Byte && at.Start.Byte < r.End.Byte
	})
}

// written looks at the files of the spec as they are: defaults of variables,
// values that nothing uses, comments. Names mean less there, and only values
// that are known by themselves count.
func (l *literals) written() {
	for _, name := range slices.Sorted(maps.Keys(l.Spec.Files)) {
		if ext := path.Ext(name); ext != ".hcl" && ext != ".yaml" && ext != ".yml" || strings.HasSuffix(name, ".policy.hcl") {
			continue
		}
		text := string(l.Spec.Files[name])
		for _, h := range l.scanner().Scan("", text) {
			value := text[h.Start:h.End]
			addr, ok := l.holder(name)
			if !ok || h.Name != "" || l.told[value] || !credential(h, text) {
				continue
			}
			line, _, _ := strings.Cut(value, "\n")
			start := diag.Range{File: name, Start: diag.Pos{Line: 1, Column: 1}}
			l.tell(addr, value, stretch(start, text, h.Start, h.Start+len(line)), h)
		}
	}
}

// holder is the first stage or image of a file, or of all, which a waiver of
// what the file holds besides can name.
func (d *docket) holder(file string) (spec.Addr, bool) {
	for _, inst := range d.Instances {
		if inst.Body.Range.File == file {
			return inst.Body.Addr, true
		}
	}
	if len(d.Instances) == 0 {
		return spec.Addr{}, false
	}
	return d.Instances[0].Body.Addr, true
}

// credential reports whether a value that was found by what it is called can
// be a secret under that name. A value that is known by itself is one.
func credential(h secretscan.Hit, text string) bool {
	if h.Name == "" {
		return true
	}
	name, value := apart(h.Name), text[h.Start:h.End]
	words := split(name)
	if innocentName(words) || fingerprints(value) && value == strings.ToUpper(value) {
		return false
	}
	if h.Rule != secretscan.Generic {
		return true
	}
	return (has(words, strongWords...) || has(words, "token") || ownedKey(words)) && random(value) && secretVariable(name, value)
}

// apart writes accessToken as access_token.
func apart(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' && name[i-1] >= 'a' && name[i-1] <= 'z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (d *docket) scanner() Scanner {
	if d.Scanner == nil {
		d.Scanner = &secretscan.Engine{}
	}
	return d.Scanner
}
