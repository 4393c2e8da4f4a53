//go:build linux

package acceptance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// everything is a spec with all kinds of entries that a layer can hold. "both"
// runs nothing on the platforms that it is for; "native" deletes and replaces
// what is below.
const everything = shellStage + `
stage "made" {
  from     = stage.shell
  platform = build.platform
  run {
    script = <<-EOT
      busybox mkdir -p /out/d /out/sticky
      echo one > /out/d/one
      busybox ln /out/d/one /out/d/two
      echo su > /out/su
      busybox chown 3:4 /out/su /out/d
      busybox chmod 4751 /out/su
      busybox chmod 2750 /out/d
      busybox chmod 1777 /out/sticky
      busybox mkfifo -m 0620 /out/fifo
      busybox ln -s d/one /out/link
      busybox ln -s /nowhere /out/dangling
    EOT
    outputs = ["/out"]
  }
}

image "both" {
  from      = scratch
  platforms = ["linux/amd64", "linux/arm64"]

  user "app" {
    uid = 10001
  }
  directory {
    path  = "/srv/data"
    mode  = "0700"
    owner = "app"
  }
  file {
    path    = "/etc/os"
    content = "${target.platform}\n"
    mode    = "0640"
    owner   = "0:7"
  }
  copy {
    from   = stage.made
    source = "/out"
    to     = "/opt/"
  }
  copy {
    source = "tree"
    to     = "/usr/share/app/"
    owner  = "app"
  }
  symlink {
    path = "/opt/app"
    to   = "../usr/share/app"
  }
  run_as     = "app"
  entrypoint = ["/usr/share/app/run.sh"]
  expose     = [8080]
}

stage "below" {
  from = stage.shell
  copy {
    source = "tree"
    to     = "/a/"
  }
  copy {
    source = "tree"
    to     = "/b/"
  }
  copy {
    source = "tree"
    to     = "/c/"
  }
  copy {
    source = "tree"
    to     = "/kept/"
  }
}

image "native" {
  from = stage.below
  run {
    script = <<-EOT
      busybox rm /a/run.sh
      busybox rm -r /b
      busybox mkdir /b
      echo new > /b/new
      busybox rm -r /c
      echo file > /c
      busybox rm -r /a/sub
      busybox ln -s /kept /a/sub
      busybox chmod 0700 /kept/sub
    EOT
  }
  run_as     = "1000:1000"
  entrypoint = ["/bin/busybox"]
  cmd        = ["true"]
}
`

var everythingTree = files{"tree/run.sh": "#!/bin/sh\n", "tree/sub/deep/f": "deep\n", "tree/name with spaces": "é\n"}

// bothTree is what "both" must be, but for /etc/os.
const bothTree = `
0755 0:0 /etc/
0644 0:0 /etc/group "root:x:0:\napp:x:10001:\n"
0644 0:0 /etc/passwd "root:x:0:0:root:/root:/usr/sbin/nologin\napp:x:10001:10001::/home/app:/usr/sbin/nologin\n"
0755 0:0 /home/
0750 10001:10001 /home/app/
0755 0:0 /opt/
link 0:0 /opt/app -> ../usr/share/app
2750 3:4 /opt/d/
0644 0:0 /opt/d/one "one\n"
0644 0:0 /opt/d/two = /opt/d/one
link 0:0 /opt/dangling -> /nowhere
fifo 0620 0:0 /opt/fifo
link 0:0 /opt/link -> d/one
1777 0:0 /opt/sticky/
4751 3:4 /opt/su "su\n"
0755 0:0 /srv/
0700 10001:10001 /srv/data/
0755 0:0 /usr/
0755 0:0 /usr/share/
0755 10001:10001 /usr/share/app/
0644 10001:10001 /usr/share/app/name with spaces "é\n"
0755 10001:10001 /usr/share/app/run.sh "#!/bin/sh\n"
0755 10001:10001 /usr/share/app/sub/
0755 10001:10001 /usr/share/app/sub/deep/
0644 10001:10001 /usr/share/app/sub/deep/f "deep\n"
`

