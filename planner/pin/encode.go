package pin

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// header is the first line. Its number rises when a reader of the old form
// would misread the new one.
const header = "specbuild-lock 1"

// noPlatform stands in the column of platforms for facts that have none.
const noPlatform = "-"

// The kinds of lines. Each line is: kind, key, platform (or architecture),
// then values.
const (
	kindBase    = "base"
	kindRelease = "release"
	kindPackage = "package"
	kindClosure = "closure"
	kindGit     = "git"
	kindHTTP    = "http"
	kindModule  = "module"
)

// Encode writes the lock: one line a fact, sorted bytewise, so that it
// merges and diffs line by line.
func (l Lock) Encode() []byte {
	var w writer
	for key, b := range l.Bases {
		w.base(key, b)
	}
	for key, r := range l.Repositories {
		w.repository(key, r)
	}
	w.remotes(l)
	slices.Sort(w.lines)
	var out bytes.Buffer
	out.WriteString(header + "\n")
	for _, line := range w.lines {
		out.WriteString(line)
		out.WriteByte('\n')
	}
	return out.Bytes()
}

type writer struct{ lines []string }

func (w *writer) line(fields ...string) {
	var s strings.Builder
	for i, f := range fields {
		if i > 0 {
			s.WriteByte(' ')
		}
		if bare(f) {
			s.WriteString(f)
		} else {
			s.WriteString(strconv.Quote(f))
		}
	}
	w.lines = append(w.lines, s.String())
}

// bare reports whether a value reads the same without quotes.
func bare(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '"' || c == '\\' || c >= 0x7f {
			return false
		}
	}
	return s != ""
}

func (w *writer) base(key string, b Base) {
	w.line(kindBase, key, noPlatform, "index", b.Digest, b.MediaType)
	for p, d := range b.Manifests {
		w.line(kindBase, key, p, "manifest", d)
	}
	w.signed(key, b.Signed)
	for p, f := range b.Facts {
		w.line(kindBase, key, p, "config", f.Config)
		w.line(kindBase, key, p, "user", strconv.Itoa(f.UID), strconv.Itoa(f.GID))
		if f.Passwd != "" {
			w.line(kindBase, key, p, "passwd", f.Passwd)
		}
		if f.Group != "" {
			w.line(kindBase, key, p, "group", f.Group)
		}
		for i, y := range f.Layers {
			w.line(kindBase, key, p, "layer", fmt.Sprintf("%03d", i), y.Digest, y.DiffID, y.MediaType, strconv.FormatInt(y.Size, 10))
		}
		for i, s := range f.Shape {
			w.line(kindBase, key, p, "shape", fmt.Sprintf("%04d", i), s)
		}
	}
}

func (w *writer) repository(key string, r Repository) {
	for _, rel := range r.Releases {
		w.line(kindRelease, key, noPlatform, rel.Source, rel.Suite, rel.Date, rel.Digest)
	}
	for arch, ps := range r.Packages {
		for _, p := range ps {
			w.line(kindPackage, key, arch, p.Name, p.Version, p.Arch, p.Source, p.Path, strconv.FormatInt(p.Size, 10), p.SHA256)
		}
	}
	for _, c := range r.Closures {
		fields := []string{kindClosure, key, c.Arch, c.Request.String(), joinRequests(c.Below)}
		for _, p := range c.Packages {
			fields = append(fields, packageName(r.Packages[c.Arch], p))
		}
		w.line(fields...)
	}
}

// packageName is a closure's word for a package: its name alone where the
// lock has one version of it, so that an upgrade of one package changes one
// line.
func packageName(all []Package, p Package) string {
	i, _ := slices.BinarySearchFunc(all, p.Name, func(q Package, name string) int { return strings.Compare(q.Name, name) })
	if i+1 < len(all) && all[i+1].Name == p.Name {
		return p.Name + "=" + p.Version
	}
	return p.Name
}

// Write replaces the lock file in the folder dir: the new bytes are complete
// under another name before they take the place of the old ones.
func Write(dir string, l Lock) error {
	tmp, err := os.CreateTemp(dir, ".specbuild.lock-*")
	if err != nil {
		return fmt.Errorf("write the lock: %w", err)
	}
	defer os.Remove(tmp.Name()) // gone already when all went well
	_, err = tmp.Write(l.Encode())
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(dir, FileName))
	}
	if err != nil {
		return fmt.Errorf("write the lock: %w", err)
	}
	return nil
}
