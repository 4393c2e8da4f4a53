package image

import (
	"context"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// statementType is that of statements of in-toto, and predicateAnnotation says
// which a layer holds (in-toto attestation spec; BuildKit began the latter).
const (
	statementType       = "application/vnd.in-toto+json"
	predicateAnnotation = "in-toto.io/predicate-type"
)

// Attachment is one statement of in-toto about an image.
type Attachment struct {
	Predicate string // its type, a URI
	Content   []byte
}

// Subject is the manifest that something is attached to.
type Subject struct {
	MediaType string
	Digest    string // "sha256:…"
	Size      int64  // bytes
}

// Subject is the manifest of one of the artifact's platforms.
func (a *Artifact) Subject(i int) (Subject, error) {
	raw, err := a.Images[i].RawManifest()
	if err != nil {
		return Subject{}, err
	}
	return Subject{MediaType: string(types.OCIManifestSchema1), Digest: digestOf(raw), Size: int64(len(raw))}, nil
}

// Attach publishes statements about an image that the tag's repository has, as
// one of its referrers (distribution-spec v1.1); where the registry has no API
// for these, under the tag that the specification names instead. It reports
// whether anything was sent: equal statements are sent once.
func (r *Registry) Attach(ctx context.Context, tag string, to Subject, statements []Attachment) (sent bool, err error) {
	repo, err := repository(tag)
	if err != nil {
		return false, err
	}
	digest, err := v1.NewHash(to.Digest)
	if err != nil {
		return false, err
	}
	var layers []memoryLayer
	for _, s := range statements {
		layers = append(layers, memoryLayer{statementType, map[string]string{predicateAnnotation: s.Predicate}, s.Content})
	}
	a, err := newArtifact(statementType, layers, &v1.Descriptor{MediaType: types.MediaType(to.MediaType), Size: to.Size, Digest: digest})
	if err != nil {
		return false, err
	}
	ref := repo.Digest(a.digest())
	if there, err := r.head(ctx, ref); err != nil || there != "" {
		return false, err
	}
	p, err := r.push()
	if err != nil {
		return false, err
	}
	img, err := a.image()
	if err != nil {
		return false, err
	}
	if err := p.Push(ctx, ref, img); err != nil {
		return false, fmt.Errorf("attaching statements to %s: %w", to.Digest, explain(tag, err))
	}
	return true, nil
}
