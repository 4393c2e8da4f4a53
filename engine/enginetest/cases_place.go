package enginetest

import "github.com/specbuild/specbuild/lower/dag"

// placeCases are about what is below: links, folders that exist, files in the
// way.
func placeCases() []Case {
	return []Case{
		{Name: "place/through a relative link", Build: func(b *Builder) {
			b.files("d 0755 - usr/bin\nl - - bin usr/bin")
			b.copyOf(three, "/bin/", "a")
		}, Want: `
			l 0777 0:0 bin usr/bin
			d 0755 0:0 usr
			d 0755 0:0 usr/bin
			f 0644 0:0 usr/bin/a A`},
		{Name: "place/through an absolute link", Build: func(b *Builder) {
			b.files("d 0755 - run\nd 0755 - var\nl - - var/run /run")
			b.copyOf(three, "/var/run/", "a")
		}, Want: `
			d 0755 0:0 run
			f 0644 0:0 run/a A
			d 0755 0:0 var
			l 0777 0:0 var/run /run`},
		{Name: "place/through two links", Build: func(b *Builder) {
			b.files("d 0755 - one\nl - - two one\nl - - three two")
			b.copyOf(three, "/three/x", "a")
		}, Want: `
			d 0755 0:0 one
			f 0644 0:0 one/x A
			l 0777 0:0 three two
			l 0777 0:0 two one`},
		{Name: "place/dangling link", Build: func(b *Builder) {
			b.files("l - - gone nowhere")
			b.copyOf(three, "/gone/x", "a")
		}, Fails: "gone"},
		{Name: "place/links in a circle", Build: func(b *Builder) {
			b.files("l - - p q\nl - - q p")
			b.copyOf(three, "/p/x", "a")
		}, Fails: "p"},
		{Name: "place/tmp keeps its sticky bit", Build: func(b *Builder) {
			b.files("d 1777 - tmp")
			b.copyOf(three, "/tmp/", "a")
		}, Want: `
			d 1777 0:0 tmp
			f 0644 0:0 tmp/a A`},
		{Name: "place/a home stays its user's", Build: func(b *Builder) {
			b.files("d 0755 - home\nd 0700 1000:1000 home/u")
			b.copyOf(three, "/home/u/", "a")
		}, Want: `
			d 0755 0:0 home
			d 0700 1000:1000 home/u
			f 0644 0:0 home/u/a A`},
		{Name: "place/owner is not for parents", Build: func(b *Builder) {
			b.copyWith(three, dag.Copy{To: "/new/deep/x", Sources: []string{"a"}, Owner: "7:8"})
		}, Want: `
			d 0755 0:0 new
			d 0755 0:0 new/deep
			f 0644 7:8 new/deep/x A`},
		{Name: "place/file over folder", Build: func(b *Builder) {
			b.files("d 0755 - opt")
			b.copyOf(three, "/opt", "a")
		}, Fails: "/opt"},
		{Name: "place/folder over file", Build: func(b *Builder) {
			b.files("f 0644 - opt x")
			b.copyOf(three, "/opt", "d")
		}, Fails: "/opt"},
		{Name: "place/through a file", Build: func(b *Builder) {
			b.files("f 0644 - opt x")
			b.copyOf(three, "/opt/x/y", "a")
		}, Fails: "opt"},
		{Name: "place/files are replaced", Build: func(b *Builder) {
			b.files("f 0600 5:5 x old")
			b.copyOf(three, "/x", "a")
		}, Want: `
			f 0644 0:0 x A`},
		{Name: "place/folders merge and keep what they are", Build: func(b *Builder) {
			b.files("d 0700 3:3 e\nf 0644 - e/old 1")
			b.copyOf("d 0755 d\nf 0644 d/e/y Y", "/", "d")
		}, Want: `
			d 0700 3:3 e
			f 0644 0:0 e/old 1
			f 0644 0:0 e/y Y`},
		{Name: "place/link is replaced by a file", Build: func(b *Builder) {
			b.files("f 0644 - real R\nl - - x real")
			b.copyOf(three, "/x", "a")
		}, Want: `
			f 0644 0:0 real R
			f 0644 0:0 x A`},
	}
}

