package dockerfile

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// secret is a secret that a mount names. Where it comes from is said on
// Docker's command line, which is not here.
type secret struct {
	id, name string
	block    *block
}

// mark stands for an expression in a string that BuildKit's code handles;
// unmark puts it back. The signs are of Unicode's private area.
func (im *importer) mark(t text) string {
	im.marks = append(im.marks, t)
	return fmt.Sprintf("\ue000%d\ue001", len(im.marks)-1)
}

func (im *importer) unmark(s string) text {
	var out text
	for {
		head, rest, ok := strings.Cut(s, "\ue000")
		out = out.with(part{lit: head})
		if !ok {
			return out
		}
		number, tail, ok := strings.Cut(rest, "\ue001")
		n := 0
		if _, err := fmt.Sscanf(number, "%d", &n); !ok || err != nil || n < 0 || n >= len(im.marks) {
			return out.with(part{lit: rest})
		}
		out = out.with(im.marks[n]...)
		s = tail
	}
}

// mounts writes the mounts of a step: plain caches as a list, the others as
// blocks.
func (st *stage) mounts(s *step) {
	var caches []string
	for _, m := range s.run.mounts {
		if m.Type == instructions.MountTypeCache && plainCache(m) {
			if e := st.target(s, m).hcl(); !slices.Contains(caches, e) {
				caches = append(caches, e)
			}
		}
	}
	if len(caches) > 0 {
		s.block.set("cache", list(caches))
	}
	for _, m := range s.run.mounts {
		if m.Type == instructions.MountTypeCache && plainCache(m) {
			st.cacheOwner(s, m)
			continue
		}
		st.mount(s, m)
	}
}

func plainCache(m *instructions.Mount) bool {
	return m.CacheID == "" && m.From == "" && m.CacheSharing != instructions.MountSharingPrivate &&
		(m.CacheSharing != instructions.MountSharingLocked || lockedAnyway(m.Target))
}

// lockedAnyway are the folders that the language locks by itself.
func lockedAnyway(target string) bool {
	return slices.ContainsFunc([]string{"/var/cache/apt", "/var/lib/apt", "/var/cache/apk", "/etc/apk/cache", "/var/cache/dnf"}, func(d string) bool {
		return target == d || strings.HasPrefix(target, d+"/")
	})
}

// target is where a mount is, absolute.
func (st *stage) target(s *step, m *instructions.Mount) text {
	return join(s.at.workdir, st.im.unmark(m.Target))
}

func (st *stage) mount(s *step, m *instructions.Mount) {
	b := s.block.child("mount", string(m.Type))
	line := s.run.line
	switch m.Type {
	case instructions.MountTypeCache:
		b.setNeeded("target", st.target(s, m).hcl())
		if m.CacheID != "" {
			b.set("id", st.im.unmark(m.CacheID).hcl())
		}
		if m.CacheSharing != "" && m.CacheSharing != instructions.MountSharingShared {
			b.set("sharing", quote(string(m.CacheSharing)))
		}
		st.mountFrom(b, m)
		st.cacheOwner(s, m)
	case instructions.MountTypeBind:
		st.mountFrom(b, m)
		b.setNeeded("target", st.target(s, m).hcl())
		if !m.ReadOnly {
			b.set("writable", "true")
		}
	case instructions.MountTypeTmpfs:
		b.setNeeded("target", st.target(s, m).hcl())
		if m.SizeLimit > 0 {
			b.set("size", quote(bytesOf(m.SizeLimit)))
		}
	case instructions.MountTypeSecret:
		st.secretMount(s, m, b)
	case instructions.MountTypeSSH:
		id := st.im.unmark(m.CacheID).now()
		if id == "" {
			id = "default"
		}
		sec := st.im.agent(id, m.Required, line)
		b.setNeeded("agent", "secret."+sec.name)
		if m.Target != "" {
			st.im.note(line, Changed, "The agent's socket is not at %s: SSH_AUTH_SOCK says where.", m.Target)
		}
	}
}

// bytesOf is a size in its largest whole unit.
func bytesOf(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB"}
	i := 0
	for n%1024 == 0 && i+1 < len(units) {
		n /= 1024
		i++
	}
	return fmt.Sprintf("%d%s", n, units[i])
}

// cacheOwner says what of a cache's folder is another here.
func (st *stage) cacheOwner(s *step, m *instructions.Mount) {
	if m.UID != nil || m.GID != nil || m.Mode != nil {
		st.im.note(s.run.line, Dropped, "--mount=type=cache,target=%s: a cache is 0755 and belongs to the step's user; uid, gid and mode are not said.", st.im.unmark(m.Target).now())
	}
	if m.ReadOnly {
		st.im.note(s.run.line, Dropped, "--mount=type=cache,target=%s: a cache can be written.", st.im.unmark(m.Target).now())
	}
}

