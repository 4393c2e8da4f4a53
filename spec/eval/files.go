package eval

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
)

// MaxFile is the largest file that file() and its like read, 4 MiB.
const MaxFile = maxString

// Input is one thing of the file system that a spec's meaning depends on.
type Input struct {
	Name   string // from the workspace's root: "//services/web/build.sh"
	Glob   string // the pattern of a fileset over the folder Name; empty for a file
	Digest string // "sha256:…" of the file's bytes, or of the fileset's names, one a line
	Size   int64  // bytes; for a fileset the number of names
}

// Files reads the files of one workspace for expressions. Each is read once,
// so an evaluation never sees two contents of one file, and is kept as an
// input. Nothing outside the workspace is reached, through symbolic links
// neither. It is safe for use by several goroutines.
type Files struct {
	root *os.Root

	mu    sync.Mutex
	read  map[string]readFile
	globs map[globKey][]string
}

type readFile struct {
	data []byte
	err  error
	text bool // it became a string
}

type globKey struct{ dir, pattern string }

// OpenFiles opens the workspace whose root is the folder dir. Close it when
// nothing is evaluated any more.
func OpenFiles(dir string) (*Files, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the workspace: %w", err)
	}
	return &Files{root: root, read: map[string]readFile{}, globs: map[globKey][]string{}}, nil
}

// Close releases the workspace's folder. Inputs stays valid.
func (f *Files) Close() error { return f.root.Close() }

// Inputs is everything that was read, by name. What could not be read is not
// in it.
func (f *Files) Inputs() []Input {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Input
	for name, r := range f.read {
		if r.err == nil {
			out = append(out, Input{Name: "//" + name, Digest: digest(r.data), Size: int64(len(r.data))})
		}
	}
	for k, names := range f.globs {
		out = append(out, Input{
			Name: "//" + strings.TrimPrefix(k.dir, "."), Glob: k.pattern,
			Digest: digest([]byte(strings.Join(names, "\n"))), Size: int64(len(names)),
		})
	}
	slices.SortFunc(out, func(a, b Input) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Glob, b.Glob))
	})
	return out
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Resolve is the path below the workspace's root of what a file in the folder
// dir (below the root too, "." for itself) calls name: relative to dir, or to
// the root if it starts with "//".
func Resolve(dir, name string) (string, error) {
	if name == "" {
		return "", errors.New("the path is empty")
	}
	if strings.ContainsRune(name, 0) {
		return "", errors.New("the path holds a NUL character")
	}
	var p string
	switch {
	case strings.HasPrefix(name, "//"):
		p = path.Clean("./" + strings.TrimLeft(name, "/"))
	case strings.HasPrefix(name, "/"):
		return "", fmt.Errorf("%q is absolute; write it relative to this file's folder, or from the workspace's root as \"/%s\"", name, name)
	default:
		p = path.Join(dir, name)
	}
	if p == ".." || strings.HasPrefix(p, "../") {
		return "", fmt.Errorf("%q leads out of the workspace, which begins at the folder of specbuild.hcl, or without one at this spec's: put that file, even an empty one, into the folder that holds both", name)
	}
	return p, nil
}

// Read is the bytes of a file by its path below the root, as [Resolve] gives
// it. They must not be changed.
func (f *Files) Read(name string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, ok := f.read[name]
	if !ok {
		r.data, r.err = f.load(name)
		f.read[name] = r
	}
	return r.data, r.err
}

// Text is Read for a file that must be UTF-8.
func (f *Files) Text(name string) (string, error) {
	b, err := f.Read(name)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(b) {
		return "", fmt.Errorf("%q is not UTF-8, so it cannot be a string; copy it by a copy step instead", "//"+name)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.read[name]
	r.text = true
	f.read[name] = r
	return string(b), nil
}

// BecameText tells whether a file became a string, by whatever name and
// through whatever link it was read, and gives the first of its names.
func (f *Files) BecameText(file fs.FileInfo) (name string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range slices.Sorted(maps.Keys(f.read)) {
		if !f.read[n].text {
			continue
		}
		if info, err := f.root.Stat(n); err == nil && os.SameFile(info, file) {
			return "//" + n, true
		}
	}
	return "", false
}

func (f *Files) load(name string) ([]byte, error) {
	// A FIFO would block the open, so the kind is asked before.
	info, err := f.root.Stat(name)
	if err != nil {
		return nil, said(name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is not a regular file", "//"+name)
	}
	file, err := f.root.Open(name)
	if err != nil {
		return nil, said(name, err)
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, MaxFile+1))
	if err != nil {
		return nil, said(name, err)
	}
	if len(b) > MaxFile {
		return nil, fmt.Errorf("%q is larger than %d bytes, the most that an expression reads", "//"+name, MaxFile)
	}
	return b, nil
}

// said is an error of the file system in words that hold no path of this
// machine.
func said(name string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no file %q", "//"+name)
	case strings.Contains(err.Error(), "escapes"): // os.Root has no error value for it
		return fmt.Errorf("%q is a link that leads out of the workspace", "//"+name)
	default:
		return fmt.Errorf("reading %q: %w", "//"+name, err)
	}
}

// Glob is the regular files below the folder dir whose path from there
// matches the pattern (doublestar's language), sorted.
func (f *Files) Glob(dir, pattern string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := globKey{dir, pattern}
	if names, ok := f.globs[key]; ok {
		return names, nil
	}
	if !doublestar.ValidatePattern(pattern) {
		return nil, fmt.Errorf("the pattern %q is not valid", pattern)
	}
	if strings.HasPrefix(pattern, "/") || slices.Contains(strings.Split(pattern, "/"), "..") {
		return nil, fmt.Errorf("the pattern %q must lie below the folder, without \"..\"", pattern)
	}
	if info, err := f.root.Stat(dir); err != nil {
		return nil, said(dir, err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%q is not a folder", "//"+dir)
	}
	sub, err := fs.Sub(f.root.FS(), dir)
	if err != nil {
		return nil, said(dir, err)
	}
	names, err := globFiles(sub, pattern)
	if err != nil {
		return nil, said(dir, err)
	}
	f.globs[key] = names
	return names, nil
}

// globFiles follows a link to a file inside the workspace, and passes over
// one that leads out or nowhere, as Terraform's fileset does.
func globFiles(fsys fs.FS, pattern string) ([]string, error) {
	var names []string
	err := doublestar.GlobWalk(fsys, pattern, func(name string, d fs.DirEntry) error {
		if !d.Type().IsRegular() {
			if d.Type()&fs.ModeSymlink == 0 {
				return nil
			}
			if info, err := fs.Stat(fsys, name); err != nil || !info.Mode().IsRegular() {
				return nil
			}
		}
		if len(names) == maxElements {
			return fmt.Errorf("the pattern %q matches more than %d files", pattern, maxElements)
		}
		names = append(names, name)
		return nil
	})
	slices.Sort(names)
	return slices.Compact(names), err
}
