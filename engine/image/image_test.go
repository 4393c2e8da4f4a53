package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/lower/dag"
)

// memLayer is a layer whose bytes are in memory.
type memLayer struct {
	tar, gz []byte
	origin  string
	opened  *int
}

func sum(b []byte) string { s := sha256.Sum256(b); return "sha256:" + hex.EncodeToString(s[:]) }

func newLayer(t *testing.T, files map[string]string) *memLayer {
	t.Helper()
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for path, content := range files {
		if err := tw.WriteHeader(&tar.Header{Name: path, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		io.WriteString(tw, content)
	}
	tw.Close()
	var z bytes.Buffer
	zw := gzip.NewWriter(&z)
	zw.Write(b.Bytes())
	zw.Close()
	return &memLayer{tar: b.Bytes(), gz: z.Bytes(), opened: new(int)}
}

func (l *memLayer) DiffID() string { return sum(l.tar) }
func (l *memLayer) Blob(context.Context) (engine.Blob, error) {
	return engine.Blob{MediaType: "application/vnd.oci.image.layer.v1.tar+gzip", Digest: sum(l.gz), Size: int64(len(l.gz))}, nil
}
func (l *memLayer) Open(context.Context) (io.ReadCloser, error) {
	*l.opened++
	return io.NopCloser(bytes.NewReader(l.gz)), nil
}
func (l *memLayer) Tar(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(l.tar)), nil
}
func (l *memLayer) Origin() string { return l.origin }

func testResult(t *testing.T, platforms ...string) engine.Result {
	t.Helper()
	shared := newLayer(t, map[string]string{"etc/shared": "the same for all\n"})
	r := engine.Result{Output: dag.Output{Addr: "//:image.web"}}
	for _, p := range platforms {
		r.Images = append(r.Images, engine.Image{
			Platform: p,
			Config: dag.Config{
				User: "33:33", Env: []string{"A=b"}, Entrypoint: []string{"/bin/x"}, Cmd: []string{"-v"}, Workdir: "/srv",
				Ports: []string{"8080/tcp"}, Volumes: []string{"/data"}, Labels: []dag.KV{{Name: "l", Value: "v"}},
				StopSignal:  "SIGQUIT",
				Healthcheck: &dag.Healthcheck{Command: []string{"/bin/x", "-check"}, Interval: int64(30 * time.Second), Retries: 3},
			},
			Annotations: []dag.KV{{Name: "org.opencontainers.image.base.name", Value: "scratch"}},
			Layers:      []engine.Layer{shared, newLayer(t, map[string]string{"bin/x": p})},
			History:     []engine.History{{CreatedBy: "file /etc/shared"}, {CreatedBy: "copy x"}},
		})
	}
	if len(platforms) > 1 {
		r.Index = &dag.Index{}
	}
	return r
}

func assemble(t *testing.T, r engine.Result, o Options) *Artifact {
	t.Helper()
	a, err := Assemble(t.Context(), r, o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAssembledImagesAreValid(t *testing.T) {
	t.Parallel()
	a := assemble(t, testResult(t, "linux/amd64", "linux/arm64"), Options{})
	for i, img := range a.Images {
		if err := validate.Image(img); err != nil {
			t.Errorf("%s: %v", a.Platforms[i], err)
		}
	}
	cf, err := a.Images[1].ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if cf.Architecture != "arm64" || cf.OS != "linux" || cf.Config.User != "33:33" || cf.Config.StopSignal != "SIGQUIT" {
		t.Errorf("config %+v", cf)
	}
	if len(cf.History) != len(cf.RootFS.DiffIDs) {
		t.Errorf("%d history lines for %d layers", len(cf.History), len(cf.RootFS.DiffIDs))
	}
	if !cf.Created.Equal(Epoch) {
		t.Errorf("created %v, want %v", cf.Created, Epoch)
	}
	if got := cf.Config.Healthcheck.Test; strings.Join(got, " ") != "CMD /bin/x -check" {
		t.Errorf("healthcheck %q", got)
	}
}

func TestCreatedChangesOnlyTheConfiguration(t *testing.T) {
	t.Parallel()
	r := testResult(t, "linux/amd64")
	a, b := assemble(t, r, Options{}), assemble(t, r, Options{Created: time.Unix(1e9, 0).UTC()})
	if a.Digest == b.Digest {
		t.Error("created is not in the image")
	}
	la, _ := a.Images[0].Layers()
	lb, _ := b.Images[0].Layers()
	for i := range la {
		da, _ := la[i].Digest()
		db, _ := lb[i].Digest()
		if da != db {
			t.Errorf("layer %d differs", i)
		}
	}
}

func TestStampGoesToTheOutermostDocumentOnly(t *testing.T) {
	t.Parallel()
	r := testResult(t, "linux/amd64", "linux/arm64")
	stamp := []dag.KV{{Name: "org.opencontainers.image.revision", Value: "abc"}}
	a, b := assemble(t, r, Options{}), assemble(t, r, Options{Stamp: stamp})
	if !strings.Contains(string(b.Raw), `"org.opencontainers.image.revision":"abc"`) {
		t.Errorf("the index has no stamp: %s", b.Raw)
	}
	for i := range a.Images {
		x, _ := a.Images[i].Digest()
		y, _ := b.Images[i].Digest()
		if x != y {
			t.Errorf("the stamp changed the image of %s", a.Platforms[i])
		}
	}
}

func TestLayoutIsWrittenOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := assemble(t, testResult(t, "linux/amd64", "linux/arm64"), Options{})
	for i, want := range []bool{true, false} {
		wrote, err := WriteLayout(t.Context(), dir, a, "web")
		if err != nil {
			t.Fatal(err)
		}
		if wrote != want {
			t.Errorf("write %d: wrote %t, want %t", i, wrote, want)
		}
	}
	idx, err := resolveLayout(dir)
	if err != nil {
		t.Fatal(err)
	}
	if idx.Digest != a.Digest || len(idx.Platforms) != 2 {
		t.Errorf("the layout says %+v, want %s for two platforms", idx, a.Digest)
	}
}

func TestLayoutRepairsATruncatedBlob(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := assemble(t, testResult(t, "linux/amd64"), Options{})
	if _, err := WriteLayout(t.Context(), dir, a, "web"); err != nil {
		t.Fatal(err)
	}
	l, _ := a.Images[0].Layers()
	h, _ := l[0].Digest()
	path := filepath.Join(dir, "blobs/sha256", h.Hex)
	if err := os.Truncate(path, 3); err != nil {
		t.Fatal(err)
	}
	if _, err := WriteLayout(t.Context(), dir, a, "web"); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); sum(b) != h.String() {
		t.Error("the truncated blob was left")
	}
}

func TestLayoutKeepsOtherNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, n := range []string{"a", "b", "a"} {
		r := testResult(t, "linux/amd64")
		r.Images[0].Config.User = n
		if _, err := WriteLayout(t.Context(), dir, assemble(t, r, Options{}), n); err != nil {
			t.Fatal(err)
		}
	}
	idx, err := readIndex(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(idx.Manifests) != 2 || idx.Manifests[0].Annotations[refName] != "a" {
		t.Errorf("manifests %+v", idx.Manifests)
	}
	if _, err := resolveLayout(dir); err == nil || !strings.Contains(err.Error(), `"a", "b"`) {
		t.Errorf("a layout of two images must ask which: %v", err)
	}
	if _, err := resolveLayout(dir + ":b"); err != nil {
		t.Error(err)
	}
}

func TestWriteLayoutRefusesAStrangeFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "index.json"), []byte("hello"), 0o644)
	_, err := WriteLayout(t.Context(), dir, assemble(t, testResult(t, "linux/amd64"), Options{}), "web")
	if err == nil || !strings.Contains(err.Error(), "is not an OCI layout") {
		t.Errorf("error %v", err)
	}
}