// nativeTree is what "native" must be.
const nativeTree = `
0755 0:0 /a/
0644 0:0 /a/name with spaces "é\n"
link 0:0 /a/sub -> /kept
0755 0:0 /b/
0644 0:0 /b/new "new\n"
0755 0:0 /bin/
link 0:0 /bin/sh -> busybox
0644 0:0 /c "file\n"
0755 0:0 /kept/
0644 0:0 /kept/name with spaces "é\n"
0755 0:0 /kept/run.sh "#!/bin/sh\n"
0700 0:0 /kept/sub/
0755 0:0 /kept/sub/deep/
0644 0:0 /kept/sub/deep/f "deep\n"
`

func treeLines(tree string, more ...string) []string {
	lines := append(strings.Split(strings.TrimSpace(tree), "\n"), more...)
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(pathOf(a), pathOf(b)) })
	return lines
}

// pathOf is the part of a line of treeOf that begins with a path.
func pathOf(line string) string { return line[strings.Index(line, " /"):] }

// ignored is what the trees leave out: the root itself, which is the mount's,
// and the shell, which is not ours.
var ignored = []string{"/", "/bin/busybox"}

// TestAllToolsSeeTheSameTree unpacks what was built in four ways, in order and
// by layer, into the tree that the spec says.
func TestAllToolsSeeTheSameTree(t *testing.T) {
	t.Parallel()
	needTools(t, "skopeo", "umoci", "buildah")
	p := newShellProject(t, everythingTree)
	p.write(files{"image.hcl": everything})
	p.must(os.Chmod(p.path("tree/run.sh"), 0o755))
	p.ok("apply", "-o", "oci:out")
	p.ok("apply", "-o", "oci:zstd", "--compression", "zstd")
	p.ok("apply", "-o", "oci:plain", "--compression", "none")

	for _, c := range []struct {
		image, arch string
		want        []string
	}{
		{"both", "amd64", treeLines(bothTree, `0640 0:7 /etc/os "linux/amd64\n"`)},
		{"both", "arm64", treeLines(bothTree, `0640 0:7 /etc/os "linux/arm64\n"`)},
		{"native", runtime.GOARCH, treeLines(nativeTree)},
	} {
		for _, way := range []struct {
			name, layout string
			unpack       func(testing.TB, *project, string) string
		}{
			{"umoci in order", "out", umociTree}, // it reads gzip only
			{"buildah by overlay", "out", buildahTree("overlay")},
			{"buildah by copies", "out", buildahTree("vfs")},
			{"buildah from zstd", "zstd", buildahTree("vfs")},
			{"buildah from plain tar", "plain", buildahTree("vfs")},
			{"specbuild -o dir", "out", ownTree(c.image, c.arch)},
		} {
			one := strings.Join([]string{"one", way.layout, c.image, c.arch}, "-")
			if _, err := os.Stat(p.path(one)); err != nil {
				tool(t, p.dir, "skopeo", "copy", "-q", "--override-arch", c.arch, "oci:"+way.layout+":"+c.image, "oci:"+one+":latest")
			}
			t.Run(c.image+"/"+c.arch+"/"+way.name, func(t *testing.T) {
				got := treeOf(t, way.unpack(t, p, one), ignored...)
				slices.SortFunc(got, func(a, b string) int { return strings.Compare(pathOf(a), pathOf(b)) })
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("tree (-spec +got):\n%s", diff)
				}
			})
		}
	}
}

func umociTree(t testing.TB, p *project, layoutDir string) string {
	bundle := filepath.Join(t.TempDir(), "bundle")
	tool(t, p.dir, "umoci", "unpack", "--image", layoutDir+":latest", bundle)
	return filepath.Join(bundle, "rootfs")
}

// buildahTree mounts the image from a store that keeps layers apart.
func buildahTree(driver string) func(testing.TB, *project, string) string {
	return func(t testing.TB, p *project, layoutDir string) string {
		dir := t.TempDir()
		buildah := func(args ...string) string {
			return strings.TrimSpace(tool(t, p.dir, append([]string{
				"buildah", "--root", dir + "/store", "--runroot", dir + "/run", "--storage-driver", driver,
			}, args...)...))
		}
		t.Cleanup(func() { unmountBelow(t, dir) })
		return buildah("mount", buildah("from", "oci:"+layoutDir+":latest"))
	}
}

