package survey

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Start is what becomes of the program that a container of the image begins
// with.
type Start struct {
	Command string `json:"command"` // as entrypoint or cmd say it; empty where neither does
	Path    string `json:"path"`    // of the program, links followed; empty where it is not found
	Layer   int    `json:"layer"`   // that the program comes from
	// Problem is why it would not start, as the end of "The program …"; empty
	// where it does, or where that cannot be told.
	Problem string `json:"problem"`
	Hint    string `json:"hint"` // what to do about it, a sentence
}

// defaultPath is what runtimes search where the image says nothing.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// headSize holds what is asked of a program: the first line of a script, which
// the kernel cuts at 256 bytes, or an ELF file's program headers and the name of
// its loader, which linkers put on the first page.
const headSize = 16 << 10

// launch is the search for what is wrong with a start.
type launch struct {
	Config
	platform string
	root     Root
	out      *Start
}

// start finds the program as a runtime would, and looks at what the kernel
// would look at.
func start(platform string, c Config, root Root) (Start, error) {
	argv := append(append([]string{}, c.Entrypoint...), c.Cmd...)
	if len(argv) == 0 || argv[0] == "" {
		return Start{}, nil
	}
	l := &launch{Config: c, platform: platform, root: root, out: &Start{Command: argv[0]}}
	f, ok := l.find(argv[0])
	if !ok {
		return *l.out, nil
	}
	l.out.Path, l.out.Layer = f.Path, f.Layer
	if !l.startable(f) {
		return *l.out, nil
	}
	head, err := root.Head(f.Path, headSize, false)
	if err != nil {
		return Start{}, err
	}
	switch {
	case bytes.HasPrefix(head, []byte("#!")):
		l.script(head)
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		l.binary(head)
	}
	return *l.out, nil
}

func (l *launch) fail(problem, hint string) { l.out.Problem, l.out.Hint = problem, hint }

// find looks a command up; ok is false where it is not there, or where only a
// running container can tell.
func (l *launch) find(command string) (File, bool) {
	if strings.Contains(command, "/") {
		at := command
		if !path.IsAbs(at) {
			at = path.Join("/", l.Workdir, at)
		}
		f, missing, ok := l.root.Resolve(path.Clean(at))
		switch {
		case ok || l.mounted(missing):
		case path.Clean(at) == missing || missing == "":
			l.fail("is not in the image", "Copy it there, or name the path that it has.")
		default:
			l.fail("is a link to "+missing+", which is not in the image", "Copy what it leads to, or name that.")
		}
		return f, ok
	}
	search := cmp.Or(l.Env["PATH"], defaultPath)
	for _, dir := range strings.Split(search, ":") {
		if !path.IsAbs(dir) {
			continue
		}
		if l.mounted(path.Clean(dir)) {
			return File{}, false
		}
		f, missing, ok := l.root.Resolve(path.Join(dir, command))
		if ok && f.Kind == Regular && f.Mode&0111 != 0 {
			return f, true
		}
		if !ok && l.mounted(missing) {
			return File{}, false
		}
	}
	l.fail("is in no folder of PATH, "+search, "Install it, write its whole path, or set `env.PATH`.")
	return File{}, false
}

// mounted reports whether a path is in what a container gets from elsewhere: a
// volume, or a file system of the kernel.
func (l *launch) mounted(p string) bool {
	if p == "" {
		return false
	}
	for _, dir := range append([]string{"/proc", "/sys", "/dev", "/run"}, l.Volumes...) {
		if dir = path.Clean("/" + dir); p == dir || strings.HasPrefix(p, dir+"/") {
			return true
		}
	}
	return false
}

// startable reports whether the user may execute a file. Whether a group's x
// bit helps is not known: a runtime may add groups.
func (l *launch) startable(f File) bool {
	switch {
	case l.mounted(f.Path):
		return false
	case f.Kind == Folder:
		l.fail("is a folder", "Name the program in it.")
		return false
	case f.Kind != Regular:
		return false
	case f.Mode&0111 == 0:
		l.fail("has the mode "+f.Mode.String()+": nobody may execute it", "Say `mode = \"0755\"` where it is copied or written, or make the source executable.")
		return false
	}
	uid, _, _ := strings.Cut(l.User, ":")
	n, err := strconv.Atoi(uid)
	if err == nil && n != 0 && n != f.UID && f.Mode&0011 == 0 {
		l.fail("has the mode "+f.Mode.String()+" and belongs to "+strconv.Itoa(f.UID)+": the image's user, "+uid+", may not execute it",
			"Say `mode = \"0755\"` where it is copied or written.")
		return false
	}
	return true
}

