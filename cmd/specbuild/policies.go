package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/planner/policy"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/diag/report"
)

// policyName is how a policy file ends.
const policyName = ".policy.hcl"

// ofPolicy is false for a file that could be a spec.
func ofPolicy(name string) bool {
	return strings.HasSuffix(name, policyName) || strings.HasSuffix(name, policyTestName)
}

// machinePolicies is where a machine's own policies are: no flag, variable or
// spec leads around them, and only root writes there.
const machinePolicies = "/etc/specbuild"

// judges are the policies of one command, and what it may override.
type judges struct {
	set  *policy.Set
	opts policy.Options
	used map[string]bool // rules that were overridden

	flags  *specFlags          // of the command: what is set aside is told there
	facts  rules.Facts         // that were judged, for the images that are made of them
	waived map[diag.Range]bool // blocks of waivers that set something aside
}

// judges finds the policies that hold: the machine's, the workspace's, and
// those that flags name. Texts go to the spec's files, for excerpts.
func (c *cli) judges(ctx context.Context, sp *spec.Spec, f *specFlags, partial bool) (*judges, diag.List, error) {
	out := &judges{opts: policy.Options{Overrides: map[string]string{}, Partial: partial}, used: map[string]bool{}, flags: f}
	if len(f.overrides) > 0 && strings.TrimSpace(f.reason) == "" {
		return nil, nil, usagef("--override needs --reason \"…\": it is written into the image")
	}
	for _, rule := range f.overrides {
		out.opts.Overrides[rule] = f.reason
	}
	files, ds := c.policyFiles(ctx, sp, f)
	set, problems := policy.Read(files, readOptions())
	out.set = set
	for name, text := range set.Files {
		sp.Files[name] = text
	}
	ds = append(ds, problems...)
	if ds.HasErrors() {
		return out, ds, nil
	}
	for _, rule := range f.overrides {
		if err := set.Overridable(rule); err != nil {
			return nil, nil, usagef("--override %s: %w", rule, err)
		}
	}
	return out, ds, nil
}

// readOptions are what policies are read with.
func readOptions() policy.ReadOptions {
	return policy.ReadOptions{Version: versionString(), Plan: planner.Plan{}}
}

func (j *judges) judge(f rules.Facts) diag.List {
	j.flags.aside, j.waived = nil, map[diag.Range]bool{}
	j.facts = f
	f.Aside = j.setAside
	return j.set.Judge(f, j.opts)
}

func (j *judges) setAside(a rules.Aside) {
	if a.Override {
		j.used[a.Finding.Diag.Code] = true
	}
	if !a.Waiver.IsZero() {
		j.waived[a.Waiver] = true
	}
	j.flags.aside = append(j.flags.aside, report.Aside{Finding: a.Finding.Diag, Reason: a.Reason, Owner: a.Owner})
}

// judgeImages judges what a build has made of what was judged before it, with
// what was found out about it since.
func (j *judges) judgeImages(done rules.Finished, more []rules.Evidence) diag.List {
	done.Waived = j.waived
	for _, a := range j.flags.aside {
		done.Told = append(done.Told, a.Finding)
	}
	f := j.facts
	f.Aside, f.Evidence = j.setAside, slices.Concat(f.Evidence, more)
	return j.set.JudgeImages(f, done, j.opts)
}

// notAMember is the warning about a spec that no pattern of the workspace's
// members matches.
const notAMember = "workspace-member"

// harden makes an error of what is advice without a hard policy: a spec beside
// the members is one that commands over everything never judge.
func (j *judges) harden(ds diag.List) diag.List {
	if j == nil || !j.set.Hard() {
		return ds
	}
	out := slices.Clone(ds)
	for i, d := range out {
		if d.Code == notAMember {
			out[i].Severity = diag.Error
		}
	}
	return out
}

// overridden is the annotation that says which rule was gone past, and why.
const overridden = "dev.specbuild.override."

// record writes what was overridden into the images that are built. Rules that
// look at finished images have yet to find something then: an override of one
// is recorded as it was given.
func (j *judges) record(plan *planner.Plan) {
	var notes []planner.KV
	for rule := range j.opts.Overrides {
		if j.set.Unsettled(rule) {
			j.used[rule] = true
		}
	}
	for rule := range j.used {
		notes = append(notes, planner.KV{Name: overridden + rule, Value: j.opts.Overrides[rule]})
	}
	if len(notes) == 0 {
		return
	}
	add := func(to []planner.KV) []planner.KV {
		to = slices.Concat(to, notes)
		slices.SortFunc(to, func(a, b planner.KV) int { return strings.Compare(a.Name, b.Name) })
		return to
	}
	built := map[string]bool{}
	for i := range plan.Images {
		plan.Images[i].Annotations = add(plan.Images[i].Annotations)
		for _, p := range plan.Images[i].Platforms {
			built[p.Instance] = true
		}
	}
	for i := range plan.Instances {
		if built[plan.Instances[i].ID] {
			plan.Instances[i].Annotations = add(plan.Instances[i].Annotations)
		}
	}
}

