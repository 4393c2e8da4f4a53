package spec

import "github.com/specbuild/specbuild/spec/diag"

// The packages steps: one unpacks natively, the others call the package
// manager that the base brings along.

func beginPackages(p *Packages, label string, header diag.Range) { p.Manager, p.Range = label, header }

func installRow(vt valueType[[]string], doc string) attribute[Packages] {
	return attr("install", vt, func(p *Packages) *Attr[[]string] { return &p.Install }, doc, required)
}

func recommendsRow(doc string) attribute[Packages] {
	return plain("recommends", boolean, func(p *Packages) *bool { return &p.Recommends }, doc, defaults("false"))
}

var packagesBlock = &block[Packages]{
	name: "packages", label: variantLabel, when: true, begin: beginPackages,
	doc: "Installs packages, resolved and unpacked by specbuild itself.",
	attrs: []attribute[Packages]{
		installRow(debNames, "\"name\", \"name=version\" or \"name:arch\", a list."),
		attr("repository", reference(KindRepository), func(p *Packages) *Attr[Addr] { return &p.Repository }, "where from, a repository.x.", required),
		recommendsRow("whether recommended packages come along."),
		plain("configure", boolean, func(p *Packages) *bool { return &p.Configure }, "whether maintainer scripts run, in a sandboxed step without network; what they need comes along (Essential and required packages, apt).", defaults("false")),
	},
}

// fromBase answers attributes of packages "deb" in the other blocks.
func fromBase(program, where string) map[string]string {
	return map[string]string{
		"repository": "Only packages \"deb\" takes from a `repository`; " + program + " takes from the archives that the base lists in " + where + ".",
		"configure":  "Only packages \"deb\" needs to be told: " + program + " always runs what the packages bring.",
	}
}

var aptBlock = &block[Packages]{
	name: "packages", label: variantLabel, when: true, begin: beginPackages,
	doc: "Installs packages by the base's own apt-get, in a sandboxed step with network, as root. Indexes and archives are kept in a cache and leave nothing in the layer. " +
		"What it fetches is not in the lock: say versions.",
	attrs: []attribute[Packages]{
		installRow(aptNames, "\"name\", \"name=version\" or \"name:arch\", a list."),
		recommendsRow("whether recommended packages come along."),
	},
	answers: fromBase("apt-get", "/etc/apt"),
}

var apkBlock = &block[Packages]{
	name: "packages", label: variantLabel, when: true, begin: beginPackages,
	doc:   "Installs packages by the base's own apk, as packages \"apt\" does by apt-get.",
	attrs: []attribute[Packages]{installRow(apkNames, "\"name\" or \"name=version\", a list.")},
	answers: with(fromBase("apk", "/etc/apk/repositories"),
		"recommends", "Packages of apk recommend nothing: leave it out."),
}

var dnfBlock = &block[Packages]{
	name: "packages", label: variantLabel, when: true, begin: beginPackages,
	doc: "Installs packages by the base's own dnf, as packages \"apt\" does by apt-get.",
	attrs: []attribute[Packages]{
		installRow(dnfNames, "\"name\" or \"name=version-release\", a list."),
		recommendsRow("whether weak dependencies come along."),
	},
	answers: fromBase("dnf", "/etc/yum.repos.d"),
}

func with(answers map[string]string, name, answer string) map[string]string {
	answers[name] = answer
	return answers
}
