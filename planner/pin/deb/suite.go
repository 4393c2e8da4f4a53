package deb

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/specbuild/specbuild/engine/fetch"
	"github.com/specbuild/specbuild/engine/xz"
)

// Limits on what a mirror may make us read, in bytes: Debian's InRelease has
// 0.2 MB, its largest Packages 60 MB.
const (
	maxRelease   = 16 << 20
	maxIndexSize = 512 << 20
)

// UnknownSuite says that no mirror of an archive has a suite.
type UnknownSuite struct {
	Suite string
	URLs  []string // that were asked for, in order
}

// Error names the suite and what was asked for.
func (e *UnknownSuite) Error() string {
	return fmt.Sprintf("the archive has no suite %q: there is no %s", e.Suite, strings.Join(e.URLs, " and no "))
}

// MissingIndex says that a suite lacks a component, or has it for other
// architectures only.
type MissingIndex struct {
	Suite, Component, Arch string
	Components, Arches     []string // that the suite has packages of, sorted
}

// Error says what there is instead.
func (e *MissingIndex) Error() string {
	if !slices.Contains(e.Components, e.Component) {
		return fmt.Sprintf("the suite %s has no component %q; it has %s", e.Suite, e.Component, strings.Join(e.Components, ", "))
	}
	return fmt.Sprintf("the suite %s has no packages for %s; it has them for %s", e.Suite, e.Arch, strings.Join(e.Arches, ", "))
}

// signed is a release that was verified, or why there is none.
type signed struct{ Release }

func (s suite) key() string {
	return fmt.Sprintf("%q %q %q %t", s.bases, s.name, s.keys, s.stale)
}

func (s suite) urls(name string) []string {
	var out []string
	for _, b := range s.bases {
		out = append(out, b+"/dists/"+s.name+"/"+name)
	}
	return out
}

// loadSuite reads the components at the same time.
func (r *Resolver) loadSuite(ctx context.Context, s suite, arch string) (Release, []shelf, error) {
	rel, err := r.releases.do(ctx, s.key(), func() (signed, error) { return r.release(ctx, s) })
	if err != nil {
		return Release{}, nil, err
	}
	rel.Source = s.source
	var names []string
	for _, c := range s.components {
		own, all := rel.forms(c+"/binary-"+arch+"/Packages"), rel.forms(c+"/binary-all/Packages")
		if len(own) == 0 && (len(all) == 0 || rel.allInEach) {
			return Release{}, nil, rel.missing(c, arch)
		}
		if len(own) > 0 {
			names = append(names, c+"/binary-"+arch+"/Packages")
		}
		if len(all) > 0 && !rel.allInEach {
			names = append(names, c+"/binary-all/Packages")
		}
	}
	shelves, errs := make([]shelf, len(names)), make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			var t *table
			t, errs[i] = r.component(ctx, s, rel.Release, name)
			shelves[i] = shelf{t, s.source}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil { // that of the first, whichever ended first
			return Release{}, nil, err
		}
	}
	return rel.Release, shelves, nil
}

// release asks mirrors in order for a suite's signed release; one whose
// answer cannot be trusted is left for the next.
func (r *Resolver) release(ctx context.Context, s suite) (signed, error) {
	failed := &fetch.Error{}
	var untrusted error
	for _, base := range s.bases {
		root := base + "/dists/" + s.name + "/"
		rel, err := r.releaseOf(ctx, s, root)
		var fe *fetch.Error
		switch {
		case err == nil:
			return signed{rel}, nil
		case ctx.Err() != nil:
			return signed{}, err
		case errors.As(err, &fe) && !errors.Is(err, ErrSignature):
			failed.Attempts = append(failed.Attempts, fe.Attempts...)
		default:
			untrusted = errors.Join(untrusted, err)
		}
	}
	switch {
	case untrusted != nil:
		return signed{}, untrusted
	case failed.Gone():
		return signed{}, &UnknownSuite{s.name, s.urls("InRelease")}
	}
	return signed{}, failed
}

// releaseOf is one mirror's InRelease, or where it has none its Release with
// Release.gpg. What is kept is asked for with its validators, and verified
// like what comes: it may have ended since.
func (r *Resolver) releaseOf(ctx context.Context, s suite, root string) (Release, error) {
	store := kept(r.opt.Cache)
	have := store.document(root)
	rel, err := r.fetchRelease(ctx, s, root, have)
	if err != nil && errors.Is(err, errKept) {
		rel, err = r.fetchRelease(ctx, s, root, document{})
	}
	return rel, err
}

// errKept is wrapped by what is wrong with a document of ours.
var errKept = errors.New("the release that was kept")

func (r *Resolver) fetchRelease(ctx context.Context, s suite, root string, have document) (Release, error) {
	doc, url, same, err := r.fetchDocument(ctx, root, have)
	if err != nil {
		return Release{}, err
	}
	rel, err := verify(doc, s.keys, s.name, r.opt.Now(), s.stale)
	switch {
	case err != nil && same:
		return Release{}, fmt.Errorf("%w: %s: %w", errKept, url, err)
	case err != nil:
		return Release{}, fmt.Errorf("%s: %w", url, err)
	case same:
		return rel, nil
	}
	return rel, kept(r.opt.Cache).putDocument(root, doc)
}

