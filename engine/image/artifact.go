package image

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// emptyConfigType is that of the config "{}" of what is no image.
const emptyConfigType = "application/vnd.oci.empty.v1+json"

// artifactManifest is an OCI artifact (image-spec v1.1, manifest.md,
// "Guidelines for Artifact Usage"), as far as ours have it.
type artifactManifest struct {
	SchemaVersion int             `json:"schemaVersion"`
	MediaType     types.MediaType `json:"mediaType"`
	ArtifactType  string          `json:"artifactType"`
	Config        v1.Descriptor   `json:"config"`
	Layers        []v1.Descriptor `json:"layers"`
	Subject       *v1.Descriptor  `json:"subject,omitempty"`
}

// inMemory is a small artifact as ggcr's pusher wants it.
type inMemory struct {
	manifest []byte
	config   []byte
	layers   []memoryLayer
}

// newArtifact makes an artifact of one or more small layers, which may be
// about another manifest.
func newArtifact(kind string, layers []memoryLayer, subject *v1.Descriptor) (*inMemory, error) {
	a := &inMemory{config: []byte("{}"), layers: layers}
	m := artifactManifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: kind, Subject: subject,
		Config: v1.Descriptor{MediaType: emptyConfigType, Size: int64(len(a.config)), Digest: v1HashOf(a.config)},
	}
	for _, l := range layers {
		m.Layers = append(m.Layers, v1.Descriptor{
			MediaType: l.mediaType, Size: int64(len(l.content)), Digest: v1HashOf(l.content), Annotations: l.annotations,
		})
	}
	var err error
	a.manifest, err = json.Marshal(m)
	return a, err
}

func (a *inMemory) digest() string { return digestOf(a.manifest) }

// image is the artifact in the terms of go-containerregistry.
func (a *inMemory) image() (v1.Image, error) { return partial.CompressedToImage(a) }

// RawConfigFile, MediaType, RawManifest and LayerByDigest are ggcr's
// partial.CompressedImageCore.
func (a *inMemory) RawConfigFile() ([]byte, error)      { return a.config, nil }
func (a *inMemory) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }
func (a *inMemory) RawManifest() ([]byte, error)        { return a.manifest, nil }
func (a *inMemory) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	for _, l := range append(a.layers, memoryLayer{mediaType: emptyConfigType, content: a.config}) {
		if v1HashOf(l.content) == h {
			return l, nil
		}
	}
	return nil, fmt.Errorf("the artifact has no layer %s", h)
}

// memoryLayer is one layer of an artifact.
type memoryLayer struct {
	mediaType   types.MediaType
	annotations map[string]string
	content     []byte
}

func (l memoryLayer) Digest() (v1.Hash, error)            { return v1HashOf(l.content), nil }
func (l memoryLayer) Size() (int64, error)                { return int64(len(l.content)), nil }
func (l memoryLayer) MediaType() (types.MediaType, error) { return l.mediaType, nil }
func (l memoryLayer) Compressed() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(l.content)), nil
}
