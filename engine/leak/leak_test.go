package leak

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
)

const value = "s3cr3t/va+lue?&"

func matcher(values ...string) *Matcher {
	var secrets []Secret
	for i, v := range values {
		secrets = append(secrets, Secret{Name: fmt.Sprintf("secret.s%d", i), Value: []byte(v)})
	}
	return New(secrets)
}

// lines breaks a text as base64(1), xxd -p and PEM do.
func lines(s string, n int, end string) string {
	var b strings.Builder
	for len(s) > n {
		b.WriteString(s[:n] + end)
		s = s[n:]
	}
	return b.String() + s + end
}

func TestEveryFormIsFoundWhereverItStands(t *testing.T) {
	t.Parallel()
	std, safe := base64.StdEncoding, base64.URLEncoding
	forms := map[string]string{
		"plain":                  value,
		"base64":                 std.EncodeToString([]byte(value)),
		"base64 with a line end": std.EncodeToString([]byte(value + "\n")),
		"base64, one before":     std.EncodeToString([]byte("x" + value + "after")),
		"base64, two before":     std.EncodeToString([]byte("xy" + value + "after")),
		"base64, a user before":  std.EncodeToString([]byte("user:" + value)),
		"base64url, unpadded":    safe.WithPadding(base64.NoPadding).EncodeToString([]byte(value)),
		"base64url, two before":  safe.EncodeToString([]byte("??" + value)),
		"base64 in short lines":  lines(std.EncodeToString([]byte(value)), 7, "\n"),
		"hex":                    hex.EncodeToString([]byte(value)),
		"HEX":                    strings.ToUpper(hex.EncodeToString([]byte(value))),
		"hex in lines":           lines(hex.EncodeToString([]byte(value)), 5, "\r\n"),
		"query":                  url.QueryEscape(value),
		"path":                   url.PathEscape(value),
		"query, small":           strings.ToLower(url.QueryEscape(value)),
	}
	m := matcher("another-value", value)
	for name, form := range forms {
		for _, before := range []int{0, 1, 5, 63, piece - 3, piece - 1, piece, 2*piece - 7} {
			text := strings.Repeat("\x00\xff.", before/3+1)[:before] + form + "tail"
			hit, ok, err := m.Reader(strings.NewReader(text))
			if err != nil || !ok || hit.Name != "secret.s1" {
				t.Errorf("%s after %d bytes: %+v %v %v", name, before, hit, ok, err)
			}
		}
		if hit, ok, err := m.Reader(iotest.OneByteReader(strings.NewReader(form))); err != nil || !ok {
			t.Errorf("%s, byte by byte: %+v %v", name, hit, err)
		}
	}
}

func TestKeysAreFoundByTheirLines(t *testing.T) {
	t.Parallel()
	raw := make([]byte, 400)
	fill(raw, 1)
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
	m := matcher(key)
	for name, text := range map[string]string{
		"as it is":       "x\n" + key,
		"indented":       "  " + strings.ReplaceAll(key, "\n", "\n  "),
		"in JSON":        `{"key":"` + strings.ReplaceAll(key, "\n", `\n`) + `"}`,
		"with CRLF":      strings.ReplaceAll(key, "\n", "\r\n"),
		"one line of it": strings.Split(key, "\n")[3],
		"base64, lines":  lines(base64.StdEncoding.EncodeToString([]byte(key)), 76, "\n"),
	} {
		if _, ok := m.Text(text); !ok {
			t.Errorf("%s: not found", name)
		}
	}
	if hit, ok := m.Text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"); ok {
		t.Errorf("another key: %+v", hit)
	}
}

// TestWhatIsAroundASecretIsNone: a file of credentials holds much that may be
// anywhere.
func TestWhatIsAroundASecretIsNone(t *testing.T) {
	t.Parallel()
	token := "npm_aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0zA1bC2"
	cert := make([]byte, 300)
	fill(cert, 2)
	public := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	m := matcher("//registry.npmjs.org/:_authToken="+token+"\nregistry=https://registry.npmjs.org/an/ordinary/address\n", public+"key "+strings.ToUpper(token))
	if hit, ok := m.Text("const token = '" + token + "'"); !ok || hit.As != "in part" {
		t.Errorf("the token alone: %+v %v", hit, ok)
	}
	for _, text := range []string{
		"registry=https://registry.npmjs.org/an/ordinary/address", "//registry.npmjs.org/:_authToken=${NPM_TOKEN}", public, "npm_", "",
	} {
		if hit, ok := m.Text(text); ok {
			t.Errorf("%q: %+v", text, hit)
		}
	}
}

