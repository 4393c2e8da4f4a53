package image

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Push makes tag point to the artifact. Blobs that the registry has are not
// sent; those of a base on the same registry are mounted.
func (r *Registry) Push(ctx context.Context, tag string, a *Artifact) error {
	parsed, err := name.NewTag(tag)
	if err != nil {
		return &Error{Ref: tag, Reason: "this is not a tag", Err: err}
	}
	p, err := r.push()
	if err != nil {
		return err
	}
	var what remote.Taggable
	if a.IsIndex() {
		what = &pushedIndex{pushed{a}}
	} else {
		what = mountable{a.Images[0]}
	}
	return explain(tag, p.Push(ctx, parsed, what))
}

// pushed and pushedIndex show an artifact as ggcr's pusher wants it.
type pushed struct{ a *Artifact }

func (p *pushed) RawManifest() ([]byte, error)        { return p.a.Raw, nil }
func (p *pushed) MediaType() (types.MediaType, error) { return types.MediaType(p.a.MediaType), nil }
func (p *pushed) Digest() (v1.Hash, error)            { return v1.NewHash(p.a.Digest) }
func (p *pushed) Size() (int64, error)                { return int64(len(p.a.Raw)), nil }

type pushedIndex struct{ pushed }

func (p *pushedIndex) IndexManifest() (*v1.IndexManifest, error) {
	return v1.ParseIndexManifest(strings.NewReader(string(p.a.Raw)))
}

func (p *pushedIndex) Image(h v1.Hash) (v1.Image, error) {
	for _, img := range p.a.Images {
		if d, err := img.Digest(); err == nil && d == h {
			return mountable{img}, nil
		}
	}
	return nil, fmt.Errorf("the index has no image %s", h)
}

func (p *pushedIndex) ImageIndex(h v1.Hash) (v1.ImageIndex, error) {
	return nil, fmt.Errorf("the index has no index %s", h)
}

// mountable is an image whose base layers can be mounted from the repository
// they came from; the pusher sends them where the registry refuses.
type mountable struct{ *Image }

func (m mountable) Layers() ([]v1.Layer, error) {
	layers, err := m.Image.Layers()
	if err != nil {
		return nil, err
	}
	out := make([]v1.Layer, len(layers))
	for i, l := range layers {
		out[i] = l
		if i >= len(m.layers) || m.layers[i].layer.Origin() == "" {
			continue // of a layout, or made here
		}
		origin := m.layers[i].layer.Origin()
		if repo, err := name.NewRepository(origin); err == nil {
			out[i] = &remote.MountableLayer{Layer: l, Reference: repo.Digest(m.layers[i].hash.String())}
		}
	}
	return out, nil
}
