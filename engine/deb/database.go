package deb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/engine/layer"
)

// Paths of dpkg's database.
const (
	databaseDir = "var/lib/dpkg/"
	infoDir     = databaseDir + "info/"
	triggersDir = databaseDir + "triggers/"
	// markPath says that specbuild wrote the database: a second step may
	// add to it. dpkg does not look at it. While packages wait to be
	// configured it also lists their preinst scripts, see preinsts.
	markPath = databaseDir + "specbuild"
	markText = "format 1\n"
)

// database is what dpkg's database below says.
type database struct {
	in        *installation
	installed []stanza
	owners    map[string]string // paths with a merged /usr to labels; made when first asked
	replaced  map[string]map[string]bool
}

// readDatabase reads the status of what is below.
func (in *installation) readDatabase() error {
	in.database = &database{in: in, replaced: map[string]map[string]bool{}}
	text, ok, err := in.readBelow(databaseDir + "status")
	if err != nil || !ok {
		return err
	}
	all, err := parseStanzas(text)
	if err != nil {
		return fmt.Errorf("the package database below: %w", err)
	}
	if _, ok, err := in.readBelow(markPath); err != nil {
		return err
	} else if !ok && len(all) > 0 {
		return fmt.Errorf("the package database below (%d packages) was not written by specbuild: use the distribution's own package manager on this base", len(all))
	}
	for _, s := range all {
		if !strings.HasSuffix(s.get("Status"), " not-installed") {
			in.database.installed = append(in.database.installed, s)
		}
	}
	return nil
}

// readBelow gives a file of what is below.
func (in *installation) readBelow(p string) (text string, ok bool, err error) {
	if in.req.Below.Tree == nil || in.req.Below.Read == nil {
		return "", false, nil
	}
	t := &tree{below: in.req.Below}
	data, ok, err := t.read(p)
	if err != nil {
		return "", false, fmt.Errorf("read /%s below: %w", p, err)
	}
	return string(data), ok, nil
}

// version gives the version of a package that is installed below.
func (d *database) version(p Package) (string, bool) {
	for _, s := range d.installed {
		if s.get("Package") == p.Name && s.get("Architecture") == p.Arch {
			return s.get("Version"), true
		}
	}
	return "", false
}

// owner gives the label of the package below that ships a path; "" if none.
func (d *database) owner(p string) string {
	if d.owners == nil {
		d.owners = map[string]string{}
		for _, s := range d.installed {
			// A list that cannot be read is of a package without files.
			text, _, _ := d.in.readBelow(infoDir + s.label() + ".list")
			for line := range strings.Lines(text) {
				d.owners[merged(strings.Trim(line, "/\n"))] = s.label()
			}
		}
	}
	return d.owners[p]
}

// conflictBelow judges a path that is below already: a file of a package
// needs a Replaces; of files of nobody, a conffile is kept, as dpkg does
// with --force-confold, so that a spec may place its configuration first.
func (in *installation) conflictBelow(a *archive, e *entry, p string) (keep bool, err error) {
	label := in.database.owner(p)
	if label == "" {
		conffiles, err := a.controlFile("conffiles")
		return slices.Contains(conffilePaths(string(conffiles)), e.Path), err
	}
	i := slices.IndexFunc(in.database.installed, func(s stanza) bool { return s.label() == label })
	b := in.database.installed[i]
	old, _ := in.req.Below.Tree.Lookup(p)
	switch {
	case b.get("Package") == a.Name && old.Type == e.Type && old.Digest == e.Digest && old.Link == e.Link:
		return true, nil
	case a.stanza.names("Replaces", b):
		if in.database.replaced[label] == nil {
			in.database.replaced[label] = map[string]bool{}
		}
		in.database.replaced[label][p] = true
		return false, nil
	case b.names("Replaces", a.stanza):
		in.drop(a, e.Path)
		return true, nil
	}
	return false, fmt.Errorf("%s below and %s both ship /%s, and neither replaces the other", label, a.Package, p)
}

// writeDatabase writes what dpkg would have written, for the packages that
// are added; of the files of all packages, those that changed.
func (in *installation) writeDatabase() error {
	t := in.tree
	stanzas := slices.Clone(in.database.installed)
	for _, a := range in.archives {
		s, err := in.statusOf(a)
		if err != nil {
			return err
		}
		stanzas = append(stanzas, s)
		if err := in.writeInfo(a); err != nil {
			return err
		}
	}
	slices.SortStableFunc(stanzas, func(a, b stanza) int {
		return strings.Compare(a.get("Package")+"\x00"+a.get("Architecture"), b.get("Package")+"\x00"+b.get("Architecture"))
	})
	var b strings.Builder
	for _, s := range stanzas {
		s.write(&b)
	}
	t.setFile(databaseDir+"status", 0o644, b.String())
	if err := in.rewriteLists(); err != nil {
		return err
	}
	if err := in.writeTriggers(); err != nil {
		return err
	}
	for _, dir := range []string{"updates", "parts", "alternatives", "info", "triggers"} {
		t.addDir(databaseDir+dir, 0o755, 0, 0)
	}
	if err := in.writeDiversions(); err != nil {
		return err
	}
	for _, f := range [...][2]string{
		{infoDir + "format", "1\n"}, {databaseDir + "arch", in.req.Arch + "\n"}, {databaseDir + "available", ""},
		{databaseDir + "statoverride", ""}, {triggersDir + "Unincorp", ""}, {markPath, markText},
	} {
		if !in.isBelow(f[0]) {
			t.setFile(f[0], 0o644, f[1])
		}
	}
	if in.req.Configure {
		t.setFile(markPath, 0o644, markText+in.preinsts())
	}
	return nil
}

