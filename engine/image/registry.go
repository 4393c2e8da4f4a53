package image

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Registry talks to registries: one value serves a whole command, so that
// tokens are asked for once and no blob is checked twice.
type Registry struct {
	options []remote.Option

	stall time.Duration // without a byte of a blob

	mu     sync.Mutex
	puller *remote.Puller
	pusher *remote.Pusher
}

// RegistryOptions are the settings of a [Registry]; only UserAgent is needed.
type RegistryOptions struct {
	UserAgent string
	// Proxy chooses the proxy of a request and TLS whom to trust; nil are the
	// machine's own.
	Proxy func(*http.Request) (*url.URL, error)
	TLS   *tls.Config
}

// NewRegistry makes a client that goes the machine's own ways.
func NewRegistry(userAgent string) *Registry {
	return OpenRegistry(RegistryOptions{UserAgent: userAgent})
}

// OpenRegistry makes a client with the credentials of Docker's configuration and its
// helpers. Plain http is used for the loopback range only.
func OpenRegistry(o RegistryOptions) *Registry {
	t := http.DefaultTransport.(*http.Transport).Clone()
	if o.Proxy != nil {
		t.Proxy = o.Proxy
	}
	t.TLSClientConfig = o.TLS
	t.DialContext = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	t.TLSHandshakeTimeout = 5 * time.Second
	t.ResponseHeaderTimeout = 60 * time.Second // a push commits a large blob before it answers
	t.MaxIdleConnsPerHost = 16
	reading := t.Clone()
	reading.ResponseHeaderTimeout = 10 * time.Second
	return &Registry{stall: stall, options: []remote.Option{
		remote.WithAuthFromKeychain(authn.DefaultKeychain),
		remote.WithTransport(byMethod{reading: reading, writing: t}),
		remote.WithUserAgent(o.UserAgent),
		remote.WithJobs(8),
		// Three tries in about a second: an unreachable registry is said soon.
		remote.WithRetryBackoff(remote.Backoff{Duration: 150 * time.Millisecond, Factor: 3, Jitter: 0.1, Steps: 3}),
		remote.WithRetryPredicate(worthRetrying),
	}}
}

// Error is a registry's refusal or absence, in words for the one who wrote
// the name.
type Error struct {
	Ref    string
	Reason string // what happened, and what to do
	Err    error
}

func (e *Error) Error() string { return e.Ref + ": " + e.Reason }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// explain turns what the client met into what a person can act on.
func explain(ref string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	e := &Error{Ref: ref, Err: err}
	var te *transport.Error
	var dns *net.DNSError
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.As(err, &te) && te.StatusCode == http.StatusNotFound:
		e.Reason = "the registry has no such image; check the name and the tag"
	case errors.As(err, &te) && (te.StatusCode == http.StatusUnauthorized || te.StatusCode == http.StatusForbidden):
		e.Reason = fmt.Sprintf("the registry refused (%d); log in with `docker login`, or check that the repository exists", te.StatusCode)
	case errors.As(err, &te):
		e.Reason = fmt.Sprintf("the registry answered %d: %s", te.StatusCode, firstLine(te.Error()))
	case errors.As(err, &dns):
		e.Reason = fmt.Sprintf("the registry's host %q cannot be found; check the name and the network", dns.Name)
	case errors.As(err, &op):
		e.Reason = fmt.Sprintf("the registry cannot be reached (%v); check the name and the network", op.Err)
	case errors.As(err, &timeout) && timeout.Timeout():
		e.Reason = "the registry does not answer; check the name and the network"
	default:
		e.Reason = firstLine(err.Error())
	}
	return e
}

func firstLine(s string) string { s, _, _ = strings.Cut(s, "\n"); return s }

func (r *Registry) pull() (*remote.Puller, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.puller == nil {
		p, err := remote.NewPuller(r.options...)
		if err != nil {
			return nil, err
		}
		r.puller = p
	}
	return r.puller, nil
}

func (r *Registry) push() (*remote.Pusher, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pusher == nil {
		p, err := remote.NewPusher(r.options...)
		if err != nil {
			return nil, err
		}
		r.pusher = p
	}
	return r.pusher, nil
}

// Index is what a name in a registry or layout stands for.
type Index struct {
	Digest    string            // of the index, or of the manifest where there is no index
	MediaType string            // of what Digest names
	Platforms map[string]string // platform → digest of its manifest
}

