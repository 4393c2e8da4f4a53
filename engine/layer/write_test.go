package layer

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/engine/layer/blob"
)

// goldenLayers are six layers whose bytes are fixed. When a digest changes,
// every layer that anyone has built changes: raise Format with it.
var goldenLayers = []struct{ name, items, diffID string }{
	{"plain", `
		d 0755 0 0 "etc"
		f 0644 0 0 "etc/hostname" = web
		l 0777 0 0 "etc/mtab" "/proc/mounts"`, "sha256:46572dbc714a114a999c905d695f72ccf30f89a8c0d6519e1f8b1d094aa7f7b3"},
	{"owners and modes", `
		d 1777 0 0 "tmp"
		f 4755 0 0 "tmp/su" = x
		f 0600 1000 1000 "tmp/mine" = y
		p 0600 0 0 "tmp/pipe"`, "sha256:5f9564790d79b6c5326a84ab6040650cef34ca9867405bf72fccb7ae19c31d7b"},
	{"deletions", `
		d 0755 0 0 "a"
		w "a/gone"
		o "a/b"
		d 0755 0 0 "a/b"
		f 0644 0 0 "a/b/new" = n`, "sha256:3959ea88d67e66a80ea7f8b249de257efa47d45605858096aa0e9973949f8e5e"},
	{"hard links", `
		d 0755 0 0 "bin"
		f 0755 0 0 "bin/z" = busybox
		h 0755 0 0 "bin/a" "bin/z"
		h 0755 0 0 "bin/m" "bin/z"`, "sha256:43f08bf0c4472520b1e52adf76d3ec2aaf287bb01f01d45edf6bd706cad178dc"},
	{"pax", `
		d 0755 0 0 "caf\xe9"
		f 0755 0 3000000 "caf\xe9/x" "security.capability" "\x01\x00\x00\x02" "user.a" "1" = cap
		l 0777 0 0 "caf\xe9/y" "ü"`, "sha256:53489fec9273e258055fc2215883d8af77734752a901f27f73f788d1f5dc0685"},
	{"long names", `
		d 0755 0 0 "` + strings.Repeat("d", 120) + `"
		f 0644 0 0 "` + strings.Repeat("d", 120) + "/" + strings.Repeat("f", 110) + `" = long`, "sha256:f180db7fae52dafe2a32f5cf9ec76ffc2ebc2bc06d16f1a944d49d95a7d1a9cf"},
}

func TestWriteGolden(t *testing.T) {
	t.Parallel()
	for _, g := range goldenLayers {
		data, w := writeTar(t, parse(t, g.items))
		if w.DiffID != g.diffID {
			t.Errorf("%s: %s, want %s", g.name, w.DiffID, g.diffID)
		}
		if got := digestOf(sha256.Sum256(data)); got != w.DiffID || int64(len(data)) != w.Size {
			t.Errorf("%s: says %s and %d bytes, wrote %s and %d", g.name, w.DiffID, w.Size, got, len(data))
		}
		toc, diffID, size, err := ReadTOC(bytes.NewReader(data), ReadOptions{})
		if err != nil {
			t.Errorf("%s: %v", g.name, err)
			continue
		}
		if diffID != w.DiffID || size != w.Size {
			t.Errorf("%s: read %s, %d", g.name, diffID, size)
		}
		if got, want := string(toc.Encode()), string(w.TOC.Encode()); got != want {
			t.Errorf("%s: wrote\n%sread\n%s", g.name, want, got)
		}
	}
}

func TestWriteEmpty(t *testing.T) {
	t.Parallel()
	data, w := writeTar(t, nil)
	if !w.Empty || len(data) != 0 {
		t.Errorf("got %+v and %d bytes", w, len(data))
	}
}