func TestOCITarIsDeterministicAndSkopeoReadsIt(t *testing.T) {
	t.Parallel()
	a := assemble(t, testResult(t, "linux/amd64", "linux/arm64"), Options{})
	var one, two bytes.Buffer
	for _, b := range []*bytes.Buffer{&one, &two} {
		if err := WriteOCITar(t.Context(), b, a, "web"); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("two tars of one image differ")
	}
	skopeo := tool(t, "skopeo")
	file := filepath.Join(t.TempDir(), "web.tar")
	os.WriteFile(file, one.Bytes(), 0o644)
	out, err := exec.Command(skopeo, "inspect", "--raw", "oci-archive:"+file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "image.index") {
		t.Errorf("skopeo: %v\n%s", err, out)
	}
}

func TestDockerTar(t *testing.T) {
	t.Parallel()
	a := assemble(t, testResult(t, "linux/amd64", "linux/arm64"), Options{})
	var b bytes.Buffer
	if err := WriteDockerTar(t.Context(), &b, a, "linux/arm64", []string{"registry.example.com/web:1", "localhost:5000/web"}); err != nil {
		t.Fatal(err)
	}
	skopeo := tool(t, "skopeo")
	file := filepath.Join(t.TempDir(), "web.tar")
	os.WriteFile(file, b.Bytes(), 0o644)
	for _, tag := range []string{"registry.example.com/web:1", "localhost:5000/web:latest"} {
		out, err := exec.Command(skopeo, "inspect", "--config", "docker-archive:"+file+":"+tag).CombinedOutput()
		if err != nil || !strings.Contains(string(out), `"arm64"`) {
			t.Errorf("skopeo: %v\n%s", err, out)
		}
	}
	err := WriteDockerTar(t.Context(), io.Discard, a, "linux/s390x", nil)
	if err == nil || !strings.Contains(err.Error(), "--platform") {
		t.Errorf("a platform that is not there: %v", err)
	}
}

func TestADockerTarIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	a := assemble(t, testResult(t, "linux/amd64"), Options{})
	var first []byte
	for range 10 {
		var b bytes.Buffer
		if err := WriteDockerTar(t.Context(), &b, a, "linux/amd64", []string{"web:1", "web:2", "web:3", "x/y:4"}); err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b.Bytes()
		}
		if !bytes.Equal(first, b.Bytes()) {
			t.Fatal("the same image and tags gave other bytes")
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := WriteDockerTar(ctx, io.Discard, a, "linux/amd64", []string{"web:1"}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the build: %v", err)
	}
}

func TestBuildsIntoOneLayoutKeepEachOthersImages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := assemble(t, testResult(t, "linux/amd64"), Options{})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, err := WriteLayout(t.Context(), dir, a, fmt.Sprintf("image%d", i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	idx, err := readIndex(dir)
	if err != nil || len(idx.Manifests) != 20 {
		t.Errorf("%d images of 20 are in the index, %v", len(idx.Manifests), err)
	}
}

// tool finds a program that CI installs.
func tool(t *testing.T, name string) string {
	t.Helper()
	p, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("SPECBUILD_TEST_REQUIRE") != "" {
			t.Fatalf("%s is required here", name)
		}
		t.Skipf("needs %s", name)
	}
	return p
}

// counted is a registry (distribution, in memory) that counts requests by method and kind.
func counted(t *testing.T) (host string, counts func() map[string]int) {
	t.Helper()
	got := map[string]int{}
	c := &configuration.Configuration{Storage: configuration.Storage{"inmemory": configuration.Parameters{}}}
	c.Log.Level = "panic"
	inner := handlers.NewApp(context.Background(), c)
	lock := make(chan struct{}, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lock <- struct{}{}
		kind := "other"
		switch {
		case strings.Contains(r.URL.Path, "/blobs/uploads"):
			kind = "upload"
		case strings.Contains(r.URL.Path, "/blobs/"):
			kind = "blob"
		case strings.Contains(r.URL.Path, "/manifests/"):
			kind = "manifest"
		}
		got[r.Method+" "+kind]++
		if r.URL.Query().Get("mount") != "" {
			got["mount"]++
		}
		<-lock
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), func() map[string]int {
		lock <- struct{}{}
		defer func() { <-lock }()
		return maps.Clone(got)
	}
}

