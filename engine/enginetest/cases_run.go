package enginetest

import "github.com/specbuild/specbuild/lower/dag"

// Cases is the whole suite.
func Cases() []Case {
	var all []Case
	for _, cs := range [][]Case{copyCases(), contextCases(), placeCases(), fileCases(), stageCases(), runCases(), mountCases(), outputCases()} {
		all = append(all, cs...)
	}
	return all
}

func script(name, script, want string, below ...string) Case {
	return Case{Name: name, Root: true, Want: want, Build: func(b *Builder) {
		for _, f := range below {
			b.files(f)
		}
		b.shell()
		b.run(script)
	}}
}

// stageCases copy from what steps have made: everything stays as it is.
func stageCases() []Case {
	from := func(make string, op dag.Copy) func(b *Builder) {
		return func(b *Builder) {
			s := b.stage(func(b *Builder) {
				b.shell()
				b.run(make)
			})
			b.copyFrom(s, op)
		}
	}
	return []Case{
		{Name: "stage/owner mode and setuid stay", Root: true, Build: from(
			"busybox mkdir /o; echo x > /o/f; busybox chown 3:4 /o/f; busybox chmod 4751 /o/f", dag.Copy{Sources: []string{"/o"}, To: "/to/"}), Want: `
			d 0755 0:0 to
			f 4751 3:4 to/f x\n`},
		{Name: "stage/owner drops setuid", Root: true, Build: from(
			"busybox mkdir /o; echo x > /o/f; busybox chmod 6755 /o/f", dag.Copy{Sources: []string{"/o/f"}, To: "/to/", Owner: "9:9"}), Want: `
			d 0755 0:0 to
			f 0755 9:9 to/f x\n`},
		{Name: "stage/hard links stay together", Root: true, Build: from(
			"busybox mkdir /o; echo x > /o/a; busybox ln /o/a /o/b", dag.Copy{Sources: []string{"/o"}, To: "/to/"}), Want: `
			d 0755 0:0 to
			f 0644 0:0 to/a x\n
			h to/b to/a`},
		{Name: "stage/one of two hard links is a file", Root: true, Build: from(
			"busybox mkdir /o; echo x > /o/a; busybox ln /o/a /o/b", dag.Copy{Sources: []string{"/o/b"}, To: "/to/"}), Want: `
			d 0755 0:0 to
			f 0644 0:0 to/b x\n`},
		{Name: "stage/fifo", Root: true, Build: from(
			"busybox mkdir /o; busybox mkfifo -m 0640 /o/p", dag.Copy{Sources: []string{"/o"}, To: "/to/"}), Want: `
			d 0755 0:0 to
			p 0640 0:0 to/p`},
		{Name: "stage/folder modes stay", Root: true, Build: from(
			"busybox mkdir -p /o/d; busybox chmod 2770 /o/d; busybox chown 1:2 /o/d", dag.Copy{Sources: []string{"/o"}, To: "/to/"}), Want: `
			d 0755 0:0 to
			d 2770 1:2 to/d`},
		{Name: "stage/a deleted file is not copied", Root: true, Build: func(b *Builder) {
			s := b.stage(func(b *Builder) {
				b.files("f - - o/a 1\nf - - o/b 2")
				b.shell()
				b.run("busybox rm /o/a")
			})
			b.copyFrom(s, dag.Copy{Sources: []string{"/o"}, To: "/to/"})
		}, Want: `
			d 0755 0:0 to
			f 0644 0:0 to/b 2`},
		{Name: "stage/from several layers at once", Root: true, Build: func(b *Builder) {
			s := b.stage(func(b *Builder) {
				b.files("f - - o/a 1")
				b.shell()
				b.run("echo 2 > /o/b")
			})
			b.copyFrom(s, dag.Copy{Sources: []string{"/o/*"}, To: "/to/"})
		}, Want: `
			d 0755 0:0 to
			f 0644 0:0 to/a 1
			f 0644 0:0 to/b 2\n`},
		{Name: "stage/a source through its own links", Root: true, Build: func(b *Builder) {
			s := b.stage(func(b *Builder) { b.files("f - - usr/bin/x X\nl - - bin /usr/bin") })
			b.copyFrom(s, dag.Copy{Sources: []string{"/bin/x"}, To: "/x"})
		}, Want: `
			f 0644 0:0 x X`},
		{Name: "stage/a missing source", Build: func(b *Builder) {
			s := b.stage(func(b *Builder) { b.files("f - - x X") })
			b.copyFrom(s, dag.Copy{Sources: []string{"/y"}, To: "/y"})
		}, Fails: "y"},
	}
}

