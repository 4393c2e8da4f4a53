package blob

import (
	"bytes"
	stdgzip "compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/specbuild/specbuild/engine/layer"
)

// manyFiles gives n files whose contents all differ, and compress a little.
func manyFiles(n, size int) []layer.Item {
	items := []layer.Item{{Entry: layer.Entry{Path: "d", Type: layer.Dir, Mode: 0o755}}}
	for i := range n {
		var content strings.Builder
		for k := 0; content.Len() < size; k++ {
			sum := sha256.Sum256(fmt.Append(nil, i, k))
			fmt.Fprintf(&content, "%x line %d of file %d\n", sum[:4], k, i)
		}
		data := content.String()[:size]
		items = append(items, layer.Item{
			Entry: layer.Entry{Path: fmt.Sprintf("d/%05d", i), Type: layer.File, Mode: 0o644, Size: int64(size)},
			Open:  func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(data)), nil },
		})
	}
	return items
}

// sampleTar is a layer of small files and a large one, some 13 MB.
func sampleTar(t testing.TB) []byte {
	t.Helper()
	items := manyFiles(400, 10<<10)
	large := bytes.Repeat([]byte("all work and no play makes a dull layer\n"), 9<<20/40)
	items = append(items, layer.Item{
		Entry: layer.Entry{Path: "large", Type: layer.File, Mode: 0o644, Size: int64(len(large))},
		Open:  func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(large)), nil },
	})
	return tarOf(t, items)
}

func tarOf(t testing.TB, items []layer.Item) []byte {
	t.Helper()
	var out bytes.Buffer
	if _, err := layer.Write(&out, items); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func compress(t testing.TB, c Compressor, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	digest, size, err := c.Compress(&out, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("sha256:%x", sha256.Sum256(out.Bytes())); got != digest || size != int64(out.Len()) {
		t.Errorf("says %s and %d bytes, wrote %s and %d", digest, size, got, out.Len())
	}
	return out.Bytes()
}

// The bytes of a blob are promised by the compressor's id: when this fails
// after an update of the library, change the id.
func TestCompressorGolden(t *testing.T) {
	t.Parallel()
	data := sampleTar(t)
	for _, c := range []struct{ kind, id, digest string }{
		{"gzip", "gzip+klauspost1.20.3+l3+chunks1", "sha256:dedb70acfef2dce1d9b977f00158f8116c7dc29dde5fa20fd7aee289a0babcd3"},
		{"zstd", "zstd+klauspost1.20.3+default+w4m+chunks1", "sha256:d1f1978970b1816d9b6e1e2f67ddda622923d28c098614c19d15320d08ff603f"},
		{"none", "none", fmt.Sprintf("sha256:%x", sha256.Sum256(data))},
	} {
		got := fmt.Sprintf("sha256:%x", sha256.Sum256(compress(t, Compressor{Kind: c.kind}, data)))
		if id := (Compressor{Kind: c.kind}).ID(); got != c.digest || id != c.id {
			t.Errorf("%s is %s, want %s; id %s", c.kind, got, c.digest, id)
		}
	}
}

// One member, one stream: a reader that stops after the first gets all.
func TestGzipIsOneMember(t *testing.T) {
	t.Parallel()
	data := sampleTar(t)
	blob := compress(t, Compressor{}, data)
	r, err := stdgzip.NewReader(bytes.NewReader(blob))
	if err != nil {
		t.Fatal(err)
	}
	r.Multistream(false)
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
		t.Errorf("Go reads %d bytes of %d, %v", len(got), len(data), err)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(data))
	for _, reader := range [][]string{
		{"sh", "-c", "gzip -t && echo " + sum}, // gzip -t says nothing else
		{"sh", "-c", "gzip -dc | sha256sum"},
		{"python3", "-c", "import sys,zlib,hashlib; d=zlib.decompressobj(31); b=d.decompress(sys.stdin.buffer.read()); assert d.eof and not d.unused_data; print(hashlib.sha256(b).hexdigest())"},
		{"python3", "-c", "import sys,gzip,hashlib; print(hashlib.sha256(gzip.decompress(sys.stdin.buffer.read())).hexdigest())"},
	} {
		if _, err := exec.LookPath(reader[0]); err != nil {
			t.Skipf("needs %s", reader[0])
		}
		cmd := exec.Command(reader[0], reader[1:]...)
		cmd.Stdin = bytes.NewReader(blob)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), sum) {
			t.Errorf("%q: %v\n%s", reader, err, out)
		}
	}
}

