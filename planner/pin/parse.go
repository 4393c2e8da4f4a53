package pin

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/specbuild/specbuild/spec/diag"
)

// maxProblems bounds what is reported of one damaged lock: after some lines
// it is the whole file that is wrong.
const maxProblems = 10

// Parse reads a lock. name is the file's name in diagnostics. Nothing is
// guessed: a line that does not fit is an error that says what to run.
// Lines may stand in any order, since merges put them so.
//
// It is one pass: every command reads the lock before it does anything, and
// that of a large workspace has 40,000 lines. Values are parts of one string,
// and lines of packages, most of a lock, are cut where they stand.
func Parse(name string, data []byte) (Lock, diag.List) {
	p := parser{file: name, rest: string(data), bases: map[string]*Base{}, repos: map[string]*repoLines{}}
	for p.rest != "" && len(p.problems) < maxProblems {
		line := p.next()
		if p.number == 1 {
			if line != header {
				p.fail("the first line is %q and not %q: another version of specbuild wrote it, or no specbuild", clip(line), header)
				return Lock{}, p.problems
			}
			continue
		}
		if line == "" || p.packageFast(line) {
			continue
		}
		if strings.HasPrefix(line, "<<<<<<<") || strings.HasPrefix(line, "=======") || strings.HasPrefix(line, ">>>>>>>") {
			p.fail("this is the mark of a merge conflict. Keep the lines of one side")
			return Lock{}, p.problems
		}
		p.line(line)
	}
	if p.number == 0 {
		p.number = 1
		p.fail("the file is empty")
	}
	var l Lock
	if len(p.problems) == 0 { // one line that is wrong makes others look so
		l = p.finish()
	}
	if len(p.problems) > 0 {
		return Lock{}, p.problems
	}
	return l, nil
}

type parser struct {
	file     string
	rest     string // of the file
	number   int    // of the line that was cut off last
	problems diag.List
	fields   []string // of the current line; the memory is used again
	unquoted []byte   // as fields

	bases map[string]*Base
	repos map[string]*repoLines
	run   run
	lock  Lock // of the lines that need no other
}

// next cuts off a line.
func (p *parser) next() (line string) {
	line, p.rest, _ = strings.Cut(p.rest, "\n")
	p.number++
	return strings.TrimSuffix(line, "\r")
}

func (p *parser) fail(format string, args ...any) { p.failAt(p.number, format, args...) }

func (p *parser) failAt(line int, format string, args ...any) {
	at := diag.Pos{Line: line, Column: 1}
	p.problems.Errorf(diag.Range{File: p.file, Start: at, End: at}, "The lock cannot be read",
		"In line %d, %s. Run `specbuild lock` after restoring the file from version control, or delete it to pin everything anew.",
		line, fmt.Sprintf(format, args...))
}

func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

func (p *parser) line(line string) {
	if !p.split(line) {
		return
	}
	f := p.fields
	if len(f) < 4 {
		p.fail("%q is too short: a line is a kind, a key, a platform and values", clip(line))
		return
	}
	switch f[0] {
	case kindPackage:
		p.pkg(line, f[1], f[2], f[3:])
	case kindBase:
		p.base(f[1], f[2], f[3], f[4:])
	case kindRelease:
		p.release(f[1], f[3:])
	case kindClosure:
		p.closure(f[1], f[2], f[3:])
	case kindGit:
		p.commit(f[1], f[3:])
	case kindModule:
		p.module(f[1], f[3:])
	case kindHTTP:
		p.download(f[1], f[3:])
	default:
		p.fail("the kind %q is unknown: a newer specbuild may have written it", clip(f[0]))
	}
}

// split cuts a line at single spaces into p.fields, quoted values unquoted.
func (p *parser) split(line string) bool {
	p.fields = p.fields[:0]
	for rest := line; ; {
		if strings.HasPrefix(rest, `"`) {
			v, n, ok := p.unquote(rest)
			if !ok {
				return false
			}
			p.fields = append(p.fields, v)
			rest = rest[n:]
		} else {
			v := rest
			if i := strings.IndexByte(rest, ' '); i >= 0 {
				v = rest[:i]
			}
			if v == "" {
				p.fail("there is an empty value: values stand one space apart, empty ones as \"\"")
				return false
			}
			p.fields = append(p.fields, v)
			rest = rest[len(v):]
		}
		if rest == "" {
			return true
		}
		if rest[0] != ' ' {
			p.fail("there is no space behind a quoted value")
			return false
		}
		rest = rest[1:]
	}
}

// unquote reads the quoted value that s begins with, and its length in s.
// Quotes and backslashes are all that most values escape, so they are read
// here; strconv reads the rest.
func (p *parser) unquote(s string) (value string, length int, ok bool) {
	p.unquoted = p.unquoted[:0]
	from := 1 // of what is not copied yet
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' && from == 1:
			return s[1:i], i + 1, true
		case c == '"':
			p.unquoted = append(p.unquoted, s[from:i]...)
			return string(p.unquoted), i + 1, true
		case c == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			p.unquoted = append(p.unquoted, s[from:i]...)
			i++
			from = i
		case c == '\\' || c < ' ' || c > '~':
			return p.unquoteRare(s)
		}
	}
	return p.unquoteRare(s)
}

func (p *parser) unquoteRare(s string) (value string, length int, ok bool) {
	q, err := strconv.QuotedPrefix(s)
	if err != nil {
		p.fail("a quoted value does not end")
		return "", 0, false
	}
	v, err := strconv.Unquote(q)
	if err != nil {
		p.fail("%s is no quoted value", clip(q))
		return "", 0, false
	}
	return v, len(q), true
}

func (p *parser) want(values []string, n int) bool {
	if len(values) == n {
		return true
	}
	p.fail("there are %d values where there must be %d", len(values), n)
	return false
}

func (p *parser) int(s string) int64 {
	if n, ok := decimal(s); ok {
		return n
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		p.fail("%q is no number", clip(s))
	}
	return n
}

// decimal reads a number of digits only that cannot overflow.
func decimal(s string) (n int64, ok bool) {
	if len(s) == 0 || len(s) > 18 {
		return 0, false
	}
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = 10*n + int64(c)
	}
	return n, true
}

// digest checks the form only; what it names is checked when it is read.
func (p *parser) digest(s string) string {
	if hex, ok := strings.CutPrefix(s, "sha256:"); !ok || !isHex(hex) {
		p.fail("%q is no digest", clip(s))
	}
	return s
}

func isHex(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c-'0' > 9 && c-'a' > 5 {
			return false
		}
	}
	return true
}

// set fills a value that may be said once only.
func (p *parser) set(at *string, v string) {
	if *at != "" && *at != v {
		p.fail("this is said otherwise in a line above, as happens when two branches are merged")
	}
	*at = v
}

// finish checks what only the whole file tells.
func (p *parser) finish() Lock {
	l := p.lock
	l.Bases, l.Repositories = make(map[string]Base, len(p.bases)), make(map[string]Repository, len(p.repos))
	for _, key := range slices.Sorted(maps.Keys(p.bases)) {
		b := p.bases[key]
		p.checkBase(key, b)
		l.Bases[key] = *b
	}
	for _, key := range slices.Sorted(maps.Keys(p.repos)) {
		l.Repositories[key] = p.repository(p.repos[key])
	}
	return l
}
