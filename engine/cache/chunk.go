package cache

import (
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"os"
)

// chunkTail is the length and the CRC-32C that end a chunk's file. A chunk
// has no name by content of its own, so only its tail can tell a torn write.
const chunkTail = 8 + 4

// Chunks keeps pieces of compressed layers by a key that says what was
// compressed and how.
type Chunks struct{ s *Store }

// Chunks is the part of the store that holds chunks.
func (s *Store) Chunks() Chunks { return Chunks{s} }

// Get finds a chunk; a damaged one is removed.
func (c Chunks) Get(key [32]byte) ([]byte, bool) {
	path := c.path(key)
	data, info, err := readFile(path)
	if err != nil {
		return nil, false
	}
	n := len(data) - chunkTail
	if n < 0 || binary.LittleEndian.Uint64(data[n:]) != uint64(n) ||
		binary.LittleEndian.Uint32(data[n+8:]) != checksum(data[:n]) {
		os.Remove(path)
		return nil, false
	}
	return data[:n:n], c.s.use("chunk", path, info)
}

// Put keeps a chunk. That it cannot is no error: it is compressed again next
// time, and a full disk shows where something is needed.
func (c Chunks) Put(key [32]byte, data []byte) {
	file := make([]byte, 0, len(data)+chunkTail)
	file = append(file, data...)
	file = binary.LittleEndian.AppendUint64(file, uint64(len(data)))
	file = binary.LittleEndian.AppendUint32(file, checksum(data))
	_ = c.s.write(c.path(key), file)
}

func (c Chunks) path(key [32]byte) string { return c.s.shard("chunk", hex.EncodeToString(key[:])) }

func checksum(data []byte) uint32 {
	return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
}
