package deb

import (
	"archive/tar"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"

	"github.com/specbuild/specbuild/engine/layer"
)

// Limits of one .deb, generous: they are there for bombs. Installed-Size
// counts whole KiB a file and is an estimate, so what is allowed is four
// times of it and the slack.
const (
	maxControl  = 64 << 20 // bytes of all control files
	maxUnpacked = 32 << 30
	maxEntries  = 2_000_000
	maxPath     = 4096 // PATH_MAX
	slack       = 64 << 20
)

// decodeInto decodes one .deb into the store.
func decodeInto(ctx context.Context, store Store, key string, p Package) (t *table, err error) {
	if p.Open == nil {
		return nil, errors.New("its archive is not in the store, and there is nothing to read it from")
	}
	r, err := p.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the archive: %w", err)
	}
	defer r.Close()
	w, err := store.Create(key)
	if err != nil {
		return nil, fmt.Errorf("store the decoded archive: %w", err)
	}
	t, err = decode(ctx, r, p.SHA256, w)
	if err != nil {
		w.Abort()
		return nil, err
	}
	if err := w.Commit(); err != nil {
		return nil, fmt.Errorf("store the decoded archive: %w", err)
	}
	return t, nil
}

// decode reads a .deb to its end and writes it as a stored archive. The
// digest can be judged only then, so all limits hold for unknown bytes.
func decode(ctx context.Context, r io.Reader, sum string, w io.Writer) (*table, error) {
	hashed := sha256.New()
	tee := io.TeeReader(contextReader{ctx, r}, hashed)
	p, err := newPacker(w)
	if err != nil {
		return nil, err
	}
	d := &decoder{packer: p, sum: sha256.New(), copy: make([]byte, 128<<10)}
	readErr := d.members(ctx, tee)
	// The rest is read even so: where the digest is wrong, that is the news.
	_, err = io.Copy(io.Discard, tee)
	if err = errors.Join(readErr, err); ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if got := hex.EncodeToString(hashed.Sum(nil)); got != sum {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("the archive is cut short (sha256 %s instead of %s)", got, sum)
		}
		return nil, fmt.Errorf("the archive has the sha256 %s instead of %s", got, sum)
	}
	if err != nil {
		return nil, err
	}
	t, err := p.finish()
	return &t, err
}

type decoder struct {
	*packer
	sum       hash.Hash // of a file, reset for each
	copy      []byte
	conffiles map[string]bool
	allMD5    bool // the package has no md5sums of its own
	limit     int64
}

// members reads the three members of a .deb in the order that deb(5)
// demands.
func (d *decoder) members(ctx context.Context, r io.Reader) error {
	ar, err := newArReader(r)
	if err != nil {
		return err
	}
	version, err := member(ar, versionMember)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(version.body, 64))
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(text), "2.") {
		return fmt.Errorf("debian-binary: format %q instead of 2.0", strings.TrimSpace(string(text)))
	}
	control, err := member(ar, "control.tar")
	if err != nil {
		return err
	}
	if err := d.unpack(ctx, control, d.controlEntry, maxControl); err != nil {
		return err
	}
	if err := d.readControl(); err != nil {
		return err
	}
	data, err := member(ar, "data.tar")
	if err != nil {
		return err
	}
	return d.unpack(ctx, data, d.dataEntry, d.limit)
}

// versionMember comes first and holds the format's version.
const versionMember = "debian-binary"

type arMember struct {
	name string
	size int64
	body io.Reader
}

// member takes the next member, which must be the one named (with any
// compression); those whose names start with an underscore are passed over,
// as deb(5) says.
func member(ar *arReader, want string) (arMember, error) {
	for {
		name, size, body, err := ar.next()
		switch {
		case errors.Is(err, io.EOF):
			return arMember{}, fmt.Errorf("the archive has no %s", want)
		case err != nil:
			return arMember{}, fmt.Errorf("looking for %s: %w", want, noEOF(err))
		case strings.HasPrefix(name, "_"):
			continue
		case name != want && (want == versionMember || !strings.HasPrefix(name, want+".")):
			return arMember{}, fmt.Errorf("the archive has %q where %s must be", name, want)
		}
		return arMember{name, size, body}, nil
	}
}

