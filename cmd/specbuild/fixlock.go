package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// pinRules say by which rule what a change of the lock begins with was missing.
var pinRules = map[string]string{"base": "base-digest-pinned", "package": "packages-pinned", "closure": "packages-pinned", "git": "git-commit-pinned", "http": "fetch-checksum"}

// fixedLock is the lock that is mended beside the specs.
type fixedLock struct {
	lock   pin.Lock
	before []byte // on disk; nil where there is none
	text   []byte // nil while nothing has changed

	renamed map[string]string // names of bases that the lock has, by those that the specs have now
	over    bool              // nothing more is asked for
	said    diag.List         // why something is not pinned
}

// lacksPins reports whether something that was found is what a lock would say.
func lacksPins(ds diag.List) bool {
	return slices.ContainsFunc(ds, func(d diag.Diagnostic) bool {
		for _, id := range pinRules {
			if d.Code == id {
				return true
			}
		}
		return d.Code == "" && d.Summary == pin.Stale
	})
}

// pins asks the world for what the lock lacks, as `specbuild lock` does:
// nothing that it has is asked for anew. It reports whether the lock has
// changed. Where not all can be had nothing is written: a lock that is there
// and not whole is an error everywhere.
func (c *cli) pins(ctx context.Context, args []string, f *specFlags, x *fixer, ds diag.List) (bool, error) {
	l := &x.lock
	if l.over || !lacksPins(ds) {
		return false, nil
	}
	l.over = true
	if f.locked {
		l.warn(diag.Range{File: pin.FileName}, "The lock is not written",
			"--locked, which is on in CI, does not let --fix write it. Run `specbuild lock` and commit "+pin.FileName+", or say --locked=false.")
		return false, nil
	}
	// What is not known has no place in the lock: all of the spec counts.
	sp, problems, err := c.load(ctx, args, f, false)
	if err != nil {
		return false, err
	}
	if problems.HasErrors() {
		l.keepProblems(problems)
		return false, nil
	}
	w, err := c.fixingWorld(x)
	if err != nil {
		return false, err
	}
	lock, exists, problems := f.readLock(sp.Root)
	judges, more, err := c.judges(ctx, sp, f, true) // they may ask for signatures
	if err != nil {
		return false, err
	}
	if problems = append(problems, more...); problems.HasErrors() {
		return false, nil // which is told already
	}
	in := w.input(sp, f)
	in.Signed = judges.set.Signed
	needs, problems := allNeeds(ctx, in, c.reader(ctx, args, f))
	if problems.HasErrors() || needs.Empty() || exists && len(lock.Missing(needs)) == 0 {
		return false, nil
	}
	kept := renamedBases(lock, l.renamed, needs, sp.Whole && len(f.targets) == 0)
	updated, _, problems := c.resolve(ctx, w, kept, needs, pin.UpgradePolicy{})
	if problems.HasErrors() {
		l.keepProblems(problems)
		if !exists || len(pin.Diff(lock, kept)) == 0 {
			return false, nil
		}
		return true, l.set(x, sp, kept, lock) // what was there follows its name all the same
	}
	l.over = false
	return true, l.set(x, sp, updated, lock)
}

// renamedBases is the lock with what it has of bases under the names that they
// have now. What the old ones were leaves only if nobody else can need it.
func renamedBases(lock pin.Lock, renamed map[string]string, needs pin.Needs, whole bool) pin.Lock {
	out := lock
	out.Bases = map[string]pin.Base{}
	for key, b := range lock.Bases {
		out.Bases[key] = b
	}
	needed := func(key string) bool {
		return slices.ContainsFunc(needs.Bases, func(n pin.BaseNeed) bool { return n.Key == key })
	}
	for now, before := range renamed {
		b, ok := lock.Bases[before]
		if _, there := out.Bases[now]; !ok || there || !needed(now) {
			continue
		}
		out.Bases[now] = b
		if whole && !needed(before) {
			delete(out.Bases, before)
		}
	}
	return out
}

// set takes over what was resolved, and says for each entry what it is.
func (l *fixedLock) set(x *fixer, sp *spec.Spec, updated, before pin.Lock) error {
	if l.text == nil {
		text, err := os.ReadFile(filepath.Join(sp.Root, pin.FileName))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		l.before = text
	}
	x.root = sp.Root
	l.lock, l.text = updated, updated.Encode()
	x.said = append(x.said, pinLines(pin.Diff(before, updated))...)
	return nil
}

// pinLines are sentences about entries that were added to the lock.
func pinLines(changes []pin.Change) []string {
	var out []string
	last := ""
	for _, c := range changes {
		kind, rest, _ := strings.Cut(c.What, " ")
		rule := pinRules[kind]
		if rule != "" {
			rule = " (" + rule + ")"
		}
		switch {
		case c.New == "" || kind == "closure" && brings(changes, rest): // its packages say it
			continue
		case kind == "base" && last != "" && strings.HasPrefix(rest, last+" "): // of one platform, which follows from the index
			continue
		case kind == "base":
			last = rest
		}
		out = append(out, pin.FileName+": "+c.What+" is pinned to "+c.New+rule)
	}
	return out
}

// brings reports whether packages of the archive of a closure are new, too;
// else it is made of those that the lock has.
func brings(changes []pin.Change, closure string) bool {
	archive, _, _ := strings.Cut(closure, " ")
	return slices.ContainsFunc(changes, func(c pin.Change) bool { return strings.HasPrefix(c.What, "package "+archive+" ") })
}

func (l *fixedLock) warn(at diag.Range, summary, detail string) {
	l.said.Warnf("fix-not-pinned", at, summary, "%s", detail)
}

// keepProblems tells why nothing was pinned. What a spec lacks is an error
// where it is needed; here it only means that less is mended.
func (l *fixedLock) keepProblems(ds diag.List) {
	for _, d := range ds {
		if d.Severity == diag.Error {
			l.warn(d.Range, d.Summary, d.Detail+" --fix pins nothing until then.")
		}
	}
}

// changed reports whether the lock has another text than on disk.
func (l *fixedLock) changed() bool { return l.text != nil && !bytes.Equal(l.text, l.before) }
