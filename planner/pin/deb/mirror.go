package deb

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Names of Debian's two archives in Package.Source.
const (
	sourceDebian   = "debian"
	sourceSecurity = "debian-security"
)

// Mirrors are where Debian's archives can be had, tried in order.
type Mirrors struct{ Debian, Security []string }

// MachineMirrors are those that apt uses on this machine, read below etc
// ("/etc"), else Debian's own. Any suite will do: an archive has all.
func MachineMirrors(etc string) Mirrors {
	var m Mirrors
	files, _ := filepath.Glob(filepath.Join(etc, "apt/sources.list.d/*"))
	for _, name := range append([]string{filepath.Join(etc, "apt/sources.list")}, files...) {
		raw, err := os.ReadFile(name)
		if err != nil {
			continue // what apt's configuration lacks, the defaults give
		}
		switch filepath.Ext(name) {
		case ".list":
			for line := range strings.Lines(string(raw)) {
				line = options.ReplaceAllString(line, "")
				if f := strings.Fields(line); len(f) > 2 && f[0] == "deb" {
					m.add(f[1])
				}
			}
		case ".sources":
			for _, paragraph := range between.Split(string(raw), -1) {
				f := stanza(paragraph)
				if disabled(f["Enabled"]) || !slices.Contains(strings.Fields(f["Types"]), "deb") {
					continue
				}
				for _, uri := range strings.Fields(f["Uris"]) {
					m.add(uri)
				}
			}
		}
	}
	if len(m.Debian) == 0 {
		m.Debian = []string{"http://ftp.debian.org/debian"}
	}
	if len(m.Security) == 0 {
		m.Security = []string{"http://security.debian.org/debian-security"}
	}
	return m
}

// between matches what separates the paragraphs of a deb822 file.
var between = regexp.MustCompile(`\r?\n[ \t]*\r?\n`)

// disabled is apt's reading of a boolean that is false.
func disabled(enabled string) bool {
	switch strings.ToLower(enabled) {
	case "no", "false", "without", "off", "disable", "0":
		return true
	}
	return false
}

// options matches "[arch=amd64 signed-by=…]" of a one-line source.
var options = regexp.MustCompile(`\[[^]]*\]`)

// add takes a URI for Debian's by the last part of its path, the name that
// mirrors keep.
func (m *Mirrors) add(uri string) {
	uri = strings.TrimRight(uri, "/")
	if !strings.HasPrefix(uri, "http://") && !strings.HasPrefix(uri, "https://") {
		return // cdrom, file, mirror+…: not for us
	}
	list := &m.Debian
	switch uri[strings.LastIndexByte(uri, '/')+1:] {
	case sourceDebian:
	case sourceSecurity:
		list = &m.Security
	default:
		return
	}
	if !slices.Contains(*list, uri) {
		*list = append(*list, uri)
	}
}
