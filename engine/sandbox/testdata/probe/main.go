// Probe is the only program in the roots of the tests: what a shell and a few
// tools would do, and attempts to get out. It is linked statically, so that a
// root of one file runs it.
//
// An attempt exits with 0 when it got through to what it aimed at, with 42
// when something held it back, and with 1 when it could not be made.
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// errHeld is for attempts that no errno describes.
var errHeld = errors.New("held")

func main() {
	if len(os.Args) < 2 {
		os.Exit(0)
	}
	name, args := os.Args[1], os.Args[2:]
	if tool, ok := tools[name]; ok {
		if err := tool(args); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	attempt, ok := attempts[name]
	if !ok {
		fmt.Fprintln(os.Stderr, "no such probe:", name)
		os.Exit(1)
	}
	err := attempt(args)
	fmt.Printf("%s: %v\n", name, err)
	for _, held := range []error{errHeld, unix.EPERM, unix.EACCES, unix.EROFS} {
		if errors.Is(err, held) {
			os.Exit(42)
		}
	}
	// Any other errno comes from the kernel having looked at the arguments:
	// the probes are made so that this does no harm.
}

var tools = map[string]func([]string) error{
	"true": func([]string) error { return nil },
	"exit": func(a []string) error { n, err := strconv.Atoi(a[0]); os.Exit(n); return err },
	"echo": func(a []string) error { _, err := fmt.Println(strings.Join(a, " ")); return err },
	"cat": func(a []string) error {
		text, err := os.ReadFile(a[0])
		if err == nil {
			_, err = os.Stdout.Write(text)
		}
		return err
	},
	"write": func(a []string) error { return os.WriteFile(a[0], []byte(a[1]), 0o644) },
	"append": func(a []string) error {
		f, err := os.OpenFile(a[0], os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644) // as a shell's ">" does
		if err == nil {
			_, err = f.WriteString(a[1])
		}
		return err
	},
	"chmod": func(a []string) error { return os.Chmod(a[0], 0o600) },
	"chown": func(a []string) error { return os.Chown(a[0], 5, 5) },
	"mkdir": func(a []string) error { return os.Mkdir(a[0], 0o777) },
	"ls": func(a []string) error {
		list, err := os.ReadDir(a[0])
		for _, e := range list {
			fmt.Println(e.Name())
		}
		return err
	},
	"stat": func(a []string) error {
		var st unix.Stat_t
		if err := unix.Stat(a[0], &st); err != nil {
			return err
		}
		_, err := fmt.Printf("%o %d:%d %d\n", st.Mode&0o7777, st.Uid, st.Gid, st.Size)
		return err
	},
	"id": func([]string) error {
		groups, err := os.Getgroups()
		fmt.Println(os.Getuid(), os.Geteuid(), os.Getgid(), groups)
		return err
	},
	"status": func(a []string) error {
		text, err := os.ReadFile("/proc/self/status")
		for line := range strings.Lines(string(text)) {
			for _, prefix := range a {
				if strings.HasPrefix(line, prefix+":") {
					fmt.Print(line)
				}
			}
		}
		return err
	},
	"env":   func([]string) error { _, err := fmt.Println(strings.Join(os.Environ(), "\n")); return err },
	"pwd":   func([]string) error { d, err := os.Getwd(); fmt.Println(d); return err },
	"uname": func([]string) error { n, err := os.Hostname(); fmt.Println(n); return err },
	"ppid":  func([]string) error { _, err := fmt.Println(os.Getpid(), os.Getppid()); return err },
	"sleep": func(a []string) error { d, err := time.ParseDuration(a[0]); time.Sleep(d); return err },
	"kill":  func([]string) error { return unix.Kill(os.Getpid(), unix.SIGKILL) },
	"both": func([]string) error {
		for i := range 100 {
			fmt.Fprintln(os.Stdout, "out", i)
			fmt.Fprintln(os.Stderr, "err", i)
		}
		return nil
	},
	"stdin": func([]string) error { n, err := io.Copy(io.Discard, os.Stdin); fmt.Println(n); return err },
	"stubborn": func([]string) error {
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		time.Sleep(time.Minute)
		return nil
	},
	"polite": func([]string) error {
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM)
		fmt.Println("ready")
		<-c
		fmt.Println("bye")
		return nil
	},
	// loopback serves itself on the machine's own address.
	"loopback": func([]string) error {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		c, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			c.Close()
		}
		return err
	},
	// orphans leaves children whose parent is gone, for process 1 to reap.
	"orphans": func([]string) error {
		for range 20 {
			pid, err := spawn("orphan")
			if err == nil {
				_, err = syscall.Wait4(pid, nil, 0, nil)
			}
			if err != nil {
				return err
			}
		}
		time.Sleep(300 * time.Millisecond)
		zombies := 0
		stats, err := filepath.Glob("/proc/[0-9]*/stat")
		for _, f := range stats {
			if text, err := os.ReadFile(f); err == nil && strings.Contains(string(text), ") Z ") {
				zombies++
			}
		}
		fmt.Println("zombies", zombies)
		return err
	},
	"orphan": func([]string) error { _, err := spawn("true"); return err },
}

// spawn starts this program again, in a session of its own.
func spawn(args ...string) (int, error) {
	return syscall.ForkExec("/proc/self/exe", append([]string{"probe"}, args...), &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
}
