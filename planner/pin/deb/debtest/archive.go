// Package debtest makes Debian archives for tests: small packages, their
// indexes and a signature by a key that nobody else has, as a folder that any
// web server can serve. Nothing but the Go toolchain is needed.
package debtest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Suite is what one InRelease describes.
type Suite struct {
	Name       string               // below dists/, and its Codename
	Components map[string][]Package // by name, "main"
	Arches     []string             // of the indexes; amd64 if empty
	Date       time.Time            // an hour ago if zero
	ValidUntil time.Time            // not stated if zero
	Forms      []string             // of each Packages file: "", "gz" or "xz"; xz if empty
	ByHash     bool                 // indexes are found by their digest, and only so
	Detached   bool                 // Release and Release.gpg, and no InRelease
	ArchAll    bool                 // packages of "all" have an index of their own
}

// Write makes an archive in a folder, which may hold one already: its suites
// are replaced, its packages added.
func Write(dir string, key Key, suites ...Suite) error {
	for _, s := range suites {
		if err := s.write(dir, key); err != nil {
			return fmt.Errorf("write suite %s: %w", s.Name, err)
		}
	}
	return nil
}

// tree is files to write, by path.
type tree map[string][]byte

func (s Suite) write(dir string, key Key) error {
	files := tree{}    // below the archive
	indexes := tree{}  // below the suite
	declared := tree{} // in Release, as archives do it: also forms that are not kept
	for component, packages := range s.Components {
		for _, arch := range s.indexed() {
			text, err := s.index(files, component, arch, packages)
			if err != nil {
				return err
			}
			name := component + "/binary-" + arch + "/Packages"
			declared[name] = text
			for _, form := range s.forms() {
				full := strings.TrimSuffix(name+"."+form, ".")
				indexes[full] = pack(form, text)
				declared[full] = indexes[full]
			}
		}
	}
	for name, data := range indexes {
		at := name
		if s.ByHash {
			at = filepath.Join(filepath.Dir(name), "by-hash/SHA256", sum(data))
		}
		files["dists/"+s.Name+"/"+at] = data
	}
	if err := s.sign(files, key, s.release(declared)); err != nil {
		return err
	}
	root := filepath.Join(dir, "dists", s.Name)
	before, _ := os.Stat(root) // none the first time
	if err := os.RemoveAll(root); err != nil {
		return err
	}
	if err := files.write(dir); err != nil {
		return err
	}
	return later(root, before)
}

// later dates a suite after what was there before: HTTP's dates have seconds,
// and within one a server would say that nothing has changed.
func later(root string, before os.FileInfo) error {
	at := time.Now().Add(-time.Hour)
	if before != nil {
		at = before.ModTime().Add(2 * time.Second)
	}
	return filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chtimes(path, at, at)
	})
}

func (s Suite) arches() []string {
	if len(s.Arches) == 0 {
		return []string{"amd64"}
	}
	return s.Arches
}

func (s Suite) indexed() []string {
	if s.ArchAll {
		return append(slices.Clone(s.arches()), "all")
	}
	return s.arches()
}

func (s Suite) forms() []string {
	if len(s.Forms) == 0 {
		return []string{"xz"}
	}
	return s.Forms
}

// index is the Packages file of one architecture; the packages' own files go
// into the archive's pool.
func (s Suite) index(files tree, component, arch string, packages []Package) ([]byte, error) {
	var out bytes.Buffer
	for _, p := range packages {
		p = p.withDefaults()
		everywhere := p.Arch == "all" && !s.ArchAll
		if p.Arch != arch && !everywhere {
			continue
		}
		deb, err := p.Deb()
		if err != nil {
			return nil, err
		}
		path := fmt.Sprintf("pool/%s/%s_%s_%s.deb", component, p.Name, strings.ReplaceAll(p.Version, ":", "%3a"), p.Arch)
		files[path] = deb
		fmt.Fprintf(&out, "%sFilename: %s\nSize: %d\nSHA256: %s\nDescription: a package of a test\n\n", p.control(), path, len(deb), sum(deb))
	}
	return out.Bytes(), nil
}

const stamp = "Mon, 02 Jan 2006 15:04:05 UTC"

func (s Suite) release(declared tree) []byte {
	date := s.Date
	if date.IsZero() {
		date = time.Now().Add(-time.Hour)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "Origin: Test\nSuite: %s\nCodename: %s\nDate: %s\n", s.Name, s.Name, date.UTC().Format(stamp))
	if !s.ValidUntil.IsZero() {
		fmt.Fprintf(&out, "Valid-Until: %s\n", s.ValidUntil.UTC().Format(stamp))
	}
	if s.ByHash {
		out.WriteString("Acquire-By-Hash: yes\n")
	}
	if !s.ArchAll {
		out.WriteString("No-Support-for-Architecture-all: Packages\n")
	}
	fmt.Fprintf(&out, "Architectures: all %s\nComponents: %s\nSHA256:\n", strings.Join(s.arches(), " "),
		strings.Join(slices.Sorted(maps.Keys(s.Components)), " "))
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		fmt.Fprintf(&out, " %s %16d %s\n", sum(declared[name]), len(declared[name]), name)
	}
	return out.Bytes()
}

func (s Suite) sign(files tree, key Key, release []byte) error {
	root := "dists/" + s.Name + "/"
	if s.Detached {
		signature, err := key.detached(release)
		files[root+"Release"], files[root+"Release.gpg"] = release, signature
		return err
	}
	signed, err := key.clear(release)
	files[root+"InRelease"] = signed
	return err
}

func (t tree) write(dir string) error {
	for name, data := range t {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(at, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func sum(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

func pack(form string, data []byte) []byte {
	switch form {
	case "gz":
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write(data) // into memory
		_ = w.Close()
		return b.Bytes()
	case "xz":
		return storeXZ(data)
	}
	return data
}
