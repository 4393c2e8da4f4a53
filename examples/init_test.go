package examples_test

import (
	"os"
	"path/filepath"
	"testing"
)

// TestInit builds what `specbuild init` writes, once in each syntax, with the
// packages that Debian's mirror has today.
func TestInit(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for name, c := range map[string]struct {
		flags  []string
		files  map[string]string
		serves []page
	}{
		"static": {files: map[string]string{"index.html": "Hello, reader!", "img/x.svg": "<svg/>"}, serves: []page{{"/", "Hello, reader!"}, {"/img/x.svg", "<svg/>"}}},
		"deb":    {flags: []string{"--yaml", "--lang", "deb"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), name)
			for file, text := range c.files {
				full := filepath.Join(dir, file)
				if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			l.run(t, dir, append([]string{"init"}, c.flags...)...)
			l.run(t, dir, "fmt", "--check")
			built := l.apply(t, dir)
			if built.state != "written" || len(built.platforms) != 2 {
				t.Errorf("apply says %q for %q, wanted \"written\" for two platforms", built.state, built.platforms)
			}
			l.run(t, dir, "validate").blameless(t)
			if c.serves != nil {
				l.serve(t, filepath.Join(dir, "out"), "linux/amd64", c.serves)
			}
		})
	}
}
