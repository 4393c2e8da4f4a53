package planner

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// rootUser is who runs steps where nothing says otherwise.
const rootUser = "0:0"

// accounts are the users and groups that the steps of a chain make.
type accounts struct {
	users  map[string]account
	groups map[string]account // uid is not used
}

type account struct {
	uid, gid int
	at       diag.Range
}

func (a accounts) clone() accounts {
	return accounts{users: maps.Clone(a.users), groups: maps.Clone(a.groups)}
}

// accounts adds those of the body to what `from` has, groups first: a user
// may name a group of a later step, since all of them are known by now.
func (p *planner) accounts(s *state) {
	a := &s.accounts
	if a.users == nil {
		*a = accounts{users: map[string]account{}, groups: map[string]account{}}
	}
	for _, step := range s.body.Steps {
		if g, ok := step.(*spec.Group); ok {
			p.addGroup(a, g.Name, g.GID.V, g.Range)
		}
	}
	for _, step := range s.body.Steps {
		if u, ok := step.(*spec.User); ok {
			p.addUser(s, u)
		}
	}
}

func (p *planner) addGroup(a *accounts, name string, gid int, at diag.Range) {
	for _, other := range slices.Sorted(maps.Keys(a.groups)) {
		g := a.groups[other]
		if other == name || g.gid == gid {
			p.taken(at, "group", fmt.Sprintf("%s (%d)", name, gid), fmt.Sprintf("%s (%d)", other, g.gid), g.at)
			break
		}
	}
	keep(a.groups, name, account{gid: gid, at: at})
}

// keep lets the first account have a name. One with a mistake is kept too:
// that steps name it is no second mistake.
func keep(accounts map[string]account, name string, acc account) {
	if _, there := accounts[name]; !there {
		accounts[name] = acc
	}
}

func (p *planner) addUser(s *state, u *spec.User) {
	a := &s.accounts
	for _, other := range slices.Sorted(maps.Keys(a.users)) {
		o := a.users[other]
		if other == u.Name || o.uid == u.UID.V {
			p.taken(u.Range, "user", fmt.Sprintf("%s (%d)", u.Name, u.UID.V), fmt.Sprintf("%s (%d)", other, o.uid), o.at)
			keep(a.users, u.Name, account{uid: u.UID.V, gid: u.UID.V, at: u.Range})
			keep(a.groups, u.Name, account{gid: u.UID.V, at: u.Range})
			return
		}
	}
	acc := account{uid: u.UID.V, gid: u.UID.V, at: u.Range}
	if u.GID.Set {
		acc.gid = u.GID.V
	}
	if u.Group.Set {
		g, ok := a.groups[u.Group.V]
		if !ok {
			p.ds.Errorf(u.Group.Range, "No such group", "%s is not the name of a `group` step of %s or of what it is built from. Add `group %q { gid = … }`, or say `gid` instead.",
				u.Group.V, s.key.addr.Local(), u.Group.V)
			keep(a.users, u.Name, acc)
			return
		}
		acc.gid = g.gid
	} else {
		p.addGroup(a, u.Name, acc.gid, u.Range)
	}
	a.users[u.Name] = acc
	p.memberships(s, u)
}

// memberships can be checked only where no base or package brings groups.
func (p *planner) memberships(s *state, u *spec.User) {
	if s.below.foreign || len(s.below.requests) > 0 || slices.ContainsFunc(s.body.Steps, isPackages) {
		return
	}
	for _, g := range u.Groups.V {
		if _, ok := s.accounts.groups[g]; !ok {
			p.ds.Errorf(u.Groups.Range, "No such group", "%s is not the name of a `group` step, and %s has no files that could bring it. Add `group %q { gid = … }`.",
				g, s.key.addr.Local(), g)
		}
	}
}

func isPackages(step spec.Step) bool { _, ok := step.(*spec.Packages); return ok }

