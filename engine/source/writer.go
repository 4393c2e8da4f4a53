package source

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// Writer fills an empty folder with the files of a context that was fetched:
// a commit, or what an archive holds. It makes nothing outside the folder,
// whatever paths and links it is given: names are checked, and every file is
// opened below the folder's descriptor.
//
// What it leaves is as a checkout: files 0644 or 0755, folders 0755, links as
// they are, and all files of one time.
type Writer struct {
	root *os.Root
	when time.Time
	made map[string]bool // folders
}

// NewWriter opens the folder; when is what the files' times will be.
func NewWriter(dir string, when time.Time) (*Writer, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the folder of a fetched context: %w", err)
	}
	return &Writer{root: root, when: when, made: map[string]bool{".": true}}, nil
}

// Close ends the writing.
func (w *Writer) Close() error { return w.root.Close() }

// Folder makes a folder, and those above it; one that is there is no error.
func (w *Writer) Folder(name string) error {
	local, err := localName(name)
	if err != nil {
		return err
	}
	return w.folder(path.Clean(local))
}

func (w *Writer) folder(name string) error {
	if w.made[name] {
		return nil
	}
	if err := w.folder(path.Dir(name)); err != nil {
		return err
	}
	if err := w.root.Mkdir(filepath.FromSlash(name), 0o755); err != nil {
		return fmt.Errorf("make %s: %w", name, plainReason(err))
	}
	w.made[name] = true
	return nil
}

// File writes a file; a name that comes twice is an error.
func (w *Writer) File(name string, exec bool, content io.Reader) (err error) {
	name, err = w.place(name)
	if err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if exec {
		mode = 0o755
	}
	f, err := w.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return fmt.Errorf("make %s: %w", name, plainReason(err))
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.Copy(f, content); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	// Chmod: the process's umask may have taken the x bits.
	if err := f.Chmod(mode); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return w.root.Chtimes(name, w.when, w.when)
}

// Link makes a symbolic link with its target as it is. That it may lead
// outside harms nobody: links are copied as links, and a source that is one is
// followed only inside its context.
func (w *Writer) Link(name, target string) error {
	name, err := w.place(name)
	if err != nil {
		return err
	}
	if err := w.root.Symlink(target, name); err != nil {
		return fmt.Errorf("link %s: %w", name, plainReason(err))
	}
	return nil
}

// Same makes a second name of a file that was written, for archives with hard
// links.
func (w *Writer) Same(name, first string) error {
	name, err := w.place(name)
	if err != nil {
		return err
	}
	if first, err = localName(first); err != nil {
		return err
	}
	if err := w.root.Link(filepath.FromSlash(first), name); err != nil {
		return fmt.Errorf("link %s: %w", name, plainReason(err))
	}
	return nil
}

// place checks a name and makes the folders above it. One of them that is a
// link, or a file, is an error there: a hostile tree may hold both under one
// name.
func (w *Writer) place(name string) (string, error) {
	local, err := localName(name)
	if err != nil {
		return "", err
	}
	return filepath.FromSlash(local), w.folder(path.Dir(local))
}

// localName refuses names that a tree cannot have.
func localName(name string) (string, error) {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." || strings.ContainsRune(part, 0) {
			return "", fmt.Errorf("the path %q is not inside the tree", name)
		}
	}
	if !filepath.IsLocal(filepath.FromSlash(name)) { // a drive or a device name of Windows
		return "", fmt.Errorf("the path %q is not inside the tree", name)
	}
	return name, nil
}

// plainReason is what the system says, without the call and the path: the
// message names the path already.
func plainReason(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	var le *os.LinkError
	if errors.As(err, &le) {
		return le.Err
	}
	return err
}
