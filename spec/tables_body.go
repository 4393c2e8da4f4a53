package spec

import (
	"time"

	"github.com/specbuild/specbuild/spec/diag"
)

// draft is what the tables of stage and image decode into: the body, and what
// of an image does not depend on a platform.
type draft struct {
	Body
	decl ImageDecl
}

const fromDoc = "what it is built on: scratch, base.x, stage.x or image.x."

// buildRows are the attributes that stages and images share.
func buildRows() []attribute[draft] {
	return []attribute[draft]{
		attr("from", reference(KindScratch, KindBase, KindStage, KindImage), func(b *draft) *Attr[Addr] { return &b.From }, fromDoc, required),
		attr("workdir", absolutePath, func(b *draft) *Attr[string] { return &b.Workdir }, "the folder that steps run in and relative destinations start from."),
		plain("env", envMap, func(b *draft) *[]EnvVar { return &b.Env }, "environment variables; null removes an inherited one."),
		attr("path_prepend", pathList, func(b *draft) *Attr[[]string] { return &b.PathPrepend }, "folders that go before the inherited PATH."),
		attrOr("shell", argv, func(b *draft) *Attr[[]string] { return &b.Shell }, defaultShell, "what `script` is given to, as its last argument."),
		attr("seal", sealList, func(b *draft) *Attr[[]string] { return &b.Seal }, "what images built on it may not set or undo."),
		forEachRow[draft](withoutTarget),
	}
}

func defaultShell() []string { return []string{"/bin/sh", "-eu", "-c"} }

// stepRows are the blocks that make layers.
func stepRows() []nested[draft] {
	return []nested[draft]{
		step(child(copyBlock, 0, func(b *draft, s *Copy) { b.Steps = append(b.Steps, s) })),
		step(child(runBlock, 0, func(b *draft, s *Run) { b.Steps = append(b.Steps, s) })),
		step(variant(packagesBlock, "deb", 0, func(b *draft, s *Packages) { b.Steps = append(b.Steps, s) })),
		step(variant(aptBlock, "apt", 0, func(b *draft, s *Packages) { b.Steps = append(b.Steps, s) })),
		step(variant(apkBlock, "apk", 0, func(b *draft, s *Packages) { b.Steps = append(b.Steps, s) })),
		step(variant(dnfBlock, "dnf", 0, func(b *draft, s *Packages) { b.Steps = append(b.Steps, s) })),
		step(child(fileBlock, 0, func(b *draft, s *File) { b.Steps = append(b.Steps, s) })),
		step(child(directoryBlock, 0, func(b *draft, s *Directory) { b.Steps = append(b.Steps, s) })),
		step(child(symlinkBlock, 0, func(b *draft, s *Symlink) { b.Steps = append(b.Steps, s) })),
		step(child(userBlock, 0, func(b *draft, s *User) { b.Steps = append(b.Steps, s) })),
		step(child(groupBlock, 0, func(b *draft, s *Group) { b.Steps = append(b.Steps, s) })),
	}
}

var stageBlock = &block[draft]{
	name: "stage", label: nameLabel, doc: "A file system that others copy from or build on, and nobody ships.",
	begin: func(b *draft, label string, header diag.Range) { b.Addr.Name, b.Range = label, header },
	attrs: append(buildRows(),
		attr("platform", platform, func(b *draft) *Attr[Platform] { return &b.Platform }, "the platform its steps run on.", defaults("that of what uses it")),
	),
	blocks: stepRows(),
	check:  checkBody,
}

var imageBlock = &block[draft]{
	name: "image", label: nameLabel, doc: "An image that is shipped.",
	begin: func(b *draft, label string, header diag.Range) {
		b.Addr.Name, b.Range, b.Image = label, header, &ImageBody{}
	},
	attrs: append(buildRows(),
		attr("platforms", platforms, func(b *draft) *Attr[[]Platform] { return &b.decl.Platforms }, "what it is built for.", withoutTarget, defaults("the building machine's")),
		attr("tags", tagList, func(b *draft) *Attr[[]string] { return &b.decl.Tags }, "the names that it is pushed under.", withoutTarget),
		attr("run_as", owner, func(b *draft) *Attr[string] { return &b.Image.RunAs }, "the user of the finished image: \"uid[:gid]\" or the name of a `user`."),
		attr("entrypoint", argvOrEmpty, func(b *draft) *Attr[[]string] { return &b.Image.Entrypoint }, "the command that a container runs, a list."),
		attr("cmd", argvOrEmpty, func(b *draft) *Attr[[]string] { return &b.Image.Cmd }, "the arguments that a user of the container may replace, a list."),
		attr("expose", ports, func(b *draft) *Attr[[]Port] { return &b.Image.Expose }, "ports that it listens on, such as 8080 or \"53/udp\"."),
		attr("volumes", pathList, func(b *draft) *Attr[[]string] { return &b.Image.Volumes }, "folders that hold data which outlives the container."),
		plain("labels", textMap, func(b *draft) *[]EnvVar { return &b.Image.Labels }, "labels of the config; null removes an inherited one."),
		plain("annotations", textMap, func(b *draft) *[]EnvVar { return &b.Image.Annotations }, "annotations of the manifest and the index."),
		plain("stamp", textMap, func(b *draft) *[]EnvVar { return &b.Image.Stamp }, "annotations that are written only when the image is pushed for another reason."),
		attr("stop_signal", signal, func(b *draft) *Attr[string] { return &b.Image.StopSignal }, "the signal that ends it, such as \"SIGTERM\"."),
		attr("unset_env", envNames, func(b *draft) *Attr[[]string] { return &b.Image.UnsetEnv }, "inherited environment variables that are removed."),
		attr("unset_labels", textList, func(b *draft) *Attr[[]string] { return &b.Image.UnsetLabels }, "inherited labels that are removed."),
	),
	blocks: append(stepRows(),
		child(healthcheckBlock, 1, func(b *draft, h *Healthcheck) { b.Image.Healthcheck = h }),
		child(testBlock, 0, func(b *draft, t *Test) { b.Image.Tests = append(b.Image.Tests, *t) }),
		child(budgetBlock, 1, func(b *draft, g *Budget) { b.Image.Budget = g }),
	),
	check: checkBody,
}

