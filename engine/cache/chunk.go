package cache

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Chunk is a stretch of a blob: a piece of a compressed layer that another
// layer may have too.
type Chunk struct {
	Key    [32]byte // says what was compressed and how
	Offset int64    // bytes
	Size   int64    // bytes
	Sum    uint32   // CRC-32C of the stretch
}

// Chunks finds pieces of compressed layers in the blobs that hold them. Where
// they lie is one file that is appended to, a record a chunk: a file for each
// chunk was a tenth of the time of compressing a layer, and its bytes were in
// the store twice.
type Chunks struct{ s *Store }

// Chunks is the part of the store that knows of chunks.
func (s *Store) Chunks() Chunks { return Chunks{s} }

// places are all chunks that were known when one was first asked for, and
// those of this process.
type places struct {
	mu   sync.Mutex
	read bool
	of   map[[32]byte]place
}

// place is a chunk's, by the name of its blob.
type place struct {
	blob [32]byte
	Chunk
}

// recordSize is the length of a record: key, blob, offset, size, sum, and the
// CRC-32C of all these.
const recordSize = 32 + 32 + 8 + 8 + 4 + 4

// Get reads a chunk. One that was damaged, or whose blob is gone, is none.
func (c Chunks) Get(key [32]byte) ([]byte, bool) {
	p, ok := c.find(key)
	if !ok {
		return nil, false
	}
	f, err := c.s.OpenBlob("sha256:" + hex.EncodeToString(p.blob[:]))
	if err != nil {
		return nil, false
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || p.Size < 0 || p.Offset < 0 || p.Size > info.Size() {
		return nil, false
	}
	data := make([]byte, p.Size)
	if _, err := f.ReadAt(data, p.Offset); err != nil || checksum(data) != p.Sum {
		return nil, false
	}
	return data, true
}

func (c Chunks) find(key [32]byte) (place, bool) {
	known := &c.s.places
	known.mu.Lock()
	defer known.mu.Unlock()
	c.load(known)
	p, ok := known.of[key]
	return p, ok
}

// load reads the file once; the lock is held.
func (c Chunks) load(known *places) {
	if known.read {
		return
	}
	known.read, known.of = true, map[[32]byte]place{}
	data, info, err := readFile(c.path())
	if err != nil || !c.s.use("chunk", c.path(), info) {
		return
	}
	eachPlace(data, func(p place, _ []byte) { known.of[p.Key] = p })
}

// Put notes chunks of a blob that is in the store. That it cannot is no error:
// they are compressed again next time.
func (c Chunks) Put(digest string, chunks []Chunk) {
	name, err := blobName(digest)
	if err != nil || len(chunks) == 0 {
		return
	}
	var blob [32]byte
	if _, err := hex.Decode(blob[:], []byte(name)); err != nil {
		return
	}
	known := &c.s.places
	known.mu.Lock()
	defer known.mu.Unlock()
	c.load(known)
	var records []byte
	for _, ch := range chunks {
		p := place{blob, ch}
		known.of[ch.Key] = p
		records = p.append(records)
	}
	c.s.published()
	f, err := os.OpenFile(c.path(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.Write(records) // one write: those of several processes do not mix
}

func (c Chunks) path() string { return c.s.path("chunk", "places") }

func (p place) append(b []byte) []byte {
	start := len(b)
	b = append(append(b, p.Key[:]...), p.blob[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(p.Offset))
	b = binary.LittleEndian.AppendUint64(b, uint64(p.Size))
	b = binary.LittleEndian.AppendUint32(b, p.Sum)
	return binary.LittleEndian.AppendUint32(b, checksum(b[start:]))
}

// eachPlace visits the records of the file. What is none is passed over byte
// by byte: a full disk cuts a record short, and the next follows it.
func eachPlace(data []byte, visit func(p place, record []byte)) {
	for len(data) >= recordSize {
		r := data[:recordSize]
		if binary.LittleEndian.Uint32(r[recordSize-4:]) != checksum(r[:recordSize-4]) {
			data = data[1:]
			continue
		}
		p := place{blob: [32]byte(r[32:64]), Chunk: Chunk{
			Key: [32]byte(r[:32]), Offset: int64(binary.LittleEndian.Uint64(r[64:])),
			Size: int64(binary.LittleEndian.Uint64(r[72:])), Sum: binary.LittleEndian.Uint32(r[80:]),
		}}
		visit(p, r)
		data = data[recordSize:]
	}
}

// compact writes the file anew, by way of dir, without the chunks of blobs
// that are gone. What another process appends meanwhile is lost to others.
func (c Chunks) compact(dir string) error {
	data, err := os.ReadFile(c.path())
	if err != nil {
		return ignoreGone(err)
	}
	there := map[[32]byte]bool{}
	var kept bytes.Buffer
	eachPlace(data, func(p place, record []byte) {
		ok, asked := there[p.blob]
		if !asked {
			_, err := os.Lstat(c.s.shard("blob", hex.EncodeToString(p.blob[:])))
			ok = !errors.Is(err, fs.ErrNotExist)
			there[p.blob] = ok
		}
		if ok {
			kept.Write(record)
		}
	})
	if kept.Len() == len(data) {
		return nil
	}
	info, err := os.Lstat(c.path())
	if err != nil {
		return ignoreGone(err)
	}
	tmp := filepath.Join(dir, "places")
	if err := os.WriteFile(tmp, kept.Bytes(), 0o600); err != nil {
		return full(c.path(), int64(kept.Len()), err)
	}
	return errors.Join(os.Chtimes(tmp, info.ModTime(), info.ModTime()), os.Rename(tmp, c.path()))
}

func checksum(data []byte) uint32 {
	return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
}
