package spec

import (
	"time"

	"github.com/specbuild/specbuild/spec/diag"
)

// The steps of stages and images.

var copyBlock = &block[Copy]{
	name: "copy", when: true, doc: "Takes files of a context, stage, image or base.",
	begin: func(c *Copy, _ string, header diag.Range) { c.Range = header },
	attrs: []attribute[Copy]{
		attr("from", reference(KindContext, KindStage, KindImage, KindBase), func(c *Copy) *Attr[Addr] { return &c.From },
			"where the files are.", defaults("context.default")),
		attr("source", sourceList, func(c *Copy) *Attr[[]string] { return &c.Source }, "one path or glob, or a list; in stages, by default everything."),
		attr("to", destination, func(c *Copy) *Attr[string] { return &c.To }, "where they go: absolute, or relative to a workdir; with a / at the end, into that folder.", required),
		attr("exclude", globList, func(c *Copy) *Attr[[]string] { return &c.Exclude }, "what of the source is left out."),
		attr("owner", owner, func(c *Copy) *Attr[string] { return &c.Owner }, "\"uid[:gid]\" or names of `user` steps.", defaults("0:0 from a context, else as it is")),
		attr("mode", mode, func(c *Copy) *Attr[uint32] { return &c.Mode }, "of files, four octal digits; folders get x where there is r.", defaults("0644 or 0755 from a context, else as it is")),
		plain("parents", boolean, func(c *Copy) *bool { return &c.Parents }, "whether paths from the source's root are kept below `to`.", defaults("false")),
		plain("unpack", boolean, func(c *Copy) *bool { return &c.Unpack }, "whether each source is an archive to unpack.", defaults("false")),
	},
	check: checkCopy,
}

var runBlock = &block[Run]{
	name: "run", when: true, doc: "Runs a command in a sandbox.",
	begin: func(r *Run, _ string, header diag.Range) { r.Range = header },
	attrs: []attribute[Run]{
		attr("command", argv, func(r *Run) *Attr[[]string] { return &r.Command }, "the program and its arguments; no shell sees them."),
		attr("script", script, func(r *Run) *Attr[string] { return &r.Script }, "a text that is given to `shell`."),
		plain("env", envMap, func(r *Run) *[]EnvVar { return &r.Env }, "environment variables of this step alone."),
		attr("path_prepend", pathList, func(r *Run) *Attr[[]string] { return &r.PathPrepend }, "folders that go before PATH, for this step alone."),
		attr("workdir", absolutePath, func(r *Run) *Attr[string] { return &r.Workdir }, "where it runs; default: the stage's workdir."),
		attr("user", owner, func(r *Run) *Attr[string] { return &r.User }, "who runs it: \"uid[:gid]\" or the name of a `user`."),
		attrOr("network", oneOf("none", "outbound", "host"), func(r *Run) *Attr[string] { return &r.Network }, func() string { return "none" }, "\"none\", \"outbound\" or \"host\"."),
		plain("cache", cacheList, func(r *Run) *[]Mount { return &r.Mounts }, "folders that are kept between builds; short for mount \"cache\"."),
		attr("outputs", pathList, func(r *Run) *Attr[[]string] { return &r.Outputs }, "only changes below these paths are kept; [] keeps nothing."),
		attr("timeout", duration, func(r *Run) *Attr[time.Duration] { return &r.Timeout }, "how long it may take."),
		plain("hosts", hostMap, func(r *Run) *[]EnvVar { return &r.Hosts }, "names of machines and their addresses."),
	},
	blocks: []nested[Run]{
		variant(cacheMount, "cache", 0, addMount),
		variant(bindMount, "bind", 0, addMount),
		variant(tmpfsMount, "tmpfs", 0, addMount),
		variant(secretMount, "secret", 0, addMount),
		variant(sshMount, "ssh", 0, addMount),
		child(resourcesBlock, 1, func(r *Run, s *Resources) { r.Resources = *s }),
	},
	one:   []choice{{names: []string{"command", "script"}}},
	check: checkRun,
}

func addMount(r *Run, m *Mount) { r.Mounts = append(r.Mounts, *m) }

func beginMount(m *Mount, label string, header diag.Range) { m.Type, m.Range = label, header }

func mountTarget(opts ...option) attribute[Mount] {
	return attr("target", absolutePath, func(m *Mount) *Attr[string] { return &m.Target }, "where it is mounted.", opts...)
}

func mountFrom(doc string) attribute[Mount] {
	return attr("from", reference(KindContext, KindStage, KindImage, KindBase), func(m *Mount) *Attr[Addr] { return &m.From }, doc)
}

func mountSource() attribute[Mount] {
	return attr("source", sourceList, func(m *Mount) *Attr[[]string] { return &m.Source }, "what of it; default: everything.")
}

var cacheMount = &block[Mount]{
	name: "mount", label: variantLabel, when: true, begin: beginMount,
	doc: "A folder that is kept between builds and leaves no trace in the layer.",
	attrs: []attribute[Mount]{
		mountTarget(required),
		attr("id", text, func(m *Mount) *Attr[string] { return &m.ID }, "what it is shared under.", defaults("target")),
		attrOr("sharing", oneOf("shared", "locked", "private"), func(m *Mount) *Attr[string] { return &m.Sharing }, func() string { return "shared" }, "whether steps may use it at the same time."),
		mountFrom("its first content."),
		mountSource(),
		attr("max_size", size, func(m *Mount) *Attr[int64] { return &m.MaxSize }, "how large it may grow."),
	},
	check: checkCacheMount,
}

