package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// layoutPrefix marks a reference that is an OCI layout on this machine.
const layoutPrefix = "layout:"

// LayoutRef is the reference of the OCI layout in dir, for Resolve, Base and
// OpenBlob.
func LayoutRef(dir string) string { return layoutPrefix + dir }

// resolveLayout finds the one image or index of a layout. A layout that holds
// several needs its name behind a colon: "layout:DIR:NAME".
func resolveLayout(ref string) (Index, error) {
	dir, want := splitLayout(ref)
	idx, err := readLayoutIndex(dir)
	if err != nil {
		return Index{}, err
	}
	d, err := pick(ref, idx.Manifests, want)
	if err != nil {
		return Index{}, err
	}
	if d.MediaType.IsIndex() {
		raw, err := layout.Path(dir).Bytes(d.Digest)
		if err != nil {
			return Index{}, &Error{Ref: ref, Reason: "the layout lacks its index", Err: err}
		}
		m, err := v1.ParseIndexManifest(strings.NewReader(string(raw)))
		if err != nil {
			return Index{}, &Error{Ref: ref, Reason: "its index cannot be read", Err: err}
		}
		return Index{Digest: d.Digest.String(), MediaType: string(d.MediaType), Platforms: platformsOf(m)}, nil
	}
	img, err := openLayout(ref, d.Digest.String())
	if err != nil {
		return Index{}, err
	}
	cf, err := img.ConfigFile()
	if err != nil {
		return Index{}, &Error{Ref: ref, Reason: "its configuration cannot be read", Err: err}
	}
	return Index{
		Digest: d.Digest.String(), MediaType: string(d.MediaType),
		Platforms: map[string]string{platformName(cf.Platform()): d.Digest.String()},
	}, nil
}

func readLayoutIndex(dir string) (*v1.IndexManifest, error) {
	if _, err := os.Stat(filepath.Join(dir, "index.json")); errors.Is(err, fs.ErrNotExist) {
		return nil, &Error{Ref: dir, Reason: "there is no OCI layout here: index.json is missing", Err: err}
	}
	return readIndex(dir)
}

func pick(ref string, ms []v1.Descriptor, want string) (v1.Descriptor, error) {
	var names []string
	for _, m := range ms {
		n := m.Annotations[refName]
		names = append(names, fmt.Sprintf("%q", n))
		if want != "" && n == want {
			return m, nil
		}
	}
	if want == "" && len(ms) == 1 {
		return ms[0], nil
	}
	return v1.Descriptor{}, &Error{Ref: ref, Reason: fmt.Sprintf(
		"the layout holds %d images (%s); name one as DIR:NAME", len(ms), strings.Join(names, ", "))}
}

// splitLayout splits DIR:NAME; a folder that has a colon itself wins.
func splitLayout(s string) (dir, ref string) {
	if _, err := os.Stat(s); err == nil {
		return s, ""
	}
	if i := strings.LastIndexByte(s, ':'); i > 0 {
		return s[:i], s[i+1:]
	}
	return s, ""
}

// layoutImage is an image of a layout, also one that only a nested index
// names, which layout.Path.Image does not find.
type layoutImage struct {
	dir      string
	manifest []byte
	parsed   *v1.Manifest
}

func openLayout(ref, digest string) (v1.Image, error) {
	dir, _ := splitLayout(ref)
	raw, err := layoutBytes(ref, dir, digest)
	if err != nil {
		return nil, err
	}
	m, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, &Error{Ref: ref, Reason: "its manifest cannot be read", Err: err}
	}
	return partial.CompressedToImage(&layoutImage{dir, raw, m})
}

func layoutBytes(ref, dir, digest string) ([]byte, error) {
	h, err := v1.NewHash(digest)
	if err != nil {
		return nil, &Error{Ref: ref, Reason: "this is not a digest: " + digest, Err: err}
	}
	raw, err := layout.Path(dir).Bytes(h)
	if err != nil {
		return nil, &Error{Ref: ref, Reason: "the layout has no blob " + digest, Err: err}
	}
	if got := digestOf(raw); got != digest {
		return nil, &Error{Ref: ref, Reason: fmt.Sprintf("the layout is damaged: blob %s has the digest %s", digest, got)}
	}
	return raw, nil
}

func (l *layoutImage) RawManifest() ([]byte, error)        { return l.manifest, nil }
func (l *layoutImage) MediaType() (types.MediaType, error) { return l.parsed.MediaType, nil }
func (l *layoutImage) RawConfigFile() ([]byte, error) {
	return layoutBytes(l.dir, l.dir, l.parsed.Config.Digest.String())
}

func (l *layoutImage) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	for _, d := range l.parsed.Layers {
		if d.Digest == h {
			return &layoutLayer{l.dir, d}, nil
		}
	}
	if h == l.parsed.Config.Digest {
		return partial.ConfigLayer(l)
	}
	return nil, fmt.Errorf("the image has no layer %s", h)
}

// layoutLayer is a layer of a layout.
type layoutLayer struct {
	dir  string
	desc v1.Descriptor
}

func (l *layoutLayer) Digest() (v1.Hash, error)            { return l.desc.Digest, nil }
func (l *layoutLayer) Size() (int64, error)                { return l.desc.Size, nil }
func (l *layoutLayer) MediaType() (types.MediaType, error) { return l.desc.MediaType, nil }
func (l *layoutLayer) Compressed() (io.ReadCloser, error) {
	return openLayoutBlob(l.dir, l.desc.Digest.String())
}

// OpenLayout opens an image that WriteLayout wrote, to be pushed as it is:
// "DIR", or "DIR:NAME" where the layout holds several.
func OpenLayout(ref string) (*Artifact, error) {
	dir, want := splitLayout(ref)
	idx, err := readLayoutIndex(dir)
	if err != nil {
		return nil, err
	}
	d, err := pick(ref, idx.Manifests, want)
	if err != nil {
		return nil, err
	}
	raw, err := layoutBytes(ref, dir, d.Digest.String())
	if err != nil {
		return nil, err
	}
	a := &Artifact{MediaType: string(d.MediaType), Digest: d.Digest.String(), Raw: raw}
	manifests := []v1.Descriptor{d}
	if d.MediaType.IsIndex() {
		m, err := v1.ParseIndexManifest(bytes.NewReader(raw))
		if err != nil {
			return nil, &Error{Ref: ref, Reason: "its index cannot be read", Err: err}
		}
		manifests = m.Manifests
	}
	for _, m := range manifests {
		img, err := openLayout(dir, m.Digest.String())
		if err != nil {
			return nil, err
		}
		platform := ""
		if m.Platform != nil {
			platform = platformName(m.Platform)
		}
		a.Platforms = append(a.Platforms, platform)
		a.Images = append(a.Images, &Image{Image: img})
	}
	return a, nil
}

func openLayoutBlob(ref, digest string) (io.ReadCloser, error) {
	dir, _ := splitLayout(ref)
	h, err := v1.NewHash(digest)
	if err != nil {
		return nil, &Error{Ref: ref, Reason: "this is not a digest: " + digest, Err: err}
	}
	r, err := openDownload(context.Background(), h, 0, func(context.Context) (io.ReadCloser, error) { return layout.Path(dir).Blob(h) })
	if err != nil {
		return nil, &Error{Ref: ref, Reason: "the layout has no blob " + digest, Err: err}
	}
	return r, nil
}
