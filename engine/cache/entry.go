package cache

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"
)

const entryTitle = "entry v1"

// Entry is what is remembered of a step that succeeded.
type Entry struct {
	DiffID  string    // of the layer, "sha256:…"; empty if the step makes none
	TarSize int64     // bytes of the layer, uncompressed
	TOC     string    // digest of the layer's table of contents; see TOC
	Blobs   []BlobRef // must be in the store, or the entry is a miss

	Output  string            // what the step printed, to be shown again
	Facts   map[string]string // small results by name
	Elapsed time.Duration
	Created time.Time
	KeyText string // lines of the ActionID's key, or of the DefID's where there is none
}

// BlobRef is a blob, as descriptors of the OCI image-spec v1.1 name it.
type BlobRef struct {
	Compressor string // library, version, level and layout; empty: as fetched
	MediaType  string
	Digest     string // "sha256:…"
	Size       int64  // bytes
}

// Def finds the entry of a definition.
func (s *Store) Def(id DefID) (Entry, bool) { return s.entry("def", id.String()) }

// Action finds the entry of an action.
func (s *Store) Action(id ActionID) (Entry, bool) { return s.entry("act", id.String()) }

// Publish remembers a step that succeeded, under both keys; a zero one is
// left out. Its blobs and table of contents must be in the store already.
func (s *Store) Publish(def DefID, act ActionID, e Entry) error {
	data := e.text()
	if act != (ActionID{}) {
		if err := s.write(s.shard("act", act.String()), data); err != nil {
			return fmt.Errorf("publishing action %s: %w", act, err)
		}
	}
	if def != (DefID{}) {
		if err := s.write(s.shard("def", def.String()), data); err != nil {
			return fmt.Errorf("publishing definition %s: %w", def, err)
		}
	}
	return nil
}

// entry reads an entry and makes sure that what it names is there. One that
// is damaged, or whose blobs are gone, is removed.
func (s *Store) entry(kind, id string) (Entry, bool) {
	path := s.shard(kind, id)
	data, info, err := readFile(path)
	if err != nil {
		return Entry{}, false
	}
	e, err := parseEntry(data)
	ok := err == nil && s.complete(e)
	if !ok {
		os.Remove(path)
		return Entry{}, false
	}
	return e, s.use(kind, path, info)
}

func (s *Store) complete(e Entry) bool {
	for _, b := range e.Blobs {
		if !s.HasBlob(b.Digest, b.Size) {
			return false
		}
	}
	return e.TOC == "" || s.hasTOC(e.DiffID, e.TOC)
}

func (e Entry) text() []byte {
	b := []byte(entryTitle + "\n")
	if e.DiffID != "" {
		b = appendLine(b, "layer", e.DiffID, strconv.FormatInt(e.TarSize, 10))
	}
	if e.TOC != "" {
		b = appendLine(b, "toc", e.TOC)
	}
	for _, r := range e.Blobs {
		b = r.appendLine(b)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Facts)) {
		b = appendLine(b, "fact", name, e.Facts[name])
	}
	b = appendLine(b, "elapsed", e.Elapsed.String())
	b = appendLine(b, "created", nanos(e.Created))
	b = appendLine(b, "output", e.Output)
	return seal(appendLine(b, "key", e.KeyText))
}

func (r BlobRef) appendLine(b []byte) []byte {
	return appendLine(b, "blob", r.Compressor, r.MediaType, r.Digest, strconv.FormatInt(r.Size, 10))
}

func parseBlobRef(l line) (BlobRef, error) {
	size, err := strconv.ParseInt(l.value(3), 10, 64)
	return BlobRef{Compressor: l.value(0), MediaType: l.value(1), Digest: l.value(2), Size: size}, err
}

func parseEntry(data []byte) (Entry, error) {
	lines, err := unseal(data, entryTitle)
	if err != nil {
		return Entry{}, err
	}
	var e Entry
	for _, l := range lines {
		if err = errors.Join(err, e.set(l)); err != nil {
			return Entry{}, err
		}
	}
	return e, nil
}

func (e *Entry) set(l line) (err error) {
	switch l.name {
	case "layer":
		e.DiffID = l.value(0)
		e.TarSize, err = strconv.ParseInt(l.value(1), 10, 64)
	case "toc":
		e.TOC = l.value(0)
	case "blob":
		var r BlobRef
		r, err = parseBlobRef(l)
		e.Blobs = append(e.Blobs, r)
	case "fact":
		if e.Facts == nil {
			e.Facts = map[string]string{}
		}
		e.Facts[l.value(0)] = l.value(1)
	case "elapsed":
		e.Elapsed, err = time.ParseDuration(l.value(0))
	case "created":
		e.Created = fromNanos(l.value(0))
	case "output":
		e.Output = l.value(0)
	case "key":
		e.KeyText = l.value(0)
	default:
		err = fmt.Errorf("unknown line %q", l.name)
	}
	return err
}

// readFile reads a small file with one open, for the time of its last use.
func readFile(path string) ([]byte, os.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	data := make([]byte, info.Size())
	_, err = f.ReadAt(data, 0)
	return data, info, err
}
