package rules

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

func userRules() []Rule {
	return []Rule{
		{
			ID: "final-user-non-root", By: ByJudge, Title: "A finished image does not run as root",
			Why: "Who breaks out of a root process is root outside, unless something else stands in the way. The way out, for the image that needs it, is a waiver.",
			Bad: `image "web" {
  from       = scratch
  entrypoint = ["/usr/bin/web"]
}`,
			Good: `image "web" {
  from       = scratch
  entrypoint = ["/usr/bin/web"]
  user "web" {
    uid = 10001
  }
  run_as = "web"
}`,
			Mend:    "Say `run_as`: a number, or a `user` step.",
			Sources: []string{"DL3002", "CKV_DOCKER_3", "CKV_DOCKER_8", "DS-0002", "CIS-4.1", "CIS-DI-0001", "KICS missing_user_instruction", "Semgrep missing-user", "Kyverno check-last-user"},
			check:   finalUser,
		},
		{
			ID: "user-numeric-id", By: ByPlanner, Title: "The user of an image is written as numbers",
			Why: "Kubernetes can judge runAsNonRoot by a number only. A name of a `user` step is resolved when planning.",
			Bad: `image "web" {
  from   = scratch
  run_as = "web"
}`,
			Good: `image "web" {
  from = scratch
  user "web" {
    uid = 10001
  }
  run_as = "web"
}`,
			Mend:    "Make the user with a `user` step, or write its number; `validate --fix` writes it for root and for the user that the base itself runs as.",
			Sources: []string{"DL3066"},
		},
		{
			ID: "user-ids-unique", By: ByPlanner, Title: "No two users or groups of an image have one name or one number",
			Why: "Files of one would belong to the other.",
			Bad: `user "web" {
  uid = 10001
}
user "worker" {
  uid = 10001
}`,
			Good: `user "web" {
  uid = 10001
}
user "worker" {
  uid = 10002
}`,
			Mend:       "Give one of them another number.",
			Sources:    []string{"DKL-LI-0002"},
			checkImage: sameAccounts,
		},
		{
			ID: "user-no-password", By: ByJudge, Title: "No password is set or emptied",
			Why: "It is the same in every container, and everybody who can pull the image can read it.",
			Bad: `run {
  script = "echo web:web | chpasswd"
}`,
			Good: `user "web" {
  uid = 10002
}`,
			Mend:       "Leave the account locked, as a `user` step does.",
			Sources:    []string{"CKV2_DOCKER_17", "DKL-LI-0001"},
			check:      passwords,
			checkImage: openAccounts,
		},
		{
			ID: "user-created-declaratively", Severity: diag.Warning, Release: diag.Warning, By: ByJudge, Title: "Users are made by `user` and `group` steps, not by a command",
			Why: "Those need no tools in the image, and `run_as` knows their numbers; useradd with a large uid writes a lastlog of gigabytes.",
			Bad: `run {
  command = ["useradd", "--uid", "10002", "web"]
}`,
			Good: `user "web" {
  uid = 10002
}`,
			Mend:    "Write a `user` or `group` step; `validate --fix` does it for commands that a step begins with and that say the number.",
			Sources: []string{"DL3046", "CIS-4.1", "CIS-DI-0001"},
			check:   useradd,
		},
		{
			ID: "no-sudo", By: ByJudge, Title: "sudo is neither called nor installed",
			Why: "A step says its `user`; in an image, sudo is a way to become root.",
			Bad: `run {
  script = "sudo make install"
}`,
			Good: `run {
  script = "make install"
  user   = "0:0"
}`,
			Mend:    "Say the `user` of the step; `validate --fix` takes the word out where the step is root's anyway, and the package out of a list of several.",
			Sources: []string{"DL3004", "CKV2_DOCKER_1", "DS-0010", "DKL-DI-0001", "KICS run_using_sudo", "Semgrep no-sudo-in-dockerfile"},
			check:   sudo,
		},
		{
			ID: "run-privilege-declared", By: ByPlanner, Title: "The machine's network is used only where it was granted",
			Why: "A step with `network = \"host\"` reaches every service of the machine that builds.",
			Bad: `run {
  command = ["make", "test"]
  network = "host"
}`,
			Good: `run {
  command = ["make", "test"]
  network = "outbound"
}`,
			Mend:    `Say "outbound", or have the host's network granted: --allow network.host.`,
			Sources: []string{"buildx caps", "BuildKit entitlements"},
		},
		{
			ID: "run-network-declared", Off: true, By: ByJudge, Title: "No step has a network",
			Why: "Steps have none unless they say so; this rule forbids to say so. What steps need then comes by contexts and packages, which are pinned.",
			Bad: `run {
  command = ["npm", "ci"]
  network = "outbound"
}`,
			Good: `run {
  command = ["npm", "ci", "--offline"]
}`,
			Mend:    "Fetch by `context` and `packages`, which are pinned.",
			Sources: []string{"buildx exec.proxy"},
			check:   declaredNetwork,
		},
		{
			ID: "no-host-socket-mount", By: ByLanguage, Title: "No mount or copy reaches a socket or a path of the machine",
			Why: "A step that holds the socket of a container engine is root on the machine. Mounts take from contexts, stages, images and bases only.",
			Bad: `run {
  command = ["docker", "ps"]
  mount "bind" {
    from   = "/var/run/docker.sock"
    target = "/var/run/docker.sock"
  }
}`,
			Good: `run {
  command = ["make", "test"]
}`,
			Mend:    "Leave it out: steps of a build start no containers.",
			Sources: []string{"Semgrep dockerfile-dockerd-socket-mount"},
		},
		{
			ID: "no-system-dir-volume", By: ByJudge, Title: "System folders are neither volumes nor workdirs, and nothing is written to /proc, /sys and /dev",
			Why:     "A volume over them hides what the system needs, and what is written to kernel file systems is covered when a container starts.",
			Bad:     `volumes = ["/etc"]`,
			Good:    `volumes = ["/var/lib/web"]`,
			Mend:    "Name the folder that holds the data.",
			Sources: []string{"DKL-DI-0002", "DS-0030"},
			check:   systemDirs,
		},
		{
			ID: "app-not-writable-by-user", Severity: diag.Info, Release: diag.Info, By: ByJudge, Title: "The user that an image runs as does not own its programs",
			Why: "Who breaks into a process that can rewrite its own program stays. What it only reads belongs to root.",
			Bad: `file {
  path    = "/etc/web.conf"
  content = "port = 8080"
  owner   = "10001"
}`,
			Good: `file {
  path    = "/etc/web.conf"
  content = "port = 8080"
}`,
			Mend:    "Leave `owner` out; `validate --fix` writes 0:0.",
			Sources: []string{"KICS chown_flag_exists"},
			check:   ownedApp,
		},
	}
}

