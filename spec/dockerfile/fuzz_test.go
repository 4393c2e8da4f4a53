package dockerfile

import (
	"strings"
	"testing"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// FuzzImport: whatever the Dockerfile is, the answer is diagnostics, or a spec
// that parses, is formatted and validates.
func FuzzImport(f *testing.F) {
	for _, file := range stories(f) {
		f.Add(string(readStory(f, file).dockerfile))
	}
	for _, s := range hostile() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ds := Import("Dockerfile", []byte(s), Options{Today: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
		if ds.HasErrors() != (got.HCL == nil) {
			t.Fatalf("a spec of %d bytes, and %v", len(got.HCL), ds)
		}
		if got.HCL == nil {
			return
		}
		for _, m := range wrong(t, got.HCL) {
			t.Errorf("%s: %s: %s\n%s", m.Range, m.Summary, m.Detail, got.HCL)
		}
		for _, n := range got.Notes {
			if n.Text == "" || strings.ContainsAny(n.Text, "\n\r") {
				t.Errorf("the note %q is no line", n.Text)
			}
			if n.Kind == Todo && !strings.Contains(string(got.HCL), "TODO(import): "+n.Text) {
				t.Errorf("%s is marked nowhere:\n%s", n, got.HCL)
			}
		}
	})
}

// hostile are Dockerfiles made to trip: each was a bug once, or looks like one.
func hostile() []string {
	return []string{
		"FROM scratch\nCOPY <<EOT /a\n  indented\n  all\nEOT\n",
		"FROM scratch\nCOPY <<EOT /a\nEOT2\n ${x} %{if} $${y}\n\n\t\nEOT\n",
		"FROM scratch\nENV A=\"$${B}\" C='%%{d}' E=$\n",
		"ARG A\nFROM ${A:-alpine}\nLABEL \"a b\"=c null=d for=e \"\"=f\n",
		"FROM a AS A\nFROM a AS a\nFROM A\n",
		"FROM x\nRUN \"\nRUN '\nRUN ${\nRUN <<E\n\\\nE\n",
		"FROM x\nWORKDIR ../../a/${B}\nCOPY ../a ../../b\nCOPY . ..\n",
		"FROM x\nUSER :\nUSER a:b:c\nCOPY --chown=: a b\nCOPY --chmod=99999 a b\nCOPY --chmod=u+x a b\n",
		"FROM x\nEXPOSE 1-65535 0 a/b 53/udp 53/UDP\nVOLUME [\"\", \"a\", \"/a/\"]\nSTOPSIGNAL \"\"\n",
		"FROM x\nADD https://a/ /\nADD https://a/b?c#d e\nADD git@a:b.git#c:d /e\nADD a.tar b.tgz /c\n",
		"FROM x\nRUN --mount=type=cache,target=/ --mount=target=. --mount=type=secret,id=../a,env=1 true\n",
		"FROM x\nRUN --mount=type=cache,target=$A,id=${B:-c} --mount=type=tmpfs,target=/t,size=1g make\n",
		"FROM x\nCMD []\nENTRYPOINT []\nHEALTHCHECK CMD []\nRUN []\nSHELL []\n",
		"FROM --platform=windows/amd64 x\nFROM --platform=$X y\n",
		"FROM X:Y@Z\nFROM a/../b\nFROM -\n",
		"FROM x\nENV PATH=$PATH:$PATH PATH=\nENV =\n",
		"FROM x\nONBUILD RUN a\nMAINTAINER \"\\u0000\n",
		"FROM x\nARG A=${A}\nARG A=${A}b\nENV A=$A\nRUN echo $A\n",
		"FROM x\nRUN useradd -u 1 a && useradd -u 1 a && groupadd -g 1 a\nUSER a\n",
		"FROM x\nRUN apt-get update && apt-get install -y a=1 a=2 'b c' && cd / && apt-get clean\n",
		"ARG a\nARG A\nFROM x\nARG a=1\nARG A=2\nENV X=$a$A\n",
	}
}

// FuzzExpand: on constants the answer is BuildKit's.
func FuzzExpand(f *testing.F) {
	for _, s := range []string{
		"$A", "${A}", "${A:-b}", "${E:-b}", "${E-b}", "${N-b}", "${A:+b}", "${E:+b}", "${E+b}", "${A#v}", "${A##*.}", "${A%.*}", "${A/1/2}", "${A//1/2}",
		`"$A"'$A'\$A`, `"\$A\"\\"`, "$", "${", "${}", "${A:", "$1", "$$", "a b", `\`, "${A:-${E:-x}}", "${A?b}", "<<A", "'", `"`,
	} {
		f.Add(s)
	}
	vars := map[string]string{"A": "v1.2.1", "E": ""}
	f.Fuzz(func(t *testing.T, word string) {
		get := func(name string) (text, bool) {
			v, ok := vars[name]
			return literal(v), ok
		}
		want, _, wantErr := shell.NewLex('\\').ProcessWord(word, shell.EnvsFromSlice([]string{"A=v1.2.1", "E="}))
		got, err := newExpander('\\', get).expand(word)
		if (err != nil) != (wantErr != nil) {
			if wantErr != nil && strings.Contains(word, "?") {
				return // ${A?word} stops a build; here the value is taken
			}
			t.Fatalf("%q: %v, BuildKit says %v", word, err, wantErr)
		}
		if s, ok := got.constant(); err == nil && (!ok || s != want) {
			t.Errorf("%q is %q, BuildKit's is %q", word, s, want)
		}
	})
}
