package image

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	layoutFile = `{"imageLayoutVersion":"1.0.0"}`
	refName    = "org.opencontainers.image.ref.name"
)

// WriteLayout adds an artifact to the OCI image layout in dir under a name,
// replacing what had that name. Blobs that are there with the right size are
// not written again; the index is replaced last and at once. It returns
// whether anything had to be written.
func WriteLayout(ctx context.Context, dir string, a *Artifact, ref string) (bool, error) {
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		return false, fmt.Errorf("making the layout %s: %w", dir, err)
	}
	wrote := false
	err := a.blobs(func(b blob) error {
		did, err := writeBlob(ctx, dir, b)
		wrote = wrote || did
		return err
	})
	if err != nil {
		return wrote, fmt.Errorf("writing the layout %s: %w", dir, err)
	}
	did, err := replaceFile(filepath.Join(dir, "oci-layout"), []byte(layoutFile))
	if err != nil {
		return wrote, err
	}
	wrote = wrote || did
	did, err = addToIndex(dir, a, ref)
	return wrote || did, err
}

// addToIndex reads and writes the index while nobody else does: two builds into
// one layout would lose the image of the first.
func addToIndex(dir string, a *Artifact, ref string) (bool, error) {
	d, err := os.Open(dir)
	if err != nil {
		return false, fmt.Errorf("opening the layout %s: %w", dir, err)
	}
	defer d.Close() // which unlocks it
	if err := lockDir(d); err != nil {
		return false, fmt.Errorf("locking the layout %s: %w", dir, err)
	}
	idx, err := readIndex(dir)
	if err != nil {
		return false, err
	}
	raw, err := json.Marshal(withEntry(idx, a, ref))
	if err != nil {
		return false, err
	}
	return replaceFile(filepath.Join(dir, "index.json"), raw)
}

func readIndex(dir string) (*v1.IndexManifest, error) {
	empty := &v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	raw, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return empty, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the layout %s: %w", dir, err)
	}
	idx := &v1.IndexManifest{}
	if err := json.Unmarshal(raw, idx); err != nil {
		return nil, fmt.Errorf("%s is not an OCI layout: index.json: %w", dir, err)
	}
	return idx, nil
}

func withEntry(idx *v1.IndexManifest, a *Artifact, ref string) *v1.IndexManifest {
	h, _ := v1.NewHash(a.Digest) // made by us
	d := v1.Descriptor{
		MediaType: types.MediaType(a.MediaType), Size: int64(len(a.Raw)), Digest: h,
		Annotations: map[string]string{refName: ref},
	}
	if !a.IsIndex() {
		d.Platform, _ = v1.ParsePlatform(a.Platforms[0])
	}
	out := *idx
	out.Manifests = slices.DeleteFunc(slices.Clone(idx.Manifests), func(m v1.Descriptor) bool {
		return m.Annotations[refName] == ref
	})
	out.Manifests = append(out.Manifests, d)
	slices.SortStableFunc(out.Manifests, func(x, y v1.Descriptor) int {
		return strings.Compare(x.Annotations[refName], y.Annotations[refName])
	})
	return &out
}

// blob is one content-addressed file of a layout.
type blob struct {
	hash v1.Hash
	size int64
	open func() (io.ReadCloser, error)
}

// blobs visits every blob of the artifact once, layers first and the
// outermost document last, so that an interrupted write leaves no document
// whose parts are missing.
func (a *Artifact) blobs(visit func(blob) error) error {
	seen := map[v1.Hash]bool{}
	once := func(b blob) error {
		if seen[b.hash] {
			return nil
		}
		seen[b.hash] = true
		return visit(b)
	}
	for _, img := range a.Images {
		if err := imageBlobs(img, once); err != nil {
			return err
		}
	}
	return once(rawBlob(a.Raw))
}

// layerBlob is a layer as it is compressed.
func layerBlob(l v1.Layer) (blob, error) {
	h, err := l.Digest()
	if err != nil {
		return blob{}, err
	}
	size, err := l.Size()
	return blob{h, size, l.Compressed}, err
}

func imageBlobs(img v1.Image, visit func(blob) error) error {
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for _, l := range layers {
		b, err := layerBlob(l)
		if err != nil {
			return err
		}
		if err := visit(b); err != nil {
			return err
		}
	}
	for _, raw := range []func() ([]byte, error){img.RawConfigFile, img.RawManifest} {
		b, err := raw()
		if err != nil {
			return err
		}
		if err := visit(rawBlob(b)); err != nil {
			return err
		}
	}
	return nil
}

func rawBlob(b []byte) blob {
	return blob{v1HashOf(b), int64(len(b)), func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(string(b))), nil
	}}
}

func writeBlob(ctx context.Context, dir string, b blob) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	path := filepath.Join(dir, "blobs", b.hash.Algorithm, b.hash.Hex)
	if st, err := os.Lstat(path); err == nil && st.Mode().IsRegular() && st.Size() == b.size {
		return false, nil
	}
	r, err := b.open()
	if err != nil {
		return false, err
	}
	defer r.Close()
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return false, err
	}
	defer os.Remove(f.Name()) // after the rename there is nothing to remove
	n, err := copyBlob(ctx, f, r)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err != nil {
		return false, err
	}
	if n != b.size {
		return false, fmt.Errorf("blob %s has %d bytes, its description says %d", b.hash, n, b.size)
	}
	return true, os.Rename(f.Name(), path)
}

// ctxReader stops a long copy when its context ends.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// stretch is how much is copied before the context is asked again.
const stretch = 8 << 20

// copyBlob copies a blob until it ends or the context does. Of a file the
// kernel copies the bytes itself.
func copyBlob(ctx context.Context, to *os.File, from io.Reader) (n int64, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		k, err := to.ReadFrom(io.LimitReader(from, stretch))
		n += k
		if err != nil || k < stretch {
			return n, err
		}
	}
}

// replaceFile writes a small file at once, and not at all if it is equal.
func replaceFile(path string, data []byte) (bool, error) {
	if old, err := os.ReadFile(path); err == nil && string(old) == string(data) {
		return false, nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return false, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return false, fmt.Errorf("writing %s: %w", path, err)
	}
	return true, os.Rename(f.Name(), path)
}

// WriteOCITar writes the artifact as a tar of an OCI layout. The same
// artifact gives the same bytes.
func WriteOCITar(ctx context.Context, w io.Writer, a *Artifact, ref string) error {
	tw := tar.NewWriter(w)
	if err := tarFile(ctx, tw, "oci-layout", rawBlob([]byte(layoutFile))); err != nil {
		return err
	}
	raw, err := json.Marshal(withEntry(&v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}, a, ref))
	if err != nil {
		return err
	}
	if err := tarFile(ctx, tw, "index.json", rawBlob(raw)); err != nil {
		return err
	}
	err = a.blobs(func(b blob) error {
		return tarFile(ctx, tw, "blobs/"+b.hash.Algorithm+"/"+b.hash.Hex, b)
	})
	if err != nil {
		return err
	}
	return tw.Close()
}

func tarFile(ctx context.Context, tw *tar.Writer, path string, b blob) error {
	h := &tar.Header{Name: path, Mode: 0o644, Size: b.size, ModTime: Epoch, Format: tar.FormatUSTAR}
	if b.size >= 1<<33 { // what ustar's octal field can say
		h.Format = tar.FormatPAX
	}
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	r, err := b.open()
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(tw, &ctxReader{ctx, r})
	return err
}