// unpack gives the entries of a compressed tar to visit.
func (d *decoder) unpack(ctx context.Context, m arMember, visit func(*tar.Header, io.Reader) error, limit int64) error {
	plain, err := decompress(ctx, m, limit)
	if err != nil {
		return fmt.Errorf("%s: %w", m.name, noEOF(err))
	}
	defer plain.Close()
	bounded := &boundedReader{r: plain, left: limit}
	tr := tar.NewReader(bounded)
	for n := 0; ; n++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && n >= maxEntries {
			err = fmt.Errorf("more than %d entries", maxEntries)
		}
		if err == nil {
			err = visit(h, tr)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	// What follows the end mark is padding; the compressor's checksum is
	// behind it.
	if _, err := io.Copy(io.Discard, bounded); err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	return nil
}

// boundedReader fails where a bomb would go on.
type boundedReader struct {
	r    io.Reader
	left int64
}

var errTooLarge = errors.New("it unpacks to far more than it says (Installed-Size)")

func (b *boundedReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// controlEntry keeps the plain files of control.tar.
func (d *decoder) controlEntry(h *tar.Header, body io.Reader) error {
	path, err := cleanPath(h.Name)
	if err != nil {
		return err
	}
	if h.Typeflag != tar.TypeReg {
		if h.Typeflag == tar.TypeDir && path == "" {
			return nil
		}
		return fmt.Errorf("%q is not a plain file", h.Name)
	}
	if strings.Contains(path, "/") {
		return fmt.Errorf("%q is in a folder", h.Name)
	}
	if _, ok := d.table.control[path]; ok {
		return fmt.Errorf("%q is there twice", path)
	}
	start := d.table.size
	n, err := io.CopyBuffer(d.packer, body, d.copy)
	d.table.control[path] = segment{start, n}
	d.table.order = append(d.table.order, path)
	return err
}

// readControl looks into the control files for what the data needs. They are
// small, and in the frame that is being made (or, rarely, in earlier ones:
// then md5 sums are made of everything).
func (d *decoder) readControl() error {
	control, ok := d.inFrame("control")
	if !ok {
		if _, there := d.table.control["control"]; !there {
			return errors.New("control.tar has no control file")
		}
	}
	d.limit = maxUnpacked
	stanzas, err := parseStanzas(control)
	if err != nil {
		return err
	}
	if len(stanzas) > 0 {
		if kib, err := strconv.ParseInt(stanzas[0].get("Installed-Size"), 10, 64); err == nil && kib >= 0 && kib < maxUnpacked>>12 {
			d.limit = 4*1024*kib + slack
		}
	}
	conffiles, ok := d.inFrame("conffiles")
	d.conffiles = map[string]bool{}
	for line := range strings.SplitSeq(conffiles, "\n") {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "/") {
			d.conffiles[line[1:]] = true
		}
	}
	_, hasSums := d.table.control["md5sums"]
	_, hasConf := d.table.control["conffiles"]
	d.allMD5 = !hasSums || hasConf && !ok
	return nil
}

func (d *decoder) inFrame(name string) (string, bool) {
	s, ok := d.table.control[name]
	from := s.offset - (d.table.size - int64(len(d.buf)))
	if !ok || from < 0 {
		return "", false
	}
	return string(d.buf[from : from+s.size]), true
}

// dataEntry keeps one entry of data.tar.
func (d *decoder) dataEntry(h *tar.Header, body io.Reader) error {
	path, err := cleanPath(h.Name)
	if err != nil {
		return err
	}
	e := entry{Entry: layer.Entry{Path: path, Mode: uint32(h.Mode) & 0o7777, UID: h.Uid, GID: h.Gid}}
	if h.Uid < 0 || h.Gid < 0 {
		return fmt.Errorf("%q has a negative owner", h.Name)
	}
	switch h.Typeflag {
	case tar.TypeDir:
		e.Type = layer.Dir
	case tar.TypeReg:
		e.Type = layer.File
		err = d.content(&e, body)
	case tar.TypeSymlink:
		e.Type, e.Link, e.Mode = layer.Symlink, h.Linkname, 0o777
		if len(e.Link) > maxPath || e.Link == "" || strings.ContainsRune(e.Link, 0) {
			err = fmt.Errorf("%q: its target is empty, too long or has a zero byte", h.Name)
		}
	case tar.TypeLink:
		e.Type = layer.Hardlink
		e.Link, err = cleanPath(h.Linkname)
	case tar.TypeFifo:
		e.Type = layer.Fifo
	case tar.TypeChar, tar.TypeBlock:
		return fmt.Errorf("%q is a device: packages with devices cannot be unpacked into a layer", h.Name)
	default:
		return fmt.Errorf("%q is of an unknown type %q", h.Name, h.Typeflag)
	}
	if path == "" && e.Type != layer.Dir {
		return fmt.Errorf("the root is not a directory")
	}
	d.table.entries = append(d.table.entries, e)
	return err
}

// content stores a file and makes its sums.
func (d *decoder) content(e *entry, body io.Reader) error {
	e.offset = d.table.size
	d.sum.Reset()
	out := io.MultiWriter(d.sum, d.packer)
	var sum5 hash.Hash
	if d.allMD5 || d.conffiles[e.Path] {
		sum5 = md5.New()
		out = io.MultiWriter(d.sum, sum5, d.packer)
	}
	head := &headWriter{}
	n, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(head, out)}, body, d.copy)
	if err != nil {
		return fmt.Errorf("%q: %w", e.Path, noEOF(err))
	}
	e.Size, e.Digest = n, "sha256:"+hex.EncodeToString(d.sum.Sum(nil))
	if sum5 != nil {
		e.md5 = hex.EncodeToString(sum5.Sum(nil))
	}
	if e.Mode&0o111 != 0 {
		e.interp = interpreter(string(head.b))
	}
	return nil
}