func TestPushReturnsTheSameDigestAndSendsBlobsOnce(t *testing.T) {
	t.Parallel()
	host, counts := counted(t)
	a := assemble(t, testResult(t, "linux/amd64", "linux/arm64"), Options{})
	r := NewRegistry("test")
	for _, tag := range []string{"1", "latest-release", "1"} {
		if err := r.Push(t.Context(), host+"/shop/web:"+tag, a); err != nil {
			t.Fatal(err)
		}
	}
	got, err := r.Head(t.Context(), host+"/shop/web:1")
	if err != nil || got != a.Digest {
		t.Errorf("the registry has %s, want %s (%v)", got, a.Digest, err)
	}
	if got, _ := NewRegistry("test").Head(t.Context(), host+"/shop/web:none"); got != "" {
		t.Errorf("a tag that is not there has the digest %s", got)
	}
	ref, _ := name.ParseReference(host + "/shop/web:1")
	idx, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(idx); err != nil {
		t.Error(err)
	}
	// Three layers (one shared), two configurations.
	if n := counts()["HEAD blob"]; n > 5 {
		t.Errorf("%d blobs were asked for, there are 5: %v", n, counts())
	}
}

func TestBaseLayersAreMounted(t *testing.T) {
	t.Parallel()
	host, counts := counted(t)
	r := NewRegistry("test")
	base := testResult(t, "linux/amd64")
	if err := r.Push(t.Context(), host+"/base/os:1", assemble(t, base, Options{})); err != nil {
		t.Fatal(err)
	}
	on := testResult(t, "linux/amd64")
	on.Images[0].Layers = base.Images[0].Layers
	for _, l := range on.Images[0].Layers {
		l.(*memLayer).origin = host + "/base/os"
		*l.(*memLayer).opened = 0
	}
	if err := NewRegistry("test").Push(t.Context(), host+"/shop/app:1", assemble(t, on, Options{})); err != nil {
		t.Fatal(err)
	}
	if counts()["mount"] == 0 {
		t.Errorf("nothing was mounted: %v", counts())
	}
}

