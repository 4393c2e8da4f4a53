package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/source"
	"github.com/specbuild/specbuild/lower"
	"github.com/specbuild/specbuild/lower/dag"
	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/diag/report"
)

// specFlags are the flags of every command that reads specs.
type specFlags struct {
	vars       []string
	varFiles   []string
	allow      []string
	platforms  []string
	targets    []string
	locked     bool
	unattested bool     // images are pushed without statements about them
	policies   []string // --policy
	overrides  []string
	reason     string
	reports    []string           // --report: FORMAT or FORMAT:FILE
	late       bool               // of apply: reports are written when the images were judged, too
	aside      []report.Aside     // what waivers and overrides set aside, for reports
	upgrade    *pin.UpgradePolicy // of lock
	overlay    map[string][]byte  // texts that are read instead of files, of validate --fix
	build      spec.Platform      // to read specs as another machine does; this one's if zero
}

func (s *specFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&s.vars, "var", nil, "set a variable: NAME=VALUE; may be repeated")
	f.StringArrayVar(&s.varFiles, "var-file", nil, "read variables from a file; may be repeated")
	f.StringArrayVar(&s.targets, "target", nil, "only this image or stage, by address: image.web, //services/*:stage.build; may be repeated")
}

func (s *specFlags) addPlan(cmd *cobra.Command) {
	s.add(cmd)
	s.addJudging(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&s.allow, "allow", nil, "grant a privilege that the spec asks for: network.host")
	f.StringSliceVar(&s.platforms, "platform", nil, "only these platforms of each image")
	f.BoolVar(&s.locked, "locked", inCI(), "refuse to write the lock, and judge as for a release (default: on where CI is set)")
}

// addJudging are the flags of commands that judge.
func (s *specFlags) addJudging(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&s.policies, "policy", nil, "judge by this policy as well: a file or folder, oci://… or git::…; may be repeated")
	f.StringArrayVar(&s.overrides, "override", nil, "go past the errors of a rule that no policy has made hard; needs --reason; may be repeated")
	f.StringVar(&s.reason, "reason", "", "why, for --override: it is written into the image's annotations")
	s.addReport(cmd)
}

func (s *specFlags) addReport(cmd *cobra.Command) {
	cmd.PreRunE = s.checkReports
	cmd.Flags().StringArrayVar(&s.reports, "report", nil, "also write what is found as FORMAT[:FILE]: "+strings.Join(report.Formats(), ", ")+"; may be repeated")
}

// inCI reports whether a CI system runs this: all of them set the variable.
func inCI() bool {
	v := os.Getenv("CI")
	return v != "" && v != "false" && v != "0"
}

func (s *specFlags) variables() (map[string]string, error) {
	vars := map[string]string{}
	for _, v := range s.vars {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return nil, usagef("--var %s: it must be NAME=VALUE", v)
		}
		vars[name] = value
	}
	return vars, nil
}

// load reads the specs that the arguments name.
func (c *cli) load(ctx context.Context, args []string, s *specFlags, partial bool) (*spec.Spec, diag.List, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, nil, err
	}
	return c.loadIn(ctx, dir, "", args, s, partial)
}

// loadIn is load from another folder, and with a border (spec.Options.Top).
func (c *cli) loadIn(ctx context.Context, dir, top string, args []string, s *specFlags, partial bool) (*spec.Spec, diag.List, error) {
	vars, err := s.variables()
	if err != nil {
		return nil, nil, err
	}
	c.yield(s)
	m := &modules{c: c, upgrade: s.upgrade}
	defer m.close()
	connect := c.connect
	if top != "" {
		connect = nil // another tree's ways are not this one's
	}
	sp, ds := spec.Load(ctx, spec.Options{
		Modules: m, Network: connect, Overlay: s.overlay,
		Args: args, Targets: s.targets, Dir: dir, Top: top, Vars: vars, VarFiles: s.varFiles, Env: os.LookupEnv,
		Build: s.builder(), Version: versionString(), Partial: partial,
	})
	return sp, ds, nil
}

// builder is the machine that specs are read for.
func (s *specFlags) builder() spec.Platform {
	if s.build != (spec.Platform{}) {
		return s.build
	}
	return buildPlatform()
}

// buildPlatform is what steps run on here. Steps are Linux's, also where
// specbuild itself runs on another system and can only plan.
func buildPlatform() spec.Platform {
	p := spec.Platform{OS: "linux", Arch: runtime.GOARCH}
	if p.Arch == "arm" {
		p.Variant = "v7"
	}
	return p
}

