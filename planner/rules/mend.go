package rules

import (
	"regexp"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// arg is the place of a word of a call in the spec; -1 is the command's name.
func (d *docket) arg(st runStep, c call, i int) diag.Range {
	switch {
	case i < 0 || c.places == nil && c.at != (span{}):
		return d.within(st.text, c.at, c.first)
	case c.places == nil:
		return d.within(st.text, span{}, c.args[i])
	}
	return d.within(st.text, c.places[i], c.args[i])
}

// computed finds what makes a script's text other than what stands in the
// spec.
var computed = regexp.MustCompile(`\b[a-z]+\(`)

// exact is within for a fix: ok only where the stretch stands in the spec as
// it is, once, and in no expression.
func (d *docket) exact(text spec.Attr[string], at span) (r diag.Range, ok bool) {
	source := d.source(text.Range)
	if at.end <= at.start || at.end > len(text.V) || strings.Contains(text.V[at.start:at.end], "\n") || !ascii(source) {
		return diag.Range{}, false
	}
	literal := strings.HasPrefix(source, `"`) || strings.HasPrefix(source, "<<") || strings.HasPrefix(source, "[") && !computed.MatchString(source)
	if strings.HasSuffix(text.Range.File, ".hcl") && !literal {
		return diag.Range{}, false
	}
	start := strings.LastIndexByte(text.V[:at.start], '\n') + 1
	end := len(text.V)
	if i := strings.IndexByte(text.V[at.end:], '\n'); i >= 0 {
		end = at.end + i
	}
	line, own := text.V[start:end], text.V[at.start:at.end]
	begin := -1
	switch {
	case strings.Count(source, line) == 1 && strings.Count(text.V, line) == 1:
		begin = strings.Index(source, line) + at.start - start
	case strings.Count(source, own) == 1 && strings.Count(text.V, own) == 1:
		begin = strings.Index(source, own)
	}
	if begin < 0 || interpolated(source[:begin]) {
		return diag.Range{}, false
	}
	return stretch(text.Range, source, begin, begin+len(own)), true
}

// interpolated reports whether a text ends inside ${…}.
func interpolated(before string) bool {
	i := strings.LastIndex(before, "${")
	return i >= 0 && !strings.Contains(before[i:], "}")
}

// word is the stretch of one word of a call; -1 is its name.
func (c call) word(i int) span {
	if i < 0 {
		return c.at
	}
	return c.places[i]
}

// reword is a fix that puts words in the place of one. -1 is the name of the
// command. It is nil where the place is not certain.
func (d *docket) reword(st runStep, c call, i int, words ...string) *diag.Fix {
	if c.places == nil {
		if c.at != (span{}) {
			return nil
		}
		old := c.first
		if i >= 0 {
			old = c.args[i]
		}
		at := d.element(st.text.Range, old)
		if at == st.text.Range || strings.HasSuffix(at.File, ".yaml") {
			return nil
		}
		return &diag.Fix{Range: at, Replacement: `"` + strings.Join(words, `", "`) + `"`}
	}
	at, ok := d.exact(st.text, c.word(i))
	if !ok {
		return nil
	}
	return &diag.Fix{Range: at, Replacement: strings.Join(words, " ")}
}

// behind is a fix that adds words behind one.
func (d *docket) behind(st runStep, c call, i int, words ...string) *diag.Fix {
	old := c.first
	if i >= 0 {
		old = c.args[i]
	}
	if c.places != nil {
		at := c.word(i)
		old = st.text.V[at.start:at.end] // with its quotes
	}
	return d.reword(st, c, i, append([]string{old}, words...)...)
}

// without is a fix that takes an option away: the word, or its letter from
// among others. upTo is the index of its value, or the same as i.
func (d *docket) without(st runStep, c call, f flag, upTo int) *diag.Fix {
	word := c.args[f.word]
	if !strings.HasPrefix(word, "--") && len(word) > 2 && upTo == f.word {
		return d.reword(st, c, f.word, strings.Replace(word, f.name[1:], "", 1))
	}
	if c.places == nil {
		return d.withoutElement(st, c, f.word, upTo)
	}
	from, to := c.places[f.word].start, c.places[upTo].end
	before := c.at.end
	if f.word > 0 {
		before = c.places[f.word-1].end
	}
	if gap := st.text.V[before:from]; strings.Trim(gap, " \t") == "" {
		from = before
	} else if strings.HasPrefix(st.text.V[to:], " ") {
		to++
	}
	at, ok := d.exact(st.text, span{from, to})
	if !ok {
		return nil
	}
	return &diag.Fix{Range: at}
}

// withoutElement is without for the list of a plain command. There is always
// a string before the option: the command.
func (d *docket) withoutElement(st runStep, c call, from, to int) *diag.Fix {
	if c.at != (span{}) || strings.HasSuffix(st.text.Range.File, ".yaml") {
		return nil
	}
	source := d.source(st.text.Range)
	text := ""
	for _, word := range c.args[from : to+1] {
		text += `, "` + word + `"`
	}
	if strings.Count(source, text) != 1 || !ascii(source) {
		return nil
	}
	i := strings.Index(source, text)
	return &diag.Fix{Range: stretch(st.text.Range, source, i, i+len(text))}
}
