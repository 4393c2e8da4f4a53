package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	moby "github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

type runc struct {
	launcher
	path string
}

// crun is the other program that does the same by the same command line. It
// mounts the root again without nodev, which lets go of the machine's devices,
// unless the kernel keeps them away: in a user namespace, and only there is it
// used.
const crun = "crun"

func (j *job) isCrun() bool { return path.Base(j.Runc) == crun }

// Runc is the sandbox through an installed runc, by root or with the ids of a
// user namespace.
// runc itself runs beside a process 1 of ours, in a mount namespace that holds
// the root, runc's state and its bundle: what it would leave behind when
// killed goes with that, but for cgroups, which [CleanCgroups] removes.
func Runc(opts Options) (Runner, error) {
	names := []string{opts.Runc}
	if opts.Runc == "" {
		names = []string{"runc", crun}
	}
	var full string
	var err error
	for _, name := range names {
		if full, err = exec.LookPath(name); err == nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w (Debian and Ubuntu: apt install runc)", ErrUnsupported, err)
	}
	return &runc{launcher{opts: opts}, full}, nil
}

// Run implements Runner.
func (r *runc) Run(ctx context.Context, s Spec) (Exit, error) {
	if err := ctx.Err(); err != nil {
		return Exit{}, err
	}
	if s.IDMap.Kind == IDMapSingle || s.Emulator != nil {
		return Exit{}, fmt.Errorf("%w: runc is used by root, or with subordinate ids, and without an emulator", ErrUnsupported)
	}
	j, err := newJob(s, &r.filters)
	if err != nil {
		return Exit{}, err
	}
	j.Runc = r.path
	if j.isCrun() && !j.UserNS {
		return Exit{}, fmt.Errorf("%w: crun is used with subordinate ids only; as root install runc", ErrUnsupported)
	}
	j.State = cgroupPrefix + owner(os.Getpid()) + "-" + random()
	j.Staging = "/mnt" // runc needs the machine's /dev
	if _, err := os.Stat(j.Staging); err != nil {
		j.Staging = os.TempDir()
	}
	defer removeNamed(r.opts.CgroupRoot, j.State) // runc does it unless it was killed
	return r.launch(ctx, j, s)
}

// removeNamed removes the cgroups that runc made under our own.
func removeNamed(root, name string) {
	h, err := findCgroups(root, "/proc/self")
	if err != nil {
		return
	}
	for _, list := range append([][]string{h.v2}, values(h.v1)...) {
		for _, parent := range list {
			_ = unix.Rmdir(path.Join(parent, name))
		}
	}
}