// fileCases are about what the spec itself says.
func fileCases() []Case {
	return []Case{
		{Name: "file/defaults", Build: func(b *Builder) { b.files("f - - etc/motd hello\\n") }, Want: `
			d 0755 0:0 etc
			f 0644 0:0 etc/motd hello\n`},
		{Name: "file/mode and owner", Build: func(b *Builder) { b.files("f 4750 10:20 x X") }, Want: `
			f 4750 10:20 x X`},
		{Name: "file/empty", Build: func(b *Builder) { b.files("f - - x") }, Want: `
			f 0644 0:0 x`},
		{Name: "directory/new", Build: func(b *Builder) { b.files("d - - a/b") }, Want: `
			d 0755 0:0 a
			d 0755 0:0 a/b`},
		{Name: "directory/existing keeps what it is", Build: func(b *Builder) {
			b.files("d 0700 5:6 a")
			b.files("d - - a")
		}, Want: `
			d 0700 5:6 a`},
		{Name: "directory/existing gets mode and owner", Build: func(b *Builder) {
			b.files("d 0700 5:6 a\nf - - a/x 1")
			b.files("d 0711 7:8 a")
		}, Want: `
			d 0711 7:8 a
			f 0644 0:0 a/x 1`},
		{Name: "symlink/target as it is", Build: func(b *Builder) { b.files("l - - a/l ../../x/./y") }, Want: `
			d 0755 0:0 a
			l 0777 0:0 a/l ../../x/./y`},
		{Name: "file/through a link below", Build: func(b *Builder) {
			b.files("d - - usr/lib\nl - - lib usr/lib")
			b.files("f - - lib/x X")
		}, Want: `
			l 0777 0:0 lib usr/lib
			d 0755 0:0 usr
			d 0755 0:0 usr/lib
			f 0644 0:0 usr/lib/x X`},
		{Name: "file/over a folder", Build: func(b *Builder) {
			b.files("d - - a")
			b.files("f - - a X")
		}, Fails: "/a"},
		{Name: "user/from scratch", Build: func(b *Builder) {
			b.user(dag.User{Name: "app", UID: 1000, GID: 1000, Home: "/home/app", Shell: "/usr/sbin/nologin", OwnGroup: true})
		}, Want: `
			d 0755 0:0 etc
			f 0644 0:0 etc/group root:x:0:\napp:x:1000:\n
			f 0644 0:0 etc/passwd root:x:0:0:root:/root:/usr/sbin/nologin\napp:x:1000:1000::/home/app:/usr/sbin/nologin\n
			d 0755 0:0 home
			d 0750 1000:1000 home/app`},
		{Name: "user/beside those below", Build: func(b *Builder) {
			b.files("f - - etc/passwd root:x:0:0:root:/root:/bin/sh\\nold:x:5:5::/:/bin/sh\\n\nf - - etc/group root:x:0:\\nold:x:5:\\n\nd 0700 9:9 srv")
			b.user(dag.User{Name: "app", UID: 7, GID: 7, Home: "/srv", Shell: "/bin/sh", Groups: []string{"old"}, OwnGroup: true})
		}, Want: `
			d 0755 0:0 etc
			f 0644 0:0 etc/group root:x:0:\nold:x:5:app\napp:x:7:\n
			f 0644 0:0 etc/passwd root:x:0:0:root:/root:/bin/sh\nold:x:5:5::/:/bin/sh\napp:x:7:7::/srv:/bin/sh\n
			d 0700 9:9 srv`},
		{Name: "user/shadow is locked", Build: func(b *Builder) {
			b.files("f - - etc/passwd root:x:0:0:root:/root:/bin/sh\\n\nf - - etc/group root:x:0:\\n\nf 0640 0:42 etc/shadow root:*:1:0:99999:7:::\\n")
			b.user(dag.User{Name: "app", UID: 7, GID: 7, Home: "/", Shell: "/bin/sh", OwnGroup: true})
		}, Want: `
			d 0755 0:0 etc
			f 0644 0:0 etc/group root:x:0:\napp:x:7:\n
			f 0644 0:0 etc/passwd root:x:0:0:root:/root:/bin/sh\napp:x:7:7::/:/bin/sh\n
			f 0640 0:42 etc/shadow root:*:1:0:99999:7:::\napp:!*:::::::\n`},
		{Name: "user/id that is taken", Build: func(b *Builder) {
			b.files("f - - etc/passwd root:x:0:0:root:/root:/bin/sh\\nold:x:5:5::/:/bin/sh\\n")
			b.user(dag.User{Name: "app", UID: 5, GID: 7, Home: "/", Shell: "/bin/sh", OwnGroup: true})
		}, Fails: "5"},
		{Name: "user/name that is taken", Build: func(b *Builder) {
			b.files("f - - etc/passwd root:x:0:0:root:/root:/bin/sh\\napp:x:5:5::/:/bin/sh\\n")
			b.user(dag.User{Name: "app", UID: 6, GID: 6, Home: "/", Shell: "/bin/sh", OwnGroup: true})
		}, Fails: "app"},
		{Name: "group/alone", Build: func(b *Builder) {
			b.add(&dag.Files{Steps: []dag.FileStep{{Group: &dag.Group{Name: "media", GID: 2000}}}}, "group")
		}, Want: `
			d 0755 0:0 etc
			f 0644 0:0 etc/group root:x:0:\nmedia:x:2000:\n`},
		{Name: "files/each sees those before it", Build: func(b *Builder) {
			b.add(&dag.Files{Steps: []dag.FileStep{
				{Entry: &dag.FileEntry{Type: "directory", Path: "/srv", Mode: "0711", Owner: "7:7"}},
				{User: &dag.User{Name: "app", UID: 7, GID: 7, Home: "/srv", Shell: "/bin/sh", OwnGroup: true}},
				{Entry: &dag.FileEntry{Type: "file", Path: "/srv/x", Owner: "7:7", Content: "X"}},
			}}, "files")
		}, Want: `
			d 0755 0:0 etc
			f 0644 0:0 etc/group root:x:0:\napp:x:7:\n
			f 0644 0:0 etc/passwd root:x:0:0:root:/root:/usr/sbin/nologin\napp:x:7:7::/srv:/bin/sh\n
			d 0711 7:7 srv
			f 0644 7:7 srv/x X`},
	}
}
