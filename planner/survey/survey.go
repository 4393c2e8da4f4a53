// Package survey looks at the files of a finished image once and keeps what
// rules and policies ask about them: [Root] → [Facts], small, bounded, and
// plain enough to be written down.
package survey

import (
	"fmt"
	"iter"
)

// Format is the version of [Facts] and of how they are found out. Facts that
// another version has written down are not its own.
const Format = 2

// Most is how many files a list of [Facts] holds at most. An image with more
// is broken in one way, not in a thousand.
const Most = 500

// Root is the merged files of an image. Paths are absolute and clean.
type Root interface {
	// Files gives every file and folder once, parents first, no link followed.
	Files() iter.Seq[File]
	// Resolve follows the links in all components of a path, the last one too.
	// Where one leads to what is not there, missing is the path that it leads to.
	Resolve(path string) (f File, missing string, ok bool)
	// Head reads the first bytes of a file that Resolve gave. It is nil, without
	// an error, where they are not at hand; whole asks to fetch them then.
	Head(path string, limit int, whole bool) ([]byte, error)
	// Layers are the image's, lowest first.
	Layers() []Layer
}

// Kind is what a file is.
type Kind string

// The kinds; a name of a file is a regular one, further names of it too.
const (
	Regular Kind = "file"
	Folder  Kind = "directory"
	Link    Kind = "symlink"
	Other   Kind = "device"
)

// File is something in the root of an image.
type File struct {
	Path  string `json:"path"`
	Kind  Kind   `json:"type"`
	Mode  Mode   `json:"mode"`
	UID   int    `json:"uid"`
	GID   int    `json:"gid"`
	Size  int64  `json:"size"`           // bytes; of a folder that is found as one, all below it
	What  string `json:"what,omitempty"` // what it is taken for: "apt's index"
	Layer int    `json:"layer"`          // that it comes from, counted from the lowest, 0
}

// Mode is permission bits with setuid, setgid and sticky: 07777 at most.
type Mode uint32

// String is the mode as chmod takes it, four octal digits.
func (m Mode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// Layer is one layer of the image.
type Layer struct {
	DiffID string `json:"diff_id"`
	Size   int64  `json:"size"`   // bytes of its files
	Wasted int64  `json:"wasted"` // of those, bytes that layers above delete or replace, but for a base's own
	Base   bool   `json:"base"`   // of the image that it is built on
}

// Config is the image's configuration, in the words of the language.
type Config struct {
	User       string            `json:"user"` // numbers, "uid" or "uid:gid"; empty is root
	Env        map[string]string `json:"env"`
	Entrypoint []string          `json:"entrypoint"`
	Cmd        []string          `json:"cmd"`
	Workdir    string            `json:"workdir"`
	Ports      []string          `json:"ports"` // "8080/tcp"
	Volumes    []string          `json:"volumes"`
	Labels     map[string]string `json:"labels"`
	StopSignal string            `json:"stop_signal"`
}

// Facts is what is known of a finished image on one platform.
type Facts struct {
	Platform string  `json:"platform"`
	Config   Config  `json:"config"`
	Size     int64   `json:"size"`   // bytes of all files of all layers
	Wasted   int64   `json:"wasted"` // of those, what layers above delete or replace
	Count    int     `json:"count"`  // files and folders in the root
	Layers   []Layer `json:"layers"`
	Setuid   []File  `json:"setuid"`   // programs that run as their owner or group, whoever starts them
	Writable []File  `json:"writable"` // by everybody: files, and folders without the sticky bit
	Left     []File  `json:"leftovers"`
	Caches   []File  `json:"package_caches"`
	Users    []User  `json:"users"`
	Groups   []Group `json:"groups"`
	Start    Start   `json:"start"`
}

// Take looks at the files of an image. Errors are Root's.
func Take(platform string, c Config, root Root) (Facts, error) {
	f := Facts{Platform: platform, Config: c, Layers: root.Layers()}
	for _, l := range f.Layers {
		f.Size, f.Wasted = f.Size+l.Size, f.Wasted+l.Wasted
	}
	var leftovers gathering
	for file := range root.Files() {
		f.Count++
		if file.Privileged() {
			f.Setuid = add(f.Setuid, file)
		}
		if file.Open() {
			f.Writable = add(f.Writable, file)
		}
		leftovers.look(c, file)
	}
	f.Left, f.Caches = leftovers.left(root), leftovers.caches
	var err error
	if f.Users, f.Groups, err = accounts(root); err != nil {
		return Facts{}, err
	}
	f.Start, err = start(platform, c, root)
	return f, err
}

func add(list []File, f File) []File {
	if len(list) == Most {
		return list
	}
	return append(list, f)
}

// Privileged reports whether starting a file gives the rights of its owner or
// group. Without the x bit the bit means nothing, or, of a group, locking; on
// a folder, that new files get its group.
func (f File) Privileged() bool {
	return f.Kind == Regular && (f.Mode&04000 != 0 && f.Mode&0111 != 0 || f.Mode&02010 == 02010)
}

// Open reports whether everybody may write. In a folder with the sticky bit,
// such as /tmp, nobody can touch what belongs to others; the modes of links
// and devices say nothing about what is behind them.
func (f File) Open() bool {
	return f.Mode&0002 != 0 && (f.Kind == Regular || f.Kind == Folder && f.Mode&01000 == 0)
}
