// Package git brings commits of other repositories here, through the git
// program that the user has: its credential helpers, SSH agent and proxy are
// the user's own.
//
// What a repository says is data and never followed: no hook, no filter and no
// attribute of it has a say, submodules and large files are not fetched, and a
// tree is exactly the commit's blobs. URLs and refs can be no options, and only
// the transports that the language names are let through.
package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// defaultTimeout is how long a server may take to list its refs. A transfer may
// stand still three times as long: a server that packs sends a few bytes every
// five seconds (uploadpack.keepAlive), hardly more than nothing.
const defaultTimeout = 20 * time.Second

// Options are the settings of a [Client]; zero values mean the defaults.
type Options struct {
	Env     []string      // "NAME=value", added to git's environment: proxies and certificates
	Timeout time.Duration // for a list of refs; a transfer over http may stand still three times as long; 20 s
	// Program is the git to run; "git" of the PATH.
	Program string
}

// Client runs git. It is safe for use by several goroutines.
type Client struct{ opt Options }

// New makes a client; whether there is a git is found out when it is needed.
func New(o Options) *Client {
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Program == "" {
		o.Program = "git"
	}
	return &Client{o}
}

// ErrNotInstalled is wrapped where there is no git program.
var ErrNotInstalled = errors.New("the program git is not installed here; install it, it fetches `git` contexts with your credentials")

// Error is what git said of a repository.
type Error struct {
	URL    string
	Action string // "list the refs of"
	Reason string // git's own words, in one line
}

// Error says what was tried and git's reason.
func (e *Error) Error() string {
	return fmt.Sprintf("cannot %s %s: %s", e.Action, Mask(e.URL), e.Reason)
}

// command is git with an environment in which nothing asks a person, and
// nothing but the arguments says which repository is meant.
func (c *Client) command(ctx context.Context, url string, args ...string) (*exec.Cmd, error) {
	program, err := exec.LookPath(c.opt.Program)
	if err != nil {
		return nil, ErrNotInstalled
	}
	cmd := exec.CommandContext(ctx, program, slices.Concat(safe(c.opt.Timeout), args)...)
	cmd.Env = c.environment(ctx, url)
	// git ends its own children on SIGINT; killed, it would leave them, and
	// they would keep the pipes open.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 2 * time.Second
	return cmd, nil
}

// safe are settings that beat the user's and the machine's own: no hooks, no
// work in the background, no other places to fetch from.
func safe(timeout time.Duration) []string {
	var out []string
	for _, kv := range []string{
		"core.hooksPath=" + os.DevNull, "core.fsmonitor=false", "gc.auto=0", "maintenance.auto=false",
		"fetch.recurseSubmodules=false", "submodule.recurse=false", "transfer.bundleURI=false", "fetch.bundleURI=",
		"fetch.writeCommitGraph=false", "protocol.version=2",
		"http.lowSpeedLimit=1", fmt.Sprintf("http.lowSpeedTime=%d", max(1, int(3*timeout.Seconds()))),
	} {
		out = append(out, "-c", kv)
	}
	return out
}

// environment is the caller's, without what points git at a repository of its
// own (a hook that runs specbuild has all of it set).
func (c *Client) environment(ctx context.Context, url string) []string {
	var env []string
	ssh := false
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		switch name {
		case "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
			"GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_SHALLOW_FILE", "GIT_QUARANTINE_PATH", "GIT_TEMPLATE_DIR",
			"GIT_ALLOW_PROTOCOL", "GIT_PROTOCOL_FROM_USER", "GIT_TRACE", "GIT_TRACE_CURL", "GIT_CURL_VERBOSE", "GIT_TRACE_PACKET":
			continue
		case "GIT_SSH", "GIT_SSH_COMMAND":
			ssh = true
		}
		env = append(env, kv)
	}
	env = append(env, c.opt.Env...)
	env = append(env,
		"LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GCM_INTERACTIVE=never", "GIT_OPTIONAL_LOCKS=0",
		"GIT_NO_REPLACE_OBJECTS=1", "GIT_NO_LAZY_FETCH=1",
		"GIT_ALLOW_PROTOCOL="+transports(url)) // all others, ext:: and the like, are refused whatever the configuration says
	if !ssh && url != "" && transports(url) != "file" && !c.sshConfigured(ctx) {
		env = append(env, "GIT_SSH_COMMAND=ssh -o BatchMode=yes -o ConnectTimeout=10")
	}
	return env
}

