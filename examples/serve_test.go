package examples_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/specbuild/specbuild/engine/layer"
	"github.com/specbuild/specbuild/engine/sandbox"
)

// page is something to fetch from a started image, and what must come.
type page struct{ path, want string }

// serve starts the finished image as a runtime would, by its own user,
// environment and entrypoint, on a root that cannot be written but for /tmp,
// and fetches its pages from inside.
func (l *lab) serve(t *testing.T, dir, platform string, pages []page) {
	need(t, os.Geteuid() == 0, "root, to unpack layers with their owners")
	can := sandbox.Probe(sandbox.Options{}).Platform(platform)
	need(t, can.Runs, "a machine that runs "+platform+": "+can.Reason)
	img := findImage(t, dir, platform)
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"/probe"}
	var port string
	for p := range config.Config.ExposedPorts {
		port, _, _ = strings.Cut(p, "/")
	}
	for _, p := range pages {
		args = append(args, "http://127.0.0.1:"+port+p.path)
	}
	args = append(append(append(args, "--"), config.Config.Entrypoint...), config.Config.Cmd...)
	uid, gid := user(t, config.Config.User)
	lower, scratch := unpack(t, img), t.TempDir() // the mount targets are made in the scratch
	var stdout, stderr bytes.Buffer
	exit, err := sandbox.Native(sandbox.Options{}).Run(t.Context(), sandbox.Spec{
		Root: sandbox.Root{
			Lower: lower, ReadOnly: true,
			Upper: subdir(t, scratch, "upper"), Work: subdir(t, scratch, "work"),
		},
		Args: args, Env: config.Config.Env, Workdir: config.Config.WorkingDir,
		UID: uid, GID: gid,
		Mounts: []sandbox.Mount{
			{Kind: sandbox.MountBind, Source: l.probe, Target: "/probe", ReadOnly: true},
			{Kind: sandbox.MountTmpfs, Target: "/tmp", Size: 16 << 20},
		},
		Timeout: time.Minute,
		Stdout:  &stdout, Stderr: &stderr, Emulator: can.Emulator,
	})
	if err != nil || exit.Code != 0 {
		t.Fatalf("the image does not run: %v, exit status %d\n%s%s", err, exit.Code, &stdout, &stderr)
	}
	for i, answer := range strings.SplitAfter(stdout.String(), endOfPage)[:len(pages)] {
		if p := pages[i]; !strings.Contains(answer, p.want) {
			t.Errorf("%s does not say %q:\n%s", p.path, p.want, answer)
		}
	}
}

// endOfPage is printed by testdata/probe after each page.
const endOfPage = "\n-- end of page --\n"

func findImage(t *testing.T, dir, platform string) v1.Image {
	t.Helper()
	top, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := top.IndexManifest()
	if err != nil || len(m.Manifests) != 1 {
		t.Fatalf("the layout must hold one image: %v, %+v", err, m)
	}
	index, err := top.ImageIndex(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if m, err = index.IndexManifest(); err != nil {
		t.Fatal(err)
	}
	for _, d := range m.Manifests {
		if d.Platform.String() == platform {
			img, err := index.Image(d.Digest)
			if err != nil {
				t.Fatal(err)
			}
			return img
		}
	}
	t.Fatalf("no image for %s in %+v", platform, m.Manifests)
	return nil
}

// unpack gives the layers as directories, the lowest first.
func unpack(t *testing.T, img v1.Image) []string {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	top := t.TempDir()
	for i, l := range layers {
		dir := subdir(t, top, strconv.Itoa(i))
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := layer.Unpack(r, dir, layer.UnpackOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

func subdir(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// user reads a configuration's user, which specbuild writes as numbers; root
// would be a fault of an example.
func user(t *testing.T, text string) (uid, gid uint32) {
	t.Helper()
	if _, err := fmt.Sscanf(text, "%d:%d", &uid, &gid); err != nil || uid == 0 {
		t.Fatalf("the image's user is %q, wanted numbers of somebody but root", text)
	}
	return uid, gid
}
