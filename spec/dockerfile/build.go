package dockerfile

import (
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// Arg is what a build argument is given, as by docker build --build-arg: its
// default in the Dockerfile then counts for nothing.
type Arg struct {
	Value string
	// Variable is the variable of the spec that the argument becomes, with
	// the value as its default; empty writes the value in its place. It must
	// be a name that the language takes, in small letters.
	Variable string
}

// Stage says where a stage of the Dockerfile begins, so that notes can be told
// apart by stage.
type Stage struct {
	Line int // of its FROM
	// Address is what names it in the spec: stage.build, image.app, or the
	// base that it only gives another name to.
	Address string
}

// given is the binding of an argument that [Options.Args] gives.
func (im *importer) given(kv instructions.KeyValuePairOptional, line int, comments []string) (binding, bool) {
	arg, ok := im.opts.Args[kv.Key]
	if !ok {
		return binding{}, false
	}
	im.taken[kv.Key] = true
	if isSecretName(kv.Key) && arg.Value != "" {
		comments = append(comments, im.todo(line, "ARG %s looks like a secret, which build arguments are not: mount a `secret` in the step that needs it", kv.Key))
	}
	if arg.Variable == "" {
		return binding{value: literal(arg.Value), line: line}, true
	}
	at := slices.IndexFunc(im.variables, func(v *variable) bool { return v.name == arg.Variable })
	if at < 0 {
		im.names["variable "+arg.Variable] = true
		at = len(im.variables)
		im.variables = append(im.variables, &variable{name: arg.Variable, arg: kv.Key, value: literal(arg.Value), line: line, comments: comments})
	}
	v := im.variables[at]
	return binding{value: text{{expr: "var." + v.name, now: arg.Value}}, v: v, line: line}, true
}

// unknownArgs are the names of [Options.Args] that no ARG declares, sorted.
func (im *importer) unknownArgs() []string {
	var out []string
	for name := range im.opts.Args {
		if !im.taken[name] {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// named is the image that a name means by [Options.Contexts]; the image of no
// name is none.
func (im *importer) named(name string) (string, bool) {
	if len(im.opts.Contexts) == 0 {
		return "", false
	}
	for _, key := range slices.Sorted(maps.Keys(im.opts.Contexts)) {
		if familiar(key) == familiar(name) && im.opts.Contexts[key] != "" {
			return im.opts.Contexts[key], true
		}
	}
	return "", false
}

// familiar is a name without what Docker adds to it by itself.
func familiar(name string) string {
	name = strings.TrimPrefix(strings.ToLower(name), "docker.io/")
	return strings.TrimSuffix(strings.TrimPrefix(name, "library/"), ":latest")
}

// places are the stages in the order of the Dockerfile.
func (im *importer) places() []Stage {
	out := make([]Stage, len(im.stages))
	for i, st := range im.stages {
		out[i] = Stage{Line: st.line, Address: st.addr()}
	}
	return out
}