func TestShortValuesAreNotSearched(t *testing.T) {
	t.Parallel()
	for _, short := range []string{"", "a", "1234567", "1234567\n", "  \n\n\n      "} {
		if m := matcher(short); m != nil {
			t.Errorf("%q is searched for", short)
		}
	}
	if _, ok := matcher("12345678").Text("x12345678x"); !ok {
		t.Error("eight bytes are not found")
	}
	var none *Matcher
	if _, ok := none.Text("anything"); ok {
		t.Error("no secrets were found")
	}
}

// TestASearchAgreesWithTheSimplestOne: over few letters, so that beginnings of
// values are everywhere.
func TestASearchAgreesWithTheSimplestOne(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	word := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "ab"[r.IntN(2)]
		}
		return string(b)
	}
	for range 2000 {
		values := []string{word(8 + r.IntN(4)), word(8 + r.IntN(12))}
		text := word(200)
		want := strings.Contains(text, values[0]) || strings.Contains(text, values[1])
		if _, ok := matcher(values...).Text(text); ok != want {
			t.Fatalf("%q in %q: %v, wanted %v", values, text, ok, want)
		}
	}
}

func TestArchivesAreSearched(t *testing.T) {
	t.Parallel()
	m := matcher(value)
	for name, c := range map[string]struct {
		data   []byte
		member string
	}{
		"gzip":        {gz(t, []byte("a "+value)), "(gzip)"},
		"zip":         {zipOf(t, "conf/app.ini", []byte("password="+value)), `"conf/app.ini"`},
		"name in zip": {zipOf(t, value, nil), ""},
		"gzip in zip": {zipOf(t, "a.gz", gz(t, []byte(value))), `"a.gz" (gzip)`},
		"zip in gzip": {gz(t, zipOf(t, "b", []byte(value))), `(gzip) "b"`},
	} {
		hit, ok, err := m.File(opener(c.data), int64(len(c.data)))
		if err != nil || !ok || hit.Member != c.member && c.member != "" {
			t.Errorf("%s: %+v %v %v", name, hit, ok, err)
		}
	}
}

// TestBrokenArchivesAreFilesLikeOthers: what looks like an archive and is none
// is no error.
func TestBrokenArchivesAreFilesLikeOthers(t *testing.T) {
	t.Parallel()
	whole := gz(t, bytes.Repeat([]byte("harmless "), 100_000))
	for name, data := range map[string][]byte{
		"the head of gzip": []byte("\x1f\x8b\x08"), "half a gzip": whole[:len(whole)/2],
		"the head of zip": []byte("PK\x03\x04 and then nothing"), "empty": nil,
	} {
		if hit, ok, err := matcher(value).File(opener(data), int64(len(data))); ok || err != nil {
			t.Errorf("%s: %+v %v", name, hit, err)
		}
	}
	broken := errors.New("the disk is broken")
	open := func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(broken)), nil }
	if _, _, err := matcher(value).File(open, 1); !errors.Is(err, broken) {
		t.Errorf("a file that cannot be read: %v", err)
	}
}

func TestAnErrorNamesThePlaceAndNotTheValue(t *testing.T) {
	t.Parallel()
	hit, _ := matcher(value).Text(value)
	err := &Error{Hit: hit, Where: "/app/config"}
	if s := err.Error(); strings.Contains(s, value) || !strings.Contains(s, "/app/config") || !strings.Contains(s, "secret.s0") {
		t.Errorf("%s", s)
	}
}

func opener(data []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

func gz(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipOf(t *testing.T, name string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// fill makes bytes that are the same every time and look like no text.
func fill(b []byte, seed uint64) {
	r := rand.New(rand.NewPCG(seed, seed))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
}

func BenchmarkReader(b *testing.B) {
	binary := make([]byte, 16<<20)
	fill(binary, 3)
	text := []byte(strings.Repeat("func (m *Matcher) Reader(r io.Reader) (Hit, bool, error) {\n", 16<<20/60))
	coded := []byte(lines(base64.StdEncoding.EncodeToString(binary[:12<<20]), 76, "\n"))
	for _, n := range []int{1, 10, 100} {
		var values []string
		for i := range n {
			raw := make([]byte, 15)
			fill(raw, uint64(i)+10)
			values = append(values, hex.EncodeToString(raw))
		}
		m := matcher(values...)
		for name, data := range map[string][]byte{"binary": binary, "text": text, "base64": coded} {
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					if _, ok, _ := m.Reader(bytes.NewReader(data)); ok {
						b.Fatal("found")
					}
				}
			})
		}
	}
}