func (p *planner) taken(at diag.Range, kind, name, other string, first diag.Range) {
	p.ds = append(p.ds, diag.Diagnostic{
		Severity: diag.Error, Code: "user-ids-unique", Summary: "Two accounts have one name or number", Range: at,
		Detail: fmt.Sprintf("The %s %s meets %s: files of one would belong to the other. Give it a name and a number of its own.", kind, name, other),
		Notes:  []diag.Note{{Message: "the first one", Range: first}},
	})
}

// number reads an id as passwd has it.
func number(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err == nil
}

// owner turns "uid[:gid]" or names into "uid:gid". A user alone has its own
// group; a number that no `user` step has, the group of that number.
func (p *planner) owner(s *state, v spec.Attr[string]) string {
	user, group, both := strings.Cut(v.V, ":")
	acc, known := s.accounts.users[user]
	if !known {
		uid, ok := number(user)
		if !ok {
			p.noAccount(s, "user", user, v.Range, slices.Sorted(maps.Keys(s.accounts.users)))
			p.ds[len(p.ds)-1].Fix = p.asNumbers(s, v)
			return rootUser
		}
		acc = account{uid: uid, gid: s.accounts.groupOf(uid, uid)}
	}
	if both {
		gid, ok := number(group)
		if !ok {
			g, known := s.accounts.groups[group]
			if !known {
				p.noAccount(s, "group", group, v.Range, slices.Sorted(maps.Keys(s.accounts.groups)))
				return rootUser
			}
			gid = g.gid
		}
		acc.gid = gid
	}
	return fmt.Sprintf("%d:%d", acc.uid, acc.gid)
}

func (p *planner) noAccount(s *state, kind, name string, at diag.Range, there []string) {
	have := "There is none"
	if len(there) > 0 {
		have = "There are: " + strings.Join(there, ", ")
	}
	p.ds.Errorf(at, "No such "+kind, "%s is not the name of a `%s` step of %s or of what it is built from. %s. Names of a base are not known here: say the number.",
		name, kind, s.key.addr.Local(), have)
}

// asNumbers is a fix that writes the numbers of a name which is known without
// the base's files: root, and the user that the base's own config names.
func (p *planner) asNumbers(s *state, v spec.Attr[string]) *diag.Fix {
	src := string(p.in.Spec.Files[v.Range.File])
	if v.Range.End.Byte > len(src) || strings.Trim(src[v.Range.Start.Byte:v.Range.End.Byte], `"`) != v.V {
		return nil
	}
	ids := ""
	if v.V == "root" {
		ids = rootUser
	} else if s.base != nil {
		if c, err := s.base.facts.ImageConfig(); err == nil && c.User == v.V {
			ids = fmt.Sprintf("%d:%d", s.base.facts.UID, s.base.facts.GID)
		}
	}
	if ids == "" {
		return nil
	}
	return &diag.Fix{Range: v.Range, Replacement: strconv.Quote(ids)}
}

// groupOf is the group of the user step with this uid, else the fallback.
func (a accounts) groupOf(uid, fallback int) int {
	for _, acc := range a.users {
		if acc.uid == uid { // ids are unique
			return acc.gid
		}
	}
	return fallback
}

// configUser is run_as as the config has it. A number alone that no `user`
// step explains stays alone: the image's own passwd says its group.
func (p *planner) configUser(s *state, v spec.Attr[string]) string {
	if uid, ok := number(v.V); ok && s.accounts.groupOf(uid, -1) < 0 {
		return strconv.Itoa(uid)
	}
	return p.owner(s, v)
}

// runUser is a config's user as steps run: empty is root, a number alone has
// the group of its `user` step, else of the same number.
func runUser(user string, a accounts) string {
	if user == "" {
		return rootUser
	}
	if uid, ok := number(user); ok {
		return fmt.Sprintf("%d:%d", uid, a.groupOf(uid, uid))
	}
	return user
}
