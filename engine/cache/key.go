// Package cache remembers the results of steps on disk, for several processes
// at once: entries by two kinds of key, blobs by digest, unpacked snapshots,
// cache mounts. docs/cache-format.md is the format and its reasons.
//
// Nothing here knows what a step is. A reader never sees unfinished work: all
// files are made under a temporary name and renamed into place, and what is
// found damaged is a miss.
package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// DefID names a step by its definition: operation, leaf contents and the
// DefIDs of its inputs. It is known without running anything.
type DefID [sha256.Size]byte

// ActionID names a step by its operation and what its inputs turned out to
// be. It is known when they are done, and gives early cut-off.
type ActionID [sha256.Size]byte

// String is the identifier in hexadecimal.
func (id DefID) String() string { return hex.EncodeToString(id[:]) }

// String is the identifier in hexadecimal.
func (id ActionID) String() string { return hex.EncodeToString(id[:]) }

// Key is the text that an identifier is the hash of. Values are quoted, so no
// value can forge a line, and bytes that are not UTF-8 stay apart.
type Key struct{ b []byte }

// NewKey starts a key with its kind and version: "run v1".
func NewKey(kind string) *Key { return &Key{b: []byte(kind + "\n")} }

// Line adds a name, a constant of the code, and its values.
func (k *Key) Line(name string, values ...string) {
	k.b = appendLine(k.b, name, values...)
}

// Text is all lines, each ended by a newline: what explains a miss.
func (k *Key) Text() string { return string(k.b) }

// DefID is the identifier of the text as a definition.
func (k *Key) DefID() DefID { return DefID(k.sum("specbuild def\n")) }

// ActionID is the identifier of the text as an action.
func (k *Key) ActionID() ActionID { return ActionID(k.sum("specbuild act\n")) }

// sum keeps the two kinds apart: one text never gives the same identifier
// as both.
func (k *Key) sum(domain string) [sha256.Size]byte {
	h := sha256.New()
	h.Write([]byte(domain))
	h.Write(k.b)
	return [sha256.Size]byte(h.Sum(nil))
}

func appendLine(b []byte, name string, values ...string) []byte {
	b = append(b, name...)
	for _, v := range values {
		b = append(b, ' ')
		b = strconv.AppendQuote(b, v)
	}
	return append(b, '\n')
}

// line is one line of a small file or a key.
type line struct {
	name   string
	values []string
}

// value is the i-th value, or "" if there are fewer.
func (l line) value(i int) string {
	if i >= len(l.values) {
		return ""
	}
	return l.values[i]
}

// seal ends a small file with the sum of what is before.
func seal(b []byte) []byte {
	return fmt.Appendf(b, "sum %x\n", sha256.Sum256(b))
}

// unseal checks a small file's sum and first line and splits the others. Any
// damage is one error: callers treat the file as absent.
func unseal(data []byte, first string) ([]line, error) {
	const sumLine = len("sum \n") + 2*sha256.Size
	cut := len(data) - sumLine
	if cut < 0 || fmt.Sprintf("sum %x\n", sha256.Sum256(data[:cut])) != string(data[cut:]) {
		return nil, fmt.Errorf("wrong sum")
	}
	head, rest, _ := strings.Cut(string(data[:cut]), "\n")
	if head != first {
		return nil, fmt.Errorf("starts with %q, not %q", head, first)
	}
	var lines []line
	for rest != "" {
		var text string
		text, rest, _ = strings.Cut(rest, "\n")
		l, err := parseLine(text)
		if err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	return lines, nil
}

func parseLine(text string) (line, error) {
	name, rest, _ := strings.Cut(text, " ")
	l := line{name: name}
	for rest != "" {
		v, tail, err := unquote(rest)
		if err != nil {
			return line{}, fmt.Errorf("line %q: %w", text, err)
		}
		l.values = append(l.values, v)
		rest = strings.TrimPrefix(tail, " ")
	}
	return l, nil
}

// unquote reads the quoted value that a text begins with, and gives what
// follows it. Nearly all values have no escapes but those of quotes, of
// backslashes and of ends of lines: the text of a key that names 50,000 files
// has seven of them a file, and strconv goes through each byte three times.
// What has others is strconv's.
func unquote(text string) (value, tail string, err error) {
	if text[0] != '"' {
		return unquoteAny(text)
	}
	end := strings.IndexAny(text[1:], `"\\`)
	if end >= 0 && text[1+end] == '"' {
		return text[1 : 1+end], text[2+end:], nil
	}
	out := make([]byte, 0, len(text))
	for from := 1; ; {
		i := from
		for i < len(text) && text[i] != '"' && text[i] != '\\' {
			i++
		}
		out = append(out, text[from:i]...)
		if i+1 >= len(text) && (i == len(text) || text[i] != '"') {
			return unquoteAny(text) // it does not end
		}
		if text[i] == '"' {
			return string(out), text[i+1:], nil
		}
		switch c := text[i+1]; c {
		case '"', '\\':
			out = append(out, c)
		case 'n':
			out = append(out, '\n')
		default:
			return unquoteAny(text)
		}
		from = i + 2
	}
}

func unquoteAny(text string) (value, tail string, err error) {
	q, err := strconv.QuotedPrefix(text)
	if err != nil {
		return "", "", err
	}
	value, err = strconv.Unquote(q)
	return value, text[len(q):], err
}
