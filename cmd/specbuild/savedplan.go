package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/engine/local"
	"github.com/specbuild/specbuild/lower/dag"
	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/spec/diag"
)

// savedFormat is the first value of a saved plan, by which apply tells it from
// a spec.
const savedFormat = "specbuild-plan"

// savedPlan is what plan --out writes: what was asked for, what it comes to,
// and what every step is defined by. There is no secret in it: a step is
// defined by which secret it mounts, not by its value.
type savedPlan struct {
	Format    string        `json:"format"`
	Version   int           `json:"version"` // of this form, 1
	Specbuild string        `json:"specbuild"`
	Args      []string      `json:"args"` // from the folder that plan ran in
	Flags     savedFlags    `json:"flags"`
	Plan      *planner.Plan `json:"plan"`
	Steps     []savedStep   `json:"steps"`
}

// savedFlags are those that decide what is planned.
type savedFlags struct {
	Vars      []string `json:"vars,omitempty"`
	VarFiles  []string `json:"varFiles,omitempty"`
	Targets   []string `json:"targets,omitempty"`
	Platforms []string `json:"platforms,omitempty"`
	Allow     []string `json:"allow,omitempty"`
	Policies  []string `json:"policies,omitempty"`
	Overrides []string `json:"overrides,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	Locked    bool     `json:"locked,omitempty"`
}

// savedStep is a node of the graph with a digest of everything that it is made
// of, down to the bytes of the files that it copies.
type savedStep struct {
	ID     dag.ID   `json:"id"`
	Name   string   `json:"name"`
	Title  string   `json:"title"`
	Digest string   `json:"digest"`
	Lines  []string `json:"lines,omitempty"` // what the digest is made of, for the reason that it moved
	// Beside is what decides how it is run and is in no key: where secrets come
	// from, which may be a command of this machine, and limits.
	Beside []string `json:"beside,omitempty"`
}

// save writes a plan for a later apply.
func (c *cli) save(ctx context.Context, file string, args []string, f *specFlags, comp *compiled, e *local.Engine) error {
	steps, err := savedSteps(ctx, comp, e)
	if err != nil {
		return err
	}
	text, err := json.Marshal(savedPlan{
		Format: savedFormat, Version: 1, Specbuild: versionString(), Args: args, Plan: comp.plan, Steps: steps,
		Flags: savedFlags{
			Vars: f.vars, VarFiles: f.varFiles, Targets: f.targets, Platforms: f.platforms, Allow: f.allow,
			Policies: f.policies, Overrides: f.overrides, Reason: f.reason, Locked: f.locked,
		},
	})
	if err != nil {
		return fmt.Errorf("writing the plan: %w", err)
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the plan: %w", err)
	}
	fmt.Fprintf(c.stdout, "Saved: `specbuild apply %s` does exactly this, or nothing.\n", file)
	return nil
}

func savedSteps(ctx context.Context, comp *compiled, e *local.Engine) ([]savedStep, error) {
	digests, err := e.Definitions(ctx, comp.graph)
	if err != nil {
		return nil, withSpec(err, comp)
	}
	explained, err := e.Explain(ctx, comp.graph)
	if err != nil {
		return nil, withSpec(err, comp)
	}
	steps := make([]savedStep, 0, len(comp.graph.Nodes))
	for _, n := range comp.graph.Nodes {
		steps = append(steps, savedStep{ID: n.ID, Name: n.Meta.Name, Title: n.Meta.Title, Digest: digests[n.ID], Lines: explained[n.ID].Definition, Beside: beside(comp.spec.Root, n.Meta)})
	}
	return steps, nil
}

// beside are the lines of savedStep.Beside: paths of secrets from the
// workspace's root, so that they are alike where it is checked out elsewhere.
func beside(root string, m dag.Meta) []string {
	var out []string
	for _, s := range m.Secrets {
		file := s.File
		if rel, err := filepath.Rel(root, file); err == nil && filepath.IsAbs(file) && filepath.IsLocal(rel) {
			file = "//" + filepath.ToSlash(rel)
		}
		out = append(out, fmt.Sprintf("the source of %s: env=%q file=%q command=%q ssh=%t", label(s.Addr), s.Env, file, s.Command, s.SSH))
	}
	if m.Timeout != 0 || m.Limits != (dag.Limits{}) {
		l := m.Limits
		out = append(out, fmt.Sprintf("limits: timeout=%s memory=%d cpus=%g pids=%d shm=%d", m.Timeout, l.Memory, l.CPUs, l.Pids, l.Shm))
	}
	return out
}

// readSaved reads a saved plan, if the one argument is one.
func readSaved(args []string) (*savedPlan, error) {
	if len(args) != 1 {
		return nil, nil
	}
	f, err := os.Open(args[0])
	if err != nil {
		return nil, nil // a folder, an address, or a mistake that loading tells
	}
	defer f.Close()
	head := make([]byte, 64)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(string(head[:n]), `{"format":"`+savedFormat+`"`) {
		return nil, nil
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return nil, err
	}
	var p savedPlan
	if err := json.Unmarshal(text, &p); err != nil || p.Version != 1 {
		return nil, fmt.Errorf("%s is not a saved plan that this version reads: make it anew with `specbuild plan --out`", args[0])
	}
	return &p, nil
}

// restore takes the flags of a saved plan. Flags of the command line that say
// what is planned have no place beside them.
func (p *savedPlan) restore(cmd *cobra.Command, f *specFlags) error {
	for _, name := range []string{"var", "var-file", "target", "platform", "allow", "policy", "override", "reason", "locked"} {
		if flag := cmd.Flags().Lookup(name); flag != nil && flag.Changed {
			return usagef("--%s was decided when the plan was made; make it anew with `specbuild plan --out`", name)
		}
	}
	s := p.Flags
	f.vars, f.varFiles, f.targets, f.platforms, f.allow = s.Vars, s.VarFiles, s.Targets, s.Platforms, s.Allow
	f.policies, f.overrides, f.reason, f.locked = s.Policies, s.Overrides, s.Reason, s.Locked
	return nil
}

// movedError is a saved plan that would come to something else now.
type movedError struct{ reasons []string }

// Error names the first of them all; a plan made anew shows the rest.
func (e *movedError) Error() string {
	const most = 10
	shown := e.reasons[:min(most, len(e.reasons))]
	more := ""
	if n := len(e.reasons) - len(shown); n > 0 {
		more = fmt.Sprintf("\n  and %s more", plural(n, "step"))
	}
	return "the plan does not hold any more, so nothing was done:\n  " + strings.Join(shown, "\n  ") + more +
		"\nLook at it again: make it anew with `specbuild plan --out`"
}

// holds compares with what was planned: same steps, of the same bytes.
func (p *savedPlan) holds(ctx context.Context, comp *compiled, e *local.Engine) error {
	now, err := savedSteps(ctx, comp, e)
	if err != nil {
		return err
	}
	byID := map[dag.ID]savedStep{}
	byPlace := map[string]savedStep{}
	for _, s := range p.Steps {
		byID[s.ID] = s
		byPlace[s.Name+"\x00"+s.Title] = s
	}
	var reasons, follows []string
	for _, s := range now {
		before, same := byID[s.ID]
		if same && before.Digest == s.Digest {
			if !slices.Equal(before.Beside, s.Beside) {
				reasons = append(reasons, fmt.Sprintf("%s: %s: %s", s.Name, s.Title, moved(before.Beside, s.Beside)))
			}
			continue
		}
		if !same {
			before, same = byPlace[s.Name+"\x00"+s.Title]
		}
		switch {
		case len(s.Lines) == 0: // a context, an image: what is made of it says why
		case !same:
			reasons = append(reasons, fmt.Sprintf("%s: %s is new", s.Name, s.Title))
		case !slices.Equal(before.Lines, s.Lines):
			why := local.Difference(before.Lines, s.Lines)
			reason := fmt.Sprintf("%s: %s: %s", s.Name, s.Title, why)
			if strings.HasPrefix(why, local.StandsOn) {
				follows = append(follows, reason)
				continue
			}
			reasons = append(reasons, reason)
		}
	}
	if len(reasons) == 0 {
		reasons = follows // what moved lies in a step that says nothing of itself
	}
	if len(reasons) > 0 {
		slices.Sort(reasons)
		return &movedError{slices.Compact(reasons)} // of several platforms each says the same
	}
	if len(now) != len(p.Steps) || !slices.EqualFunc(now, p.Steps, func(a, b savedStep) bool { return a.ID == b.ID && a.Digest == b.Digest }) {
		return &movedError{[]string{"the images are put together in another way"}}
	}
	before, err := json.Marshal(unplaced(p.Plan.Images))
	if err != nil {
		return err
	}
	after, err := json.Marshal(unplaced(comp.plan.Images))
	if err != nil {
		return err
	}
	if string(before) != string(after) {
		return &movedError{[]string{"the names, platforms or annotations of images are others"}}
	}
	return nil
}

// moved is the first line that is not what it was, as "what: before → now".
func moved(before, now []string) string {
	for i := range max(len(before), len(now)) {
		var what, was, is string
		if i < len(before) {
			what, was, _ = strings.Cut(before[i], ": ")
		}
		if i < len(now) {
			what, is, _ = strings.Cut(now[i], ": ")
		}
		if was != is {
			return fmt.Sprintf("%s: %s → %s", what, orNothing(was), orNothing(is))
		}
	}
	return "the order of its secrets"
}

func orNothing(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// unplaced is images without where they stand: a comment above one moves no
// input.
func unplaced(images []planner.Image) []planner.Image {
	out := slices.Clone(images)
	for i := range out {
		out[i].Range = diag.Range{}
		if b := out[i].Budget; b != nil {
			limits := *b
			limits.Range = diag.Range{}
			out[i].Budget = &limits
		}
	}
	return out
}
