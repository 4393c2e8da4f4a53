package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"path"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/layer"
	"github.com/specbuild/specbuild/engine/local"
	"github.com/specbuild/specbuild/lower/dag"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/planner/survey"
	"github.com/specbuild/specbuild/spec/diag"
)

// judgeImages judges what was built before any of it is written or pushed;
// pushed is what will be, where a policy asks for scans of it.
func (c *cli) judgeImages(ctx context.Context, w *world, f *applyFlags, comp *compiled, results []engine.Result, pushed []rules.Pushed) (diag.List, error) {
	s := &surveyor{world: w, roots: w.engine(f.engineFlags).Roots(), graph: comp.graph, strict: comp.judges.set.GradesImages()}
	images, whole, err := s.survey(ctx, results)
	if err != nil {
		return nil, err
	}
	done := rules.Finished{Images: images, Pushed: pushed, Whole: whole && len(f.platforms) == 0, Told: slices.Clone(comp.found)}
	ds := comp.judges.judgeImages(done, attachedTo(ctx, w.registry, comp.judges.set, pushed))
	comp.found = append(slices.Clone(comp.found), ds...)
	return ds, nil
}

// surveyor looks at finished images, once at each: what it has found out is
// kept in the store.
type surveyor struct {
	*world
	roots  *local.Roots
	graph  *dag.Graph
	strict bool // a policy asks for what rules find in images: nothing is left out
}

// survey is what rules see of everything that a build made. whole is false
// where a base would have to be fetched only to be looked at.
func (s *surveyor) survey(ctx context.Context, results []engine.Result) (images []rules.Image, whole bool, err error) {
	type job struct {
		result engine.Result
		image  engine.Image
	}
	var jobs []job
	for _, r := range results {
		for _, img := range r.Images {
			jobs = append(jobs, job{r, img})
		}
	}
	found := make([]*rules.Image, len(jobs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, j := range jobs {
		g.Go(func() error {
			var err error
			if found[i], err = s.look(ctx, j.result, j.image); err != nil {
				err = fmt.Errorf("looking at the files of %s for %s: %w", label(j.result.Output.Addr), j.image.Platform, err)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, false, err
	}
	whole = true
	for _, img := range found {
		if img == nil {
			whole = false
			continue
		}
		images = append(images, *img)
	}
	return images, whole, nil
}

// surveyKind records what was seen of an image, by its layers and configuration.
const surveyKind = "survey"

// look is what rules see of one image; nil where it is a base with another
// configuration, whose files are not known and nobody asks for.
func (s *surveyor) look(ctx context.Context, r engine.Result, img engine.Image) (*rules.Image, error) {
	out := &rules.Image{Name: r.Output.Addr, Range: r.Output.Range}
	base := make([]bool, len(img.Layers))
	ours := false
	for i := range img.Layers {
		if i < len(img.Steps) {
			n, ok := s.graph.Node(img.Steps[i])
			if ok {
				out.Steps = append(out.Steps, n.Meta.Range)
				_, base[i] = n.Op.(*dag.Base)
			}
		}
		ours = ours || !base[i]
	}
	config := configOf(img.Config)
	key, err := surveyKey(img, config, base)
	if err != nil {
		return nil, err
	}
	if text, ok := s.store.Record(surveyKind, key); ok && json.Unmarshal([]byte(text), &out.Facts) == nil {
		return out, nil
	}
	if !ours && !s.strict && !s.roots.AtHand(img) {
		return nil, nil
	}
	root, err := s.roots.Open(ctx, img)
	if err != nil {
		return nil, err
	}
	if out.Facts, err = survey.Take(img.Platform, config, &surveyed{ctx, root, img, base}); err != nil {
		return nil, err
	}
	text, err := json.Marshal(out.Facts)
	if err != nil {
		return nil, err
	}
	return out, s.store.PutRecord(surveyKind, key, string(text))
}

// surveyKey names everything that the facts of an image depend on.
func surveyKey(img engine.Image, c survey.Config, base []bool) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "format %d\nplatform %q\n", survey.Format, img.Platform)
	for i, l := range img.Layers {
		fmt.Fprintf(h, "layer %q %t\n", l.DiffID(), base[i])
	}
	text, err := json.Marshal(c) // keys of maps are sorted
	fmt.Fprintf(h, "config %q\n", text)
	return hex.EncodeToString(h.Sum(nil)), err
}

func configOf(c dag.Config) survey.Config {
	out := survey.Config{
		User: c.User, Env: map[string]string{}, Entrypoint: c.Entrypoint, Cmd: c.Cmd, Workdir: c.Workdir,
		Ports: c.Ports, Volumes: c.Volumes, Labels: map[string]string{}, StopSignal: c.StopSignal,
	}
	for _, pair := range c.Env {
		name, value, _ := strings.Cut(pair, "=")
		out.Env[name] = value
	}
	for _, l := range c.Labels {
		out.Labels[l.Name] = l.Value
	}
	return out
}

// surveyed is an image's root as a survey.Root.
type surveyed struct {
	ctx  context.Context
	root *local.Root
	img  engine.Image
	base []bool
}

func (s *surveyed) Layers() []survey.Layer {
	out := make([]survey.Layer, len(s.img.Layers))
	for i, l := range s.img.Layers {
		out[i] = survey.Layer{DiffID: l.DiffID(), Size: s.root.Sizes[i], Wasted: s.root.Wasted[i], Base: s.base[i]}
	}
	return out
}

func (s *surveyed) Files() iter.Seq[survey.File] {
	return func(yield func(survey.File) bool) {
		for n, e := range s.root.Tree.All() {
			if e.Type == layer.Hardlink {
				if _, first, ok := s.root.Tree.Content(e.Path); ok && first.Type == layer.File {
					e.Type, e.Mode, e.UID, e.GID = layer.File, first.Mode, first.UID, first.GID // its bytes count once
				}
			}
			if !yield(fileOf(e.Path, n, e)) {
				return
			}
		}
	}
}

func fileOf(at string, n int, e layer.Entry) survey.File {
	kind := survey.Other
	switch e.Type {
	case layer.File, layer.Hardlink:
		kind = survey.Regular
	case layer.Dir:
		kind = survey.Folder
	case layer.Symlink:
		kind = survey.Link
	}
	return survey.File{Path: "/" + at, Kind: kind, Mode: survey.Mode(e.Mode), UID: e.UID, GID: e.GID, Size: e.Size, Layer: n}
}

func (s *surveyed) Resolve(p string) (survey.File, string, bool) {
	real, there := s.root.Tree.Follow(p)
	switch {
	case !there && real == "":
		return survey.File{}, "", false
	case !there:
		return survey.File{}, "/" + real, false
	}
	n, e, ok := s.root.Tree.Content(real)
	if !ok { // the root itself, that no layer states
		e, _ = s.root.Tree.Lookup(real)
	}
	return fileOf(real, n, e), "", true
}

func (s *surveyed) Head(p string, limit int, whole bool) ([]byte, error) {
	name := strings.TrimPrefix(path.Clean(p), "/")
	if whole {
		return s.root.Read(s.ctx, name)
	}
	return s.root.Head(name, limit)
}
