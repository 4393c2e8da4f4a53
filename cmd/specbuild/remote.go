package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/fetch"
	vcs "github.com/specbuild/specbuild/engine/git"
	"github.com/specbuild/specbuild/engine/local"
	"github.com/specbuild/specbuild/lower/dag"
	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/spec/eval"
)

// remoteResolver asks for the lock what contexts that lie elsewhere are now.
type remoteResolver struct {
	*world
	asked *answers
}

// Commit is the commit that a ref is now; nothing is fetched.
func (r remoteResolver) Commit(ctx context.Context, url, ref string) (string, error) {
	key := "git " + pin.GitNeed{URL: url, Ref: ref}.Key()
	commit, err := r.asked.once(key, func() (string, error) { return r.git.Resolve(ctx, url, ref) })
	var unknown *vcs.RefError
	if errors.As(err, &unknown) {
		if name, ok := eval.Closest(unknown.Ref, unknown.Names); ok {
			return "", fmt.Errorf("%w; did you mean %q?", err, name)
		}
	}
	return commit, err
}

// Module is the digest of a published module now.
func (r remoteResolver) Module(ctx context.Context, ref string) (string, error) {
	return r.asked.once("module "+ref, func() (string, error) { return r.registry.ResolveModule(ctx, ref) })
}

// maxFile bounds what a URL may give, in bytes.
const maxFile = 64 << 30

// File fetches what a URL gives, into the store: the build that follows need
// not fetch it again.
func (r remoteResolver) File(ctx context.Context, url string) (_ pin.File, err error) {
	dir, err := r.store.TempDir()
	if err != nil {
		return pin.File{}, err
	}
	defer os.RemoveAll(dir)
	f, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		return pin.File{}, err
	}
	defer f.Close()
	if err := r.fetch.Get(ctx, fetch.Request{URLs: []string{url}, Size: -1, Limit: maxFile}, f); err != nil {
		return pin.File{}, err
	}
	w, err := r.store.CreateBlob(cache.Want{})
	if err != nil {
		return pin.File{}, err
	}
	defer w.Abort()
	if _, err := io.Copy(w, io.NewSectionReader(f, 0, maxFile)); err != nil {
		return pin.File{}, err
	}
	digest, size, err := w.Commit()
	if err != nil {
		return pin.File{}, err
	}
	return pin.File{SHA256: digest[len("sha256:"):], Size: size}, nil
}

// fetched finds the files of a context that lies elsewhere, if they are in the
// store.
func (w *world) fetched(c planner.Context) (dir string, ok bool) {
	switch {
	case c.Git != nil:
		return local.FetchedTree(w.store, &dag.Git{Commit: c.Git.Commit})
	case c.HTTP != nil:
		return local.FetchedTree(w.store, &dag.HTTP{SHA256: c.HTTP.SHA256, Name: c.HTTP.Name, Unpack: c.HTTP.Unpack})
	default:
		return "", false
	}
}

var _ pin.Remotes = remoteResolver{}
