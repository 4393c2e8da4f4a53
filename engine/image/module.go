package image

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/name"
)

// The types of a published module: an OCI artifact (image-spec v1.1,
// manifest.md, "Guidelines for Artifact Usage") with one layer, the module's
// files as a gzipped tar, and the empty config.
const (
	ModuleType      = "application/vnd.specbuild.module.v1"
	moduleLayerType = "application/vnd.specbuild.module.layer.v1.tar+gzip"
)

// maxModule is the largest archive that is fetched: what it may unpack to is
// limited further on.
const maxModule = 64 << 20

// PushModule publishes an archive, and answers the digest of its manifest.
// Equal archives have one digest.
func (r *Registry) PushModule(ctx context.Context, ref string, archive []byte) (string, error) {
	tag, err := name.NewTag(ref)
	if err != nil {
		return "", &Error{Ref: ref, Reason: "a module is published under a name with a tag, registry/repository:tag", Err: err}
	}
	a, err := newArtifact(ModuleType, []memoryLayer{{mediaType: moduleLayerType, content: archive}}, nil)
	if err != nil {
		return "", err
	}
	p, err := r.push()
	if err != nil {
		return "", err
	}
	img, err := a.image()
	if err != nil {
		return "", err
	}
	if err := p.Push(ctx, tag, img); err != nil {
		return "", explain(ref, err)
	}
	return a.digest(), nil
}

// ResolveModule is the digest that a module's name stands for now.
func (r *Registry) ResolveModule(ctx context.Context, ref string) (string, error) {
	_, digest, err := r.module(ctx, ref, "")
	return digest, err
}

// PullModule fetches the archive of a module by its digest, which its bytes
// were checked against.
func (r *Registry) PullModule(ctx context.Context, ref, digest string) ([]byte, error) {
	m, _, err := r.module(ctx, ref, digest)
	if err != nil {
		return nil, err
	}
	if len(m.Layers) != 1 || m.Layers[0].Size > maxModule || m.Layers[0].Size < 0 {
		return nil, &Error{Ref: ref, Reason: fmt.Sprintf("this is no module that can be read: %d layers, or one larger than %d bytes", len(m.Layers), maxModule)}
	}
	rc, err := r.OpenBlob(ctx, ref, m.Layers[0].Digest.String())
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	archive, err := io.ReadAll(io.LimitReader(rc, m.Layers[0].Size+1))
	if err != nil {
		return nil, explain(ref, err)
	}
	if int64(len(archive)) != m.Layers[0].Size || v1HashOf(archive) != m.Layers[0].Digest {
		return nil, &Error{Ref: ref, Reason: "the archive is not what its digest says; fetch it again, or ask who runs the registry"}
	}
	return archive, nil
}

// module reads a module's manifest; digest is what it must be, or empty.
func (r *Registry) module(ctx context.Context, ref, digest string) (artifactManifest, string, error) {
	var m artifactManifest
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return m, "", &Error{Ref: ref, Reason: "this is not the name of a module", Err: err}
	}
	if digest != "" {
		parsed = parsed.Context().Digest(digest)
	}
	p, err := r.pull()
	if err != nil {
		return m, "", err
	}
	d, err := p.Get(ctx, parsed)
	if err != nil {
		return m, "", explain(ref, err)
	}
	if err := json.Unmarshal(d.Manifest, &m); err != nil || m.ArtifactType != ModuleType {
		return m, "", &Error{Ref: ref, Reason: fmt.Sprintf("this is no module: its type is %q; `specbuild module push` publishes one", m.ArtifactType+string(m.Config.MediaType)), Err: err}
	}
	return m, d.Digest.String(), nil
}
