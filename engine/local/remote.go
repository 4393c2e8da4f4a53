package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/fetch"
	"github.com/specbuild/specbuild/engine/git"
	"github.com/specbuild/specbuild/engine/layer"
	"github.com/specbuild/specbuild/engine/source"
	"github.com/specbuild/specbuild/lower/dag"
)

// A context that lies elsewhere is known by its commit or sha256 alone:
// nothing is fetched for what the cache remembers. Once it is needed its whole
// tree is a snapshot, which every selection of it is made from.
const treeKind = "context"

// remote is what one Git or HTTP node selects, once it was needed.
type remote struct {
	once sync.Once
	src  fileSource
	err  error
}

func isRemote(op dag.Op) bool {
	switch op.(type) {
	case *dag.Git, *dag.HTTP:
		return true
	default:
		return false
	}
}

// treeName names the snapshot of a remote context's whole tree.
func treeName(op dag.Op) string {
	switch op := op.(type) {
	case *dag.Git:
		return "git " + op.Commit
	case *dag.HTTP:
		if op.Unpack {
			return "http " + op.SHA256 + " unpacked"
		}
		return "http " + op.SHA256 + " named " + op.Name
	default:
		return ""
	}
}

// FetchedTree is the folder with the whole tree of a Git or HTTP operation,
// if some process has fetched it into the store.
func FetchedTree(store *cache.Store, op dag.Op) (dir string, ok bool) {
	name := treeName(op)
	if name == "" {
		return "", false
	}
	return store.FindSnapshot(treeKind, name)
}

// remoteFiles is the selection of a remote context; it is fetched here if it
// was not before.
func (b *build) remoteFiles(ctx context.Context, n *dag.Node) (fileSource, error) {
	r := b.remotes[n.ID]
	r.once.Do(func() { r.src, r.err = b.openRemote(ctx, n) })
	return r.src, r.err
}

func (b *build) openRemote(ctx context.Context, n *dag.Node) (fileSource, error) {
	dir, err := b.remoteTree(ctx, n)
	if err != nil {
		return fileSource{}, b.failed(n, err)
	}
	req := source.Request{Dir: dir, StatIndex: b.o.Store.StatIndex(dir)}
	committed := false
	switch op := n.Op.(type) {
	case *dag.Git:
		req.Include, req.Exclude, req.Sources, committed = op.Include, op.Exclude, op.Sources, true
	case *dag.HTTP:
		req.Include, req.Exclude, req.Sources = op.Include, op.Exclude, op.Sources
	}
	sel, err := source.Select(ctx, req)
	if err != nil {
		return fileSource{}, fmt.Errorf("%s: %w", n.Meta.Name, err)
	}
	src, err := b.contextFiles(sel)
	src.sel = nil // its files have one time, which is known without them
	for _, e := range sel.Entries {
		if committed && e.Type == source.File {
			src.when = e.ModTime
			break
		}
	}
	return src, err
}

// remoteTree finds or makes the snapshot.
func (b *build) remoteTree(ctx context.Context, n *dag.Node) (string, error) {
	if dir, ok := FetchedTree(b.o.Store, n.Op); ok {
		return dir, nil
	}
	var cause error
	dir, err := b.o.Store.Snapshot(ctx, treeKind, treeName(n.Op), func(dir string) error {
		b.send(n, engine.Event{Kind: engine.Note, Text: n.Meta.Name + ": fetching " + git.Mask(n.Meta.URL)})
		switch op := n.Op.(type) {
		case *dag.Git:
			cause = b.fetchGit(ctx, n, op, dir)
		case *dag.HTTP:
			cause = b.fetchHTTP(ctx, n, op, dir)
		}
		return cause
	})
	if cause != nil && !errors.Is(err, cache.ErrFull) {
		return "", cause // without the names of the store
	}
	return dir, err
}

// fetchGit writes the files of a commit. The objects of one URL are kept, so
// that the next commit costs what has changed; like a cache mount they are one
// process's at a time, and go when they are not used.
func (b *build) fetchGit(ctx context.Context, n *dag.Node, op *dag.Git, dir string) (err error) {
	if b.o.Git == nil {
		return fmt.Errorf("commit %s is not in the cache, and nothing was given to fetch it with", op.Commit)
	}
	format := "sha1" // one repository cannot hold commits of both
	if len(op.Commit) == 64 {
		format = "sha256"
	}
	objects, release, err := b.o.Store.Mount(ctx, "git "+format+" "+n.Meta.URL, cache.Locked)
	if err != nil {
		return err
	}
	defer release()
	if err := b.o.Git.Fetch(ctx, git.Request{URL: n.Meta.URL, Ref: n.Meta.Ref, Commit: op.Commit, Dir: objects}); err != nil {
		return gitAdvice(err)
	}
	when, err := b.o.Git.Time(ctx, objects, op.Commit)
	if err != nil {
		return err
	}
	w, err := source.NewWriter(dir, when)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	submodules, err := b.o.Git.Checkout(ctx, objects, op.Commit, w)
	for _, name := range submodules {
		b.send(n, engine.Event{Kind: engine.Note, Text: fmt.Sprintf("%s: the submodule %s is an empty folder: submodules are not fetched, declare a `context` for it", n.Meta.Name, name)})
	}
	return err
}

// gitAdvice adds what to do where a pinned commit is gone.
func gitAdvice(err error) error {
	var gone *git.CommitError
	if errors.As(err, &gone) {
		return fmt.Errorf("%w. Run `specbuild lock --upgrade` with the context's name, or write another `ref`", err)
	}
	return err
}

