package lsp

import "testing"

func TestPositions(t *testing.T) {
	t.Parallel()
	const smile = "\U0001F600" // two units of UTF-16, four bytes
	for _, c := range []struct {
		name, raw    string
		offset       int // in the text without mark and carriage returns
		utf16, utf8_ position
	}{
		{"letters", "ab\ncd", 4, position{1, 1}, position{1, 1}},
		{"the beginning", "ab", 0, position{0, 0}, position{0, 0}},
		{"the end", "ab\n", 3, position{1, 0}, position{1, 0}},
		{"behind a letter of two bytes", "é=", 2, position{0, 1}, position{0, 2}},
		{"behind a pair of surrogates", smile + "x", 4, position{0, 2}, position{0, 4}},
		{"CRLF", "ab\r\ncd\r\ne", 6, position{2, 0}, position{2, 0}},
		{"the end of a line of CRLF", "ab\r\ncd", 2, position{0, 2}, position{0, 2}},
		{"a byte order mark", "\ufeffab", 1, position{0, 2}, position{0, 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			txt := newText([]byte(c.raw))
			for _, u := range []struct {
				utf8 bool
				want position
			}{{false, c.utf16}, {true, c.utf8_}} {
				if got := txt.position(c.offset, u.utf8); got != u.want {
					t.Errorf("utf8 %t: offset %d is %v, want %v", u.utf8, c.offset, got, u.want)
				}
				if got := txt.offset(u.want, u.utf8); got != c.offset {
					t.Errorf("utf8 %t: %v is offset %d, want %d", u.utf8, u.want, got, c.offset)
				}
			}
		})
	}
}

// The protocol says what a place means that does not exist.
func TestPlacesOutsideOfTheText(t *testing.T) {
	t.Parallel()
	txt := newText([]byte("ab\r\n\U0001F600\r\n"))
	for _, c := range []struct {
		at   position
		want int
	}{
		{position{0, 99}, 2}, {position{9, 0}, len("ab\n\U0001F600\n")}, {position{-1, 0}, 0}, {position{0, -3}, 0},
		{position{1, 1}, 3}, // inside of a pair of surrogates
	} {
		if got := txt.offset(c.at, false); got != c.want {
			t.Errorf("%v is offset %d, want %d", c.at, got, c.want)
		}
	}
}

func TestEditsKeepLineEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, raw string
		edit      change
		want      string
	}{
		{"the whole text", "old", change{Text: "new"}, "new"},
		{"a letter", "a\r\nb\r\n", change{Range: &span{position{1, 1}, position{1, 1}}, Text: "c"}, "a\r\nbc\r\n"},
		{"a line", "a\r\nb\r\nc", change{Range: &span{position{1, 0}, position{2, 0}}}, "a\r\nc"},
		{"behind a pair of surrogates", "\U0001F600b", change{Range: &span{position{0, 2}, position{0, 3}}, Text: "x"}, "\U0001F600x"},
		{"a range that ends before it begins", "abc", change{Range: &span{position{0, 2}, position{0, 1}}, Text: "x"}, "abxc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := string(newText([]byte(c.raw)).edit(c.edit, false).raw); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
