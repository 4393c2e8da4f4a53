package deb

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
)

// world reads "name version; Field: value; …" lines.
func world(t *testing.T, lines string) *Index {
	t.Helper()
	var text strings.Builder
	for line := range strings.Lines(strings.TrimSpace(lines)) {
		head, rest, _ := strings.Cut(strings.TrimSpace(line), ";")
		name, version, _ := strings.Cut(head, " ")
		text.WriteString("Package: " + name + "\nVersion: " + version + "\nArchitecture: amd64\nFilename: pool/" + name + ".deb\nSize: 1\nSHA256: " + strings.Repeat("0", 64) + "\n")
		for f := range strings.SplitSeq(rest, ";") {
			text.WriteString(strings.TrimSpace(f) + "\n")
		}
		text.WriteString("\n")
	}
	records, err := readRecords(text.String())
	if err != nil {
		t.Fatal(err)
	}
	packed, err := newTable(records)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := packed.encode()
	if err != nil {
		t.Fatal(err)
	}
	if packed, err = decodeTable(raw); err != nil { // as from the cache
		t.Fatal(err)
	}
	return newIndex("amd64", []shelf{{packed, sourceDebian}})
}

func TestSolve(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, world, install, want string
		req                        Request
	}{
		{"best version", "a 1\na 2", "a", "a=2", Request{}},
		{"pinned", "a 1\na 2", "a=1", "a=1", Request{}},
		{"first alternative", "a 1; Depends: b | c\nb 1\nc 1", "a", "a=1 b=1", Request{}},
		{"chosen alternative", "a 1; Depends: b | c, c\nb 1\nc 1", "a", "a=1 c=1", Request{}},
		{"versioned provides", "a 1; Depends: v (>= 2)\nb 1; Provides: v\nc 1; Provides: v (= 2)", "a", "a=1 c=1", Request{}},
		{"one provider", "b 1; Provides: v", "v", "b=1", Request{}},
		{"clash skipped", "a 1; Depends: d, b | c\nb 1\nc 1\nd 1; Conflicts: b", "a", "a=1 c=1 d=1", Request{}},
		{"global order", "a 1; Depends: l, m\nl 1; Depends: b | c\nb 1; Conflicts: c\nc 1\nm 1; Depends: n\nn 1; Depends: c (= 1)", "a", "a=1 c=1 l=1 m=1 n=1", Request{}},
		{"installed stays", "a 1; Depends: b\nb 1\nb 2", "a", "a=1", Request{Installed: []Installed{{"b", "1"}}}},
		{"preferred", "a 1; Depends: b\nb 1\nb 2", "a", "a=1 b=1", Request{Prefer: map[string]string{"b": "1"}}},
		{"preferred does not fit", "a 1; Depends: b (>= 2), c\nb 1\nb 2\nc 1\nc 2", "a", "a=1 b=2 c=1", Request{Prefer: map[string]string{"b": "1", "c": "1"}}},
		{"preferred needs too much", "a 2; Depends: c (>= 2)\na 1; Depends: c (= 1)\nb 1; Depends: c (>= 2)\nc 1\nc 2", "a b", "a=2 b=1 c=2", Request{Prefer: map[string]string{"a": "1"}}},
		{"preferred is gone", "a 1; Depends: b\nb 2", "a", "a=1 b=2", Request{Prefer: map[string]string{"b": "1"}}},
		{"recommends", "a 1; Recommends: b, c, x\nb 1\nc 1; Conflicts: a", "a", "a=1 b=1", Request{Recommends: true}},
		{"no recommends", "a 1; Recommends: b\nb 1", "a", "a=1", Request{}},
		{"configure", "a 1\napt 1\ne 1; Essential: yes\nr 1; Priority: required\no 1", "a", "a=1 apt=1 e=1 r=1", Request{Configure: true}},
		{"merged", "a 1; Depends: usrmerge | usr-is-merged\nusrmerge 1\nusr-is-merged 1", "a", "a=1 usr-is-merged=1", Request{}},
		{"unknown", "a 1", "b", `package "b" is not in the archive for amd64`, Request{}},
		{"wrong pin", "a 1\na 2", "a=3", "package a has no version 3; available: 2, 1", Request{}},
		{"ambiguous", "b 1; Provides: v\nc 1; Provides: v", "v", "v is a virtual package provided by b, c: name one of them", Request{}},
		{"missing", "a 1; Depends: b\nb 1; Depends: c (>= 2)\nc 1", "a", "a needs b needs c (>= 2): it is not in the archive in a version that fits", Request{}},
		{"conflict", "a 1; Depends: b, c\nb 1; Conflicts: c\nc 1", "a", "a needs c: b, wanted by a, conflicts with c (it says c)", Request{}},
	} {
		c.req.Install = strings.Fields(c.install)
		got, err := world(t, c.world).Solve(c.req)
		var out []string
		for _, p := range got {
			out = append(out, p.Name+"="+p.Version)
		}
		text := strings.Join(out, " ")
		if err != nil {
			text = err.Error()
		}
		if text != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, text, c.want)
		}
	}
}

func TestRelease(t *testing.T) {
	t.Parallel()
	key, err := openpgp.NewEntity("archive", "", "a@example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	now := key.PrimaryKey.CreationTime.Add(48 * time.Hour).UTC()
	var public, signed bytes.Buffer
	if err := key.Serialize(&public); err != nil {
		t.Fatal(err)
	}
	w, err := clearsign.Encode(&signed, key.PrivateKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	stamp := "Mon, 02 Jan 2006 15:04:05 UTC"
	w.Write([]byte("Suite: stable\nCodename: trixie\nDate: " + now.Format(stamp) + "\nValid-Until: " + now.Add(72*time.Hour).Format(stamp) + "\n"))
	w.Close()
	good := signed.String()
	for name, c := range map[string]struct {
		text, suite string
		keys        []byte
		now         time.Time
		want        string
	}{
		"good":          {good, "trixie", public.Bytes(), now, ""},
		"by suite":      {good, "stable", public.Bytes(), now, ""},
		"wrong key":     {good, "trixie", debianKeys, now, ErrSignature.Error()},
		"flipped":       {strings.Replace(good, "trixie", "trixif", 1), "trixif", public.Bytes(), now, ErrSignature.Error()},
		"text before":   {"Suite: x\n" + good, "trixie", public.Bytes(), now, "does not begin"},
		"text after":    {good + "\nSuite: x\n", "trixie", public.Bytes(), now, "follow the signed message"},
		"another suite": {good, "bookworm", public.Bytes(), now, "is of suite"},
		"stale":         {good, "trixie", public.Bytes(), now.Add(100 * time.Hour), "stale"},
		"future":        {good, "trixie", public.Bytes(), now.Add(-30 * time.Hour), "future"},
		"keys ended":    {good, "trixie", debianKeys, now.AddDate(40, 0, 0), "have ended"},
	} {
		_, err := verify(document{Text: []byte(c.text)}, c.keys, c.suite, c.now, false)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	if _, err := verify(document{Text: []byte(good)}, public.Bytes(), "trixie", now.Add(100*time.Hour), true); err != nil {
		t.Errorf("a snapshot may be stale: %v", err)
	}
	if _, err := keyring(debianKeys, time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil || errors.Is(err, ErrSignature) {
		t.Error(err)
	}
}
