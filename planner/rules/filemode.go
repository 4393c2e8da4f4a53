package rules

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/planner/survey"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// What a spec itself says of modes is known before anything is built. Only
// what gets into an image counts, and only what no later step changes: the
// rules over finished images see the rest.

// placed is a step that says a mode, or could, of what it puts into an image.
type placed struct {
	inst   *Instance
	step   spec.Step
	at     string   // where it puts it: the path itself, or a folder
	paths  []string // that it may be known by: of a copy into a folder also that of the source in it
	mode   spec.Attr[uint32]
	owner  spec.Attr[string]
	script bool // it writes a text that names its interpreter
	folder bool // it makes a folder
	later  []placedIn
}

// placedIn is a step that comes after another one in an image.
type placedIn struct {
	inst *Instance
	step spec.Step
}

// eachPlaced calls visit for the steps of an image that put something, each
// with what comes after it.
func (d *docket) eachPlaced(img *Instance, visit func(placed)) {
	var all []placedIn
	for _, inst := range slices.Backward(d.chain(img)) {
		for _, step := range inst.Body.Steps {
			all = append(all, placedIn{inst, step})
		}
	}
	for i, s := range all {
		p := placed{inst: s.inst, step: s.step, later: all[i+1:]}
		to := destination(s.step)
		switch t := s.step.(type) {
		case *spec.File:
			p.mode, p.owner, p.script = t.Mode, t.Owner, !t.Content.Unknown && strings.HasPrefix(t.Content.V, "#!")
		case *spec.Directory:
			p.mode, p.owner, p.folder = t.Mode, t.Owner, true
		case *spec.Copy:
			p.mode, p.owner = t.Mode, t.Owner
			if !path.IsAbs(to.V) {
				to.V = path.Join("/", s.inst.Body.Workdir.V, to.V)
			}
			for _, source := range t.Source.V {
				p.paths = append(p.paths, path.Join(to.V, path.Base(source)))
			}
		default:
			continue
		}
		if to.Unknown || p.mode.Unknown || to.V == "" {
			continue
		}
		p.at = path.Clean(to.V)
		p.paths = append(p.paths, p.at)
		visit(p)
	}
}

// kind is the step as a survey would find what it makes.
func (p placed) kind() survey.File {
	f := survey.File{Path: p.at, Kind: survey.Regular, Mode: survey.Mode(p.mode.V)}
	if p.folder {
		f.Kind = survey.Folder
	}
	return f
}

// openModes is file-modes-explicit over what the spec says: modes that let
// everybody write, and programs that nobody may start.
func openModes(d *docket) {
	for _, img := range d.images() {
		d.eachPlaced(img, func(p placed) {
			if p.mode.Set && p.kind().Open() && !d.allowedMode(p) && !d.changed(p) {
				fix, owner := d.closed(p)
				d.mend(p.inst.Body.Addr, p.mode.Range, fix, "The mode lets everybody write",
					"%s gives %s the mode %04o: whoever breaks into any process of a container can change it. Say %04o%s.",
					p.inst.Body.Addr.Local(), p.at, p.mode.V, p.mode.V&^0o022, owner)
			}
			if why := d.started(img, p); why != "" && p.mode.V&0o111 == 0 && !d.changed(p) {
				d.mend(p.inst.Body.Addr, or(p.mode.Range, p.step.Where()), d.executable(p), "The program may not be executed",
					"%s, and %s puts it there with the mode %04o. Say %04o.", why, p.inst.Body.Addr.Local(), p.mode.V, withX(p.mode.V))
			}
		})
	}
}

// setuidModes is no-setuid-files over what the spec says.
func setuidModes(d *docket) {
	for _, img := range d.images() {
		d.eachPlaced(img, func(p placed) {
			if !p.mode.Set || !p.kind().Privileged() || d.allowedMode(p) || d.changed(p) {
				return
			}
			mode := p.mode.V &^ 0o6000
			d.mend(p.inst.Body.Addr, p.mode.Range, d.remode(p, mode), "The mode is setuid or setgid",
				"%s gives %s the mode %04o: it runs with the rights of its owner or group, whoever starts it. Say %04o.",
				p.inst.Body.Addr.Local(), p.at, p.mode.V, mode)
		})
	}
}

// allowedMode reports whether a policy lets a path be so. What a copy makes of
// names that the policy lists is not known before it is done: that is left to
// the rule over the finished image.
func (d *docket) allowedMode(p placed) bool {
	list := d.list("allow")
	if slices.ContainsFunc(p.paths, func(name string) bool { return allowed(list, name) }) {
		return true
	}
	_, copies := p.step.(*spec.Copy)
	return copies && slices.ContainsFunc(list, func(want string) bool { return below(want, p.at) })
}

// closed is the fix of a mode that lets everybody write, and how a sentence
// goes on where it has to say the owner, too: who was meant to write would
// else no longer do so. It is nil where that is not known.
func (d *docket) closed(p placed) (fix *diag.Fix, owner string) {
	fix = d.remode(p, p.mode.V&^0o022)
	if p.owner.Set || !p.folder && !liesIn(p.at, dataFolders) {
		return fix, ""
	}
	_, copies := p.step.(*spec.Copy)
	uid, known := d.runner(p)
	switch {
	case !known || copies: // whose owners may be those of another stage
		return nil, ", and the `owner` that writes there"
	case uid == 0: // may write whatever the mode is
		return fix, ""
	}
	owner = fmt.Sprintf(`"%d"`, uid)
	line := d.besideText(p.mode.Range, "owner", owner)
	if fix == nil || line == nil {
		return nil, ", and owner = " + owner
	}
	src := string(d.Spec.Files[p.mode.Range.File])
	fix.Replacement += src[fix.Range.End.Byte:line.Range.Start.Byte] + line.Replacement
	fix.Range.End = line.Range.Start
	return fix, ", and owner = " + owner
}

