package dockerfile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// variable is a build argument that became a variable of the spec.
type variable struct {
	name     string // in the spec
	arg      string // in the Dockerfile
	value    text   // its default; empty where it has none
	comments []string
	line     int
	used     bool
	told     bool // it was said that nothing uses it
	// asked is the local by which it is named if its default is computed: a
	// variable's own default is a constant.
	asked string
}

// binding is a variable of the Dockerfile at some point.
type binding struct {
	value text
	v     *variable // nil for what ENV sets
	// line is where an argument was declared, used whether anything named it.
	line int
	used *bool
}

// scope is the variables that are set at a point of a stage.
type scope map[string]binding

func (s scope) get(name string) (text, bool) {
	b, ok := s[name]
	if !ok {
		return nil, false
	}
	if b.v != nil {
		b.v.used = true
	}
	if b.used != nil {
		*b.used = true
	}
	return b.value, true
}

func newExpander(escape rune, get lookup) *expander {
	return &expander{escape: escape, quotes: true, get: get}
}

// platformArg is what BuildKit sets by itself.
func (im *importer) platformArg(name string) (text, bool) {
	known := func(expr, now string) (text, bool) {
		return text{{expr: expr, now: now, word: !strings.HasSuffix(expr, "variant")}}, true
	}
	switch name {
	case "TARGETPLATFORM":
		return known("target.platform", "linux/amd64")
	case "TARGETOS":
		return known("target.os", "linux")
	case "TARGETARCH":
		return known("target.arch", "amd64")
	case "TARGETVARIANT":
		return known("target.variant", "")
	case "BUILDPLATFORM":
		return known("build.platform", "linux/amd64")
	case "BUILDOS":
		return known("build.os", "linux")
	case "BUILDARCH":
		return known("build.arch", "amd64")
	case "BUILDVARIANT", "BUILDOSVERSION", "TARGETOSVERSION":
		return nil, true
	case "TARGETSTAGE":
		if im.opts.Target == "" {
			return literal("default"), true
		}
		return literal(im.opts.Target), true
	}
	return nil, false
}

// globals are the ARGs before the first FROM.
func (im *importer) globals(args []instructions.ArgCommand) {
	im.global = scope{}
	get := func(name string) (text, bool) {
		if v, ok := im.global.get(name); ok {
			return v, ok
		}
		return im.platformArg(name)
	}
	for _, cmd := range args {
		comments := im.comments(cmd.Comments())
		for _, kv := range cmd.Args {
			im.global[kv.Key] = im.declare(kv, "", firstLine(cmd.Location()), comments, get)
			comments = nil
		}
	}
}

// argument is an ARG within a stage.
func (st *stage) argument(cmd *instructions.ArgCommand) {
	im, line := st.im, firstLine(cmd.Location())
	comments := im.comments(cmd.Comments())
	for _, kv := range cmd.Args {
		used := new(bool)
		b := binding{line: line, used: used}
		outer, isGlobal := im.global[kv.Key]
		platform, isPlatform := im.platformArg(kv.Key)
		switch {
		case kv.Value == nil && isGlobal:
			b = outer
			b.line, b.used = line, used
		case kv.Value == nil && isPlatform:
			b.value = platform
		case kv.Value == nil && st.own[kv.Key]:
			im.note(line, Dropped, "ARG %s: it has the value of ENV.", kv.Key)
			continue
		case kv.Value == nil && isProxy(kv.Key):
			im.note(line, Dropped, "ARG %s: steps with a network get the machine's proxy without it.", kv.Key)
			continue
		default:
			b = im.declare(kv, st.spec, line, comments, st.scope.get)
			b.used = used
			comments = nil
		}
		st.args = append(st.args, declared{kv.Key, b})
		st.scope[kv.Key] = b
	}
}

// declared is an argument of a stage, to say at its end whether it was used.
type declared struct {
	name string
	binding
}

// declare makes a variable of an argument, or finds the one that it is.
func (im *importer) declare(kv instructions.KeyValuePairOptional, owner string, line int, comments []string, get lookup) binding {
	if b, ok := im.given(kv, line, comments); ok {
		return b
	}
	var value text
	if kv.Value != nil {
		var err error
		if value, err = newExpander(im.escape, get).expand(*kv.Value); err != nil {
			comments = append(comments, im.todo(line, "the default of ARG %s is not kept: %s", kv.Key, err))
			value = nil
		}
	}
	v := im.sameVariable(kv.Key, value)
	if v == nil {
		v = &variable{arg: kv.Key, value: value, line: line, comments: comments}
		wish := strings.ToLower(kv.Key)
		if owner != "" && slices.ContainsFunc(im.variables, func(o *variable) bool { return o.arg == kv.Key }) {
			wish += "_" + owner
			im.note(line, Changed, "ARG %s has another default than before, so it is a variable of its own here; one --build-arg set both.", kv.Key)
		}
		v.name = im.unique("variable", strings.ReplaceAll(wish, "-", "_"), "_")
		if isSecretName(kv.Key) {
			v.comments = append(v.comments, im.todo(line, "ARG %s looks like a secret, which variables are not: mount a `secret` in the step that needs it", kv.Key))
		}
		im.variables = append(im.variables, v)
	}
	now := value.now()
	ref := part{expr: "var." + v.name, now: now}
	if _, constant := value.constant(); !constant {
		if v.asked == "" {
			v.asked = v.name
		}
		ref.expr = "local." + v.asked
	}
	return binding{value: text{ref}, v: v, line: line}
}

// sameVariable is the variable of an argument that was declared before with
// the same default.
func (im *importer) sameVariable(arg string, value text) *variable {
	for _, v := range im.variables {
		if v.arg == arg && v.value.equal(value) {
			return v
		}
	}
	return nil
}

// blocks of the variables that something names, and the locals of those whose
// default is computed.
func (im *importer) variableBlocks() []item {
	var out []item
	locals := &block{name: "locals"}
	for _, v := range im.variables {
		if !v.used {
			continue
		}
		b := &block{name: "variable", labels: []string{v.name}, comments: v.comments, line: v.line}
		b.set("type", "string")
		if v.asked == "" {
			b.set("default", v.value.hcl())
		} else {
			b.set("default", "null")
			locals.set(v.asked, fmt.Sprintf("var.%s != null ? var.%s : %s", v.name, v.name, v.value.operand()))
		}
		out = append(out, b)
	}
	if len(locals.items) > 0 {
		out = append(out, locals)
	}
	return out
}

// unusedArgs says which arguments went nowhere.
func (im *importer) unusedArgs(st *stage) {
	for _, a := range st.args {
		if !*a.used {
			if a.v != nil {
				a.v.told = true
			}
			im.note(a.line, Dropped, "ARG %s: nothing in the stage names it. A program that reads it from the environment needs it in the `env` of its step.", a.name)
		}
	}
}

// isProxy tells the arguments that Docker passes unasked.
func isProxy(name string) bool {
	switch strings.ToLower(name) {
	case "http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy":
		return true
	}
	return false
}

// isSecretName follows BuildKit's check SecretsUsedInArgOrEnv.
func isSecretName(name string) bool {
	words := strings.Split(strings.ToLower(name), "_")
	if slices.Contains(words, "public") {
		return false
	}
	for _, w := range []string{"apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"} {
		if slices.Contains(words, w) {
			return true
		}
	}
	return false
}
