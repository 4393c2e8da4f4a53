package enginetest

import "github.com/specbuild/specbuild/lower/dag"

// three is a small context that many cases copy from.
const three = `
	f 0644 a A
	f 0755 b B
	d 0755 d
	f 0644 d/x X
	f 0644 d/e/y Y`

// copyCases is the table of language.md: what is taken, and where it goes.
func copyCases() []Case {
	return []Case{
		{Name: "copy/file into folder", Build: func(b *Builder) { b.copyOf(three, "/to/", "a") }, Want: `
			d 0755 0:0 to
			f 0644 0:0 to/a A`},
		{Name: "copy/file becomes name", Build: func(b *Builder) { b.copyOf(three, "/to/name", "a") }, Want: `
			d 0755 0:0 to
			f 0644 0:0 to/name A`},
		{Name: "copy/folder gives its contents", Build: func(b *Builder) { b.copyOf(three, "/to", "d") }, Want: `
			d 0755 0:0 to
			d 0755 0:0 to/e
			f 0644 0:0 to/e/y Y
			f 0644 0:0 to/x X`},
		{Name: "copy/folder with slash gives its contents", Build: func(b *Builder) { b.copyOf(three, "/to/", "d") }, Want: `
			d 0755 0:0 to
			d 0755 0:0 to/e
			f 0644 0:0 to/e/y Y
			f 0644 0:0 to/x X`},
		{Name: "copy/two files into folder", Build: func(b *Builder) { b.copyOf(three, "/to/", "a", "b") }, Want: `
			d 0755 0:0 to
			f 0644 0:0 to/a A
			f 0755 0:0 to/b B`},
		{Name: "copy/two files need a slash", Build: func(b *Builder) { b.copyOf(three, "/to", "a", "b") }, Fails: "/to"},
		{Name: "copy/glob of one still goes into folder", Build: func(b *Builder) { b.copyOf(three, "/to/", "a*") }, Want: `
			d 0755 0:0 to
			f 0644 0:0 to/a A`},
		{Name: "copy/glob needs a slash", Build: func(b *Builder) { b.copyOf(three, "/to", "a*") }, Fails: "/to"},
		{Name: "copy/folder among several", Build: func(b *Builder) { b.copyOf(three, "/to/", "a", "d") }, Fails: "parents"},
		{Name: "copy/parents keep the path", Build: func(b *Builder) {
			b.copyWith(three, dag.Copy{To: "/to/", Sources: []string{"d/e/y", "a"}, Parents: true})
		}, Want: `
			d 0755 0:0 to
			f 0644 0:0 to/a A
			d 0755 0:0 to/d
			d 0755 0:0 to/d/e
			f 0644 0:0 to/d/e/y Y`},
		{Name: "copy/nothing matches", Build: func(b *Builder) { b.copyOf(three, "/to/", "nosuch") }, Fails: "nosuch"},
		{Name: "copy/two of one name", Build: func(b *Builder) {
			b.copyOf("f 0644 p/same 1\nf 0644 q/same 2", "/to/", "p/same", "q/same")
		}, Fails: "same"},
		{Name: "copy/everything", Build: func(b *Builder) { b.copyWith("f 0644 a A\nd 0755 d", dag.Copy{To: "/to/"}) }, Want: `
			d 0755 0:0 to
			f 0644 0:0 to/a A
			d 0755 0:0 to/d`},
		{Name: "copy/to the root", Build: func(b *Builder) { b.copyOf(three, "/", "a") }, Want: `
			f 0644 0:0 a A`},
		{Name: "copy/double star", Build: func(b *Builder) {
			b.copyWith("f 0644 s/one.txt 1\nf 0644 s/t/two.txt 2\nf 0644 s/t/no 3", dag.Copy{To: "/to/", Sources: []string{"**/*.txt"}})
		}, Want: `
			d 0755 0:0 to
			f 0644 0:0 to/one.txt 1
			f 0644 0:0 to/two.txt 2`},
		{Name: "copy/braces classes and marks", Build: func(b *Builder) {
			b.copyOf("f 0644 f1 1\nf 0644 f2 2\nf 0644 g9 9\nf 0644 h 4\nf 0644 other 5", "/to/", "f[12]", "{g9,none}", "?")
		}, Want: `
			d 0755 0:0 to
			f 0644 0:0 to/f1 1
			f 0644 0:0 to/f2 2
			f 0644 0:0 to/g9 9
			f 0644 0:0 to/h 4`},
		{Name: "copy/exclude", Build: func(b *Builder) {
			b.copyWith(three, dag.Copy{To: "/to/", Sources: []string{"d"}, Exclude: []string{"d/e"}})
		}, Want: `
			d 0755 0:0 to
			f 0644 0:0 to/x X`},
		{Name: "copy/non UTF-8 names stay apart", Build: func(b *Builder) {
			b.copyWith("f 0644 caf\\xe9 1\nf 0644 caf\\xe8 2", dag.Copy{To: "/to/"})
		}, Want: `
			d 0755 0:0 to
			f 0644 0:0 to/caf\xe8 2
			f 0644 0:0 to/caf\xe9 1`},
		{Name: "copy/newline in a name", Build: func(b *Builder) { b.copyWith("f 0644 x\\ny 1", dag.Copy{To: "/to/"}) }, Want: `
			d 0755 0:0 to
			f 0644 0:0 to/x\ny 1`},
		{Name: "copy/names over a hundred bytes", Build: func(b *Builder) { b.copyWith("f 0644 "+long+" 1", dag.Copy{To: "/to/"}) }, Want: `
			d 0755 0:0 to
			f 0644 0:0 to/` + long + ` 1`},
		{Name: "copy/whiteout names are refused", Build: func(b *Builder) { b.copyWith("f 0644 d/.wh.x 1", dag.Copy{To: "/to/"}) }, Fails: ".wh.x"},
		// The new /to is the folder that is copied, and no parent on the way.
		{Name: "copy/owner", Build: func(b *Builder) {
			b.copyWith(three, dag.Copy{To: "/to/", Sources: []string{"d"}, Owner: "1000:1001"})
		}, Want: `
			d 0755 1000:1001 to
			d 0755 1000:1001 to/e
			f 0644 1000:1001 to/e/y Y
			f 0644 1000:1001 to/x X`},
		{Name: "copy/mode is for files, folders get x", Build: func(b *Builder) {
			b.copyWith(three, dag.Copy{To: "/to/", Sources: []string{"d"}, Mode: "0640"})
		}, Want: `
			d 0750 0:0 to
			d 0750 0:0 to/e
			f 0640 0:0 to/e/y Y
			f 0640 0:0 to/x X`},
		{Name: "copy/empty folder", Build: func(b *Builder) { b.copyOf("d 0755 empty", "/to/", "empty") }, Want: `
			d 0755 0:0 to`},
		{Name: "copy/unpack a tar", Build: func(b *Builder) { b.copyArchive(tarOf("f:0644:in/x:X", "l:in/l:x"), "/to/") }, Want: `
			d 0755 0:0 to
			d 0755 0:0 to/in
			l 0777 0:0 to/in/l x
			f 0644 0:0 to/in/x X`},
		{Name: "copy/unpack refuses to climb", Build: func(b *Builder) { b.copyArchive(tarOf("f:0644:../x:X"), "/to/") }, Fails: ".."},
		{Name: "copy/unpack refuses a link out", Build: func(b *Builder) {
			b.copyArchive(tarOf("l:d:/etc", "f:0644:d/passwd:X"), "/to/")
		}, Fails: "d/passwd"},
		{Name: "copy/unpack refuses devices", Build: func(b *Builder) { b.copyArchive(tarOf("c:dev"), "/to/") }, Fails: "dev"},
	}
}

