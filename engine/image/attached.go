package image

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// What cosign before 3 attaches to an image lies beside it, under a tag made of
// its digest, with a layer for each thing that is attached (cosign,
// SIGNATURE_SPEC.md, "Storage").
const (
	signatureSuffix   = ".sig"
	attestationSuffix = ".att"

	signatureType       = "application/vnd.dev.cosign.simplesigning.v1+json"
	envelopeType        = "application/vnd.dsse.envelope.v1+json"
	signatureAnnotation = "dev.cosignproject.cosign/signature"
)

// The bounds of what is attached. Payloads are some 300 bytes; a scan of a
// large image is some megabytes. Whoever may push to a repository decides how
// much there is.
const (
	maxAttached  = 100 // layers
	maxPayload   = 64 << 10
	maxEnvelope  = 32 << 20
	maxEnvelopes = 64 << 20 // all of one image
)

// Signature is one that cosign has made of an image. It was not verified.
type Signature struct {
	Payload   []byte // what is signed
	Signature []byte
}

// Signatures are those of the image of a digest in the repository of ref, as
// cosign has put them there, under a tag or as referrers; none where nobody
// has signed it. A layout has none.
func (r *Registry) Signatures(ctx context.Context, ref, digest string) ([]Signature, error) {
	layers, err := r.attached(ctx, ref, digest, signatureSuffix, signatureType)
	if err != nil {
		return nil, err
	}
	out, err := r.signatures(ctx, ref, layers)
	if err != nil {
		return nil, err
	}
	refs, err := r.referrers(ctx, ref, digest, func(predicate string) bool { return predicate == signPredicate })
	if err != nil {
		return nil, err
	}
	for _, f := range refs {
		var more []Signature
		if f.bundle() {
			more, err = r.bundles(ctx, ref, f.layers)
		} else {
			more, err = r.signatures(ctx, ref, f.layers)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// signatures reads layers with simple signing.
func (r *Registry) signatures(ctx context.Context, ref string, layers []v1.Descriptor) ([]Signature, error) {
	var out []Signature
	for _, l := range layers {
		sig, err := base64.StdEncoding.DecodeString(l.Annotations[signatureAnnotation])
		if err != nil || len(sig) == 0 {
			continue // not cosign's: others beside it may be
		}
		payload, err := r.small(ctx, ref, l, maxPayload)
		if err != nil {
			return nil, err
		}
		out = append(out, Signature{Payload: payload, Signature: sig})
	}
	return out, nil
}

func (r *Registry) bundles(ctx context.Context, ref string, layers []v1.Descriptor) ([]Signature, error) {
	var out []Signature
	for _, l := range layers {
		text, err := r.small(ctx, ref, l, maxPayload)
		if err != nil {
			return nil, err
		}
		out = append(out, bundled(text)...)
	}
	return out, nil
}

// RawManifest is the bytes of the index or manifest of a digest, which they
// were checked against.
func (r *Registry) RawManifest(ctx context.Context, ref, digest string) ([]byte, error) {
	if dir, ok := strings.CutPrefix(ref, layoutPrefix); ok {
		dir, _ := splitLayout(dir)
		return layoutBytes(ref, dir, digest)
	}
	d, err := r.get(ctx, ref, digest)
	if err != nil {
		return nil, err
	}
	return d.Manifest, nil
}

// Attestations are the DSSE envelopes about the image of a digest in the
// repository of ref, or Sigstore's bundles with one, as they are: under the tag
// that cosign gives them, and as referrers. They were not verified.
func (r *Registry) Attestations(ctx context.Context, ref, digest string) ([][]byte, error) {
	layers, err := r.attached(ctx, ref, digest, attestationSuffix, envelopeType)
	if err != nil {
		return nil, err
	}
	refs, err := r.referrers(ctx, ref, digest, func(predicate string) bool { return predicate != signPredicate })
	if err != nil {
		return nil, err
	}
	for _, f := range refs {
		if f.bundle() {
			layers = append(layers, f.layers...)
		}
	}
	var out [][]byte
	left := int64(maxEnvelopes)
	for _, l := range layers {
		text, err := r.small(ctx, ref, l, min(maxEnvelope, left))
		if err != nil {
			return nil, err
		}
		left -= int64(len(text))
		out = append(out, text)
	}
	return out, nil
}

// attached are the layers of one media type of what is attached to an image.
func (r *Registry) attached(ctx context.Context, ref, digest, suffix, mediaType string) ([]v1.Descriptor, error) {
	if strings.HasPrefix(ref, layoutPrefix) {
		return nil, nil
	}
	repo, err := repository(ref)
	if err != nil {
		return nil, err
	}
	tag := repo.Tag(strings.Replace(digest, ":", "-", 1) + suffix)
	m, err := r.manifest(ctx, tag)
	if err != nil || m == nil {
		return nil, err
	}
	if len(m.Layers) > maxAttached {
		return nil, &Error{Ref: tag.String(), Reason: fmt.Sprintf("%d things are attached to the image; %d are read", len(m.Layers), maxAttached)}
	}
	var out []v1.Descriptor
	for _, l := range m.Layers {
		if string(l.MediaType) == mediaType {
			out = append(out, l)
		}
	}
	return out, nil
}

// manifest is that of a tag, or nil where there is no such tag.
func (r *Registry) manifest(ctx context.Context, tag name.Tag) (*v1.Manifest, error) {
	p, err := r.pull()
	if err != nil {
		return nil, err
	}
	d, err := p.Get(ctx, tag)
	var te *transport.Error
	if errors.As(err, &te) && te.StatusCode == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, explain(tag.String(), err)
	}
	m, err := v1.ParseManifest(strings.NewReader(string(d.Manifest)))
	if err != nil {
		return nil, &Error{Ref: tag.String(), Reason: "its manifest cannot be read", Err: err}
	}
	return m, nil
}

// small reads a blob of at most so many bytes.
func (r *Registry) small(ctx context.Context, ref string, l v1.Descriptor, most int64) ([]byte, error) {
	if l.Size < 0 || l.Size > most {
		return nil, &Error{Ref: ref, Reason: fmt.Sprintf("what is attached to the image, %s, has %d bytes; %d are read", l.Digest, l.Size, most)}
	}
	rc, err := r.OpenBlob(ctx, ref, l.Digest.String())
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	text, err := io.ReadAll(io.LimitReader(rc, most+1)) // to the end: only there the digest is compared
	if err != nil {
		return nil, explain(ref, err)
	}
	if int64(len(text)) > most {
		return nil, &Error{Ref: ref, Reason: fmt.Sprintf("what is attached to the image, %s, is larger than its manifest says", l.Digest)}
	}
	return text, nil
}