// Resolve looks up what a reference stands for, without pulling anything.
func (r *Registry) Resolve(ctx context.Context, ref string) (Index, error) {
	if dir, ok := strings.CutPrefix(ref, layoutPrefix); ok {
		return resolveLayout(dir)
	}
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return Index{}, &Error{Ref: ref, Reason: "this is not an image name", Err: err}
	}
	p, err := r.pull()
	if err != nil {
		return Index{}, err
	}
	d, err := again(ctx, func() (*remote.Descriptor, error) { return p.Get(ctx, parsed) })
	if err != nil {
		return Index{}, explain(ref, err)
	}
	if !d.MediaType.IsIndex() {
		return r.singleIndex(ctx, ref, d)
	}
	m, err := v1.ParseIndexManifest(strings.NewReader(string(d.Manifest)))
	if err != nil {
		return Index{}, explain(ref, err)
	}
	return Index{Digest: d.Digest.String(), MediaType: string(d.MediaType), Platforms: platformsOf(m)}, nil
}

func (r *Registry) singleIndex(ctx context.Context, ref string, d *remote.Descriptor) (Index, error) {
	if !d.MediaType.IsImage() {
		return Index{}, &Error{Ref: ref, Reason: fmt.Sprintf("this is no image: its media type is %s", d.MediaType)}
	}
	img, err := d.Image()
	if err != nil {
		return Index{}, explain(ref, err)
	}
	raw, err := r.config(ctx, ref, img)
	if err != nil {
		return Index{}, err
	}
	cf, err := v1.ParseConfigFile(bytes.NewReader(raw))
	if err != nil {
		return Index{}, &Error{Ref: ref, Reason: "its configuration cannot be read", Err: err}
	}
	p := cf.Platform()
	return Index{Digest: d.Digest.String(), MediaType: string(d.MediaType), Platforms: map[string]string{platformName(p): d.Digest.String()}}, nil
}

// platformsOf keeps linux images: attestations are listed as unknown/unknown.
// Of several of one platform the first counts, one that says it in full before
// one that does not.
func platformsOf(m *v1.IndexManifest) map[string]string {
	out := map[string]string{}
	for _, full := range []bool{true, false} {
		for _, d := range m.Manifests {
			if d.Platform == nil || d.Platform.OS != "linux" {
				continue
			}
			key := platformName(d.Platform)
			if _, ok := out[key]; !ok && full == (key == path.Join(d.Platform.OS, d.Platform.Architecture, d.Platform.Variant)) {
				out[key] = d.Digest.String()
			}
		}
	}
	return out
}

// platformName normalises as the language does, and as containerd: arm64/v8 is
// arm64, amd64/v1 is amd64, and arm without a variant, which many indexes
// have, is arm/v7. No spec can name what is not normalised.
func platformName(p *v1.Platform) string {
	arch, v := p.Architecture, p.Variant
	switch arch {
	case "x86_64":
		arch = "amd64"
	case "aarch64":
		arch = "arm64"
	}
	switch {
	case arch == "arm64" && (v == "v8" || v == "8"), arch == "amd64" && v == "v1":
		v = ""
	case arch == "arm" && v == "":
		v = "v7"
	case arch == "arm" && len(v) == 1:
		v = "v" + v
	}
	return path.Join(p.OS, arch, v)
}

// Base is an image of one platform to build on.
type Base struct {
	Digest string // of the manifest
	Config []byte // the configuration as it is
	Layers []BaseLayer
}

// BaseLayer is one of its layers, lowest first.
type BaseLayer struct {
	Digest, DiffID, MediaType string
	Size                      int64 // compressed bytes
}

// Base reads the manifest and the configuration of ref's manifest with this
// digest. The DiffIDs are the configuration's claim: they are proven when a
// layer is streamed.
func (r *Registry) Base(ctx context.Context, ref, digest string) (Base, error) {
	img, err := r.open(ctx, ref, digest)
	if err != nil {
		return Base{}, err
	}
	m, err := img.Manifest()
	if err != nil {
		return Base{}, explain(ref, err)
	}
	raw, err := r.config(ctx, ref, img)
	if err != nil {
		return Base{}, err
	}
	var cf v1.ConfigFile
	if err := json.Unmarshal(raw, &cf); err != nil {
		return Base{}, &Error{Ref: ref, Reason: "its configuration cannot be read", Err: err}
	}
	if len(cf.RootFS.DiffIDs) != len(m.Layers) {
		return Base{}, &Error{Ref: ref, Reason: fmt.Sprintf("its configuration names %d layers, its manifest %d",
			len(cf.RootFS.DiffIDs), len(m.Layers))}
	}
	b := Base{Digest: digest, Config: raw}
	for i, l := range m.Layers {
		b.Layers = append(b.Layers, BaseLayer{
			Digest: l.Digest.String(), DiffID: cf.RootFS.DiffIDs[i].String(), MediaType: string(l.MediaType), Size: l.Size,
		})
	}
	return b, nil
}

