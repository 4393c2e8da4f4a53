package deb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"github.com/specbuild/specbuild/engine/deb/version"
	"github.com/specbuild/specbuild/engine/layer"
)

// scriptTime bounds one maintainer script. Those of Debian that were tried
// (104) need milliseconds; a loop that waits for a service does not end.
const scriptTime = 2 * time.Second

// scriptCommands bounds the commands of one script, and so the depth of its
// functions: a recursion without end would exhaust this process's stack
// before its time.
const scriptCommands = 20_000

// scriptFile bounds what a script may read of a file.
const scriptFile = 16 << 20

// findings are the commands of a maintainer script that matter here.
type findings struct {
	alternatives [][]string // arguments of update-alternatives
	diversions   [][]string // of dpkg-divert
	accounts     []string   // names that adduser, useradd or their like would make
	generated    bool       // ucf and its like would make configuration
}

// script interprets a maintainer script over the table of contents. Nothing
// of it touches this machine: files are answered from the tree, all that is
// written vanishes, and no command is run.
func (in *installation) script(ctx context.Context, a *archive, name string, args ...string) (*findings, error) {
	text, err := a.controlFile(name)
	if err != nil || text == nil || !strings.Contains(interpreter(string(text)), "sh") {
		return &findings{}, err
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(bytes.NewReader(text), name)
	if err != nil {
		return &findings{}, err
	}
	h := &scriptHandler{in: in, found: &findings{}}
	runner, err := interp.New(
		interp.Env(expand.ListEnviron("DPKG_MAINTSCRIPT_PACKAGE="+a.Name, "DPKG_MAINTSCRIPT_NAME="+name,
			"DPKG_MAINTSCRIPT_ARCH="+a.Arch, "DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1", "DPKG_ROOT=", "DPKG_ADMINDIR=/var/lib/dpkg",
			"DEBIAN_FRONTEND=noninteractive", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8")),
		interp.Params(append([]string{"--"}, args...)...),
		interp.StdIO(strings.NewReader(""), io.Discard, io.Discard),
		interp.CallHandler(h.call), interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return h.exec }),
		interp.OpenHandler(h.open), interp.ReadDirHandler2(h.readDir),
		interp.StatHandler(h.stat), interp.AccessHandler(h.access),
	)
	if err != nil {
		return h.found, err
	}
	runner.Dir = "/" // set here: the option would look at this machine's
	ctx, cancel := context.WithTimeout(ctx, scriptTime)
	defer cancel()
	err = runner.Run(ctx, file)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("it did not end within %s", scriptTime)
	}
	return h.found, err
}

// scriptHandler answers what a script asks of the world.
type scriptHandler struct {
	in       *installation
	found    *findings
	commands atomic.Int64 // of subshells too, which run beside each other
}

var errCommands = fmt.Errorf("it ran more than %d commands", scriptCommands)

// call sees every command first, builtins and functions too: what the
// interpreter would itself do to this process is turned into nothing.
func (h *scriptHandler) call(_ context.Context, args []string) ([]string, error) {
	if h.commands.Add(1) > scriptCommands {
		return nil, errCommands
	}
	switch args[0] {
	case "kill", "wait", "bg", "fg", "trap", "umask", "ulimit", "cd", "pushd", "popd":
		return []string{"true"}, nil
	}
	return args, nil
}

func (h *scriptHandler) exec(_ context.Context, args []string) error {
	switch cmd := path.Base(args[0]); cmd {
	case "update-alternatives":
		h.found.alternatives = append(h.found.alternatives, args[1:])
	case "dpkg-divert":
		h.found.diversions = append(h.found.diversions, args[1:])
	case "adduser", "useradd", "addgroup", "groupadd":
		if last := args[len(args)-1]; len(args) > 1 && !strings.HasPrefix(last, "-") {
			h.found.accounts = append(h.found.accounts, last)
		}
	case "ucf", "ucfr":
		h.found.generated = true
	case "dpkg":
		if len(args) == 5 && args[1] == "--compare-versions" && !version.Satisfies(args[2], args[3], args[4]) {
			return interp.ExitStatus(1)
		}
	case "which", "id", "getent", "grep", "pidof", "pgrep", "systemctl", "diff", "cmp", "dpkg-query", "deb-systemd-helper":
		// Nothing is found, equal or running: scripts then take the way of
		// a first installation.
		return interp.ExitStatus(1)
	}
	return nil
}

