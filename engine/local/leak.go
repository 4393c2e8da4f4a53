package local

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/layer"
	"github.com/specbuild/specbuild/engine/leak"
	"github.com/specbuild/specbuild/lower/dag"
)

// proof is what a build knows of its secrets: the values that may be in
// nothing that it makes. Those in variables and files are known from the
// beginning, so that a step that copies one out of a context or a cache is
// caught too; what a command prints is known from when a step needed it. A
// graph without secrets searches nothing.
type proof struct {
	declared []dag.Secret // each once

	read    sync.Once
	mu      sync.Mutex
	secrets []leak.Secret
	matcher *leak.Matcher // of secrets
	cover   *masker       // of secrets
}

// declare notes the secrets of a node.
func (p *proof) declare(n *dag.Node) {
	for _, s := range n.Meta.Secrets {
		if !s.SSH && !slices.ContainsFunc(p.declared, func(d dag.Secret) bool { return d.Addr == s.Addr }) {
			p.declared = append(p.declared, s)
		}
	}
}

// open reads the secrets that can be read without running anything. One that
// is not there is in nothing.
func (p *proof) open(ctx context.Context) {
	p.read.Do(func() {
		for _, s := range p.declared {
			if s.Env == "" && s.File == "" {
				continue
			}
			if value, err := reveal(ctx, s); err == nil {
				p.add(s.Addr, value)
			}
		}
	})
}

func (p *proof) add(name string, value []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.ContainsFunc(p.secrets, func(s leak.Secret) bool { return s.Name == name && bytes.Equal(s.Value, value) }) {
		return
	}
	p.secrets = append(p.secrets, leak.Secret{Name: name, Value: value})
	p.matcher = leak.New(p.secrets)
	values := make([][]byte, len(p.secrets))
	for i, s := range p.secrets {
		values[i] = s.Value
	}
	p.cover = newMasker(values)
}

// matcher searches for all secrets that are known by now; nil where there is
// none.
func (b *build) matcher(ctx context.Context) *leak.Matcher {
	if len(b.proof.declared) == 0 {
		return nil
	}
	b.proof.open(ctx)
	b.proof.mu.Lock()
	defer b.proof.mu.Unlock()
	return b.proof.matcher
}

// hidden are the values that no output shows.
func (b *build) hidden(ctx context.Context) [][]byte {
	if len(b.proof.declared) == 0 {
		return nil
	}
	b.proof.open(ctx)
	b.proof.mu.Lock()
	defer b.proof.mu.Unlock()
	var out [][]byte
	for _, s := range b.proof.secrets {
		out = append(out, s.Value)
	}
	return out
}

// covered is a text of ours, such as a step's title or a note, as it may be
// shown: what a step prints goes through a masker of its own, which knows of
// values that come in pieces.
func (b *build) covered(text string) string {
	if text == "" || len(b.proof.declared) == 0 {
		return text
	}
	b.proof.open(context.Background())
	b.proof.mu.Lock()
	defer b.proof.mu.Unlock()
	if b.proof.cover == nil {
		return text
	}
	return b.proof.cover.hide(text)
}

// revealed notes a secret that a step was given.
func (b *build) revealed(n *dag.Node, name string, value []byte) {
	if len(bytes.TrimSpace(value)) < leak.Shortest {
		b.send(n, engine.Event{Kind: engine.Note, Text: fmt.Sprintf(
			"warning: %s has fewer than %d bytes, so layers are not searched for it: a word as short is in many files", name, leak.Shortest)})
	}
	b.proof.add(name, value)
}

