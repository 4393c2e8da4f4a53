package spec

import (
	"cmp"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec/diag"
)

// What no row of a table can judge alone. Values that are Unknown are passed
// over: they were reported, or will be judged once the target is known.

func (a Attr[T]) usable() bool { return a.Set && !a.Unknown }

// checkBase refuses two digests for one image: which of them counts would be
// a rule to remember.
func checkBase(d *decoder, b *Base) {
	if !b.Image.usable() || !b.Digest.usable() {
		return
	}
	if _, digest, ok := strings.Cut(b.Image.V, "@"); ok && digest != b.Digest.V {
		d.report(b.Digest.Range, "Two digests", "The image already names the digest %s. Keep one of them.", []any{digest},
			diag.Note{Message: "It is named here.", Range: b.Image.Range})
	}
}

// checkBody judges the steps together. Two blocks of one name or path are most
// often a copied block whose name was forgotten.
func checkBody(d *decoder, b *draft) {
	image := b.Image != nil
	places := map[string]diag.Range{}
	for _, s := range b.Steps {
		switch s := s.(type) {
		case *Copy:
			d.checkPlacedCopy(s, image)
		case *User:
			d.distinctStep(places, "user "+quote(s.Name), s.Range)
		case *Group:
			d.distinctStep(places, "group "+quote(s.Name), s.Range)
		case *File:
			d.distinctPath(places, s.Path)
		case *Symlink:
			d.distinctPath(places, s.Path)
		}
	}
	if image {
		for _, t := range b.Image.Tests {
			d.distinctStep(places, "test "+quote(t.Name), t.Range)
		}
		checkSetAndUnset(d, b)
	}
}

func (d *decoder) distinctStep(places map[string]diag.Range, what string, at diag.Range) {
	if before, ok := places[what]; ok {
		d.report(at, "Declared twice", "There are two blocks %s here. Give one another name, or remove it.", []any{what},
			diag.Note{Message: "The first is here.", Range: before})
		return
	}
	places[what] = at
}

func (d *decoder) distinctPath(places map[string]diag.Range, p Attr[string]) {
	if !p.usable() {
		return
	}
	if before, ok := places[p.V]; ok {
		d.report(p.Range, "Written twice", "Two steps write %s, so the first is for nothing.", []any{p.V},
			diag.Note{Message: "The first is here.", Range: before})
		return
	}
	places[p.V] = p.Range
}

// checkPlacedCopy judges a copy by the block it stands in.
func (d *decoder) checkPlacedCopy(c *Copy, image bool) {
	if image && !c.Source.Set {
		d.diags.Errorf(c.Range, "Missing attribute", "In an image, a copy names what it takes: write source = [\"…\"]. Only in stages is everything the default.")
	}
}

// checkSetAndUnset refuses what would have to be resolved by an order that
// attributes do not have.
func checkSetAndUnset(d *decoder, b *draft) {
	conflict := func(set []EnvVar, unset Attr[[]string], what string) {
		for _, v := range set {
			if unset.usable() && !v.Unset && slices.Contains(unset.V, v.Name) {
				d.report(unset.Range, "Set and removed", "%s %s is both set and removed here. Keep one of the two.", []any{what, v.Name},
					diag.Note{Message: "It is set here.", Range: v.Range})
			}
		}
	}
	conflict(b.Env, b.Image.UnsetEnv, "the variable")
	conflict(b.Image.Labels, b.Image.UnsetLabels, "the label")
}

// checkCopy is the part of the table of copies that needs no files.
func checkCopy(d *decoder, c *Copy) {
	if !c.To.usable() || strings.HasSuffix(c.To.V, "/") {
		return
	}
	why := ""
	switch {
	case c.Parents:
		why = "with parents = true, paths are kept below it"
	case !c.Source.usable():
	case len(c.Source.V) > 1:
		why = "several sources go into it"
	case isGlob(c.Source.V[0]):
		why = "a glob may match several files, which go into it"
	}
	if why != "" {
		d.diags.Errorf(c.To.Range, "Destination is a folder", "%s, so `to` is a folder: write %s, with a slash at the end.", sentence(why), quote(c.To.V+"/"))
		(*d.diags)[len(*d.diags)-1].Fix = fixSlash(d, c)
	}
}

// fixSlash adds the slash where the destination is written out.
func fixSlash(d *decoder, c *Copy) *diag.Fix {
	src, _ := d.mod.source(c.To.Range.File)
	start, end := c.To.Range.Start.Byte, c.To.Range.End.Byte
	if end > len(src) || string(src[start:end]) != quote(c.To.V) {
		return nil
	}
	return &diag.Fix{Range: c.To.Range, Replacement: quote(c.To.V + "/")}
}