// statusOf is a package's paragraph in the status file: its control file
// with the state after the name, and the md5 sums of its conffiles.
func (in *installation) statusOf(a *archive) (stanza, error) {
	s := a.stanza.without("Status", "Conffiles", "Package")
	state := " install ok installed"
	if in.req.Configure {
		state = " install ok unpacked"
	}
	out := stanza{append([]field{{"Package", " " + a.Name}, {"Status", state}}, s.fields...)}
	text, err := a.controlFile("conffiles")
	if err != nil {
		return stanza{}, err
	}
	sums := map[string]string{}
	for i := range a.entries {
		if e := &a.entries[i]; e.md5 != "" {
			sums[e.Path] = e.md5
		}
	}
	var b strings.Builder
	for _, p := range conffilePaths(string(text)) {
		if sum, ok := sums[p]; ok {
			b.WriteString("\n /" + p + " " + sum)
		}
	}
	if b.Len() > 0 {
		out.fields = append(out.fields, field{"Conffiles", b.String()})
	}
	return out, nil
}

// conffilePaths are the lines of a conffiles file that name a file to be
// installed (deb-conffiles(5); others start with a flag).
func conffilePaths(text string) []string {
	var paths []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "/") {
			paths = append(paths, line[1:])
		}
	}
	return paths
}

// writeInfo writes the files of /var/lib/dpkg/info.
func (in *installation) writeInfo(a *archive) error {
	label := infoDir + a.stanza.label() + "."
	var list, sums strings.Builder
	if len(a.entries) == 0 || a.entries[0].Path != "" {
		list.WriteString("/.\n")
	}
	for i := range a.entries {
		e := &a.entries[i]
		switch {
		case e.Path == "":
			list.WriteString("/.\n")
		case !in.dropped[a][e.Path]:
			list.WriteString("/" + e.Path + "\n")
		}
		if e.Type == layer.File && e.md5 != "" {
			sums.WriteString(e.md5 + "  " + e.Path + "\n")
		}
	}
	in.tree.setFile(label+"list", 0o644, list.String())
	if _, ok := a.control["md5sums"]; !ok && sums.Len() > 0 {
		in.tree.setFile(label+"md5sums", 0o644, sums.String())
	}
	for _, name := range a.order {
		if name == "control" || !controlName(name) {
			continue
		}
		data, err := a.controlFile(name)
		if err != nil {
			return err
		}
		mode := uint32(0o644)
		switch name {
		case "preinst", "postinst", "prerm", "postrm", "config":
			mode = 0o755
		}
		in.tree.setFile(label+name, mode, string(data))
	}
	return nil
}

// controlName reports whether dpkg would install a control file of the name.
func controlName(name string) bool {
	for i := range len(name) {
		if c := name[i]; !digit(c) && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return false
		}
	}
	return name != ""
}

// rewriteLists takes what was replaced out of the lists of packages below.
func (in *installation) rewriteLists() error {
	for label, paths := range in.database.replaced {
		name := infoDir + label + ".list"
		text, _, err := in.readBelow(name)
		if err != nil {
			return err
		}
		var b strings.Builder
		for line := range strings.Lines(text) {
			if !paths[merged(strings.Trim(line, "/\n"))] {
				b.WriteString(line)
			}
		}
		in.tree.setFile(name, 0o644, b.String())
	}
	return nil
}

// writeTriggers writes who is interested in what (deb-triggers(5)).
func (in *installation) writeTriggers() error {
	added := map[string][]string{} // by file of the triggers folder
	for _, a := range in.archives {
		text, err := a.controlFile("triggers")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			line, _, _ = strings.Cut(line, "#")
			words := strings.Fields(line)
			if len(words) != 2 || !strings.HasPrefix(words[0], "interest") {
				continue
			}
			who := a.stanza.label()
			if words[0] == "interest-noawait" {
				who += "/noawait"
			}
			if strings.HasPrefix(words[1], "/") {
				added["File"] = append(added["File"], words[1]+" "+who)
			} else if _, err := cleanPath(words[1]); err == nil && !strings.Contains(words[1], "/") {
				added[words[1]] = append(added[words[1]], who)
			}
		}
	}
	for name, lines := range added {
		text, _, err := in.readBelow(triggersDir + name)
		if err != nil {
			return err
		}
		lines = append(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' }), lines...)
		slices.Sort(lines)
		in.tree.setFile(triggersDir+name, 0o644, strings.Join(slices.Compact(lines), "\n")+"\n")
	}
	if len(added["File"]) == 0 && !in.isBelow(triggersDir+"File") {
		in.tree.setFile(triggersDir+"File", 0o644, "")
	}
	return nil
}
