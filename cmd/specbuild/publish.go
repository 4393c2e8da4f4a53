package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/attest"
	"github.com/specbuild/specbuild/engine/image"
	"github.com/specbuild/specbuild/engine/layer"
	"github.com/specbuild/specbuild/engine/local"
	"github.com/specbuild/specbuild/engine/progress"
	"github.com/specbuild/specbuild/lower/dag"
)

// output is one -o flag.
type output struct{ kind, path string }

func (o output) String() string { return o.kind + ":" + o.path }

func parseOutputs(flags []string) ([]output, error) {
	var out []output
	for _, f := range flags {
		kind, path, ok := strings.Cut(f, ":")
		if !ok || path == "" || !slices.Contains([]string{"oci", "oci-tar", "docker-tar", "dir", "attest"}, kind) {
			return nil, usagef("-o %s: it must be oci:DIR, oci-tar:FILE, docker-tar:FILE, dir:DIR or attest:DIR", f)
		}
		out = append(out, output{kind, path})
	}
	return out, nil
}

// publisher writes and pushes finished results.
type publisher struct {
	*world
	outputs []output
	push    bool
	attest  bool // what is pushed
	graph   *dag.Graph
	said    map[string][][]attest.Statement // by the image's address and the artifact's digest
	created time.Time
	printer progress.Printer
	names   map[string]string // of images in layouts, by address
	made    []*image.Artifact // of the results, once they are assembled
}

// forms are those in which layers will be asked for: an image's digest is that
// of its compressed layers, wherever it goes; a folder and a bill of materials
// are made of tars.
func (p *publisher) forms() local.Forms {
	folder := func(o output) bool { return o.kind == "dir" }
	return local.Forms{Compressed: true, Tar: p.attests() || slices.ContainsFunc(p.outputs, folder)}
}

// published is an image as it was written: also apply's JSON.
type published struct {
	Address   string              `json:"address"`
	Digest    string              `json:"digest"`
	MediaType string              `json:"mediaType"`
	Platforms []publishedPlatform `json:"platforms"`
	Outputs   []publishedOutput   `json:"outputs,omitempty"`
}

type publishedPlatform struct {
	Platform string `json:"platform"`
	Digest   string `json:"digest"`
	Layers   int    `json:"layers"`
	Size     int64  `json:"size"` // compressed bytes of all layers
}

type publishedOutput struct {
	Where string `json:"where"` // the -o flag's value, or the tag
	State string `json:"state"` // "written", "unchanged", "pushed" or "up to date"
}

func (p *publisher) publish(ctx context.Context, results []engine.Result) ([]published, error) {
	if err := p.fits(results); err != nil {
		return nil, err
	}
	p.names = layoutNames(results)
	made, err := p.assemble(ctx, results)
	if err != nil {
		return nil, err
	}
	var done []published
	for i, r := range results {
		a := made[i]
		d, err := describe(r, a)
		if err != nil {
			return nil, err
		}
		for _, o := range p.outputs {
			state, err := p.write(ctx, o, r, a)
			if err != nil {
				return nil, fmt.Errorf("writing %s: %w", o, err)
			}
			d.Outputs = append(d.Outputs, publishedOutput{o.String(), state})
		}
		if p.push {
			pushed, err := p.pushAll(ctx, r, a)
			if err != nil {
				return nil, err
			}
			d.Outputs = append(d.Outputs, pushed...)
		}
		done = append(done, d)
	}
	return done, nil
}

// assemble makes all images, and what will be said about them, before any of
// them is written: a secret in one of them stops all.
func (p *publisher) assemble(ctx context.Context, results []engine.Result) ([]*image.Artifact, error) {
	if p.made != nil {
		return p.made, nil
	}
	made := make([]*image.Artifact, len(results))
	for i, r := range results {
		a, err := image.Assemble(ctx, r, image.Options{Created: p.created})
		if err != nil {
			return nil, err
		}
		if p.attests() {
			if _, err := p.statements(ctx, r, a); err != nil {
				return nil, err
			}
		}
		made[i] = a
	}
	p.made = made
	return made, nil
}

// fits refuses outputs that hold one image or one platform when there are
// more, before anything is written.
func (p *publisher) fits(results []engine.Result) error {
	for _, o := range p.outputs {
		if o.kind == "oci" || o.kind == "attest" {
			continue
		}
		if len(results) > 1 {
			return fmt.Errorf("-o %s holds one image, and the arguments name %d; name one spec file, or use oci:DIR", o, len(results))
		}
		if o.kind != "oci-tar" && len(results) == 1 && len(results[0].Images) > 1 {
			return fmt.Errorf("-o %s holds one platform, and the image has %s; choose with --platform",
				o, strings.Join(results[0].Output.Platforms, ", "))
		}
	}
	return nil
}

func describe(r engine.Result, a *image.Artifact) (published, error) {
	d := published{Address: r.Output.Addr, Digest: a.Digest, MediaType: a.MediaType}
	for i, img := range a.Images {
		h, err := img.Digest()
		if err != nil {
			return d, err
		}
		m, err := img.Manifest()
		if err != nil {
			return d, err
		}
		p := publishedPlatform{Platform: a.Platforms[i], Digest: h.String(), Layers: len(m.Layers)}
		for _, l := range m.Layers {
			p.Size += l.Size
		}
		d.Platforms = append(d.Platforms, p)
	}
	return d, nil
}