func TestZstdToolReadsFrames(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("zstd")
	if err != nil {
		t.Skip("needs zstd")
	}
	data := sampleTar(t)
	cmd := exec.Command(tool, "-dc")
	cmd.Stdin = bytes.NewReader(compress(t, Compressor{Kind: "zstd"}, data))
	if out, err := cmd.Output(); err != nil || !bytes.Equal(out, data) {
		t.Errorf("zstd reads %d bytes of %d, %v", len(out), len(data), err)
	}
}

// memoryCache is a chunk cache that counts.
type memoryCache struct {
	mu     sync.Mutex
	chunks map[string][]byte
	misses int
}

func (c *memoryCache) Get(key string) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	data, ok := c.chunks[key]
	if !ok {
		c.misses++
	}
	return slices.Clone(data), ok
}

// compress makes a blob and keeps its new chunks.
func (c *memoryCache) compress(t *testing.T, kind string, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	b, err := Compressor{Kind: kind, Cache: c}.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for _, ch := range b.Chunks() {
		packed := out.Bytes()[ch.Offset : ch.Offset+ch.Size]
		if crc32.Checksum(packed, crc32.MakeTable(crc32.Castagnoli)) != ch.Sum {
			t.Errorf("%s: the chunk at %d is not what it says", kind, ch.Offset)
		}
		c.chunks[ch.Key] = slices.Clone(packed)
	}
	return out.Bytes()
}

// A changed file costs its own chunk, and the blob is that of a clean build.
func TestChunksAreReused(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"gzip", "zstd"} {
		cache := &memoryCache{chunks: make(map[string][]byte)}
		items := manyFiles(1500, 10<<10)
		first := tarOf(t, items)
		cache.compress(t, kind, first)
		if n := len(cache.chunks); n < 15 || n > 60 {
			t.Errorf("%s: %d bytes are %d chunks", kind, len(first), n)
		}
		cache.misses = 0
		items[700].Open = func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(strings.Repeat("y", 10<<10))), nil
		}
		second := tarOf(t, items)
		warm := cache.compress(t, kind, second)
		if cache.misses != 1 {
			t.Errorf("%s: one changed file costs %d chunks", kind, cache.misses)
		}
		if clean := compress(t, Compressor{Kind: kind}, second); !bytes.Equal(clean, warm) {
			t.Errorf("%s: an incremental blob differs from a clean one", kind)
		}
	}
}

// Borders depend on the bytes, not on how they arrive.
func TestChunkBordersAreStable(t *testing.T) {
	t.Parallel()
	data := sampleTar(t)
	want := compress(t, Compressor{}, data)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3 {
		var out bytes.Buffer
		b, err := Compressor{}.NewWriter(&out)
		if err != nil {
			t.Fatal(err)
		}
		for rest := data; len(rest) > 0; {
			n := min(len(rest), 1+rng.IntN(3000))
			if _, err := b.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), want) {
			t.Fatal("the blob depends on the sizes of the writes")
		}
	}
}

