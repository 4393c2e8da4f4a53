package sandbox

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// staging is where the child puts together what it will pivot into. It is
// /dev since that exists everywhere and nothing of ours lies below it; in the
// child's own mount namespace nobody else sees it covered.
const staging = "/dev"

// newFS makes a detached mount of a file system type. An option without "="
// is a flag.
func newFS(fstype string, attr int, options ...string) (int, error) {
	fs, err := unix.Fsopen(fstype, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("open file system %s: %w", fstype, err)
	}
	defer unix.Close(fs)
	for _, o := range options {
		if err := fsOption(fs, o); err != nil {
			return -1, fmt.Errorf("%s: option %s: %w", fstype, o, err)
		}
	}
	return created(fs, fstype, attr)
}

func fsOption(fs int, option string) error {
	if name, value, ok := strings.Cut(option, "="); ok {
		return unix.FsconfigSetString(fs, name, value)
	}
	return unix.FsconfigSetFlag(fs, option)
}

func created(fs int, fstype string, attr int) (int, error) {
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, fmt.Errorf("create file system %s: %w%s", fstype, err, fsLog(fs))
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, attr)
	if err != nil {
		return -1, fmt.Errorf("mount file system %s: %w", fstype, err)
	}
	return fd, nil
}

// fsLog is what the kernel says beyond an errno.
func fsLog(fs int) string {
	buf := make([]byte, 512)
	if n, err := unix.Read(fs, buf); err == nil && n > 0 {
		return " (" + strings.TrimSpace(string(buf[:n])) + ")"
	}
	return ""
}

// attach puts a detached mount onto what target is a descriptor of.
func attach(mount, target int) error {
	return unix.MoveMount(mount, "", target, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
}

// clone makes a detached bind mount of a path, seen from a directory.
func clone(dir int, name string, attr uint64) (int, error) {
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	if name == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	fd, err := unix.OpenTree(dir, name, flags)
	if err != nil {
		return -1, err
	}
	if attr != 0 {
		err = unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: attr})
		if err != nil {
			unix.Close(fd)
			return -1, err
		}
	}
	return fd, nil
}

// overlayOptions hold what a kernel or its administrator may have as default
// otherwise: metacopy leaves files of zeros in Upper, redirect_dir empty
// directories (both tried), the others make inode numbers or handles that do
// not survive Upper becoming a layer.
var overlayOptions = []string{"metacopy=off", "redirect_dir=nofollow", "index=off", "xino=off", "nfs_export=off"}

// mountOverlay gives a detached overlay, or, where the kernel has no
// "lowerdir+" (before 6.8), one that is attached to target already (-1).
func mountOverlay(r Root, attr int, userXattr, old bool, target string) (int, error) {
	options := slices.Clone(overlayOptions)
	if userXattr {
		options = append(options, "userxattr")
	}
	if r.Upper != "" {
		options = append(options, "volatile") // nothing is kept unless the run succeeds
	}
	if !old {
		fd, err := newOverlay(r, attr, options)
		if !errors.Is(err, errNoLowerPlus) {
			return fd, err
		}
	}
	return -1, oldOverlay(r, options, target)
}

var errNoLowerPlus = errors.New("no lowerdir+")

func newOverlay(r Root, attr int, options []string) (int, error) {
	fs, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("open file system overlay: %w", err)
	}
	defer unix.Close(fs)
	for _, o := range append([]string{"source=overlay"}, options...) {
		if err := fsOption(fs, o); err != nil {
			return -1, fmt.Errorf("overlay: option %s: %w", o, err)
		}
	}
	for i := range r.Lower { // the kernel wants the topmost first
		dir := r.Lower[len(r.Lower)-1-i]
		if err := overlayDir(fs, "lowerdir+", dir); err != nil {
			if i == 0 && errors.Is(err, unix.EINVAL) {
				return -1, errNoLowerPlus
			}
			return -1, fmt.Errorf("overlay: lower directory %s: %w%s", dir, err, fsLog(fs))
		}
	}
	if r.Upper != "" {
		if err := overlayDir(fs, "upperdir", r.Upper); err != nil {
			return -1, fmt.Errorf("overlay: upper directory %s: %w%s", r.Upper, err, fsLog(fs))
		}
		if err := overlayDir(fs, "workdir", r.Work); err != nil {
			return -1, fmt.Errorf("overlay: work directory %s: %w%s", r.Work, err, fsLog(fs))
		}
	}
	return created(fs, "overlay", attr)
}

