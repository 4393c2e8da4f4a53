// Package lower turns a plan into the graph that engines run.
//
// Five passes, each value in, value out: group (adjacent steps of the spec's
// own text become one), roots (steps become nodes), checks (runs that keep
// nothing are gathered for each image that stands on them), images, and
// outputs. Sharing is none of them: equal nodes are one by their IDs.
package lower

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/lower/dag"
	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/spec/diag"
)

// Lower gives the graph of a plan. A plan that Make gave without errors
// always lowers; one that was written by hand may name what it does not hold.
func Lower(plan *planner.Plan) (*dag.Graph, diag.List) {
	l := newLowering(plan)
	for i := range plan.Instances {
		l.roots(&plan.Instances[i], group(plan.Instances[i].Steps))
	}
	l.gatherChecks()
	for i := range plan.Images {
		l.output(&plan.Images[i])
	}
	if l.ds.HasErrors() {
		return nil, l.ds.Sorted()
	}
	return l.b.Graph(), nil
}

type lowering struct {
	ds        diag.List
	b         dag.Builder
	instances map[string]*planner.Instance
	contexts  map[string]*planner.Context
	secrets   map[string]*planner.Secret
	built     map[string]*built
	order     []*built
}

// built is what the passes know of an instance.
type built struct {
	inst   *planner.Instance
	root   dag.ID
	checks []dag.ID // runs that keep nothing: at first its own, then those of all that it takes from
	takes  []string // instances, in order
}

func newLowering(plan *planner.Plan) *lowering {
	l := &lowering{
		instances: map[string]*planner.Instance{}, contexts: map[string]*planner.Context{},
		secrets: map[string]*planner.Secret{}, built: map[string]*built{},
	}
	for i := range plan.Instances {
		l.instances[plan.Instances[i].ID] = &plan.Instances[i]
	}
	for i := range plan.Contexts {
		l.contexts[plan.Contexts[i].Addr] = &plan.Contexts[i]
	}
	for i := range plan.Secrets {
		l.secrets[plan.Secrets[i].Addr] = &plan.Secrets[i]
	}
	return l
}

// step is one node to be: a step of the plan, or adjacent ones that are
// written as one layer.
type step struct {
	planner.Step
	files []planner.Step // entries, users and groups; more than none of them make Step unused
}

// group joins adjacent steps that only write what the spec says.
func group(steps []planner.Step) []step {
	var out []step
	for _, s := range steps {
		if s.Entry == nil && s.User == nil && s.Group == nil {
			out = append(out, step{Step: s})
			continue
		}
		if n := len(out); n > 0 && len(out[n-1].files) > 0 {
			out[n-1].files = append(out[n-1].files, s)
			continue
		}
		out = append(out, step{Step: s, files: []planner.Step{s}})
	}
	return out
}

// roots makes the nodes of one instance. What it takes from was made before:
// a plan lists inputs first.
func (l *lowering) roots(inst *planner.Instance, steps []step) {
	b := &built{inst: inst}
	l.built[inst.ID] = b
	l.order = append(l.order, b)
	b.root = l.source(b, inst.From, inst.Range)
	for _, s := range steps {
		switch {
		case len(s.files) > 0:
			b.root = l.files(b, s.files)
		case s.Copy != nil:
			b.root = l.copy(b, s)
		case s.Packages != nil:
			b.root = l.packages(b, s)
		case s.Run != nil:
			id := l.run(b, s)
			if s.Run.OutputsOn && len(s.Run.Outputs) == 0 {
				b.checks = append(b.checks, id) // later steps need not wait for it
			} else {
				b.root = id
			}
		default:
			l.ds.Errorf(s.Range, "The plan is not consistent", "A step of %s says nothing.", inst.ID)
		}
	}
}

// source is the root that something is built on or takes from.
func (l *lowering) source(b *built, from planner.Source, at diag.Range) dag.ID {
	switch {
	case from.IsScratch():
		return l.b.Add(dag.Scratch{}, nil, dag.Meta{Title: "scratch"})
	case from.Base != nil:
		return l.b.Add(&dag.Base{Digest: from.Base.Digest, Platform: from.Base.Platform}, nil,
			dag.Meta{Name: name(from.Base.Addr), Title: baseTitle(from.Base.Ref), Range: at, Platform: from.Base.Platform, Ref: from.Base.Ref})
	case from.Instance != "":
		other := l.built[from.Instance]
		if other == nil {
			l.ds.Errorf(at, "The plan does not hold this instance", "%s is not listed before %s.", from.Instance, b.inst.ID)
			return l.b.Add(dag.Scratch{}, nil, dag.Meta{Title: "scratch"})
		}
		b.takes = append(b.takes, from.Instance)
		return other.root
	default:
		l.ds.Errorf(at, "The plan is not consistent", "A context (%s) cannot be a root.", from.Context)
		return l.b.Add(dag.Scratch{}, nil, dag.Meta{Title: "scratch"})
	}
}