// fetchHTTP writes a file, or what it holds as an archive.
func (b *build) fetchHTTP(ctx context.Context, n *dag.Node, op *dag.HTTP, dir string) (err error) {
	if err := b.fetchBlob(ctx, n, op); err != nil {
		return err
	}
	w, err := source.NewWriter(dir, time.Unix(layer.MTime, 0))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	digest := "sha256:" + op.SHA256
	if op.Unpack {
		return b.unpackBlob(digest, n.Meta.URL, w)
	}
	f, err := b.o.Store.OpenBlob(digest)
	if err != nil {
		return err
	}
	defer f.Close()
	return w.File(op.Name, false, f)
}

// maxDownload bounds a file whose size nobody knows, in bytes.
const maxDownload = 64 << 30

// fetchBlob brings a file into the store. What an earlier process got of it is
// not fetched again.
func (b *build) fetchBlob(ctx context.Context, n *dag.Node, op *dag.HTTP) error {
	digest, size := "sha256:"+op.SHA256, n.Meta.Size
	if size == 0 {
		size = -1
	}
	if b.o.Store.HasBlob(digest, size) {
		return nil
	}
	if b.o.Fetch == nil {
		return fmt.Errorf("%s is not in the cache, and nothing was given to fetch it with", git.Mask(n.Meta.URL))
	}
	unlock, err := b.o.Store.Lock(ctx, "blob-partial-"+op.SHA256, nil)
	if err != nil {
		return err
	}
	defer unlock()
	if b.o.Store.HasBlob(digest, size) { // another process was faster
		return nil
	}
	part, err := b.o.Store.Partial(op.SHA256)
	if err != nil {
		return err
	}
	defer part.Close()
	req := fetch.Request{URLs: []string{n.Meta.URL}, Size: size, Limit: maxDownload, SHA256: op.SHA256}
	if st, err := part.Stat(); err == nil {
		req.Offset = st.Size()
	}
	if err := b.o.Fetch.Get(ctx, req, part); err != nil {
		return httpAdvice(err)
	}
	w, err := b.o.Store.CreateBlob(cache.Want{Digest: digest, Size: size})
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := io.Copy(w, io.NewSectionReader(part, 0, maxDownload)); err != nil {
		return err
	}
	if _, _, err := w.Commit(); err != nil {
		return err
	}
	return os.Remove(part.Name())
}

// httpAdvice says both digests where a URL gives another file now, and what to
// do.
func httpAdvice(err error) error {
	var other *fetch.DigestError
	switch {
	case errors.As(err, &other):
		return fmt.Errorf("the URL gives a file with the sha256 %s, and %s is what the spec or the lock wants. If the new file is right, change `sha256`, or run `specbuild lock --upgrade` with the context's name", other.Got, other.Want)
	case errors.Is(err, fetch.ErrSize):
		return fmt.Errorf("%w: the lock knows another file. If the new one is right, run `specbuild lock --upgrade` with the context's name", err)
	default:
		return err
	}
}

// unpackBlob writes what an archive holds. The reader of archives refuses what
// leads outside, and bombs; the writer would too.
func (b *build) unpackBlob(digest, url string, w *source.Writer) error {
	const name = "archive"
	tree, err := layer.Merge(&layer.TOC{Entries: []layer.Entry{{Path: name, Type: layer.File, Mode: 0o644, Digest: digest}}})
	if err != nil {
		return err
	}
	below, err := layer.Merge()
	if err != nil {
		return err
	}
	open := func(string) (io.ReadCloser, error) { return b.o.Store.OpenBlob(digest) }
	items, err := layer.Copy(layer.CopyRequest{Sources: []string{name}, To: "/", Unpack: true}, tree, open, below)
	if err != nil {
		var ce *layer.CopyError
		if errors.As(err, &ce) {
			return fmt.Errorf("%s: %s", git.Mask(url), ce.Reason)
		}
		return err
	}
	for i := range items {
		if err := writeItem(&items[i], w); err != nil {
			return fmt.Errorf("%s: %w", git.Mask(url), err)
		}
	}
	return nil
}

func writeItem(it *layer.Item, w *source.Writer) error {
	switch it.Type {
	case layer.Dir:
		if it.Path == "" {
			return nil
		}
		return w.Folder(it.Path)
	case layer.Symlink:
		return w.Link(it.Path, it.Link)
	case layer.Hardlink:
		return w.Same(it.Path, it.Link)
	case layer.File:
		r, err := it.Open()
		if err != nil {
			return err
		}
		defer r.Close()
		return w.File(it.Path, it.Mode&0o100 != 0, r)
	default:
		return fmt.Errorf("%s is neither file, folder nor link", it.Path)
	}
}

// timeFact is what the entry of a copy from a commit remembers of it: steps on
// a remembered layer see the commit's time without it being fetched.
const timeFact = "commit-time"

// commitTime is the time that the files of a copy have for the steps on it, or
// zero where the copy is not of a commit.
func (b *build) commitTime(n *dag.Node, facts map[string]string) time.Time {
	if _, ok := n.Op.(*dag.Copy); !ok {
		return time.Time{}
	}
	if _, ok := b.node(n.Inputs[1]).Op.(*dag.Git); !ok {
		return time.Time{}
	}
	when, err := time.Parse(time.RFC3339, facts[timeFact])
	if err != nil {
		return time.Time{}
	}
	return when
}

// timeFacts is the inverse of commitTime. One action's entry may be that of
// equal files from elsewhere, with another time or none.
func timeFacts(when time.Time) map[string]string {
	if when.IsZero() {
		return nil
	}
	return map[string]string{timeFact: when.UTC().Format(time.RFC3339)}
}
