package dockerfile

import (
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"mvdan.cc/sh/v3/syntax"
)

// pieceKind is what a command of a script is for.
type pieceKind int

const (
	otherPiece   pieceKind = iota
	statePiece             // cd, export, …: the commands after it depend on it
	errexitPiece           // set -e
	refreshPiece           // apt-get update
	cleanPiece             // rm -rf /var/lib/apt/lists/*
	installPiece
	accountPiece
	managerPiece // another use of a package manager
)

// piece is one command of a chain.
type piece struct {
	kind    pieceKind
	text    string // as it is written
	manager string
	install installation
	account account
}

// splitRun takes a RUN apart: packages and accounts become steps of their own
// if every command of the chain that touches them is understood, and nothing
// that a later command depends on stays in a step before it.
func (st *stage) splitRun(c *instructions.RunCommand, r *runStep) {
	pieces := st.pieces(r)
	parts, ok := partition(pieces)
	if !ok || !st.rootNow() || !onlyPackageCaches(r) || r.network == instructions.NetworkNone {
		st.add("run", c)
		st.last().run = r
		return
	}
	comments := c
	for _, p := range parts {
		switch {
		case p.packages != nil:
			b := st.add("packages", comments, p.packages.manager)
			p.packages.write(b)
		case p.account != nil:
			st.addAccount(comments, p.account)
		default:
			st.add("run", comments)
			rest := *r
			rest.mounts = nil
			rest.script = parseScript(joinPieces(p.rest), r.shell)
			st.last().run = &rest
		}
	}
	for _, s := range st.steps[len(st.steps)-len(parts)+1:] {
		s.block.comments = slices.DeleteFunc(s.block.comments, func(l string) bool { return slices.Contains(st.im.comments(c.Comments()), l) })
	}
	if len(r.mounts) > 0 {
		st.im.note(r.line, Changed, "The caches of the package manager are not mounted: a `packages` step leaves none behind.")
	}
}

// rootNow reports whether steps run as root, as far as the Dockerfile says.
func (st *stage) rootNow() bool {
	if !st.hasUser {
		return true
	}
	user, _, _ := strings.Cut(st.user.now(), ":")
	return user == "root" || user == "0" || user == ""
}

// onlyPackageCaches reports whether all mounts are those of package managers.
func onlyPackageCaches(r *runStep) bool {
	for _, m := range r.mounts {
		if m.Type != instructions.MountTypeCache || !lockedAnyway(m.Target) {
			return false
		}
	}
	return true
}

// pieces are the commands of a script that is one chain of && , or one list
// under set -e; nil is another script.
func (st *stage) pieces(r *runStep) []piece {
	if r.script.file == nil || len(r.script.file.Stmts) == 0 {
		return nil
	}
	var flat []*syntax.Stmt
	list := r.script.file.Stmts
	if len(list) > 1 && !setsErrexit(list[0]) {
		return nil
	}
	for i, s := range list {
		// Under set -e, a && b; goes on where a fails, unless it is the last.
		if i+1 < len(list) {
			flat = append(flat, s)
			continue
		}
		chain, ok := flatten(s)
		if !ok {
			return nil
		}
		flat = append(flat, chain...)
	}
	out := make([]piece, len(flat))
	for i, s := range flat {
		out[i] = st.classify(s)
		out[i].text = strings.TrimRight(r.script.text[s.Pos().Offset():s.End().Offset()], "; \n\t\\")
	}
	return out
}

// flatten is a && b && c as a, b, c.
func flatten(s *syntax.Stmt) ([]*syntax.Stmt, bool) {
	if s.Background || s.Coprocess {
		return nil, false
	}
	bin, ok := s.Cmd.(*syntax.BinaryCmd)
	if !ok || bin.Op != syntax.AndStmt || s.Negated || len(s.Redirs) > 0 {
		return []*syntax.Stmt{s}, true
	}
	left, ok := flatten(bin.X)
	right, ok2 := flatten(bin.Y)
	return append(left, right...), ok && ok2
}

// classify says what a command is for.
func (st *stage) classify(s *syntax.Stmt) piece {
	if setsErrexit(s) {
		return piece{kind: errexitPiece}
	}
	if p, ok := st.simplePiece(s); ok {
		return p
	}
	p := piece{kind: otherPiece}
	syntax.Walk(s, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CallExpr:
			if len(n.Args) == 0 {
				if len(n.Assigns) > 0 {
					p.kind = max(p.kind, statePiece)
				}
				return true
			}
			switch name := n.Args[0].Lit(); {
			case managerOf(name) != "", name == "dpkg-query", strings.HasPrefix(name, "apt-"), name == "rpm", name == "aptitude":
				p.kind = managerPiece
			case slices.Contains(strings.Fields("cd export set unset alias trap umask ulimit source . eval exec read shopt pushd popd declare local readonly shift"), name):
				p.kind = max(p.kind, statePiece)
			}
		case *syntax.DeclClause, *syntax.FuncDecl:
			p.kind = max(p.kind, statePiece)
		case *syntax.Word:
			if aboutPackages(n) {
				p.kind = managerPiece
			}
		}
		return true
	})
	return p
}