// runner is the one user that all images run as which have the step: also
// those of other elements of a loop, and of other callers of a module.
func (d *docket) runner(p placed) (uid int, known bool) {
	uid = -1
	isIt := func(s spec.Step) bool { return s.Where() == p.step.Where() }
	for _, img := range d.images() {
		if !slices.ContainsFunc(d.chain(img), func(i *Instance) bool { return slices.ContainsFunc(i.Body.Steps, isIt) }) {
			continue
		}
		n, ok := d.uid(img)
		if !ok || uid >= 0 && n != uid {
			return 0, false
		}
		uid = n
	}
	return uid, uid >= 0
}

// remode is a fix that writes another mode in the place of one that stands in
// the spec as it is.
func (d *docket) remode(p placed, mode uint32) *diag.Fix {
	source, was := d.source(p.mode.Range), fmt.Sprintf("%04o", p.mode.V)
	if strings.Trim(source, `"'`) != was {
		return nil
	}
	return &diag.Fix{Range: p.mode.Range, Replacement: strings.Replace(source, was, fmt.Sprintf("%04o", mode), 1)}
}

// executable is a fix that lets those who may read a program start it.
func (d *docket) executable(p placed) *diag.Fix {
	if p.mode.Set {
		return d.remode(p, withX(p.mode.V))
	}
	return d.besideText(destination(p.step).Range, "mode", fmt.Sprintf(`"%04o"`, withX(p.mode.V)))
}

// withX is a mode with x wherever there is r.
func withX(mode uint32) uint32 { return mode | mode&0o444>>2 }

// started says why what a step puts is surely meant to be executed, or "".
// A script may be one that others read: only what an image starts by its
// path, and what lies among programs by a program's name, is sure.
func (d *docket) started(img *Instance, p placed) string {
	_, copies := p.step.(*spec.Copy)
	if !p.script && !(copies && p.mode.Set) {
		return ""
	}
	programs, words := d.programs(img)
	for _, name := range programs {
		if slices.Contains(p.paths, path.Clean(name)) {
			return img.Body.Addr.Local() + " starts " + name
		}
	}
	if !p.script || !slices.Contains(programFolders, path.Dir(p.at)) || path.Ext(p.at) != "" || slices.Contains(words, p.at) || d.named(p) {
		return ""
	}
	return p.at + " begins with #! and lies among programs"
}

// programFolders are those that PATH has by custom (FHS 3.0).
var programFolders = []string{"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"}

// programs are the files that an image starts by their whole path, and the
// words that it hands them.
func (d *docket) programs(img *Instance) (programs, words []string) {
	add := func(command []string) {
		if len(command) > 0 {
			words = append(words, command[1:]...)
			if path.IsAbs(command[0]) {
				programs = append(programs, command[0])
			}
		}
	}
	var entrypoint, cmd spec.Attr[[]string]
	for _, inst := range slices.Backward(d.chain(img)) {
		i := inst.Body.Image
		if i == nil {
			continue
		}
		if i.Entrypoint.Set {
			entrypoint, cmd = i.Entrypoint, spec.Attr[[]string]{} // as a container runtime does it
		}
		if i.Cmd.Set {
			cmd = i.Cmd
		}
		if i.Healthcheck != nil {
			add(i.Healthcheck.Command)
		}
		for _, t := range i.Tests {
			add(t.Command.V)
		}
	}
	// A base may have an entrypoint that cmd is the words of.
	if _, _, _, based := d.base(img); entrypoint.Set || !based {
		add(slices.Concat(entrypoint.V, cmd.V))
	}
	return programs, words
}

// named reports whether another step names a script: a shell may read it then,
// which needs no x.
func (d *docket) named(p placed) bool {
	base := path.Base(p.at)
	for _, inst := range d.chain(p.inst) {
		for _, step := range inst.Body.Steps {
			if f, ok := step.(*spec.File); ok && step != p.step && strings.Contains(f.Content.V, base) {
				return true
			}
		}
	}
	return slices.ContainsFunc(p.later, func(s placedIn) bool {
		switch t := s.step.(type) {
		case *spec.File:
			return strings.Contains(t.Content.V, base)
		case *spec.Run:
			return strings.Contains(t.Script.V, base) || slices.ContainsFunc(t.Command.V, func(w string) bool { return strings.Contains(w, base) })
		}
		return false
	})
}

// changed reports whether a later step puts something else there, or may
// change the mode.
func (d *docket) changed(p placed) bool {
	return slices.ContainsFunc(p.later, func(s placedIn) bool {
		if r, ok := s.step.(*spec.Run); ok {
			script, _ := d.runScript(s.inst.Body, r)
			if script.file == nil && r.Script.Set { // of another language
				return strings.Contains(r.Script.V, "chmod")
			}
			return slices.ContainsFunc(script.calls, func(c call) bool { return p.changedBy(c) })
		}
		return path.Join("/", destination(s.step).V) == p.at
	})
}

// changedBy reports whether a command may change the mode of what a step puts.
func (p placed) changedBy(c call) bool {
	changes := func(word string) bool {
		return slices.Contains([]string{"chmod", "rm", "rmdir", "mv", "install"}, word)
	}
	if !changes(c.name) && !slices.ContainsFunc(c.args, changes) { // find … -exec chmod
		return false
	}
	return slices.ContainsFunc(c.args, func(word string) bool {
		switch {
		case strings.Contains(word, dynamic):
			return true
		case path.IsAbs(word):
			return below(p.at, word) || below(word, p.at) || matches(word, p.at)
		}
		return word == "." || strings.ContainsAny(word, "*?[") || path.Base(word) == path.Base(p.at)
	})
}
