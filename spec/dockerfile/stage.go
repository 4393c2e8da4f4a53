package dockerfile

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// importer is the state of one Import.
type importer struct {
	opts   Options
	lines  []string // of the Dockerfile, with their ends
	escape rune

	notes []Note
	noted map[Note]bool
	names map[string]bool // kind + " " + name, of what is declared
	taken map[string]bool // names of [Options.Args] that an ARG declares

	global    scope
	variables []*variable
	bases     []*base
	secrets   []*secret
	contexts  []*block
	stages    []*stage
	waivers   []item

	ids      map[string]bool   // numbers of users and groups
	standIns map[string]string // numbers for names that only a base knows

	marks   []text // see mark
	offline []int  // lines of steps that Docker gives a network and we do not
}

// stage is a stage of the Dockerfile and the block it becomes.
type stage struct {
	im    *importer
	src   instructions.Stage
	index int
	line  int
	// native is the platform that the stage says for itself.
	native string
	spec   string // its name in the spec
	image  bool   // the one that is built
	block  *block
	from   origin
	point  // as it is at the instruction at hand
	steps  []*step
	args   []declared

	own      map[string]bool                 // variables of the environment that this stage sets
	order    []string                        // the same, in their order
	said     map[string][]string             // comments by attribute
	written  map[string]instructions.Command // what set an attribute last
	workdirs []string                        // made by WORKDIR, in the chain
	fetched  bool                            // go mod download ran before
	config   config
	groups   []account       // made by steps, in the chain
	accounts map[string]bool // names of `user` and `group` steps in the chain
	at       int             // line of the RUN whose mounts are expanded
	alias    string          // the base's address, for a stage that is only a name for it
	rest     []string        // comments that found no place
}

// point is what instructions before have set.
type point struct {
	scope   scope
	env     map[string]text // of the images that are built on it
	workdir text
	// hasWorkdir is false while only the base says one.
	hasWorkdir bool
	user       text
	hasUser    bool
	shell      []string
}

// origin is what a stage is built on.
type origin struct {
	expr   string // of the spec: scratch, base.x, stage.y
	parent *stage // a stage of the Dockerfile
	known  image  // what is known of the base at the bottom
}

func (im *importer) convert(stages []instructions.Stage, global []instructions.ArgCommand) error {
	target, err := im.target(stages)
	if err != nil {
		return err
	}
	im.globals(global)
	for i, src := range stages {
		st := &stage{im: im, src: src, index: i, line: firstLine(src.Location), image: i == target}
		st.spec = im.stageName(st)
		im.stages = append(im.stages, st)
	}
	for _, st := range im.stages {
		st.convert()
	}
	im.waive()
	for _, v := range im.variables {
		if !v.used && !v.told {
			im.note(v.line, Dropped, "ARG %s: nothing names it.", v.arg)
		}
	}
	if len(im.offline) > 0 {
		slices.Sort(im.offline)
		im.note(0, Changed, "Docker gives every RUN a network; %s without one here. Where one fetches something, add network = \"outbound\".", runsOn(im.offline))
	}
	return nil
}

func runsOn(lines []int) string {
	lines = slices.Compact(lines)
	words := make([]string, len(lines))
	for i, n := range lines {
		words[i] = strconv.Itoa(n)
	}
	if len(words) == 1 {
		return "that of line " + words[0] + " runs"
	}
	return "those of lines " + strings.Join(words, ", ") + " run"
}

// target is the number of the stage that becomes the image.
func (im *importer) target(stages []instructions.Stage) (int, error) {
	if im.opts.Target == "" {
		return len(stages) - 1, nil
	}
	if i, ok := instructions.HasStage(stages, im.opts.Target); ok {
		return i, nil
	}
	if i, err := strconv.Atoi(im.opts.Target); err == nil && i >= 0 && i < len(stages) {
		return i, nil
	}
	return 0, fmt.Errorf("no stage is called %q", im.opts.Target)
}

// stageName is a stage's name in the spec.
func (im *importer) stageName(st *stage) string {
	wish := st.src.Name
	switch {
	case st.image && im.opts.Image != "":
		wish = im.opts.Image
	case st.image && (wish == "" || vague(wish)):
		wish = "app"
	case wish == "":
		wish = "stage-" + strconv.Itoa(st.index)
	}
	kind := "stage"
	if st.image {
		kind = "image"
	}
	return im.unique(kind, wish, "-")
}

// vague are names that say what a stage is among others, not what the image is.
func vague(name string) bool {
	return slices.Contains([]string{"final", "runtime", "runner", "release", "prod", "production", "run", "app", "main", "image", "deploy", "stage"}, name)
}

// unique is a name that the language takes and that nothing of its kind has.
func (im *importer) unique(kind, wish, sep string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return rune(sep[0])
	}, wish)
	name = strings.Trim(name, "-_")
	if name == "" || name[0] < 'a' || name[0] > 'z' {
		name = strings.Trim(kind+sep+name, "-_")
	}
	out := name
	for n := 2; im.names[kind+" "+out]; n++ {
		out = name + sep + strconv.Itoa(n)
	}
	im.names[kind+" "+out] = true
	return out
}