func TestWriteOrderAndOffsets(t *testing.T) {
	t.Parallel()
	data, w := writeTar(t, parse(t, `
		h 0755 0 0 "b/z" "b/y"
		f 0755 0 0 "b/y" = content
		d 0755 0 0 "b"
		h 0755 0 0 "b/a" "b/y"
		w "b/q"
		d 0755 0 0 "a-b"
		d 0755 0 0 "a"
		f 0644 0 0 "a/x" = x`))
	equal(t, lines(w.TOC.Entries), `
		d 0755 0 0 "a"
		f 0644 0 0 1 "a/x"
		d 0755 0 0 "a-b"
		d 0755 0 0 "b"
		w "b/q"
		f 0755 0 0 7 "b/a"
		h 0755 0 0 "b/y" "b/a"
		h 0755 0 0 "b/z" "b/a"`)
	for i, e := range w.TOC.Entries {
		at := w.Offsets[i]
		if (at >= 0) != (e.Type == File) {
			t.Errorf("%s has offset %d", e, at)
		} else if at >= 0 && digestOf(sha256.Sum256(data[at:at+e.Size])) != e.Digest {
			t.Errorf("%s is not at %d", e, at)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ items, says string }{
		{`f 0644 0 0 ".wh.x" = a`, "means a deletion"},
		{"d 0755 0 0 \".wh.d\"\nf 0644 0 0 \".wh.d/x\" = a", "means a deletion"},
		{"p 0644 0 0 \"a\"\np 0644 0 0 \"a\"", "there twice"},
		{"p 0644 0 0 \"a\"\np 0644 0 0 \"a/b\"", "no directory"},
		{`h 0644 0 0 "a" "b"`, "no file in this layer"},
		{`c 0600 0 0 1 3 "null"`, "device"},
		{`d 0755 0 0 "a" "user.x=y" "1"`, "extended attribute"},
		{`f 0644 0 0 1 - "a"`, "no content"},
	} {
		_, err := Write(io.Discard, parse(t, c.items))
		wantError(t, err, c.says)
	}
}

func TestWriteNoticesChangedFiles(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Item){
		"grown":     func(i *Item) { i.Size-- },
		"shrunk":    func(i *Item) { i.Size++ },
		"rewritten": func(i *Item) { i.Digest = digestOf(sha256.Sum256([]byte("other"))) },
	} {
		for _, size := range []int{10, smallFile + 10} {
			item := parse(t, `f 0644 0 0 "a" = `+strings.Repeat("x", size))[0]
			change(&item)
			if _, err := Write(io.Discard, []Item{item}); err == nil || !strings.Contains(err.Error(), `"a"`) {
				t.Errorf("%s, %d bytes: got %v", name, size, err)
			}
		}
	}
}

// Content that is proven is not hashed again, and still measured.
func TestWriteTrustsWhatIsProven(t *testing.T) {
	t.Parallel()
	for _, size := range []int{10, smallFile + 10} {
		content := bytes.Repeat([]byte("x"), size)
		item := Item{
			Entry:  Entry{Path: "f", Type: File, Mode: 0o644, Size: int64(size), Digest: "sha256:" + strings.Repeat("0", 64)},
			Open:   func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
			Proven: true,
		}
		var out bytes.Buffer
		w, err := Write(&out, []Item{item})
		if err != nil || w.TOC.Entries[0].Digest != item.Digest || !bytes.Contains(out.Bytes(), content) {
			t.Errorf("%d bytes: %v", size, err)
		}
		for _, other := range []int64{int64(size) - 1, int64(size) + 1} {
			item.Size = other
			if _, err := Write(io.Discard, []Item{item}); err == nil {
				t.Errorf("%d bytes were taken for %d", size, other)
			}
		}
		item.Size, item.Proven = int64(size), false
		if _, err := Write(io.Discard, []Item{item}); err == nil {
			t.Errorf("%d bytes with another digest were taken", size)
		}
	}
}

type brokenWriter struct{ after int }

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.after -= len(p); w.after < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

var errBroken = errors.New("no space left")