// uid is the number of the user that an image runs as; known is false where
// only a lock could tell.
func (d *docket) uid(inst *Instance) (uid int, known bool) {
	if inst.User != "" {
		number, _, _ := strings.Cut(inst.User, ":")
		n, err := strconv.Atoi(number)
		return n, err == nil
	}
	_, _, read, based := d.base(inst)
	return 0, !based || read // a config without a user is root's
}

// finalUser fails closed: a user that only a lock could tell counts as root,
// since who runs `validate` wants to know before there is one. Only what was
// asked for is judged; an image that others build on may still be root's.
func finalUser(d *docket) {
	for _, inst := range d.images() {
		b := inst.Body
		if b.Image.RunAs.Unknown {
			continue
		}
		at := or(b.Image.RunAs.Range, b.Range)
		switch uid, known := d.uid(inst); {
		case !known && d.Pending:
		case !known:
			base, _, _, _ := d.base(inst)
			name := "its base"
			if base.Base != nil {
				name = base.Base.Addr.Local()
			}
			d.found(b.Addr, at, "The image's user is unknown",
				"%s inherits its user from %s, which no lock describes. Say `run_as`, or run `specbuild lock` so that the base's user is known.", b.Addr.Local(), name)
		case uid != 0:
		case b.Image.RunAs.Set:
			d.found(b.Addr, at, "The image runs as root",
				"%s says run_as = %q. Take another number, or make a user with `user \"app\" { uid = 10001 }` and run as \"app\". An image that must be root needs a waiver of %s.",
				b.Addr.Local(), b.Image.RunAs.V, d.rule.ID)
		default:
			d.found(b.Addr, at, "The image runs as root",
				"Nothing that %s is built from says another user. Add run_as = \"10001\", or a `user` step and run_as with its name. An image that must be root needs a waiver of %s.",
				b.Addr.Local(), d.rule.ID)
		}
	}
}

// declaredNetwork is off by itself, since the network is what the step's
// author said.
func declaredNetwork(d *docket) {
	for _, inst := range d.Instances {
		for _, step := range inst.Body.Steps {
			if r, ok := step.(*spec.Run); ok && r.Network.Set && !r.Network.Unknown && r.Network.V != "none" {
				d.found(inst.Body.Addr, r.Network.Range, "A step has a network",
					"A step of %s says network = %q. Fetch what it needs by a `context` with git or http, or by `packages`, so that it is pinned.", inst.Body.Addr.Local(), r.Network.V)
			}
		}
	}
}

// systemFolders are those that only the system may be at.
var systemFolders = []string{"/", "/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr"}

// kernelFolders are mounted over when a container starts.
var kernelFolders = []string{"/dev", "/proc", "/sys"}

// systemDirs lets the workdir be /, where steps that want no folder of their
// own run, and folders below system folders, such as /usr/src/app.
func systemDirs(d *docket) {
	for _, inst := range d.Instances {
		b := inst.Body
		if dir := path.Clean(b.Workdir.V); b.Workdir.Set && dir != "/" && slices.Contains(systemFolders, dir) {
			d.found(b.Addr, b.Workdir.Range, "A system folder as workdir",
				"The workdir of %s is %s, which belongs to the system. Take a folder of its own, such as /srv/app.", b.Addr.Local(), dir)
		}
		if b.Image != nil {
			for _, v := range b.Image.Volumes.V {
				if dir := path.Clean(v); slices.Contains(systemFolders, dir) {
					d.found(b.Addr, d.element(b.Image.Volumes.Range, v), "A system folder as volume",
						"%s declares %s a volume: an engine would mount an empty folder over the system's files. Name the folder that holds the data.", b.Addr.Local(), dir)
				}
			}
		}
		for _, step := range b.Steps {
			to := destination(step)
			for _, dir := range kernelFolders {
				if p := path.Clean(to.V); p == dir || strings.HasPrefix(p, dir+"/") {
					d.found(b.Addr, to.Range, "Files below a kernel folder",
						"%s writes to %s. When a container starts, %s is mounted over, so the files would never be seen. Put them elsewhere.", b.Addr.Local(), p, dir)
				}
			}
		}
	}
}

// destination is where a step that names one path writes.
func destination(step spec.Step) spec.Attr[string] {
	switch t := step.(type) {
	case *spec.Copy:
		return t.To
	case *spec.File:
		return t.Path
	case *spec.Directory:
		return t.Path
	case *spec.Symlink:
		return t.Path
	}
	return spec.Attr[string]{}
}