func values(m map[string][]string) (out [][]string) {
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// placeForRunc makes the target, so that we know the stubs, and keeps the
// mount where runc can bind it from.
func (t *tree) placeForRunc(j *job, f fixture, i int) error {
	small := f.ours && strings.HasPrefix(f.target, "/etc/")
	fd, err := t.target(f.target, f.dir, small)
	if err != nil {
		if small {
			return nil
		}
		return fmt.Errorf("mount target %s: %w", f.target, err)
	}
	unix.Close(fd)
	if f.runc {
		return nil
	}
	source := path.Join(j.Staging, "mount"+strconv.Itoa(i))
	if f.dir {
		err = os.Mkdir(source, 0o700)
	} else {
		err = os.WriteFile(source, nil, 0o600)
	}
	if err != nil {
		return err
	}
	if err := unix.MoveMount(f.fd, "", unix.AT_FDCWD, source, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount for %s: %w", f.target, err)
	}
	unix.Close(f.fd)
	j.binds = append(j.binds, specs.Mount{
		Destination: f.target, Type: "bind", Source: source, Options: bindOptions(f),
	})
	return nil
}

func bindOptions(f fixture) []string {
	options := []string{"bind", "nodev", "private"}
	if f.readOnly {
		options = append(options, "ro")
	}
	return options
}

// startRunc writes the bundle and starts runc on it.
func startRunc(j *job) (int, error) {
	// runc finds itself and its children in /proc, which must be this
	// namespace's.
	if err := j.mountProc(); err != nil {
		return 0, fmt.Errorf("mount /proc for runc: %w", err)
	}
	config, err := j.oci()
	if err != nil {
		return 0, err
	}
	text, err := json.Marshal(config)
	if err != nil {
		return 0, err
	}
	if err := os.WriteFile(path.Join(j.Staging, "config.json"), text, 0o600); err != nil {
		return 0, fmt.Errorf("write the bundle: %w", err)
	}
	args := []string{j.Runc, "--root", path.Join(j.Staging, "state"), "--log", j.log(), "--log-format", "json"}
	if j.isCrun() {
		// Limits are on the group that the server is in. It refuses machines with
		// both versions of cgroups all the same, so it is shown none.
		args = append(args, "--cgroup-manager=disabled")
		if err := unix.Mount("none", cgroupRoot, "tmpfs", unix.MS_RDONLY, "size=4k"); err != nil {
			return 0, fmt.Errorf("hide cgroups from crun: %w", err)
		}
	}
	args = append(args, "run", "--bundle", j.Staging, j.State)
	pid, err := syscall.ForkExec(j.Runc, args, &syscall.ProcAttr{
		Dir: "/", Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", j.Runc, err)
	}
	return pid, nil
}

func (j *job) mountProc() error {
	at, err := unix.Open("/proc", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(at)
	return attach(j.proc, at)
}

func (j *job) log() string { return path.Join(j.Staging, "log") }

// runcError is what runc itself had to say, if it is why the command failed.
func (j *job) runcError() error {
	if j.Runc == "" {
		return nil
	}
	text, err := os.ReadFile(j.log())
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		var l struct{ Level, Msg string }
		if json.Unmarshal([]byte(line), &l) != nil || l.Level != "error" {
			continue
		}
		for _, sign := range []string{`exec: "`, "exec format error", "chdir to cwd", "executable file", "open executable"} {
			if strings.Contains(l.Msg, sign) {
				return fmt.Errorf("%w: runc: %s", ErrCommand, l.Msg)
			}
		}
		return fmt.Errorf("runc: %s", l.Msg)
	}
	return nil
}

// oci spells the job as runc wants it (OCI runtime-spec v1).
func (j *job) oci() (*specs.Spec, error) {
	names, _ := granted(j.Spec.Network)
	caps := &specs.LinuxCapabilities{Bounding: names}
	if j.Spec.UID == 0 {
		caps.Effective, caps.Permitted = names, names
	}
	umask := uint32(0o022)
	out := &specs.Spec{
		Version:  "1.0.2",
		Hostname: Hostname,
		Root:     &specs.Root{Path: path.Join(j.Staging, "root"), Readonly: j.Spec.Root.ReadOnly},
		Process: &specs.Process{
			User: specs.User{UID: j.Spec.UID, GID: j.Spec.GID, AdditionalGids: j.Spec.Groups, Umask: &umask},
			Args: j.Spec.Args, Env: j.Spec.Env, Cwd: path.Clean("/" + j.Spec.Workdir),
			Capabilities: caps, NoNewPrivileges: true,
		},
		Mounts: append(j.ociMounts(), j.binds...),
		Linux: &specs.Linux{
			CgroupsPath: j.State,
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.PIDNamespace}, {Type: specs.IPCNamespace}, {Type: specs.UTSNamespace}, {Type: specs.MountNamespace},
			},
			Resources:   &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}},
			MaskedPaths: maskedPaths, ReadonlyPaths: readonlyPaths,
		},
	}
	if j.UserNS {
		// runc makes do without a group of its own only where it may choose the
		// name; limits are set on the one that the server is in already.
		out.Linux.CgroupsPath = ""
	}
	profile, err := moby.GetDefaultProfile(out)
	if err != nil {
		return nil, fmt.Errorf("read seccomp profile: %w", err)
	}
	out.Linux.Seccomp = profile
	return out, nil
}

func (j *job) ociMounts() []specs.Mount {
	guarded := func(more ...string) []string { return slices.Concat([]string{"nosuid", "nodev", "noexec"}, more) }
	sys := specs.Mount{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: guarded("ro")}
	if j.UserNS && !j.OwnNet { // of another's network the kernel gives no view, see systemMounts
		sys = specs.Mount{Destination: "/sys", Type: "tmpfs", Source: "tmpfs", Options: guarded("ro", "size=4k", "mode=555")}
	}
	return []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: guarded()},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: guarded()},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: guarded("mode=1777", "size="+strconv.FormatInt(j.Spec.shmSize(), 10))},
		sys,
	}
}
