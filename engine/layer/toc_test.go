package layer

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

const tocSample = tocHeader + `
d 1777 0 0 "tmp"
f 0644 1000 5 3 sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad "tmp/caf\xe9" "user.a" "1" "user.b" "\x00"
f 0644 0 0 0 - "tmp/line\nbreak"
l 0777 0 0 "tmp/link" "../etc"
h 0755 0 0 "tmp/m" "tmp/caf\xe9"
p 0600 0 0 "tmp/pipe"
d 0755 0 0 "usr"
o "usr"
w "usr/gone"
c 0600 0 0 1 3 "usr/aaa"
b 0660 0 6 8 0 "usr/b"
`

func TestTOCRoundTrip(t *testing.T) {
	t.Parallel()
	toc, err := DecodeTOC([]byte(tocSample))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(toc.Encode()); got != tocSample {
		t.Errorf("got\n%s", got)
	}
	if e := toc.Entries[1]; e.Path != "tmp/caf\xe9" || e.Xattrs["user.b"] != "\x00" || e.GID != 5 || e.Size != 3 {
		t.Errorf("got %+v", e)
	}
	const want = "sha256:6ed370502dfb4e6c88b86f16d063d00bc980f55026941dd9bb43663a55b1291e"
	if got := toc.Digest(); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

func TestTOCKeepsNamesApart(t *testing.T) {
	t.Parallel()
	a := TOC{Entries: []Entry{{Path: "caf\xe9", Type: Fifo}}}
	b := TOC{Entries: []Entry{{Path: "caf\xe8", Type: Fifo}}}
	if a.Digest() == b.Digest() {
		t.Error("two names that are not UTF-8 have one digest")
	}
}

func TestDecodeTOCIsStrict(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, says string }{
		"unknown type":      {`x 0644 0 0 "a"`, "not a type"},
		"short mode":        {`d 755 0 0 "a"`, "not a mode"},
		"mode too high":     {`d 77777 0 0 "a"`, "not a mode"},
		"leading zero":      {`d 0755 00 0 "a"`, "not a number"},
		"negative":          {`d 0755 -1 0 "a"`, "not a number"},
		"plus":              {`d 0755 +1 0 "a"`, "not a number"},
		"absolute":          {`d 0755 0 0 "/a"`, "clean relative"},
		"dot dot":           {`d 0755 0 0 "a/../b"`, "clean relative"},
		"zero byte":         {`d 0755 0 0 "a\x00"`, "clean relative"},
		"needless escape":   {`d 0755 0 0 "\x61"`, "not written as it should"},
		"raw quotes":        {"d 0755 0 0 `a`", "quoted string"},
		"short digest":      {`f 0644 0 0 1 sha256:abc "a"`, "not a digest"},
		"upper case digest": {`f 0644 0 0 1 sha256:` + strings.Repeat("A", 64) + ` "a"`, "not a digest"},
		"trailing space":    {`d 0755 0 0 "a" `, "follows"},
		"xattr order":       {`d 0755 0 0 "a" "y" "1" "x" "1"`, "out of order"},
		"xattr twice":       {`d 0755 0 0 "a" "x" "1" "x" "1"`, "out of order"},
		"xattr half":        {`d 0755 0 0 "a" "x"`, "quoted string"},
		"out of order":      {"d 0755 0 0 \"b\"\nd 0755 0 0 \"a\"", "out of order"},
		"twice":             {"d 0755 0 0 \"a\"\nd 0755 0 0 \"a\"", "out of order"},
		"whiteout late":     {"p 0644 0 0 \"a\"\nw \"b\"", "out of order"},
		"too short":         {`d 0755`, "too short"},
		"empty line":        {"\n", "too short"},
	} {
		_, err := DecodeTOC([]byte(tocHeader + "\n" + c.body + "\n"))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %q", name, err, c.says)
		}
	}
	_, err := DecodeTOC([]byte(tocHeader + "\nd 0755 0 0 \"a\""))
	wantError(t, err, "no end")
	_, err = DecodeTOC([]byte("specbuild toc 2\n"))
	wantError(t, err, "does not start")
}

// The order must be one for every set of entries, or two machines would
// write two layers: antisymmetric and transitive over all kinds of pairs.
func TestOrderIsTotal(t *testing.T) {
	t.Parallel()
	var all []Entry
	for _, path := range []string{"", "a", "a-b", "a/b", "a/b/c", "a.b", "b", "a/a", "a0"} {
		for _, kind := range []Type{Dir, Whiteout, Opaque} {
			if path != "" || kind != Whiteout {
				all = append(all, Entry{Path: path, Type: kind})
			}
		}
	}
	for _, a := range all {
		for _, b := range all {
			ab, ba := compareEntries(&a, &b), compareEntries(&b, &a)
			if (ab < 0) != (ba > 0) || (ab == 0) != (ba == 0) {
				t.Errorf("%s / %s: %d and %d", a, b, ab, ba)
			}
			for _, c := range all {
				if ab < 0 && compareEntries(&b, &c) < 0 && compareEntries(&a, &c) >= 0 {
					t.Errorf("%s < %s < %s, but not the first and the last", a, b, c)
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b Entry) int { return compareEntries(&a, &b) })
	equal(t, lines(all[:8]), `
		d 0000 0 0 ""
		o ""
		w "a"
		w "a-b"
		w "a.b"
		w "a0"
		w "b"
		d 0000 0 0 "a"`)
}

func FuzzDecodeTOC(f *testing.F) {
	f.Add([]byte(tocSample))
	f.Add([]byte(tocHeader + "\n"))
	f.Add([]byte(tocHeader + "\nd 0755 0 0 \"a\" \"user.x\" \"\\xff\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		toc, err := DecodeTOC(data)
		if err != nil {
			return
		}
		if again := toc.Encode(); !bytes.Equal(again, data) {
			t.Errorf("decoded %q, encoded %q", data, again)
		}
	})
}