// transports are those that a URL may lead to, an insteadOf of the user's
// included. A file is read only if the spec itself names one.
func transports(url string) string {
	switch {
	case url == "":
		return "none"
	case strings.HasPrefix(url, "file://"):
		return "file"
	default:
		return "https:http:git:ssh"
	}
}

// sshConfigured reports whether the user has an ssh command of his own, which
// the environment's would beat.
func (c *Client) sshConfigured(ctx context.Context) bool {
	out, err := exec.CommandContext(ctx, c.opt.Program, "config", "--get", "core.sshCommand").Output()
	return err == nil && len(bytes.TrimSpace(out)) > 0
}

// run runs git to its end and gives its output.
func (c *Client) run(ctx context.Context, url, action string, args ...string) ([]byte, error) {
	cmd, err := c.command(ctx, url, args...)
	if err != nil {
		return nil, err
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &limited{w: &errs, left: maxMessage}
	err = cmd.Run()
	if err == nil {
		return out.Bytes(), nil
	}
	if ctx.Err() != nil {
		return nil, c.ended(ctx, url, action)
	}
	return nil, &Error{URL: url, Action: action, Reason: reason(errs.String(), err)}
}

// ended tells a user's interruption from a server that did not answer.
func (c *Client) ended(ctx context.Context, url, action string) error {
	if errors.Is(context.Cause(ctx), errTimeout) {
		return &Error{URL: url, Action: action, Reason: fmt.Sprintf("no answer in %v", c.opt.Timeout)}
	}
	return context.Cause(ctx)
}

var errTimeout = errors.New("no answer in time")

// maxMessage is more than any message that a person reads.
const maxMessage = 64 << 10

type limited struct {
	w    io.Writer
	left int
}

// Write drops what is over the limit: a server's messages are shown, and may
// be without end.
func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	if _, err := l.w.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// reason is what git said, without its decoration and what no one could use:
// one line, URLs without passwords.
func reason(text string, err error) string {
	var said []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(printable(line))
		line, remote := strings.CutPrefix(line, "remote: ")
		for _, p := range []string{"fatal: ", "error: ", "ERROR: "} {
			line = strings.TrimPrefix(line, p)
		}
		chatter := line == "" || strings.HasPrefix(line, "warning: ") || strings.HasPrefix(line, "hint: ") ||
			strings.HasPrefix(line, "Please make sure you have the correct access") || strings.HasPrefix(line, "and the repository exists") ||
			remote && strings.Contains(line, "objects")
		if !chatter && !slices.Contains(said, line) {
			said = append(said, strings.TrimSuffix(line, "."))
		}
	}
	if len(said) == 0 {
		return err.Error()
	}
	out := maskWords(strings.Join(said, "; "))
	if strings.Contains(out, "could not read Username") || strings.Contains(out, "Authentication failed") {
		out += "; the credentials come from git's own: see `git help credentials`"
	}
	return out
}

// printable keeps a server's message from steering a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}

// Mask is a URL without the password that it may hold.
func Mask(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return url
	}
	host, _, _ := strings.Cut(rest, "/")
	at := strings.LastIndexByte(host, '@')
	if at < 0 {
		return url
	}
	user, _, has := strings.Cut(host[:at], ":")
	if !has {
		return url
	}
	return scheme + "://" + user + ":***" + rest[at:]
}

func maskWords(s string) string {
	words := strings.Split(s, " ")
	for i, w := range words {
		if strings.Contains(w, "://") {
			at := strings.IndexAny(w, "hsgf")
			words[i] = w[:max(at, 0)] + Mask(w[max(at, 0):])
		}
	}
	return strings.Join(words, " ")
}
