package deb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const alternativesDir = databaseDir + "alternatives/"

// alternative is a link group of update-alternatives(1).
type alternative struct {
	name, link string
	manual     bool
	slaves     []slave // sorted by name
	choices    []choice
}

type slave struct{ name, link string }

type choice struct {
	path     string
	priority int
	slaves   map[string]string // paths by the slave's name
}

// alternatives collects the groups that scripts install, chooses, and writes
// the links and the database (fix-up 4).
func (in *installation) alternatives() error {
	groups := map[string]*alternative{}
	for _, a := range in.archives {
		found := in.scripts[a]
		if found == nil {
			continue
		}
		for _, args := range found.alternatives {
			if err := in.addAlternative(groups, args); err != nil {
				return err
			}
		}
	}
	names := make([]string, 0, len(groups))
	for name := range groups {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		in.writeAlternative(groups[name])
	}
	return nil
}

// addAlternative takes one call. Calls that are not --install, or whose
// program no package has, change nothing.
func (in *installation) addAlternative(groups map[string]*alternative, args []string) error {
	for len(args) > 0 && args[0] != "--install" {
		args = args[1:]
	}
	if len(args) < 5 {
		return nil
	}
	link, name, p := args[1], args[2], args[3]
	priority, err := strconv.Atoi(args[4])
	if _, ok := in.tree.stat(p); !ok || err != nil || !alternativeName(name) || !absolute(link) || !absolute(p) {
		return nil
	}
	g := groups[name]
	if g == nil {
		if g, err = in.readAlternative(name); err != nil {
			return err
		}
		groups[name] = g
	}
	g.link = link
	c := choice{path: p, priority: priority, slaves: map[string]string{}}
	for rest := args[5:]; len(rest) > 0; rest = rest[1:] {
		if rest[0] != "--slave" || len(rest) < 4 {
			continue
		}
		if alternativeName(rest[2]) && absolute(rest[1]) && absolute(rest[3]) {
			g.addSlave(slave{rest[2], rest[1]})
			c.slaves[rest[2]] = rest[3]
		}
		rest = rest[3:]
	}
	g.choices = slices.DeleteFunc(g.choices, func(o choice) bool { return o.path == p })
	g.choices = append(g.choices, c)
	slices.SortFunc(g.choices, func(a, b choice) int { return strings.Compare(a.path, b.path) })
	return nil
}

func alternativeName(s string) bool {
	return s != "" && s[0] != '.' && !strings.ContainsAny(s, "/ \t\n")
}

func absolute(s string) bool {
	_, err := cleanPath(strings.TrimPrefix(s, "/"))
	return err == nil && strings.HasPrefix(s, "/") && !strings.Contains(s, "\n")
}

func (g *alternative) addSlave(s slave) {
	g.slaves = slices.DeleteFunc(g.slaves, func(o slave) bool { return o.name == s.name })
	g.slaves = append(g.slaves, s)
	slices.SortFunc(g.slaves, func(a, b slave) int { return strings.Compare(a.name, b.name) })
}

// best is the choice of the highest priority; of equal ones the first that
// update-alternatives would list.
func (g *alternative) best() choice {
	best := g.choices[0]
	for _, c := range g.choices[1:] {
		if c.priority > best.priority {
			best = c
		}
	}
	return best
}

// writeAlternative makes LINK -> /etc/alternatives/NAME -> PATH and the
// group's file. A link that a package itself ships is left alone, as dpkg
// does, and so is a group that was set by hand below.
func (in *installation) writeAlternative(g *alternative) {
	best := g.best()
	in.tree.setFile(alternativesDir+g.name, 0o644, g.encode())
	if g.manual {
		return
	}
	in.link(g.link, g.name, best.path)
	for _, s := range g.slaves {
		target, ok := best.slaves[s.name]
		if _, there := in.tree.stat(target); ok && there {
			in.link(s.link, s.name, target)
		}
	}
}

func (in *installation) link(link, name, target string) {
	at, err := in.tree.resolveParent(merged(strings.TrimPrefix(link, "/")))
	if err != nil {
		in.warn("The alternative %s has no link %s: %v.", name, link, err)
		return
	}
	in.tree.addLink(at, "/etc/alternatives/"+name)
	in.tree.setLink("etc/alternatives/"+name, target)
}

// encode is the format of /var/lib/dpkg/alternatives: the state, the link,
// names and links of slaves, an empty line; for each choice its path,
// priority and a line a slave; an empty line.
func (g *alternative) encode() string {
	var b strings.Builder
	state := "auto"
	if g.manual {
		state = "manual"
	}
	fmt.Fprintf(&b, "%s\n%s\n", state, g.link)
	for _, s := range g.slaves {
		fmt.Fprintf(&b, "%s\n%s\n", s.name, s.link)
	}
	b.WriteByte('\n')
	for _, c := range g.choices {
		fmt.Fprintf(&b, "%s\n%d\n", c.path, c.priority)
		for _, s := range g.slaves {
			b.WriteString(c.slaves[s.name] + "\n")
		}
	}
	b.WriteByte('\n')
	return b.String()
}

// readAlternative reads a group below; an empty one where there is none.
func (in *installation) readAlternative(name string) (*alternative, error) {
	g := &alternative{name: name}
	text, ok, err := in.readBelow(alternativesDir + name)
	if err != nil || !ok {
		return g, err
	}
	lines := strings.Split(text, "\n")
	next := func() string {
		if len(lines) == 0 {
			return ""
		}
		line := lines[0]
		lines = lines[1:]
		return line
	}
	g.manual = next() == "manual"
	g.link = next()
	for s := next(); s != ""; s = next() {
		g.slaves = append(g.slaves, slave{s, next()})
	}
	for p := next(); p != ""; p = next() {
		c := choice{path: p, slaves: map[string]string{}}
		if c.priority, err = strconv.Atoi(next()); err != nil {
			return nil, fmt.Errorf("the alternative %s below: %w", name, err)
		}
		for _, s := range g.slaves {
			if target := next(); target != "" {
				c.slaves[s.name] = target
			}
		}
		g.choices = append(g.choices, c)
	}
	return g, nil
}