func TestWriteReportsSink(t *testing.T) {
	t.Parallel()
	_, err := Write(&brokenWriter{after: 600}, manyFiles(50, 100<<10))
	if !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

// A disk that is full after 1 MB is not told so for all of 4 GB.
func TestWriteStopsWhereItsSinkBreaks(t *testing.T) {
	t.Parallel()
	packed, err := blob.Compressor{Kind: "none", Workers: 1}.NewWriter(&brokenWriter{after: 600})
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	for what, sink := range map[string]io.Writer{"a file": &brokenWriter{after: 600}, "a blob": packed} {
		const large = 1 << 30
		zeros := &countedZeros{}
		_, err := Write(sink, []Item{{
			Entry: Entry{Path: "large", Type: File, Mode: 0o644, Size: large},
			Open:  func() (io.ReadCloser, error) { return io.NopCloser(io.LimitReader(zeros, large)), nil },
		}})
		if !errors.Is(err, errBroken) || zeros.n > large/4 {
			t.Errorf("%s: got %v after %d bytes", what, err, zeros.n)
		}
	}
}

type countedZeros struct{ n int64 }

func (z *countedZeros) Read(p []byte) (int, error) {
	clear(p)
	z.n += int64(len(p))
	return len(p), nil
}

// manyFiles gives n files whose contents all differ, and compress a little.
func manyFiles(n, size int) []Item {
	items := []Item{{Entry: Entry{Path: "d", Type: Dir, Mode: 0o755}}}
	for i := range n {
		var content strings.Builder
		for k := 0; content.Len() < size; k++ {
			sum := sha256.Sum256(fmt.Append(nil, i, k))
			fmt.Fprintf(&content, "%x line %d of file %d\n", sum[:4], k, i)
		}
		data := content.String()[:size]
		items = append(items, Item{
			Entry: Entry{Path: fmt.Sprintf("d/%05d", i), Type: File, Mode: 0o644, Size: int64(size)},
			Open:  func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(data)), nil },
		})
	}
	return items
}

// Not parallel: it sets GOMAXPROCS.
func TestSameBytesOnAnyNumberOfCores(t *testing.T) {
	items := manyFiles(300, 20<<10)
	var want string
	for _, n := range []int{1, 2, 7} {
		old := runtime.GOMAXPROCS(n)
		b, err := blob.Compressor{}.NewWriter(io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		w, err := Write(b, items)
		if err := errors.Join(err, b.Close()); err != nil {
			t.Fatal(err)
		}
		digest, _ := b.Blob()
		runtime.GOMAXPROCS(old)
		if got := w.DiffID + " " + digest; want == "" {
			want = got
		} else if got != want {
			t.Errorf("with %d: %s, want %s", n, got, want)
		}
	}
}

// Readers that are not ours see what was meant.
func TestGNUTarReadsLayers(t *testing.T) {
	t.Parallel()
	tool := needTool(t, "tar")
	for _, g := range goldenLayers {
		data, _ := writeTar(t, parse(t, g.items))
		cmd := exec.Command(tool, "--numeric-owner", "--utc", "-tvf", "-")
		cmd.Stdin = bytes.NewReader(data)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", g.name, err, out)
		}
		if n := strings.Count(string(out), "1980-01-01 00:00"); n != strings.Count(string(out), "\n") || n == 0 {
			t.Errorf("%s: times\n%s", g.name, out)
		}
		if g.name == "owners and modes" {
			for _, want := range []string{"drwxrwxrwt 0/0", "-rwsr-xr-x 0/0", "-rw------- 1000/1000", "prw------- 0/0"} {
				if !strings.Contains(string(out), want) {
					t.Errorf("%q is missing in\n%s", want, out)
				}
			}
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	items := manyFiles(5000, 12<<10)
	b.SetBytes(5000 * 12 << 10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Write(io.Discard, items); err != nil {
			b.Fatal(err)
		}
	}
}
