//go:build linux

package sandbox

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// runners gives every implementation that this machine has.
func runners(t *testing.T) map[string]Runner {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	out := map[string]Runner{"native": Native(Options{}), "spare": spared{Native(Options{}).(*native)}}
	if r, err := Runc(Options{}); err == nil {
		out["runc"] = r
	}
	return out
}

// behaviour is one thing that every implementation does alike.
type behaviour struct {
	name string
	args []string
	with func(t *testing.T, s *Spec)
	code int
	out  string // what it prints, exactly; "*" is not looked at
}

var behaviours = []behaviour{
	{name: "prints", args: []string{"echo", "a", "b"}, out: "a b\n"},
	{name: "exit status", args: []string{"exit", "7"}, code: 7},
	{name: "empty standard input", args: []string{"stdin"}, out: "0\n"},
	{name: "environment is the spec's alone", args: []string{"env"}, out: "PATH=/bin\nHOME=/\nA=b c\n", with: func(_ *testing.T, s *Spec) {
		s.Env = append(s.Env, "HOME=/", "A=b c") // runc adds HOME where there is none
	}},
	{name: "working directory is made", args: []string{"pwd"}, out: "/a/b\n", with: func(t *testing.T, s *Spec) {
		s.Workdir = "/a/b"
		t.Cleanup(func() { wantMode(t, filepath.Join(s.Root.Upper, "a/b"), 0o755) })
	}},
	{name: "user and groups", args: []string{"id"}, out: "1000 1000 1001 [5 7]\n", with: func(_ *testing.T, s *Spec) {
		s.UID, s.GID, s.Groups = 1000, 1001, []uint32{5, 7}
	}},
	{name: "root has no groups of ours", args: []string{"id"}, out: "0 0 0 []\n"},
	{
		name: "Docker's capabilities for root", args: []string{"status", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"},
		out: "CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\n",
	},
	{
		name: "none for others", args: []string{"status", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"},
		with: func(_ *testing.T, s *Spec) { s.UID = 1000 },
		out:  "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\n",
	},
	{name: "no raw sockets in the machine's network", args: []string{"status", "CapEff"}, out: "CapEff:\t00000000a80405fb\n", with: func(_ *testing.T, s *Spec) {
		s.Network = NetworkOutbound
	}},
	{name: "no_new_privs and a filter", args: []string{"status", "NoNewPrivs", "Seccomp"}, out: "NoNewPrivs:\t1\nSeccomp:\t2\n"},
	{name: "umask", args: []string{"mkdir", "/made"}, with: func(t *testing.T, s *Spec) {
		t.Cleanup(func() { wantMode(t, filepath.Join(s.Root.Upper, "made"), 0o755) })
	}},
	{name: "host name", args: []string{"uname"}, out: "specbuild\n"},
	{name: "host name in a file", args: []string{"cat", "/etc/hostname"}, out: "specbuild\n"},
	{name: "hosts", args: []string{"cat", "/etc/hosts"}, with: func(_ *testing.T, s *Spec) {
		s.Hosts = []Host{{"db.internal", "10.1.2.3"}}
	}, out: "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.0.1\tspecbuild\n10.1.2.3\tdb.internal\n"},
	{name: "loopback is up without a network", args: []string{"loopback"}},
	{name: "no resolver without a network", args: []string{"ls", "/etc"}, out: "hostname\nhosts\n"},
	{name: "a resolver with one", args: []string{"ls", "/etc"}, out: "hostname\nhosts\nresolv.conf\n", with: func(_ *testing.T, s *Spec) {
		s.Network = NetworkOutbound
	}},
	{name: "devices", args: []string{"append", "/dev/null", "x"}},
	{name: "full device", args: []string{"append", "/dev/full", "x"}, code: 1},
	{name: "shared memory", args: []string{"write", "/dev/shm/x", "y"}},
	{name: "writes go to upper", args: []string{"write", "/tmp/new", "x"}, with: func(t *testing.T, s *Spec) {
		t.Cleanup(func() { wantFile(t, filepath.Join(s.Root.Upper, "tmp/new"), "x") })
	}},
	{name: "never to lower", args: []string{"append", "/etc/motd", "new"}, with: func(t *testing.T, s *Spec) {
		motd := filepath.Join(s.Root.Lower[0], "etc/motd")
		mustWrite(t, motd, "old")
		t.Cleanup(func() { wantFile(t, motd, "old"); wantFile(t, filepath.Join(s.Root.Upper, "etc/motd"), "new") })
	}},
	{name: "chmod does not reach the lower either", args: []string{"chmod", "/etc/motd"}, with: func(t *testing.T, s *Spec) {
		motd := filepath.Join(s.Root.Lower[0], "etc/motd")
		mustWrite(t, motd, "old")
		t.Cleanup(func() { wantMode(t, motd, 0o644) })
	}},
	{name: "read-only root", args: []string{"write", "/tmp/x", "y"}, code: 1, with: func(_ *testing.T, s *Spec) {
		s.Root.ReadOnly = true
	}},
	{name: "root without upper is read-only", args: []string{"write", "/tmp/x", "y"}, code: 1, with: func(t *testing.T, s *Spec) {
		for _, d := range []string{"proc", "sys", "dev"} {
			mustMkdir(t, filepath.Join(s.Root.Lower[0], d))
		}
		s.Root.Lower = append(s.Root.Lower, t.TempDir())
		s.Root.Upper, s.Root.Work = "", ""
	}},
	{name: "plain directory", args: []string{"write", "/tmp/x", "y"}, with: func(t *testing.T, s *Spec) {
		s.Root = Root{Dir: s.Root.Lower[0]}
		t.Cleanup(func() { wantFile(t, filepath.Join(s.Root.Dir, "tmp/x"), "y") })
	}},
	{name: "higher layers hide lower ones", args: []string{"cat", "/etc/motd"}, out: "high", with: func(t *testing.T, s *Spec) {
		mustWrite(t, filepath.Join(s.Root.Lower[0], "etc/motd"), "low")
		high := t.TempDir()
		mustMkdir(t, filepath.Join(high, "etc"))
		mustWrite(t, filepath.Join(high, "etc/motd"), "high")
		s.Root.Lower = append(s.Root.Lower, high)
	}},
	{name: "bind", args: []string{"cat", "/new/place/f"}, out: "bound", with: func(t *testing.T, s *Spec) {
		mustWrite(t, filepath.Join(bind(t, s, "/new/place", true), "f"), "bound")
	}},
	{name: "bind of a file", args: []string{"cat", "/etc/one"}, out: "one", with: func(t *testing.T, s *Spec) {
		file := filepath.Join(t.TempDir(), "f")
		mustWrite(t, file, "one")
		s.Mounts = append(s.Mounts, Mount{Source: file, Target: "/etc/one", ReadOnly: true})
	}},
	{name: "read-only bind", args: []string{"write", "/b/f", "x"}, code: 1, with: func(t *testing.T, s *Spec) { bind(t, s, "/b", true) }},
	{name: "writable bind keeps", args: []string{"write", "/b/f", "x"}, with: func(t *testing.T, s *Spec) {
		dir := bind(t, s, "/b", false)
		t.Cleanup(func() { wantFile(t, filepath.Join(dir, "f"), "x") })
	}},
	{name: "mounts below mounts, in any order", args: []string{"cat", "/a/b/f"}, out: "deep", with: func(t *testing.T, s *Spec) {
		mustWrite(t, filepath.Join(bind(t, s, "/a/b", true), "f"), "deep")
		bind(t, s, "/a", false)
	}},
	{name: "tmpfs", args: []string{"write", "/t/f", "x"}, with: func(t *testing.T, s *Spec) {
		s.Mounts = append(s.Mounts, Mount{Kind: MountTmpfs, Target: "/t", Size: 1 << 20})
		t.Cleanup(func() { wantMissing(t, filepath.Join(s.Root.Upper, "t/f")) })
	}},
	{name: "tmpfs has a size", args: []string{"write", "/t/f", strings.Repeat("x", 64<<10)}, code: 1, with: func(_ *testing.T, s *Spec) {
		s.Mounts = append(s.Mounts, Mount{Kind: MountTmpfs, Target: "/t", Size: 4096})
	}},
	{name: "secret", args: []string{"cat", "/run/secrets/k"}, out: "s3cret", with: func(t *testing.T, s *Spec) {
		s.UID, s.GID = 1000, 1000
		secret(t, s, "/run/secrets/k")
	}},
	{name: "secret is the user's alone", args: []string{"stat", "/run/secrets/k"}, out: "400 1000:1000 6\n", with: func(t *testing.T, s *Spec) {
		s.UID, s.GID = 1000, 1000
		secret(t, s, "/run/secrets/k")
	}},
	{name: "targets follow the root's own links", args: []string{"cat", "/var/run/k"}, out: "s3cret", with: func(t *testing.T, s *Spec) {
		mustMkdir(t, filepath.Join(s.Root.Lower[0], "var"))
		mustMkdir(t, filepath.Join(s.Root.Lower[0], "run"))
		if err := os.Symlink("/run", filepath.Join(s.Root.Lower[0], "var/run")); err != nil {
			t.Fatal(err)
		}
		secret(t, s, "/var/run/k")
		t.Cleanup(func() { wantFile(t, filepath.Join(s.Root.Upper, "run/k"), "") }) // the stub
	}},
}

func TestBehaviour(t *testing.T) {
	for name, r := range runners(t) {
		for _, b := range behaviours {
			t.Run(name+"/"+b.name, func(t *testing.T) {
				s := spec(t, b.args...)
				if b.with != nil {
					b.with(t, &s)
				}
				got := run(t, r, s)
				if got.failed != nil || got.Code != b.code || (b.code == 0 && got.out != b.out) {
					t.Errorf("exit %d, printed %q and %q, error %v; want exit %d, %q", got.Code, got.out, got.err, got.failed, b.code, b.out)
				}
			})
		}
	}
}

// bind adds a bind mount of a new directory, and gives that.
func bind(t *testing.T, s *Spec, target string, readOnly bool) string {
	t.Helper()
	dir := t.TempDir()
	s.Mounts = append(s.Mounts, Mount{Source: dir, Target: target, ReadOnly: readOnly})
	return dir
}

func secret(t *testing.T, s *Spec, target string) {
	t.Helper()
	s.Mounts = append(s.Mounts, Mount{Kind: MountSecret, Target: target, Content: []byte("s3cret")})
}

func mustWrite(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func mustMkdir(t *testing.T, name string) {
	t.Helper()
	if err := os.Mkdir(name, 0o755); err != nil {
		t.Fatal(err)
	}
}

func wantFile(t *testing.T, name, text string) {
	t.Helper()
	if got, err := os.ReadFile(name); err != nil || string(got) != text {
		t.Errorf("%s holds %q (%v), want %q", name, got, err, text)
	}
}

func wantMode(t *testing.T, name string, mode os.FileMode) {
	t.Helper()
	if st, err := os.Stat(name); err != nil || st.Mode().Perm() != mode {
		t.Errorf("%s has %v (%v), want %v", name, st, err, mode)
	}
}

func wantMissing(t *testing.T, name string) {
	t.Helper()
	if _, err := os.Lstat(name); err == nil {
		t.Errorf("%s exists", name)
	}
}

func TestStubs(t *testing.T) {
	for name, r := range runners(t) {
		t.Run(name, func(t *testing.T) {
			s := spec(t, "true")
			secret(t, &s, "/run/secrets/k")
			bind(t, &s, "/etc/there", true)
			mustMkdir(t, filepath.Join(s.Root.Lower[0], "etc/there"))
			s.Workdir = "/work"
			got := run(t, r, s)
			want := []string{"/proc", "/sys", "/dev", "/etc/hosts", "/etc/hostname", "/run", "/run/secrets", "/run/secrets/k"}
			slices.Sort(want)
			if parents := slices.Index(got.Stubs, "/run") < slices.Index(got.Stubs, "/run/secrets/k"); !parents {
				t.Errorf("a child before its parent: %q", got.Stubs)
			}
			if slices.Sort(got.Stubs); !slices.Equal(got.Stubs, want) {
				t.Errorf("stubs %q, want %q", got.Stubs, want)
			}
			if got.Mounting <= 0 || got.Mounting > 5*time.Second {
				t.Errorf("mounting took %v", got.Mounting)
			}
			for _, stub := range got.Stubs { // and they are where they are said to be
				if _, err := os.Lstat(filepath.Join(s.Root.Upper, stub)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// runc copies the two streams by two pipes, so only ours keeps their order.
func TestOutputKeepsOrder(t *testing.T) {
	for name, r := range runners(t) {
		t.Run(name, func(t *testing.T) {
			var both, out, errs bytes.Buffer
			s := spec(t, "both")
			s.Stdout, s.Stderr = &both, &both
			run(t, r, s)
			lines := strings.Split(strings.TrimSpace(both.String()), "\n")
			if len(lines) != 200 || name != "runc" && (lines[0] != "out 0" || lines[1] != "err 0" || lines[199] != "err 99") {
				t.Errorf("%d lines, out of order: %q", len(lines), lines)
			}
			s.Root = newRoot(t)
			s.Stdout, s.Stderr = &out, &errs
			run(t, r, s)
			if strings.Count(out.String(), "out") != 100 || strings.Count(errs.String(), "err") != 100 {
				t.Errorf("streams are mixed: %q %q", out.String(), errs.String())
			}
		})
	}
}

func TestCommandErrors(t *testing.T) {
	for name, r := range runners(t) {
		for _, c := range []struct {
			name string
			late bool
			set  func(t *testing.T, s *Spec)
		}{
			{"not in PATH", false, func(_ *testing.T, s *Spec) { s.Args = []string{"nothing"} }},
			{"no such file", false, func(_ *testing.T, s *Spec) { s.Args = []string{"/bin/nothing"} }},
			{"not executable", false, func(t *testing.T, s *Spec) {
				mustWrite(t, filepath.Join(s.Root.Lower[0], "bin/text"), "x")
				s.Args = []string{"/bin/text"}
			}},
			{"no program", true, func(t *testing.T, s *Spec) {
				file := filepath.Join(s.Root.Lower[0], "bin/text")
				mustWrite(t, file, "x")
				if err := os.Chmod(file, 0o755); err != nil {
					t.Fatal(err)
				}
				s.Args = []string{"/bin/text"}
			}},
			{"interpreter missing", true, func(t *testing.T, s *Spec) {
				file := filepath.Join(s.Root.Lower[0], "bin/text")
				mustWrite(t, file, "#!/bin/sh\n")
				if err := os.Chmod(file, 0o755); err != nil {
					t.Fatal(err)
				}
				s.Args = []string{"/bin/text"}
			}},
		} {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				s := spec(t)
				c.set(t, &s)
				got := run(t, r, s)
				if name == "runc" && c.late && got.Code != 0 && got.err != "" {
					return // runc finds out inside, and prints it as if the command had
				}
				if !errors.Is(got.failed, ErrCommand) {
					t.Errorf("exit %+v, error %v, want one of the command", got.Exit, got.failed)
				}
			})
		}
	}
}

// In runc the command is process 1, which a signal of its own cannot kill.
func TestKilledBySignal(t *testing.T) {
	r, ok := runners(t)["native"]
	if !ok {
		t.Skip("needs root")
	}
	if got := run(t, r, spec(t, "kill")); got.Code != 137 || got.Signal != 9 || got.failed != nil {
		t.Errorf("%+v, want a death by SIGKILL", got)
	}
}

func TestRefusedSpecs(t *testing.T) {
	for name, set := range map[string]func(s *Spec){
		"no command":           func(s *Spec) { s.Args = nil },
		"zero byte":            func(s *Spec) { s.Env = []string{"A=\x00"} },
		"relative workdir":     func(s *Spec) { s.Workdir = "a" },
		"bad host":             func(s *Spec) { s.Hosts = []Host{{"a b", "10.0.0.1"}} },
		"bad address":          func(s *Spec) { s.Hosts = []Host{{"a", "10.0.0"}} },
		"mount on proc":        func(s *Spec) { s.Mounts = []Mount{{Source: "/", Target: "/proc/../proc/sys"}} },
		"mount on the root":    func(s *Spec) { s.Mounts = []Mount{{Source: "/", Target: "/a/.."}} },
		"relative source":      func(s *Spec) { s.Mounts = []Mount{{Source: "a", Target: "/a"}} },
		"negative limit":       func(s *Spec) { s.Limits.Pids = -1 },
		"two roots":            func(s *Spec) { s.Root.Dir = "/" },
		"no root":              func(s *Spec) { s.Root = Root{} },
		"no work directory":    func(s *Spec) { s.Root.Work = "" },
		"relative lower":       func(s *Spec) { s.Root.Lower = []string{"a"} },
		"user outside the map": func(s *Spec) { s.IDMap.Kind, s.UID = IDMapSingle, 7 },
		"group outside ranges": func(s *Spec) {
			s.IDMap = IDMap{Kind: IDMapRanges, UIDs: []IDRange{{0, 1, 1}}, GIDs: []IDRange{{0, 1, 1}}}
			s.Groups = []uint32{5}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := spec(t, "true")
			set(&s)
			if err := s.validate(); err == nil {
				t.Error("was accepted")
			}
		})
	}
}

func TestEnding(t *testing.T) {
	for name, r := range runners(t) {
		t.Run(name+"/cancelled, stubborn", func(t *testing.T) {
			got, took := cancelled(t, r, "stubborn")
			if !errors.Is(got.failed, context.Canceled) || took < grace || took > 3*time.Second {
				t.Errorf("%v after %v, want cancellation by force after a second", got.failed, took)
			}
		})
		t.Run(name+"/cancelled, polite", func(t *testing.T) {
			got, took := cancelled(t, r, "polite")
			if !strings.Contains(got.out, "bye") || took > grace {
				t.Errorf("%q after %v, want a goodbye at once", got.out, took)
			}
		})
		t.Run(name+"/timeout", func(t *testing.T) {
			s := spec(t, "sleep", "1m")
			s.Timeout = 300 * time.Millisecond
			if got := run(t, r, s); !got.TimedOut || got.failed != nil || got.Code == 0 {
				t.Errorf("%+v, want a timeout", got)
			}
		})
		t.Run(name+"/cancelled before", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := r.Run(ctx, spec(t, "true")); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// cancelled runs a probe, cancels once it is ready, and measures the rest.
func cancelled(t *testing.T, r Runner, tool string) (result, time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var at time.Time
	out := &notify{word: "ready", then: func() { at = time.Now(); cancel() }}
	s := spec(t, tool)
	s.Stdout, s.Stderr = out, out
	exit, err := r.Run(ctx, s)
	return result{Exit: exit, out: out.String(), failed: err}, time.Since(at)
}

// notify calls a function when a word is written.
type notify struct {
	buf  bytes.Buffer // not embedded: its ReadFrom would hide Write
	word string
	then func()
}

func (n *notify) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(n.word)) {
		n.then()
	}
	return n.buf.Write(p)
}

func (n *notify) String() string { return n.buf.String() }
