package image

import (
	"archive/tar"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// dockerImage is an image in manifest.json of what `docker save` writes and
// `docker load` reads (moby, image/spec/v1.2.md, "Combined Image JSON +
// Filesystem Changeset Format").
type dockerImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// WriteDockerTar writes one platform's image as the archive that `docker
// load` reads, under the given tags, one at least. The same artifact and tags
// give the same bytes.
func WriteDockerTar(ctx context.Context, w io.Writer, a *Artifact, platform string, tags []string) error {
	i := slices.Index(a.Platforms, platform)
	if i < 0 {
		return fmt.Errorf("a docker archive holds one platform: %s is not among %s; choose with --platform",
			platform, strings.Join(a.Platforms, ", "))
	}
	entry := dockerImage{RepoTags: []string{}, Layers: []string{}}
	for _, t := range tags {
		tag, err := name.NewTag(t)
		if err != nil {
			return fmt.Errorf("tag %q: %w", t, err)
		}
		full := strings.TrimSuffix(t, ":"+tag.TagStr()) + ":" + tag.TagStr() // docker refuses a name without a tag
		if !slices.Contains(entry.RepoTags, full) {
			entry.RepoTags = append(entry.RepoTags, full)
		}
	}
	tw := tar.NewWriter(w)
	if err := dockerBlobs(ctx, tw, a.Images[i], &entry); err != nil {
		return err
	}
	raw, err := json.Marshal([]dockerImage{entry})
	if err != nil {
		return err
	}
	if err := tarFile(ctx, tw, "manifest.json", rawBlob(raw)); err != nil {
		return err
	}
	return tw.Close()
}

// dockerBlobs writes the configuration and the layers, compressed as they are:
// docker looks at the bytes. The names are those of go-containerregistry, which
// every reader of such archives has met.
func dockerBlobs(ctx context.Context, tw *tar.Writer, img v1.Image, entry *dockerImage) error {
	config, err := img.RawConfigFile()
	if err != nil {
		return err
	}
	entry.Config = digestOf(config)
	if err := tarFile(ctx, tw, entry.Config, rawBlob(config)); err != nil {
		return err
	}
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for _, l := range layers {
		b, err := layerBlob(l)
		if err != nil {
			return err
		}
		media, err := l.MediaType()
		if err != nil {
			return err
		}
		file := b.hash.Hex + dockerExtension(media)
		if !slices.Contains(entry.Layers, file) {
			if err := tarFile(ctx, tw, file, b); err != nil {
				return err
			}
		}
		entry.Layers = append(entry.Layers, file)
	}
	return nil
}

func dockerExtension(media types.MediaType) string {
	switch media {
	case types.OCILayerZStd:
		return ".tar.zst"
	case types.OCIUncompressedLayer, types.DockerUncompressedLayer:
		return ".tar"
	}
	return ".tar.gz"
}