// compiled is a spec on its way to an engine.
type compiled struct {
	spec   *spec.Spec
	plan   *planner.Plan
	graph  *dag.Graph
	locked []pin.Change // what was written to a lock that was not there
	judges *judges      // nil until the spec was read
	found  diag.List    // what was printed of it

	elsewhere reader // nil where nothing is locked
}

// compile goes from the arguments to a graph, and prints what is wrong. Where
// there is no lock yet it is made, and written if write is set and --locked is
// not.
func (c *cli) compile(ctx context.Context, args []string, s *specFlags, w *world, write bool) (*compiled, error) {
	sp, ds, err := c.load(ctx, args, s, false)
	if err != nil {
		return nil, err
	}
	out := &compiled{spec: sp, elsewhere: c.reader(ctx, args, s)}
	if !ds.HasErrors() {
		var more diag.List
		if more, err = c.compileSpec(ctx, out, s, w, write); err != nil {
			return nil, err
		}
		ds = append(out.judges.harden(ds), more...)
	}
	out.found = ds
	if !s.late || ds.HasErrors() {
		if err := c.writeReports("plan", s, ds, sp); err != nil {
			return nil, err
		}
	}
	if err := c.report(ds, sp); err != nil {
		return nil, err
	}
	return out, nil
}

// compileSpec plans and lowers a spec that was read.
func (c *cli) compileSpec(ctx context.Context, out *compiled, s *specFlags, w *world, write bool) (diag.List, error) {
	in := w.input(out.spec, s)
	judges, ds, err := c.judges(ctx, out.spec, s, false)
	if err != nil || ds.HasErrors() {
		return ds, err
	}
	out.judges = judges
	in.Signed = judges.set.Signed
	in.Judge, in.Allow = judges.judgeScanned(ctx, w.registry), slices.Concat(in.Allow, judges.set.Grants())
	lock, more, err := c.lockFor(ctx, out, in, s, w, write)
	if ds = append(ds, more...); err != nil || ds.HasErrors() {
		return ds, err
	}
	in.Lock = lock
	plan, more := planner.Make(ctx, in)
	ds = append(ds, more...)
	if !ds.HasErrors() {
		ds = append(ds, filterPlatforms(plan, s.platforms)...)
	}
	if !ds.HasErrors() {
		out.plan = plan
		judges.record(plan)
		out.graph, more = lower.Lower(plan)
		ds = append(ds, more...)
	}
	return ds, nil
}

// lockFor is the lock of a workspace, or what it would be where there is none.
func (c *cli) lockFor(ctx context.Context, out *compiled, in planner.Input, s *specFlags, w *world, write bool) (pin.Lock, diag.List, error) {
	lock, exists, ds := readLock(out.spec.Root)
	if ds.HasErrors() || exists || !pinnable(out.spec) {
		return lock, ds, nil
	}
	// What the rules refuse need not be resolved: registries are not asked.
	early := in
	early.Judge = func(f rules.Facts) diag.List {
		f.Pending = true
		return in.Judge(f)
	}
	if _, found := planner.Unpinned(ctx, early); found.HasErrors() {
		return lock, found, nil
	}
	needs, problems := allNeeds(ctx, in, out.elsewhere)
	if ds = append(ds, problems...); ds.HasErrors() {
		return lock, ds, nil
	}
	if s.locked && write && !needs.Empty() {
		ds.Errorf(diag.Range{File: pin.FileName}, "There is no lock",
			"--locked, which is on in CI, does not write one. Run `specbuild lock` and commit %s, or say --locked=false.", pin.FileName)
		return lock, ds, nil
	}
	lock, out.locked, problems = c.resolve(ctx, w, lock, needs, pin.UpgradePolicy{})
	if ds = append(ds, problems...); ds.HasErrors() {
		return lock, ds, nil
	}
	if write && len(out.locked) > 0 {
		return lock, ds, pin.Write(out.spec.Root, lock)
	}
	return lock, ds, nil
}

// pinnable reports whether a spec names anything that a lock holds. To find
// out exactly takes half of what a plan takes.
func pinnable(sp *spec.Spec) bool {
	return len(sp.Bases)+len(sp.Repositories)+len(sp.Fetched) > 0 || slices.ContainsFunc(sp.Contexts, func(c *spec.Context) bool { return c.Git != nil || c.HTTP != nil })
}

