// Package image makes OCI images of results, writes them to layouts, archives
// and registries, and reads the images that others build on.
//
// Everything is lazy: assembling an image compresses its layers, since their
// digests stand in the manifest, but no byte is held in memory or read twice.
package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/lower/dag"
)

// Epoch is the creation time of images and history lines where no other is
// asked for: the first that a zip archive can say, as in layers.
var Epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// Options is what of an image is in no key.
type Options struct {
	Created time.Time // zero is Epoch
	Stamp   []dag.KV  // added to the annotations of the outermost document
}

// Artifact is a finished image or index, ready to be written anywhere.
type Artifact struct {
	MediaType string
	Digest    string // "sha256:…" of Raw
	Raw       []byte // the manifest or index itself
	Platforms []string
	Images    []*Image // one a platform; the artifact itself where it is no index
}

// Image is one platform's image, in the terms of go-containerregistry.
type Image struct {
	v1.Image
	layers []*blobLayer // lowest first
}

// IsIndex reports whether the artifact is an index of several images.
func (a *Artifact) IsIndex() bool { return a.MediaType == string(types.OCIImageIndex) }

// Assemble makes the manifests and the index of a result. It compresses the
// layers that are not compressed yet, at most two at a time since each uses
// all cores.
func Assemble(ctx context.Context, r engine.Result, o Options) (*Artifact, error) {
	images := make([]*Image, len(r.Images))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(2)
	for i, img := range r.Images {
		stamp := o.Stamp
		if r.Index != nil {
			stamp = nil
		}
		g.Go(func() error {
			m, err := newImage(gctx, img, o.Created, stamp)
			if err != nil {
				return fmt.Errorf("assembling %s for %s: %w", r.Output.Addr, img.Platform, err)
			}
			images[i] = m
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if r.Index == nil {
		return single(images[0], r.Images[0].Platform)
	}
	return index(images, r, o)
}

func single(img *Image, platform string) (*Artifact, error) {
	raw, err := img.RawManifest()
	if err != nil {
		return nil, err
	}
	return &Artifact{
		MediaType: string(types.OCIManifestSchema1), Digest: digestOf(raw), Raw: raw,
		Platforms: []string{platform}, Images: []*Image{img},
	}, nil
}

func index(images []*Image, r engine.Result, o Options) (*Artifact, error) {
	m := v1.IndexManifest{
		SchemaVersion: 2,
		MediaType:     types.OCIImageIndex,
		Annotations:   annotations(r.Index.Annotations, o.Stamp),
	}
	a := &Artifact{MediaType: string(types.OCIImageIndex), Images: images}
	for i, img := range images {
		d, err := partial.Descriptor(img)
		if err != nil {
			return nil, err
		}
		p, err := v1.ParsePlatform(r.Images[i].Platform)
		if err != nil {
			return nil, err
		}
		m.Manifests = append(m.Manifests, v1.Descriptor{
			MediaType: d.MediaType, Size: d.Size, Digest: d.Digest, Platform: p,
		})
		a.Platforms = append(a.Platforms, r.Images[i].Platform)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	a.Raw, a.Digest = raw, digestOf(raw)
	return a, nil
}

// built is the raw form of one image, from which ggcr derives the rest.
type built struct {
	config, manifest []byte
	layers           map[v1.Hash]*blobLayer
}

func newImage(ctx context.Context, img engine.Image, created time.Time, stamp []dag.KV) (*Image, error) {
	if created.IsZero() {
		created = Epoch
	}
	b := &built{layers: map[v1.Hash]*blobLayer{}}
	m := v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		Annotations:   annotations(img.Annotations, stamp),
		Layers:        []v1.Descriptor{},
	}
	out := &Image{}
	for _, l := range img.Layers {
		bl, err := newBlobLayer(ctx, l)
		if err != nil {
			return nil, err
		}
		b.layers[bl.hash] = bl
		out.layers = append(out.layers, bl)
		m.Layers = append(m.Layers, v1.Descriptor{MediaType: bl.mediaType(), Size: bl.blob.Size, Digest: bl.hash})
	}
	var err error
	if b.config, err = json.Marshal(configFile(img, created)); err != nil {
		return nil, err
	}
	h, _, err := v1.SHA256(bytes.NewReader(b.config))
	if err != nil {
		return nil, err
	}
	m.Config = v1.Descriptor{MediaType: types.OCIConfigJSON, Size: int64(len(b.config)), Digest: h}
	if b.manifest, err = json.Marshal(m); err != nil {
		return nil, err
	}
	out.Image, err = partial.CompressedToImage(b)
	return out, err
}

// RawConfigFile, MediaType, RawManifest and LayerByDigest are what ggcr needs
// to know of an image.
func (b *built) RawConfigFile() ([]byte, error)      { return b.config, nil }
func (b *built) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }
func (b *built) RawManifest() ([]byte, error)        { return b.manifest, nil }
func (b *built) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	if l, ok := b.layers[h]; ok {
		return l, nil
	}
	if h == v1HashOf(b.config) {
		return partial.ConfigLayer(b)
	}
	return nil, fmt.Errorf("the image has no layer %s", h)
}

// blobLayer is an engine's layer as ggcr wants it.
type blobLayer struct {
	ctx   context.Context // the one that asked for the image: ggcr's layers have none of their own
	layer engine.Layer
	blob  engine.Blob
	hash  v1.Hash
}

func newBlobLayer(ctx context.Context, l engine.Layer) (*blobLayer, error) {
	b, err := l.Blob(ctx)
	if err != nil {
		return nil, err
	}
	h, err := v1.NewHash(b.Digest)
	if err != nil {
		return nil, err
	}
	return &blobLayer{ctx: context.WithoutCancel(ctx), layer: l, blob: b, hash: h}, nil
}

func (l *blobLayer) Digest() (v1.Hash, error)             { return l.hash, nil }
func (l *blobLayer) DiffID() (v1.Hash, error)             { return v1.NewHash(l.layer.DiffID()) }
func (l *blobLayer) Compressed() (io.ReadCloser, error)   { return l.layer.Open(l.ctx) }
func (l *blobLayer) Uncompressed() (io.ReadCloser, error) { return l.layer.Tar(l.ctx) }
func (l *blobLayer) Size() (int64, error)                 { return l.blob.Size, nil }
func (l *blobLayer) MediaType() (types.MediaType, error)  { return l.mediaType(), nil }

// mediaType says Docker's media types of base layers in OCI's words: the
// bytes are the same, and an OCI manifest may not name the others.
func (l *blobLayer) mediaType() types.MediaType {
	switch mt := types.MediaType(l.blob.MediaType); mt {
	case types.DockerLayer:
		return types.OCILayer
	case types.DockerUncompressedLayer:
		return types.OCIUncompressedLayer
	default:
		return mt
	}
}

// annotations merges a stamp over the image's own; nil where there are none.
func annotations(own, stamp []dag.KV) map[string]string {
	if len(own)+len(stamp) == 0 {
		return nil
	}
	m := map[string]string{}
	for _, kv := range slices.Concat(own, stamp) {
		m[kv.Name] = kv.Value
	}
	return m
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func v1HashOf(b []byte) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: strings.TrimPrefix(digestOf(b), "sha256:")}
}
