package deb

import (
	"bytes"
	"context"
	"strings"
)

// diversion is a line of three of dpkg's diversions file: files of other
// packages than by that would be at from are at to (dpkg-divert(1)).
type diversion struct{ from, to, by string }

// readDiversions collects the diversions that preinst scripts make on a
// first installation; those of upgrades are behind conditions that do not
// hold. They must be known before files are placed.
func (in *installation) readDiversions(ctx context.Context) error {
	for _, a := range in.archives {
		text, err := a.controlFile("preinst")
		if err != nil {
			return err
		}
		if !bytes.Contains(text, []byte("dpkg-divert")) {
			continue
		}
		found, err := in.script(ctx, a, "preinst", "install")
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			in.warn("Diversions of %s may be missing: its preinst could not be followed (%v).", a.Name, err)
		}
		for _, args := range found.diversions {
			if d, ok := parseDiversion(args, a.Name); ok {
				in.divert = append(in.divert, d)
			}
		}
	}
	return nil
}

// parseDiversion takes the arguments of one dpkg-divert.
func parseDiversion(args []string, pkg string) (diversion, bool) {
	d := diversion{by: pkg}
	for i := 0; i < len(args); i++ {
		option, value, joined := strings.Cut(args[i], "=")
		if (option == "--package" || option == "--divert" || option == "--admindir" || option == "--instdir" || option == "--root") && !joined && i+1 < len(args) {
			i++
			value = args[i]
		}
		switch option {
		case "--package":
			d.by = value
		case "--local":
			d.by = ":"
		case "--divert":
			d.to = value
		case "--remove", "--list", "--listpackage", "--truename":
			return d, false
		default:
			if !strings.HasPrefix(option, "--") {
				d.from = args[i]
			}
		}
	}
	if d.to == "" {
		d.to = d.from + ".distrib"
	}
	return d, absolute(d.from) && absolute(d.to)
}

// diverted gives the path that a package's file goes to.
func (in *installation) diverted(a *archive, p string) string {
	for _, d := range in.divert {
		if d.by != a.Name && merged(p) == merged(d.from[1:]) {
			return d.to[1:]
		}
	}
	return p
}

func (in *installation) writeDiversions() error {
	name := databaseDir + "diversions"
	if len(in.divert) == 0 && in.isBelow(name) {
		return nil
	}
	text, _, err := in.readBelow(name)
	if err != nil {
		return err
	}
	for _, d := range in.divert {
		text += d.from + "\n" + d.to + "\n" + d.by + "\n"
	}
	in.tree.setFile(name, 0o644, text)
	return nil
}
