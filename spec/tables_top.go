package spec

import (
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/grammar"
)

// The blocks that stand at the top of a file, but for stages and images.

type requirement struct {
	version Attr[string]
}

var specbuildBlock = &block[requirement]{
	name: "specbuild", doc: "What the spec asks of the tool that reads it; judged before anything else.",
	fixed: "`specbuild` is judged before anything else",
	attrs: []attribute[requirement]{
		attr("required_version", text, func(r *requirement) *Attr[string] { return &r.version },
			"versions of specbuild that may read this spec, such as \">= 0.1\".", required),
	},
}

type workspace struct {
	name           Attr[string]
	members        Attr[[]string]
	buildPlatforms Attr[[]Platform]
	policy         Attr[[]Source]
	network        Network
}

var workspaceBlock = &block[workspace]{
	name: "workspace", doc: "The folder that holds all modules, in specbuild.hcl.",
	fixed: "`workspace` is decided before the platforms are",
	attrs: []attribute[workspace]{
		attr("name", name, func(w *workspace) *Attr[string] { return &w.name },
			"the workspace's name, which caches are shared under; default: its folder's name."),
		attr("members", globList, func(w *workspace) *Attr[[]string] { return &w.members },
			"the folders that `./...` means, from the root, such as \"services/*\"; default: all that hold a spec."),
		attr("policy", policySources, func(w *workspace) *Attr[[]Source] { return &w.policy },
			"the policies that everything here is judged by: a file or folder from the root, oci://… or git::…, which the lock pins."),
		attr("build_platforms", platforms, func(w *workspace) *Attr[[]Platform] { return &w.buildPlatforms },
			"the machines that build, for which the lock holds the packages of native stages; default: linux/amd64 and linux/arm64."),
		attr("proxy", proxyMap, func(w *workspace) *Attr[[]EnvVar] { return &w.network.Proxy }, proxyDoc),
		attr("ca", secretFile, func(w *workspace) *Attr[string] { return &w.network.CA }, caDoc),
	},
}

// variable is a declared variable before its value is known.
type variable struct {
	name        string
	header      diag.Range
	block       *hclsyntax.Block // until it is decoded
	typ, def    hclsyntax.Attribute
	description Attr[string]
	validations []*validation
}

type validation struct {
	header             diag.Range
	condition, message hclsyntax.Attribute
}

var validationBlock = &block[validation]{
	name: "validation", doc: "A condition that the variable's value must meet.",
	fixed: "a `variable` has one value for all platforms",
	begin: func(v *validation, _ string, header diag.Range) { v.header = header },
	attrs: []attribute[validation]{
		expression("condition", "true or false", grammar.Bool, func(v *validation) *hclsyntax.Attribute { return &v.condition }, "what must be true of var.name.", required),
		expression("error_message", "a string", grammar.String, func(v *validation) *hclsyntax.Attribute { return &v.message }, "what is asked of the value, in a sentence.", required),
	},
}

var variableBlock = &block[variable]{
	name: "variable", label: nameLabel, doc: "A value that is given from outside.",
	fixed: "a `variable` has one value for all platforms",
	begin: func(v *variable, label string, header diag.Range) { v.name, v.header = label, header },
	attrs: []attribute[variable]{
		expression("type", "a type", grammar.TypeExpr, func(v *variable) *hclsyntax.Attribute { return &v.typ },
			"string, number, bool, list(…), map(…), object({…}), or context, filesystem, secret, repository."),
		expression("default", "a value", grammar.Any, func(v *variable) *hclsyntax.Attribute { return &v.def },
			"the value if none is given; a variable without one must be set."),
		attr("description", text, func(v *variable) *Attr[string] { return &v.description }, "what the variable is for."),
	},
	blocks: []nested[variable]{
		child(validationBlock, 0, func(v *variable, c *validation) { v.validations = append(v.validations, c) }),
	},
}

var baseBlock = &block[Base]{
	name: "base", label: nameLabel, doc: "An image that others build on.",
	fixed: "a `base` is one for all platforms",
	begin: func(b *Base, label string, header diag.Range) { b.Addr.Name, b.Range = label, header },
	attrs: []attribute[Base]{
		attr("image", imageName, func(b *Base) *Attr[string] { return &b.Image }, "its name, with a tag or a digest."),
		attr("digest", digest, func(b *Base) *Attr[string] { return &b.Digest }, "pins the image here instead of in the lock."),
		attr("layout", folderPath, func(b *Base) *Attr[string] { return &b.Layout }, "the folder of an OCI layout."),
		forEachRow[Base](),
	},
	one:   []choice{{names: []string{"image", "layout"}}, {names: []string{"digest", "layout"}, optional: true}},
	check: checkBase,
}

var contextBlock = &block[Context]{
	name: "context", label: nameLabel, doc: "A folder whose files can be copied.",
	fixed: "a `context` is one for all platforms",
	begin: func(c *Context, label string, header diag.Range) { c.Addr.Name, c.Range = label, header },
	attrs: []attribute[Context]{
		attr("path", folderPath, func(c *Context) *Attr[string] { return &c.Path }, "the folder, relative to this file's, or from the workspace's root as //folder."),
		attr("include", globList, func(c *Context) *Attr[[]string] { return &c.Include }, "what of it can be copied; default: everything."),
		attr("exclude", globList, func(c *Context) *Attr[[]string] { return &c.Exclude }, "what of it cannot."),
		forEachRow[Context](),
	},
	blocks: []nested[Context]{
		child(gitBlock, 1, func(c *Context, g *Git) { c.Git = g }),
		child(httpBlock, 1, func(c *Context, h *HTTP) { c.HTTP = h }),
	},
	one: []choice{{names: []string{"path", "git", "http"}}},
}

