package spec

import (
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/syntax"
)

// habits answers the names that other tools have taught people: Terraform's,
// bake's and Dockerfile's. The sentence says what to write here instead.
var habits = map[string]string{
	"count":            "Terraform's count is `when` on a step, or `dynamic` to repeat one.",
	"output":           "Terraform's outputs are not needed: stages and images are named where they are used, as stage.x and image.x.",
	"data":             "Terraform's data sources are `base`, `context` and `repository` blocks.",
	"resource":         "What Terraform calls a resource is a `stage` or an `image` here.",
	"provider":         "There are no providers; the engine is chosen when building.",
	"terraform":        "Requirements stand in a `specbuild` block: required_version = \">= 0.1\".",
	"depends_on":       "The order follows from the references; steps run in the order they are written.",
	"lifecycle":        "An image is rebuilt when its content changes, and only then.",
	"provisioner":      "Commands are `run` steps.",
	"sensitive":        "What must stay secret is a `secret` block, which cannot get into a string.",
	"target":           "A bake target is an `image` here (or a `stage`, if nobody ships it).",
	"group":            "There are no groups of targets: the arguments of the command name the images to build.",
	"inherits":         "An image builds on another by `from = image.other`; shared values are `locals`.",
	"matrix":           "Platforms are the list `platforms`; other variants are images of their own.",
	"args":             "Build arguments are `variable` blocks, used as var.name, or `env` of the step that needs them.",
	"contexts":         "Each context is a `context` block, used by `from = context.name`.",
	"function":         "There are no functions of one's own; a computed value is a `locals` entry.",
	"dockerfile":       "There is no Dockerfile: the steps stand in the `stage` or `image` itself.",
	"cache_from":       "Caching needs no attributes; steps are found again by content.",
	"cache_to":         "Caching needs no attributes; steps are found again by content.",
	"output_dir":       "Where the image goes is said on the command line: -o oci:DIR.",
	"pull":             "Bases are pinned by the lock; `specbuild lock --upgrade` rolls them forward.",
	"no_cache":         "Steps run again when what they read has changed.",
	"ssh":              "The agent is a secret: secret \"agent\" { ssh = true }, and mount \"ssh\" { agent = secret.agent } in a run.",
	"ARG":              "Dockerfile's ARG is a `variable` block.",
	"FROM":             "Dockerfile's FROM is `from = base.name`, with a `base` block.",
	"RUN":              "Dockerfile's RUN is a `run` block with `command` or `script`.",
	"COPY":             "Dockerfile's COPY is a `copy` block with `source` and `to`.",
	"ADD":              "Dockerfile's ADD is `copy` for files, `copy` with unpack = true for archives, and a `context` for what is fetched.",
	"add":              "Dockerfile's ADD is `copy` for files, `copy` with unpack = true for archives, and a `context` for what is fetched.",
	"ENV":              "Dockerfile's ENV is the attribute `env` of a stage or image; for one step alone, of the `run`.",
	"USER":             "The user of the finished image is `run_as`; of one step, its `user`; a new one is made by user \"name\" { uid = … }.",
	"WORKDIR":          "Dockerfile's WORKDIR is the attribute `workdir`.",
	"LABEL":            "Dockerfile's LABEL is the attribute `labels`.",
	"label":            "Labels are one map: labels = { … }.",
	"EXPOSE":           "Dockerfile's EXPOSE is the attribute `expose`.",
	"ports":            "Ports of an image are `expose`.",
	"VOLUME":           "Dockerfile's VOLUME is the attribute `volumes`.",
	"volume":           "Volumes are one list: volumes = [\"/data\"].",
	"CMD":              "Dockerfile's CMD is the attribute `cmd`, a list.",
	"command_line":     "A command is a list: command = [\"go\", \"build\"].",
	"ENTRYPOINT":       "Dockerfile's ENTRYPOINT is the attribute `entrypoint`, a list.",
	"HEALTHCHECK":      "Dockerfile's HEALTHCHECK is the block `healthcheck`.",
	"STOPSIGNAL":       "Dockerfile's STOPSIGNAL is the attribute `stop_signal`.",
	"SHELL":            "Dockerfile's SHELL is the attribute `shell`, which `script` is given to.",
	"ONBUILD":          "ONBUILD does not exist: what is to be built stands in the image that builds it.",
	"onbuild":          "ONBUILD does not exist: what is to be built stands in the image that builds it.",
	"MAINTAINER":       "The author is a label: labels = { \"org.opencontainers.image.authors\" = \"…\" }.",
	"link":             "Every copy is a layer of its own, as with --link; there is nothing to switch on.",
	"chown":            "The owner of copied files is `owner`.",
	"chmod":            "The mode of copied files is `mode`, four octal digits in quotes.",
	"dest":             "The destination is `to`.",
	"destination":      "The destination is `to`.",
	"src":              "What is copied is `source`.",
	"sources":          "What is copied is `source`, one path or a list.",
	"url":              "What is fetched is a `context` with an `http` block, and is copied from there.",
	"platform_os":      "Platforms are written os/arch: \"linux/amd64\".",
	"environment":      "Environment variables are `env`.",
	"working_dir":      "The working directory is `workdir`.",
	"tag":              "Tags are one list: tags = [\"registry.example.com/app:1.0\"].",
	"apt":              "Packages are installed by packages \"deb\" { repository = …, install = […] }, or by the apt-get of the base: packages \"apt\" { install = […] }.",
	"apk":              "Packages are installed by the apk of the base with packages \"apk\" { install = […] }.",
	"dnf":              "Packages are installed by the dnf of the base with packages \"dnf\" { install = […] }.",
	"yum":              "Packages are installed by the dnf of the base with packages \"dnf\" { install = […] }.",
	"package":          "Packages are installed by packages \"deb\" { repository = …, install = […] }.",
	"import":           "Other folders are `module` blocks.",
	"healthcheck_none": "No health check is healthcheck { none = true }.",
}