const long = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"

// contextCases are about what a context is: normalised, and only what is
// selected.
func contextCases() []Case {
	return []Case{
		{Name: "context/modes are normalised", Build: func(b *Builder) {
			b.copyWith("f 0600 a A\nf 0700 b B\nf 0666 c C\nd 0700 d\nf 0411 d/e E", dag.Copy{To: "/to/"})
		}, Want: `
			d 0755 0:0 to
			f 0644 0:0 to/a A
			f 0755 0:0 to/b B
			f 0644 0:0 to/c C
			d 0755 0:0 to/d
			f 0644 0:0 to/d/e E`},
		{Name: "context/links below folders stay links", Build: func(b *Builder) {
			b.copyOf("f 0644 d/x X\nl d/l x\nl d/gone nowhere", "/to/", "d")
		}, Want: `
			d 0755 0:0 to
			l 0777 0:0 to/gone nowhere
			l 0777 0:0 to/l x
			f 0644 0:0 to/x X`},
		{Name: "context/a source that is a link is followed", Build: func(b *Builder) {
			b.copyOf("f 0644 real X\nl link real", "/to/name", "link")
		}, Want: `
			d 0755 0:0 to
			f 0644 0:0 to/name X`},
		{Name: "context/a source link that leaves is refused", Build: func(b *Builder) {
			b.copyOf("l out /etc/passwd", "/to/name", "out")
		}, Fails: "out"},
		{Name: "context/hard links are files of their own", Build: func(b *Builder) {
			b.copyWith("f 0644 a A\nh b a", dag.Copy{To: "/to/"})
		}, Want: `
			d 0755 0:0 to
			f 0644 0:0 to/a A
			f 0644 0:0 to/b A`},
		{Name: "context/include and exclude", Build: func(b *Builder) {
			from := b.local("f 0644 in/a 1\nf 0644 in/b 2\nf 0644 out/c 3", dag.Local{Include: []string{"in"}, Exclude: []string{"in/b"}})
			b.copyFrom(from, dag.Copy{To: "/to/"})
		}, Want: `
			d 0755 0:0 to
			d 0755 0:0 to/in
			f 0644 0:0 to/in/a 1`},
		{Name: "context/dockerignore", Build: func(b *Builder) {
			b.copyWith("f 0644 .dockerignore *.log\\n!keep.log\nf 0644 a.log 1\nf 0644 keep.log 2\nf 0644 b 3", dag.Copy{To: "/to/", Exclude: []string{".dockerignore"}})
		}, Want: `
			d 0755 0:0 to
			f 0644 0:0 to/b 3
			f 0644 0:0 to/keep.log 2`},
		{Name: "context/secrets are ignored", Build: func(b *Builder) {
			b.copyWith("f 0644 .env 1\nf 0644 .git/config 2\nf 0644 key.pem 3\nf 0644 id_rsa 4\nf 0644 app 5", dag.Copy{To: "/to/"})
		}, Want: `
			d 0755 0:0 to
			f 0644 0:0 to/app 5`},
		{Name: "context/a secret named literally is taken", Build: func(b *Builder) { b.copyOf("f 0644 ca.pem C", "/to/", "ca.pem") }, Want: `
			d 0755 0:0 to
			f 0644 0:0 to/ca.pem C`},
	}
}