func TestCompressAnything(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	noise := make([]byte, 9<<20)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	for name, data := range map[string][]byte{
		"nothing": nil, "a byte": {1}, "half a header": make([]byte, 300), "zeros": make([]byte, 5<<20), "noise": noise,
	} {
		for _, kind := range []string{"gzip", "zstd", "none"} {
			r, err := layer.Decompress(bytes.NewReader(compress(t, Compressor{Kind: kind}, data)), "", layer.Limits{})
			if err != nil {
				t.Fatalf("%s %s: %v", kind, name, err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s %s: %d bytes of %d, %v", kind, name, len(got), len(data), err)
			}
		}
	}
}

// The blob does not depend on the pieces in which a tar arrives, nor on which
// buffers are used again.
func TestBlobOfAnyPieces(t *testing.T) {
	t.Parallel()
	data := sampleTar(t)
	for _, kind := range []string{"gzip", "none"} {
		want := compress(t, Compressor{Kind: kind, Workers: 1}, data)
		for _, size := range []int{511, 70_001, 3 << 20} {
			var out bytes.Buffer
			w, err := Compressor{Kind: kind, Workers: 3}.NewWriter(&out)
			if err != nil {
				t.Fatal(err)
			}
			for rest := data; len(rest) > 0; {
				n := min(size, len(rest))
				if got, err := w.Write(rest[:n]); got != n || err != nil {
					t.Fatalf("wrote %d of %d: %v", got, n, err)
				}
				rest = rest[n:]
			}
			if err := w.Close(); err != nil || !bytes.Equal(out.Bytes(), want) {
				t.Errorf("%s in pieces of %d: another blob (%v)", kind, size, err)
			}
		}
		if got := compress(t, Compressor{Kind: kind}, data); !bytes.Equal(got, want) {
			t.Errorf("%s on all cores: another blob", kind)
		}
		var out bytes.Buffer
		broken := errors.New("gone")
		half := io.MultiReader(bytes.NewReader(data[:5<<20]), iotest.ErrReader(broken))
		if _, _, err := (Compressor{Kind: kind}).Compress(&out, iotest.HalfReader(half)); !errors.Is(err, broken) {
			t.Errorf("%s of a tar that breaks off: %v", kind, err)
		}
	}
}

// Chunks that were not compressed are not worth a place in a cache.
func TestPlainChunksAreNotCached(t *testing.T) {
	t.Parallel()
	cache := &memoryCache{}
	compress(t, Compressor{Kind: "none", Cache: cache}, sampleTar(t))
	if len(cache.chunks) != 0 {
		t.Errorf("%d chunks were kept", len(cache.chunks))
	}
}

// brokenWriter is a full disk.
type brokenWriter struct{ after int }

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.after -= len(p); w.after < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

var errBroken = errors.New("no space left")

func TestCompressReportsSink(t *testing.T) {
	t.Parallel()
	_, _, err := Compressor{}.Compress(&brokenWriter{after: 100}, bytes.NewReader(sampleTar(t)))
	if !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

func TestCombineCRC(t *testing.T) {
	t.Parallel()
	data := sampleTar(t)[:100_000]
	for _, n := range []int{0, 1, 7, 4096, 99_999, 100_000} {
		a, b := data[:n], data[n:]
		got := combineCRC(crc32.ChecksumIEEE(a), crc32.ChecksumIEEE(b), int64(len(b)))
		if want := crc32.ChecksumIEEE(data); got != want {
			t.Errorf("at %d: %08x, want %08x", n, got, want)
		}
	}
}

// Sizes over 8 GB are in a PAX record; the splitter must find the next
// header behind such a file.
func TestSplitterReadsPAXSize(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int64{
		"19 size=8589934592\n":                 8589934592,
		"9 path=a\n19 size=8589934593\n":       8589934593,
		"9 path=a\n":                           -1,
		"999 size=1\n":                         -1,
		"x":                                    -1,
		"12 size=-5\n\n":                       -1,
		"27 mtime=1350244992.02396\n9 size=\n": -1,
	} {
		got, ok := paxSize([]byte(body))
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %d, %v", body, got, ok)
		}
	}
}

func BenchmarkCompress(b *testing.B) {
	data := sampleTar(b)
	for _, kind := range []string{"gzip", "zstd"} {
		b.Run(kind, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := (Compressor{Kind: kind}).Compress(io.Discard, bytes.NewReader(data)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The measurement behind docs/adr/0003-gzip-level.md; LAYER_TAR names a tar.
func BenchmarkGzipLevels(b *testing.B) {
	file := os.Getenv("LAYER_TAR")
	if file == "" {
		b.Skip("needs LAYER_TAR, a tar to compress")
	}
	data, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	for level := 1; level <= 9; level++ {
		b.Run(fmt.Sprint(level), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				w := Compressor{}.start(io.Discard, gzipCodec(new(sync.Pool), level), 2)
				if _, err := w.Write(data); err != nil {
					b.Fatal(err)
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
				_, size := w.Blob()
				b.ReportMetric(float64(size), "bytes")
			}
		})
	}
}

// TestSmallLayersTakeLittle holds that many small layers are not many large
// buffers, and that blobs of one pool are the blobs of none.
func TestSmallLayersTakeLittle(t *testing.T) {
	one := func(c Compressor, text string) string {
		var out bytes.Buffer
		b, err := c.NewWriter(&out)
		if err != nil {
			t.Fatal(err)
		}
		items := []layer.Item{{Entry: layer.Entry{Path: "etc/app", Type: layer.File, Mode: 0o644, Size: int64(len(text))}, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(text)), nil
		}}}
		if _, err := layer.Write(b, items); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		digest, _ := b.Blob()
		return digest
	}
	shared := Compressor{}.Shared()
	for _, text := range []string{"x", strings.Repeat("a line of text\n", 100), strings.Repeat("0123456789abcdef", 1<<16), ""} {
		if got, want := one(shared, text), one(Compressor{}, text); got != want {
			t.Errorf("%d bytes: %s from a pool, %s without", len(text), got, want)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const layers = 100
	for i := range layers {
		one(shared, fmt.Sprint("layer ", i))
	}
	runtime.ReadMemStats(&after)
	// 180 MB with buffers of their own; the race detector empties pools now and then.
	if took := after.TotalAlloc - before.TotalAlloc; took > layers<<19 {
		t.Errorf("%d layers of a few bytes took %d MB", layers, took>>20)
	}
}
