package version

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
)

// TestCompareIsDpkgs asks dpkg about generated and odd pairs.
func TestCompareIsDpkgs(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("dpkg is not installed")
	}
	odd := []string{"1", "1.0", "1.00", "01", "1~", "1~~", "1~~a", "1a", "1+", "1-1", "1-0", "0:1", "1:0", "2:0.9-1~deb12u1",
		"a1", "1.2.3+dfsg-1", "1.2.3~rc1-1", "99999999999999999999999", "100000000000000000000000", "1.a~", "1.a", "1-a~"}
	r := rand.New(rand.NewPCG(3, 4))
	gen := func() string {
		var b strings.Builder
		b.WriteByte("0123456789"[r.IntN(10)])
		for range r.IntN(5) {
			b.WriteByte("0019abZ.+~~-"[r.IntN(12)])
		}
		return strings.TrimRight(b.String(), "-") // dpkg refuses an empty revision
	}
	var script strings.Builder
	var pairs [][2]string
	for range 1000 {
		pairs = append(pairs, [2]string{gen(), gen()})
	}
	for _, a := range odd {
		for _, b := range odd {
			pairs = append(pairs, [2]string{a, b})
		}
	}
	for _, p := range pairs {
		fmt.Fprintf(&script, "if dpkg --compare-versions '%[1]s' lt '%[2]s'; then echo -1; elif dpkg --compare-versions '%[1]s' eq '%[2]s'; then echo 0; else echo 1; fi\n", p[0], p[1])
	}
	cmd := exec.Command("sh")
	cmd.Stdin = strings.NewReader(script.String())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Fields(string(out)) {
		got := Compare(pairs[i][0], pairs[i][1])
		if fmt.Sprint(min(1, max(-1, got))) != line {
			t.Errorf("%s and %s: %d, dpkg says %s", pairs[i][0], pairs[i][1], got, line)
		}
	}
}

func TestOrderAndRelations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1", "1", 0}, {"1.0", "1.00", 0}, {"0:1", "1", 0}, {"1-0", "1", 0}, {"1~rc1", "1", -1}, {"1~~", "1~", -1}, {"1a", "1", 1},
		{"1+b", "1a", 1}, {"1:0", "9", 1}, {"1-1", "1-1.1", -1}, {"1.10", "1.9", 1}, {"99999999999999999999", "100000000000000000000", -1},
		{"1.2-3-4", "1.2-4-1", -1}, {"2.36-9+deb12u9", "2.36-9+deb12u10", -1}, {"a", "1", 1},
	} {
		if got := Compare(c.a, c.b); sign(got) != c.want {
			t.Errorf("%s against %s: %d, want %d", c.a, c.b, got, c.want)
		}
		if got := Compare(c.b, c.a); sign(got) != -c.want {
			t.Errorf("%s against %s: %d, want %d", c.b, c.a, got, -c.want)
		}
	}
	for relation, want := range map[string]bool{"<<": true, "lt": true, "le": true, "ne": true, "=": false, ">=": false, "gt": false, "??": false} {
		if Satisfies("", "lt-nl", "1") || !Satisfies("", "lt", "1") || !Satisfies("", "ge-nl", "1") {
			t.Error("no version at all is not where dpkg has it")
		}
		if Satisfies("1", relation, "2") != want {
			t.Errorf("1 %s 2 is not %t", relation, want)
		}
	}
}

func sign(n int) int { return min(1, max(-1, n)) }
