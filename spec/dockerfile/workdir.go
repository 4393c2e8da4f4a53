package dockerfile

import (
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// changeWorkdir is WORKDIR: a relative one goes on from the one before.
func (st *stage) changeWorkdir(c *instructions.WorkdirCommand) {
	t, ok := st.word(c, c.Path)
	if !ok {
		return
	}
	if len(t) == 0 {
		t = literal(".")
	}
	st.workdir, st.hasWorkdir = join(st.workdir, t), true
	st.keep("workdir", c)
	if w := st.workdir.hcl(); st.makeFolder(w) {
		b := st.add("directory", c)
		b.comments = nil
		b.setNeeded("path", w)
	}
}

// join is a path from a folder, in its shortest form.
func join(dir, p text) text {
	if s := p.now(); strings.HasPrefix(s, "/") || len(p) > 0 && p[0].expr != "" {
		return clean(p)
	}
	if len(dir) == 0 {
		dir = literal("/")
	}
	return clean(dir.with(part{lit: "/"}).with(p...))
}

// clean makes a path absolute and short, as far as it is known.
func clean(p text) text {
	if s, ok := p.constant(); ok {
		return literal(path.Clean("/" + s))
	}
	out := slices.Clone(p)
	for i := range out {
		if out[i].expr != "" {
			continue
		}
		s := out[i].lit
		end := strings.HasSuffix(s, "/") && i+1 < len(out)
		for strings.Contains(s, "//") || strings.Contains(s, "/./") {
			s = strings.ReplaceAll(strings.ReplaceAll(s, "//", "/"), "/./", "/")
		}
		if !end {
			s = strings.TrimSuffix(s, "/")
		}
		if i == 0 && !strings.HasPrefix(s, "/") {
			s = "/" + s
		}
		out[i].lit = s
	}
	return out
}

// impliedDirectory reports whether the folder of a WORKDIR is made anyway: the
// next command stands in it, a copy before that goes into it, or the stage
// ends in it.
func (st *stage) impliedDirectory(i int) bool {
	s := st.steps[i]
	dir := s.block.items[0].(*attribute).expr
	if st.ownerOfWorkdir(s) != "" {
		return false
	}
	for _, next := range st.steps[i+1:] {
		switch next.block.name {
		case "run":
			return inside(next.at.workdir.hcl(), dir)
		case "copy":
			if inside(join(next.at.workdir, next.toRef).hcl(), dir) {
				return true
			}
		}
	}
	return inside(st.workdir.hcl(), dir)
}

// inside reports whether a folder, as an expression, is another or below it.
func inside(expr, dir string) bool {
	return expr == dir || strings.HasPrefix(expr, strings.TrimSuffix(dir, `"`)+"/")
}

// ownerOfWorkdir is who owns a folder that WORKDIR makes: BuildKit gives it to
// the USER. Empty is root.
func (st *stage) ownerOfWorkdir(s *step) string {
	if !s.at.hasUser || s.at.user.now() == "root" || s.at.user.now() == "0" {
		return ""
	}
	return st.owner(s.block, s.at.user)
}

// makeFolder reports whether a folder may be a new one, and remembers that it
// is there from now on.
func (st *stage) makeFolder(expr string) bool {
	dir := strings.Trim(expr, `"`)
	if slices.Contains(st.workdirs, expr) || st.from.expr != "scratch" && (standardFolder(dir) || dir == st.from.known.workdir) {
		return false
	}
	st.workdirs = append(st.workdirs, expr)
	return true
}

// standardFolder reports whether a folder is there in every distribution, so
// that nothing makes it and it has the mode and owner that it should have.
func standardFolder(dir string) bool {
	return slices.Contains(strings.Fields(`/ /bin /boot /dev /etc /home /lib /lib64 /media /mnt /opt /proc /root /run /sbin /srv /sys /tmp /usr /var
		/usr/bin /usr/include /usr/lib /usr/local /usr/sbin /usr/share /usr/src /usr/local/bin /usr/local/etc /usr/local/include
		/usr/local/lib /usr/local/sbin /usr/local/share /usr/local/src /var/cache /var/lib /var/log /var/opt /var/run /var/spool /var/tmp`), dir)
}
