package secretscan_test

import (
	"testing"

	"github.com/specbuild/specbuild/planner/secretscan"
)

// FuzzScan holds of any text that findings are in it, in order and apart, and
// that the same text gives the same.
func FuzzScan(f *testing.F) {
	for _, value := range credentials() {
		f.Add("", value)
		f.Add("app/settings.yaml", "a: b\nkey = \""+value+"\"\n\xff"+value+value)
	}
	f.Add("x.php", "'secret_key' => 'sk_'")
	f.Add("", "key=>||= ::=\n\"'token'?='''\x00")
	var e secretscan.Engine
	f.Fuzz(func(t *testing.T, path, text string) {
		hits := e.Scan(path, text)
		last := 0
		for _, h := range hits {
			if h.Start < last || h.End <= h.Start || h.End > len(text) || h.Rule == "" {
				t.Fatalf("%+v after byte %d of %d", h, last, len(text))
			}
			last = h.End
		}
		if again := e.Scan(path, text); len(again) != len(hits) {
			t.Fatalf("%d findings, then %d", len(hits), len(again))
		}
	})
}
