package pin

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestValuesAreUnquotedAsStrconvDoes, also where they are not handed to it.
func TestValuesAreUnquotedAsStrconvDoes(t *testing.T) {
	t.Parallel()
	values := []string{"", `"`, `\`, `\"`, `a"b\c`, "a b", "\x00", "\n", "é", "\xff", "日本", "\u2028", `\n`, `""`, strings.Repeat(`\"`, 50)}
	r := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		b := make([]byte, r.IntN(12))
		for i := range b {
			b[i] = "\"\\ \tna\xc3\xa9"[r.IntN(8)]
		}
		values = append(values, string(b))
	}
	for _, v := range values {
		for _, tail := range []string{"", ` "x"`, " y"} {
			p := parser{}
			q := strconv.Quote(v)
			got, n, ok := p.unquote(q + tail)
			if !ok || got != v || n != len(q) {
				t.Errorf("%s%s: %q of %d bytes, %t", q, tail, got, n, ok)
			}
		}
	}
	for _, bad := range []string{`"`, `"a`, `"a\`, `"a\"`, `"\q"`, "\"a\nb\""} {
		p := parser{}
		if got, _, ok := p.unquote(bad); ok || len(p.problems) != 1 {
			t.Errorf("%s was read as %q", bad, got)
		}
	}
}

// packageLine is a line of the lock.
func packageLineOf(repo, arch, name, version string) string {
	return fmt.Sprintf("package %s %s %s %s %s debian pool/%s.deb 7 %s", repo, arch, name, version, arch, name, strings.Repeat("a", 64))
}

// TestRunsOfPackages: lines are read in runs that begin alike, so what
// interrupts a run must not end in it.
func TestRunsOfPackages(t *testing.T) {
	t.Parallel()
	lines := []string{
		packageLineOf("deb:a", "amd64", "p", "1"), packageLineOf("deb:a", "amd64", "q", "1"), "",
		packageLineOf("deb:a", "arm64", "p", "2"), packageLineOf("deb:a", "amd64", "o", "1"), // not sorted
		packageLineOf("deb:a", "amd64", "q", "1"), // again, as a merge leaves it
		strings.Replace(packageLineOf("deb:a", "amd64", "r", "1"), " debian ", ` "my archive" `, 1),
		packageLineOf(`"deb:b c"`, "amd64", "p", "3"), packageLineOf(`"deb:b c"`, "amd64", "q", "3"),
		packageLineOf("deb:a", "amd64", "s", "1"),
		"closure deb:a amd64 x - s p=1 q", "closure deb:a arm64 x - p",
	}
	for _, end := range []string{"\n", "\r\n"} {
		l := parse(t, []byte(header+end+strings.Join(lines, end)+end))
		var got []string
		for _, key := range []string{"deb:a", "deb:b c"} {
			for _, arch := range []string{"amd64", "arm64"} {
				for _, p := range l.Repositories[key].Packages[arch] {
					got = append(got, key+" "+arch+" "+p.Name+" "+p.Version+" "+p.Source)
				}
			}
		}
		want := []string{
			"deb:a amd64 o 1 debian", "deb:a amd64 p 1 debian", "deb:a amd64 q 1 debian", "deb:a amd64 r 1 my archive", "deb:a amd64 s 1 debian",
			"deb:a arm64 p 2 debian", "deb:b c amd64 p 3 debian", "deb:b c amd64 q 3 debian",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("packages (-want +got):\n%s", diff)
		}
		c, ok := l.Repositories["deb:a"].Closure("amd64", NewRequest([]string{"x"}, false, false), nil)
		if !ok || len(c.Packages) != 3 || c.Packages[0].Name != "s" || c.Packages[1].Name != "p" {
			t.Errorf("the closure is %+v", c)
		}
	}
}