// addr is how others name the stage.
func (st *stage) addr() string {
	switch {
	case st.alias != "":
		return st.alias
	case st.image:
		return "image." + st.spec
	}
	return "stage." + st.spec
}

// find is the stage that a name or number means, among those before.
func (im *importer) find(name string, before int, numbers bool) *stage {
	for i := min(before, len(im.stages)) - 1; i >= 0; i-- {
		st := im.stages[i]
		if name != "" && strings.EqualFold(st.src.Name, name) || numbers && strconv.Itoa(i) == name {
			return st
		}
	}
	return nil
}

func (st *stage) convert() {
	im := st.im
	st.block = &block{name: "stage", labels: []string{st.spec}, line: st.line, comments: im.comments(st.src.Comments)}
	st.block.source = strings.TrimSpace(st.src.SourceCode)
	if st.image {
		st.block.name = "image"
	}
	st.own, st.said, st.written = map[string]bool{}, map[string][]string{}, map[string]instructions.Command{}
	st.point = point{scope: scope{}, env: map[string]text{}}
	st.accounts = map[string]bool{}
	st.from = st.origin()
	st.inherit()
	platform := st.platform()
	st.native = platform
	if !st.image && platform == "" && st.onlyNames() && st.from.parent == nil && strings.HasPrefix(st.from.expr, "base.") {
		st.alias = st.from.expr
		im.claimBase(st)
		return
	}
	st.block.setNeeded("from", st.from.expr)
	if platform != "" {
		name := "platform"
		if st.image {
			name, platform = "platforms", "["+platform+"]"
		}
		st.block.set(name, platform)
	}
	for _, cmd := range st.src.Commands {
		st.instruction(cmd)
	}
	st.finish()
	im.unusedArgs(st)
}

// inherit takes over what the stage below ends with.
func (st *stage) inherit() {
	p := st.from.parent
	if p == nil {
		for _, kv := range st.from.known.env {
			st.scope[kv[0]] = binding{value: literal(kv[1])}
		}
		st.scope["PATH"] = binding{value: text{inheritedPath()}}
		st.workdir = literal(st.from.known.workdir)
		return
	}
	for _, kv := range st.from.known.env {
		st.scope[kv[0]] = binding{value: literal(kv[1])}
	}
	for name, v := range p.env {
		st.scope[name] = binding{value: v}
	}
	st.env = maps.Clone(p.env)
	st.scope["PATH"] = binding{value: text{inheritedPath()}}
	st.workdir, st.hasWorkdir, st.user, st.hasUser, st.shell = p.workdir, p.hasWorkdir, p.user, p.hasUser, p.shell
	st.config = p.config.clone()
	st.written["run_as"] = p.written["run_as"]
	st.workdirs = slices.Clone(p.workdirs)
	st.fetched = p.fetched
	st.groups = slices.Clone(p.groups)
	for name := range p.accounts {
		st.accounts[name] = true
	}
}

// onlyNames reports whether a stage is FROM alone.
func (st *stage) onlyNames() bool {
	return !slices.ContainsFunc(st.src.Commands, func(c instructions.Command) bool {
		_, arg := c.(*instructions.ArgCommand)
		return !arg
	}) && st.src.Name != ""
}

// origin resolves FROM.
func (st *stage) origin() origin {
	im := st.im
	get := func(name string) (text, bool) {
		if v, ok := im.global.get(name); ok {
			return v, ok
		}
		return im.platformArg(name)
	}
	e := newExpander(im.escape, get)
	name, err := e.expand(st.src.BaseName)
	if err != nil || len(name) == 0 {
		st.block.comments = append(st.block.comments, im.todo(st.line, "FROM %s: its name cannot be worked out", st.src.BaseName))
		return origin{expr: "scratch"}
	}
	if s, ok := name.constant(); ok {
		if image, ok := im.named(s); ok {
			return origin{expr: "base." + im.base(literal(image), st.line).name, known: knownImage(image)}
		}
		if p := im.find(s, st.index, false); p != nil {
			return origin{expr: p.addr(), parent: p.real(), known: p.from.known}
		}
		if s == "scratch" {
			return origin{expr: "scratch", known: image{user: "0", workdir: "/"}}
		}
	} else if expr, p := im.choice(name, st.index); expr != "" {
		return origin{expr: expr, parent: p.real(), known: p.from.known}
	}
	b := im.base(name, st.line)
	return origin{expr: "base." + b.name, known: knownImage(b.image.now())}
}

// real is the stage itself, or nil for one that is only a base's name.
func (st *stage) real() *stage {
	if st.alias != "" {
		return nil
	}
	return st
}

func firstLine(ranges []parser.Range) int {
	if len(ranges) == 0 {
		return 0
	}
	return ranges[0].Start.Line
}

// comments are those above an instruction, but for the words to other tools.
func (im *importer) comments(lines []string) []string {
	var out []string
	for _, l := range lines {
		l = strings.TrimSpace(strings.TrimLeft(l, "#"))
		word := strings.ToLower(l)
		if l == "" || strings.HasPrefix(word, "hadolint ") || strings.HasPrefix(word, "check=") || strings.HasPrefix(word, "checkov:") ||
			strings.HasPrefix(word, "syntax=") || strings.HasPrefix(word, "escape=") {
			continue
		}
		out = append(out, oneLine(l))
	}
	return out
}
