package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/spec/starter"
)

// The questions propose what is known; an empty line, or the end, takes it,
// and what a flag has said is not asked.
func TestInitAsks(t *testing.T) {
	t.Parallel()
	guess := starter.Options{Name: "shop", Kind: starter.Go}
	for _, c := range []struct {
		flags         initFlags
		answers, sign string
		want          initFlags
		asked         string
	}{
		{answers: "\n\n\n", sign: "go.mod", want: initFlags{name: "shop", kind: "go"}, asked: "there is a go.mod"},
		{answers: "", want: initFlags{name: "shop", kind: "go"}, asked: "[shop]"},
		{answers: "web\n static \nyaml\n", want: initFlags{name: "web", kind: "static", yaml: true}, asked: "Syntax"},
		{flags: initFlags{name: "x", kind: "deb", yaml: true}, answers: "no\n", want: initFlags{name: "x", kind: "deb", yaml: true}},
	} {
		var out bytes.Buffer
		got := c.flags
		ask(strings.NewReader(c.answers), &out, &got, guess, c.sign)
		if got != c.want {
			t.Errorf("%q: got %+v, want %+v", c.answers, got, c.want)
		}
		if !strings.Contains(out.String(), c.asked) || c.asked == "" && out.Len() > 0 {
			t.Errorf("%q: asked %q, want %q", c.answers, &out, c.asked)
		}
	}
}
