package debtest

import (
	"encoding/binary"
	"hash/crc32"
)

// storeXZ is an xz stream that stores its content: one block, whose LZMA2
// chunks are uncompressed (The .xz File Format 1.2.1). Readers cannot tell,
// and no compressor is needed.
func storeXZ(data []byte) []byte {
	const magic, flags, footer = "\xfd7zXZ\x00", "\x00\x01", "YZ" // the check is CRC32
	out := sealed([]byte(magic), []byte(flags))
	// Header of 12 bytes: one filter, LZMA2 (0x21), its dictionary of 1 MiB.
	header := sealed(nil, []byte{2, 0, 0x21, 1, 16, 0, 0, 0})
	block := header
	for chunk, first := data, true; len(chunk) > 0; first = false {
		n := min(len(chunk), 1<<16)
		control := byte(2)
		if first {
			control = 1 // and the dictionary is reset
		}
		block = append(block, control)
		block = binary.BigEndian.AppendUint16(block, uint16(n-1))
		block = append(block, chunk[:n]...)
		chunk = chunk[n:]
	}
	block = append(block, 0)
	unpadded := len(block) + 4
	block = binary.LittleEndian.AppendUint32(padded(block), crc32.ChecksumIEEE(data))
	out = append(out, block...)
	index := []byte{0, 1}
	index = binary.AppendUvarint(index, uint64(unpadded))
	index = binary.AppendUvarint(index, uint64(len(data)))
	index = sealed(nil, padded(index))
	out = append(out, index...)
	end := binary.LittleEndian.AppendUint32(nil, uint32(len(index)/4-1))
	end = append(end, flags...)
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(end))
	out = append(out, end...)
	return append(out, footer...)
}

// sealed is a prefix, then data and its CRC32.
func sealed(prefix, data []byte) []byte {
	out := append(append([]byte{}, prefix...), data...)
	return binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(data))
}

func padded(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}
