package survey_test

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/planner/survey"
)

// elf is the beginning of a program: its header and one program header, of a
// loader where it has one (System V ABI, chapters 4 and 5).
func elf(machine uint16, loader string) string {
	b := make([]byte, 128)
	copy(b, "\x7fELF\x02\x01\x01")
	binary.LittleEndian.PutUint16(b[18:], machine)
	binary.LittleEndian.PutUint64(b[32:], 64) // e_phoff
	binary.LittleEndian.PutUint16(b[54:], 56) // e_phentsize
	binary.LittleEndian.PutUint16(b[56:], 1)  // e_phnum
	kind := uint32(1)
	if loader != "" {
		kind = 3
	}
	binary.LittleEndian.PutUint32(b[64:], kind)
	binary.LittleEndian.PutUint64(b[72:], 128)
	binary.LittleEndian.PutUint64(b[96:], uint64(len(loader)+1))
	return string(b) + loader + "\x00"
}

// elf32 is the same with 32 bits and the other byte order.
func elf32(machine uint16, loader string) string {
	b := make([]byte, 96)
	copy(b, "\x7fELF\x01\x02\x01")
	binary.BigEndian.PutUint16(b[18:], machine)
	binary.BigEndian.PutUint32(b[28:], 52)
	binary.BigEndian.PutUint16(b[42:], 32)
	binary.BigEndian.PutUint16(b[44:], 1)
	binary.BigEndian.PutUint32(b[52:], 3)
	binary.BigEndian.PutUint32(b[56:], 96)
	binary.BigEndian.PutUint32(b[68:], uint32(len(loader)+1))
	return string(b) + loader + "\x00"
}

const (
	amd64, i386, arm64 = 62, 3, 183

	ld = "/lib64/ld-linux-x86-64.so.2"
)

func TestStart(t *testing.T) {
	t.Parallel()
	run := func(argv ...string) survey.Config { return survey.Config{Entrypoint: argv} }
	as := func(user string, argv ...string) survey.Config { return survey.Config{User: user, Entrypoint: argv} }
	static := elf(amd64, "")
	for name, tc := range map[string]struct {
		config survey.Config
		tree   files
		want   string // a part of the problem; empty is that there is none
	}{
		"missing":                     {run("/app"), files{"/bin/app 0755": static}, "is not in the image"},
		"no program of that name":     {run("app"), files{"/opt/app 0755": static}, "is in no folder of PATH, /usr/local/sbin:"},
		"only cmd":                    {survey.Config{Cmd: []string{"/app"}}, files{}, "is not in the image"},
		"a link to nothing":           {run("/app"), files{"/app -> /opt/app": ""}, "is a link to /opt/app, which is not"},
		"links in a circle":           {run("/app"), files{"/app -> /b": "", "/b -> /app": ""}, "is not in the image"},
		"a folder":                    {run("/srv"), files{"/srv/x": "x"}, "is a folder"},
		"not executable":              {run("/app"), files{"/app 0644": static}, "has the mode 0644: nobody may execute it"},
		"executable by others only":   {as("10001:10001", "/app"), files{"/app 0700": static}, "belongs to 0: the image's user, 10001"},
		"no loader":                   {run("/app"), files{"/app 0755": elf(amd64, ld)}, "its loader " + ld + " is not in the image"},
		"no loader, 32 bits":          {run("/app"), files{"/app 0755": elf32(40, "/lib/ld-musl-armhf.so.1")}, "is built for arm"},
		"a loader of another libc":    {run("/app"), files{"/app 0755": elf(amd64, ld), "/lib/ld-musl-x86_64.so.1 0755": "x"}, "is not in the image"},
		"another architecture":        {run("/app"), files{"/app 0755": elf(arm64, "")}, "is built for arm64, and the image is for amd64"},
		"no interpreter":              {run("/app"), files{"/app 0755": "#!/bin/bash -e\n"}, "is a script for /bin/bash"},
		"line ends of Windows":        {run("/app"), files{"/app 0755": "#!/bin/sh\r\n", "/bin/sh 0755": static}, "carriage return"},
		"env without the interpreter": {run("/app"), files{"/app 0755": "#!/usr/bin/env bash\n", "/usr/bin/env 0755": static}, "is a script for bash, which is in no folder of PATH"},
		"a wrong workdir":             {survey.Config{Workdir: "/srv", Entrypoint: []string{"./app"}}, files{"/app 0755": static}, "is not in the image"},

		"nothing to start":             {survey.Config{}, files{}, ""},
		"static":                       {run("/app"), files{"/app 0755": static}, ""},
		"through links":                {run("/bin/app"), files{"/bin -> usr/bin": "", "/usr/bin/app -> ../../opt/app": "", "/opt/app 0755": static}, ""},
		"by PATH":                      {run("app"), files{"/usr/bin/app 0755": static}, ""},
		"by its own PATH":              {survey.Config{Entrypoint: []string{"app"}, Env: map[string]string{"PATH": "relative:/opt/bin"}}, files{"/opt/bin/app 0755": static}, ""},
		"behind a file that is no x":   {run("app"), files{"/usr/bin/app 0644": static, "/bin/app 0755": static}, ""},
		"in the workdir":               {survey.Config{Workdir: "/srv", Entrypoint: []string{"./app"}}, files{"/srv/app 0755": static}, ""},
		"dynamic with its loader":      {run("/app"), files{"/app 0755": elf(amd64, ld), "/lib64 -> usr/lib64": "", "/usr/lib64/ld-linux-x86-64.so.2 -> ../lib/ld.so": "", "/usr/lib/ld.so 0755": "x"}, ""},
		"32 bits on 64":                {run("/app"), files{"/app 0755": elf(i386, "")}, ""},
		"a machine nobody knows":       {run("/app"), files{"/app 0755": elf(9999, "")}, ""},
		"a script":                     {run("/app"), files{"/app 0755": "#! /bin/sh -e\n", "/bin/sh -> busybox": "", "/bin/busybox 0755": static}, ""},
		"a script without a line":      {run("/app"), files{"/app 0755": "echo\n"}, ""},
		"a script by env":              {run("/app"), files{"/app 0755": "#!/usr/bin/env node\n", "/usr/bin/env 0755": static, "/usr/local/bin/node 0755": static}, ""},
		"a script by env with options": {run("/app"), files{"/app 0755": "#!/usr/bin/env -S node --x\n", "/usr/bin/env 0755": static}, ""},
		"something else":               {run("/app"), files{"/app 0755": "\x00asm"}, ""},
		"an ELF file that is cut":      {run("/app"), files{"/app 0755": elf(arm64, "")[:40]}, ""},
		"in a volume":                  {survey.Config{Entrypoint: []string{"/data/app"}, Volumes: []string{"/data"}}, files{}, ""},
		"a link into a volume":         {survey.Config{Entrypoint: []string{"/app"}, Volumes: []string{"/data"}}, files{"/app -> /data/app": ""}, ""},
		"a PATH in a volume":           {survey.Config{Entrypoint: []string{"app"}, Env: map[string]string{"PATH": "/data/bin:/bin"}, Volumes: []string{"/data"}}, files{}, ""},
		"an interpreter in a volume":   {survey.Config{Entrypoint: []string{"/app"}, Volumes: []string{"/nix"}}, files{"/app 0755": "#!/nix/store/x/bin/sh\n"}, ""},
		"of the kernel":                {run("/proc/self/exe"), files{}, ""},
		"executable by its group":      {as("10001:10001", "/app"), files{"/app 0750 0:20": static}, ""},
		"executable by its owner":      {as("10001", "/app"), files{"/app 0700 10001:0": static}, ""},
		"root's, started by root":      {run("/app"), files{"/app 0700": static}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := take(t, tc.config, image(t, tc.tree)).Start
			if tc.want == "" && got.Problem != "" || !strings.Contains(got.Problem, tc.want) || (got.Problem == "") != (got.Hint == "") {
				t.Errorf("%+v, wanted %q", got, tc.want)
			}
		})
	}
}

