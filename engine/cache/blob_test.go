package cache

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
)

const helloDigest = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // of "hello"

func TestBlobIsFoundByItsDigest(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	digest, err := s.PutBlob([]byte("hello"))
	if err != nil || digest != helloDigest {
		t.Fatalf("digest is %s, %v", digest, err)
	}
	if got, err := readBlob(t, s, digest); err != nil || got != "hello" {
		t.Errorf("content is %q, %v", got, err)
	}
	if !s.HasBlob(digest, 5) || !s.HasBlob(digest, -1) {
		t.Error("it is not there")
	}
	if s.HasBlob(digest, 6) {
		t.Error("it is there with another size")
	}
	if _, err := s.OpenBlob(digest); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the wrong size was noticed: %v", err)
	}
}

func TestBlobMustBeWhatWasWanted(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		want    Want
		content string
		ok      bool
	}{
		"as wanted":               {Want{helloDigest, 5}, "hello", true},
		"size unknown":            {Want{helloDigest, -1}, "hello", true},
		"nothing":                 {Want{}, "anything", true},
		"truncated":               {Want{helloDigest, 5}, "hell", false},
		"longer":                  {Want{helloDigest, 5}, "hello!", false},
		"changed":                 {Want{helloDigest, 5}, "hellO", false},
		"changed, size not known": {Want{helloDigest, -1}, "hellO", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, t.TempDir())
			w, err := s.CreateBlob(tc.want)
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(w, strings.NewReader(tc.content))
			if err == nil {
				_, _, err = w.Commit()
			}
			w.Abort()
			var mismatch *MismatchError
			if tc.ok != (err == nil) || !tc.ok && !errors.As(err, &mismatch) {
				t.Errorf("error is %v", err)
			}
			if left, _ := os.ReadDir(s.path("tmp", s.Lease())); len(left) != 0 {
				t.Errorf("temporary files are left: %v", left)
			}
			if !tc.ok && s.HasBlob(helloDigest, -1) {
				t.Error("the blob is in the store")
			}
		})
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	w, err := s.CreateBlob(Want{helloDigest, 5})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if s.HasBlob(helloDigest, -1) {
		t.Error("the blob is in the store")
	}
	if left, _ := os.ReadDir(s.path("tmp", s.Lease())); len(left) != 0 {
		t.Errorf("temporary files are left: %v", left)
	}
}

// TestDigestsThatArePaths: digests come from manifests.
func TestDigestsThatArePaths(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	for _, d := range []string{
		"", "sha256:", "sha256:..", "sha256:../../format", "sha512:" + strings.Repeat("a", 64),
		"sha256:" + strings.Repeat("a", 63), "sha256:" + strings.Repeat("A", 64),
		"sha256:" + strings.Repeat("../", 21) + "x",
	} {
		if s.HasBlob(d, -1) {
			t.Errorf("%q is there", d)
		}
		if _, err := s.OpenBlob(d); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("opening %q: %v", d, err)
		}
		if d != "" {
			if _, err := s.CreateBlob(Want{Digest: d, Size: -1}); err == nil {
				t.Errorf("%q was wanted", d)
			}
		}
	}
}
