package local

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/leak"
	"github.com/specbuild/specbuild/lower/dag"
)

// hush is the secret of these tests. Nothing but the tests may hold it.
const hush = "hush-4f9Ae27b/Q+x0&z"

// leaky is a root with a shell, and a step with a secret as a variable and as
// a file.
type leaky struct {
	*graphOf
	path string // where the secret comes from
}

func newLeaky(t *testing.T) *leaky {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(hush+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return &leaky{withShell(t), file}
}

// with adds a step that is given the secret as $S and as /s.
func (g *leaky) with(script string, more ...dag.Mount) *leaky {
	g.root = g.Add(&dag.Run{
		Args: []string{"/bin/sh", "-euc", "alias b=busybox; " + script},
		Env:  []dag.KV{{Name: "PATH", Value: "/bin"}}, Workdir: "/", User: "0:0", Network: "none", Platform: native,
		Mounts: append([]dag.Mount{{Type: "secret", Secret: "secret.s", Env: "S"}, {Type: "secret", Secret: "secret.s", Target: "/s"}}, more...),
	}, []dag.ID{g.root}, dag.Meta{
		Name: "image.test", Title: "the step", Platform: native,
		Secrets: []dag.Secret{{Addr: "secret.s", File: g.path}, {Addr: "secret.s", File: g.path}},
		Caches:  []dag.CacheMount{{ID: "c", Sharing: "shared"}}[:len(more)],
	})
	return g
}

// baked are ways to bake a secret into what a step leaves.
func baked() map[string]string {
	return map[string]string{
		"echo to a file":            `echo "$S" > /token`,
		"without an end of line":    `busybox printf %s "$S" > /token`,
		"copy of the mount":         `busybox cp /s /app.key`,
		"shell history":             `busybox mkdir /root; echo "curl -H 'Authorization: Bearer $S' https://x" > /root/.ash_history`,
		"git config":                `busybox mkdir -p /src/.git; printf '[remote "origin"]\n\turl = https://u:%s@git.example.com/a\n' "$S" > /src/.git/config`,
		"pip config":                `busybox mkdir -p /root/.config/pip; printf '[global]\nindex-url = https://u:%s@pypi.example.com/simple\n' "$S" > /root/.config/pip/pip.conf`,
		"npmrc":                     `busybox mkdir /root; echo "//registry.npmjs.org/:_authToken=$S" > /root/.npmrc`,
		"netrc":                     `busybox mkdir /root; echo "machine x login u password $S" > /root/.netrc`,
		"Docker config":             `busybox mkdir -p /root/.docker; echo "{\"auths\":{\"x\":{\"auth\":\"$(busybox printf 'user:%s' "$S" | busybox base64)\"}}}" > /root/.docker/config.json`,
		"base64":                    `busybox base64 /s > /token`,
		"base64 in narrow lines":    `busybox base64 -w 9 /s > /token`,
		"base64 without a line end": `busybox base64 -w 0 /s > /token`,
		"hex":                       `busybox hexdump -v -e '1/1 "%02x"' /s > /token`,
		"upper-case hex":            `busybox hexdump -v -e '1/1 "%02X"' /s > /token`,
		"URL encoding":              `echo "https://x/?t=hush-4f9Ae27b%2FQ%2Bx0%26z" > /url`,
		"in a binary":               `{ busybox head -c 100000 /bin/busybox; busybox cat /s; busybox head -c 5000 /bin/busybox; } > /bin/tool`,
		"far into a large file":     `{ busybox head -c 9000000 /dev/zero | busybox tr '\0' x; busybox cat /s; } > /big`,
		"gzip":                      `busybox gzip -c /s > /token.gz`,
		"tar":                       `busybox tar cf /a.tar s`,
		"tar.gz":                    `busybox tar cf - s | busybox gzip > /a.tar.gz`,
		"tar in tar.gz":             `busybox tar cf /tmp.tar s; busybox tar cf - tmp.tar | busybox gzip > /a.tgz; busybox rm /tmp.tar`,
		"name of a file":            `busybox mkdir -p /tokens; : > "/tokens/$(echo "$S" | busybox tr / _)"; echo "$S" > /tokens/x`,
		"target of a link":          `busybox ln -s "token:$S" /link`,
		"hard link":                 `echo "$S" > /one; busybox ln /one /two`,
		"hidden by its mode":        `echo "$S" > /token; busybox chmod 0 /token`,
		"written over the shell's":  `echo "#!/bin/sh" > /bin/env; echo "export TOKEN='$S'" >> /bin/env`,
		"one of many":               `for i in 1 2 3 4 5 6 7 8 9; do echo $i > /f$i; done; echo "$S" >> /f7`,
		"end of line within":        `busybox printf '%s\n%s' "$(busybox cut -c1-9 /s)" "$(busybox cut -c10- /s)" > /token`,
		"environment of a process":  `busybox env > /env`,
		"JSON":                      `echo "{\"token\":\"$S\"}" > /conf.json`,
		"crash dump":                `{ echo core; busybox tr '\0' '\n' < /proc/self/environ; } > /core`,
	}
}

// TestBakedSecretsStopTheBuild is the corpus of steps: whatever way a secret
// gets into a layer, the step fails with the file's name, and the store holds
// it nowhere.
//
// fires: secret-value-in-output
func TestBakedSecretsStopTheBuild(t *testing.T) {
	t.Parallel()
	shell(t)
	for name, script := range baked() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t)
			_, err := e.Run(t.Context(), newLeaky(t).with(script).image(), func(engine.Event) {})
			wantLeak(t, e, err)
		})
	}
}

