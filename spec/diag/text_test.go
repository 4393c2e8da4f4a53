package diag

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

const source = "stage \"build\" {\n\tfrom = base.og\n\tscript = <<-EOT\n\t\techo ${NAME:-x}\n\t\ta\n\t\tb\n\t\tc\n\t\td\n\tEOT\n}\n"

// span is the range of the first occurrence of text in src.
func span(t *testing.T, file, src, text string) Range {
	t.Helper()
	i := strings.Index(src, text)
	if i < 0 {
		t.Fatalf("%q is not in the source", text)
	}
	pos := func(at int) Pos {
		start := strings.LastIndex(src[:at], "\n") + 1
		return Pos{Line: 1 + strings.Count(src[:at], "\n"), Column: 1 + len([]rune(src[start:at])), Byte: at}
	}
	return Range{File: file, Start: pos(i), End: pos(i + len(text))}
}

func render(t *testing.T, l List, sources map[string][]byte, o TextOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteText(&b, l, sources, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run with -update and read the diff\ngot:\n%s", path, got)
	}
}

// story is a list with everything that a diagnostic can have.
func story(t *testing.T) List {
	name := span(t, "image.hcl", source, "og")
	opener := span(t, "image.hcl", source, "$")
	return List{
		{Severity: Warning, Code: "network-outbound", Summary: "Step reaches the network", Detail: "It may fetch anything.",
			Range: span(t, "image.hcl", source, "stage \"build\"")},
		{Summary: "Unexpected text in template", Detail: "A closing brace was expected after the expression.\n\nIn a string, ${ and %{ belong to specbuild; what is meant for the shell is written with the sign doubled.",
			Range: span(t, "image.hcl", source, ":-x"), Fix: &Fix{Range: opener, Replacement: "$$"}},
		{Summary: "Unknown name", Detail: `base has no "og". Did you mean "go"?`, Range: name,
			Notes: []Note{{Message: "This stage uses it.", Range: span(t, "image.hcl", source, "stage")},
				{Message: "Bases are declared in another file.", Range: Range{File: "other.hcl", Start: Pos{Line: 3, Column: 1}}},
				{Message: "No place."}}},
		{Severity: Info, Summary: "Nothing to point at", Detail: "A sentence."},
	}
}

func TestWriteTextGolden(t *testing.T) {
	t.Parallel()
	sources := map[string][]byte{"image.hcl": []byte(source)}
	golden(t, "story.txt", render(t, story(t), sources, TextOptions{}))
	golden(t, "story_narrow.txt", render(t, story(t), sources, TextOptions{Width: 48}))
	golden(t, "story_color.txt", render(t, story(t), sources, TextOptions{Color: true, Width: 80}))
}

