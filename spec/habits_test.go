package spec

import (
	"strings"
	"testing"

	"github.com/specbuild/specbuild/spec/grammar"
)

// Where home says that a block stands, the tables have it; and it says it of
// every block that stands in another.
func TestHomeAgreesWithTheTables(t *testing.T) {
	t.Parallel()
	in := map[string][]string{}
	var walk func(b *grammar.Block)
	walk = func(b *grammar.Block) {
		for _, n := range b.Blocks {
			if b.Name != "" {
				in[n.Name] = append(in[n.Name], b.Name)
			}
			walk(n)
		}
	}
	walk(Grammar())
	for name, parents := range in {
		said := home(name)
		if said == "" {
			t.Errorf("%s stands in %v, which home does not say", name, parents)
		}
		for _, p := range parents {
			if p != "test" && !strings.Contains(said, "`"+p+"`") { // file is at home in two senses
				t.Errorf("home(%q) = %q, but the tables have it in %q too", name, said, p)
			}
		}
	}
}
