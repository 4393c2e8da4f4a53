package image

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// labelled is an image with labels.
func labelled(t *testing.T, labels map[string]string) v1.Image {
	t.Helper()
	img, err := mutate.Config(mutate.MediaType(empty.Image, types.OCIManifestSchema1), v1.Config{Labels: labels})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestTagsAreListedUpToABound(t *testing.T) {
	t.Parallel()
	host, _ := counted(t)
	r := NewRegistry("test")
	for i := range 5 {
		push(t, fmt.Sprintf("%s/base/os:1.%d", host, i), labelled(t, nil))
	}
	for most, want := range map[int]int{100: 5, 3: 3, 0: 0} {
		got, err := r.Tags(t.Context(), host+"/base/os:latest", most)
		if err != nil || len(got) != want || want > 0 && got[0] != "1.0" {
			t.Errorf("%d: %q, %v", most, got, err)
		}
	}
	var e *Error
	if _, err := r.Tags(t.Context(), host+"/none", 10); !errors.As(err, &e) {
		t.Errorf("a repository that is not there: %v", err)
	}
}

func TestVersionsAreThoseThatAnImageSays(t *testing.T) {
	t.Parallel()
	host, _ := counted(t)
	r := NewRegistry("test")
	ref := host + "/base/os:latest"
	annotated := func(a partial.WithRawManifest) v1.Image {
		img, _ := mutate.Annotations(a, map[string]string{"org.opencontainers.image.version": "2.0"}).(v1.Image)
		return img
	}
	for name, tc := range map[string]struct {
		img  v1.Image
		want []string
	}{
		"none":                    {labelled(t, nil), nil},
		"a label":                 {labelled(t, map[string]string{"org.opencontainers.image.version": "1.2"}), []string{"1.2"}},
		"an older label":          {labelled(t, map[string]string{"org.label-schema.version": "1.2", "other": "x"}), []string{"1.2"}},
		"two labels, one version": {labelled(t, map[string]string{"org.opencontainers.image.version": "1", "version": "1"}), []string{"1"}},
		"an annotation before it": {annotated(labelled(t, map[string]string{"version": "1.2"})), []string{"2.0", "1.2"}},
	} {
		push(t, ref, tc.img)
		digest, err := tc.img.Digest()
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Versions(t.Context(), ref, digest.String())
		if err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, not %q (%v)", name, got, tc.want, err)
		}
	}
	if _, err := r.Versions(t.Context(), ref, "sha256:"+fmt.Sprintf("%064d", 0)); err == nil {
		t.Error("the versions of what is not there")
	}
}
