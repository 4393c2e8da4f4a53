package image

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// thing is a layer of what is attached to an image.
type thing struct {
	text, mediaType, signature string
}

// attach puts things beside an image, as cosign does.
func attach(t *testing.T, tag string, things ...thing) {
	t.Helper()
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	for _, x := range things {
		add := mutate.Addendum{Layer: static.NewLayer([]byte(x.text), types.MediaType(x.mediaType))}
		if x.signature != "" {
			add.Annotations = map[string]string{signatureAnnotation: x.signature}
		}
		var err error
		if img, err = mutate.Append(img, add); err != nil {
			t.Fatal(err)
		}
	}
	push(t, tag, img)
}

func push(t *testing.T, tag string, img v1.Image) {
	t.Helper()
	ref, err := name.NewTag(tag)
	if err == nil {
		err = remote.Write(ref, img)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// beside is the tag of what is attached to a digest.
func beside(repo, digest, suffix string) string {
	return repo + ":" + strings.Replace(digest, ":", "-", 1) + suffix
}

func TestSignaturesAreReadWhereCosignPutsThem(t *testing.T) {
	t.Parallel()
	host, counts := counted(t)
	r := NewRegistry("test")
	ref := host + "/base/os:1"
	digest := "sha256:" + strings.Repeat("a", 64)
	if got, err := r.Signatures(t.Context(), ref, digest); err != nil || len(got) > 0 {
		t.Errorf("nobody has signed it: %v %v", got, err)
	}
	if n := counts()["GET blob"]; n > 0 {
		t.Errorf("%d blobs were read", n)
	}
	sig := base64.StdEncoding.EncodeToString([]byte("signed"))
	attach(t, beside(host+"/base/os", digest, ".sig"),
		thing{"one", signatureType, sig}, thing{"no signature", signatureType, ""}, thing{"no base64", signatureType, "?"},
		thing{"another kind", "text/plain", sig}, thing{"two", signatureType, sig})
	for _, ref := range []string{ref, ref + "@" + digest} {
		got, err := r.Signatures(t.Context(), ref, digest)
		if err != nil || len(got) != 2 || string(got[0].Payload) != "one" || string(got[1].Payload) != "two" || string(got[0].Signature) != "signed" {
			t.Errorf("%s: %q %v", ref, got, err)
		}
	}
	if got, err := r.Signatures(t.Context(), host+"/base/other:1", digest); err != nil || len(got) > 0 {
		t.Errorf("another repository: %q %v", got, err)
	}
	if got, err := r.Signatures(t.Context(), LayoutRef(t.TempDir()), digest); err != nil || len(got) > 0 {
		t.Errorf("a layout: %q %v", got, err)
	}
}

func TestAttestationsAreReadWhereCosignPutsThem(t *testing.T) {
	t.Parallel()
	host, _ := counted(t)
	r := NewRegistry("test")
	digest := "sha256:" + strings.Repeat("b", 64)
	attach(t, beside(host+"/base/os", digest, ".att"), thing{`{"payload":"x"}`, envelopeType, ""}, thing{"another kind", "text/plain", ""})
	got, err := r.Attestations(t.Context(), host+"/base/os:1", digest)
	if err != nil || len(got) != 1 || string(got[0]) != `{"payload":"x"}` {
		t.Errorf("%q %v", got, err)
	}
}

func TestWhatIsAttachedIsBounded(t *testing.T) {
	t.Parallel()
	host, counts := counted(t)
	r := NewRegistry("test")
	large, many := "sha256:"+strings.Repeat("c", 64), "sha256:"+strings.Repeat("d", 64)
	sig := base64.StdEncoding.EncodeToString([]byte("signed"))
	attach(t, beside(host+"/base/os", large, ".sig"), thing{strings.Repeat("x", maxPayload+1), signatureType, sig})
	var things []thing
	for i := range maxAttached + 1 {
		things = append(things, thing{strings.Repeat("x", i+1), signatureType, sig})
	}
	attach(t, beside(host+"/base/os", many, ".sig"), things...)
	before := counts()["GET blob"]
	for digest, want := range map[string]string{large: "has 65537 bytes; 65536 are read", many: "101 things are attached"} {
		if got, err := r.Signatures(t.Context(), host+"/base/os:1", digest); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d signatures, %v; want %q", len(got), err, want)
		}
	}
	if n := counts()["GET blob"] - before; n > 0 {
		t.Errorf("%d blobs were read", n)
	}
}

func TestARegistryThatRefusesIsNoImageWithoutSignatures(t *testing.T) {
	t.Parallel()
	r := NewRegistry("test")
	if got, err := r.Signatures(t.Context(), "127.0.0.1:1/base/os:1", "sha256:"+strings.Repeat("a", 64)); err == nil || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("%q %v", got, err)
	}
}

func TestRawManifest(t *testing.T) {
	t.Parallel()
	host, _ := counted(t)
	r := NewRegistry("test")
	a := assemble(t, testResult(t, "linux/amd64", "linux/arm64"), Options{})
	if err := r.Push(t.Context(), host+"/web:1", a); err != nil {
		t.Fatal(err)
	}
	got, err := r.RawManifest(t.Context(), host+"/web:1", a.Digest)
	if err != nil || !bytes.Equal(got, a.Raw) {
		t.Errorf("%s %v", got, err)
	}
	if _, err := r.RawManifest(t.Context(), host+"/web:1", "sha256:"+strings.Repeat("a", 64)); err == nil || !strings.Contains(err.Error(), "no such image") {
		t.Errorf("%v", err)
	}
}
