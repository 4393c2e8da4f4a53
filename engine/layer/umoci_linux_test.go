package layer

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// layout writes an OCI image layout (image-spec v1.1, image-layout.md) of
// one image, tag "latest", from layers written as for parse.
func layout(t *testing.T, kind string, layers ...string) (dir string, tree *Tree, tars [][]byte) {
	t.Helper()
	dir, tree = t.TempDir(), &Tree{}
	blobs := filepath.Join(dir, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		t.Fatal(err)
	}
	type desc map[string]any
	put := func(mediaType string, data []byte) desc {
		digest := digestOf(sha256.Sum256(data))
		if err := os.WriteFile(filepath.Join(blobs, digest[len("sha256:"):]), data, 0o644); err != nil {
			t.Fatal(err)
		}
		return desc{"mediaType": mediaType, "digest": digest, "size": len(data)}
	}
	marshal := func(v any) []byte {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	var diffIDs []string
	var descs []desc
	for _, items := range layers {
		data, w := writeTar(t, parse(t, items))
		packed, mediaType := compress(t, kind, data)
		descs = append(descs, put(mediaType, packed))
		diffIDs = append(diffIDs, w.DiffID)
		tars = append(tars, data)
		var err error
		if tree, err = tree.With(w.TOC); err != nil {
			t.Fatal(err)
		}
	}
	config := put("application/vnd.oci.image.config.v1+json", marshal(desc{
		"os": "linux", "architecture": "amd64", "config": desc{}, "rootfs": desc{"type": "layers", "diff_ids": diffIDs},
	}))
	manifest := put("application/vnd.oci.image.manifest.v1+json", marshal(desc{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": descs,
	}))
	manifest["annotations"] = desc{"org.opencontainers.image.ref.name": "latest"}
	for name, v := range map[string]any{
		"oci-layout": desc{"imageLayoutVersion": "1.0.0"},
		"index.json": desc{"schemaVersion": 2, "manifests": []desc{manifest}},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), marshal(v), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, tree, tars
}

// umoci unpacks layers in order, and shows the tree that we merge: deletions
// of both forms, hard links, names that are not UTF-8, attributes.
func TestUmociUnpacksTheSameTree(t *testing.T) {
	t.Parallel()
	needRoot(t)
	tool := needTool(t, "umoci")
	image, tree, tars := layout(t, "gzip", copyBelow, `
		d 0755 0 0 "etc"
		w "etc/file"
		f 4755 0 0 "etc/su" "user.k" "v" = su
		d 1777 0 0 "tmp"
		f 0644 7 8 "tmp/caf\xe9" = not UTF-8
		h 0644 7 8 "tmp/link" "tmp/caf\xe9"
		d 0755 0 0 "usr"
		d 0755 0 0 "usr/bin"
		f 0755 0 0 "usr/bin/x" = x`, `
		d 0750 1000 1000 "home"
		o "home"
		d 0755 0 0 "usr"
		d 0755 0 0 "usr/bin"
		w "usr/bin/sh"
		l 0777 0 0 "usr/bin/sh2" "x"`)
	bundle := filepath.Join(t.TempDir(), "bundle")
	if out, err := exec.Command(tool, "unpack", "--image", image+":latest", bundle).CombinedOutput(); err != nil {
		t.Fatalf("umoci: %v\n%s", err, out)
	}
	dir := t.TempDir()
	var layers []func() (io.ReadCloser, error)
	for _, data := range tars {
		layers = append(layers, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
	}
	if err := WriteDir(tree, layers, dir, UnpackOptions{}); err != nil {
		t.Fatal(err)
	}
	if ours, theirs := listing(t, dir), listing(t, filepath.Join(bundle, "rootfs")); ours != theirs {
		t.Errorf("ours:\n%s\numoci's:\n%s", ours, theirs)
	}
	// Read back, the folder is the merged table, attributes and links too.
	items, _, err := FromUpper(dir, UpperOptions{})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, lines(items), lines(tree.TOC().Entries))
}

// skopeo reads every blob and compares it with its digest and diff ID.
func TestSkopeoCopiesBlobs(t *testing.T) {
	t.Parallel()
	tool := needTool(t, "skopeo")
	for _, kind := range []string{"gzip", "zstd", "none"} {
		image, _, _ := layout(t, kind, copyBelow, copySource)
		cmd := exec.Command(tool, "copy", "--insecure-policy", "--dest-decompress", "oci:"+image+":latest", "dir:"+t.TempDir())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", kind, err, out)
		}
	}
}
