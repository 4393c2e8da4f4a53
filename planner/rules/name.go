package rules

import "strings"

// dockerHub is the registry that engines take where a name says none.
const dockerHub = "docker.io"

// cutRegistry splits a name as container engines do: a first part with a dot,
// a colon or a capital letter, or localhost, is a registry. said is false
// where the name has none.
func cutRegistry(name string) (registry, rest string, said bool) {
	first, rest, parts := strings.Cut(name, "/")
	if !parts || !strings.ContainsAny(first, ".:") && first != "localhost" && strings.ToLower(first) == first {
		return "", name, false
	}
	return first, rest, true
}

// hubPrefix is what a name without a registry leaves out.
func hubPrefix(name string) string {
	if strings.Contains(name, "/") {
		return dockerHub + "/"
	}
	return dockerHub + "/library/"
}

// fullName is an image's name with what engines add in silence.
func fullName(name string) string {
	registry, rest, said := cutRegistry(name)
	if !said {
		return hubPrefix(name) + name
	}
	if registry == "index.docker.io" {
		return fullName(rest)
	}
	if registry == dockerHub {
		return hubPrefix(rest) + rest
	}
	return name
}

// beginsWith reports whether a name is below a prefix: whole parts count, so
// that registry.example.com/base is no prefix of registry.example.com/baseless.
func beginsWith(name, prefix string) bool {
	rest, ok := strings.CutPrefix(name, prefix)
	return ok && prefix != "" && (rest == "" || strings.HasSuffix(prefix, "/") || strings.ContainsAny(rest[:1], "/:@"))
}
