package lsp

import (
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
)

// drive is how a path of Windows begins in a URI.
var drive = regexp.MustCompile(`^/[A-Za-z]:`)

// pathOf is the file of a URI; not ok where it is none, as of a new text that
// has no name yet.
func pathOf(uri string) (string, bool) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "file" || u.Path == "" {
		return "", false
	}
	p := u.Path
	if drive.MatchString(p) {
		p = strings.TrimPrefix(p, "/")
	}
	return filepath.Clean(filepath.FromSlash(p)), true
}

// uri is how the editor calls a file.
func (s *server) uri(path string) string {
	if d := s.docs[path]; d != nil {
		return d.uri
	}
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed
	}
	return (&url.URL{Scheme: "file", Path: slashed}).String()
}