// proven searches the items of a layer before anything of it is stored.
func (b *build) proven(ctx context.Context, items []layer.Item) error {
	m := b.matcher(ctx)
	if m == nil || len(items) == 0 {
		return nil
	}
	jobs := make(chan *layer.Item)
	errs := make([]error, min(runtime.GOMAXPROCS(0), 8))
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			for it := range jobs {
				if errs[w] == nil && ctx.Err() == nil {
					errs[w] = searchItem(ctx, m, it)
				}
			}
		})
	}
	for i := range items {
		jobs <- &items[i]
	}
	close(jobs)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func searchItem(ctx context.Context, m *leak.Matcher, it *layer.Item) error {
	for _, s := range []struct{ what, text string }{{"the name of a file", it.Path}, {"the target of the link /" + it.Path, it.Link}} {
		if hit, ok := m.Text(s.text); ok {
			return &leak.Error{Hit: hit, Where: s.what}
		}
	}
	for name, value := range it.Xattrs {
		if hit, ok := m.Text(name + "\x00" + value); ok {
			return &leak.Error{Hit: hit, Where: "the attributes of /" + it.Path}
		}
	}
	if it.Open == nil || it.Size < leak.Shortest {
		return nil
	}
	open := func() (io.ReadCloser, error) {
		r, err := it.Open()
		if err != nil {
			return nil, err
		}
		return &pipedReader{Reader: &ctxReader{ctx, r}, closers: []io.Closer{r}}, nil
	}
	hit, ok, err := m.File(open, it.Size)
	if err != nil {
		return fmt.Errorf("searching /%s for secrets: %w", it.Path, err)
	}
	if ok {
		return &leak.Error{Hit: hit, Where: "/" + it.Path}
	}
	return nil
}

// provenSeal is seal for what an image is made of: it is searched first.
func (b *build) provenSeal(ctx context.Context, items []layer.Item, tarNeeded bool) (result, error) {
	return b.provenAs(ctx, items, Forms{Tar: tarNeeded})
}

// provenAs is provenSeal in any forms.
func (b *build) provenAs(ctx context.Context, items []layer.Item, f Forms) (result, error) {
	if err := b.proven(ctx, items); err != nil {
		return result{}, err
	}
	return b.sealAs(ctx, items, f)
}

// provenEntry searches what an entry of the cache remembers in words.
func (b *build) provenEntry(ctx context.Context, e cache.Entry) error {
	m := b.matcher(ctx)
	if m == nil {
		return nil
	}
	for _, s := range []struct{ what, text string }{{"the step's own text", e.KeyText}, {"the step's output", e.Output}} {
		if hit, ok := m.Text(s.text); ok {
			return &leak.Error{Hit: hit, Where: s.what}
		}
	}
	return nil
}

// provenImage searches what an image has beside its layers.
func (b *build) provenImage(ctx context.Context, img engine.Image) error {
	m := b.matcher(ctx)
	if m == nil {
		return nil
	}
	for _, part := range []struct {
		what  string
		value any
	}{
		{"the image's configuration", img.Config}, {"the image's annotations", img.Annotations}, {"the image's history", img.History},
	} {
		if err := searchValue(m, part.what, part.value); err != nil {
			return err
		}
	}
	return nil
}

// provenIndex searches what an index of images has beside them.
func (b *build) provenIndex(ctx context.Context, index *dag.Index) error {
	if m := b.matcher(ctx); m != nil {
		return searchValue(m, "the index's annotations", index.Annotations)
	}
	return nil
}

// search is engine.Result's: what is made of an image, such as a statement
// about it, is searched as the image was.
func (b *build) search(ctx context.Context) func(what string, value any) error {
	if len(b.proof.declared) == 0 {
		return nil
	}
	ctx = context.WithoutCancel(ctx) // it is called after the build
	return func(what string, value any) error {
		if m := b.matcher(ctx); m != nil {
			return searchValue(m, what, value)
		}
		return nil
	}
}

// searchValue searches every string of a value, as it is and not as JSON
// quotes it.
func searchValue(m *leak.Matcher, what string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("searching %s for secrets: %w", what, err)
	}
	var read any
	if err := json.Unmarshal(data, &read); err != nil {
		return fmt.Errorf("searching %s for secrets: %w", what, err)
	}
	var walk func(v any) error
	walk = func(v any) error {
		switch v := v.(type) {
		case string:
			if hit, ok := m.Text(v); ok {
				return &leak.Error{Hit: hit, Where: what}
			}
		case []any:
			for _, x := range v {
				if err := walk(x); err != nil {
					return err
				}
			}
		case map[string]any:
			for _, x := range v {
				if err := walk(x); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return walk(read)
}
