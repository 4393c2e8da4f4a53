package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/specbuild/specbuild/engine/sandbox"
)

// prepare makes the folders and fills the cache that the works start from.
func prepare(ctx context.Context, b bench) ([]work, error) {
	quickstart := filepath.Join("examples", "quickstart")
	spec, err := os.ReadFile(filepath.Join(quickstart, "image.hcl"))
	if err != nil {
		return nil, fmt.Errorf("%w; run it in the top folder of a checkout", err)
	}
	untested, err := withoutTests(string(spec))
	if err != nil {
		return nil, err
	}
	for folder, text := range map[string]string{
		"whole": string(spec), "untested": untested, "one": chain(1), "many": chain(1 + runs), "empty": "",
	} {
		to := filepath.Join(b.dir, folder)
		for _, part := range []string{"site", "nginx.conf"} {
			if err := copyAll(filepath.Join(quickstart, part), filepath.Join(to, part)); err != nil {
				return nil, err
			}
		}
		if err := os.WriteFile(filepath.Join(to, "image.hcl"), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	for _, folder := range []string{"whole", "untested", "one", "many"} { // write their locks, fetch, decode
		if _, err := b.run(ctx, folder, "cache", apply...); err != nil {
			return nil, err
		}
	}
	steps := newPairs(b.trueStep, b.mounts)
	return []work{
		{"specbuild version", 15 * time.Millisecond, b.always("empty", "cache", "version")},
		{"validate the quickstart", 50 * time.Millisecond, b.always("whole", "cache", "validate", "image.hcl")},
		{"lock the quickstart anew, indexes kept", 200 * time.Millisecond, b.relock},
		{"apply the quickstart, nothing changed", 60 * time.Millisecond, b.always("whole", "cache", apply...)},
		{"a run of true", 0, steps.wholes},
		{"  of that, its mounts", 0, steps.parts},
		{"  and all else", 5 * time.Millisecond, steps.rests},
		{"the quickstart from decoded archives, without tests", 800 * time.Millisecond, b.fromDecoded},
	}, nil
}

var apply = []string{"apply", "--locked=false", "-o", "oci:out"}

// always is work that leaves nothing behind that would make it less.
func (b bench) always(folder, cache string, args ...string) func(context.Context, int) (time.Duration, error) {
	return func(ctx context.Context, _ int) (time.Duration, error) { return b.run(ctx, folder, cache, args...) }
}

// relock pins everything anew: releases are asked for and verified, indexes
// are those of the time before.
func (b bench) relock(ctx context.Context, _ int) (time.Duration, error) {
	return b.run(ctx, "whole", "cache", "lock", "--upgrade")
}

// runs is the length of the chain of steps: long enough that starting and
// ending the program, which is subtracted, does not blur a step.
const runs = 60

// chain is a spec of n steps that run nothing, one after the other.
func chain(n int) string {
	return fmt.Sprintf(`variable "round" {
  type    = string
  default = ""
}
repository "trixie" {
  type  = "deb"
  suite = "trixie"
}
image "chain" {
  from = scratch
  packages "deb" {
    repository = repository.trixie
    install    = ["busybox-static"]
  }
  dynamic "run" {
    for_each = range(%d)
    content {
      command = ["/usr/bin/busybox", "true", "${var.round}", "${run.value}"]
    }
  }
  run_as = "1000:1000"
}
`, n)
}

// trueStep is what one more step costs: key, overlay, sandbox, command, its
// layer and its entries in the store. A round that never was makes each new.
func (b bench) trueStep(ctx context.Context, i int) (time.Duration, error) {
	round := fmt.Sprintf("round=%d", i)
	var took [2]time.Duration
	for j, folder := range []string{"one", "many"} {
		var err error
		if took[j], err = b.run(ctx, folder, "cache", append([]string{"--var", round}, apply...)...); err != nil {
			return 0, err
		}
	}
	return (took[1] - took[0]) / runs, nil
}

// pair is what one round measured of a whole and of a part of it.
type pair struct{ whole, part time.Duration }

// pairs measure a whole and its part in turn, once a round, and give rows of a
// table the same rounds: what one row says is the whole and what the next ones
// say it is made of were measured within a second of each other, and what is
// left is the median of differences, not the difference of what two busy
// minutes gave.
type pairs struct {
	whole, part func(context.Context, int) (time.Duration, error)
	done        map[int]pair
}

func newPairs(whole, part func(context.Context, int) (time.Duration, error)) *pairs {
	return &pairs{whole: whole, part: part, done: map[int]pair{}}
}

func (p *pairs) round(ctx context.Context, i int) (pair, error) {
	if got, ok := p.done[i]; ok {
		return got, nil
	}
	var got pair
	var err error
	if got.whole, err = p.whole(ctx, i); err != nil {
		return pair{}, err
	}
	if got.part, err = p.part(ctx, i); err != nil {
		return pair{}, err
	}
	p.done[i] = got
	return got, nil
}

// wholes, parts and rests are the rows: in every round a part and the rest
// add up to the whole.
func (p *pairs) wholes(ctx context.Context, i int) (time.Duration, error) {
	got, err := p.round(ctx, i)
	return got.whole, err
}

func (p *pairs) parts(ctx context.Context, i int) (time.Duration, error) {
	got, err := p.round(ctx, i)
	return got.part, err
}

func (p *pairs) rests(ctx context.Context, i int) (time.Duration, error) {
	got, err := p.round(ctx, i)
	return got.whole - got.part, err
}

// mounts is how long the sandbox of a run takes for mounts, by its own clock:
// over an overlay like that of a trueStep, whose steps change nothing and so
// have one layer below. It is the median of runs with nothing beside them, so
// rather too little than too much. The command is not there, which is found
// out once everything is mounted. Unmounting is part of all else.
func (b bench) mounts(ctx context.Context, _ int) (time.Duration, error) {
	dir, err := os.MkdirTemp(b.dir, "mounts-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	lower := filepath.Join(dir, "lower")
	spec := sandbox.Spec{Args: []string{"/none"}}
	if os.Geteuid() != 0 {
		spec.IDMap.Kind = sandbox.IDMapSingle
	}
	runner := sandbox.Native(sandbox.Options{})
	took := make([]time.Duration, runs)
	for i := range took {
		upper, work := filepath.Join(dir, fmt.Sprint("upper", i)), filepath.Join(dir, fmt.Sprint("work", i))
		for _, d := range []string{lower, upper, work} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				return 0, err
			}
		}
		spec.Root = sandbox.Root{Lower: []string{lower}, Upper: upper, Work: work}
		exit, err := runner.Run(ctx, spec)
		if !errors.Is(err, sandbox.ErrCommand) {
			return 0, fmt.Errorf("a run of nothing: %w", err)
		}
		took[i] = exit.Mounting
	}
	slices.Sort(took)
	return took[runs/2], nil
}

// fromDecoded builds both platforms in a store that knows nothing but decoded
// archives, the state in which a changed list of packages finds it: layers,
// their tables and their blobs are all made.
func (b bench) fromDecoded(ctx context.Context, i int) (time.Duration, error) {
	store := fmt.Sprintf("store-%d", i)
	if _, err := b.run(ctx, "empty", store, "cache", "du"); err != nil { // makes it
		return 0, err
	}
	err := errors.Join(
		os.RemoveAll(filepath.Join(b.dir, "untested", "out")),
		decodedOnly(filepath.Join(b.dir, "cache"), filepath.Join(b.dir, store)),
	)
	if err != nil {
		return 0, err
	}
	took, err := b.run(ctx, "untested", store, apply...)
	return took, errors.Join(err, os.RemoveAll(filepath.Join(b.dir, store)))
}

var digest = regexp.MustCompile(`"sha256:([0-9a-f]{64})"`)

// decodedOnly links the decoded archives of a store into another: the records
// of kind "deb" and the blobs that they name (docs/cache-format.md).
func decodedOnly(from, to string) error {
	found := 0
	err := filepath.WalkDir(filepath.Join(from, "rec", "deb"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		record, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		m := digest.FindSubmatch(record)
		if m == nil {
			return fmt.Errorf("%s names no blob", path)
		}
		found++
		blob := filepath.Join(from, "blob", string(m[1][:2]), string(m[1]))
		return errors.Join(link(path, from, to), link(blob, from, to))
	})
	if err == nil && found == 0 {
		err = fmt.Errorf("no decoded archive in %s", from)
	}
	return err
}

// link makes a file of one store one of another.
func link(path, from, to string) error {
	rel, err := filepath.Rel(from, path)
	if err != nil {
		return err
	}
	target := filepath.Join(to, rel)
	err = os.MkdirAll(filepath.Dir(target), 0o700)
	if err == nil {
		err = os.Link(path, target)
	}
	if errors.Is(err, fs.ErrExist) { // two archives with the same content
		return nil
	}
	return err
}

// withoutTests cuts the tests off, which are the last blocks of the spec.
func withoutTests(spec string) (string, error) {
	before, tests, ok := strings.Cut(spec, "\n  test \"")
	if !ok || strings.Count(tests, "\n  }\n") != 1+strings.Count(tests, "\n  test \"") {
		return "", errors.New("the quickstart no longer ends with its tests")
	}
	return before + "\n}\n", nil
}

// copyAll copies a file or a folder of files.
func copyAll(from, to string) error {
	st, err := os.Stat(from)
	if err != nil {
		return err
	}
	if st.IsDir() {
		return os.CopyFS(to, os.DirFS(from))
	}
	data, err := os.ReadFile(from)
	return errors.Join(err, os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, data, 0o644))
}
