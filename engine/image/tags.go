package image

import (
	"context"
	"encoding/json"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// versionKeys are under what makers of images say a version, in labels and
// annotations: OCI image-spec v1.1, annotations.md, and what was before it.
var versionKeys = []string{"org.opencontainers.image.version", "org.label-schema.version", "version"}

// Tags lists tags of ref's repository, in the order of the registry (OCI
// distribution-spec v1.1: by name), at most so many.
func (r *Registry) Tags(ctx context.Context, ref string, most int) ([]string, error) {
	repo, err := repository(ref)
	if err != nil {
		return nil, err
	}
	p, err := r.pull()
	if err != nil {
		return nil, err
	}
	list, err := p.Lister(ctx, repo)
	if err != nil {
		return nil, explain(ref, err)
	}
	var out []string
	for list.HasNext() && len(out) < most {
		page, err := list.Next(ctx)
		if err != nil {
			return nil, explain(ref, err)
		}
		out = append(out, page.Tags...)
	}
	return out[:min(most, len(out))], nil
}

// Versions are those that the image of a digest in ref's repository says it
// is of: in annotations of its index or manifest, and in labels, of an index
// those of its first linux image. Most images say one or none.
func (r *Registry) Versions(ctx context.Context, ref, digest string) ([]string, error) {
	d, err := r.get(ctx, ref, digest)
	if err != nil {
		return nil, err
	}
	var out []string
	add := func(says map[string]string) {
		for _, key := range versionKeys {
			if v := says[key]; v != "" && !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
	}
	var manifest struct {
		Annotations map[string]string `json:"annotations"`
		Manifests   []v1.Descriptor   `json:"manifests"`
	}
	if err := json.Unmarshal(d.Manifest, &manifest); err != nil {
		return nil, &Error{Ref: ref, Reason: "its manifest cannot be read", Err: err}
	}
	add(manifest.Annotations)
	if d.MediaType.IsIndex() {
		i := slices.IndexFunc(manifest.Manifests, func(m v1.Descriptor) bool { return m.Platform != nil && m.Platform.OS == "linux" })
		if i < 0 {
			return out, nil
		}
		if d, err = r.get(ctx, ref, manifest.Manifests[i].Digest.String()); err != nil {
			return nil, err
		}
	}
	img, err := d.Image()
	if err != nil {
		return nil, explain(ref, err)
	}
	raw, err := r.config(ctx, ref, img)
	if err != nil {
		return nil, err
	}
	var cf v1.ConfigFile
	if err := json.Unmarshal(raw, &cf); err != nil {
		return nil, &Error{Ref: ref, Reason: "its configuration cannot be read", Err: err}
	}
	add(cf.Config.Labels)
	return out, nil
}
