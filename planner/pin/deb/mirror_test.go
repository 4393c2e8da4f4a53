package deb

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMachineMirrors reads apt's configuration as apt does, for the mirrors
// of Debian's two archives.
func TestMachineMirrors(t *testing.T) {
	t.Parallel()
	debian, security := []string{"http://ftp.debian.org/debian"}, []string{"http://security.debian.org/debian-security"}
	for name, c := range map[string]struct {
		files            map[string]string
		debian, security []string
	}{
		"no apt": {nil, debian, security},
		"empty":  {map[string]string{"sources.list": "\n# nothing\n"}, debian, security},
		"one line": {map[string]string{"sources.list": "# deb http://old.example.com/debian x main\n" +
			"deb http://a.example.com/debian trixie main contrib # the near one\n" +
			"deb-src http://src.example.com/debian trixie main\n" +
			"deb\t[ arch=amd64,arm64 signed-by=/usr/share/keyrings/k.gpg ] https://b.example.com/debian/ trixie main\n" +
			"deb http://c.example.com/debian-security trixie-security main\n"},
			[]string{"http://a.example.com/debian", "https://b.example.com/debian"}, []string{"http://c.example.com/debian-security"}},
		"not for us": {map[string]string{"sources.list": "deb cdrom:[Debian 13]/ trixie main\n" +
			"deb mirror+file:/etc/apt/mirrors/debian trixie main\ndeb file:/srv/debian trixie main\n" +
			"deb copy:/srv/debian trixie main\ndeb http://archive.ubuntu.com/ubuntu noble main\ndeb http://x.example.com/debian\n"},
			debian, security},
		"deb822": {map[string]string{"sources.list.d/debian.sources": "# a comment\nTypes: deb deb-src\nURIs: http://a.example.com/debian/\n http://b.example.com/debian\n" +
			"Suites: trixie\nComponents: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEX\n -----END PGP PUBLIC KEY BLOCK-----\n\n" +
			"types: deb\nuris: http://s.example.com/debian-security\nSuites: trixie-security\n"},
			[]string{"http://a.example.com/debian", "http://b.example.com/debian"}, []string{"http://s.example.com/debian-security"}},
		"disabled": {map[string]string{"sources.list.d/debian.sources": "Enabled: no\nTypes: deb\nURIs: http://a.example.com/debian\n\n\n" +
			"Enabled: False\nTypes: deb\nURIs: http://b.example.com/debian\n\n" +
			"Types: deb-src\nURIs: http://c.example.com/debian\n", "sources.list.d/other.list.disabled": "deb http://d.example.com/debian x main\n"},
			debian, security},
		"spaces between": {map[string]string{"sources.list.d/a.sources": "Enabled: yes\nTypes: deb\nURIs: http://a.example.com/debian\n \t\nTypes: deb\nURIs: http://b.example.com/debian"},
			[]string{"http://a.example.com/debian", "http://b.example.com/debian"}, security},
		"windows lines": {map[string]string{"sources.list.d/a.sources": "Types: deb\r\nURIs: http://a.example.com/debian\r\n\r\nTypes: deb-src\r\nURIs: http://b.example.com/debian\r\n"},
			[]string{"http://a.example.com/debian"}, security},
		"each once, in order": {map[string]string{"sources.list": "deb http://b.example.com/debian x main\ndeb http://b.example.com/debian/ y main\n",
			"sources.list.d/a.list": "deb http://a.example.com/debian x main\ndeb http://b.example.com/debian x main\n"},
			[]string{"http://b.example.com/debian", "http://a.example.com/debian"}, security},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			etc := t.TempDir()
			for file, text := range c.files {
				at := filepath.Join(etc, "apt", file)
				if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(Mirrors{c.debian, c.security}, MachineMirrors(etc)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestSnapshotsAreAskedOfTheSnapshotServer, whatever mirrors the machine has.
func TestSnapshotsAreAskedOfTheSnapshotServer(t *testing.T) {
	t.Parallel()
	m := Mirrors{Debian: []string{"http://a.example.com/debian"}, Security: []string{"http://b.example.com/debian-security"}}
	for source, want := range map[string]string{
		sourceDebian:               "https://snapshot.debian.org/archive/debian/20260301T000000Z",
		sourceSecurity:             "https://snapshot.debian.org/archive/debian-security/20260301T000000Z",
		"http://own.example.com/x": "http://own.example.com/x",
	} {
		if got := m.Bases(source, "20260301T000000Z"); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", source, got, want)
		}
	}
}
