package layer

import (
	"bytes"
	"io"
	"os"
	"testing"
)

// Benchmarks on a real root: LAYER_TAR names its tar.
func BenchmarkRealLayer(b *testing.B) {
	file := os.Getenv("LAYER_TAR")
	if file == "" {
		b.Skip("needs LAYER_TAR, the tar of a root file system")
	}
	data, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	opts := ReadOptions{Devices: true}
	b.Run("ReadTOC", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, _, _, err := ReadTOC(bytes.NewReader(data), opts); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Unpack", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			b.StopTimer()
			dir := b.TempDir()
			b.StartTimer()
			// Nothing is removed in between: for seconds after, ext4 looks
			// for inodes that were not just deleted, ten times as slowly.
			if _, _, _, err := Unpack(bytes.NewReader(data), dir, UnpackOptions{ReadOptions: opts}); err != nil {
				b.Fatal(err)
			}
		}
	})
	dir := b.TempDir()
	if _, _, _, err := Unpack(bytes.NewReader(data), dir, UnpackOptions{}); err != nil {
		b.Skipf("the rest needs a root without devices: %v", err)
	}
	var items []Item
	b.Run("FromUpper", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if items, _, err = FromUpper(dir, UpperOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Write", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := Write(io.Discard, items); err != nil {
				b.Fatal(err)
			}
		}
	})
}
