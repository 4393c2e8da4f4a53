package rules

import (
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/specbuild/specbuild/planner/secretscan"
	"github.com/specbuild/specbuild/spec"
)

// copiedFile is a file of a context; several copies and platforms that take
// it share one look.
type copiedFile struct {
	context spec.Addr
	path    string
}

// copied looks into the files that copies take. Bind mounts are left alone:
// what they show is in no layer. Files that are credentials by their names
// are secret-file-in-context's.
func (l *literals) copied() {
	found := l.look(l.unknown())
	if len(found) == 0 {
		return
	}
	for _, inst := range l.Instances {
		for _, c := range inst.Copies {
			step, ok := c.Step.(*spec.Copy)
			if !ok {
				continue
			}
			var places []string
			for _, f := range c.Files {
				places = append(places, found[copiedFile{c.Context, f.Path}]...)
			}
			if len(places) > 0 {
				l.found(inst.Body.Addr, or(step.Source.Range, step.Range), "A copied file holds a credential",
					"%s takes files out of %s that hold what has the form of a credential: %s. If it is real, revoke it, and take it out; give a step what it needs by mount \"secret\". What is none can be left out by `exclude`.",
					inst.Body.Addr.Local(), c.Context.Local(), few(places))
			}
		}
	}
}

// unread is a file that has to be looked into.
type unread struct {
	copiedFile
	text  func(path string) ([]byte, error)
	stamp secretscan.Stamp
}

// unknown are the files that nothing is known of, each once. Those that need
// no look by their names are remembered too: to look at 50,000 names costs
// 20 ms.
func (l *literals) unknown() (out []unread, names []secretscan.Stamp) {
	const shortest = 16 // bytes of any credential
	seen := map[copiedFile]bool{}
	for _, inst := range l.Instances {
		for _, c := range inst.Copies {
			if _, ok := c.Step.(*spec.Copy); !ok || c.Text == nil {
				continue
			}
			for _, f := range c.Files {
				file := copiedFile{c.Context, f.Path}
				if f.Size < shortest || f.Size > MaxText || f.Literal || l.Looked != nil && l.Looked.Clean(f.Stamp) || seen[file] {
					continue
				}
				seen[file] = true
				if secretFile(f.Path) || secretscan.Skips(f.Path) {
					names = append(names, f.Stamp)
					continue
				}
				out = append(out, unread{file, c.Text, f.Stamp})
			}
		}
	}
	return out, names
}

// look scans files on all cores. The result is places, "app.conf:3
// (github-pat)"; of what cannot be read there are none: that is the build's to
// report.
func (l *literals) look(files []unread, clean []secretscan.Stamp) map[copiedFile][]string {
	places, read := make([][]string, len(files)), make([]bool, len(files))
	scanner := l.scanner()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(len(files), runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(files)); i = next.Add(1) - 1 {
				if text, err := files[i].text(files[i].path); err == nil {
					places[i], read[i] = scanned(scanner, files[i].path, string(text)), true
				}
			}
		})
	}
	wg.Wait()
	out := map[copiedFile][]string{}
	for i, f := range files {
		if len(places[i]) > 0 {
			out[f.copiedFile] = places[i]
		} else if read[i] {
			clean = append(clean, f.stamp)
		}
	}
	if l.Looked != nil && len(clean) > 0 {
		_ = l.Looked.Keep(clean) // what is not remembered is read again
	}
	return out
}

// scanned is where a file holds what can be a credential.
func scanned(scanner Scanner, file, text string) []string {
	var out []string
	for _, h := range scanner.Scan(file, text) {
		if credential(h, text) && (h.Rule != secretscan.Generic || settings(file)) {
			out = append(out, fmt.Sprintf("%s:%d (%s)", file, 1+strings.Count(text[:h.Start], "\n"), h.Rule))
		}
	}
	return out
}

// settings reports whether a file is one of names and values. In a program,
// what is called a key and looks random is a test's, or a name itself, far
// more often than a secret: of 99 MB of Go's own sources that was 80 times.
func settings(file string) bool {
	name := strings.ToLower(path.Base(file))
	return strings.HasPrefix(name, ".env") || slices.Contains([]string{
		".env", ".ini", ".conf", ".cfg", ".cnf", ".config", ".properties", ".toml", ".yaml", ".yml", ".json", ".xml", ".tfvars", ".sh",
	}, path.Ext(name))
}
