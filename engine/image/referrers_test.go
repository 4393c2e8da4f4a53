package image

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
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

// refer pushes an artifact of one layer about a digest, as cosign 3 does.
func refer(t *testing.T, repo, digest, kind, predicate string, x thing) {
	t.Helper()
	subject, err := v1.NewHash(digest)
	if err != nil {
		t.Fatal(err)
	}
	add := mutate.Addendum{Layer: static.NewLayer([]byte(x.text), types.MediaType(x.mediaType))}
	if x.signature != "" {
		add.Annotations = map[string]string{signatureAnnotation: x.signature}
	}
	img, err := mutate.Append(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.MediaType(kind)), add)
	if err != nil {
		t.Fatal(err)
	}
	if predicate != "" {
		img = mutate.Annotations(img, map[string]string{bundlePredicate: predicate}).(v1.Image)
	}
	full := mutate.Subject(img, v1.Descriptor{MediaType: types.OCIImageIndex, Digest: subject, Size: 1}).(v1.Image)
	d, err := full.Digest()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewDigest(repo + "@" + d.String())
	if err == nil {
		err = remote.Write(ref, full)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func bundle(payload string) string {
	return fmt.Sprintf(`{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "verificationMaterial": {"publicKey": {"hint": "x"}},
		"dsseEnvelope": {"payload": %q, "payloadType": "application/vnd.in-toto+json", "signatures": [{"sig": %q}, {"sig": "?"}, {"sig": ""}]}}`,
		base64.StdEncoding.EncodeToString([]byte(payload)), base64.StdEncoding.EncodeToString([]byte("signed")))
}

const bundleV03 = "application/vnd.dev.sigstore.bundle.v0.3+json"

func TestReferrersOfCosignAreRead(t *testing.T) {
	t.Parallel()
	host, counts := counted(t)
	r := NewRegistry("test")
	repo, digest := host+"/base/os", "sha256:"+strings.Repeat("e", 64)
	sig := base64.StdEncoding.EncodeToString([]byte("old form"))
	refer(t, repo, digest, bundleV03, signPredicate, thing{bundle("{}"), bundleV03, ""})
	refer(t, repo, digest, bundleV03, "https://spdx.dev/Document", thing{bundle(`{"a":1}`), bundleV03, ""})
	refer(t, repo, digest, bundleV03, "", thing{bundle(`{"b":2}`), bundleV03, ""})
	refer(t, repo, digest, signatureArtifactType, "", thing{"simple", signatureType, sig})
	refer(t, repo, digest, statementType, "", thing{"unsigned", statementType, ""})
	refer(t, repo, digest, bundleV03, "", thing{"no JSON", bundleV03, ""})

	got, err := r.Signatures(t.Context(), repo+":1", digest)
	if err != nil {
		t.Fatal(err)
	}
	signed := map[string]string{}
	for _, s := range got {
		signed[string(s.Payload)] = string(s.Signature)
	}
	// What does not say its predicate may be a signature: who judges sees.
	for payload, sig := range map[string]string{
		"DSSEv1 28 application/vnd.in-toto+json 2 {}":      "signed",
		`DSSEv1 28 application/vnd.in-toto+json 7 {"b":2}`: "signed",
		"simple": "old form",
	} {
		if signed[payload] != sig {
			t.Errorf("%q is signed by %q, want %q, of %q", payload, signed[payload], sig, signed)
		}
	}
	if len(got) != 3 {
		t.Errorf("%d signatures: %q", len(got), signed)
	}

	texts, err := r.Attestations(t.Context(), repo+":1", digest)
	if err != nil || len(texts) != 3 {
		t.Fatalf("%q %v", texts, err)
	}
	for _, text := range texts {
		if string(text) == bundle("{}") {
			t.Error("a signature is no attestation")
		}
	}
	// Another digest has none, for a few small requests.
	before := counts()
	if got, err := r.Signatures(t.Context(), repo+":1", "sha256:"+strings.Repeat("f", 64)); err != nil || len(got) > 0 {
		t.Errorf("%q %v", got, err)
	}
	if n := counts()["GET manifest"] - before["GET manifest"]; n > 2 {
		t.Errorf("%d manifests were asked for", n)
	}
}

func TestRegistriesWithoutReferrers(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{http.StatusMethodNotAllowed: "", http.StatusForbidden: "the registry refused (403)"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			switch {
			case strings.Contains(q.URL.Path, "/referrers/"):
				w.WriteHeader(status)
			case strings.Contains(q.URL.Path, "/manifests/"):
				w.WriteHeader(http.StatusNotFound)
			}
		}))
		t.Cleanup(s.Close)
		got, err := NewRegistry("test").Signatures(t.Context(), strings.TrimPrefix(s.URL, "http://")+"/base/os:1", "sha256:"+strings.Repeat("a", 64))
		if len(got) > 0 || want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d: %q %v, want %q", status, got, err, want)
		}
	}
}