// headWriter keeps the first bytes.
type headWriter struct{ b []byte }

func (h *headWriter) Write(p []byte) (int, error) {
	if len(h.b) < 256 { // BINPRM_BUF_SIZE: what the kernel looks at
		h.b = append(h.b, p[:min(len(p), 256-len(h.b))]...)
	}
	return len(p), nil
}

// interpreter is the program of a #! line; of env, what env looks for.
func interpreter(head string) string {
	if !strings.HasPrefix(head, "#!") {
		return ""
	}
	line, _, _ := strings.Cut(head[2:], "\n")
	words := strings.Fields(line)
	switch {
	case len(words) == 0:
		return ""
	case strings.HasSuffix(words[0], "/env") && len(words) > 1 && !strings.HasPrefix(words[1], "-"):
		return words[1]
	}
	return words[0]
}

// cleanPath makes the path of an archive relative and clean. What would lead
// out of the root is an error, not something to be repaired.
func cleanPath(name string) (string, error) {
	if len(name) > maxPath {
		return "", fmt.Errorf("a path of %d bytes is too long", len(name))
	}
	if strings.HasPrefix(name, "/") {
		return "", fmt.Errorf("%q is absolute", name)
	}
	if strings.IndexByte(name, 0) >= 0 {
		return "", fmt.Errorf("%q has a zero byte", name)
	}
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "" || part == ".":
		case part == "..":
			return "", fmt.Errorf("%q leads out of the archive", name)
		case strings.HasPrefix(part, ".wh."):
			return "", fmt.Errorf("%q: a name that starts with .wh. means a deletion in an image layer", name)
		default:
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "/"), nil
}
