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
	texts := map[copiedFile]func(string) ([]byte, error){}
	l.eachCopied(func(_ spec.Addr, c Copied, _ *spec.Copy, f File) {
		texts[copiedFile{c.Context, f.Path}] = c.Text
	})
	found := l.look(texts)
	if len(found) == 0 {
		return
	}
	type step struct {
		addr spec.Addr
		copy *spec.Copy
	}
	holds, contexts := map[step][]string{}, map[step]spec.Addr{}
	var order []step
	l.eachCopied(func(addr spec.Addr, c Copied, cp *spec.Copy, f File) {
		s := step{addr, cp}
		if places := found[copiedFile{c.Context, f.Path}]; len(places) > 0 {
			if holds[s] == nil {
				order = append(order, s)
			}
			contexts[s] = c.Context
			for _, p := range places {
				if !slices.Contains(holds[s], p) { // one body may serve several platforms
					holds[s] = append(holds[s], p)
				}
			}
		}
	})
	for _, s := range order {
		l.docket.found(s.addr, or(s.copy.Source.Range, s.copy.Range), "A copied file holds a credential",
			"%s takes files out of %s that hold what has the form of a credential: %s. If it is real, revoke it, and take it out; give a step what it needs by mount \"secret\". What is none can be left out by `exclude`.",
			s.addr.Local(), contexts[s].Local(), few(holds[s]))
	}
}

// eachCopied calls visit for each file whose content is to be looked at.
func (d *docket) eachCopied(visit func(spec.Addr, Copied, *spec.Copy, File)) {
	const shortest = 16 // bytes of any credential
	for _, inst := range d.Instances {
		for _, c := range inst.Copies {
			step, ok := c.Step.(*spec.Copy)
			if !ok || c.Text == nil {
				continue
			}
			for _, f := range c.Files {
				if f.Size >= shortest && f.Size <= MaxText && !f.Literal && !secretFile(f.Path) && !secretscan.Skips(f.Path) {
					visit(inst.Body.Addr, c, step, f)
				}
			}
		}
	}
}

// look scans files on all cores. The result is places, "app.conf:3
// (github-pat)". A file that cannot be read is the build's to report.
func (l *literals) look(texts map[copiedFile]func(string) ([]byte, error)) map[copiedFile][]string {
	files := make([]copiedFile, 0, len(texts))
	for f := range texts {
		files = append(files, f)
	}
	places := make([][]string, len(files))
	scanner := l.scanner()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(len(files), runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(files)); i = next.Add(1) - 1 {
				f := files[i]
				text, err := texts[f](f.path)
				if err != nil || text == nil {
					continue
				}
				places[i] = scanned(scanner, f.path, string(text))
			}
		})
	}
	wg.Wait()
	out := map[copiedFile][]string{}
	for i, f := range files {
		if len(places[i]) > 0 {
			out[f] = places[i]
		}
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
