package layer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// tocHeader is the first line of an encoded table; the number is the version
// of the lines that follow.
const tocHeader = "specbuild toc 1"

// Encode writes the table as text, one line an entry, that a person can read
// and a diff can compare. Strings are Go-quoted bytes, because names need
// not be UTF-8 and JSON would print two such names as one. Equal tables have
// equal encodings.
//
//	d 0755 0 0 "usr"
//	f 0644 0 0 12 sha256:… "usr/x" "user.attr" "value"
//	l 0777 0 0 "bin" "usr/bin"
//	w "etc/gone"
func (t *TOC) Encode() []byte {
	out := make([]byte, 0, len(tocHeader)+1+len(t.Entries)*112)
	out = append(out, tocHeader...)
	out = append(out, '\n')
	for i := range t.Entries {
		out = t.Entries[i].appendLine(out)
		out = append(out, '\n')
	}
	return out
}

// Digest names the table: "sha256:…" of its encoding.
func (t *TOC) Digest() string {
	return digestOf(sha256.Sum256(t.Encode()))
}

func digestOf(sum [sha256.Size]byte) string {
	return "sha256:" + hex.EncodeToString(sum[:])
}

// String is the entry as one line of an encoded table, for keys and for
// messages.
func (e Entry) String() string { return string(e.appendLine(nil)) }

func (e *Entry) appendLine(out []byte) []byte {
	out = append(out, byte(e.Type), ' ')
	if e.Type.deletes() {
		return strconv.AppendQuote(out, e.Path)
	}
	out = appendMode(out, e.Mode)
	out = appendInts(out, int64(e.UID), int64(e.GID))
	switch e.Type {
	case File:
		out = appendInts(out, e.Size)
		out = append(append(out, e.digestText()...), ' ')
	case Char, Block:
		out = appendInts(out, e.Major, e.Minor)
	}
	out = strconv.AppendQuote(out, e.Path)
	if e.Type == Symlink || e.Type == Hardlink {
		out = strconv.AppendQuote(append(out, ' '), e.Link)
	}
	if len(e.Xattrs) == 0 {
		return out
	}
	for _, name := range slices.Sorted(maps.Keys(e.Xattrs)) {
		out = strconv.AppendQuote(append(out, ' '), name)
		out = strconv.AppendQuote(append(out, ' '), e.Xattrs[name])
	}
	return out
}

// digestText stands for a digest in a line; "-" while it is not known.
func (e *Entry) digestText() string {
	if e.Digest == "" {
		return "-"
	}
	return e.Digest
}

func appendMode(out []byte, mode uint32) []byte {
	return append(out, '0'+byte(mode>>9&7), '0'+byte(mode>>6&7), '0'+byte(mode>>3&7), '0'+byte(mode&7), ' ')
}

func appendInts(out []byte, ns ...int64) []byte {
	for _, n := range ns {
		out = append(strconv.AppendInt(out, n, 10), ' ')
	}
	return out
}

// DecodeTOC reads what [TOC.Encode] wrote and nothing else: an entry out of
// order, twice, or written in another way is an error that names its line.
// So decoding and encoding again gives the same bytes.
func DecodeTOC(data []byte) (*TOC, error) {
	rest, ok := bytes.CutPrefix(data, []byte(tocHeader+"\n"))
	if !ok {
		return nil, fmt.Errorf("decode table of contents: does not start with %q", tocHeader)
	}
	// One copy of the text; the strings of plain names are parts of it.
	entries, err := decodeLines(string(rest))
	if err != nil {
		return nil, fmt.Errorf("decode table of contents: %w", err)
	}
	return &TOC{Entries: entries}, nil
}