// isGlob reports whether a source may match more than itself. A bracket after
// a backslash counts too: the answer must not depend on what is there.
func isGlob(s string) bool { return strings.ContainsAny(s, "*?[{") }

// checkRun judges the mounts together; where two are at one place, one would
// hide the other.
func checkRun(d *decoder, r *Run) {
	// The short form and the blocks, in the order they are written.
	slices.SortStableFunc(r.Mounts, func(a, b Mount) int {
		return cmp.Or(cmp.Compare(a.Range.File, b.Range.File), cmp.Compare(a.Range.Start.Byte, b.Range.Start.Byte))
	})
	targets, names := map[string]diag.Range{}, map[string]diag.Range{}
	for _, m := range r.Mounts {
		if m.Target.V != "" && !m.Target.Unknown {
			d.distinctMount(targets, m.Target.V, m.Range)
		}
		if m.Env.usable() {
			d.distinctMount(names, m.Env.V, m.Range)
		}
	}
	for _, v := range r.Env {
		if before, ok := names[v.Name]; ok {
			d.report(v.Range, "Set twice", "The variable %s is set by env and by a secret. Keep one of the two.", []any{v.Name},
				diag.Note{Message: "The secret is here.", Range: before})
		}
	}
}

func (d *decoder) distinctMount(seen map[string]diag.Range, target string, at diag.Range) {
	if before, ok := seen[target]; ok {
		d.report(at, "Mounted twice", "Two mounts of this step are at %s. Give one another target.", []any{target},
			diag.Note{Message: "The first is here.", Range: before})
		return
	}
	seen[target] = at
}

// checkCacheMount fills in the id, by which steps of other images find the
// same cache.
func checkCacheMount(d *decoder, m *Mount) {
	if !m.ID.Set && !m.Target.Unknown {
		m.ID.V = m.Target.V
	}
	if m.Source.Set && !m.From.Set {
		d.diags.Errorf(m.Source.Range, "Missing attribute", "`source` says what of `from` is the first content; there is no `from`.")
	}
	if m.Target.usable() && m.Target.V == "/" {
		d.invalid(m.Target.Range, "target is the root, which a mount cannot hide.")
	}
}

// checkSecretMount puts the secret where it is expected if nothing is said:
// /run/secrets, as with Docker.
func checkSecretMount(d *decoder, m *Mount) {
	if !m.Secret.usable() {
		return
	}
	if !m.Target.Set && !m.Env.Set {
		m.Target.V = "/run/secrets/" + m.Secret.V.Name
	}
	if d.mod.isAgent(m.Secret.V) {
		d.diags.Errorf(m.Secret.Range, "Wrong kind of secret", "%s is an SSH agent, not a text: mount it by mount \"ssh\" { agent = %s }.", m.Secret.V.Local(), m.Secret.V.Local())
	}
}

func checkSSHMount(d *decoder, m *Mount) {
	if m.Secret.usable() && !d.mod.isAgent(m.Secret.V) {
		d.diags.Errorf(m.Secret.Range, "Wrong kind of secret", "%s is not an SSH agent: declare it with ssh = true, or mount it by mount \"secret\".", m.Secret.V.Local())
	}
}

// checkUser fills in what follows from the name and uid.
func checkUser(d *decoder, u *User) {
	if u.UID.usable() && !u.GID.Set && !u.Group.Set {
		u.GID.V = u.UID.V
	}
	if !u.Home.Set {
		u.Home.V = "/home/" + u.Name
	}
	if u.GID.Set && u.Group.usable() && u.Group.V != u.Name {
		d.diags.Errorf(u.GID.Range, "Attributes exclude each other", "gid is the number of the user's own group, and group = %q says that it has none. The number of %q is said by its `group` step.", u.Group.V, u.Group.V)
	}
}

// checkTest refuses a test that could only pass.
func checkTest(d *decoder, t *Test) {
	runs := t.Command.Set
	for _, a := range []struct {
		set bool
		at  diag.Range
	}{{t.User.Set, t.User.Range}, {t.Workdir.Set, t.Workdir.Range}, {t.Timeout.Set, t.Timeout.Range}} {
		if a.set && !runs {
			d.diags.Errorf(a.at, "Nothing to run", "This says how the command is run, but the test has no command.")
			return
		}
	}
	if !runs && len(t.Files) == 0 && !t.Absent.Set && !d.misspelt {
		d.diags.Errorf(t.Range, "Empty test", "The test checks nothing: give it a command, a `file` block or `absent`.")
	}
}

// sentence begins with a capital letter.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
