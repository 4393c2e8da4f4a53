package source

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moby/patternmatcher"
)

// View is what one command sees of its contexts: a folder is read, and a file
// looked at and hashed, once, however many copies select it, and whether they
// are planned or built. The zero value has seen nothing.
//
// A View is for one command, not for a process that goes on: what changes
// after it was seen is only noticed when it is read (*ChangedError).
type View struct {
	mu       sync.Mutex
	contexts map[string]*contents // by folder
	tokens   chan struct{}        // one for each goroutine that works, over all contexts
	buffers  sync.Pool            // *[]byte of bufferSize, for hashing

	racy   int64 // nanoseconds, shorter in tests; 0 is racy
	coarse int64 // nanoseconds that times are cut to, to act an old kernel in tests; 0 is none
}

const (
	// racy is how much older than the start of hashing a file's times must
	// be for its record to be kept: the coarsest clock of file systems is 2 s.
	racy = int64(2 * time.Second)

	bufferSize      = 64 << 10
	maxDockerignore = 1 << 20
)

// List is Select without reading content: sums are zero, and the digest says
// nothing.
func (v *View) List(ctx context.Context, r Request) (*Selection, error) {
	t, err := v.enter(ctx, r.Dir)
	if err != nil {
		return nil, err
	}
	defer v.leave(t)
	return t.list(ctx, r)
}

// Takes reports whether a selection would have a file, which need not be
// there: by its name alone, slash-separated from the context's root. What
// links would add is not looked at.
func (v *View) Takes(ctx context.Context, r Request, file string) (bool, error) {
	t, err := v.enter(ctx, r.Dir)
	if err != nil {
		return false, err
	}
	defer v.leave(t)
	s, err := t.selector(r)
	if err != nil {
		return false, err
	}
	st, err := s.filter.at(file)
	return err == nil && s.filter.selected(st, file), err
}

// Select finds and hashes; requests of one context share its stat index,
// contexts are read at the same time. There is a selection or an error for
// each request, in their order; the errors are those of the function Select.
func (v *View) Select(ctx context.Context, rs ...Request) ([]*Selection, []error) {
	sels, errs := make([]*Selection, len(rs)), make([]error, len(rs))
	type context struct{ dir, index string }
	groups := map[context][]int{}
	for i, r := range rs {
		c := context{r.Dir, r.StatIndex}
		groups[c] = append(groups[c], i)
	}
	var wg sync.WaitGroup
	for _, group := range groups {
		wg.Go(func() { v.selectGroup(ctx, rs, group, sels, errs) })
	}
	wg.Wait()
	return sels, errs
}

// selectGroup answers the requests of one context.
func (v *View) selectGroup(ctx context.Context, rs []Request, group []int, sels []*Selection, errs []error) {
	first := rs[group[0]]
	t, err := v.enter(ctx, first.Dir)
	if err != nil {
		for _, i := range group {
			errs[i] = err
		}
		return
	}
	defer v.leave(t)
	t.openIndex(first)
	for _, i := range group {
		sels[i], errs[i] = t.hashed(ctx, rs[i])
	}
	if err := t.closeIndex(); err != nil {
		for _, i := range group {
			sels[i], errs[i] = nil, errors.Join(errs[i], err)
		}
	}
}

// enter waits for a goroutine's share and gives a context to it alone.
func (v *View) enter(ctx context.Context, dir string) (*contents, error) {
	if !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("selecting from %q: the folder must be absolute", dir)
	}
	v.mu.Lock()
	if v.contexts == nil {
		v.contexts = map[string]*contents{}
		v.tokens = make(chan struct{}, max(4, runtime.GOMAXPROCS(0))) // more than cores: some wait for the disk
	}
	t := v.contexts[dir]
	if t == nil {
		t = &contents{view: v, dir: dir, folders: map[string]*listing{}, found: map[string]*Selection{}}
		v.contexts[dir] = t
	}
	v.mu.Unlock()
	select {
	case v.tokens <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	t.busy.Lock()
	return t, nil
}

func (v *View) leave(t *contents) {
	t.closeRoot()
	t.busy.Unlock()
	<-v.tokens
}

func (v *View) buffer() *[]byte {
	if b, ok := v.buffers.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, bufferSize)
	return &b
}

// contents is a context as far as it was seen. One goroutine selects from it at a
// time; those that help it divide the folders and files among themselves.
type contents struct {
	view *View
	dir  string
	busy sync.Mutex
	root *folder // open while somebody selects, once it was needed

	mu       sync.Mutex
	folders  map[string]*listing
	matchers []*patternmatcher.PatternMatcher // of .dockerignore, idle ones

	found  map[string]*Selection // by the rules, without sums
	ignore *ignoreFile
	index  *statIndex // while somebody hashes
}

