package rules

import (
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

func platformRules() []Rule {
	return []Rule{
		{
			ID: "stage-name-valid", By: ByLanguage, Title: "Names of stages and images are unique, in small letters",
			Why: "A name is an address: of a waiver, of an argument, of a reference.",
			Bad: `stage "Build" {
  from = scratch
}
image "web" {
  from   = scratch
  run_as = "10001"
}`,
			Good: `stage "build" {
  from = scratch
}
image "web" {
  from   = stage.build
  run_as = "10001"
}`,
			Mend:    "Write it in small letters, digits, - and _.",
			Sources: []string{"DL3024", "DL3063", "BuildKit DuplicateStageName", "BuildKit StageNameCasing", "CKV_DOCKER_11", "DS-0012"},
		},
		{
			ID: "stage-ref-resolves", By: ByPlanner, Title: "Every reference names something that is declared, and none leads back to itself",
			Why: "Nothing of a cycle could be built first.",
			Bad: `stage "build" {
  from = scratch
}
image "web" {
  from   = stage.biuld
  run_as = "10001"
}`,
			Good: `stage "build" {
  from = scratch
}
image "web" {
  from   = stage.build
  run_as = "10001"
}`,
			Mend:    "Write the name of what is declared; `validate --fix` does where it is sure.",
			Sources: []string{"DL3022", "DL3023", "DS-0006", "KICS copy_from_references_current_from_alias", "Semgrep copy-from-own-alias"},
		},
		{
			ID: "stage-unused", Severity: diag.Warning, Release: diag.Warning, By: ByPlanner, Title: "Every stage, base, context, secret and repository is used by some image",
			Why: "What nothing uses is not built, and so is not known to work.",
			Bad: `stage "lint" {
  from = scratch
}
image "web" {
  from   = scratch
  run_as = "10001"
}`,
			Good: `stage "lint" {
  from = scratch
  directory {
    path = "/ok"
  }
}
image "web" {
  from   = scratch
  run_as = "10001"
  copy {
    from   = stage.lint
    source = "/ok"
    to     = "/ok/"
  }
}`,
			Mend:    "Use it, or take it out, which `validate --fix` does with the comment above it.",
			Sources: []string{"BuildKit leaves such stages out in silence"},
		},
		{
			ID: "platform-not-hardcoded", By: ByJudge, Title: "The `platform` of a stage is build.platform or target.platform",
			Why: "A platform that is written out builds natively on one machine and emulated, or not at all, on the next.",
			Bad: `stage "build" {
  from     = scratch
  platform = "linux/amd64"
  directory {
    path = "/out"
  }
}
image "web" {
  from   = scratch
  run_as = "10001"
  copy {
    from   = stage.build
    source = "/out"
    to     = "/out/"
  }
}`,
			Good: `stage "build" {
  from     = scratch
  platform = build.platform
  directory {
    path = "/out"
  }
}
image "web" {
  from   = scratch
  run_as = "10001"
  copy {
    from   = stage.build
    source = "/out"
    to     = "/out/"
  }
}`,
			Mend:    "Write build.platform, or leave it out; `validate --fix` writes build.platform.",
			Sources: []string{"DL3029", "DL3065", "BuildKit FromPlatformFlagConstDisallowed", "KICS using_platform_with_from"},
			check:   literalPlatform,
		},
		{
			ID: "platform-arch-literal", Severity: diag.Warning, Release: diag.Warning, By: ByJudge, Title: "No command of an image for several architectures names one of them",
			Why: "The image for the others would hold files for this one, and fails when it is started.",
			Bad: `image "web" {
  from      = scratch
  run_as    = "10001"
  platforms = ["linux/amd64", "linux/arm64"]
  run {
    command = ["install-tool", "--arch", "amd64"]
  }
}`,
			Good: `image "web" {
  from      = scratch
  run_as    = "10001"
  platforms = ["linux/amd64", "linux/arm64"]
  run {
    command = ["install-tool", "--arch", "${target.arch}"]
  }
}`,
			Mend:  "Write ${target.arch}, or a map in `locals` from it to the word that is needed.",
			check: literalArch,
		},
		{
			ID: "variable-defined", By: ByLanguage, Title: "Every variable that is used is declared, and has a value",
			Why: "An empty string in place of a misspelt name builds the wrong thing in silence.",
			Bad: `image "web" {
  from   = scratch
  run_as = "10001"
  labels = { "org.opencontainers.image.version" = var.version }
}`,
			Good: `variable "version" {
  type    = string
  default = "0.0.0-dev"
}
image "web" {
  from   = scratch
  run_as = "10001"
  labels = { "org.opencontainers.image.version" = var.version }
}`,
			Mend:    "Declare it, or write the name that is declared.",
			Sources: []string{"BuildKit UndefinedVar", "BuildKit UndefinedArgInFrom", "DL3044"},
		},
	}
}

// literalPlatform looks at the text of the spec, since the value alone does
// not tell build.platform from the same platform written out.
func literalPlatform(d *docket) {
	for _, inst := range d.Instances {
		p := inst.Body.Platform
		if !p.Set || p.Unknown {
			continue
		}
		text := d.source(p.Range)
		if (strings.HasPrefix(text, `"`) || inYAML(p.Range)) && text != "" && !strings.Contains(text, "${") {
			fix := &diag.Fix{Range: p.Range, Replacement: "build.platform"}
			if inYAML(p.Range) {
				fix.Replacement = `"${build.platform}"`
			}
			d.mend(inst.Body.Addr, p.Range, fix, "The platform is written out",
				"%s always runs on %s, whatever machine builds. Say build.platform for tools that run while building, or leave it out for the target's own.", inst.Body.Addr.Local(), p.V)
		}
	}
}

// arches are the words of each architecture that is commonly built for.
var arches = map[string][]string{
	"amd64": {"amd64", "x86_64"},
	"arm64": {"arm64", "aarch64"},
}

// literalArch takes a word for a literal if it stands in the spec's own text,
// or if it names an architecture that is neither the step's nor the target's:
// target.arch and build.arch never give such a one.
func literalArch(d *docket) {
	several := d.severalArches()
	for _, inst := range d.Instances {
		if !several[inst.Body.Addr] {
			continue
		}
		for _, step := range inst.Body.Steps {
			r, ok := step.(*spec.Run)
			if !ok {
				continue
			}
			s, text := d.runScript(inst.Body, r)
			if !namesArch(r) || asksForArch(s) {
				continue
			}
			if w, name := d.hardcoded(inst, s, text.Range); name != "" {
				d.found(inst.Body.Addr, d.within(text, w.at, w.text), "A command for one architecture",
					"%s is built for several architectures, but this names %s. Write ${target.arch}, or a `locals` map from target.arch to the word that is needed.", inst.Body.Addr.Local(), name)
			}
		}
	}
}

// severalArches are the addresses that images for several architectures
// reach.
func (d *docket) severalArches() map[spec.Addr]bool {
	out := map[spec.Addr]bool{}
	for _, img := range d.Spec.Images {
		var archs []string
		for _, p := range img.Platforms.V {
			if !slices.Contains(archs, p.Arch) {
				archs = append(archs, p.Arch)
			}
		}
		if len(archs) > 1 && d.asked(img.Addr) {
			out[img.Addr] = true
		}
	}
	// Inputs stand before those that use them, so one pass from the end sees
	// every user before what it uses.
	for _, inst := range slices.Backward(d.Instances) {
		if !out[inst.Body.Addr] {
			continue
		}
		out[inst.Body.From.V] = true
		for _, step := range inst.Body.Steps {
			switch t := step.(type) {
			case *spec.Copy:
				out[t.From.V] = true
			case *spec.Run:
				for _, m := range t.Mounts {
					out[m.From.V] = true
				}
			}
		}
	}
	return out
}

// namesArch is a quick look: few steps name an architecture at all.
func namesArch(r *spec.Run) bool {
	for _, names := range arches {
		for _, name := range names {
			if strings.Contains(r.Script.V, name) || slices.ContainsFunc(r.Command.V, func(s string) bool { return strings.Contains(s, name) }) {
				return true
			}
		}
	}
	return false
}

// asksForArch reports whether a script finds out for itself, or names more
// than one architecture and so tells them apart.
func asksForArch(s *script) bool {
	for _, c := range s.calls {
		switch {
		case c.name == "uname" || c.name == "arch",
			c.name == "dpkg" && c.option("--print-architecture"), c.name == "apk" && c.option("--print-arch"):
			return true
		}
	}
	families := map[string]bool{}
	for _, w := range s.words {
		for family, names := range arches {
			for _, name := range names {
				families[family] = families[family] || mentions(w.text, name)
			}
		}
	}
	return families["amd64"] && families["arm64"]
}

func (d *docket) hardcoded(inst Instance, s *script, at diag.Range) (word, string) {
	own := d.source(at)
	for _, w := range s.words {
		for _, family := range []string{"amd64", "arm64"} {
			for _, name := range arches[family] {
				foreign := family != inst.Platform.Arch && family != inst.Target.Arch
				if mentions(w.text, name) && (foreign || written(own, w.text, name)) {
					return w, name
				}
			}
		}
	}
	return word{}, ""
}

// written reports whether the part of a word that has the name stands in the
// spec's text, and was not put together out of ${…}.
func written(source, text, name string) bool {
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == 0 || r == '\n' })
	return slices.ContainsFunc(parts, func(p string) bool { return mentions(p, name) && strings.Contains(source, p) })
}

// mentions reports whether a name stands in a text, not within a longer word.
func mentions(text, name string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], name)
		if i < 0 {
			return false
		}
		start := from + i
		end := start + len(name)
		if (start == 0 || !alphanumeric(text[start-1])) && (end == len(text) || !alphanumeric(text[end])) {
			return true
		}
		from = end
	}
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