// layoutNames are the names that images get in layouts and archives, by
// address: their own, "web" of "//services/web:image.web", or, where two would
// be called alike, the whole way there, "services/web/web".
func layoutNames(results []engine.Result) map[string]string {
	count, names := map[string]int{}, map[string]string{}
	for _, r := range results {
		names[r.Output.Addr] = shortName(r.Output.Addr)
		count[names[r.Output.Addr]]++
	}
	for addr, name := range names {
		if count[name] > 1 {
			names[addr] = longName(addr)
		}
	}
	return names
}

// shortName is "web", or "web-eu" of an element of for_each.
func shortName(addr string) string {
	local := addr
	for _, kind := range []string{"image.", "stage."} {
		if i := strings.LastIndex(addr, kind); i >= 0 {
			local = addr[i+len(kind):]
		}
	}
	return plainName(local)
}

// longName leaves the words out that all addresses have.
func longName(addr string) string {
	for _, word := range []string{":image.", ":stage.", ":module.", ".module.", ".image.", ".stage."} {
		addr = strings.ReplaceAll(addr, word, "/")
	}
	return plainName(strings.Trim(addr, "/"))
}

// plainName keeps what both the names of layouts (image-spec, annotations.md)
// and those of Docker may hold.
func plainName(s string) string {
	s = strings.NewReplacer(`["`, "-", `"]`, "").Replace(strings.ToLower(s))
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("._-/", r) {
			return r
		}
		return '-'
	}, s)
}

func (p *publisher) write(ctx context.Context, o output, r engine.Result, a *image.Artifact) (string, error) {
	name := p.names[r.Output.Addr]
	switch o.kind {
	case "oci":
		wrote, err := image.WriteLayout(ctx, o.path, a, name)
		if !wrote && err == nil {
			return "unchanged", nil
		}
		return "written", err
	case "attest":
		return "written", p.writeStatements(ctx, o.path, name, r, a)
	case "oci-tar":
		return "written", writeFile(o.path, func(w io.Writer) error { return image.WriteOCITar(ctx, w, a, name) })
	case "docker-tar":
		tags := r.Output.Tags
		if len(tags) == 0 {
			tags = []string{name + ":latest"} // docker load needs a name, and this is not a registry's
		}
		return "written", writeFile(o.path, func(w io.Writer) error {
			return image.WriteDockerTar(ctx, w, a, a.Platforms[0], tags)
		})
	default:
		return "written", writeTree(ctx, o.path, r.Images[0], p.world.machine.users.ordinary())
	}
}

// writeFile makes a file whole or not at all.
func writeFile(path string, fill func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".specbuild-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // nothing is there after the rename
	err = fill(f)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// writeTree unpacks an image into a folder that is empty or not there, with
// its owners unless the caller is an ordinary user.
func writeTree(ctx context.Context, dir string, img engine.Image, ordinary bool) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) > 0 {
		return errors.Join(err, fmt.Errorf("%s is not empty; what is in it is left alone, so name another folder", dir))
	}
	var tocs []*layer.TOC
	var opens []func() (io.ReadCloser, error)
	for _, l := range img.Layers {
		toc, err := readTOC(ctx, l)
		if err != nil {
			return err
		}
		tocs = append(tocs, toc)
		opens = append(opens, func() (io.ReadCloser, error) { return l.Tar(ctx) })
	}
	tree, err := layer.Merge(tocs...)
	if err != nil {
		return err
	}
	// In a namespace, too: the caller could not delete what belongs to others.
	return layer.WriteDir(tree, opens, dir, layer.UnpackOptions{Unprivileged: ordinary})
}

func readTOC(ctx context.Context, l engine.Layer) (*layer.TOC, error) {
	r, err := l.Tar(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	toc, _, _, err := layer.ReadTOC(r, layer.ReadOptions{Devices: true})
	return toc, err
}

// stampKind records what a stamped push came to: by repository and the digest
// without the stamp, so that a stamp alone never pushes anything.
const stampKind = "stamped"

func (p *publisher) pushAll(ctx context.Context, r engine.Result, a *image.Artifact) ([]publishedOutput, error) {
	var out []publishedOutput
	for _, tag := range r.Output.Tags {
		p.printer.Event(engine.Event{Kind: engine.Note, Time: time.Now(), Text: "pushing " + tag})
		state, err := p.pushTag(ctx, tag, r, a)
		if err != nil {
			return out, err
		}
		out = append(out, publishedOutput{tag, state})
	}
	return out, nil
}

// pushTag pushes what is not there, with the statements about it.
func (p *publisher) pushTag(ctx context.Context, tag string, r engine.Result, a *image.Artifact) (string, error) {
	there, err := p.registry.Head(ctx, tag)
	if err != nil {
		return "", err
	}
	key := image.Origin(tag) + " " + a.Digest
	stamped, known := p.store.Record(stampKind, key)
	if there != "" && (there == a.Digest && len(r.Output.Stamp) == 0 || known && there == stamped) {
		if len(r.Output.Stamp) > 0 && r.Index == nil {
			return "up to date", nil // the stamp is in the manifest that statements are about: they were pushed with it
		}
		return "up to date", p.attach(ctx, tag, r, a)
	}
	if len(r.Output.Stamp) > 0 {
		if a, err = image.Assemble(ctx, r, image.Options{Created: p.created, Stamp: r.Output.Stamp}); err != nil {
			return "", err
		}
	}
	if err := p.registry.Push(ctx, tag, a); err != nil {
		return "", err
	}
	if len(r.Output.Stamp) > 0 {
		if err := p.store.PutRecord(stampKind, key, a.Digest); err != nil {
			return "", err
		}
	}
	return "pushed", p.attach(ctx, tag, r, a)
}