func ownTree(image, arch string) func(testing.TB, *project, string) string {
	return func(t testing.TB, p *project, _ string) string {
		// One spec file, one image: -o dir holds no more.
		q := newProject(t, files{})
		p.must(os.CopyFS(q.dir, os.DirFS(p.dir)))
		other := map[string]string{"both": `image "native"`, "native": `image "both"`}[image]
		text, _, _ := strings.Cut(everything, other)
		if image == "native" {
			_, rest, _ := strings.Cut(everything, `stage "below"`)
			text += `stage "below"` + rest
		}
		q.write(files{"image.hcl": text})
		q.cache = p.cache
		q.ok("apply", "-o", "dir:"+q.dir+"/tree-out", "--platform", "linux/"+arch)
		return q.path("tree-out")
	}
}

func TestLayoutsAreValid(t *testing.T) {
	t.Parallel()
	needTools(t, "skopeo")
	p := newShellProject(t, everythingTree)
	p.write(files{"image.hcl": everything})
	for _, compression := range []string{"gzip", "zstd", "none"} {
		dir := "out-" + compression
		p.ok("apply", "-o", "oci:"+dir, "--compression", compression)
		idx, err := layout.ImageIndexFromPath(p.path(dir))
		p.must(err)
		if compression == "gzip" { // validate knows no other
			if err := validate.Index(idx); err != nil {
				t.Errorf("%s: %v", compression, err)
			}
		}
		var got struct {
			Architecture string
			Layers       []string
		}
		p.must(json.Unmarshal([]byte(tool(t, p.dir, "skopeo", "inspect", "--override-arch", "arm64", "oci:"+dir+":both")), &got))
		if got.Architecture != "arm64" || len(got.Layers) == 0 {
			t.Errorf("%s: skopeo sees %+v", compression, got)
		}
	}
}

// TestArchivesAreRead gives what -o oci-tar and docker-tar write to others.
func TestArchivesAreRead(t *testing.T) {
	t.Parallel()
	needTools(t, "skopeo")
	p := newProject(t, files{"image.hcl": `
image "a" {
  from      = scratch
  platforms = ["linux/amd64"]
  tags      = ["registry.example.com/a:1"]
  file {
    path    = "/hello"
    content = "hello"
  }
  run_as = "1:1"
}`})
	p.ok("apply", "-o", "oci-tar:a.tar", "-o", "docker-tar:d.tar", "-o", "oci:a")
	var layers []string
	for _, ref := range []string{"oci:a:a", "oci-archive:a.tar", "docker-archive:d.tar"} {
		tool(t, p.dir, "skopeo", "copy", "-q", ref, "dir:"+t.TempDir())
		var got struct {
			RootFS struct {
				DiffIDs []string `json:"diff_ids"`
			}
		}
		p.must(json.Unmarshal([]byte(tool(t, p.dir, "skopeo", "inspect", "--config", ref)), &got))
		layers = append(layers, strings.Join(got.RootFS.DiffIDs, " "))
	}
	if layers[0] == "" || layers[0] != layers[1] || layers[1] != layers[2] {
		t.Errorf("the three forms hold %q", layers)
	}
}

// TestRuncStartsTheImage runs the image's own command by the image's own
// configuration, as umoci turns it into a bundle.
func TestRuncStartsTheImage(t *testing.T) {
	t.Parallel()
	needTools(t, "runc", "umoci", "skopeo")
	p := newShellProject(t, files{"image.hcl": shellStage + `
image "app" {
  from       = stage.shell
  env        = { GREETING = "good day" }
  workdir    = "/work"
  run_as     = "1234:5678"
  entrypoint = ["/bin/sh", "-c"]
  cmd        = ["echo \"$GREETING from $(/bin/busybox id -u):$(/bin/busybox id -g) in $(/bin/busybox pwd)\""]
}`})
	p.ok("apply", "-o", "oci:out")
	tool(t, p.dir, "umoci", "unpack", "--image", "out:app", "bundle")
	var config map[string]any
	p.must(json.Unmarshal([]byte(p.read("bundle/config.json")), &config))
	config["process"].(map[string]any)["terminal"] = false
	data, err := json.Marshal(config)
	p.must(err)
	p.write(files{"bundle/config.json": string(data)})
	state := t.TempDir()
	got := tool(t, p.dir, "runc", "--root", state, "run", "--bundle", "bundle", "specbuild-acceptance-"+filepath.Base(filepath.Dir(state)))
	if want := "good day from 1234:5678 in /work\n"; got != want {
		t.Errorf("it said %q, want %q", got, want)
	}
}