var bindMount = &block[Mount]{
	name: "mount", label: variantLabel, when: true, begin: beginMount,
	doc: "Files of a context, stage, image or base, read-only.",
	attrs: []attribute[Mount]{
		mountTarget(required),
		mountFrom("where the files are; default: context.default."),
		mountSource(),
		plain("writable", boolean, func(m *Mount) *bool { return &m.Writable }, "whether the step may write; what it writes is thrown away.", defaults("false")),
	},
}

var tmpfsMount = &block[Mount]{
	name: "mount", label: variantLabel, when: true, begin: beginMount,
	doc: "An empty folder in memory.",
	attrs: []attribute[Mount]{
		mountTarget(required),
		attr("size", size, func(m *Mount) *Attr[int64] { return &m.Size }, "how much it may hold."),
	},
}

var secretMount = &block[Mount]{
	name: "mount", label: variantLabel, when: true, begin: beginMount,
	doc: "A secret as a file, or as a variable of this step alone.",
	attrs: []attribute[Mount]{
		attr("secret", reference(KindSecret), func(m *Mount) *Attr[Addr] { return &m.Secret }, "which one.", required),
		mountTarget(defaults("/run/secrets/<name>")),
		attr("env", envName, func(m *Mount) *Attr[string] { return &m.Env }, "the variable that holds it, instead of a file."),
	},
	one:   []choice{{names: []string{"target", "env"}, optional: true}},
	check: checkSecretMount,
}

var sshMount = &block[Mount]{
	name: "mount", label: variantLabel, when: true, begin: beginMount,
	doc: "An SSH agent.",
	attrs: []attribute[Mount]{
		attr("agent", reference(KindSecret), func(m *Mount) *Attr[Addr] { return &m.Secret }, "a secret with ssh = true.", required),
	},
	check: checkSSHMount,
}

var resourcesBlock = &block[Resources]{
	name: "resources", doc: "Limits of a step.",
	attrs: []attribute[Resources]{
		attr("memory", size, func(r *Resources) *Attr[int64] { return &r.Memory }, "bytes of memory, such as \"2GiB\"."),
		attr("cpus", cores, func(r *Resources) *Attr[float64] { return &r.CPUs }, "processors, such as 1.5."),
		attr("pids", count, func(r *Resources) *Attr[int] { return &r.Pids }, "processes at a time."),
		attr("shm", size, func(r *Resources) *Attr[int64] { return &r.Shm }, "bytes of /dev/shm."),
	},
}

var fileBlock = &block[File]{
	name: "file", when: true, doc: "Writes a file of the spec's own text.",
	begin: func(f *File, _ string, header diag.Range) { f.Range = header },
	attrs: []attribute[File]{
		attr("path", absolutePath, func(f *File) *Attr[string] { return &f.Path }, "where, absolute.", required),
		attr("content", text, func(f *File) *Attr[string] { return &f.Content }, "what it holds.", required),
		attrOr("mode", mode, func(f *File) *Attr[uint32] { return &f.Mode }, func() uint32 { return 0o644 }, "four octal digits.", defaults("0644")),
		attrOr("owner", owner, func(f *File) *Attr[string] { return &f.Owner }, func() string { return "0:0" }, "\"uid[:gid]\" or names of `user` steps."),
	},
}

var directoryBlock = &block[Directory]{
	name: "directory", when: true, doc: "Makes a directory, or gives an existing one mode and owner.",
	begin: func(f *Directory, _ string, header diag.Range) { f.Range = header },
	attrs: []attribute[Directory]{
		attr("path", absolutePath, func(f *Directory) *Attr[string] { return &f.Path }, "where, absolute.", required),
		attrOr("mode", mode, func(f *Directory) *Attr[uint32] { return &f.Mode }, func() uint32 { return 0o755 }, "four octal digits.", defaults("0755")),
		attrOr("owner", owner, func(f *Directory) *Attr[string] { return &f.Owner }, func() string { return "0:0" }, "\"uid[:gid]\" or names of `user` steps."),
	},
}

var symlinkBlock = &block[Symlink]{
	name: "symlink", when: true, doc: "Makes a symbolic link.",
	begin: func(f *Symlink, _ string, header diag.Range) { f.Range = header },
	attrs: []attribute[Symlink]{
		attr("path", absolutePath, func(f *Symlink) *Attr[string] { return &f.Path }, "where, absolute.", required),
		attr("to", text, func(f *Symlink) *Attr[string] { return &f.To }, "what it points at, as it is written into the link.", required),
	},
}

var userBlock = &block[User]{
	name: "user", label: accountLabel, when: true, doc: "Adds a user to passwd and group.",
	begin: func(u *User, label string, header diag.Range) { u.Name, u.Range = label, header },
	attrs: []attribute[User]{
		attr("uid", accountID, func(u *User) *Attr[int] { return &u.UID }, "its number.", required),
		attr("gid", accountID, func(u *User) *Attr[int] { return &u.GID }, "the number of its own group.", defaults("uid")),
		attr("group", accountName, func(u *User) *Attr[string] { return &u.Group }, "the name of its main group; default: its own."),
		attr("home", absolutePath, func(u *User) *Attr[string] { return &u.Home }, "its home, made with mode 0750.", defaults("/home/<name>")),
		attrOr("shell", absolutePath, func(u *User) *Attr[string] { return &u.Shell }, func() string { return "/usr/sbin/nologin" }, "its shell."),
		attr("groups", accountNames, func(u *User) *Attr[[]string] { return &u.Groups }, "other groups that it is in."),
	},
	check: checkUser,
}

var groupBlock = &block[Group]{
	name: "group", label: accountLabel, when: true, doc: "Adds a group.",
	begin: func(g *Group, label string, header diag.Range) { g.Name, g.Range = label, header },
	attrs: []attribute[Group]{
		attr("gid", accountID, func(g *Group) *Attr[int] { return &g.GID }, "its number.", required),
	},
}