// TestStartOfWhatIsFar holds that a program whose bytes are not on this machine
// is judged by its name and mode alone.
func TestStartOfWhatIsFar(t *testing.T) {
	t.Parallel()
	r := image(t, files{"/app 0755": elf(arm64, ld), "/data 0644": "x"})
	r.far = true
	if s := take(t, survey.Config{Entrypoint: []string{"/app"}}, r).Start; s.Problem != "" || s.Path != "/app" {
		t.Errorf("%+v", s)
	}
	if s := take(t, survey.Config{Entrypoint: []string{"/data"}}, r).Start; s.Problem == "" {
		t.Errorf("%+v", s)
	}
}

func FuzzStart(f *testing.F) {
	f.Add(elf(amd64, ld))
	f.Add(elf32(40, ld))
	f.Add("#!/usr/bin/env x\n")
	f.Fuzz(func(t *testing.T, program string) {
		got := take(t, survey.Config{Entrypoint: []string{"/app"}}, image(t, files{"/app 0755": program})).Start
		if got.Path != "/app" {
			t.Errorf("%+v", got)
		}
	})
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	f := take(t, survey.Config{}, image(t, files{
		"/etc/passwd": "root:x:0:0:root:/root:/bin/bash\n\nweb::10001:10002::/home/web:\nold:abcdefghijklm:5:5::/:/bin/sh\nsvc:*:6:none::/:/x\nhash:x:7:7::/:/x\nnone:x:8:8::/:/x\n+nis:x:1:1::/:/x\nbroken:line\n",
		"/etc/shadow": "root:!:19000::::::\nhash:$y$j9T$x:19000::::::\nweb:!::::::\n",
		"/etc/group":  "root:x:0:\nstaff::50:web,old\n",
	}, files{"/etc/gshadow": "root:*::\n"}))
	var got []string
	for _, u := range f.Users {
		got = append(got, u.Name+" "+u.Password)
	}
	for _, g := range f.Groups {
		got = append(got, g.Name+" "+g.Password)
	}
	want := "root locked,web empty,old set,svc locked,hash set,none locked,root locked,staff locked"
	if strings.Join(got, ",") != want {
		t.Errorf("%v, not %v", got, want)
	}
	web := survey.User{Name: "web", UID: 10001, GID: 10002, Home: "/home/web", Password: survey.Empty}
	if f.Groups[0].Layer != 1 || f.Groups[1].Layer != 0 || f.Users[1] != web || f.Users[2].Shell != "/bin/sh" || f.Users[3].GID != -1 {
		t.Errorf("%+v %+v", f.Users, f.Groups)
	}
	if g := f.Groups[1]; g.GID != 50 || len(f.Groups[0].Members) > 0 || !slices.Equal(g.Members, []string{"web", "old"}) {
		t.Errorf("%+v %+v", f.Users, f.Groups)
	}
	// An image without any has none.
	if f := take(t, survey.Config{}, image(t, files{"/app": "x", "/etc/shadow": "root::::::::\n"})); len(f.Users)+len(f.Groups) > 0 {
		t.Errorf("%+v %+v", f.Users, f.Groups)
	}
}
