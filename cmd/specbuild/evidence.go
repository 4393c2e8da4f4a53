package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/specbuild/specbuild/engine/image"
	"github.com/specbuild/specbuild/planner/policy"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec/diag"
)

// judgeScanned is judge with the results of scans that policies ask for. A nil
// registry is not asked, and what it would say is left open.
func (j *judges) judgeScanned(ctx context.Context, registry *image.Registry) func(rules.Facts) diag.List {
	return func(f rules.Facts) diag.List {
		if !f.Pending { // nothing is pinned yet that could have been scanned
			f.Evidence, f.Unasked = evidenceFiles(f.Spec.Root, j.set.ScanFiles()), registry == nil
			if registry != nil {
				f.Evidence = append(f.Evidence, attestations(ctx, registry, j.set, f)...)
			}
		}
		return j.judge(f)
	}
}

// maxEvidence is the largest file that is read, in bytes: what Trivy says of a
// large image is some megabytes.
const maxEvidence = 64 << 20

// evidenceFiles are the files of patterns below the workspace's root; those of
// a machine's own policy may be absolute. What cannot be read is kept as that.
func evidenceFiles(root string, patterns []string) []rules.Evidence {
	var names []string
	var out []rules.Evidence
	for _, pattern := range patterns {
		full := pattern
		if !filepath.IsAbs(pattern) {
			full = filepath.Join(literally(root), pattern)
		}
		found, err := doublestar.FilepathGlob(full, doublestar.WithFilesOnly())
		if err != nil {
			out = append(out, rules.Evidence{Name: pattern, Err: err})
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		shown := name
		if rel, err := filepath.Rel(root, name); err == nil && filepath.IsLocal(rel) {
			shown = filepath.ToSlash(rel)
		}
		text, err := readAtMost(name, maxEvidence)
		out = append(out, rules.Evidence{Name: shown, Text: text, Err: named(err)})
	}
	return out
}

// literally is a path as a pattern that means it alone.
func literally(path string) string {
	var out []rune
	for _, r := range path {
		switch r {
		case '*', '?', '[', ']', '{', '}', '\\':
			out = append(out, '\\')
		}
		out = append(out, r)
	}
	return string(out)
}

func readAtMost(name string, most int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > most {
		return nil, fmt.Errorf("it has %d bytes; %d are read", info.Size(), most)
	}
	return os.ReadFile(name)
}

// attestations asks registries for what is attached to bases and to their
// manifests: a few small requests for each base, all bases at the same time.
func attestations(ctx context.Context, registry *image.Registry, set *policy.Set, f rules.Facts) []rules.Evidence {
	found := make([][]rules.Evidence, len(f.Bases))
	slots := make(chan struct{}, 8)
	var wg sync.WaitGroup
	for i, b := range f.Bases {
		if _, asked := set.Scanned(b.Name); !asked || b.Digest == "" || b.Base.Layout.Set {
			continue
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			found[i] = attached(ctx, registry, b, f.Manifests(b))
		})
	}
	wg.Wait()
	return slices.Concat(found...)
}

func attached(ctx context.Context, registry *image.Registry, b rules.Base, manifests []string) []rules.Evidence {
	var out []rules.Evidence
	for _, digest := range slices.Compact(append([]string{b.Digest}, manifests...)) {
		name := b.Name + " (" + digest + ")"
		texts, err := registry.Attestations(ctx, b.Name, digest)
		if err != nil {
			var refused *image.Error
			if errors.As(err, &refused) {
				name = refused.Ref
				err = errors.New(refused.Reason)
			}
			out = append(out, rules.Evidence{Name: name, Err: err})
		}
		for _, text := range texts {
			out = append(out, rules.Evidence{Name: name, Text: text})
		}
	}
	return out
}
