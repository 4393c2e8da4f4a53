package spec

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// secretsAreNoText refuses a secret whose file is read by file() or
// templatefile() too: the reference cannot become a string, and neither can
// what it stands for. It is asked when all has been read, and by the file, not
// by its name: a link is another name of it.
func (ld *loader) secretsAreNoText() {
	for _, s := range ld.spec.Secrets {
		if !s.File.Set {
			continue
		}
		info, err := statSecret(s.File.V)
		if err != nil {
			continue // who uses it is told that it is not there
		}
		for _, root := range slices.Sorted(maps.Keys(ld.libraries)) {
			if name, ok := ld.libraries[root].BecameText(info); ok {
				ld.diags.Errorf(s.File.Range, "Secret read as text",
					"The file of %s is read as text, too, as %q, and a string is no secret: it would stand in plans, keys and layers. Mount the secret where a step needs it, or read another file.", s.Addr.Local(), name)
				break
			}
		}
	}
}

// statSecret looks at a path of [Secret].File.
func statSecret(name string) (fs.FileInfo, error) {
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, err
		}
		name = filepath.Join(home, rest)
	}
	return os.Stat(name)
}