// baseTitle is the name to pull by, but for a folder of this machine, whose
// last name is enough for people.
func baseTitle(ref string) string {
	if dir, ok := strings.CutPrefix(ref, "layout:"); ok {
		return "layout " + filepath.Base(dir)
	}
	return ref
}

// gatherChecks gives each instance the checks of all that it takes from: a
// check must pass before anything made with its stage is written.
func (l *lowering) gatherChecks() {
	for _, b := range l.order {
		var all []dag.ID
		for _, id := range b.takes {
			all = append(all, l.built[id].checks...)
		}
		all = append(all, b.checks...)
		b.checks = all[:0]
		seen := map[dag.ID]bool{}
		for _, id := range all {
			if !seen[id] {
				seen[id] = true
				b.checks = append(b.checks, id)
			}
		}
	}
}

// output makes the images of one request, their index and their tests.
func (l *lowering) output(img *planner.Image) {
	out := dag.Output{Addr: img.Addr, Range: img.Range, Tags: img.Tags, Explicit: img.Explicit, Stamp: kvs(img.Stamp)}
	if img.Budget != nil {
		out.Budget = dag.Budget{Size: img.Budget.Size, Layers: img.Budget.Layers, Range: img.Budget.Range}
	}
	for _, p := range img.Platforms {
		b := l.built[p.Instance]
		if b == nil {
			l.ds.Errorf(img.Range, "The plan does not hold this instance", "%s of %s is not listed.", p.Instance, img.Addr)
			return
		}
		id := l.image(b)
		out.Images = append(out.Images, id)
		out.Platforms = append(out.Platforms, p.Platform)
		for i := range b.inst.Tests {
			out.Tests = append(out.Tests, l.test(b, id, &b.inst.Tests[i]))
		}
	}
	switch len(out.Images) {
	case 0:
		l.ds.Errorf(img.Range, "The plan is not consistent", "%s has no platform.", img.Addr)
		return
	case 1:
		out.Node = out.Images[0]
	default:
		out.Node = l.b.Add(&dag.Index{Annotations: kvs(img.Annotations)}, out.Images,
			dag.Meta{Name: name(img.Addr), Title: "index", Range: img.Range})
	}
	l.b.Output(out)
}

func (l *lowering) image(b *built) dag.ID {
	op := &dag.Image{Platform: b.inst.Platform, Config: config(b.inst.Config), Annotations: kvs(b.inst.Annotations)}
	return l.b.Add(op, append([]dag.ID{b.root}, b.checks...), meta(b, "image", b.inst.Range))
}

func (l *lowering) test(b *built, image dag.ID, t *planner.Test) dag.ID {
	op := &dag.Test{
		Name: t.Name, Platform: b.inst.Platform, Args: t.Args, Env: kvs(t.Env), User: t.User, Workdir: t.Workdir,
		ExitCode: t.ExitCode, StdoutContains: t.StdoutContains, StdoutMatches: t.StdoutMatches,
		StderrContains: t.StderrContains, StderrMatches: t.StderrMatches, Absent: t.Absent,
	}
	for _, f := range t.Files {
		op.Files = append(op.Files, dag.TestFile(f))
	}
	m := meta(b, "test "+t.Name, t.Range)
	m.Timeout = nanoseconds(t.Timeout)
	return l.b.Add(op, []dag.ID{image}, m)
}

func meta(b *built, title string, at diag.Range) dag.Meta {
	return dag.Meta{Name: name(b.inst.Addr), Title: title, Range: at, Platform: b.inst.Platform}
}

// name is an address as a person says it: what the module at hand declares
// needs no module.
func name(addr string) string { return strings.TrimPrefix(addr, "//:") }

func kvs(list []planner.KV) []dag.KV {
	var out []dag.KV
	for _, kv := range list {
		out = append(out, dag.KV(kv))
	}
	return out
}

func config(c planner.Config) dag.Config {
	out := dag.Config{
		User: c.User, Entrypoint: c.Entrypoint, Cmd: c.Cmd, Workdir: c.Workdir, Ports: c.Ports, Volumes: c.Volumes,
		Labels: kvs(c.Labels), StopSignal: c.StopSignal,
	}
	for _, e := range c.Env {
		out.Env = append(out.Env, e.Name+"="+e.Value)
	}
	if h := c.Healthcheck; h != nil {
		out.Healthcheck = &dag.Healthcheck{
			None: h.None, Command: slices.Clone(h.Command), Interval: h.Interval, Timeout: h.Timeout,
			StartPeriod: h.StartPeriod, Retries: h.Retries,
		}
	}
	return out
}
