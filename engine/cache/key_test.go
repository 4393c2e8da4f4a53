package cache

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// goldenKey is fixed: if these bytes change, the version in the first line
// of every key has to change too.
func goldenKey() *Key {
	k := NewKey("run v1")
	k.Line("platform", "linux/amd64")
	k.Line("arg", "printf")
	k.Line("arg", "a\nenv \"X=1\"")
	k.Line("env", "NAME=caf\xe9")
	k.Line("user", "0", "0")
	k.Line("outputs")
	return k
}

func TestKeyTextIsGolden(t *testing.T) {
	t.Parallel()
	const want = `run v1
platform "linux/amd64"
arg "printf"
arg "a\nenv \"X=1\""
env "NAME=caf\xe9"
user "0" "0"
outputs
`
	if got := goldenKey().Text(); got != want {
		t.Errorf("text is\n%s\nwant\n%s", got, want)
	}
}

func TestIdentifiersAreGolden(t *testing.T) {
	t.Parallel()
	k := goldenKey()
	for _, tc := range []struct{ what, got, want string }{
		{"DefID", k.DefID().String(), "a70d8a3a6e318d06c0c397483dfdba07a74cd2af145ab12c3513d7bc3963c185"},
		{"ActionID", k.ActionID().String(), "8d308017c5fc2783e9dbcf20d68b808088f42e09db211da4433bf9b6e9285ef3"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s is %s, want %s", tc.what, tc.got, tc.want)
		}
	}
}

func TestKeysKeepValuesApart(t *testing.T) {
	t.Parallel()
	keys := map[string][][]string{ // what differs → the lines, name first
		"one value with a space":    {{"arg", "a b"}},
		"two values":                {{"arg", "a", "b"}},
		"two lines":                 {{"arg", "a"}, {"arg", "b"}},
		"a value that looks like 2": {{"arg", "a\"\narg \"b"}},
		"latin-1 e acute":           {{"arg", "caf\xe9"}},
		"latin-1 e grave":           {{"arg", "caf\xe8"}},
		"utf-8 e acute":             {{"arg", "café"}},
		"replacement character":     {{"arg", "caf\ufffd"}},
		"no value":                  {{"arg"}},
		"empty value":               {{"arg", ""}},
	}
	seen := map[DefID]string{}
	for what, lines := range keys {
		k := NewKey("run v1")
		for _, l := range lines {
			k.Line(l[0], l[1:]...)
		}
		if other, ok := seen[k.DefID()]; ok {
			t.Errorf("%q and %q have one key", what, other)
		}
		seen[k.DefID()] = what
	}
}

func TestOneTextIsTwoIdentifiers(t *testing.T) {
	t.Parallel()
	k := NewKey("base v1")
	if k.DefID().String() == k.ActionID().String() {
		t.Error("a definition and an action of one text have one identifier")
	}
}

func TestUnsealGivesBackWhatWasSealed(t *testing.T) {
	t.Parallel()
	b := appendLine([]byte("x v1\n"), "one", "a b", "caf\xe9", "", "\"\n\\")
	lines, err := unseal(seal(appendLine(b, "none")), "x v1")
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 2 || lines[1].name != "none" || len(lines[1].values) != 0 {
		t.Fatalf("lines are %q", lines)
	}
	if got := strings.Join(lines[0].values, "|"); got != "a b|caf\xe9||\"\n\\" {
		t.Errorf("values are %q", got)
	}
}

func TestUnsealRefusesDamage(t *testing.T) {
	t.Parallel()
	good := seal(appendLine([]byte("x v1\n"), "one", "value"))
	if _, err := unseal(good, "y v1"); err == nil {
		t.Error("another kind of file was accepted")
	}
	for cut := range good {
		if _, err := unseal(good[:cut], "x v1"); err == nil {
			t.Errorf("the first %d of %d bytes were accepted", cut, len(good))
		}
	}
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 0x20
		if _, err := unseal(bad, "x v1"); err == nil {
			t.Errorf("a changed byte %d was accepted", i)
		}
	}
}

// Lines are read as strconv reads them, whether quickly or not.
func TestLinesAreReadAsStrconvDoes(t *testing.T) {
	t.Parallel()
	for _, v := range []string{
		"", "plain", `"`, `\`, `a"b\c`, "ends\n", "\n\n", "tab\there", "\x00\xff\xfe", "ä – 漢", "\u2028", "\x7f\a\r", `\n`, strings.Repeat("x\"\n", 1000),
	} {
		text := strconv.Quote(v)
		l, err := parseLine("name " + text + " " + text)
		if err != nil || l.name != "name" || !slices.Equal(l.values, []string{v, v}) {
			t.Errorf("%s is read as %q (%v)", text, l, err)
		}
	}
	for _, text := range []string{`"`, `"a`, `"a\`, `"a\"`, `"a\q"`, `"\`, `a`, `\"`, `"a" b`, `"a\n" "`} {
		if l, err := parseLine("name " + text); err == nil {
			t.Errorf("%s is read as %q", text, l)
		}
	}
}

// An entry of a copy of many files: its key names each.
func BenchmarkParseEntry(b *testing.B) {
	k := NewKey("copy v1")
	for i := range 50_000 {
		k.Line("entry", fmt.Sprintf("f %q 0644 0 0 12345 %q", fmt.Sprintf("src/folder/%d/file-%d.go", i%100, i), strings.Repeat("0123456789abcdef", 4)))
	}
	data := Entry{DiffID: "sha256:" + strings.Repeat("ab", 32), KeyText: k.Text()}.text()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if e, err := parseEntry(data); err != nil || len(e.KeyText) != len(k.Text()) {
			b.Fatal(err)
		}
	}
}
