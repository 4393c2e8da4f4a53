package attest

import (
	"bufio"
	"debug/buildinfo"
	"io"
	"os"
	"runtime/debug"
	"strings"
)

// leastProgram is the size below which no program of Go is: an empty one has
// more than a megabyte, a stripped one for a small machine half of it.
const leastProgram = 256 << 10

// program is the modules of a program of Go, and Go itself; nil for any other
// file. The settings of its build are left alone: flags of the linker bring
// anything into them, secrets too.
func program(name string, size int64, r io.Reader) ([]Package, error) {
	b := bufio.NewReader(r)
	if magic, err := b.Peek(4); err != nil || string(magic) != "\x7fELF" {
		return nil, nil // too short or something else
	}
	// It is read back and forth, and may be larger than memory.
	f, err := os.CreateTemp("", "specbuild-program-*")
	if err != nil {
		return nil, err
	}
	defer func() {
		f.Close()
		os.Remove(f.Name())
	}()
	if _, err := io.CopyN(f, b, size); err != nil {
		return nil, err
	}
	info, err := buildinfo.Read(f)
	if err != nil {
		return nil, nil // not of Go
	}
	out := []Package{{Kind: "golang", Name: "stdlib", Version: strings.TrimPrefix(info.GoVersion, "go"), Source: name}}
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		for m.Replace != nil {
			m = m.Replace
		}
		if m.Path != "" {
			out = append(out, Package{Kind: "golang", Name: m.Path, Version: strings.TrimPrefix(m.Version, "(devel)"), Source: name})
		}
	}
	return out, nil
}
