package attest

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/engine"
)

// Contents are the packages that an image was found to have, beside what its
// base brings: a base that is only pushed on is not pulled for it.
type Contents struct {
	Packages []Package `json:"packages,omitempty"` // sorted
	Distro   string    `json:"distro,omitempty"`   // the word of os-release, "debian"
	Dpkg     bool      `json:"dpkg,omitempty"`     // there is a database of dpkg: what it lacks is not installed
	Unread   []string  `json:"unread,omitempty"`   // databases that nobody here can read
}

// Package is one installed package or module.
type Package struct {
	Kind    string `json:"kind"` // "deb", "apk" or "golang"
	Name    string `json:"name"`
	Version string `json:"version"`
	Arch    string `json:"arch,omitempty"`   // the distribution's word
	Source  string `json:"source,omitempty"` // the file that says so, absolute
}

// Records remember small facts by a key; a store of the cache is one.
type Records interface {
	Record(kind, key string) (value string, ok bool)
	PutRecord(kind, key, value string) error
}

// scanKind is how a scan is remembered: another number where another scan
// would find something else.
const scanKind = "contents1"

// maxDatabase is the most of a database that is read; Debian's with 40,000
// packages has half of it.
const maxDatabase = 64 << 20

// Scan reads the layers that were made here for the databases of dpkg and apk
// and for programs of Go, which carry the modules they were linked from. What
// was found is remembered by the layers.
func Scan(ctx context.Context, img engine.Image, memory Records) (Contents, error) {
	var layers []engine.Layer
	for _, l := range img.Layers {
		if l.Origin() == "" {
			layers = append(layers, l)
		}
	}
	var key strings.Builder
	for _, l := range layers {
		key.WriteString(l.DiffID())
	}
	if value, ok := memory.Record(scanKind, key.String()); ok {
		var c Contents
		if json.Unmarshal([]byte(value), &c) == nil {
			return c, nil
		}
	}
	s := scan{files: map[string]found{}}
	for _, l := range layers {
		if err := s.layer(ctx, l); err != nil {
			return Contents{}, fmt.Errorf("reading the layer %s for what is in it: %w", l.DiffID(), err)
		}
	}
	c := s.contents()
	value, err := json.Marshal(c)
	if err != nil {
		return Contents{}, err
	}
	return c, memory.PutRecord(scanKind, key.String(), string(value))
}

// scan holds what the layers so far have left, by path.
type scan struct{ files map[string]found }

// found is what one file says.
type found struct {
	packages []Package
	distro   string
	dpkg     bool
	unread   bool
}

