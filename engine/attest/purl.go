package attest

import (
	"net/url"
	"strings"
)

// packageURL is a package URL (purl-spec): "pkg:deb/debian/nginx@1.26?arch=amd64".
func packageURL(kind, namespace, name, version, arch string) string {
	var b strings.Builder
	b.WriteString("pkg:" + kind + "/")
	for _, part := range strings.FieldsFunc(namespace, func(r rune) bool { return r == '/' }) {
		b.WriteString(escaped(part) + "/")
	}
	b.WriteString(escaped(name))
	if version != "" {
		b.WriteString("@" + escaped(version))
	}
	if arch != "" {
		b.WriteString("?arch=" + escaped(arch))
	}
	return b.String()
}

// imageURL is the package URL of an image by its digest. The name is the
// repository's last part, in lower case, as the type oci asks for.
func imageURL(ref, digest, platform string) string {
	repository, ok := repositoryOf(ref)
	if !ok {
		return packageURL("oci", "", "layout", digest, archOf(platform))
	}
	name := repository[strings.LastIndex(repository, "/")+1:]
	u := packageURL("oci", "", strings.ToLower(name), digest, archOf(platform))
	return u + "&repository_url=" + escaped(repository)
}

// repositoryOf is "registry/repository" of a reference; false for a layout,
// whose folder is of no use to anybody else.
func repositoryOf(ref string) (string, bool) {
	ref, _, _ = strings.Cut(ref, "@")
	if ref == "" || strings.HasPrefix(ref, "layout:") || strings.HasPrefix(ref, "oci:") {
		return "", false
	}
	if i := strings.LastIndex(ref, ":"); i > strings.LastIndex(ref, "/") {
		ref = ref[:i]
	}
	return ref, true
}

func archOf(platform string) string {
	_, arch, _ := strings.Cut(platform, "/")
	arch, _, _ = strings.Cut(arch, "/")
	return arch
}

// escaped is percent-encoded as purl-spec says: all but unreserved letters,
// and the colon, which stays.
func escaped(s string) string {
	return strings.NewReplacer("+", "%20", "%3A", ":").Replace(url.QueryEscape(s))
}

// plainURL is a URL without what could be a credential: user and query.
func plainURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