// runCases are about what of a command's changes becomes part of the image.
func runCases() []Case {
	return []Case{
		script("run/writes", "busybox mkdir /d; echo hi > /d/x", `
			d 0755 0:0 d
			f 0644 0:0 d/x hi\n`),
		script("run/deletes", "busybox rm /a", `
			f 0644 0:0 b 2`, "f - - a 1\nf - - b 2"),
		script("run/deletes a folder", "busybox rm -r /d", `
			f 0644 0:0 b 2`, "f - - d/e/a 1\nf - - b 2"),
		script("run/replaces a folder", "busybox rm -r /d; busybox mkdir /d; echo n > /d/new", `
			d 0755 0:0 d
			f 0644 0:0 d/new n\n`, "f - - d/old 1\nf - - d/sub/x 2"),
		script("run/moves a folder", "busybox mv /d /m", `
			d 0755 0:0 m
			f 0644 0:0 m/x 1`, "f - - d/x 1"),
		script("run/file for folder", "busybox rm -r /d; echo f > /d", `
			f 0644 0:0 d f\n`, "f - - d/x 1"),
		script("run/folder for file", "busybox rm /d; busybox mkdir /d; echo f > /d/x", `
			d 0755 0:0 d
			f 0644 0:0 d/x f\n`, "f - - d 1"),
		script("run/link for file", "busybox ln -sf b /a", `
			l 0777 0:0 a b
			f 0644 0:0 b 2`, "f - - a 1\nf - - b 2"),
		script("run/mode alone", "busybox chmod 0600 /a", `
			f 0600 0:0 a 1`, "f - - a 1"),
		script("run/owner alone", "busybox chown 5:6 /a", `
			f 0644 5:6 a 1`, "f - - a 1"),
		script("run/mode of a folder", "busybox chmod 0711 /d", `
			d 0711 0:0 d
			f 0644 0:0 d/x 1`, "f - - d/x 1"),
		script("run/setuid and sticky", "echo 1 > /s; busybox chmod 6755 /s; busybox mkdir -m 1777 /t", `
			f 6755 0:0 s 1\n
			d 1777 0:0 t`),
		script("run/hard links", "echo 1 > /a; busybox ln /a /b; busybox mkdir /d; busybox ln /a /d/c", `
			f 0644 0:0 a 1\n
			h b a
			d 0755 0:0 d
			h d/c a`),
		script("run/copy-up parts hard links", "echo 2 >> /a", `
			f 0644 0:0 a 12\n
			f 0644 0:0 b 1`, "f - - a 1\nf - - b 1"),
		script("run/touching changes nothing", "busybox touch /a /d; busybox cp /a /x; busybox mv /x /a", `
			f 0644 0:0 a 1
			d 0755 0:0 d`, "f - - a 1\nd - - d"),
		script("run/fifo", "busybox mkfifo /p", `
			p 0644 0:0 p`),
		{Name: "run/devices are refused", Root: true, Build: func(b *Builder) {
			b.shell()
			b.run("busybox mknod /null c 1 3")
		}, Fails: "null"},
		{Name: "run/whiteout names are refused", Root: true, Build: func(b *Builder) {
			b.shell()
			b.run("echo > /.wh.x")
		}, Fails: ".wh.x"},
		{Name: "run/a sparse monster is refused", Root: true, Build: func(b *Builder) {
			b.shell()
			b.run("busybox truncate -s 1G /lastlog")
		}, Fails: "lastlog"},
		script("run/a small sparse file is written out", "busybox truncate -s 5000 /s", `
			f 0644 0:0 s (5000 bytes)`),
		script("run/large ids", "echo 1 > /a; busybox chown 2000000:2000001 /a", `
			f 0644 2000000:2000001 a 1\n`),
		script("run/odd names", "echo 1 > \"/$(busybox printf 'a\\nb')\"; echo 2 > \"/$(busybox printf 'c\\351')\"", `
			f 0644 0:0 a\nb 1\n
			f 0644 0:0 c\xe9 2\n`),
		script("run/umask", "busybox umask > /u || umask > /u; busybox mkdir /d", `
			d 0755 0:0 d
			f 0644 0:0 u 0022\n`),
		{Name: "run/as a user with home", Root: true, Build: func(b *Builder) {
			b.shell()
			b.user(dag.User{Name: "app", UID: 1000, GID: 1000, Home: "/home/app", Shell: "/bin/sh", OwnGroup: true})
			b.runWith("busybox id -u > ~/who; echo $HOME >> ~/who", dag.Run{User: "1000:1000", Outputs: []string{"/home"}, OutputsOn: true})
		}, Want: `
			d 0755 0:0 etc
			f 0644 0:0 etc/group root:x:0:\napp:x:1000:\n
			f 0644 0:0 etc/passwd root:x:0:0:root:/root:/usr/sbin/nologin\napp:x:1000:1000::/home/app:/bin/sh\n
			d 0755 0:0 home
			d 0750 1000:1000 home/app
			f 0644 1000:1000 home/app/who 1000\n/home/app\n`},
		{Name: "run/workdir and environment", Root: true, Build: func(b *Builder) {
			b.shell()
			b.files("d 0755 - w")
			b.runWith("busybox pwd > here; echo $A >> here", dag.Run{Workdir: "/w", Env: []dag.KV{{Name: "A", Value: "b c"}}})
		}, Want: `
			d 0755 0:0 w
			f 0644 0:0 w/here /w\nb c\n`},
		script("run/nothing of the machine's environment", "busybox env | busybox cut -d= -f1 | busybox sort > /e", `
			f 0644 0:0 e HOME\nPATH\nPWD\nSHLVL\n`),
		script("run/no network but lo", "busybox ip -o link | busybox wc -l > /n; busybox ping -c1 127.0.0.1 > /dev/null || true", `
			f 0644 0:0 n 1\n`),
		{Name: "run/a step that fails", Root: true, Build: func(b *Builder) {
			b.shell()
			b.run("exit 3")
		}, Fails: "exit status 3"},
		{Name: "run/a command that is not there", Root: true, Build: func(b *Builder) {
			b.shell()
			b.add(&dag.Run{Args: []string{"/nosuch"}, Workdir: "/", User: "0:0", Network: "none", Platform: Platform}, "run")
		}, Fails: "nosuch"},
		script("run/leaves no mount points", "busybox true", ``),
	}
}