var gitBlock = &block[Git]{
	name: "git", doc: "The files of a commit.",
	begin: func(g *Git, _ string, header diag.Range) { g.Range = header },
	attrs: []attribute[Git]{
		attr("url", gitURL, func(g *Git) *Attr[string] { return &g.URL }, "the repository: https://, ssh://, git:// or file://, or user@host:path.", required),
		attr("ref", gitRef, func(g *Git) *Attr[string] { return &g.Ref }, "a branch, a tag or a commit; default: the repository's HEAD. The lock pins the commit."),
	},
}

var httpBlock = &block[HTTP]{
	name: "http", doc: "A file that is fetched; its name is the last part of the URL's path.",
	begin: func(h *HTTP, _ string, header diag.Range) { h.Range = header },
	attrs: []attribute[HTTP]{
		attr("url", httpURL, func(h *HTTP) *Attr[string] { return &h.URL }, "where it is, http:// or https://.", required),
		attr("sha256", sha256Hex, func(h *HTTP) *Attr[string] { return &h.SHA256 }, "what it must be, 64 hexadecimal digits; default: what the lock holds."),
		plain("unpack", boolean, func(h *HTTP) *bool { return &h.Unpack }, "whether the context is what the archive holds (tar, gz, xz, zst, bz2 or zip).", defaults("false")),
	},
}

var secretBlock = &block[Secret]{
	name: "secret", label: nameLabel, doc: "Where a secret comes from when a step that mounts it is about to run.",
	fixed: "a `secret` is one for all platforms",
	begin: func(s *Secret, label string, header diag.Range) { s.Addr.Name, s.Range = label, header },
	attrs: []attribute[Secret]{
		attr("env", envName, func(s *Secret) *Attr[string] { return &s.Env }, "a variable of specbuild's own environment."),
		attr("file", secretFile, func(s *Secret) *Attr[string] { return &s.File }, "a file: relative to this file's folder, ~/ or absolute."),
		attr("command", argv, func(s *Secret) *Attr[[]string] { return &s.Command }, "a command that prints it."),
		attr("ssh", yes, func(s *Secret) *Attr[bool] { return &s.SSH }, "the running SSH agent, for mount \"ssh\"."),
		plain("optional", boolean, func(s *Secret) *bool { return &s.Optional }, "whether steps run without it.", defaults("false")),
	},
	one: []choice{{names: []string{"env", "file", "command", "ssh"}}},
}

var repositoryBlock = &block[Repository]{
	name: "repository", label: nameLabel, doc: "A package archive.",
	fixed: "a `repository` is one for all platforms",
	begin: func(r *Repository, label string, header diag.Range) { r.Addr.Name, r.Range = label, header },
	attrs: []attribute[Repository]{
		attr("type", oneOf("deb"), func(r *Repository) *Attr[string] { return &r.Type }, "what it holds: \"deb\".", required),
		attr("suite", suite, func(r *Repository) *Attr[string] { return &r.Suite }, "Debian's release: its main archive, updates and security."),
		attrOr("components", components, func(r *Repository) *Attr[[]string] { return &r.Components }, mainOnly, "the parts of the archive."),
		attr("snapshot", snapshot, func(r *Repository) *Attr[string] { return &r.Snapshot }, "the archive as it was at a time, such as \"20260301T000000Z\"."),
		forEachRow[Repository](),
	},
	blocks: []nested[Repository]{
		child(sourceBlock, 0, func(r *Repository, s *RepositorySource) { r.Sources = append(r.Sources, *s) }),
	},
	one: []choice{{names: []string{"suite", "source"}}, {names: []string{"snapshot", "source"}, optional: true}},
}

var sourceBlock = &block[RepositorySource]{
	name: "source", doc: "An archive that is not the distribution's own.",
	begin: func(s *RepositorySource, _ string, header diag.Range) { s.Range = header },
	attrs: []attribute[RepositorySource]{
		attr("url", httpURL, func(s *RepositorySource) *Attr[string] { return &s.URL }, "where the archive is, http:// or https://.", required),
		attr("suites", suites, func(s *RepositorySource) *Attr[[]string] { return &s.Suites }, "its suites.", required),
		attrOr("components", components, func(s *RepositorySource) *Attr[[]string] { return &s.Components }, mainOnly, "the parts of the archive."),
		attr("signed_by", text, func(s *RepositorySource) *Attr[string] { return &s.SignedBy }, "the archive's public key, as file(\"key.asc\") gives it.", required),
	},
}

func mainOnly() []string { return []string{"main"} }

var waiverBlock = &block[Waiver]{
	name: "waiver", doc: "Sets aside a rule at an address, for a reason, until a day.",
	fixed: "a `waiver` holds for all platforms",
	begin: func(w *Waiver, _ string, header diag.Range) { w.Range = header },
	attrs: []attribute[Waiver]{
		attr("rule", ruleID, func(w *Waiver) *Attr[string] { return &w.Rule }, "the rule's id.", required),
		attr("address", address, func(w *Waiver) *Attr[string] { return &w.Address }, "what it is set aside for, such as \"image.web\".", required),
		attr("reason", words, func(w *Waiver) *Attr[string] { return &w.Reason }, "why, in a sentence.", required),
		attr("owner", words, func(w *Waiver) *Attr[string] { return &w.Owner }, "who answers for it.", required),
		attr("expires", day, func(w *Waiver) *Attr[time.Time] { return &w.Expires }, "the last day that it holds, such as \"2027-03-31\".", required),
	},
}