func decodeLines(text string) ([]Entry, error) {
	entries := make([]Entry, 0, strings.Count(text, "\n"))
	for n := 2; text != ""; n++ {
		end := strings.IndexByte(text, '\n')
		if end < 0 {
			return nil, fmt.Errorf("line %d has no end", n)
		}
		e, err := decodeEntry(text[:end])
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if k := len(entries); k > 0 && compareEntries(&entries[k-1], &e) >= 0 {
			return nil, fmt.Errorf("line %d: %q is out of order", n, e.Path)
		}
		entries = append(entries, e)
		text = text[end+1:]
	}
	return entries, nil
}

func decodeEntry(line string) (Entry, error) {
	f := fields{rest: line}
	e := Entry{Type: f.kind()}
	if !e.Type.deletes() {
		e.Mode = f.mode()
		e.UID, e.GID = int(f.number()), int(f.number())
	}
	switch e.Type {
	case File:
		e.Size, e.Digest = f.number(), f.digest()
	case Char, Block:
		e.Major, e.Minor = f.number(), f.number()
	}
	e.Path = f.quoted()
	if e.Type == Symlink || e.Type == Hardlink {
		e.Link = f.quoted()
	}
	last := ""
	for !e.Type.deletes() && f.err == nil && f.rest != "" {
		name, value := f.quoted(), f.quoted()
		if e.Xattrs != nil && name <= last {
			f.fail("attribute %q is out of order", name)
		}
		if e.Xattrs == nil {
			e.Xattrs = make(map[string]string, 1)
		}
		e.Xattrs[name], last = value, name
	}
	switch {
	case f.err != nil:
		return Entry{}, f.err
	case f.rest != "":
		return Entry{}, fmt.Errorf("%q is left over", f.rest)
	case !validPath(e.Path):
		return Entry{}, fmt.Errorf("%q is not a clean relative path", e.Path)
	}
	return e, nil
}

// fields takes a line apart. The first error stays, and everything after it
// is zero.
type fields struct {
	rest string
	err  error
}

func (f *fields) fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf(format, args...)
	}
	f.rest = ""
}

// word takes what stands before the next space, and the space.
func (f *fields) word() string {
	word, rest, ok := strings.Cut(f.rest, " ")
	if !ok {
		f.fail("the line is too short")
		return ""
	}
	f.rest = rest
	return word
}

func (f *fields) kind() Type {
	word := f.word()
	if len(word) != 1 || !strings.Contains("dflhpcbwo", word) {
		f.fail("%q is not a type", word)
		return 0
	}
	return Type(word[0])
}

func (f *fields) mode() uint32 {
	word := f.word()
	n, err := strconv.ParseUint(word, 8, 12)
	if err != nil || len(word) != 4 {
		f.fail("%q is not a mode", word)
	}
	return uint32(n)
}

func (f *fields) number() int64 {
	word := f.word()
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil || n < 0 || (word[0] == '0' && len(word) > 1) || word[0] == '+' || word[0] == '-' {
		f.fail("%q is not a number", word)
	}
	return n
}

func (f *fields) digest() string {
	word := f.word()
	if word == "-" {
		return ""
	}
	hexa, ok := strings.CutPrefix(word, "sha256:")
	if !ok || len(hexa) != 2*sha256.Size || strings.Trim(hexa, "0123456789abcdef") != "" {
		f.fail("%q is not a digest", word)
		return ""
	}
	return word
}

// quoted takes a string in the one way that Encode writes it. Nearly all
// names are plain, and those are cut out of the line without a copy.
func (f *fields) quoted() string {
	if f.err != nil {
		return ""
	}
	prefix, err := strconv.QuotedPrefix(f.rest)
	if err != nil || prefix[0] != '"' {
		f.fail("%q does not start with a quoted string", f.rest)
		return ""
	}
	rest := f.rest[len(prefix):]
	if rest != "" {
		if rest[0] != ' ' || len(rest) == 1 {
			f.fail("%q follows a string", rest)
			return ""
		}
		rest = rest[1:]
	}
	value, err := strconv.Unquote(prefix)
	if err != nil || strconv.Quote(value) != prefix {
		f.fail("%s is not written as it should be", prefix)
		return ""
	}
	f.rest = rest
	return value
}