// maxConfig is more than any configuration that is not an attack: it is read
// as a whole, and its size is the word of whoever made the manifest.
const maxConfig = 16 << 20

// config reads an image's configuration, which is checked against the manifest.
func (r *Registry) config(ctx context.Context, ref string, img v1.Image) ([]byte, error) {
	m, err := img.Manifest()
	if err != nil {
		return nil, explain(ref, err)
	}
	if m.Config.Size > maxConfig {
		return nil, &Error{Ref: ref, Reason: fmt.Sprintf("its configuration is said to have %d bytes; %d are read", m.Config.Size, maxConfig)}
	}
	// Not by img, which after a cut takes what has come for the whole.
	rc, err := r.OpenBlob(ctx, ref, m.Config.Digest.String())
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	raw, err := io.ReadAll(io.LimitReader(rc, maxConfig+1))
	if err == nil && int64(len(raw)) != m.Config.Size {
		err = fmt.Errorf("its configuration has not the %d bytes that its manifest says", m.Config.Size)
	}
	return raw, explain(ref, err)
}

// OpenBlob streams a blob of ref's repository. The bytes are verified against
// the digest: reading ends in an error when they differ. A connection that is
// cut, or silent, is made anew, and the reading goes on where it was.
func (r *Registry) OpenBlob(ctx context.Context, ref, digest string) (io.ReadCloser, error) {
	if dir, ok := strings.CutPrefix(ref, layoutPrefix); ok {
		return openLayoutBlob(dir, digest)
	}
	h, err := v1.NewHash(digest)
	if err != nil {
		return nil, &Error{Ref: ref, Reason: "this is not a digest: " + digest, Err: err}
	}
	repo, err := repository(ref)
	if err != nil {
		return nil, err
	}
	p, err := r.pull()
	if err != nil {
		return nil, err
	}
	rc, err := openDownload(ctx, h, r.stall, func(ctx context.Context) (io.ReadCloser, error) {
		l, err := p.Layer(ctx, repo.Digest(digest))
		if err != nil {
			return nil, err
		}
		return l.Compressed()
	})
	if err != nil {
		return nil, explain(ref, err)
	}
	return rc, nil
}

func (r *Registry) open(ctx context.Context, ref, digest string) (v1.Image, error) {
	if dir, ok := strings.CutPrefix(ref, layoutPrefix); ok {
		return openLayout(dir, digest)
	}
	d, err := r.get(ctx, ref, digest)
	if err != nil {
		return nil, err
	}
	img, err := d.Image()
	return img, explain(ref, err)
}

// get asks ref's repository for the manifest or index of a digest.
func (r *Registry) get(ctx context.Context, ref, digest string) (*remote.Descriptor, error) {
	repo, err := repository(ref)
	if err != nil {
		return nil, err
	}
	p, err := r.pull()
	if err != nil {
		return nil, err
	}
	d, err := again(ctx, func() (*remote.Descriptor, error) { return p.Get(ctx, repo.Digest(digest)) })
	return d, explain(ref, err)
}

// repository is the repository of a reference; a tag beside a digest is left
// out, as the digest decides.
func repository(ref string) (name.Repository, error) {
	if at := strings.Index(ref, "@"); at >= 0 {
		ref = ref[:at]
	}
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return name.Repository{}, &Error{Ref: ref, Reason: "this is not an image name", Err: err}
	}
	return parsed.Context(), nil
}

// Origin is the repository of a reference in the form of engine.Layer.
func Origin(ref string) string {
	if strings.HasPrefix(ref, layoutPrefix) {
		return ""
	}
	repo, err := repository(ref)
	if err != nil {
		return ""
	}
	return repo.Name()
}

// Head is the digest that a tag points to, or "" where there is none.
func (r *Registry) Head(ctx context.Context, tag string) (string, error) {
	parsed, err := name.NewTag(tag)
	if err != nil {
		return "", &Error{Ref: tag, Reason: "this is not a tag", Err: err}
	}
	return r.head(ctx, parsed)
}

func (r *Registry) head(ctx context.Context, ref name.Reference) (string, error) {
	p, err := r.pull()
	if err != nil {
		return "", err
	}
	d, err := p.Head(ctx, ref)
	var te *transport.Error
	if errors.As(err, &te) && te.StatusCode == http.StatusNotFound {
		return "", nil
	}
	if err != nil {
		return "", explain(ref.String(), err)
	}
	return d.Digest.String(), nil
}