func TestResolveAndReadABase(t *testing.T) {
	t.Parallel()
	host, counts := counted(t)
	r := NewRegistry("test")
	a := assemble(t, testResult(t, "linux/amd64", "linux/arm64"), Options{})
	ref := host + "/base/os:1"
	if err := r.Push(t.Context(), ref, a); err != nil {
		t.Fatal(err)
	}
	before := counts()["GET blob"]
	idx, err := r.Resolve(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	if idx.Digest != a.Digest || idx.Platforms["linux/arm64"] == "" {
		t.Errorf("resolved to %+v", idx)
	}
	if n := counts()["GET blob"] - before; n != 0 {
		t.Errorf("resolving fetched %d blobs", n)
	}
	b, err := r.Base(t.Context(), ref+"@"+idx.Digest, idx.Platforms["linux/arm64"])
	if err != nil {
		t.Fatal(err)
	}
	var cf v1.ConfigFile
	if err := json.Unmarshal(b.Config, &cf); err != nil || cf.Architecture != "arm64" {
		t.Errorf("config of the wrong platform: %s", b.Config)
	}
	rc, err := r.OpenBlob(t.Context(), ref, b.Layers[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	if body, _ := io.ReadAll(rc); sum(body) != b.Layers[0].Digest {
		t.Error("the blob has other bytes")
	}
}

func TestBaseFromALayout(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := assemble(t, testResult(t, "linux/amd64", "linux/arm64"), Options{})
	if _, err := WriteLayout(t.Context(), dir, a, "os"); err != nil {
		t.Fatal(err)
	}
	r := NewRegistry("test")
	idx, err := r.Resolve(t.Context(), LayoutRef(dir))
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.Base(t.Context(), LayoutRef(dir), idx.Platforms["linux/arm64"])
	if err != nil {
		t.Fatal(err)
	}
	rc, err := r.OpenBlob(t.Context(), LayoutRef(dir), b.Layers[1].Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	if body, _ := io.ReadAll(rc); sum(body) != b.Layers[1].Digest {
		t.Error("the blob has other bytes")
	}
}

func TestPushFromALayout(t *testing.T) {
	t.Parallel()
	host, _ := counted(t)
	dir := t.TempDir()
	a := assemble(t, testResult(t, "linux/amd64", "linux/arm64"), Options{})
	if _, err := WriteLayout(t.Context(), dir, a, "os"); err != nil {
		t.Fatal(err)
	}
	opened, err := OpenLayout(dir + ":os")
	if err != nil {
		t.Fatal(err)
	}
	r := NewRegistry("test")
	if err := r.Push(t.Context(), host+"/shop/web:1", opened); err != nil {
		t.Fatal(err)
	}
	if got, _ := r.Head(t.Context(), host+"/shop/web:1"); got != a.Digest {
		t.Errorf("the registry has %s, want %s", got, a.Digest)
	}
	if _, err := OpenLayout(dir + ":other"); err == nil || !strings.Contains(err.Error(), `"os"`) {
		t.Errorf("a name that is not there: %v", err)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	host, _ := counted(t)
	r := NewRegistry("test")
	for ref, want := range map[string]string{
		host + "/no/such:1":    "no such image",
		"127.0.0.1:1/x:1":      "cannot be reached",
		"UPPER case":           "not an image name",
		"layout:/nowhere/here": "index.json is missing",
	} {
		began := time.Now()
		_, err := r.Resolve(t.Context(), ref)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", ref, err, want)
		}
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("%s: the answer took %v", ref, took)
		}
	}
}

func TestADamagedLayoutIsSaid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := assemble(t, testResult(t, "linux/amd64"), Options{})
	if _, err := WriteLayout(t.Context(), dir, a, "os"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "blobs", strings.Replace(a.Digest, ":", "/", 1))
	b, _ := os.ReadFile(path)
	if err := os.WriteFile(path, append(b, ' '), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := NewRegistry("test").Base(t.Context(), LayoutRef(dir), a.Digest)
	if err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("error %v", err)
	}
}

func ExampleOrigin() {
	fmt.Println(Origin("registry.example.com/base/os:1@sha256:aa"))
	// Output: registry.example.com/base/os
}

// TestPlatformsOfAnIndexAreNormalised: arm without a variant is what many
// indexes list, and linux/arm/v7 what every spec asks for.
func TestPlatformsOfAnIndexAreNormalised(t *testing.T) {
	t.Parallel()
	index := func(platforms ...string) *v1.IndexManifest {
		m := &v1.IndexManifest{}
		for i, text := range platforms {
			p, err := v1.ParsePlatform(text)
			if err != nil {
				t.Fatal(err)
			}
			m.Manifests = append(m.Manifests, v1.Descriptor{Platform: p, Digest: v1.Hash{Algorithm: "sha256", Hex: strconv.Itoa(i)}})
		}
		return m
	}
	for _, c := range []struct {
		listed []string
		want   map[string]string
	}{
		{[]string{"linux/amd64", "linux/arm64/v8", "linux/arm"}, map[string]string{"linux/amd64": "sha256:0", "linux/arm64": "sha256:1", "linux/arm/v7": "sha256:2"}},
		{[]string{"linux/arm", "linux/arm/v6", "linux/arm/v7"}, map[string]string{"linux/arm/v6": "sha256:1", "linux/arm/v7": "sha256:2"}},
		{[]string{"linux/arm/7", "linux/arm64/8", "linux/amd64/v1", "linux/amd64/v3"}, map[string]string{"linux/arm/v7": "sha256:0", "linux/arm64": "sha256:1", "linux/amd64": "sha256:2", "linux/amd64/v3": "sha256:3"}},
		{[]string{"linux/aarch64", "linux/x86_64", "windows/amd64", "unknown/unknown"}, map[string]string{"linux/arm64": "sha256:0", "linux/amd64": "sha256:1"}},
	} {
		if diff := cmp.Diff(c.want, platformsOf(index(c.listed...))); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.listed, diff)
		}
	}
}