// aboutPackages reports whether a word is a path of a package manager's.
func aboutPackages(w *syntax.Word) bool {
	t, _ := plainWord(w, func(string) (text, bool) { return nil, false }, true)
	s := t.now()
	if s == "" {
		s = w.Lit()
	}
	for _, dir := range []string{"/etc/apt", "/var/lib/apt", "/var/cache/apt", "/etc/apk", "/var/cache/apk", "/etc/yum", "/etc/dnf", "/var/cache/dnf", "/usr/share/keyrings"} {
		if strings.Contains(s, dir) {
			return true
		}
	}
	return false
}

// simplePiece is a command whose words are all known.
func (st *stage) simplePiece(s *syntax.Stmt) (piece, bool) {
	call, ok := plainCall(s)
	if !ok {
		return piece{}, false
	}
	for _, a := range call.Assigns {
		if a.Name == nil || a.Name.Value != "DEBIAN_FRONTEND" {
			return piece{}, false
		}
	}
	var words []text
	for i, w := range call.Args {
		t, ok := plainWord(w, st.scope.get, false)
		if !ok && i > 0 {
			// A pattern is fine where it is only removed, and so is what is a
			// number by default.
			if t, ok = plainWord(w, st.scope.get, true); ok && call.Args[0].Lit() != "rm" {
				ok = computedID(t)
			}
		}
		if !ok {
			return piece{}, false
		}
		words = append(words, t)
	}
	name, constant := words[0].constant()
	if !constant {
		return piece{}, false
	}
	if p, ok := packagePiece(name, words[1:]); ok {
		return p, true
	}
	if a, ok := accountOf(name, words[1:]); ok && (!a.nogroup || len(st.groups) == 1) {
		return piece{kind: accountPiece, account: a}, true
	}
	return piece{}, false
}

// portion is one step of a RUN that was taken apart.
type portion struct {
	packages *installation
	account  *account
	rest     []piece
}

// partition makes steps of pieces, in their order. It answers false where the
// script must stay as it is: nothing was found, or it would mean another thing.
func partition(pieces []piece) ([]portion, bool) {
	var out []portion
	var errexit []piece
	found, state := false, false
	for i, p := range pieces {
		switch p.kind {
		case managerPiece:
			return nil, false
		case errexitPiece:
			if i > 0 {
				return nil, false
			}
			errexit = []piece{p}
			continue
		case refreshPiece, cleanPiece:
			continue // counted below: they need an installation to belong to
		}
		if p.kind == installPiece || p.kind == accountPiece {
			if state {
				return nil, false
			}
			found = true
		}
		state = state || p.kind == statePiece
		last := len(out) - 1
		switch {
		case p.kind == installPiece && last >= 0 && out[last].packages != nil && out[last].packages.join(p.install):
		case p.kind == installPiece:
			one := p.install
			out = append(out, portion{packages: &one})
		case p.kind == accountPiece:
			one := p.account
			out = append(out, portion{account: &one})
		case last >= 0 && out[last].rest != nil:
			out[last].rest = append(out[last].rest, p)
		default:
			out = append(out, portion{rest: append(slices.Clone(errexit), p)})
		}
	}
	return out, found && managersAgree(pieces) && scripts(out) <= 2
}

// scripts counts what is left of a script: before and after is fine, more is
// a script that is better read as it was written.
func scripts(parts []portion) int {
	n := 0
	for _, p := range parts {
		if p.rest != nil {
			n++
		}
	}
	return n
}

// managersAgree reports whether updates and cleanings belong to an
// installation by the same manager that is there.
func managersAgree(pieces []piece) bool {
	installs := ""
	for _, p := range pieces {
		if p.kind == installPiece {
			if installs != "" && installs != p.install.manager {
				return false
			}
			installs = p.install.manager
		}
	}
	for _, p := range pieces {
		if (p.kind == refreshPiece || p.kind == cleanPiece) && p.manager != installs && p.manager != "" {
			return false
		}
		if p.kind == refreshPiece && installs == "" {
			return false
		}
	}
	return true
}

// joinPieces is a script of pieces.
func joinPieces(pieces []piece) string {
	words := make([]string, len(pieces))
	for i, p := range pieces {
		words[i] = p.text
	}
	if pieces[0].kind == errexitPiece {
		return strings.Join(words, "\n")
	}
	return strings.Join(words, " && \\\n  ")
}
