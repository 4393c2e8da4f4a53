package debtest

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"
)

// Package is a package in the making.
type Package struct {
	Name    string
	Version string            // "1" if empty
	Arch    string            // "amd64" if empty
	Fields  string            // further lines of the control file, each ended: "Depends: b\n"
	Files   map[string]string // content by path without a leading slash; folders come with them
}

func (p Package) withDefaults() Package {
	p.Version, p.Arch = cmp.Or(p.Version, "1"), cmp.Or(p.Arch, "amd64")
	return p
}

// control is the part of the control file that indexes repeat.
func (p Package) control() string {
	return fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: Test <test@example.com>\n%s", p.Name, p.Version, p.Arch, p.Fields)
}

// Deb is the archive file, the same bytes each time.
func (p Package) Deb() ([]byte, error) {
	p = p.withDefaults()
	control, err := tarball(map[string]string{"control": p.control() + "Description: a package of a test\n"})
	if err != nil {
		return nil, err
	}
	data, err := tarball(p.Files)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("!<arch>\n")
	for _, m := range []struct {
		name string
		data []byte
	}{{"debian-binary", []byte("2.0\n")}, {"control.tar.gz", control}, {"data.tar.gz", data}} {
		fmt.Fprintf(&b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", m.name, 0, 0, 0, "100644", len(m.data))
		b.Write(m.data)
		if len(m.data)%2 == 1 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes(), nil
}

// tarball is a gzipped tar of files and the folders that they lie in, as
// dpkg-deb writes it: "./" first, each folder before what it holds.
func tarball(files map[string]string) ([]byte, error) {
	folders := map[string]bool{".": true}
	for name := range files {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			folders[dir] = true
		}
	}
	names := slices.Concat(slices.Collect(maps.Keys(folders)), slices.Collect(maps.Keys(files)))
	slices.Sort(names)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, name := range names {
		h := &tar.Header{Name: "./" + name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(files[name])), ModTime: time.Unix(1e9, 0)}
		switch {
		case name == ".":
			h.Name, h.Typeflag, h.Mode = "./", tar.TypeDir, 0o755
		case folders[name]:
			h.Name, h.Typeflag, h.Mode = "./"+name+"/", tar.TypeDir, 0o755
		case path.Base(path.Dir(name)) == "bin":
			h.Mode = 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write([]byte(files[name])); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
