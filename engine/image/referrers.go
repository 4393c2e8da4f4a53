package image

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// cosign 3 attaches by OCI's referrers (distribution-spec v1.1) instead of by
// tags, with a bundle of Sigstore in the place of a signature: an envelope
// whose statement says what was signed (cosign, BUNDLE_SPEC.md). Versions
// before could put its own layers there.
const (
	bundleType            = "application/vnd.dev.sigstore.bundle" // and a version
	signatureArtifactType = "application/vnd.dev.cosign.artifact.sig.v1+json"
	bundlePredicate       = "dev.sigstore.bundle.predicateType"
	signPredicate         = "https://sigstore.dev/cosign/sign/v1"
)

// referrer is an artifact about an image.
type referrer struct {
	kind      string // its artifact type
	predicate string // as its annotation says it, or ""
	layers    []v1.Descriptor
}

func (f referrer) bundle() bool { return strings.HasPrefix(f.kind, bundleType) }

// referrers are the artifacts of cosign's kinds about the image of a digest.
// Those with a bundle of a predicate that is not wanted are not read.
func (r *Registry) referrers(ctx context.Context, ref, digest string, wanted func(predicate string) bool) ([]referrer, error) {
	if strings.HasPrefix(ref, layoutPrefix) {
		return nil, nil
	}
	repo, err := repository(ref)
	if err != nil {
		return nil, err
	}
	listed, err := r.listReferrers(ctx, repo.Digest(digest))
	if err != nil {
		return nil, err
	}
	var out []referrer
	for _, d := range listed {
		f := referrer{kind: d.ArtifactType, predicate: d.Annotations[bundlePredicate]}
		if f.kind != signatureArtifactType && !f.bundle() || f.bundle() && f.predicate != "" && !wanted(f.predicate) {
			continue
		}
		if len(out) == maxAttached {
			return nil, &Error{Ref: ref, Reason: fmt.Sprintf("more than %d things refer to %s", maxAttached, digest)}
		}
		raw, err := r.RawManifest(ctx, ref, d.Digest.String())
		if err != nil {
			return nil, err
		}
		m, err := v1.ParseManifest(strings.NewReader(string(raw)))
		if err != nil {
			return nil, &Error{Ref: ref, Reason: "the manifest of what refers to it, " + d.Digest.String() + ", cannot be read", Err: err}
		}
		f.layers = m.Layers
		out = append(out, f)
	}
	return out, nil
}

// listReferrers asks the registry's API, or the tag that stands in for it. A
// registry that knows neither has none.
func (r *Registry) listReferrers(ctx context.Context, subject name.Digest) ([]v1.Descriptor, error) {
	p, err := r.pull()
	if err != nil {
		return nil, err
	}
	idx, err := remote.Referrers(subject, append([]remote.Option{remote.WithContext(ctx), remote.Reuse(p)}, r.options...)...)
	var te *transport.Error
	if errors.As(err, &te) && te.StatusCode >= http.StatusBadRequest && te.StatusCode < http.StatusInternalServerError &&
		te.StatusCode != http.StatusUnauthorized && te.StatusCode != http.StatusForbidden && te.StatusCode != http.StatusTooManyRequests {
		return nil, nil
	}
	if err != nil {
		return nil, explain(subject.String(), err)
	}
	m, err := idx.IndexManifest()
	if err != nil {
		return nil, explain(subject.String(), err)
	}
	return m.Manifests, nil
}

// bundled are the signatures in a bundle: what is signed of an envelope is its
// type and payload with their lengths (DSSE v1, protocol.md, PAE).
func bundled(text []byte) []Signature {
	var doc struct {
		Envelope struct {
			PayloadType string `json:"payloadType"`
			Payload     []byte `json:"payload"`
			Signatures  []struct {
				Sig string `json:"sig"`
			} `json:"signatures"`
		} `json:"dsseEnvelope"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil // somebody else's
	}
	e := doc.Envelope
	var out []Signature
	for _, s := range e.Signatures {
		sig, err := base64.StdEncoding.DecodeString(s.Sig)
		if err != nil || len(sig) == 0 {
			continue
		}
		signed := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(e.PayloadType), e.PayloadType, len(e.Payload), e.Payload)
		out = append(out, Signature{Payload: signed, Signature: sig})
	}
	return out
}
