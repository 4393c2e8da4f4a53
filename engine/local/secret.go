package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/specbuild/specbuild/lower/dag"
)

// secretOf finds where the secret of a mount comes from: Meta lists them in
// the order of the mounts that need one.
func secretOf(n *dag.Node, mount int) (dag.Secret, bool) {
	op, ok := n.Op.(*dag.Run)
	if !ok {
		return dag.Secret{}, false
	}
	at := 0
	for i, m := range op.Mounts {
		if m.Type != "secret" && m.Type != "ssh" {
			continue
		}
		if i == mount {
			if at < len(n.Meta.Secrets) {
				return n.Meta.Secrets[at], true
			}
			return dag.Secret{}, false
		}
		at++
	}
	return dag.Secret{}, false
}

// counted is what a key says of a secret: whether it is there, where that is
// left open. One that is not optional is taken to be there: a result is not
// lost on a machine that lacks it, and a step that must run fails without it.
func (b *build) counted(n *dag.Node, mount int) bool {
	op, ok := n.Op.(*dag.Run)
	return ok && !op.Mounts[mount].Optional || b.present(n, mount)
}

// present reports whether a secret is there, without reading it: its presence
// is part of the key where it is optional. A command is taken at its word; it
// is run for a step that is about to run, and never before.
func (b *build) present(n *dag.Node, mount int) bool {
	s, ok := secretOf(n, mount)
	if !ok {
		return false
	}
	switch {
	case s.Env != "":
		_, ok := os.LookupEnv(s.Env)
		return ok
	case s.File != "":
		_, err := os.Stat(expandHome(s.File))
		return err == nil
	case s.SSH:
		return os.Getenv("SSH_AUTH_SOCK") != ""
	default:
		return len(s.Command) > 0
	}
}

// errNoSecret marks a secret that is not there.
var errNoSecret = errors.New("the secret is missing")

// reveal reads a secret's bytes for a step that is about to run. One newline
// at the end, which editors and commands add, is not part of it.
func reveal(ctx context.Context, s dag.Secret) ([]byte, error) {
	var value []byte
	switch {
	case s.Env != "":
		v, ok := os.LookupEnv(s.Env)
		if !ok {
			return nil, fmt.Errorf("%w: %s is read from the variable %s, which is not set", errNoSecret, s.Addr, s.Env)
		}
		value = []byte(v)
	case s.File != "":
		v, err := os.ReadFile(expandHome(s.File))
		if err != nil {
			return nil, fmt.Errorf("%w: %s is read from a file: %w", errNoSecret, s.Addr, err)
		}
		value = v
	case len(s.Command) > 0:
		cmd := exec.CommandContext(ctx, s.Command[0], s.Command[1:]...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		v, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("%w: %s comes from the command %s, which failed: %w\n%s",
				errNoSecret, s.Addr, strings.Join(s.Command, " "), err, stderr.Bytes())
		}
		value = v
	}
	return bytes.TrimSuffix(value, []byte("\n")), nil
}

func expandHome(path string) string {
	rest, ok := strings.CutPrefix(path, "~/")
	if !ok {
		return path
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return path
	}
	return filepath.Join(home, rest)
}