// TestWhatIsWrongInALine, at its line, in its words.
func TestWhatIsWrongInALine(t *testing.T) {
	t.Parallel()
	good := packageLineOf("deb:a", "amd64", "p", "1")
	hex := strings.Repeat("a", 64)
	for name, c := range map[string]struct {
		lines []string
		line  int
		want  string
	}{
		"empty value":       {[]string{good, strings.Replace(good, " debian ", "  ", 1)}, 3, "there is an empty value"},
		"space at the end":  {[]string{good, good + " "}, 3, "there is an empty value"},
		"too few values":    {[]string{good, "package deb:a amd64 p 1"}, 3, "there are 2 values where there must be 7"},
		"too many":          {[]string{good, good + " x"}, 3, "there are 8 values where there must be 7"},
		"no size":           {[]string{good, strings.Replace(packageLineOf("deb:a", "amd64", "q", "1"), " 7 ", " seven ", 1)}, 3, `"seven" is no number`},
		"negative size":     {[]string{strings.Replace(good, " 7 ", " -7 ", 1)}, 2, `"-7" is no number`},
		"huge size":         {[]string{strings.Replace(good, " 7 ", " 99999999999999999999 ", 1)}, 2, "is no number"},
		"upper-case digest": {[]string{strings.Replace(good, hex, strings.ToUpper(hex), 1)}, 2, "is no sha256"},
		"short digest":      {[]string{good[:len(good)-1]}, 2, "is no sha256"},
		"two packages":      {[]string{good, strings.Replace(good, " 7 ", " 8 ", 1)}, 3, "the package p 1 is said otherwise"},
		"two versions":      {[]string{good, packageLineOf("deb:a", "amd64", "p", "2"), "closure deb:a amd64 x - p"}, 4, "has several versions here"},
		"no such version":   {[]string{good, "closure deb:a amd64 x - p=2"}, 3, "the package p 2, which no line pins"},
		"no such package":   {[]string{good, "closure deb:a amd64 x - p q"}, 3, "the package q, which no line pins"},
		"before all":        {[]string{good, "closure deb:a amd64 x - a"}, 3, "the package a, which no line pins"},
		"other port":        {[]string{good, "closure deb:a arm64 x - p"}, 3, "the package p, which no line pins"},
		"two closures":      {[]string{good, "closure deb:a amd64 x -", "closure deb:a amd64 x - p"}, 4, "is said otherwise in line 3"},
		"short closure":     {[]string{good, "closure deb:a amd64 x"}, 3, "a closure needs its request"},
		"short line":        {[]string{"base x -"}, 2, "is too short"},
		"unknown fact":      {[]string{"base x - colour red"}, 2, `the fact "colour" of a base is unknown`},
		"unknown kind":      {[]string{"layer x - y"}, 2, `the kind "layer" is unknown`},
		"no index":          {[]string{"base x linux/amd64 manifest sha256:" + hex}, 2, "has facts but no index line"},
		"far number":        {[]string{"base x linux/amd64 shape 70000 y"}, 2, "is too large"},
		"open quote":        {[]string{good, `base "x - index`}, 3, "a quoted value does not end"},
		"behind a quote":    {[]string{good, `base "x"- index`}, 3, "there is no space behind a quoted value"},
		"conflict":          {[]string{good, ">>>>>>> branch", good}, 3, "the mark of a merge conflict"},
	} {
		_, ds := Parse(FileName, []byte(header+"\n"+strings.Join(c.lines, "\n")+"\n"))
		if len(ds) != 1 || !strings.Contains(ds.Sorted()[0].Detail, c.want) || ds.Sorted()[0].Range.Start.Line != c.line {
			t.Errorf("%s: want %q in line %d, got %v", name, c.want, c.line, ds)
		}
	}
}

// TestClosuresFindTheirPackages among many, whatever the order of the words.
func TestClosuresFindTheirPackages(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString(header + "\n")
	var names []string
	for i := range 300 {
		names = append(names, fmt.Sprintf("p%03d", 3*i))
		text.WriteString(packageLineOf("deb:a", "amd64", names[i], "1") + "\n")
	}
	r := rand.New(rand.NewPCG(7, 8))
	for n := 1; n <= 50; n++ {
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		fmt.Fprintf(&text, "closure deb:a amd64 r%02d - %s\n", n, strings.Join(names[:n], " "))
		l := parse(t, []byte(text.String()))
		c, ok := l.Repositories["deb:a"].Closure("amd64", NewRequest([]string{fmt.Sprintf("r%02d", n)}, false, false), nil)
		var got []string
		for _, p := range c.Packages {
			got = append(got, p.Name)
		}
		if diff := cmp.Diff(names[:n], append([]string{}, got...)); !ok || diff != "" {
			t.Fatalf("%d words (-want +got):\n%s", n, diff)
		}
	}
}

// BenchmarkParseBases reads a lock of 40,000 lines that are facts of bases,
// most of them quoted.
func BenchmarkParseBases(b *testing.B) {
	l := Lock{Bases: map[string]Base{}}
	one := sample().Bases[debian]
	f := one.Facts["linux/amd64"]
	for i := range 190 {
		f.Shape = append(f.Shape, fmt.Sprintf(`l 0777 0 0 "usr/lib/%03d" "../lib"`, i))
	}
	one.Facts["linux/amd64"] = f
	for i := range 200 {
		l.Bases[fmt.Sprintf("docker.io/library/base:%d", i)] = one
	}
	text := l.Encode()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, ds := Parse(FileName, text); len(ds) > 0 {
			b.Fatal(ds)
		}
	}
}