// mountFrom writes from and source.
func (st *stage) mountFrom(b *block, m *instructions.Mount) {
	from, inContext := "", true
	if m.From != "" {
		from, inContext = st.fileSystem(b, st.im.unmark(m.From).now()), false
	}
	if from != "" {
		b.set("from", from)
	}
	src := st.im.unmark(m.Source)
	if s := path.Clean("/" + src.now()); s == "/" {
		return
	}
	if c, ok := src.constant(); ok {
		src = literal(globEscape(path.Clean("/" + c)))
		if inContext {
			src = literal(strings.TrimPrefix(src.now(), "/"))
		}
	}
	b.set("source", src.hcl())
}

// globEscape keeps what is meant as itself from being a pattern.
func globEscape(s string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `{`, `\{`).Replace(s)
}

// secretMount writes a secret as a file, as a variable, or as both.
func (st *stage) secretMount(s *step, m *instructions.Mount, b *block) {
	id := st.im.unmark(m.CacheID).now()
	if m.Source != "" {
		id = st.im.unmark(m.Source).now()
	}
	target := st.im.unmark(m.Target)
	if id == "" {
		id = path.Base(target.now())
	}
	env := ""
	if m.Env != nil {
		if env = st.im.unmark(*m.Env).now(); env == "" {
			env = id
		}
	}
	sec := st.im.secret(id, env, m.Required, s.run.line)
	b.setNeeded("secret", "secret."+sec.name)
	switch {
	case m.Env != nil:
		b.set("env", quote(env))
		if len(target) > 0 {
			file := s.block.child("mount", "secret")
			file.setNeeded("secret", "secret."+sec.name)
			file.set("target", join(s.at.workdir, target).hcl())
		}
	case len(target) > 0:
		if t := join(s.at.workdir, target).hcl(); t != quote("/run/secrets/"+sec.name) {
			b.set("target", t)
		}
	case path.Base(id) != sec.name:
		b.set("target", quote("/run/secrets/"+path.Base(id)))
	}
	if m.UID != nil || m.GID != nil || m.Mode != nil && *m.Mode != 0o400 {
		st.im.note(s.run.line, Dropped, "--mount=type=secret,id=%s: a secret is 0400 and belongs to the step's user; uid, gid and mode are not said.", id)
	}
}

// secret is the block of a secret. Docker's default is that a missing one is
// no error.
func (im *importer) secret(id, env string, required bool, line int) *secret {
	for _, s := range im.secrets {
		if s.id == id {
			s.require(required)
			return s
		}
	}
	s := &secret{id: id, name: im.unique("secret", path.Base(id), "-")}
	s.block = &block{name: "secret", labels: []string{s.name}, line: line}
	source, value := secretSource(id, env)
	s.block.set(source, quote(value))
	s.block.set("optional", "true")
	s.block.comments = []string{im.todo(line, "docker build --secret id=%s says where it comes from; say it here", id)}
	s.require(required)
	im.secrets = append(im.secrets, s)
	return s
}

// require takes "optional" away.
func (s *secret) require(required bool) {
	if required {
		s.block.items = slices.DeleteFunc(s.block.items, func(it item) bool {
			a, ok := it.(*attribute)
			return ok && a.name == "optional"
		})
	}
}

// secretSource guesses where a secret comes from by its id, as the tools that
// read it keep it.
func secretSource(id, env string) (attr, value string) {
	switch strings.TrimPrefix(strings.ToLower(path.Base(id)), ".") {
	case "npmrc", "netrc", "yarnrc", "pypirc", "yarnrc.yml":
		return "file", "~/." + strings.TrimPrefix(path.Base(id), ".")
	case "aws", "aws-credentials", "aws_credentials":
		return "file", "~/.aws/credentials"
	}
	if env == "" {
		env = strings.ToUpper(path.Base(id))
	}
	env = strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, env)
	if env == "" || env[0] >= '0' && env[0] <= '9' {
		env = "_" + env
	}
	return "env", env
}

// agent is the block of an SSH agent.
func (im *importer) agent(id string, required bool, line int) *secret {
	key := "ssh:" + id
	for _, s := range im.secrets {
		if s.id == key {
			s.require(required)
			return s
		}
	}
	name := "ssh"
	if id != "default" {
		name = "ssh-" + id
		im.note(line, Changed, "RUN --mount=type=ssh,id=%s: there is one agent, the one that SSH_AUTH_SOCK names.", id)
	}
	s := &secret{id: key, name: im.unique("secret", name, "-")}
	s.block = &block{name: "secret", labels: []string{s.name}, line: line}
	s.block.set("ssh", "true")
	s.block.set("optional", "true")
	s.require(required)
	im.secrets = append(im.secrets, s)
	return s
}
