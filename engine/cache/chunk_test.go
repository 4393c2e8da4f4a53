package cache

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"
)

// chunked puts a blob of three chunks, with keys from first on, and gives its
// digest and what the second one is.
func chunked(t *testing.T, s *Store, first byte, text string) (digest string, second []byte) {
	t.Helper()
	data := []byte(strings.Repeat(text, 1000))
	digest, err := s.PutBlob(data)
	if err != nil {
		t.Fatal(err)
	}
	var list []Chunk
	for i := range 3 {
		from, to := int64(i*1000), int64((i+1)*1000)
		list = append(list, Chunk{Key: [32]byte{first + byte(i)}, Offset: from, Size: to - from, Sum: checksum(data[from:to])})
	}
	s.Chunks().Put(digest, list)
	return digest, data[1000:2000]
}

func wantChunk(t *testing.T, s *Store, key byte, want []byte) {
	t.Helper()
	if got, ok := s.Chunks().Get([32]byte{key}); ok != (want != nil) || !bytes.Equal(got, want) {
		t.Errorf("chunk %d: %d bytes of %d, %t", key, len(got), len(want), ok)
	}
}

func TestChunksAreFoundInTheirBlobs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	wantChunk(t, s, 1, nil) // an empty store
	digest, second := chunked(t, s, 0, "chunk")
	_, other := chunked(t, s, 10, "other")
	s.Chunks().Put(digest, []Chunk{{Key: [32]byte{20}, Offset: 7, Size: 0}})
	again := open(t, dir) // another process
	for _, s := range []*Store{s, again} {
		wantChunk(t, s, 1, second)
		wantChunk(t, s, 11, other)
		wantChunk(t, s, 20, []byte{})
		wantChunk(t, s, 99, nil)
	}
	s.Chunks().Put("sha256:../x", []Chunk{{Key: [32]byte{30}}})
	s.Chunks().Put(digest, []Chunk{{Key: [32]byte{31}, Size: 1 << 60}, {Key: [32]byte{32}, Offset: -1, Size: 1}, {Key: [32]byte{33}, Size: -1}})
	for key := byte(30); key < 34; key++ {
		wantChunk(t, s, key, nil)
	}
}

func TestDamagedChunksAreNone(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	digest, second := chunked(t, s, 0, "chunk")
	path := blobPath(t, s, digest)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	replace := func(data []byte) {
		t.Helper()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o400); err != nil {
			t.Fatal(err)
		}
	}
	damaged := bytes.Clone(whole)
	damaged[1500] ^= 1
	replace(damaged)
	wantChunk(t, s, 1, nil)
	wantChunk(t, s, 0, whole[:1000]) // its neighbour
	replace(whole[:1999])
	wantChunk(t, s, 1, nil)
	replace(whole)
	wantChunk(t, s, 1, second)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	wantChunk(t, s, 1, nil)
}

// What a full disk or a crash left of a record hides no other.
func TestRecordsOfChunksSurviveDamage(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(data []byte) []byte{
		"none":          func(data []byte) []byte { return data },
		"one cut short": func(data []byte) []byte { return append(bytes.Clone(data[:2*recordSize+10]), data[3*recordSize:]...) },
		"zeros":         func(data []byte) []byte { clear(data[2*recordSize : 3*recordSize]); return data },
		"a bit":         func(data []byte) []byte { data[2*recordSize+3] ^= 4; return data },
		"bytes in between": func(data []byte) []byte {
			return append(append(bytes.Clone(data[:3*recordSize]), "xyz"...), data[3*recordSize:]...)
		},
		"a rest at the end":  func(data []byte) []byte { return append(data, data[:recordSize-1]...) },
		"something in front": func(data []byte) []byte { return append([]byte{1}, data...) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := open(t, dir)
			_, second := chunked(t, s, 0, "chunk")
			_, other := chunked(t, s, 10, "other")
			data, err := os.ReadFile(s.Chunks().path())
			if err != nil || len(data) != 6*recordSize {
				t.Fatalf("%d bytes, %v", len(data), err)
			}
			if err := os.WriteFile(s.Chunks().path(), damage(data), 0o600); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir)
			wantChunk(t, s, 1, second)
			wantChunk(t, s, 11, other)
		})
	}
}

// Pruning forgets the chunks of blobs that went, and is no use of the others.
func TestPruneForgetsChunksOfBlobsThatAreGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	gone, _ := chunked(t, s, 0, "chunk")
	_, other := chunked(t, s, 10, "other")
	if err := os.Remove(blobPath(t, s, gone)); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour / 2).Truncate(time.Second)
	if err := os.Chtimes(s.Chunks().path(), long, long); err != nil {
		t.Fatal(err)
	}
	prune(t, s, PruneOptions{OlderThan: time.Hour, DryRun: true})
	if info, err := os.Stat(s.Chunks().path()); err != nil || info.Size() != 6*recordSize {
		t.Errorf("to ask what would go changed %v, %v", info, err)
	}
	prune(t, s, PruneOptions{OlderThan: time.Hour})
	if info, err := os.Stat(s.Chunks().path()); err != nil || info.Size() != 3*recordSize || !info.ModTime().Equal(long) {
		t.Errorf("it left %v, %v", info, err)
	}
	s = open(t, dir)
	wantChunk(t, s, 11, other)
	_, second := chunked(t, s, 20, "third")
	wantChunk(t, open(t, dir), 21, second)
}

func TestRecordsNameTheirBlob(t *testing.T) {
	t.Parallel()
	p := place{blob: [32]byte{1, 2}, Chunk: Chunk{Key: [32]byte{3}, Offset: 1 << 40, Size: 5, Sum: 6}}
	var got []place
	eachPlace(p.append(p.append(nil)), func(p place, record []byte) {
		if len(record) != recordSize {
			t.Errorf("a record of %d bytes", len(record))
		}
		got = append(got, p)
	})
	if len(got) != 2 || got[0] != p || got[1] != p {
		t.Errorf("%s became %v", hex.EncodeToString(p.blob[:2]), got)
	}
}
