package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/planner/survey"
	"github.com/specbuild/specbuild/spec/diag"
)

// What `user` and `group` steps make, the language and the planner look at.
// These two look at what packages, scripts and bases come to, in the finished
// files of accounts.

// sameAccounts is advice where it is not graded: that two names share a number
// may be meant, and is often a base's.
func sameAccounts(d *docket, img *Image) {
	users, groups := make([]line, len(img.Users)), make([]line, len(img.Groups))
	for i, u := range img.Users {
		users[i] = line{u.Name, u.UID, u.Layer}
	}
	for i, g := range img.Groups {
		groups[i] = line{g.Name, g.GID, g.Layer}
	}
	for _, table := range []struct {
		noun, file string
		all        []line
	}{{"user", "/etc/passwd", users}, {"group", "/etc/group", groups}} {
		var pairs []string
		layer := 0
		names, ids := map[string]bool{}, map[int]string{}
		for _, a := range table.all {
			switch first, taken := ids[a.id]; {
			case names[a.name]:
				pairs = append(pairs, "the name "+a.name+" twice")
				layer = a.layer
			case taken:
				pairs = append(pairs, fmt.Sprintf("%s and %s with the number %d", first, a.name, a.id))
				layer = a.layer
			default:
				ids[a.id] = a.name
			}
			names[a.name] = true
		}
		if len(pairs) == 0 {
			continue
		}
		w := d.writer(img, layer, table.file)
		const most = 5
		more := ""
		if n := len(pairs) - most; n > 0 {
			pairs, more = pairs[:most], fmt.Sprintf(" and %d more", n)
		}
		d.foundLate(w, diag.Warning, "Accounts share a "+table.noun+"'s name or number", "%s of the image has %s%s. What belongs to one belongs to the other: give one of them a number of its own.",
			table.file, strings.Join(pairs, ", "), more)
	}
}

// line is what a user and a group have.
type line struct {
	name      string
	id, layer int
}

// openAccounts stops a build that made such an account itself. Of a base that
// has one it is a warning: only its owners can mend it.
func openAccounts(d *docket, img *Image) {
	var bad []survey.User
	for _, a := range img.Users {
		if a.Password != survey.Locked {
			bad = append(bad, a)
		}
	}
	for len(bad) > 0 {
		w := d.writer(img, bad[0].Layer, "")
		same := func(a survey.User) bool { return d.writer(img, a.Layer, "") == w }
		var said []string
		for _, a := range bad {
			if same(a) && a.Password == survey.Empty {
				said = append(said, a.Name+" logs in without a password")
			} else if same(a) {
				said = append(said, a.Name+" has a password")
			}
		}
		bad = slices.DeleteFunc(bad, same)
		severity := diag.Error
		if w.base {
			severity = diag.Warning
		}
		if d.told(w) {
			continue
		}
		d.foundLate(w, severity, "An account can be logged in to", "In the accounts of the image, %s. It is the same in every container: lock it (passwd -l NAME), or make the user by a `user` step.",
			strings.Join(said, ", "))
	}
}
