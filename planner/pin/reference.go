package pin

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// Reference is the name of an image in a registry, in the full form:
// "alpine" is docker.io/library/alpine. The grammar is that of the
// distribution project's reference package.
type Reference struct {
	Registry   string // host, with a port where one is said
	Repository string
	Tag        string // or empty
	Digest     string // "sha256:…" or empty
}

// form is compiled when it is first asked: together they would cost every
// start of the program 0.8 ms.
func form(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

var (
	hostForm   = form(`^([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(:[0-9]+)?$`)
	pathForm   = form(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagForm    = form(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	digestForm = form(`^sha256:[0-9a-f]{64}$`)
)

// ParseReference reads an image's name. The errors say which part is wrong.
func ParseReference(s string) (Reference, error) {
	var r Reference
	rest := s
	if name, digest, ok := strings.Cut(rest, "@"); ok {
		if !digestForm().MatchString(digest) {
			return r, fmt.Errorf("%q is no digest: it is sha256: and 64 hexadecimal digits in lower case", digest)
		}
		rest, r.Digest = name, digest
	}
	if i := strings.LastIndexByte(rest, ':'); i >= 0 && !strings.Contains(rest[i:], "/") {
		rest, r.Tag = rest[:i], rest[i+1:]
		if !tagForm().MatchString(r.Tag) {
			return r, fmt.Errorf("%q is no tag: it is 1 to 128 letters, digits, \"_\", \".\" and \"-\", and begins with none of the last two", r.Tag)
		}
	}
	r.Registry, r.Repository = "docker.io", rest
	if host, path, ok := strings.Cut(rest, "/"); ok && (strings.ContainsAny(host, ".:[") || host == "localhost") {
		r.Registry, r.Repository = host, path
	}
	if r.Registry == "index.docker.io" {
		r.Registry = "docker.io"
	}
	if r.Registry == "docker.io" && !strings.Contains(r.Repository, "/") {
		r.Repository = "library/" + r.Repository
	}
	if !hostForm().MatchString(r.Registry) {
		return r, fmt.Errorf("%q is no registry: it is a host name, and a port where it needs one", r.Registry)
	}
	if !pathForm().MatchString(r.Repository) || len(r.Repository) > 255 {
		return r, fmt.Errorf("%q is no repository: it is lower-case letters and digits, with single separators between them", r.Repository)
	}
	return r, nil
}

// String is the full form.
func (r Reference) String() string {
	s := r.Name()
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	if r.Digest != "" {
		s += "@" + r.Digest
	}
	return s
}

// Name is the registry and the repository.
func (r Reference) Name() string { return r.Registry + "/" + r.Repository }
