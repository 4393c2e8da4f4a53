package local

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/lower/dag"
)

// image gathers a finished image: the layers of its root, its history, and
// the checks that keep nothing but must have passed.
func (b *build) image(ctx context.Context, id dag.ID) (engine.Image, error) {
	n := b.node(id)
	op := n.Op.(*dag.Image)
	var chain []*layerRef
	err := each(len(n.Inputs), func(i int) (err error) {
		if i == 0 { // no step waits for a check
			chain, err = b.chain(ctx, n.Inputs[0])
		} else {
			_, err = b.get(ctx, n.Inputs[i])
		}
		return err
	})
	if err != nil {
		return engine.Image{}, err
	}
	img := engine.Image{Platform: op.Platform, Config: op.Config, Annotations: op.Annotations}
	for _, l := range chain {
		img.Layers = append(img.Layers, l)
	}
	if img.Steps, err = b.steps(ctx, n.Inputs[0]); err != nil {
		return engine.Image{}, err
	}
	if img.History, err = b.history(ctx, n.Inputs[0]); err != nil {
		return engine.Image{}, err
	}
	if err := b.provenImage(ctx, img); err != nil {
		return engine.Image{}, b.failed(n, err)
	}
	return img, nil
}

// steps are the nodes that made the layers of a root, one for each.
func (b *build) steps(ctx context.Context, id dag.ID) ([]dag.ID, error) {
	s := b.nodes[id]
	var out []dag.ID
	if hasBelow(s.n.Op) {
		var err error
		if out, err = b.steps(ctx, s.n.Inputs[0]); err != nil {
			return nil, err
		}
	}
	r, err := b.get(ctx, id)
	for range r.own {
		out = append(out, id)
	}
	return out, err
}

// history says how each layer came about, from the operations alone, so that
// it is the same wherever and whenever the image is built. A base's own lines
// are kept where they are sound.
func (b *build) history(ctx context.Context, id dag.ID) ([]engine.History, error) {
	s := b.nodes[id]
	var lines []engine.History
	if hasBelow(s.n.Op) {
		var err error
		if lines, err = b.history(ctx, s.n.Inputs[0]); err != nil {
			return nil, err
		}
	}
	r, err := b.get(ctx, id)
	if err != nil {
		return nil, err
	}
	if _, ok := s.n.Op.(*dag.Base); ok {
		return baseHistory(r), nil
	}
	if len(r.own) == 0 {
		return lines, nil
	}
	return append(lines, engine.History{CreatedBy: createdBy(s.n.Op)}), nil
}

// baseHistory reads a base's history; one that does not speak of as many
// layers as there are says nothing that could be trusted, and readers refuse
// such images.
func baseHistory(r result) []engine.History {
	base, err := decodeBase(r.entry.Facts)
	if err != nil {
		return nil
	}
	var config struct {
		History []struct {
			Created    string `json:"created"`
			CreatedBy  string `json:"created_by"`
			Author     string `json:"author"`
			Comment    string `json:"comment"`
			EmptyLayer bool   `json:"empty_layer"`
		} `json:"history"`
	}
	_ = json.Unmarshal(base.Config, &config) // what cannot be read has no lines
	var lines []engine.History
	made := 0
	for _, h := range config.History {
		lines = append(lines, engine.History{
			CreatedBy: h.CreatedBy, Created: h.Created, Author: h.Author, Comment: h.Comment, Empty: h.EmptyLayer,
		})
		if !h.EmptyLayer {
			made++
		}
	}
	if made == len(r.own) {
		return lines
	}
	lines = nil
	for range r.own {
		lines = append(lines, engine.History{CreatedBy: "base " + base.Digest})
	}
	return lines
}

// createdBy is a step in one line.
func createdBy(op dag.Op) string {
	switch op := op.(type) {
	case *dag.Copy:
		from := strings.Join(op.Sources, " ")
		if from == "" {
			from = "."
		}
		return fmt.Sprintf("copy %s to %s", from, op.To)
	case *dag.Run:
		if len(op.Shown) > 0 {
			return strings.Join(op.Shown, " ")
		}
		return "run " + strings.Join(op.Args, " ")
	case *dag.Packages:
		names := make([]string, len(op.Packages))
		for i, p := range op.Packages {
			names[i] = p.Name + "=" + p.Version
		}
		return fmt.Sprintf("packages %s %s %s", op.Manager, op.Arch, strings.Join(names, " "))
	case *dag.Files:
		var parts []string
		for _, s := range op.Steps {
			switch {
			case s.Entry != nil:
				parts = append(parts, s.Entry.Type+" "+s.Entry.Path)
			case s.User != nil:
				parts = append(parts, fmt.Sprintf("user %s %d:%d", s.User.Name, s.User.UID, s.User.GID))
			case s.Group != nil:
				parts = append(parts, fmt.Sprintf("group %s %d", s.Group.Name, s.Group.GID))
			}
		}
		return strings.Join(parts, "; ")
	default:
		return op.Kind()
	}
}