// wantLeak is the error of a leak: it names the secret and the step, never the
// value, and what was found is not in the store.
func wantLeak(t *testing.T, e *Engine, err error) {
	t.Helper()
	var leaked *leak.Error
	var se *engine.StepError
	if !errors.As(err, &leaked) || !asStep(err, &se) {
		t.Fatalf("error %v", err)
	}
	if leaked.Name != "secret.s" || leaked.Where == "" || strings.Contains(err.Error()+se.Output, hush) {
		t.Errorf("error %v", err)
	}
	err = filepath.WalkDir(e.o.Store.Dir(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(hush)) {
			t.Errorf("%s holds the secret", path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // scratch folders are emptied meanwhile
		t.Error(err)
	}
}

// TestOtherPlacesOfASecret: where no step with a secret wrote it.
func TestOtherPlacesOfASecret(t *testing.T) {
	t.Parallel()
	shell(t)
	image := func(g *leaky, op *dag.Image) *dag.Graph {
		op.Platform = native
		img := g.Add(op, []dag.ID{g.root}, dag.Meta{Name: "image.test", Title: "image"})
		g.Output(dag.Output{Addr: "//:image.test", Node: img, Images: []dag.ID{img}, Platforms: []string{native}})
		return g.Graph()
	}
	for name, make := range map[string]func(g *leaky) *dag.Graph{
		"variable of the image": func(g *leaky) *dag.Graph {
			return image(g.with(":"), &dag.Image{Config: dag.Config{Env: []string{"TOKEN=" + hush}}})
		},
		"label": func(g *leaky) *dag.Graph {
			return image(g.with(":"), &dag.Image{Config: dag.Config{Labels: []dag.KV{{Name: "a", Value: "x " + hush}}}})
		},
		"annotation": func(g *leaky) *dag.Graph {
			return image(g.with(":"), &dag.Image{Annotations: []dag.KV{{Name: "a", Value: hush}}})
		},
		"annotation of the index": func(g *leaky) *dag.Graph {
			g.with(":")
			img := g.Add(&dag.Image{Platform: native}, []dag.ID{g.root}, dag.Meta{Name: "image.test", Title: "image"})
			index := g.Add(&dag.Index{Annotations: []dag.KV{{Name: "a", Value: hush}}}, []dag.ID{img}, dag.Meta{Name: "image.test", Title: "index"})
			g.Output(dag.Output{Addr: "//:image.test", Node: index, Images: []dag.ID{img}, Platforms: []string{native}})
			return g.Graph()
		},
		"argument of the entrypoint": func(g *leaky) *dag.Graph {
			return image(g.with(":"), &dag.Image{Config: dag.Config{Entrypoint: []string{"/app", "--token", hush}}})
		},
		"health check": func(g *leaky) *dag.Graph {
			return image(g.with(":"), &dag.Image{Config: dag.Config{Healthcheck: &dag.Healthcheck{Command: []string{"curl", hush}}}})
		},
		"content of a file of the spec": func(g *leaky) *dag.Graph { g.with(":").file("/conf", "token "+hush, ""); return g.image() },
		"script of another step": func(g *leaky) *dag.Graph {
			g.with(":").run("/bin/sh", "-c", "echo "+hush+" >/dev/null")
			return g.image()
		},
		"copy of the secret's own file": func(g *leaky) *dag.Graph {
			g.with(":").copy(filepath.Dir(g.path), "token", "/app/token")
			return g.image()
		},
		"layer, then deleted": func(g *leaky) *dag.Graph {
			g.with(`echo "$S" > /token`).run("/bin/sh", "-c", "busybox rm /token")
			return g.image()
		},
		"cache mount copied out": func(g *leaky) *dag.Graph {
			cache := dag.Mount{Type: "cache", Target: "/c"}
			g.with(`echo "$S" > /c/token`, cache)
			g.root = g.Add(&dag.Run{
				Args: []string{"/bin/sh", "-euc", "busybox cp /c/token /token"}, Env: []dag.KV{{Name: "PATH", Value: "/bin"}},
				Workdir: "/", User: "0:0", Network: "none", Platform: native, Mounts: []dag.Mount{cache},
			}, []dag.ID{g.root}, dag.Meta{Name: "image.test", Title: "copies", Platform: native, Caches: []dag.CacheMount{{ID: "c", Sharing: "shared"}}})
			return g.image()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t)
			_, err := e.Run(t.Context(), make(newLeaky(t)), func(engine.Event) {})
			var leaked *leak.Error
			if !errors.As(err, &leaked) || strings.Contains(err.Error(), hush) {
				t.Fatalf("error %v", err)
			}
		})
	}
}

