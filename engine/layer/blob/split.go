package blob

import (
	"bytes"
	"hash/fnv"
	"strconv"
	"strings"
)

// chunkMean is how many bytes of a tar lie between two borders on average:
// independent deflate streams of 256 KB cost 0.7 % in size, of 1 MB 0.15 %.
// chunkMax is the distance of borders inside one large file.
const (
	chunkMean = 512 << 10
	chunkMax  = 4 << 20
)

const tarBlock = 512

// splitter finds chunk borders in the bytes of a tar. A border is a function
// of the bytes at its place alone, never of where the last one was: so a
// changed file changes its own chunk and no other, and any number of cores
// gives the same blob.
//
// A border falls before a header when a hash of its path, modulo chunkMean,
// is under the entry's size in the tar: that makes chunkMean bytes on
// average, be the files small or large. Within a file borders fall every
// chunkMax bytes of content.
type splitter struct {
	header []byte // of the header being collected
	body   int64  // bytes of content and padding still to come
	at     int64  // bytes of content so far
	meta   bool   // the content is that of a PAX or GNU header
	pax    []byte // content of a PAX header, for sizes over 8 GB
	joined bool   // the next header belongs to the meta header before it
	opaque bool   // not a tar, or its end: borders by size alone
}

// next tells how many bytes of p belong to the current chunk, and whether a
// border follows them. Headers are seen whole before they are counted, so p
// may be cut anywhere.
func (s *splitter) next(p []byte) (n int, border bool) {
	if s.opaque || s.body > 0 {
		return s.content(p)
	}
	need := tarBlock - len(s.header)
	if len(p) < need {
		s.header = append(s.header, p...)
		return len(p), false
	}
	s.header = append(s.header, p[:need]...)
	return need, false
}

// content passes over what is no header.
func (s *splitter) content(p []byte) (n int, border bool) {
	n = len(p)
	if !s.opaque {
		n = int(min(int64(n), s.body))
	}
	if left := chunkMax - s.at%chunkMax; int64(n) >= left && (s.opaque || s.body > left) {
		n, border = int(left), true
	}
	if s.meta {
		s.pax = append(s.pax, p[:n]...)
	}
	s.at += int64(n)
	if !s.opaque {
		s.body -= int64(n)
	}
	return n, border
}

// full reports whether a header has been collected.
func (s *splitter) full() bool { return len(s.header) == tarBlock }

// judge takes the collected header and tells whether a border falls before
// it.
func (s *splitter) judge() (border bool) {
	h := s.header
	defer func() { s.header = s.header[:0] }()
	size, ok := parseOctal(h[124:136])
	if !ok || !validChecksum(h) {
		s.opaque, s.at = true, 0
		return false
	}
	kind := h[156]
	joined := s.joined
	meta := kind == 'x' || kind == 'g' || kind == 'L' || kind == 'K'
	if joined && !meta {
		if n, ok := paxSize(s.pax); ok {
			size = n
		}
	}
	switch kind {
	case '1', '2', '3', '4', '5', '6':
		size = 0 // such entries have no content, whatever the field says
	}
	if !joined {
		s.pax = s.pax[:0]
	}
	s.joined, s.meta = meta && kind != 'g', meta && size < chunkMax
	s.body, s.at = (size+tarBlock-1)/tarBlock*tarBlock, 0
	if joined {
		return false
	}
	name := fnv.New64a()
	name.Write(bytes.TrimRight(h[345:500], "\x00"))
	name.Write([]byte{'/'})
	name.Write(bytes.TrimRight(h[:100], "\x00"))
	return mix(name.Sum64())%chunkMean < uint64(tarBlock+s.body)
}

// mix spreads FNV's poor high bits over all (the finaliser of MurmurHash3).
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func parseOctal(field []byte) (int64, bool) {
	if field[0]&0x80 != 0 { // GNU's base-256, for sizes over 8 GB
		var n int64
		for _, b := range field[4:] {
			n = n<<8 | int64(b)
		}
		return n, n >= 0
	}
	text := strings.Trim(string(field), " \x00")
	if text == "" {
		return 0, true
	}
	n, err := strconv.ParseInt(text, 8, 63)
	return n, err == nil && n >= 0
}

func validChecksum(h []byte) bool {
	want, ok := parseOctal(h[148:156])
	if !ok {
		return false
	}
	sum := int64(8 * ' ')
	for i, b := range h {
		if i < 148 || i >= 156 {
			sum += int64(b)
		}
	}
	return sum == want
}

// paxSize finds the size record of a PAX header (pax(1), "pax Extended
// Header": "%d %s=%s\n").
func paxSize(pax []byte) (int64, bool) {
	for len(pax) > 0 {
		length, _, ok := bytes.Cut(pax, []byte(" "))
		n, err := strconv.Atoi(string(length))
		if !ok || err != nil || n <= len(length) || n > len(pax) {
			return 0, false
		}
		if value, ok := bytes.CutPrefix(pax[len(length)+1:n], []byte("size=")); ok {
			size, err := strconv.ParseInt(string(bytes.TrimSuffix(value, []byte("\n"))), 10, 63)
			return size, err == nil && size >= 0
		}
		pax = pax[n:]
	}
	return 0, false
}