// policyFiles reads all policies that hold. One that cannot be read is an
// error: a policy that is missing must not be one that is kept.
func (c *cli) policyFiles(ctx context.Context, sp *spec.Spec, f *specFlags) ([]policy.File, diag.List) {
	var ds diag.List
	files, err := machineFiles(machinePolicies)
	if err != nil {
		ds.Errorf(diag.Range{File: machinePolicies}, "The machine's policy cannot be read", "%v. Whoever runs this machine has to mend it.", err)
	}
	m := &modules{c: c, upgrade: f.upgrade}
	defer m.close()
	for _, source := range sp.Policies {
		more, err := c.policyAt(ctx, m, sp.Root, source.Source)
		if err != nil {
			ds.Errorf(source.Range, "The policy cannot be read", "%v.", named(err))
			continue
		}
		for i := range more {
			more[i].Rank = policy.OfWorkspace
		}
		files = append(files, more...)
	}
	for _, arg := range f.policies {
		more, err := c.policyArgument(ctx, m, sp.Root, arg)
		if err != nil {
			ds.Errorf(diag.Range{}, "The policy cannot be read", "--policy %s: %v.", arg, named(err))
			continue
		}
		files = append(files, more...)
	}
	return files, ds
}

// machineFiles are the policies in a folder that only root may write.
func machineFiles(dir string) ([]policy.File, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []policy.File
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), policyName) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		out = append(out, policy.File{Name: filepath.Join(dir, e.Name()), Text: text, Rank: policy.OfMachine})
	}
	return out, nil
}

// policyArgument is a policy that a flag names: a path of this machine, or
// what is fetched.
func (c *cli) policyArgument(ctx context.Context, m *modules, root, arg string) ([]policy.File, error) {
	source, err := spec.ParsePolicySource(arg)
	if err == nil && source.Fetched() != "" {
		return c.policyAt(ctx, m, root, source)
	}
	return readPolicies(arg, arg)
}

// policyAt is a policy of the workspace: a file or folder of it, which must
// lie in it, or what is fetched as the lock pins it.
func (c *cli) policyAt(ctx context.Context, m *modules, root string, source spec.Source) ([]policy.File, error) {
	if source.Fetched() == "" {
		rel := filepath.FromSlash(strings.TrimPrefix(source.Folder, "//"))
		full, err := within(root, rel)
		if err != nil {
			return nil, err
		}
		return readPolicies(full, fromHere(full))
	}
	dir, err := m.Module(ctx, root, "policy", source)
	if err != nil {
		return nil, err
	}
	full, err := within(dir, filepath.FromSlash(source.Path))
	if err != nil {
		return nil, err
	}
	return readPolicies(full, source.Fetched()+"//"+source.Path)
}

// within resolves a path below a folder, links included.
func within(root, rel string) (string, error) {
	if rel == "" {
		rel = "."
	}
	if !filepath.IsLocal(rel) {
		return "", fmt.Errorf("%s leads out of its folder", rel)
	}
	full, err := filepath.EvalSymlinks(filepath.Join(root, rel))
	if err != nil {
		return "", err
	}
	top, err := filepath.EvalSymlinks(root)
	if err != nil {
		return "", err
	}
	if inside, err := filepath.Rel(top, full); err != nil || !filepath.IsLocal(inside) {
		return "", fmt.Errorf("%s is a link that leads out of its folder", rel)
	}
	return full, nil
}

// readPolicies reads a file, or the policies of a folder. shown is its name
// for the reader.
func readPolicies(path, shown string) ([]policy.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	names := []string{""}
	if info.IsDir() {
		names = nil
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), policyName) {
				names = append(names, e.Name())
			}
		}
		if len(names) == 0 {
			return nil, fmt.Errorf("%s holds no file *%s", shown, policyName)
		}
	}
	var out []policy.File
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(path, name))
		if err != nil {
			return nil, err
		}
		out = append(out, policy.File{Name: filepath.ToSlash(filepath.Join(shown, name)), Text: text})
	}
	return out, nil
}

// named is an error of the file system with its path as readers know it.
func named(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s: %w", fromHere(pe.Path), pe.Err)
	}
	return err
}