// script looks for the interpreter of a first line (execve(2)). Of
// `/usr/bin/env NAME`, the program of that name.
func (l *launch) script(head []byte) {
	line, _, _ := bytes.Cut(head[2:], []byte("\n"))
	words := strings.Fields(string(line))
	if len(words) == 0 {
		return
	}
	interpreter := words[0]
	if bytes.HasSuffix(line, []byte("\r")) {
		l.fail("begins with a line that ends in a carriage return, so its interpreter would be \""+interpreter+"\\r\"", "Save it with line ends of Unix.")
		return
	}
	if !path.IsAbs(interpreter) {
		return
	}
	if _, missing, ok := l.root.Resolve(path.Clean(interpreter)); !ok {
		if !l.mounted(missing) {
			l.fail("is a script for "+interpreter+", which is not in the image", "Install that, or build on a base that has it.")
		}
		return
	}
	if path.Base(interpreter) == "env" && len(words) == 2 && !strings.ContainsAny(words[1], "-=/") {
		before := *l.out
		if _, ok := l.find(words[1]); !ok && l.out.Problem != "" {
			problem := "is a script for " + words[1] + ", which is in no folder of PATH"
			*l.out = before
			l.fail(problem, "Install that, or build on a base that has it.")
		}
	}
}

// machines are the ELF machines (System V ABI, e_machine) that run on an
// architecture, 32-bit ones where the kernel takes them too.
var machines = map[string][]uint16{
	"amd64": {62, 3}, "386": {3}, "arm64": {183, 40}, "arm": {40}, "ppc64le": {21}, "ppc64": {21}, "s390x": {22}, "riscv64": {243}, "loong64": {258}, "mips64le": {8}, "mips64": {8}, "mipsle": {8}, "mips": {8},
}

// names of machines, for messages.
var names = map[uint16]string{62: "amd64", 3: "386", 183: "arm64", 40: "arm", 21: "ppc64", 22: "s390x", 243: "riscv64", 258: "loong64", 8: "mips"}

// binary looks for an ELF file's machine and its loader. What does not read
// as one is left to the kernel.
func (l *launch) binary(head []byte) {
	machine, loader, ok := readELF(head)
	if !ok {
		return
	}
	_, rest, _ := strings.Cut(l.platform, "/")
	arch, _, _ := strings.Cut(rest, "/")
	if can := machines[arch]; len(can) > 0 && names[machine] != "" && !slices.Contains(can, machine) {
		l.fail("is built for "+names[machine]+", and the image is for "+arch, "Build it for target.arch, or take the one for that platform.")
		return
	}
	if !path.IsAbs(loader) {
		return // static
	}
	if _, missing, ok := l.root.Resolve(path.Clean(loader)); !ok && !l.mounted(missing) {
		l.fail("is linked dynamically, and its loader "+loader+" is not in the image",
			"Link it statically (Go: CGO_ENABLED=0), or build on a base with the C library that it was linked with.")
	}
}

// readELF takes the machine and the loader, PT_INTERP, from the beginning of
// an ELF file (System V ABI, chapters 4 and 5). An empty loader is none, or
// one that lies further on.
func readELF(head []byte) (machine uint16, loader string, ok bool) {
	if len(head) < 64 || head[5] != 1 && head[5] != 2 {
		return 0, "", false
	}
	var order binary.ByteOrder = binary.LittleEndian
	if head[5] == 2 {
		order = binary.BigEndian
	}
	wide := head[4] == 2
	machine = order.Uint16(head[18:])
	table, size, count := uint64(order.Uint32(head[28:])), int(order.Uint16(head[42:])), int(order.Uint16(head[44:]))
	if wide {
		table, size, count = order.Uint64(head[32:]), int(order.Uint16(head[54:])), int(order.Uint16(head[56:]))
	}
	const interp = 3
	for i := range count {
		if size < 32 || wide && size < 56 || table > uint64(len(head)) || table+uint64((i+1)*size) > uint64(len(head)) {
			break
		}
		p := head[table+uint64(i*size):]
		if order.Uint32(p) != interp {
			continue
		}
		from, length := uint64(order.Uint32(p[4:])), uint64(order.Uint32(p[16:]))
		if wide {
			from, length = order.Uint64(p[8:]), order.Uint64(p[32:])
		}
		if length == 0 || from > uint64(len(head)) || length > uint64(len(head))-from {
			break
		}
		loader = string(bytes.TrimRight(head[from:from+length], "\x00"))
	}
	return machine, loader, true
}