// mountCases are about mounts: there while the step runs, and gone without a
// trace.
func mountCases() []Case {
	mounts := func(ms ...dag.Mount) dag.Run { return dag.Run{Mounts: ms} }
	return []Case{
		{Name: "mount/cache is kept between steps", Root: true, Build: func(b *Builder) {
			b.shell()
			b.runWith("echo 1 > /var/cache/x/f", mounts(dag.Mount{Type: "cache", Target: "/var/cache/x"}))
			b.runWith("busybox cp /var/cache/x/f /got", mounts(dag.Mount{Type: "cache", Target: "/var/cache/x"}))
		}, Want: `
			f 0644 0:0 got 1\n`},
		{Name: "mount/cache belongs to the step's user", Root: true, Build: func(b *Builder) {
			b.shell()
			op := mounts(dag.Mount{Type: "cache", Target: "/c"})
			op.User = "1000:1000"
			b.runWith("echo 1 > /c/f", op)
		}},
		{Name: "mount/a target that was there stays", Root: true, Build: func(b *Builder) {
			b.files("f - - c/below 1")
			b.shell()
			b.runWith("busybox test ! -e /c/below; echo 2 > /c/f", mounts(dag.Mount{Type: "cache", Target: "/c"}))
		}, Want: `
			d 0755 0:0 c
			f 0644 0:0 c/below 1`},
		{Name: "mount/tmpfs", Root: true, Build: func(b *Builder) {
			b.shell()
			b.runWith("busybox dd if=/dev/zero of=/t/z bs=1k count=100 2>/dev/null; busybox wc -c < /t/z > /n", mounts(dag.Mount{Type: "tmpfs", Target: "/t", Size: 1 << 20}))
		}, Want: `
			f 0644 0:0 n 102400\n`},
		{Name: "mount/tmpfs is bounded", Root: true, Build: func(b *Builder) {
			b.shell()
			b.runWith("busybox dd if=/dev/zero of=/t/z bs=1k count=4000", mounts(dag.Mount{Type: "tmpfs", Target: "/t", Size: 1 << 20}))
		}, Fails: "exit status"},
		{Name: "mount/secret is read and leaves nothing", Root: true, Build: func(b *Builder) {
			b.shell()
			b.runWith("busybox test \"$(busybox cat /run/secrets/s)\" = hush; busybox stat -c %a:%u /run/secrets/s > /m",
				mounts(dag.Mount{Type: "secret", Target: "/run/secrets/s"}))
		}, Want: `
			f 0644 0:0 m 400:0\n`},
		{Name: "mount/secret as a variable", Root: true, Build: func(b *Builder) {
			b.shell()
			b.runWith("busybox test \"$TOKEN\" = hush", mounts(dag.Mount{Type: "secret", Env: "TOKEN"}))
			b.run("busybox test -z \"${TOKEN:-}\"")
		}},
		{Name: "mount/an optional secret may be missing", Root: true, Build: func(b *Builder) {
			b.shell()
			b.runWith("busybox test ! -e /s", mounts(dag.Mount{Type: "secret", Target: "/s", Optional: true}))
		}},
		{Name: "mount/bind a context", Root: true, Build: func(b *Builder) {
			b.shell()
			from := b.local(three, dag.Local{})
			b.runWith("busybox cat /m/a /m/d/x > /got", mounts(dag.Mount{Type: "bind", Target: "/m", Input: 1}), from)
		}, Want: `
			f 0644 0:0 got AX`},
		{Name: "mount/bind of nothing is an empty folder", Root: true, Build: func(b *Builder) {
			b.shell()
			from := b.local("d 0755 empty", dag.Local{Exclude: []string{"**"}})
			b.runWith("busybox ls -A /m > /got", mounts(dag.Mount{Type: "bind", Target: "/m", Input: 1}), from)
		}, Want: `
			f 0644 0:0 got`},
		{Name: "mount/bind one file", Root: true, Build: func(b *Builder) {
			b.shell()
			from := b.local(three, dag.Local{Sources: []string{"a"}})
			b.runWith("busybox cat /m > /got", mounts(dag.Mount{Type: "bind", Target: "/m", Input: 1, Sources: []string{"a"}}), from)
		}, Want: `
			f 0644 0:0 got A`},
		{Name: "mount/bind is read-only", Root: true, Build: func(b *Builder) {
			b.shell()
			from := b.local(three, dag.Local{})
			b.runWith("! echo x > /m/a", mounts(dag.Mount{Type: "bind", Target: "/m", Input: 1}), from)
		}},
		{Name: "mount/writes to a writable bind are thrown away", Root: true, Build: func(b *Builder) {
			b.shell()
			from := b.local(three, dag.Local{})
			m := dag.Mount{Type: "bind", Target: "/m", Input: 1, Writable: true}
			b.runWith("echo x > /m/a", mounts(m), from)
			b.runWith("busybox cat /m/a > /got", mounts(m), from)
		}, Want: `
			f 0644 0:0 got A`},
		{Name: "mount/bind a stage", Root: true, Build: func(b *Builder) {
			b.shell()
			s := b.stage(func(b *Builder) { b.files("f 0640 3:4 o/x X") })
			b.runWith("busybox stat -c %a:%u:%g /m/o/x > /got", mounts(dag.Mount{Type: "bind", Target: "/m", Input: 1}), s)
		}, Want: `
			f 0644 0:0 got 640:3:4\n`},
	}
}

