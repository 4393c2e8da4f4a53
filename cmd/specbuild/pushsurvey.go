package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/engine/image"
	"github.com/specbuild/specbuild/engine/layer"
	"github.com/specbuild/specbuild/engine/local"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/planner/survey"
	"github.com/specbuild/specbuild/spec/diag"
)

// surveyLayout is what rules see of an image that was written as a layout, on
// each platform. Its bytes decide, not what is known of layers with the names
// that its configuration claims.
func surveyLayout(ctx context.Context, w *world, l *layoutImage, manifests []rules.Manifest) ([]rules.Image, error) {
	var out []rules.Image
	for _, m := range manifests {
		ref := image.LayoutRef(l.ref)
		base, err := w.registry.Base(ctx, ref, m.Digest)
		if err != nil {
			return nil, err
		}
		config, platform, err := configOfImage(base.Config)
		if err != nil {
			return nil, err
		}
		root, err := openLayoutRoot(ctx, w, ref, base)
		if err != nil {
			return nil, err
		}
		facts, err := survey.Take(platform, config, root)
		if err != nil {
			return nil, err
		}
		out = append(out, rules.Image{Name: l.from, Range: diag.Range{File: l.from}, Facts: facts})
	}
	return out, nil
}

// configOfImage reads an image's configuration (OCI image-spec v1.1, config.md).
func configOfImage(text []byte) (survey.Config, string, error) {
	var c struct {
		OS, Architecture, Variant string
		Config                    struct {
			User, WorkingDir, StopSignal string
			Env, Entrypoint, Cmd         []string
			ExposedPorts, Volumes        map[string]struct{}
			Labels                       map[string]string
		}
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return survey.Config{}, "", fmt.Errorf("its configuration cannot be read: %w", err)
	}
	out := survey.Config{
		User: c.Config.User, Env: map[string]string{}, Entrypoint: c.Config.Entrypoint, Cmd: c.Config.Cmd, Workdir: c.Config.WorkingDir,
		Ports: slices.Sorted(maps.Keys(c.Config.ExposedPorts)), Volumes: slices.Sorted(maps.Keys(c.Config.Volumes)),
		Labels: map[string]string{}, StopSignal: c.Config.StopSignal,
	}
	maps.Copy(out.Labels, c.Config.Labels)
	for _, pair := range c.Config.Env {
		name, value, _ := strings.Cut(pair, "=")
		out.Env[name] = value
	}
	return out, path.Join(c.OS, c.Architecture, c.Variant), nil
}

// layoutRoot is the merged files of a layout's image. It says of no layer that
// it is a base's: nobody knows.
type layoutRoot struct {
	surveyed
	ctx     context.Context
	diffIDs []string
	tars    []func() (io.ReadCloser, error)
	kept    []map[string][]byte // small files of each layer that are asked for of nearly every image
}

// openLayoutRoot reads all layers, which proves the digests in the
// configuration.
func openLayoutRoot(ctx context.Context, w *world, ref string, base image.Base) (*layoutRoot, error) {
	r := &layoutRoot{ctx: ctx}
	var tocs []*layer.TOC
	for _, l := range base.Layers {
		open := func() (io.ReadCloser, error) { return openLayoutLayer(ctx, w, ref, l) }
		kept := map[string][]byte{"etc/passwd": nil, "etc/group": nil, "etc/shadow": nil, "etc/gshadow": nil}
		toc, err := tableOfLayer(open, l, kept)
		if err != nil {
			return nil, err
		}
		tocs = append(tocs, toc)
		r.diffIDs, r.tars, r.kept = append(r.diffIDs, l.DiffID), append(r.tars, open), append(r.kept, kept)
	}
	tree, err := layer.Merge(tocs...)
	if err != nil {
		return nil, err
	}
	r.root = &local.Root{Tree: tree, Sizes: tree.Sizes()}
	for i, shown := range tree.Shown() {
		r.root.Wasted = append(r.root.Wasted, r.root.Sizes[i]-shown)
	}
	return r, nil
}

func openLayoutLayer(ctx context.Context, w *world, ref string, l image.BaseLayer) (io.ReadCloser, error) {
	blob, err := w.registry.OpenBlob(ctx, ref, l.Digest)
	if err != nil {
		return nil, err
	}
	tar, err := layer.Decompress(blob, l.MediaType, layer.Limits{})
	if err != nil {
		blob.Close()
		return nil, fmt.Errorf("layer %s: %w", l.Digest, err)
	}
	return &closers{tar, []io.Closer{tar, blob}}, nil
}

// closers is a reader that closes what it reads from.
type closers struct {
	io.Reader
	all []io.Closer
}

// Close closes all, and gives the first error.
func (c *closers) Close() error {
	var first error
	for _, x := range c.all {
		if err := x.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// tableOfLayer reads a layer; kept is filled with files of those paths.
func tableOfLayer(open func() (io.ReadCloser, error), l image.BaseLayer, kept map[string][]byte) (*layer.TOC, error) {
	tar, err := open()
	if err != nil {
		return nil, err
	}
	defer tar.Close()
	toc, diffID, _, err := layer.ReadTOC(tar, layer.ReadOptions{Devices: true, Keep: kept})
	if err != nil {
		return nil, fmt.Errorf("layer %s: %w", l.Digest, err)
	}
	if diffID != l.DiffID {
		return nil, fmt.Errorf("layer %s is not what the configuration says: its content is %s, claimed is %s", l.Digest, diffID, l.DiffID)
	}
	return toc, nil
}

// Layers is survey.Root.
func (r *layoutRoot) Layers() []survey.Layer {
	out := make([]survey.Layer, len(r.diffIDs))
	for i, id := range r.diffIDs {
		out[i] = survey.Layer{DiffID: id, Size: r.root.Sizes[i], Wasted: r.root.Wasted[i]}
	}
	return out
}

// Head is survey.Root. All of a layout is at hand.
func (r *layoutRoot) Head(p string, limit int, _ bool) ([]byte, error) {
	n, f, ok := r.root.Tree.Content(strings.TrimPrefix(path.Clean(p), "/"))
	if !ok || f.Type != layer.File {
		return nil, nil
	}
	content := r.kept[n][f.Path]
	if content == nil {
		tar, err := r.tars[n]()
		if err != nil {
			return nil, err
		}
		defer tar.Close()
		one := map[string][]byte{f.Path: nil}
		if _, _, _, err := layer.ReadTOC(tar, layer.ReadOptions{Devices: true, Keep: one}); err != nil {
			return nil, err
		}
		content = one[f.Path]
	}
	return content[:min(limit, len(content))], nil
}
