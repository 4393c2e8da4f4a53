package rules

import (
	"path"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

func copyRules() []Rule {
	return []Rule{
		{
			ID: "copy-is-typed", By: ByLanguage, Title: "Copying, fetching and unpacking are three things",
			Why: "ADD decides by looking at the file; here `copy` copies, and `unpack = true` unpacks.",
			Bad: `add {
  source = "https://example.com/tool.tar.gz"
  to     = "/opt/"
}`,
			Good: `copy {
  source = "a"
  to     = "/opt/"
}`,
			Mend:    "Copy files by `copy`, fetch by a `context` with http, unpack by unpack = true. `specbuild import` mends it in a Dockerfile: it takes the three meanings of ADD apart. Which of them was meant in a spec only its author knows.",
			Sources: []string{"DL3010", "DL3020", "CKV_DOCKER_4", "DS-0005", "CIS-4.9", "CIS-DI-0009", "KICS add_instead_of_copy", "Kyverno prefer-copy-over-add"},
		},
		{
			ID: "copy-source-exists", By: ByPlanner, Title: "Every source of a copy matches something that is not left out",
			Why: "A copy of nothing is a misspelt name, or a list that hides more than was meant.",
			Bad: `copy {
  source = "sit"
  to     = "/srv/www/"
}`,
			Good: `copy {
  source = "site"
  to     = "/srv/www/"
}`,
			Mend:    "Write the name of a file that is there and not left out.",
			Sources: []string{"BuildKit CopyIgnoredFile"},
		},
		{
			ID: "copy-destination-absolute", By: ByPlanner, Title: "A destination is absolute, or relative to a workdir of the spec; several sources go into a folder",
			Why: "A base's own workdir may change with its next version.",
			Bad: `copy {
  source = "a"
  to     = "./a"
}`,
			Good: `copy {
  source = "a"
  to     = "/app/a"
}`,
			Mend:    "Write it from / on, or say `workdir`; `validate --fix` does the first where nothing below could have another workdir, and adds the slash of a folder.",
			Sources: []string{"DL3000", "DL3021", "DL3045", "BuildKit WorkdirRelativePath", "CKV_DOCKER_10", "DS-0009", "DS-0011", "KICS workdir_path_not_absolute"},
		},
		{
			ID: "copy-not-whole-context", Severity: diag.Warning, Release: diag.Warning, By: ByJudge, Title: "An image does not take a whole source folder, or the whole root of another stage",
			Why: "It would ship what was never meant to leave the desk, and be built anew at every change of any file.",
			Bad: `copy {
  source = "."
  to     = "/app/"
}`,
			Good: `copy {
  source = "site"
  to     = "/app/"
}`,
			Mend:    "Name what the image needs, or declare a `context` with `include`.",
			Sources: []string{"DL3067", "DKL-LI-0003"},
			check:   wholeContext,
		},
		{
			ID: "context-ignore-present", Severity: diag.Info, Release: diag.Info, By: ByJudge, Title: "A folder that is taken whole has a list of what is left out, or is small",
			Why: "Dependencies, caches and results of builds that lie about are read for every build and shipped with the image. What .git and credentials hold is left out by itself.",
			Bad: `stage "build" {
  from = scratch
  copy {
    to = "/src/"
  }
}
image "web" {
  from   = scratch
  run_as = "10001"
  copy {
    from   = stage.build
    source = "/src/a"
    to     = "/a"
  }
}`,
			Good: `stage "build" {
  from = scratch
  copy {
    to      = "/src/"
    exclude = ["node_modules", "site", "conf"]
  }
}
image "web" {
  from   = scratch
  run_as = "10001"
  copy {
    from   = stage.build
    source = "/src/a"
    to     = "/a"
  }
}`,
			Mend:    "Leave out what is not needed, by `exclude`, `include` or a .dockerignore; `validate --fix` excludes folders that tools make anew, such as node_modules.",
			Sources: []string{"DKL-LI-0003"},
			Params:  []Param{{Name: "size", Kind: Bytes, Doc: "what a copy of everything may take, 100MiB by default"}},
			check:   largeContext,
		},
	}
}

// wholeContext looks at what is shipped. A stage that compiles may take
// everything: of it, only what is copied on is in the image. An `exclude` says
// that somebody chose.
func wholeContext(d *docket) {
	for _, inst := range d.shipped() {
		for _, step := range inst.Body.Steps {
			c, ok := step.(*spec.Copy)
			if !ok || c.Source.Unknown || !takesAll(c.Source.V) {
				continue
			}
			at := or(c.Source.Range, c.Range)
			switch from := c.From.V; {
			case from.Kind == "" || from.Kind == spec.KindContext:
				if len(c.Exclude.V) == 0 && d.sources(from, inst.Body.Addr) {
					d.found(inst.Body.Addr, at, "The whole context is shipped",
						"%s ships all files beside the spec. Name those that it needs, or declare a `context` with `include`.", inst.Body.Addr.Local())
				}
			case len(c.Exclude.V) == 0 && path.Clean(c.To.V) == "/":
				d.found(inst.Body.Addr, at, "A whole root is shipped",
					"%s takes everything of %s, its tools and caches too. Copy the files that it needs, or build `from` %s if it is meant to be all of it.",
					inst.Body.Addr.Local(), from.Local(), from.Local())
			}
		}
	}
}

// contextBytes is what a folder of sources stays under: the Linux kernel's
// own, twice as large in files, is over it, all that people write services in
// is far below.
const contextBytes = 100 << 20

// largeContext lets be what is named, in the copy or in the context: somebody
// chose. Mounts put nothing into an image.
func largeContext(d *docket) {
	limit := d.limit("size", contextBytes)
	for _, inst := range d.Instances {
		for _, c := range inst.Copies {
			step, ok := c.Step.(*spec.Copy)
			if !ok || step.Source.Unknown || !takesAll(step.Source.V) || len(step.Exclude.V) > 0 || d.narrowed(c.Context) {
				continue
			}
			var total int64
			largest := File{}
			for _, f := range c.Files {
				total += f.Size
				if f.Size > largest.Size {
					largest = f
				}
			}
			if total > limit {
				d.mend(inst.Body.Addr, or(step.Source.Range, step.Range), d.leaveOut(step, toolFolders(c.Files)), "A large folder is taken whole",
					"%s takes all %s of %s, %s MiB (%s alone is %s MiB), more than %s MiB. Leave out what it does not need, by `exclude`, `include` or a .dockerignore.",
					inst.Body.Addr.Local(), plural(len(c.Files), "file"), c.Context.Local(), mebibytes(total), largest.Path, mebibytes(largest.Size), mebibytes(limit))
			}
		}
	}
}

// narrowed reports whether a context is more than a folder: what it selects,
// or what somebody else packed.
func (d *docket) narrowed(ctx spec.Addr) bool {
	return slices.ContainsFunc(d.Spec.Contexts, func(c *spec.Context) bool {
		return c.Addr == ctx && (c.Include.Set || c.Exclude.Set || c.Git != nil || c.HTTP != nil)
	})
}

// takesAll reports whether one of the sources is everything. None means that
// in stages.
func takesAll(sources []string) bool {
	return len(sources) == 0 || slices.ContainsFunc(sources, func(s string) bool {
		switch strings.Trim(path.Clean("/"+s), "/") {
		case "", "*", "**", "**/*":
			return true
		}
		return false
	})
}

// folder is where the files of a module are, below the workspace's root.
func (d *docket) folder(addr spec.Addr) string {
	if dir, ok := d.Spec.Folders[addr.Module]; ok {
		return dir
	}
	return strings.TrimPrefix(addr.Module, "//")
}

// sources reports whether a context is a module's folder, or one around it:
// the spec and all that is developed lies there. One with `include`, or of a
// folder that was chosen, is what somebody meant.
func (d *docket) sources(ctx, module spec.Addr) bool {
	for _, c := range d.Spec.Contexts {
		if c.Addr == ctx {
			if c.Git != nil || c.HTTP != nil {
				return false
			}
			own := d.folder(module)
			dir := path.Clean(c.Path.V)
			return !c.Include.Set && !c.Exclude.Set && (dir == "." || dir == own || strings.HasPrefix(own, dir+"/"))
		}
	}
	return true // the module's own folder needs no block
}