// outputCases are about `outputs`: what else a step changes is not kept.
func outputCases() []Case {
	only := func(paths ...string) dag.Run { return dag.Run{Outputs: paths, OutputsOn: true} }
	return []Case{
		{Name: "outputs/only what is below", Root: true, Build: func(b *Builder) {
			b.shell()
			b.runWith("busybox mkdir -p /out/d; echo 1 > /out/d/x; echo 2 > /other", only("/out"))
		}, Want: `
			d 0755 0:0 out
			d 0755 0:0 out/d
			f 0644 0:0 out/d/x 1\n`},
		{Name: "outputs/one file", Root: true, Build: func(b *Builder) {
			b.shell()
			b.runWith("busybox mkdir -p /out; echo 1 > /out/x; echo 2 > /out/y", only("/out/x"))
		}, Want: `
			d 0755 0:0 out
			f 0644 0:0 out/x 1\n`},
		{Name: "outputs/deletions too", Root: true, Build: func(b *Builder) {
			b.files("f - - out/a 1\nf - - out/b 2\nf - - c 3")
			b.shell()
			b.runWith("busybox rm /out/a /c", only("/out"))
		}, Want: `
			f 0644 0:0 c 3
			d 0755 0:0 out
			f 0644 0:0 out/b 2`},
		{Name: "outputs/a missing one", Root: true, Build: func(b *Builder) {
			b.shell()
			b.runWith("busybox true", only("/out"))
		}, Fails: "out"},
		{Name: "outputs/none is a check that must pass", Root: true, Build: func(b *Builder) {
			b.shell()
			b.check("echo x > /lost")
			b.files("f - - kept 1")
		}, Want: `
			f 0644 0:0 kept 1`},
		{Name: "outputs/a check that fails", Root: true, Build: func(b *Builder) {
			b.shell()
			b.check("exit 4")
			b.files("f - - kept 1")
		}, Fails: "exit status 4"},
	}
}
