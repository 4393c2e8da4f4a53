package local

import (
	"testing"

	"github.com/specbuild/specbuild/lower/dag"
)

// A step is made again for another secret, and not for another value of the
// same one.
func TestKeysNameSecretsAndNotTheirValues(t *testing.T) {
	e := newEngine(t)
	step := func(secret, variable string, mount dag.Mount) *dag.Graph {
		g := withShell(t)
		mount.Type, mount.Secret = "secret", secret
		op := &dag.Run{
			Args: []string{"/bin/sh", "-c", "echo done >/done"}, Workdir: "/", User: "0:0", Network: "none", Platform: native,
			Mounts: []dag.Mount{mount},
		}
		g.root = g.Add(op, []dag.ID{g.root}, dag.Meta{
			Name: "image.test", Title: "the step", Platform: native, Secrets: []dag.Secret{{Addr: secret, Env: variable}},
		})
		return g.image()
	}
	t.Setenv("SPECBUILD_TEST_A", "value a")
	t.Setenv("SPECBUILD_TEST_B", "value b")
	for _, mount := range []dag.Mount{{Target: "/run/secrets/s"}, {Env: "TOKEN"}} {
		for _, c := range []struct {
			what, secret, variable string
			made                   int
		}{
			{"new", "secret.a", "SPECBUILD_TEST_A", 1},
			{"the same", "secret.a", "SPECBUILD_TEST_A", 0},
			{"another value", "secret.a", "SPECBUILD_TEST_B", 0},
			{"another secret with the same value", "secret.b", "SPECBUILD_TEST_A", 1},
		} {
			_, rec := mustRun(t, e, step(c.secret, c.variable, mount))
			made := 0
			for _, title := range rec.made() {
				if title == "the step" {
					made++
				}
			}
			if made != c.made {
				t.Errorf("%+v, %s: made %d times, wanted %d", mount, c.what, made, c.made)
			}
		}
	}
}
