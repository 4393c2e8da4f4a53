package rules

import (
	"path"
	"strconv"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// dataFolders are where programs write by custom (FHS 3.0); what lies there
// is the user's own.
var dataFolders = []string{"/home", "/root", "/run", "/tmp", "/var/cache", "/var/lib", "/var/lock", "/var/log", "/var/run", "/var/spool", "/var/tmp", "/data", "/mnt", "/media"}

// ownedApp looks at what is copied or written with an owner. A folder that is
// made for the user is where it is meant to write, and so are volumes, homes
// and what may not be written even by its owner.
func ownedApp(d *docket) {
	for _, img := range d.images() {
		uid, known := d.uid(img)
		if !known || uid == 0 {
			continue
		}
		numbers, data := d.accounts(img)
		for _, inst := range d.chain(img) {
			for _, step := range inst.Body.Steps {
				owner, to, mode := owned(step)
				if !owner.Set || owner.Unknown || to.Unknown || mode.Set && mode.V&0o222 == 0 || liesIn(to.V, data) {
					continue
				}
				name, _, _ := strings.Cut(owner.V, ":")
				n, err := strconv.Atoi(name)
				if of, is := numbers[name]; is {
					n, err = of, nil
				}
				if err != nil || n != uid {
					continue
				}
				d.mend(inst.Body.Addr, owner.Range, &diag.Fix{Range: owner.Range, Replacement: `"0:0"`}, "The user owns the program",
					"%s runs as user %d, which may rewrite %s. Leave `owner` out, so that it belongs to root; what has to be written goes below a `directory` of that user.",
					img.Body.Addr.Local(), uid, to.V)
			}
		}
	}
}

// owned is the owner, the destination and the mode of a step that puts files.
func owned(step spec.Step) (owner, to spec.Attr[string], mode spec.Attr[uint32]) {
	switch t := step.(type) {
	case *spec.Copy:
		return t.Owner, t.To, t.Mode
	case *spec.File:
		return t.Owner, t.Path, t.Mode
	}
	return spec.Attr[string]{}, spec.Attr[string]{}, spec.Attr[uint32]{}
}

// accounts are the numbers of the users that a chain makes, and the folders
// that are there to be written to.
func (d *docket) accounts(img *Instance) (numbers map[string]int, data []string) {
	numbers, data = map[string]int{}, dataFolders
	for _, inst := range d.chain(img) {
		for _, step := range inst.Body.Steps {
			switch t := step.(type) {
			case *spec.User:
				numbers[t.Name] = t.UID.V
				data = append(data[:len(data):len(data)], t.Home.V)
			case *spec.Directory:
				if t.Owner.Set {
					data = append(data[:len(data):len(data)], t.Path.V)
				}
			}
		}
		if inst.Body.Image != nil {
			data = append(data[:len(data):len(data)], inst.Body.Image.Volumes.V...)
		}
	}
	return numbers, data
}

// liesIn reports whether a path is one of the folders or below.
func liesIn(p string, folders []string) bool {
	p = path.Clean(p)
	for _, dir := range folders {
		if dir = path.Clean(dir); dir != "." && dir != "/" && (p == dir || strings.HasPrefix(p, dir+"/")) {
			return true
		}
	}
	return false
}