// resolve asks the world for what the lock lacks, and shows that it does:
// lists of packages are some 10 MB for each architecture, silence for seconds.
func (c *cli) resolve(ctx context.Context, w *world, lock pin.Lock, needs pin.Needs, policy pin.UpgradePolicy) (pin.Lock, []pin.Change, diag.List) {
	if needs.Empty() {
		return pin.Update(ctx, lock, needs, w.resolvers(), policy)
	}
	p := c.printer(false)
	defer p.Close()
	e := engine.Event{Kind: engine.Started, Time: time.Now(), Node: pin.FileName, Name: pin.FileName, Title: describeNeeds(needs)}
	p.Event(e)
	updated, changes, ds := pin.Update(ctx, lock, needs, w.resolvers(), policy)
	e.Kind, e.Elapsed, e.Cached = engine.Finished, time.Since(e.Time), len(changes) == 0
	if ds.HasErrors() {
		e.Err = errSpec
	}
	p.Event(e)
	return updated, changes, ds
}

func describeNeeds(n pin.Needs) string {
	var parts []string
	if len(n.Bases) > 0 {
		parts = append(parts, plural(len(n.Bases), "base"))
	}
	if len(n.Closures) > 0 {
		parts = append(parts, plural(len(n.Closures), "set")+" of packages")
	}
	if n := len(n.Git) + len(n.HTTP); n > 0 {
		parts = append(parts, plural(n, "remote context"))
	}
	if len(n.Modules) > 0 {
		parts = append(parts, plural(len(n.Modules), "module"))
	}
	return "resolve " + strings.Join(parts, ", ")
}

// report prints diagnostics and is errSpec if one is an error.
func (c *cli) report(ds diag.List, sp *spec.Spec) error {
	if len(ds) == 0 {
		return nil
	}
	var files map[string][]byte
	if sp != nil {
		files = sp.Files
	}
	if err := diag.WriteText(c.stderr, ds.Sorted(), files, c.textOptions()); err != nil {
		return err
	}
	if ds.HasErrors() {
		return errSpec
	}
	return nil
}

func readLock(root string) (lock pin.Lock, exists bool, ds diag.List) {
	return parseLock(os.ReadFile(filepath.Join(root, pin.FileName)))
}

// readLock is the lock of a workspace, or the text that is read instead of it.
func (s *specFlags) readLock(root string) (lock pin.Lock, exists bool, ds diag.List) {
	if text, ok := s.overlay[filepath.Join(root, pin.FileName)]; ok {
		return parseLock(text, nil)
	}
	return readLock(root)
}

func parseLock(data []byte, err error) (lock pin.Lock, exists bool, ds diag.List) {
	if errors.Is(err, fs.ErrNotExist) {
		return pin.Lock{}, false, nil
	}
	if err != nil {
		ds.Errorf(diag.Range{File: pin.FileName}, "The lock cannot be read", "%v.", err)
		return pin.Lock{}, true, ds
	}
	lock, ds = pin.Parse(pin.FileName, data)
	return lock, true, ds
}

// filterPlatforms keeps what --platform asks for; an image without any of
// them is an error, since nothing would be built in silence.
func filterPlatforms(plan *planner.Plan, want []string) diag.List {
	var ds diag.List
	if len(want) == 0 {
		return nil
	}
	for i := range plan.Images {
		img := &plan.Images[i]
		var has []string
		for _, p := range img.Platforms {
			has = append(has, p.Platform)
		}
		img.Platforms = slices.DeleteFunc(slices.Clone(img.Platforms), func(p planner.PlatformImage) bool {
			return !slices.Contains(want, p.Platform)
		})
		if len(img.Platforms) == 0 {
			ds.Errorf(img.Range, "No such platform", "--platform %s, but %s is for %s.",
				strings.Join(want, ","), img.Addr, strings.Join(has, ", "))
		}
	}
	return ds
}

// input is what the planner is given of the world. What it sees of contexts,
// the engine need not look at again.
func (w *world) input(sp *spec.Spec, s *specFlags) planner.Input {
	w.contexts = new(source.View)
	return planner.Input{
		Spec: sp, Locked: s.locked, Unattested: s.unattested, Allow: s.allow,
		Sources: w.contexts, Fetched: w.fetched, CanRun: w.canRun, Mirrors: w.debian().urls,
		Looked: memory(w.store),
	}
}

// describeChanges says what a lock now holds, in one line.
func describeChanges(changes []pin.Change) string {
	return fmt.Sprintf("wrote %s: %d pinned", pin.FileName, len(changes))
}