// fetchDocument asks for InRelease, then for the older pair of files. same
// means that what one has is the newest.
func (r *Resolver) fetchDocument(ctx context.Context, root string, have document) (_ document, url string, same bool, err error) {
	detached := len(have.Signature) > 0
	var v fetch.Validators
	if !detached {
		v = have.Validators
	}
	url = root + "InRelease"
	got, err := r.opt.Client.Document(ctx, []string{url}, maxRelease, v)
	if err == nil {
		if got.NotModified {
			return have, url, true, nil
		}
		return document{Validators: got.Validators, Text: got.Body}, url, bytes.Equal(got.Body, have.Text), nil
	}
	var fe *fetch.Error
	if !errors.As(err, &fe) || !fe.Gone() {
		return document{}, url, false, err
	}
	url = root + "Release"
	if v = (fetch.Validators{}); detached {
		v = have.Validators
	}
	got, second := r.opt.Client.Document(ctx, []string{url}, maxRelease, v)
	if second != nil {
		var more *fetch.Error
		if errors.As(second, &more) {
			second = &fetch.Error{Attempts: slices.Concat(fe.Attempts, more.Attempts)}
		}
		return document{}, url, false, second
	}
	if got.NotModified {
		return have, url, true, nil
	}
	signature, second := r.opt.Client.Document(ctx, []string{url + ".gpg"}, maxRelease, fetch.Validators{})
	if second != nil {
		return document{}, url, false, fmt.Errorf("%w: %s is not signed: %w", ErrSignature, url, second)
	}
	return document{Validators: got.Validators, Text: got.Body, Signature: signature.Body}, url, false, nil
}

// forms are the names under which a release has an index, the smallest
// download first.
func (r Release) forms(name string) []string {
	var out []string
	for _, ext := range []string{".xz", ".gz", ""} {
		if _, ok := r.files[name+ext]; ok {
			out = append(out, name+ext)
		}
	}
	return out
}

// missing looks for what the suite has in place of an index.
func (r Release) missing(component, arch string) error {
	components, arches := map[string]bool{}, map[string]bool{}
	for name := range r.files {
		c, rest, ok := strings.Cut(name, "/binary-")
		a, file, _ := strings.Cut(rest, "/")
		if ok && strings.HasPrefix(file, "Packages") {
			components[c] = true
			if c == component {
				arches[a] = true
			}
		}
	}
	return &MissingIndex{r.Suite, component, arch, slices.Sorted(maps.Keys(components)), slices.Sorted(maps.Keys(arches))}
}

// component reads an index from the cache, where its name is the digest of
// the signed file that it was made of, else from a mirror. A release may name
// forms that the archive does not keep.
func (r *Resolver) component(ctx context.Context, s suite, release Release, name string) (*table, error) {
	var failed error
	for _, form := range release.forms(name) {
		f := release.files[form]
		t, err := r.tables.do(ctx, f.sha256, func() (*table, error) { return r.table(ctx, s, release, form, f) })
		var fe *fetch.Error
		if err == nil || !errors.As(err, &fe) || !fe.Gone() {
			return t, err
		}
		failed = errors.Join(failed, err)
	}
	return nil, failed
}

func (r *Resolver) table(ctx context.Context, s suite, release Release, name string, f file) (*table, error) {
	store := kept(r.opt.Cache)
	if raw := store.read(f.sha256); raw != nil {
		if t, err := decodeTable(raw); err == nil {
			return t, nil
		}
	}
	text, err := r.fetchIndex(ctx, s, release, name, f)
	if err != nil {
		return nil, err
	}
	records, err := readRecords(text)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	t, err := newTable(records)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	raw, err := t.encode()
	if err != nil {
		return nil, fmt.Errorf("keep %s: %w", name, err)
	}
	return t, store.write(f.sha256, raw)
}

func (r *Resolver) fetchIndex(ctx context.Context, s suite, release Release, name string, f file) (string, error) {
	urls := s.urls(name)
	if release.byHash {
		// By its digest, a file cannot be replaced between the release and now.
		i := strings.LastIndexByte(name, '/')
		urls = slices.Concat(s.urls(name[:i]+"/by-hash/SHA256/"+f.sha256), urls)
	}
	if f.size > maxIndexSize {
		return "", fmt.Errorf("%s has %d bytes, more than are read", name, f.size)
	}
	var packed fetch.Buffer
	if err := r.opt.Client.Get(ctx, fetch.Request{URLs: urls, Size: f.size, SHA256: f.sha256}, &packed); err != nil {
		return "", err
	}
	plain := strings.TrimSuffix(strings.TrimSuffix(name, ".xz"), ".gz")
	limit := int64(maxIndexSize)
	if p, ok := release.files[plain]; ok {
		limit = min(limit, p.size)
	}
	text, err := unpack(ctx, &packed, name[len(plain):], limit)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return string(text), nil
}

// unpack gives at most limit bytes, or an error.
func unpack(ctx context.Context, packed *fetch.Buffer, ext string, limit int64) ([]byte, error) {
	switch ext {
	case ".xz":
		return xz.Decode(ctx, packed, int64(len(packed.Bytes())), limit)
	case ".gz":
		z, err := gzip.NewReader(bytes.NewReader(packed.Bytes()))
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(io.LimitReader(z, limit+1))
		if err == nil && int64(len(text)) > limit {
			err = fmt.Errorf("it has more than the %d bytes that are stated", limit)
		}
		return text, err
	}
	return packed.Bytes(), nil
}