var healthcheckBlock = &block[Healthcheck]{
	name: "healthcheck", doc: "How a container is asked whether it is well.",
	begin: func(h *Healthcheck, _ string, header diag.Range) { h.Range = header },
	attrs: []attribute[Healthcheck]{
		plain("command", argv, func(h *Healthcheck) *[]string { return &h.Command }, "the command; status 0 says it is well."),
		plain("interval", duration, func(h *Healthcheck) *time.Duration { return &h.Interval }, "the time between two checks."),
		plain("timeout", duration, func(h *Healthcheck) *time.Duration { return &h.Timeout }, "how long one may take."),
		plain("start_period", duration, func(h *Healthcheck) *time.Duration { return &h.StartPeriod }, "how long failures do not count at first."),
		plain("retries", count, func(h *Healthcheck) *int { return &h.Retries }, "how many failures in a row make it unwell."),
		plain("none", yes, func(h *Healthcheck) *bool { return &h.None }, "true: no check, an inherited one neither."),
	},
	one: []choice{{names: []string{"command", "none"}}},
}

var testBlock = &block[Test]{
	name: "test", label: textLabel, when: true, doc: "A check of the finished image, in its own file system, without network.",
	begin: func(t *Test, label string, header diag.Range) { t.Name, t.Range = label, header },
	attrs: []attribute[Test]{
		attr("command", argv, func(t *Test) *Attr[[]string] { return &t.Command }, "what is run."),
		plain("env", envMap, func(t *Test) *[]EnvVar { return &t.Env }, "environment variables of this test alone."),
		attr("user", owner, func(t *Test) *Attr[string] { return &t.User }, "who runs it; default: the image's user."),
		attr("workdir", absolutePath, func(t *Test) *Attr[string] { return &t.Workdir }, "where; default: the image's workdir."),
		attr("timeout", duration, func(t *Test) *Attr[time.Duration] { return &t.Timeout }, "how long it may take."),
		attr("absent", globPathList, func(t *Test) *Attr[[]string] { return &t.Absent }, "paths that must not be in the image."),
	},
	blocks: []nested[Test]{
		child(expectBlock, 1, func(t *Test, e *Expect) { t.Expect = *e }),
		child(testFileBlock, 0, func(t *Test, f *TestFile) { t.Files = append(t.Files, *f) }),
	},
	check: checkTest,
}

var expectBlock = &block[Expect]{
	name: "expect", doc: "What the command must do.",
	attrs: []attribute[Expect]{
		plain("exit_code", exitCode, func(e *Expect) *int { return &e.ExitCode }, "its status.", defaults("0")),
		plain("stdout_contains", textOrList, func(e *Expect) *[]string { return &e.StdoutContains }, "texts that its output holds."),
		plain("stdout_matches", regexps, func(e *Expect) *[]string { return &e.StdoutMatches }, "regular expressions (RE2) that match in its output."),
		plain("stderr_contains", textOrList, func(e *Expect) *[]string { return &e.StderrContains }, "texts that its error output holds."),
		plain("stderr_matches", regexps, func(e *Expect) *[]string { return &e.StderrMatches }, "regular expressions (RE2) that match in its error output."),
	},
}

var testFileBlock = &block[TestFile]{
	name: "file", label: textLabel, doc: "A file that must be in the image; its label is the path.",
	begin: func(f *TestFile, label string, header diag.Range) { f.Path, f.Range = label, header },
	attrs: []attribute[TestFile]{
		attr("mode", mode, func(f *TestFile) *Attr[uint32] { return &f.Mode }, "its mode, four octal digits."),
		attr("owner", owner, func(f *TestFile) *Attr[string] { return &f.Owner }, "its owner, \"uid:gid\"."),
		attr("contains", text, func(f *TestFile) *Attr[string] { return &f.Contains }, "a text that it holds."),
	},
	check: func(d *decoder, f *TestFile) {
		checkPath(d, f.Path, f.Range)
	},
}

var budgetBlock = &block[Budget]{
	name: "budget", doc: "How large the image may be, per platform, its base included.",
	begin: func(b *Budget, _ string, header diag.Range) { b.Range = header },
	attrs: []attribute[Budget]{
		attr("size", size, func(b *Budget) *Attr[int64] { return &b.Size }, "the uncompressed bytes of all layers, such as \"30MiB\"."),
		attr("layers", count, func(b *Budget) *Attr[int] { return &b.Layers }, "the number of layers."),
	},
}
