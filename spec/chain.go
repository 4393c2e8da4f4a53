package spec

import (
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec/diag"
)

// What is judged along a chain of `from`: destinations that start from an
// inherited workdir, and seals.

// checkChain judges a body by those that it is built on, which below finds.
// It stops where the chain leaves the spec, is not known yet or closes to a
// cycle, which the planner reports.
func checkChain(b *draft, below func(Addr) *draft, source func(string) []byte, l *diag.List) {
	visited := map[Addr]bool{b.Addr: true}
	workdir, left, scratch := b.Workdir.Set, false, false
	var sealed []string
	for cur := b; ; {
		from := cur.From
		if !from.usable() || visited[from.V] {
			break
		}
		if from.V.Kind == KindScratch || from.V.Kind == KindBase {
			left, scratch = true, from.V.Kind == KindScratch
			break
		}
		visited[from.V] = true
		if cur = below(from.V); cur == nil {
			break
		}
		workdir = workdir || cur.Workdir.Set
		for _, name := range cur.Seal.V {
			if !slices.Contains(sealed, name) {
				sealed = append(sealed, name)
				checkSeal(b, name, cur, l)
			}
		}
	}
	if left && !workdir {
		checkRelative(b, scratch, source, l)
	}
}

// checkRelative reports destinations that have no workdir to start from. A
// base's own counts for nothing, since it may change without a word; scratch
// has none, and so can mean the root only.
func checkRelative(b *draft, scratch bool, source func(string) []byte, l *diag.List) {
	for _, s := range b.Steps {
		if c, ok := s.(*Copy); ok && c.To.usable() && !strings.HasPrefix(c.To.V, "/") {
			l.Errorf(c.To.Range, "Relative destination", "%q is relative, and there is no workdir in the spec that it could start from. Write an absolute path, or set workdir.", c.To.V)
			if scratch {
				(*l)[len(*l)-1].Fix = rewriteText(source(c.To.Range.File), c.To.Range, c.To.V, quote("/"+strings.TrimPrefix(c.To.V, "./")))
			}
		}
	}
}

// checkSeal reports where a body sets or undoes what one below it sealed.
// "base" is sealed against policies alone: a body that is built on another
// has no base of its own.
func checkSeal(b *draft, name string, by *draft, l *diag.List) {
	at, touched := b.Sets(name)
	if !touched {
		return
	}
	l.Errorf(at, "Sealed", "%s is sealed by %s, which this is built on: it can be neither set nor undone here.", name, by.Addr.Local())
	(*l)[len(*l)-1].Notes = []diag.Note{{Message: "It is sealed here.", Range: by.Seal.Range}}
}

// Sets finds where the body itself sets or undoes what a seal names:
// "run_as", "env.NAME". What it inherits it does not set.
func (b *Body) Sets(name string) (diag.Range, bool) {
	if what, key, ok := strings.Cut(name, "."); ok {
		switch what {
		case "env":
			return touchesEnv(b, key)
		case "labels":
			return touchesLabel(b, key)
		default:
			return touchesUser(b, key)
		}
	}
	if name == "workdir" {
		return b.Workdir.Range, b.Workdir.Set
	}
	if b.Image == nil {
		return diag.Range{}, false
	}
	switch name {
	case "run_as":
		return b.Image.RunAs.Range, b.Image.RunAs.Set
	case "entrypoint":
		return b.Image.Entrypoint.Range, b.Image.Entrypoint.Set
	case "cmd":
		// Setting the entrypoint drops an inherited cmd.
		if b.Image.Entrypoint.Set {
			return b.Image.Entrypoint.Range, true
		}
		return b.Image.Cmd.Range, b.Image.Cmd.Set
	case "healthcheck":
		if h := b.Image.Healthcheck; h != nil {
			return h.Range, true
		}
	}
	return diag.Range{}, false
}

func touchesEnv(b *Body, key string) (diag.Range, bool) {
	if at, ok := entryOf(b.Env, key); ok {
		return at, true
	}
	if key == "PATH" && b.PathPrepend.Set {
		return b.PathPrepend.Range, true
	}
	return unsetOf(b, key, func(i *ImageBody) Attr[[]string] { return i.UnsetEnv })
}

func touchesLabel(b *Body, key string) (diag.Range, bool) {
	if b.Image != nil {
		if at, ok := entryOf(b.Image.Labels, key); ok {
			return at, true
		}
	}
	return unsetOf(b, key, func(i *ImageBody) Attr[[]string] { return i.UnsetLabels })
}

func touchesUser(b *Body, key string) (diag.Range, bool) {
	for _, s := range b.Steps {
		if u, ok := s.(*User); ok && u.Name == key {
			return u.Range, true
		}
	}
	return diag.Range{}, false
}

func entryOf(vars []EnvVar, key string) (diag.Range, bool) {
	for _, v := range vars {
		if v.Name == key {
			return v.Range, true
		}
	}
	return diag.Range{}, false
}

func unsetOf(b *Body, key string, list func(*ImageBody) Attr[[]string]) (diag.Range, bool) {
	if b.Image == nil {
		return diag.Range{}, false
	}
	a := list(b.Image)
	return a.Range, slices.Contains(a.V, key)
}
