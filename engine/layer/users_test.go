package layer

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// rootWith is a root with account files, and their reader.
func rootWith(t *testing.T, items string) (*Tree, func(string) ([]byte, error)) {
	t.Helper()
	contents := make(map[string]Item)
	for _, item := range parse(t, items) {
		contents[item.Path] = item
	}
	return treeOf(t, items), func(path string) ([]byte, error) {
		r, err := contents[path].Open()
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	}
}

func contentOf(t *testing.T, items []Item, path string) string {
	t.Helper()
	for _, item := range items {
		if item.Path == path {
			r, err := item.Open()
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(r)
			if err != nil || int64(len(data)) != item.Size {
				t.Errorf("%s: %d bytes, says %d, %v", path, len(data), item.Size, err)
			}
			return string(data)
		}
	}
	return "not there"
}

var app = User{Name: "app", UID: 10001, GID: 10001, Home: "/home/app", Shell: "/usr/sbin/nologin"}

func TestAddUsersToNothing(t *testing.T) {
	t.Parallel()
	items, err := AddUsers(&Tree{}, nil, []User{app}, nil)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, lines(items), `
		d 0755 0 0 "etc"
		f 0644 0 0 23 "etc/group"
		f 0644 0 0 87 "etc/passwd"
		d 0755 0 0 "home"
		d 0750 10001 10001 "home/app"`)
	equal(t, contentOf(t, items, "etc/passwd"), `
		root:x:0:0:root:/root:/usr/sbin/nologin
		app:x:10001:10001::/home/app:/usr/sbin/nologin`)
	equal(t, contentOf(t, items, "etc/group"), `
		root:x:0:
		app:x:10001:`)
}

func TestAddUsersToDebian(t *testing.T) {
	t.Parallel()
	below, read := rootWith(t, `
		d 0755 0 0 "etc"
		f 0644 0 0 "etc/group" = root:x:0:
		f 0640 0 42 "etc/gshadow" = root:*::
		f 0640 0 0 "etc/passwd" = root:x:0:0:root:/root:/bin/bash
		f 0640 0 42 "etc/shadow" = root:*:19000:0:99999:7:::
		d 0755 0 0 "home"
		d 0700 7 7 "home/app"`)
	user := app
	user.Groups = []string{"web", "root"}
	second := User{Name: "other", UID: 5, GID: 33, Home: "/nonexistent", Shell: "/bin/sh", Groups: []string{"web"}}
	items, err := AddUsers(below, read, []User{user, second}, []Group{{"web", 33}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, lines(items), `
		d 0755 0 0 "etc"
		f 0644 0 0 45 "etc/group"
		f 0640 0 42 39 "etc/gshadow"
		f 0640 0 0 114 "etc/passwd"
		f 0640 0 42 56 "etc/shadow"`)
	equal(t, contentOf(t, items, "etc/group"), `
		root:x:0:app
		web:x:33:app,other
		app:x:10001:`)
	equal(t, contentOf(t, items, "etc/gshadow"), `
		root:*::app
		web:!*::app,other
		app:!*::`)
	equal(t, contentOf(t, items, "etc/shadow"), `
		root:*:19000:0:99999:7:::
		app:!*:::::::
		other:!*:::::::`)
	equal(t, contentOf(t, items, "etc/passwd"), `
		root:x:0:0:root:/root:/bin/bash
		app:x:10001:10001::/home/app:/usr/sbin/nologin
		other:x:5:33::/nonexistent:/bin/sh`)
}

func TestAddUsersRefuses(t *testing.T) {
	t.Parallel()
	below, read := rootWith(t, `
		d 0755 0 0 "etc"
		f 0644 0 0 "etc/group" = app:x:500:
		f 0644 0 0 "etc/passwd" = www:x:33:33::/:/bin/sh`)
	change := func(f func(*User)) []User {
		u := app
		f(&u)
		return []User{u}
	}
	for says, c := range map[string]struct {
		users  []User
		groups []Group
	}{
		`user www is taken`:         {change(func(u *User) { u.Name = "www" }), nil},
		`uid 33 is taken`:           {change(func(u *User) { u.Name, u.UID = "x", 33 }), nil},
		`group app is taken`:        {change(func(*User) {}), nil},
		`gid 500 is taken`:          {nil, []Group{{"web", 500}}},
		`group web is taken`:        {nil, []Group{{"web", 7}, {"web", 8}}},
		`"none", which does not`:    {change(func(u *User) { u.Name, u.Groups = "x", []string{"none"} }), nil},
		`has a colon`:               {change(func(u *User) { u.Name, u.Shell = "x", "/bin/sh\nroot::0:0::/:" }), nil},
		`path "/a/../b" has a ".."`: {change(func(u *User) { u.Name, u.Home = "x", "/a/../b" }), nil},
	} {
		_, err := AddUsers(below, read, c.users, c.groups)
		var ce *CopyError
		if !errors.As(err, &ce) || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	below := treeOf(t, copyBelow)
	items, err := Files(below, parse(t, `
		f 0600 7 7 "bin/run" = script
		d 0700 1000 1000 "srv"
		f 0644 0 0 "srv/x" = x
		d 0711 0 0 "tmp"
		l 0000 0 0 "etc/file" "other"
		d 0755 9 9 "var/run/app"`))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, lines(items), `
		d 0755 0 0 "etc"
		l 0777 0 0 "etc/file" "other"
		d 0755 0 0 "run"
		d 0755 9 9 "run/app"
		d 0700 1000 1000 "srv"
		f 0644 0 0 1 "srv/x"
		d 0711 0 0 "tmp"
		d 0755 0 0 "usr"
		d 0755 0 0 "usr/bin"
		f 0600 7 7 6 "usr/bin/run"`)
	for says, bad := range map[string]string{
		"is a directory below":  `f 0644 0 0 "usr/bin" = x`,
		"link to a directory":   `l 0777 0 0 "bin" "elsewhere"`,
		"where a file is below": `d 0755 0 0 "etc/file"`,
		"two steps":             "f 0644 0 0 \"x\" = 1\nf 0644 0 0 \"x\" = 2",
		"where a directory is":  "l 0777 0 0 \"new\" \"usr\"\nf 0644 0 0 \"new/x\" = 2",
		"means a deletion":      `f 0644 0 0 "etc/.wh.file" = x`,
	} {
		_, err := Files(below, parse(t, bad))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", bad, err, says)
		}
	}
}