// scriptSink takes what a script writes.
type scriptSink struct{}

func (scriptSink) Read([]byte) (int, error)    { return 0, io.EOF }
func (scriptSink) Write(p []byte) (int, error) { return len(p), nil }
func (scriptSink) Close() error                { return nil }

type scriptInput struct {
	io.Reader
}

func (scriptInput) Write([]byte) (int, error) { return 0, fs.ErrPermission }
func (scriptInput) Close() error              { return nil }

func (h *scriptHandler) open(_ context.Context, name string, flag int, _ os.FileMode) (io.ReadWriteCloser, error) {
	if flag&(os.O_WRONLY|os.O_RDWR) != 0 || name == "/dev/null" || strings.HasSuffix(name, "/confmodule") {
		// debconf's confmodule starts a program that answers questions; its
		// commands then are unknown ones, which do nothing.
		return scriptSink{}, nil
	}
	e, ok := h.in.tree.stat(clean(name))
	if !ok || e.Size > scriptFile {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	data, ok, err := h.in.tree.read(clean(name))
	if err != nil || !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return scriptInput{bytes.NewReader(data)}, nil
}

func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

func (h *scriptHandler) readDir(_ context.Context, name string) ([]fs.DirEntry, error) {
	dir, err := h.in.tree.resolve(clean(name))
	if err != nil {
		return nil, err
	}
	var out []fs.DirEntry
	for _, child := range h.in.tree.children(dir) {
		e, _ := h.in.tree.lookup(join(dir, child))
		out = append(out, fs.FileInfoToDirEntry(entryInfo{e}))
	}
	return out, nil
}

func (h *scriptHandler) stat(_ context.Context, name string, follow bool) (fs.FileInfo, error) {
	p := clean(name)
	e, ok := layer.Entry{}, false
	if follow {
		e, ok = h.in.tree.stat(p)
	} else if at, err := h.in.tree.resolveParent(p); err == nil {
		e, ok = h.in.tree.lookup(at)
	}
	if !ok {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return entryInfo{e}, nil
}

func (h *scriptHandler) access(ctx context.Context, name string, mode interp.AccessMode) error {
	info, err := h.stat(ctx, name, true)
	if err == nil && mode == interp.AccessExec && info.Mode()&0o111 == 0 {
		err = &fs.PathError{Op: "access", Path: name, Err: fs.ErrPermission}
	}
	return err
}

// entryInfo shows an entry as the shell's tests see files.
type entryInfo struct{ e layer.Entry }

func (i entryInfo) Name() string       { return path.Base("/" + i.e.Path) }
func (i entryInfo) Size() int64        { return i.e.Size }
func (i entryInfo) ModTime() time.Time { return time.Unix(layer.MTime, 0) }
func (i entryInfo) IsDir() bool        { return i.e.Type == layer.Dir }
func (i entryInfo) Sys() any           { return nil }

func (i entryInfo) Mode() fs.FileMode {
	mode := fs.FileMode(i.e.Mode & 0o777)
	switch i.e.Type {
	case layer.Dir:
		mode |= fs.ModeDir
	case layer.Symlink:
		mode |= fs.ModeSymlink
	case layer.Fifo:
		mode |= fs.ModeNamedPipe
	}
	return mode
}

// runScripts reads the postinst of every package (fix-up 4). What a script
// does before it fails counts, as it would for dpkg.
func (in *installation) runScripts(ctx context.Context) error {
	in.scripts = map[*archive]*findings{}
	if in.req.NoAlternatives {
		return nil
	}
	for _, a := range in.archives {
		if _, ok := a.control["postinst"]; !ok {
			continue
		}
		found, err := in.script(ctx, a, "postinst", "configure", "")
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var status interp.ExitStatus
		if err != nil && !(errors.As(err, &status) && len(found.alternatives) > 0) {
			text, _ := a.controlFile("postinst")
			if bytes.Contains(text, []byte("update-alternatives")) {
				in.warn("Alternatives of %s may be missing: its postinst could not be followed (%v).", a.Name, err)
			}
		}
		in.scripts[a] = found
	}
	return nil
}