func (s *scan) layer(ctx context.Context, l engine.Layer) error {
	r, err := l.Tar(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	tr := tar.NewReader(r)
	for ctx.Err() == nil {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.entry(h, tr); err != nil {
			return fmt.Errorf("/%s: %w", h.Name, err)
		}
	}
	return ctx.Err()
}

// entry applies one entry: whatever has its path is no longer what it was.
func (s *scan) entry(h *tar.Header, r io.Reader) error {
	name := path.Clean("/" + h.Name)
	dir, base := path.Split(name)
	switch {
	case base == ".wh..wh..opq":
		s.remove(dir, false)
		return nil
	case strings.HasPrefix(base, ".wh."):
		s.remove(dir+strings.TrimPrefix(base, ".wh."), true)
		return nil
	case h.Typeflag != tar.TypeDir:
		s.remove(name, true)
	}
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	f, err := read(name, h, r)
	if err == nil && (f.packages != nil || f.distro != "" || f.dpkg || f.unread) {
		s.files[name] = f
	}
	return err
}

// remove forgets what is below a path, and what is at it.
func (s *scan) remove(name string, itself bool) {
	if itself {
		delete(s.files, name)
	}
	below := strings.TrimSuffix(name, "/") + "/"
	maps.DeleteFunc(s.files, func(p string, _ found) bool { return strings.HasPrefix(p, below) })
}

// read is what a file says of packages; nothing, for most.
func read(name string, h *tar.Header, r io.Reader) (found, error) {
	dir, base := path.Split(name)
	switch {
	case name == "/var/lib/dpkg/status" || dir == "/var/lib/dpkg/status.d/" && !strings.HasSuffix(base, ".md5sums"):
		data, err := io.ReadAll(io.LimitReader(r, maxDatabase))
		return found{packages: debs(name, data), dpkg: true}, err
	case name == "/lib/apk/db/installed" || name == "/usr/lib/apk/db/installed":
		data, err := io.ReadAll(io.LimitReader(r, maxDatabase))
		return found{packages: apks(name, data)}, err
	case name == "/etc/os-release" || name == "/usr/lib/os-release":
		data, err := io.ReadAll(io.LimitReader(r, 1<<16))
		return found{distro: distroOf(data)}, err
	case strings.HasPrefix(name, "/var/lib/rpm/rpmdb.") || strings.HasPrefix(name, "/usr/lib/sysimage/rpm/rpmdb.") || name == "/var/lib/rpm/Packages":
		return found{unread: true}, nil
	case h.Mode&0o111 != 0 && h.Size >= leastProgram:
		modules, err := program(name, h.Size, r)
		return found{packages: modules}, err
	}
	return found{}, nil
}

func (s *scan) contents() Contents {
	var c Contents
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		f := s.files[name]
		c.Packages = append(c.Packages, f.packages...)
		c.Dpkg = c.Dpkg || f.dpkg
		if c.Distro == "" {
			c.Distro = f.distro
		}
		if f.unread {
			c.Unread = append(c.Unread, name)
		}
	}
	slices.SortFunc(c.Packages, Package.compare)
	c.Packages = slices.CompactFunc(c.Packages, func(x, y Package) bool { return x.compare(y) == 0 })
	return c
}

// compare orders by all but the file: a module that two programs have is one.
func (p Package) compare(q Package) int {
	for _, pair := range [][2]string{{p.Kind, q.Kind}, {p.Name, q.Name}, {p.Version, q.Version}, {p.Arch, q.Arch}} {
		if c := strings.Compare(pair[0], pair[1]); c != 0 {
			return c
		}
	}
	return 0
}

// debs are the installed packages of a status file (deb-control(5), dpkg(1)).
// A paragraph of status.d, of a distroless base, has no Status: it is there.
func debs(source string, data []byte) []Package {
	var out []Package
	for paragraph := range bytes.SplitSeq(data, []byte("\n\n")) {
		f := fields(paragraph, ": ")
		if f["Package"] == "" || f["Status"] != "" && !strings.HasSuffix(f["Status"], " installed") && !strings.HasSuffix(f["Status"], " unpacked") {
			continue
		}
		out = append(out, Package{Kind: "deb", Name: f["Package"], Version: f["Version"], Arch: f["Architecture"], Source: source})
	}
	return out
}

// apks are the installed packages of apk's database (apk-v2 index fields).
func apks(source string, data []byte) []Package {
	var out []Package
	for paragraph := range bytes.SplitSeq(data, []byte("\n\n")) {
		f := fields(paragraph, ":")
		if f["P"] != "" {
			out = append(out, Package{Kind: "apk", Name: f["P"], Version: f["V"], Arch: f["A"], Source: source})
		}
	}
	return out
}

// fields are the first lines of the fields of a paragraph; of a name that
// comes twice, as apk's do for each file, the first.
func fields(paragraph []byte, separator string) map[string]string {
	out := map[string]string{}
	for line := range bytes.Lines(paragraph) {
		name, value, ok := strings.Cut(string(bytes.TrimRight(line, "\n")), separator)
		if _, twice := out[name]; ok && !twice && !strings.HasPrefix(name, " ") {
			out[name] = strings.TrimSpace(value)
		}
	}
	return out
}

// distroOf is ID of os-release(5).
func distroOf(data []byte) string {
	for line := range bytes.Lines(data) {
		if id, ok := strings.CutPrefix(string(bytes.TrimSpace(line)), "ID="); ok {
			return strings.Trim(id, `"'`)
		}
	}
	return ""
}