// listing is a folder that was read.
type listing struct {
	dir   string // from the context's folder
	files []seen // by name
	want  []int  // files that the selection in the making takes and nobody hashed

	recalled bool // compared with the stat index since that was opened
	stale    bool // the stat index has something else
}

// seen is a name of a folder. What an lstat says is there once somebody asked
// for it, the sum once somebody hashed it.
type seen struct {
	name   string
	kind   kind
	looked bool // meta and link are set
	hashed bool // sum is set
	kept   bool // its times are old enough for the stat index
	meta   meta
	link   string
	sum    [sha256.Size]byte
}

// real is where a name of the listing is.
func (l *listing) real(i int) string { return join(l.dir, l.files[i].name) }

// find gives the place of a name, -1 if it is not there.
func (l *listing) find(name string) int {
	i, ok := slices.BinarySearchFunc(l.files, name, func(s seen, n string) int { return strings.Compare(s.name, n) })
	if !ok {
		return -1
	}
	return i
}

// openDir opens a folder of the context.
func (t *contents) openDir(dir string) (*folder, error) {
	root, err := t.openRoot()
	if err != nil {
		return nil, err
	}
	if dir == "" {
		dir = "."
	}
	return root.open(dir)
}

func (t *contents) openRoot() (*folder, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.root == nil {
		root, err := openRoot(t.dir)
		if err != nil {
			return nil, fmt.Errorf("opening the context: %w", err)
		}
		t.root = root
	}
	return t.root, nil
}

func (t *contents) closeRoot() {
	if t.root != nil {
		t.root.close()
		t.root = nil
	}
}

// read gives a folder, from memory if it was read before. It is still open if
// it had to be read: its files will be looked at.
func (t *contents) read(dir string) (*listing, *folder, error) {
	t.mu.Lock()
	l := t.folders[dir]
	t.mu.Unlock()
	if l != nil {
		return l, nil, nil
	}
	d, err := t.openDir(dir)
	if err != nil {
		return nil, nil, err
	}
	names, err := d.names()
	if err != nil {
		d.close()
		return nil, nil, err
	}
	slices.SortFunc(names, func(a, b name) int { return strings.Compare(a.name, b.name) })
	l = &listing{dir: dir, files: make([]seen, len(names))}
	for i, n := range names {
		l.files[i].name, l.files[i].kind = n.name, n.kind
	}
	t.mu.Lock()
	t.folders[dir] = l
	t.mu.Unlock()
	return l, d, nil
}

// look is an lstat of a name of an open folder, and where a link leads.
func (d *folder) look(s *seen) error {
	m, err := d.lstat(s.name)
	if err != nil {
		return err
	}
	if m.kind() == kindLink {
		if s.link, err = d.readlink(s.name); err != nil {
			return err
		}
	}
	s.meta, s.looked = m, true
	return nil
}

// lookAt looks at one name of a folder, which is fs.ErrNotExist if it is not
// there.
func (t *contents) lookAt(dir, name string) (*seen, error) {
	l, d, err := t.read(dir)
	if err != nil {
		return nil, err
	}
	if d != nil {
		defer d.close()
	}
	i := l.find(name)
	if i < 0 {
		return nil, &fs.PathError{Op: "lstat", Path: name, Err: fs.ErrNotExist}
	}
	if l.files[i].looked {
		return &l.files[i], nil
	}
	if d == nil {
		if d, err = t.openDir(dir); err != nil {
			return nil, err
		}
		defer d.close()
	}
	return &l.files[i], d.look(&l.files[i])
}

// ignoreFile is a .dockerignore that was read.
type ignoreFile struct {
	patterns []string
	err      error
}

// dockerignore gives the patterns of the context's .dockerignore, read once;
// without one there are none.
func (s *selector) dockerignore() ([]string, error) {
	if s.tree.ignore == nil {
		data, err := s.readDockerignore()
		f := &ignoreFile{err: err}
		if err == nil {
			f.patterns, f.err = parseDockerignore(data)
		}
		s.tree.ignore = f
	}
	return s.tree.ignore.patterns, s.tree.ignore.err
}

func (s *selector) readDockerignore() ([]byte, error) {
	at, err := s.resolve(".dockerignore")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	root, err := s.tree.openRoot()
	if err != nil {
		return nil, err
	}
	f, err := root.file(at.real)
	if err != nil {
		return nil, fmt.Errorf("reading .dockerignore: %w", err)
	}
	defer f.Close()
	if m, err := statFile(f); err != nil || m.kind() != kindFile || m.size > maxDockerignore {
		return nil, &EntryError{Path: ".dockerignore", Reason: "is not a file of at most 1 MB"}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxDockerignore))
	if err != nil {
		return nil, fmt.Errorf("reading .dockerignore: %w", err)
	}
	return data, nil
}