// unknownAttribute answers a name that the block does not have.
func (d *decoder) unknownAttribute(in string, a *hclsyntax.Attribute, attrs, blocks []string) {
	at := syntax.Range(a.NameRange)
	if slices.Contains(blocks, a.Name) {
		d.diags.Errorf(at, "Block expected", "%q is a block: write %s { … }, without an equals sign.", a.Name, a.Name)
		return
	}
	d.unknownName(at, "Unknown attribute", in, "attribute", a.Name, attrs, blocks)
}

// unknownBlock answers a block that may not stand here.
func (d *decoder) unknownBlock(in string, blk *hclsyntax.Block, name string, attrs, blocks []string) {
	at := syntax.Range(blk.TypeRange)
	if blk.Type == dynamicName && name != dynamicName {
		at = syntax.Range(blk.LabelRanges[0])
	}
	if slices.Contains(attrs, name) {
		d.diags.Errorf(at, "Attribute expected", "%q is an attribute: write %s = …, with an equals sign.", name, name)
		return
	}
	d.unknownName(at, "Unknown block", in, "block", name, blocks, attrs)
	if last := &(*d.diags)[len(*d.diags)-1]; last.Fix != nil && blk.Type != name {
		last.Fix.Replacement = quote(last.Fix.Replacement) // dynamic's label
	}
}

// unknownName answers in the order of certainty: a misspelt name, a habit, a
// name that is at home elsewhere, and what there is.
func (d *decoder) unknownName(at diag.Range, summary, in, what, name string, names, others []string) {
	where := "A spec"
	if in != "" {
		where = article(in)
	}
	if meant := suggestion(name, names); meant != "" {
		d.diags.Errorf(at, summary, "%s has no %s %q. Did you mean %q?", where, what, name, meant)
		(*d.diags)[len(*d.diags)-1].Fix = fixName(at, meant)
		return
	}
	if meant := suggestion(name, others); meant != "" {
		d.diags.Errorf(at, summary, "%s has no %s %q. Did you mean %q?", where, what, name, meant)
		return
	}
	if home := home(name); what == "block" && home != "" {
		d.diags.Errorf(at, summary, "%s has no block %q. It stands in %s.", where, name, home)
		return
	}
	if line, ok := habits[name]; ok {
		d.diags.Errorf(at, summary, "%s has no %s %q. %s", where, what, name, line)
		return
	}
	if len(names) == 0 {
		d.diags.Errorf(at, summary, "%s has no %s %q; it has no %ss at all.", where, what, name, what)
		return
	}
	d.diags.Errorf(at, summary, "%s has no %s %q. It may have %s.", where, what, name, choices(names))
}

// home is where a block stands, for who writes it somewhere else. The tables
// know it too, but those of blocks cannot ask for one another's: a test holds
// this against them.
func home(block string) string {
	switch block {
	case "copy", "run", "packages", "file", "directory", "symlink", "user", "group":
		return "a `stage` or an `image`, as a step"
	case "test", "budget", "healthcheck":
		return "an `image`"
	case "mount", "resources":
		return "a `run`"
	case "expect":
		return "a `test`"
	case "git", "http":
		return "a `context`"
	case "validation":
		return "a `variable`"
	case "source":
		return "a `repository`"
	case "workspace":
		return "specbuild.hcl"
	}
	return ""
}

// fixName replaces a misspelt name, but not a quoted one.
func fixName(at diag.Range, name string) *diag.Fix {
	return &diag.Fix{Range: at, Replacement: name}
}
