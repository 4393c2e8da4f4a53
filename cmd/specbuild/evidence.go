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

	"github.com/specbuild/specbuild/engine"
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
			found[i] = attached(ctx, registry, b.Name, b.Digest, f.Manifests(b))
		})
	}
	wg.Wait()
	return slices.Concat(found...)
}

// pushed is what will be pushed, by its digests without a stamp: those that a
// layout of the same build has.
func (p *publisher) pushed(ctx context.Context, results []engine.Result) ([]rules.Pushed, error) {
	made, err := p.assemble(ctx, results)
	if err != nil {
		return nil, err
	}
	out := make([]rules.Pushed, len(results))
	for i, r := range results {
		out[i] = rules.Pushed{Name: r.Output.Addr, Range: r.Output.Range, Tags: r.Output.Tags, Digest: made[i].Digest}
		if out[i].Manifests, err = manifestsOf(made[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func manifestsOf(a *image.Artifact) ([]rules.Manifest, error) {
	out := make([]rules.Manifest, len(a.Images))
	for i, img := range a.Images {
		h, err := img.Digest()
		if err != nil {
			return nil, err
		}
		out[i] = rules.Manifest{Platform: a.Platforms[i], Digest: h.String()}
	}
	return out, nil
}

// attachedTo asks the repositories that images are pushed to for what is
// attached there to what will be pushed: a pipeline may have pushed and scanned
// the same image by another tag.
func attachedTo(ctx context.Context, registry *image.Registry, set *policy.Set, pushed []rules.Pushed) []rules.Evidence {
	if _, asked := set.ScansImages(); !asked {
		return nil
	}
	var out []rules.Evidence
	for _, img := range pushed {
		var manifests, repositories []string
		for _, m := range img.Manifests {
			manifests = append(manifests, m.Digest)
		}
		for _, tag := range img.Tags {
			repositories = append(repositories, image.Origin(tag))
		}
		slices.Sort(repositories)
		for _, repository := range slices.Compact(repositories) {
			out = append(out, attached(ctx, registry, repository, img.Digest, manifests)...)
		}
	}
	return out
}

// attached is what a repository has about an index and its manifests.
func attached(ctx context.Context, registry *image.Registry, ref, index string, manifests []string) []rules.Evidence {
	var out []rules.Evidence
	for _, digest := range slices.Compact(append([]string{index}, manifests...)) {
		name := ref + " (" + digest + ")"
		texts, err := registry.Attestations(ctx, ref, digest)
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
