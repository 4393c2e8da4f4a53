package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// Want is what a blob must turn out to be. The zero value wants nothing, but
// a Size of 0 with a Digest is checked: use -1 where it is not known.
type Want struct {
	Digest string // "sha256:…"
	Size   int64  // bytes; -1: not known
}

// MismatchError is content that is not what was wanted: a truncated or
// tampered download, a damaged file.
type MismatchError struct {
	Want, Got Want
}

// Error says both digests and sizes.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("content is %s (%d bytes), not %s (%d bytes)", e.Got.Digest, e.Got.Size, e.Want.Digest, e.Want.Size)
}

// BlobWriter hashes what is written to it; Commit gives the file its name.
type BlobWriter struct {
	s    *Store
	f    *os.File
	h    hash.Hash // nil where the caller hashes
	size int64
	want Want
}

// CreateBlob starts a blob. Either Commit or Abort must be called.
func (s *Store) CreateBlob(want Want) (*BlobWriter, error) {
	if want.Digest != "" {
		if _, err := blobName(want.Digest); err != nil {
			return nil, err
		}
	}
	tmp, err := s.tempName()
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, full(tmp, max(want.Size, 1), fmt.Errorf("creating a blob: %w", err))
	}
	return &BlobWriter{s: s, f: f, h: sha256.New(), want: want}, nil
}

// CreateHashed starts a blob whose bytes the caller hashes anyway, as the
// writers of layers do: it ends by CommitAs instead of Commit. Hashing twice
// was a tenth of what an image of packages takes.
func (s *Store) CreateHashed() (*BlobWriter, error) {
	w, err := s.CreateBlob(Want{})
	if err == nil {
		w.h = nil
	}
	return w, err
}

// Write adds bytes. It fails as soon as there are more than were wanted.
func (w *BlobWriter) Write(p []byte) (int, error) {
	if w.want.Digest != "" && w.want.Size >= 0 && w.size+int64(len(p)) > w.want.Size {
		return 0, &MismatchError{Want: w.want, Got: Want{Digest: "longer", Size: w.size + int64(len(p))}}
	}
	n, err := w.f.Write(p)
	if w.h != nil {
		w.h.Write(p[:n])
	}
	w.size += int64(n)
	if err != nil {
		err = full(w.s.path("blob"), max(w.want.Size-w.size, int64(len(p)-n)), fmt.Errorf("writing a blob: %w", err))
	}
	return n, err
}

// Size is how many bytes were written.
func (w *BlobWriter) Size() int64 { return w.size }

// Commit compares the content with what was wanted and puts it in the store.
// If it is another the error is a *MismatchError, and nothing is kept.
func (w *BlobWriter) Commit() (digest string, size int64, err error) {
	digest = "sha256:" + hex.EncodeToString(w.h.Sum(nil))
	got := Want{Digest: digest, Size: w.size}
	if w.want.Digest != "" && (digest != w.want.Digest || w.want.Size >= 0 && w.size != w.want.Size) {
		w.Abort()
		return "", 0, &MismatchError{Want: w.want, Got: got}
	}
	return digest, w.size, w.place(digest)
}

// CommitAs puts the content in the store under the digest that the caller has
// computed of the very bytes that it wrote.
func (w *BlobWriter) CommitAs(digest string) error {
	if _, err := blobName(digest); err != nil {
		w.Abort()
		return err
	}
	return w.place(digest)
}

func (w *BlobWriter) place(digest string) error {
	w.s.published()
	err := errors.Join(w.f.Chmod(0o444), w.f.Close())
	if err == nil {
		err = w.s.place(w.f.Name(), w.s.shard("blob", digest[len("sha256:"):]))
	}
	if err != nil {
		os.Remove(w.f.Name())
		return full(w.s.path("blob"), w.size, fmt.Errorf("publishing a blob: %w", err))
	}
	return nil
}

// Abort drops what was written. After Commit it does nothing.
func (w *BlobWriter) Abort() {
	if w.f.Close() == nil {
		os.Remove(w.f.Name())
	}
}

// PutBlob stores bytes and returns their digest.
func (s *Store) PutBlob(data []byte) (digest string, err error) {
	w, err := s.CreateBlob(Want{})
	if err != nil {
		return "", err
	}
	if _, err := w.Write(data); err != nil {
		w.Abort()
		return "", err
	}
	digest, _, err = w.Commit()
	return digest, err
}

// OpenBlob opens a blob for reading. One that is not there is fs.ErrNotExist.
func (s *Store) OpenBlob(digest string) (*os.File, error) {
	name, err := blobName(digest)
	if err != nil {
		return nil, err
	}
	path := s.shard("blob", name)
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening blob %s: %w", digest, err)
	}
	info, err := f.Stat()
	if err == nil && !s.useBlob(path, digest, info) {
		err = fs.ErrNotExist
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("opening blob %s: %w", digest, err)
	}
	return f, nil
}

// HasBlob reports whether a blob is there, of this size unless it is -1. One
// of another size is removed.
func (s *Store) HasBlob(digest string, size int64) bool {
	name, err := blobName(digest)
	if err != nil {
		return false
	}
	path := s.shard("blob", name)
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	if size >= 0 && info.Size() != size {
		os.Remove(path)
		return false
	}
	return s.useBlob(path, digest, info)
}

// useBlob notes the use of a blob, and hashes it first if a crash of the
// machine may have lost its data.
func (s *Store) useBlob(path, digest string, info fs.FileInfo) bool {
	if !s.inDoubt(info.ModTime()) {
		return s.use("blob", path, info)
	}
	if got, err := digestFile(path); err != nil || got != digest {
		os.Remove(path)
		return false
	}
	now := time.Now()
	return os.Chtimes(path, now, now) == nil
}

func digestFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// blobName is the file name of a digest, which comes from manifests and lock
// files: anything else than 64 hexadecimal digits could be a path.
func blobName(digest string) (string, error) {
	name, ok := strings.CutPrefix(digest, "sha256:")
	if !ok || len(name) != 2*sha256.Size || strings.Trim(name, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%q is not a sha256 digest", digest)
	}
	return name, nil
}
