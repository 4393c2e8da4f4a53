package spec

import (
	"path"
	"strings"

	"github.com/specbuild/specbuild/spec/diag"
)

// inItsSyntax puts what messages tell people to write into the syntax of the
// file that they write in: `write source = ["…"]` is `write source: ["…"]` in
// YAML. The messages are made for HCL, in one place, and the few forms that
// they use are turned here; a form that is not known stays as it is.
func inItsSyntax(l diag.List) diag.List {
	for i := range l {
		if isYAML(path.Base(l[i].Range.File)) {
			l[i].Detail = asYAML(l[i].Detail)
		}
	}
	return l
}

var (
	namedForm     = pattern(`\b(base|context|image|module|repository|secret|stage|variable|test) "([^"{}]*)" \{ ([^{}]*) \}`)
	stepForm      = pattern(`\b(user|group|packages) "([a-z]+)" \{ ([^{}]*) \}`)
	mountForm     = pattern(`\bmount "([a-z]+)" \{ ([^{}]*) \}`)
	byMountForm   = pattern(`\bby mount "([a-z]+)"`)
	blockForm     = pattern(`\b(locals|healthcheck|workspace|validation|resources|expect|budget|copy|run|content) \{ ([^{}]*) \}`)
	callForm      = pattern(`\b([a-z][a-z0-9_]*) = ([a-z]+\("[^")]*"\))`)
	referenceForm = pattern(`(a reference is needed, not the string )"([a-z]+\.[a-z0-9_.-]+)"`)
	attributeForm = pattern(`\b([a-z][a-z0-9_]*) = (["\[{…0-9a-z])`)
)

// asYAML is a message's detail with its forms turned.
func asYAML(detail string) string {
	detail = referenceForm().ReplaceAllString(detail, "$1\"$2\"; write $${$2}")
	if !strings.ContainsAny(detail, "={") && !strings.Contains(detail, " by mount ") {
		return detail
	}
	detail = namedForm().ReplaceAllString(detail, "`$1: {$2: {$3}}`")
	detail = stepForm().ReplaceAllString(detail, "`- $1: {$2: {$3}}`")
	detail = mountForm().ReplaceAllString(detail, "`- $1: {$2}`")
	detail = byMountForm().ReplaceAllString(detail, "by `- $1: {…}` in `mounts:`")
	detail = blockForm().ReplaceAllString(detail, "`$1: {$2}`")
	detail = callForm().ReplaceAllString(detail, "$1: $${$2}")
	detail = attributeForm().ReplaceAllString(detail, "$1: $2")
	return strings.ReplaceAll(detail, ", with an equals sign", "")
}
