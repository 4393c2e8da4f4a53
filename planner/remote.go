package planner

import (
	"net/url"
	"path"
	"strings"

	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/spec"
)

// elsewhere reports whether a context's files must be fetched.
func elsewhere(c *spec.Context) bool { return c.Git != nil || c.HTTP != nil }

// remote notes what a context that lies elsewhere needs of the lock, and pins
// it. It is false where the lock does not know it, which Lock.Missing reports.
func (p *planner) remote(c *spec.Context) bool {
	if known, done := p.remotes[c.Addr]; done {
		return known.Git != nil || known.HTTP != nil
	}
	out := Context{Addr: c.Addr.String(), Include: c.Include.V, Exclude: c.Exclude.V}
	switch {
	case c.Git != nil && !c.Git.URL.Unknown && !c.Git.Ref.Unknown:
		out.Git = p.gitPin(c)
	case c.HTTP != nil && !c.HTTP.URL.Unknown && !c.HTTP.SHA256.Unknown:
		out.HTTP = p.httpPin(c)
	}
	p.remotes[c.Addr] = out
	return out.Git != nil || out.HTTP != nil
}

func (p *planner) gitPin(c *spec.Context) *GitPin {
	g := c.Git
	out := &GitPin{Range: g.Range, URL: g.URL.V, Ref: g.Ref.V, Commit: g.Ref.V}
	if isCommit(g.Ref.V) {
		return out
	}
	need := pin.GitNeed{URL: g.URL.V, Ref: g.Ref.V, Names: []string{c.Addr.Name}, Range: g.Range}
	p.needs.AddGit(need)
	out.Commit = p.in.Lock.Git[need.Key()]
	if out.Commit == "" && !p.unpinned {
		return nil
	}
	return out
}

// isCommit reports whether a ref names one commit for ever; a shorter one, or
// any other name, is what the repository says it is.
func isCommit(ref string) bool {
	return (len(ref) == 40 || len(ref) == 64) && strings.Trim(ref, "0123456789abcdef") == ""
}

func (p *planner) httpPin(c *spec.Context) *HTTPPin {
	h := c.HTTP
	out := &HTTPPin{Range: h.Range, URL: h.URL.V, SHA256: h.SHA256.V, Unpack: h.Unpack}
	u, err := url.Parse(h.URL.V)
	if err == nil && u.User != nil {
		if _, has := u.User.Password(); has {
			p.ds.Errorf(h.URL.Range, "A password in a URL", "It would be in the plan and the lock. Take the file from where no password is needed, or fetch it in a `run` with a secret.")
			return nil
		}
	}
	if !h.Unpack {
		out.Name = fileName(u)
	}
	if h.SHA256.Set {
		return out
	}
	p.needs.AddHTTP(pin.HTTPNeed{URL: h.URL.V, Names: []string{c.Addr.Name}, Range: h.Range})
	f, ok := p.in.Lock.HTTP[h.URL.V]
	if !ok && !p.unpinned {
		return nil
	}
	out.SHA256, out.Size = f.SHA256, f.Size
	return out
}

// fileName is the last element of a URL's path, as the name that the file has
// in the context.
func fileName(u *url.URL) string {
	const none = "download"
	if u == nil {
		return none
	}
	name := path.Base(path.Clean("/" + u.Path))
	odd := func(r rune) bool { return r < ' ' || r == 0x7f || r == '/' || r == '\\' }
	if name == "/" || name == "." || strings.HasPrefix(name, ".wh.") || len(name) > 255 || strings.ContainsFunc(name, odd) {
		return none
	}
	return name
}

// dir is the folder with a context's files, if they are on this machine.
func (p *planner) dir(c *spec.Context) (string, bool) {
	if !elsewhere(c) {
		return c.Dir, true
	}
	pinned, ok := p.remotes[c.Addr]
	if !ok || p.in.Fetched == nil || pinned.Git == nil && pinned.HTTP == nil {
		return "", false
	}
	return p.in.Fetched(pinned)
}

// described is where a context's files come from, for messages.
func described(c *spec.Context) string {
	switch {
	case c.Git != nil && c.Git.Ref.Set:
		return c.Addr.Local() + " (" + c.Git.URL.V + " at " + c.Git.Ref.V + ")"
	case c.Git != nil:
		return c.Addr.Local() + " (" + c.Git.URL.V + ")"
	case c.HTTP != nil:
		return c.Addr.Local() + " (" + c.HTTP.URL.V + ")"
	default:
		return c.Addr.Local() + ` (folder "` + c.Path.V + `")`
	}
}

// fetchedModules are needed of the lock like contexts: what was loaded is what
// it pins.
func (p *planner) fetchedModules() {
	for _, m := range p.in.Spec.Fetched {
		switch {
		case m.Source.Git != "" && !isCommit(m.Source.Ref):
			p.needs.AddGit(pin.GitNeed{URL: m.Source.Git, Ref: m.Source.Ref, Names: []string{m.Name}, Range: m.Range})
		case m.Source.OCI != "" && !strings.Contains(m.Source.OCI, "@"):
			p.needs.AddModule(pin.ModuleNeed{Ref: m.Source.OCI, Names: []string{m.Name}, Range: m.Range})
		}
	}
}