// overlayDir hands a directory over. A string of fsconfig(2) has at most 255
// bytes, so a longer one goes through a descriptor.
func overlayDir(fs int, key, dir string) error {
	if len(dir) < 250 && !strings.Contains(dir, `\`) {
		return unix.FsconfigSetString(fs, key, dir)
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.FsconfigSetString(fs, key, fdPath(fd))
}

func fdPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// maxOptions is what fits the page of options that mount(2) takes.
const maxOptions = 4095

// oldOverlay mounts by mount(2), with names relative to the directory that
// all of them share, so that more of them fit.
func oldOverlay(r Root, options []string, target string) error {
	dirs := slices.Clone(r.Lower)
	slices.Reverse(dirs)
	if r.Upper != "" {
		dirs = append(dirs, r.Upper, r.Work)
	}
	base := commonDir(dirs)
	if err := unix.Chdir(base); err != nil {
		return fmt.Errorf("overlay: %w", err)
	}
	escape := strings.NewReplacer(`\`, `\\`, ":", `\:`, ",", `\,`)
	for i, d := range dirs {
		if dirs[i] = escape.Replace(strings.TrimPrefix(strings.TrimPrefix(d, base), "/")); dirs[i] == "" {
			dirs[i] = "."
		}
	}
	n := len(r.Lower)
	options = append(slices.Clone(options), "lowerdir="+strings.Join(dirs[:n], ":"))
	if r.Upper != "" {
		options = append(options, "upperdir="+dirs[n], "workdir="+dirs[n+1])
	}
	data := strings.Join(options, ",")
	if len(data) > maxOptions {
		return fmt.Errorf("overlay of %d lower directories: their names take %d bytes and this kernel takes %d: flatten some", n, len(data), maxOptions)
	}
	if err := unix.Mount("overlay", target, "overlay", 0, data); err != nil {
		return fmt.Errorf("mount overlay of %d lower directories: %w", n, err)
	}
	return nil
}

// commonDir is the deepest directory that holds all of dirs.
func commonDir(dirs []string) string {
	base := path.Dir(path.Clean(dirs[0]))
	for _, d := range dirs[1:] {
		for base != "/" && !strings.HasPrefix(d, base+"/") {
			base = path.Dir(base)
		}
	}
	return base
}

// tree is the root under construction.
type tree struct {
	root    int    // descriptor of its top
	top     string // where it is attached as yet
	mount   uint64 // id of its mount: what is made on it is a stub
	unsafe  bool   // tests: resolve by path strings
	created []string
}

func openTree(top string) (*tree, error) {
	fd, err := unix.Open(top, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the root: %w", err)
	}
	id, err := mountID(fd)
	return &tree{root: fd, top: top, mount: id}, err
}

func mountID(fd int) (uint64, error) {
	var st unix.Statx_t
	err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st)
	return st.Mnt_id, err
}

// open resolves a path as the command would, links included, and never leaves
// the root: by openat2(2), so that nobody can change it in between.
func (t *tree) open(name string, flags uint64) (int, error) {
	if t.unsafe {
		return unix.Open(t.top+name, int(flags)|unix.O_CLOEXEC, 0)
	}
	return unix.Openat2(t.root, name, &unix.OpenHow{
		Flags:   flags | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
}

// target gives a descriptor of a mount target, and makes what is missing of
// it: directories, and an empty file at the end unless dir. With onRoot what
// is missing is made on the root itself or not at all (ENOENT).
func (t *tree) target(name string, dir, onRoot bool) (int, error) {
	fd, err := t.open(name, unix.O_PATH)
	if !errors.Is(err, unix.ENOENT) {
		return fd, err
	}
	parts := strings.Split(strings.Trim(path.Clean(name), "/"), "/")
	for i := range parts {
		here := "/" + strings.Join(parts[:i+1], "/")
		if fd, err := t.open(here, unix.O_PATH); err == nil {
			unix.Close(fd)
			continue
		}
		if err := t.make(path.Dir(here), parts[i], dir || i+1 < len(parts), onRoot); err != nil {
			return -1, err
		}
	}
	return t.open(name, unix.O_PATH)
}

// make makes one file or directory, and remembers it if it is on the root.
func (t *tree) make(parent, name string, dir, onRoot bool) error {
	at, err := t.open(parent, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(at)
	id, err := mountID(at)
	if err != nil {
		return err
	}
	if onRoot && id != t.mount {
		return unix.ENOENT
	}
	if dir {
		err = unix.Mkdirat(at, name, 0o755)
	} else {
		var fd int
		fd, err = unix.Openat(at, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
		unix.Close(fd)
	}
	if errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("%s is a link to nowhere", path.Join(parent, name))
	}
	if err != nil || id != t.mount {
		return err
	}
	real, err := t.path(at)
	if err == nil {
		t.created = append(t.created, path.Join(real, name))
	}
	return err
}

// path is the path in the root of what a descriptor was resolved to.
func (t *tree) path(fd int) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlink(fdPath(fd), buf)
	if err != nil {
		return "", err
	}
	return path.Join("/", strings.TrimPrefix(string(buf[:n]), t.top)), nil
}

// put attaches a detached mount to a path in the root.
func (t *tree) put(mount int, name string, dir, onRoot bool) error {
	defer unix.Close(mount)
	fd, err := t.target(name, dir, onRoot)
	if err != nil {
		return fmt.Errorf("mount target %s: %w", name, err)
	}
	defer unix.Close(fd)
	if err := attach(mount, fd); err != nil {
		return fmt.Errorf("mount on %s: %w", name, err)
	}
	return nil
}