// TestWhatUsesASecretAndKeepsItNot: what is built as it should be passes, and
// its log says ***.
//
// quiet: secret-value-in-output (printed, which the log hides)
// quiet: secret-value-in-output (a file that is gone again)
// quiet: secret-value-in-output (its digest, beginning and length)
func TestWhatUsesASecretAndKeepsItNot(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"printed":        `echo "token: $S"; echo "$S" | busybox base64`,
		"written to tmp": `echo "$S" > /t; busybox rm /t; echo ok > /out`,
		"a digest of it": `busybox sha256sum /s > /sum`,
		"its beginning":  `busybox head -c 6 /s > /part`,
		"its length":     `busybox wc -c /s > /n`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, rec := mustRun(t, newEngine(t), newLeaky(t).with(script).image())
			var log strings.Builder
			for _, ev := range rec.events {
				log.WriteString(ev.Text)
			}
			if strings.Contains(log.String(), hush) || name == "printed" && !strings.Contains(log.String(), "token: ***") {
				t.Errorf("the log is %q", log.String())
			}
		})
	}
}

// TestNoEventShowsASecret: titles, notes and progress are texts of ours, and
// may hold what a spec says; where a value is known, they show it as the log
// does.
func TestNoEventShowsASecret(t *testing.T) {
	t.Parallel()
	shell(t)
	g := newLeaky(t).with(":")
	g.root = g.Add(&dag.Run{
		Args: []string{"/bin/sh", "-c", "echo " + hush}, Env: []dag.KV{{Name: "PATH", Value: "/bin"}},
		Workdir: "/", User: "0:0", Network: "none", Platform: native,
	}, []dag.ID{g.root}, dag.Meta{Name: "image.test", Title: "echo " + hush, Platform: native})
	covered := 0
	_, err := newEngine(t).Run(t.Context(), g.image(), func(ev engine.Event) {
		if text := fmt.Sprintf("%+v", ev); strings.Contains(text, hush) {
			t.Errorf("an event shows the secret: %s", text)
		}
		if ev.Title == "echo ***" {
			covered++
		}
	})
	if err == nil || strings.Contains(err.Error(), hush) || covered == 0 {
		t.Errorf("%d events of the step, error %v", covered, err)
	}

	b := newBuild(newEngine(t), g.image(), func(ev engine.Event) {
		if strings.Contains(ev.Text, hush) || !strings.Contains(ev.Text, "***") {
			t.Errorf("%v says %q", ev.Kind, ev.Text)
		}
	}, func(error) {})
	for _, kind := range []engine.EventKind{engine.Note, engine.Progress} {
		b.send(nil, engine.Event{Kind: kind, Text: "fetching https://x/?t=" + hush})
	}
}

func TestAShortSecretIsToldNotToBeSearched(t *testing.T) {
	t.Parallel()
	g := newLeaky(t)
	mustWrite(t, filepath.Dir(g.path), "token", "1234567\n")
	_, rec := mustRun(t, newEngine(t), g.with(`echo "$S" > /token`).image())
	told := 0
	for _, ev := range rec.events {
		if ev.Kind == engine.Note && strings.Contains(ev.Text, "secret.s has fewer than 8 bytes") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("it was told %d times", told)
	}
}
