// Package source finds the files that a copy takes from a local folder, and
// what they are: their digests decide whether a step runs again.
//
// Nothing outside the folder is ever read: directories and files are opened
// relative to descriptors and without following links, so that a link that is
// swapped in meanwhile leads nowhere. An unchanged file costs one lstat, by
// the stat index of docs/cache-format.md.
package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Type is what an entry of a selection is.
type Type byte

// The types that a context can give.
const (
	Dir     Type = 'd'
	File    Type = 'f'
	Symlink Type = 'l'
)

// Entry is one selected file, folder or link. A context gives no owner and
// no mode but the execute bit: 0:0, files 0644 or 0755, folders 0755, links
// 0777.
type Entry struct {
	Path    string // clean, relative, slash-separated, bytes as they are
	Type    Type
	Exec    bool              // the owner may execute the File
	Size    int64             // bytes of a File
	Sum     [sha256.Size]byte // SHA-256 of a File's content; zero from List
	Link    string            // a Symlink's target as it is
	ModTime time.Time         // the local file's, for materialising; in no key

	list *listing // where it is, links followed: nil for a folder that only stands above others
	at   int
}

// Digest is the content's digest as manifests write it.
func (e Entry) Digest() string { return "sha256:" + hex.EncodeToString(e.Sum[:]) }

// Mode is the permission bits of the entry in a layer.
func (e Entry) Mode() uint32 {
	switch {
	case e.Type == Symlink:
		return 0o777
	case e.Type == Dir || e.Exec:
		return 0o755
	default:
		return 0o644
	}
}

// Request says what to select. Patterns are rooted in Dir; `*`, `?`, `[a-z]`,
// `{a,b}` match within a name, `**` over folders, and a folder means all
// below it.
type Request struct {
	Dir     string   // absolute folder of the context
	Include []string // none: everything
	Exclude []string

	// Sources are the copy's own patterns; none means everything. One that
	// matches nothing is an *UnmatchedError. A path that a source names is
	// followed if it is a link; links below folders, or found by `**`, stay links.
	Sources []string

	UseDockerignore bool   // honour Dir/.dockerignore, by Docker's rules
	StatIndex       string // path of the stat index; "" is none
	TrustTimes      bool   // use the index on network and FUSE file systems too
}

// Root is what one source pattern names: what "the source is a folder", "two
// entries" and "its name" mean for a copy.
type Root struct {
	Source string // the pattern as it was given, or "." if none was
	Path   string // "" is the context's own folder
	Dir    bool
}

// Ignored is a file that is there but was not taken, and the reason.
type Ignored struct {
	Path string
	By   string // `.dockerignore: "*.log"`, `the built-in list: "*.pem"`, …
}

// Selection is what was selected, closed under parents.
type Selection struct {
	Dir     string
	Entries []Entry // parents first, siblings bytewise by name
	Roots   []Root  // in the order of Sources, then of Entries

	Literal       []string // secrets and the like that a source named literally, which beats the built-in list
	Skipped       []string // sockets, which no layer can hold
	UnusedInclude []string // include patterns that matched nothing

	Hashed int // files whose content was read, as the index did not know them
}

// Select finds and hashes. Errors that a user can mend are *UnmatchedError
// (several are joined), *PatternError, *LinkError, *EntryError and
// *ChangedError.
func Select(ctx context.Context, r Request) (*Selection, error) {
	sels, errs := new(View).Select(ctx, r)
	return sels[0], errs[0]
}

// List is Select without reading content: sums are zero, and the digest says
// nothing.
func List(ctx context.Context, r Request) (*Selection, error) { return new(View).List(ctx, r) }

// Digest is what the selection is: equal trees have equal digests, whatever
// patterns found them, whoever owns them and however old they are.
func (s *Selection) Digest() string {
	h := sha256.New()
	h.Write([]byte("selection v1\n"))
	var b []byte
	for _, e := range s.Entries {
		b = e.appendLine(b[:0])
		h.Write(b)
	}
	return digestOf(h)
}

// TimesDigest tells apart checkouts of one content with other times: a
// materialised tree has them, so it is named by this and its DiffID.
func (s *Selection) TimesDigest() string {
	h := sha256.New()
	for _, e := range s.Entries {
		fmt.Fprintf(h, "%q %d\n", e.Path, e.ModTime.UnixNano())
	}
	return digestOf(h)
}

// Size is the sum of all files in bytes.
func (s *Selection) Size() int64 {
	var n int64
	for _, e := range s.Entries {
		n += e.Size
	}
	return n
}

// find looks an entry up by its path.
func (s *Selection) find(path string) (Entry, bool) {
	i, ok := slices.BinarySearchFunc(s.Entries, path, func(e Entry, p string) int { return comparePaths(e.Path, p) })
	if !ok {
		return Entry{}, false
	}
	return s.Entries[i], true
}

func (e Entry) appendLine(b []byte) []byte {
	switch e.Type {
	case Dir:
		b = strconv.AppendQuote(append(b, "dir "...), e.Path)
	case Symlink:
		b = strconv.AppendQuote(append(b, "link "...), e.Path)
		b = strconv.AppendQuote(append(b, ' '), e.Link)
	default:
		b = strconv.AppendQuote(append(b, "file "...), e.Path)
		exec := ` "-" "`
		if e.Exec {
			exec = ` "x" "`
		}
		b = strconv.AppendInt(append(b, exec...), e.Size, 10)
		b = hex.AppendEncode(append(b, `" "sha256:`...), e.Sum[:])
		b = append(b, '"')
	}
	return append(b, '\n')
}

func digestOf(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }

// comparePaths orders bytewise by components: a folder's content comes right
// after it, before a sibling such as "dir-x".
func comparePaths(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] == b[i] {
			continue
		}
		switch {
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		case a[i] < b[i]:
			return -1
		default:
			return 1
		}
	}
	return len(a) - len(b)
}

// join is path.Join for parts that are clean already.
func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// split takes the last name off a clean path.
func split(path string) (dir, name string) {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return "", path
}
