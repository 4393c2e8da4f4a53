package image

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

func TestModulesArePublishedAndFetchedByDigest(t *testing.T) {
	t.Parallel()
	host, _ := counted(t)
	ctx := context.Background()
	r := NewRegistry("test")
	ref := host + "/modules/app:1.0"
	first, second := []byte("archive one"), bytes.Repeat([]byte("archive two "), 1000)
	digest, err := r.PushModule(ctx, ref, first)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := r.PushModule(ctx, ref, first); err != nil || again != digest {
		t.Errorf("the same archive is %s, then %s (%v)", digest, again, err)
	}
	if got, err := r.ResolveModule(ctx, ref); err != nil || got != digest {
		t.Errorf("the tag is %s, want %s (%v)", got, digest, err)
	}
	// The tag moves on; what was pinned stays.
	if _, err := r.PushModule(ctx, ref, second); err != nil {
		t.Fatal(err)
	}
	if got, err := r.PullModule(ctx, ref, digest); err != nil || !bytes.Equal(got, first) {
		t.Errorf("%q (%v)", got, err)
	}
	moved, err := r.ResolveModule(ctx, ref)
	if err != nil || moved == digest {
		t.Errorf("the tag is still %s (%v)", moved, err)
	}
	if got, err := r.PullModule(ctx, ref, moved); err != nil || !bytes.Equal(got, second) {
		t.Errorf("%d bytes (%v)", len(got), err)
	}
}

func TestWhatIsNoModule(t *testing.T) {
	t.Parallel()
	host, _ := counted(t)
	ctx := context.Background()
	r := NewRegistry("test")
	if err := r.Push(ctx, host+"/web:1", assemble(t, testResult(t, "linux/amd64"), Options{})); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{
		host + "/web:1":     "this is no module",
		host + "/none:1":    "no such image",
		"not a name":        "not the name of a module",
		host + "/x@sha256:": "not the name of a module",
	} {
		if _, err := r.ResolveModule(ctx, ref); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", ref, err, want)
		}
	}
	if _, err := r.PushModule(ctx, host+"/x@sha256:"+strings.Repeat("0", 64), nil); err == nil || !strings.Contains(err.Error(), "with a tag") {
		t.Errorf("pushed by digest: %v", err)
	}
}