func TestWriteTextEmptyListIsSilent(t *testing.T) {
	t.Parallel()
	if got := render(t, nil, nil, TextOptions{}); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestWriteTextOrderAndRepetition(t *testing.T) {
	t.Parallel()
	var l List
	l.Errorf(Range{File: "b", Start: Pos{Line: 1, Column: 1}}, "Second", "x")
	l.Errorf(Range{File: "a", Start: Pos{Line: 9, Column: 1}}, "First", "x")
	l.Errorf(Range{File: "b", Start: Pos{Line: 1, Column: 1}}, "Second", "x")
	got := render(t, l, nil, TextOptions{})
	if strings.Count(got, "Second") != 1 || strings.Index(got, "First") > strings.Index(got, "Second") {
		t.Errorf("got:\n%s", got)
	}
	if !strings.HasSuffix(got, "\n2 errors\n") {
		t.Errorf("counts: %q", got)
	}
}

// carets renders one range and gives the marked lines as "text/marks".
func carets(t *testing.T, src, text string, width int) []string {
	t.Helper()
	var out []string
	for _, e := range excerpt([]byte(src), span(t, "f", src, text), width) {
		out = append(out, e.text, e.marks)
	}
	return out
}

func TestExcerptCarets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, src, text string
		want            []string
	}{
		{"plain", "a = b\n", "b", []string{"a = b", "    ^"}},
		{"tab before", "\ta\tbc\n", "bc", []string{"    a   bc", "        ^^"}},
		{"tab inside", "a\tb\n", "a\tb", []string{"a   b", "^^^^^"}},
		{"runes before", "é→x = 1\n", "x", []string{"é→x = 1", "  ^"}},
		{"combining mark", "e\u0301x\n", "x", []string{"e\u0301x", " ^"}},
		{"no newline at the end", "abc", "c", []string{"abc", "  ^"}},
		{"carriage return", "abc\r\nd", "c", []string{"abc", "  ^"}},
		{"escape sequence", "a \x1b[31mred", "red", []string{`a \x1b[31mred`, `          ^^^`}},
		{"bidi override", "a\u202eb", "b", []string{`a\u202eb`, `       ^`}},
		{"broken utf-8", "a\xffb", "b", []string{`a\xffb`, `     ^`}},
		{"two lines", "x = [\n  1,\n]\n", "[\n  1", []string{"x = [", "    ^", "  1,", "^^^"}},
		{"ends with a newline", "ab\ncd\n", "ab\n", []string{"ab", "^^"}},
		{"empty line inside", "a\n\nb\n", "a\n\nb", []string{"a", "^", "", "", "b", "^"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := carets(t, c.src, c.text, 0)
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestExcerptEmptyRangeHasOneCaret(t *testing.T) {
	t.Parallel()
	at := Pos{Line: 1, Column: 4, Byte: 3}
	got := excerpt([]byte("abc\n"), Range{File: "f", Start: at, End: at}, 0)
	if len(got) != 1 || got[0].marks != "   ^" {
		t.Errorf("got %+v", got)
	}
}

func TestExcerptByColumnWhereByteIsUnknown(t *testing.T) {
	t.Parallel()
	r := Range{File: "f", Start: Pos{Line: 2, Column: 3}, End: Pos{Line: 2, Column: 4}}
	got := excerpt([]byte("first\nééx = 1\n"), r, 0)
	if len(got) != 1 || got[0].marks != "  ^" {
		t.Errorf("got %+v", got)
	}
}

func TestExcerptLongRangeIsCut(t *testing.T) {
	t.Parallel()
	got := excerpt([]byte(source), span(t, "f", source, source[:len(source)-1]), 0)
	if len(got) != maxLines || got[maxLines-2].number != 0 || got[maxLines-1].text != "}" {
		t.Errorf("got %+v", got)
	}
}

func TestExcerptLongLineShowsItsCarets(t *testing.T) {
	t.Parallel()
	src := strings.Repeat("x", 5<<20) + "HERE" + strings.Repeat("y", 5<<20)
	got := excerpt([]byte(src), span(t, "f", src, "HERE"), 60)
	if len(got) != 1 {
		t.Fatalf("got %d lines", len(got))
	}
	text, marks := []rune(got[0].text), got[0].marks
	if len(text) > 60 {
		t.Errorf("%d columns", len(text))
	}
	at := strings.Index(marks, "^")
	if at < 0 || string(text[at:at+4]) != "HERE" || strings.Count(marks, "^") != 4 {
		t.Errorf("text %q\nmarks %q", string(text), marks)
	}
	if text[0] != '…' || text[len(text)-1] != '…' {
		t.Errorf("cuts are not shown: %q", string(text))
	}
}

func TestExcerptOutsideTheSource(t *testing.T) {
	t.Parallel()
	if got := excerpt([]byte("a\n"), Range{File: "f", Start: Pos{Line: 7, Column: 1, Byte: 90}, End: Pos{Line: 7, Column: 2, Byte: 91}}, 0); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestTextNeverReachesTheTerminalRaw(t *testing.T) {
	t.Parallel()
	evil := "\x1b]0;owned\x07 \u202e \xff \u009b"
	var l List
	l.Errorf(Range{File: "a\x1b.hcl", Start: Pos{Line: 1, Column: 1}, End: Pos{Line: 1, Column: 2, Byte: 1}}, "Bad "+evil, "%s", evil)
	l[0].Notes = []Note{{Message: evil}}
	l[0].Fix = &Fix{Replacement: evil}
	got := render(t, l, map[string][]byte{"a\x1b.hcl": []byte(evil)}, TextOptions{})
	for _, bad := range []string{"\x1b", "\x07", "\u202e", "\xff", "\u009b"} {
		if strings.Contains(got, bad) {
			t.Errorf("%q reached the terminal:\n%q", bad, got)
		}
	}
}

func TestWrapKeepsWordsWhole(t *testing.T) {
	t.Parallel()
	head, tail := breakAt("aaaa bbbb cccc", 9)
	if head != "aaaa bbbb" || tail != "cccc" {
		t.Errorf("got %q, %q", head, tail)
	}
	if head, tail = breakAt("averylongword next", 4); head != "averylongword" || tail != "next" {
		t.Errorf("got %q, %q", head, tail)
	}
	if head, tail = breakAt("averylongword", 4); head != "averylongword" || tail != "" {
		t.Errorf("got %q, %q", head, tail)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestWriteErrorsComeBack(t *testing.T) {
	t.Parallel()
	if err := WriteText(fullDisk{}, story(t), nil, TextOptions{}); err == nil {
		t.Error("WriteText hides the error")
	}
	if err := WriteJSON(fullDisk{}, story(t)); err == nil {
		t.Error("WriteJSON hides the error")
	}
}

func TestWriteJSONGolden(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := WriteJSON(&b, story(t)); err != nil {
		t.Fatal(err)
	}
	golden(t, "story.json", b.String())
	b.Reset()
	if err := WriteJSON(&b, nil); err != nil {
		t.Fatal(err)
	}
	golden(t, "empty.json", b.String())
}

// TestSecretsAreNotShown holds for the excerpts of all diagnostics of a list:
// another one may be about the same line.
func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	src := []byte("env = { A = \"hunter2\" }\n")
	at := Range{File: "image.hcl", Start: Pos{1, 13, 12}, End: Pos{1, 22, 21}}
	whole := Range{File: "image.hcl", Start: Pos{1, 1, 0}, End: Pos{1, 24, 23}}
	l := List{{Summary: "A secret", Range: at, Secret: true}, {Summary: "Another", Range: whole}, {Summary: "Elsewhere", Range: Range{File: "gone.hcl"}, Secret: true}}
	var out strings.Builder
	if err := WriteText(&out, l, map[string][]byte{"image.hcl": src}, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), `env = { A = "*******" }`); n != 2 || strings.Contains(out.String(), "hunter2") {
		t.Errorf("the line is there %d times:\n%s", n, out.String())
	}
	if !strings.Contains(string(src), "hunter2") {
		t.Error("the source itself was changed")
	}
}

// A fix that leaves out a block names its first line, not all of it.
func TestLongFixesAreToldInOneLine(t *testing.T) {
	t.Parallel()
	src := "stage \"a\" {\n  from = scratch\n\n  copy {\n    to = \"/\"\n  }\n}\n"
	whole := Range{File: "image.hcl", Start: Pos{Line: 1, Column: 1}, End: Pos{Line: 8, Column: 1, Byte: len(src)}}
	var out strings.Builder
	l := List{{Severity: Warning, Summary: "Nothing uses this", Fix: &Fix{Range: whole}}}
	if err := WriteText(&out, l, map[string][]byte{"image.hcl": []byte(src)}, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if want := "  fix: leave out `stage \"a\" { … (7 lines)` at image.hcl:1:1\n"; !strings.Contains(out.String(), want) {
		t.Errorf("%q is not in\n%s", want, &out)
	}
}
