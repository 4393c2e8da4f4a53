package rules

import (
	"path"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec"
)

// runStep is a run step with its script, and what stands around it.
type runStep struct {
	inst   *Instance
	run    *spec.Run
	script *script
	text   spec.Attr[string]
}

func (st runStep) body() *spec.Body { return st.inst.Body }

// local is how sentences name the stage or image of a step.
func (st runStep) local() string { return st.inst.Body.Addr.Local() }

// eachStep calls visit for every run step of the instances, in order.
func (d *docket) eachStep(instances []*Instance, visit func(runStep)) {
	for _, inst := range instances {
		for _, step := range inst.Body.Steps {
			if r, ok := step.(*spec.Run); ok {
				s, text := d.runScript(inst.Body, r)
				visit(runStep{inst, r, s, text})
			}
		}
	}
}

// all are the instances of everything that is built.
func (d *docket) all() []*Instance {
	var out []*Instance
	for i := range d.Instances {
		out = append(out, &d.Instances[i])
	}
	return out
}

// env is the value that a variable has when a step begins: its own, that of
// its stage or of what that is built on. What the script assigns counts too,
// wherever it does.
func (d *docket) env(st runStep, name string) (value string, ok bool) {
	for _, a := range st.script.assigns {
		if a.name == name {
			return a.value, true
		}
	}
	lists := [][]spec.EnvVar{st.run.Env}
	for _, inst := range d.chain(st.inst) {
		lists = append(lists, inst.Body.Env)
	}
	for _, vars := range lists {
		if i := slices.IndexFunc(vars, func(v spec.EnvVar) bool { return v.Name == name }); i >= 0 {
			return vars[i].Value, !vars[i].Unset
		}
	}
	_, info, _, _ := d.base(st.inst)
	for _, pair := range info.Env {
		if n, v, _ := strings.Cut(pair, "="); n == name {
			return v, true
		}
	}
	return "", false
}

// says reports whether a script or a file of the spec, in this step or below
// it, holds a phrase: a setting in a configuration file is as good as a flag.
func (d *docket) says(st runStep, phrase string) bool {
	for _, inst := range d.chain(st.inst) {
		for _, step := range inst.Body.Steps {
			switch t := step.(type) {
			case *spec.File:
				if strings.Contains(t.Content.V, phrase) {
					return true
				}
			case *spec.Run:
				if strings.Contains(t.Script.V, phrase) || slices.ContainsFunc(t.Command.V, func(w string) bool { return strings.Contains(w, phrase) }) {
					return true
				}
			}
		}
	}
	return false
}

// mounted reports whether what is written to a folder goes to a mount.
func (st runStep) mounted(dir string) bool {
	return slices.ContainsFunc(st.run.Mounts, func(m spec.Mount) bool {
		return m.Target.V != "" && below(dir, m.Target.V)
	})
}

// kept reports whether what a step writes to a folder stays in its layer.
func (st runStep) kept(dir string) bool {
	if st.mounted(dir) {
		return false
	}
	return !st.run.Outputs.Set || slices.ContainsFunc(st.run.Outputs.V, func(o string) bool { return below(dir, o) || below(o, dir) })
}

// below reports whether a path is a folder or something in it.
func below(file, dir string) bool {
	file, dir = path.Clean(file), path.Clean(dir)
	return file == dir || dir == "/" || strings.HasPrefix(file, dir+"/")
}
