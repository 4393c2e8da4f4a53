package source

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// meta is what an lstat says. There is no inode and no change time here, so
// the index tells files apart by size and modification time alone.
type meta struct {
	dev, ino     uint64
	mode         uint32
	size         int64
	mtime, ctime int64 // nanoseconds
}

func (m meta) kind() kind { return kindOfType(fs.FileMode(m.mode).Type()) }

// exec is never set: there is no such bit.
func (m meta) exec() bool { return false }

func metaOf(info fs.FileInfo) meta {
	t := info.ModTime().UnixNano()
	return meta{mode: uint32(info.Mode()), size: info.Size(), mtime: t, ctime: t}
}

var errIsLink = errors.New("a link is on the way")

// folder is an open directory; os.Root keeps everything below it.
type folder struct{ r *os.Root }

func openRoot(dir string) (*folder, error) {
	r, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &folder{r}, nil
}

// close closes the folder; of none it is nothing.
func (d *folder) close() {
	if d != nil {
		d.r.Close()
	}
}

// noLinks refuses a path through a link. One that is swapped in afterwards
// leads somewhere inside the folder at worst: os.Root sees to that.
func (d *folder) noLinks(rel string) error {
	at := ""
	for _, name := range components(rel) {
		at = join(at, name)
		info, err := d.r.Lstat(filepath.FromSlash(at))
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return &fs.PathError{Op: "open", Path: rel, Err: errIsLink}
		}
	}
	return nil
}

func (d *folder) open(rel string) (*folder, error) {
	if err := d.noLinks(rel); err != nil {
		return nil, err
	}
	r, err := d.r.OpenRoot(filepath.FromSlash(rel))
	if err != nil {
		return nil, err
	}
	return &folder{r}, nil
}

func (d *folder) file(rel string) (*os.File, error) {
	if err := d.noLinks(rel); err != nil {
		return nil, err
	}
	return d.r.Open(filepath.FromSlash(rel))
}

func (d *folder) lstat(name string) (meta, error) {
	info, err := d.r.Lstat(name)
	if err != nil {
		return meta{}, err
	}
	return metaOf(info), nil
}

func (d *folder) readlink(name string) (string, error) {
	target, err := d.r.Readlink(name)
	return filepath.ToSlash(target), err
}

func (d *folder) names() ([]name, error) {
	f, err := d.r.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list, err := f.ReadDir(-1)
	names := make([]name, len(list))
	for i, e := range list {
		names[i] = name{e.Name(), kindOfType(e.Type())}
	}
	return names, err
}

func statFile(f *os.File) (meta, error) {
	info, err := f.Stat()
	if err != nil {
		return meta{}, err
	}
	return metaOf(info), nil
}

func isLink(err error) bool { return errors.Is(err, errIsLink) }

func untimely(string) bool { return false }

// mapFile reads the file: mapping would keep it from being replaced.
func mapFile(f *os.File, size int) (data []byte, unmap func(), err error) {
	data = make([]byte, size)
	_, err = f.ReadAt(data, 0)
	return data, func() {}, err
}

// lockFile does nothing here: of two writers of an index the last one wins.
func lockFile(*os.File) error { return nil }
