package dockerfile

import (
	"slices"
	"strings"
	"time"

	"mvdan.cc/sh/v3/syntax"
)

// A Dockerfile may do what the rules refuse: its image runs as root, or stands
// on a tag that moves on. It did so until today, and what becomes of it is not
// the import's to decide. So the rule is set aside for a while, with a comment
// that says what to do instead.

// grace is how long the waivers of an import hold: time to decide, not to
// forget.
const grace = 90 * 24 * time.Hour

// waive writes the waivers that the spec needs to pass the built-in rules.
func (im *importer) waive() {
	for _, b := range im.bases {
		if _, tag := splitImage(b.image.now()); movesOn(tag) {
			im.waiver(b.line, "base-no-floating-tag", "base."+b.name, "the Dockerfile names no version",
				"the tag "+tag+" is another image after each release: name a version, and take this out")
		}
	}
	for _, st := range im.stages {
		im.waiveScripts(st)
		base := st.from.known.user
		said := st.hasUser && len(st.user) > 0
		switch {
		case !st.image:
		case said && st.runsAsRoot(), !said && base == "0":
			im.waiver(st.line, "final-user-non-root", st.addr(), "its Dockerfile runs it as root",
				"the image runs as root: say another run_as, and take this out")
		case !said && base == "":
			im.waiver(st.line, "final-user-non-root", st.addr(), "its Dockerfile leaves the user to the base",
				"the image runs as its base says, which may be root: say run_as, and take this out")
		}
	}
}

// waiveScripts is for scripts that go on after an error, as Docker's do, and
// for an index that is fetched where nothing is installed from it.
func (im *importer) waiveScripts(st *stage) {
	shell := []string{"/bin/sh", "-eu", "-c"}
	if st.block.has("shell") {
		shell = st.shellOf()
	}
	goesOn, index := 0, 0
	for _, s := range st.scripts() {
		if goesOn == 0 && s.run.script.goesOn(shell) {
			goesOn = s.run.line
		}
	}
	for _, s := range st.steps {
		if s.run != nil && index == 0 && s.run.script.fetchesIndex() {
			index = s.run.line
		}
	}
	if goesOn > 0 {
		im.waiver(goesOn, "run-fails-on-error", st.addr(), "its Dockerfile's scripts go on after errors",
			"scripts go on after errors: say a shell with -e, -u and pipefail, and take this out")
	}
	if index > 0 {
		im.waiver(index, "packages-index-same-step", st.addr(), "its Dockerfile fetches the index by itself",
			"the index is fetched where nothing is installed from it: do both in one step, and take this out")
	}
}

// goesOn reports whether an error in a script may go unseen: in a list without
// -e or -u, or on the left of a pipe without pipefail.
func (s script) goesOn(shell []string) bool {
	if s.file == nil {
		return false
	}
	flags := slices.Clone(shell)
	for _, c := range s.calls() {
		if c.name == "set" {
			flags = append(flags, c.args...)
		}
	}
	has := func(letter string) bool {
		return slices.ContainsFunc(flags, func(f string) bool {
			return strings.HasPrefix(f, "-") && !strings.HasPrefix(f, "--") && strings.Contains(f, letter)
		})
	}
	read, _ := s.names()
	many := len(s.file.Stmts) > 1 || several(s.file)
	if many && (!has("e") || !has("u") && len(read) > 0) {
		return true
	}
	if slices.Contains(flags, "pipefail") {
		return false
	}
	found := false
	syntax.Walk(s.file, func(n syntax.Node) bool {
		if p, ok := n.(*syntax.BinaryCmd); ok && (p.Op == syntax.Pipe || p.Op == syntax.PipeAll) {
			left, plain := p.X.Cmd.(*syntax.CallExpr)
			found = found || !plain || len(left.Args) == 0 || !slices.Contains([]string{"echo", "printf", "yes", "true", ":"}, left.Args[0].Lit())
		}
		return !found
	})
	return found
}

// fetchesIndex reports whether a script calls update without an installation.
func (s script) fetchesIndex() bool {
	update, install := false, false
	for _, c := range s.calls() {
		if managerOf(c.name) != "" {
			update = update || c.subcommand() == "update"
			install = install || slices.Contains([]string{"install", "add"}, c.subcommand())
		}
	}
	return update && !install
}

func (im *importer) waiver(line int, rule, address, reason, todo string) {
	if im.opts.Today.IsZero() {
		return
	}
	b := &block{name: "waiver", line: line, comments: []string{im.todo(line, "%s", todo)}}
	b.setNeeded("rule", quote(rule))
	b.setNeeded("address", quote(address))
	b.setNeeded("reason", quote(reason))
	b.setNeeded("owner", quote("whoever imported it"))
	b.setNeeded("expires", quote(im.opts.Today.UTC().Add(grace).Format(time.DateOnly)))
	im.waivers = append(im.waivers, b)
}

// movesOn reports whether a tag is moved to each new release, by the words that
// the rule base-no-floating-tag knows.
func movesOn(tag string) bool {
	first, rest, _ := strings.Cut(strings.ToLower(tag), "-")
	words := strings.Fields("canary current dev devel develop edge head latest main mainline master next nightly rolling snapshot stable testing tip unstable")
	return first == "latest" || slices.Contains(words, first) && !strings.ContainsAny(rest, "0123456789")
}
