package xz_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os/exec"
	"testing"

	"github.com/specbuild/specbuild/engine/xz"
)

// text is n bytes that compress, but not to nothing.
func text(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	words := []string{"Package: ", "Version: ", "Depends: ", "libc6 (>= 2.41), ", "\n", "pool/main/", "nginx"}
	var out []byte
	for len(out) < n {
		out = append(out, words[r.IntN(len(words))]...)
		out = append(out, byte(r.IntN(256)))
	}
	return out[:n]
}

// pack compresses with the reference implementation.
func pack(t testing.TB, data []byte, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("xz"); err != nil {
		t.Skip("xz is not installed")
	}
	cmd := exec.Command("xz", append([]string{"-c"}, args...)...)
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// both decodes in the two ways and checks that they agree.
func both(t *testing.T, packed []byte, limit int64) ([]byte, error) {
	t.Helper()
	src := bytes.NewReader(packed)
	whole, err := xz.Decode(context.Background(), src, int64(len(packed)), limit)
	var buf bytes.Buffer
	n, cerr := xz.Copy(context.Background(), &buf, src, int64(len(packed)), limit)
	if (err == nil) != (cerr == nil) {
		t.Fatalf("Decode says %v, Copy says %v", err, cerr)
	}
	if err == nil && (!bytes.Equal(whole, buf.Bytes()) || n != int64(len(whole))) {
		t.Fatal("Decode and Copy differ")
	}
	return whole, err
}

func TestSameAsReference(t *testing.T) {
	t.Parallel()
	data := text(3 << 20)
	two := append(pack(t, data[:1<<20]), pack(t, data[1<<20:])...)
	for name, packed := range map[string][]byte{
		"one block":         pack(t, data),
		"threads":           pack(t, data, "-T2", "--block-size=400KiB"),
		"crc32":             pack(t, data, "-T2", "--block-size=1MiB", "--check=crc32"),
		"sha256":            pack(t, data, "-T2", "--block-size=1MiB", "--check=sha256"),
		"no check":          pack(t, data, "-T2", "--block-size=1MiB", "--check=none"),
		"x86 filter":        pack(t, data, "-T2", "--block-size=1MiB", "--x86", "--lzma2"),
		"two streams":       two,
		"stream padding":    append(bytes.Clone(two), 0, 0, 0, 0),
		"small block, last": pack(t, data, "-T2", "--block-size=2999KiB"),
	} {
		got, err := both(t, packed, 3<<20)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	if got, err := both(t, pack(t, nil), 0); err != nil || len(got) != 0 {
		t.Errorf("empty: %d bytes, %v", len(got), err)
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()
	zeros := make([]byte, 20<<20) // a small bomb: 3 kB packed
	for name, packed := range map[string][]byte{
		"one block":   pack(t, zeros),
		"blocks":      pack(t, zeros, "-T2", "--block-size=1MiB"),
		"two streams": append(pack(t, zeros[:1<<20]), pack(t, zeros[1<<20:])...),
	} {
		if _, err := both(t, packed, 20<<20-1); !errors.Is(err, xz.ErrTooLarge) {
			t.Errorf("%s: one byte too many: %v", name, err)
		}
		if _, err := both(t, packed, 20<<20); err != nil {
			t.Errorf("%s: exactly the limit: %v", name, err)
		}
	}
	// Level 9 with a dictionary of 128 MiB asks for more than is allowed.
	if _, err := both(t, pack(t, text(1<<16), "--lzma2=dict=128MiB"), 1<<20); err == nil {
		t.Error("a dictionary of 128 MiB was allowed")
	}
}

// TestCorrupt flips and cuts everywhere in a file of several blocks: no
// damage may give other bytes without an error.
func TestCorrupt(t *testing.T) {
	t.Parallel()
	data := text(40 << 10)
	// A small dictionary, or the time goes into allocating it.
	packed := pack(t, data, "-T2", "--block-size=10KiB", "--lzma2=dict=64KiB")
	for i := 0; i < len(packed); i += 1 + len(packed)/400 {
		bad := bytes.Clone(packed)
		bad[i] ^= 0x10
		if got, err := both(t, bad, 1<<20); err == nil {
			t.Errorf("bit flipped at %d of %d: %d bytes without an error", i, len(packed), len(got))
		}
		if _, err := both(t, packed[:i], 1<<20); err == nil {
			t.Errorf("cut at %d: no error", i)
		}
	}
	if _, err := both(t, append(bytes.Clone(packed), "tail"...), 1<<20); err == nil {
		t.Error("bytes after the stream: no error")
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	packed := pack(t, text(1<<20), "-T2", "--block-size=100KiB")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := xz.Decode(ctx, bytes.NewReader(packed), int64(len(packed)), 1<<20); !errors.Is(err, context.Canceled) {
		t.Errorf("Decode: %v", err)
	}
	if _, err := xz.Copy(ctx, io.Discard, bytes.NewReader(packed), int64(len(packed)), 1<<20); !errors.Is(err, context.Canceled) {
		t.Errorf("Copy: %v", err)
	}
}

func TestNewReader(t *testing.T) {
	t.Parallel()
	data := text(1 << 20)
	r, err := xz.NewReader(bytes.NewReader(pack(t, data)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := xz.NewReader(bytes.NewReader([]byte("not xz at all"))); err == nil {
		t.Error("text was taken for xz")
	}
	if _, err := xz.NewReader(bytes.NewReader(nil)); err == nil {
		t.Error("nothing was taken for xz")
	}
}

// failing writes a little, then no more.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestWriterFails(t *testing.T) {
	t.Parallel()
	packed := pack(t, text(1<<20), "-T2", "--block-size=100KiB")
	if _, err := xz.Copy(context.Background(), failing{}, bytes.NewReader(packed), int64(len(packed)), 1<<20); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkDecode(b *testing.B) {
	data := text(16 << 20)
	for name, packed := range map[string][]byte{
		"serial":   pack(b, data, "-1"),
		"parallel": pack(b, data, "-1", "-T2", "--block-size=4MiB"),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := xz.Decode(context.Background(), bytes.NewReader(packed), int64(len(packed)), 1<<30); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
