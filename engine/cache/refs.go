package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
)

const (
	refTitle    = "ref v1"
	tocTitle    = "toc-ref v1"
	recordTitle = "record v1"
)

// Ref finds the blob that a layer has under a compressor. The blob itself
// need not be in the store: what is known of it is enough to ask a registry.
func (s *Store) Ref(diffID, compressor string) (BlobRef, bool) {
	lines, ok := s.small("ref", nameOf(diffID, compressor), refTitle)
	if !ok || len(lines) != 2 || lines[0].value(0) != diffID {
		return BlobRef{}, false
	}
	r, err := parseBlobRef(lines[1])
	return r, err == nil && r.Compressor == compressor
}

// PutRef remembers the blob of a layer under r.Compressor.
func (s *Store) PutRef(diffID string, r BlobRef) error {
	b := appendLine([]byte(refTitle+"\n"), "layer", diffID)
	return s.write(s.shard("ref", nameOf(diffID, r.Compressor)), seal(r.appendLine(b)))
}

// TOC reads the table of contents of a layer.
func (s *Store) TOC(diffID string) ([]byte, bool) {
	lines, ok := s.small("toc", nameOf(diffID), tocTitle)
	if !ok || len(lines) != 1 || lines[0].value(0) != diffID {
		return nil, false
	}
	digest := lines[0].value(1)
	f, err := s.OpenBlob(digest)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil || strconv.Itoa(len(data)) != lines[0].value(2) {
		return nil, false
	}
	return data, true
}

// hasTOC reports whether TOC would find this table: an entry whose layer has
// lost it must be a miss, since nothing else would make it again.
func (s *Store) hasTOC(diffID, digest string) bool {
	lines, ok := s.small("toc", nameOf(diffID), tocTitle)
	if !ok || len(lines) != 1 || lines[0].value(0) != diffID || lines[0].value(1) != digest {
		return false
	}
	size, err := strconv.ParseInt(lines[0].value(2), 10, 64)
	return err == nil && s.HasBlob(digest, size)
}

// PutTOC stores the table of contents of a layer and returns its digest, for
// Entry.TOC.
func (s *Store) PutTOC(diffID string, data []byte) (digest string, err error) {
	if digest, err = s.PutBlob(data); err != nil {
		return "", fmt.Errorf("storing the table of contents of %s: %w", diffID, err)
	}
	b := appendLine([]byte(tocTitle+"\n"), "toc", diffID, digest, strconv.Itoa(len(data)))
	return digest, s.write(s.shard("toc", nameOf(diffID)), seal(b))
}

// Record finds a small fact: the digest that was pushed for an image's key,
// the digest of a decoded archive. Kinds are constants of the code, lower
// case without slashes.
func (s *Store) Record(kind, key string) (value string, ok bool) {
	lines, ok := s.small("rec/"+kind, nameOf(key), recordTitle)
	if !ok || len(lines) != 1 || lines[0].value(0) != key {
		return "", false
	}
	return lines[0].value(1), true
}

// PutRecord remembers a small fact, in place of an earlier one. In between
// there is none, which is a miss as any other.
func (s *Store) PutRecord(kind, key, value string) error {
	b := appendLine([]byte(recordTitle+"\n"), "record", key, value)
	path := s.shard("rec/"+kind, nameOf(key))
	// Over a file that is there ext4 renames only after it has written the new
	// one to the disk (auto_da_alloc): two such writes a step were a tenth of
	// what a step costs. What a crash leaves behind, boot knows.
	os.Remove(path)
	return s.write(path, seal(b))
}

// small reads a sealed file and notes its use; a damaged one is removed.
func (s *Store) small(kind, name, title string) ([]line, bool) {
	path := s.shard(kind, name)
	data, info, err := readFile(path)
	if err != nil {
		return nil, false
	}
	lines, err := unseal(data, title)
	if err != nil {
		os.Remove(path)
		return nil, false
	}
	return lines, s.use(kindOf(kind), path, info)
}

// nameOf is a file name for any strings.
func nameOf(parts ...string) string {
	sum := sha256.Sum256(appendLine(nil, "name", parts...))
	return hex.EncodeToString(sum[:])
}
