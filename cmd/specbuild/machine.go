package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/local"
	"github.com/specbuild/specbuild/engine/sandbox"
)

// machine is what this machine can run. It is found out when somebody asks
// first, and remembered: trying costs a fifth of a second where many
// emulators are installed.
type machine struct {
	kind       string // of sandbox
	runner     sandbox.Runner
	capability func() sandbox.Capability
	users      users
	ids        func() (sandbox.IDMap, error) // the map of steps; why they know one user only
}

// newMachine chooses what runs steps.
func newMachine(kind string, store *cache.Store, u users) (*machine, error) {
	m := &machine{kind: kind, users: u, capability: sync.OnceValue(func() sandbox.Capability { return probe(store, u) })}
	m.ids = sync.OnceValues(m.idmap)
	switch kind {
	case "native":
		m.runner = sandbox.Native(sandbox.Options{})
	case "runc":
		r, err := sandbox.Runc(sandbox.Options{})
		if err != nil {
			return nil, err
		}
		m.runner = r
	default:
		return nil, usagef("--sandbox %s: it must be native or runc", kind)
	}
	return m, nil
}

// probe tries the machine, unless the same one was tried before.
func probe(store *cache.Store, u users) sandbox.Capability {
	const kind = "machine"
	key := u.machine // the namespaces that we are in are new each time
	if !u.inside {
		key = machineKey()
	}
	var c sandbox.Capability
	if text, ok := store.Record(kind, key); ok && json.Unmarshal([]byte(text), &c) == nil {
		return c
	}
	if u.inside {
		c = sandbox.ProbeInside(sandbox.Options{}, u.ids)
	} else {
		c = sandbox.Probe(sandbox.Options{})
	}
	if text, err := json.Marshal(c); err == nil {
		_ = store.PutRecord(kind, key, string(text)) // lost, it is tried again
	}
	return c
}

// machineKey changes with everything that changes what can be run: the boot,
// the namespaces that we are in, who we are, the emulators and subordinate
// ids, and this program.
func machineKey() string {
	parts := []string{versionString(), fmt.Sprint(os.Geteuid())}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	parts = append(parts, strings.TrimSpace(string(boot)))
	for _, ns := range []string{"mnt", "user", "cgroup"} {
		link, _ := os.Readlink("/proc/self/ns/" + ns)
		parts = append(parts, link)
	}
	emulators, _ := filepath.Glob("/usr/bin/qemu-*-static")
	registered, _ := filepath.Glob("/proc/sys/fs/binfmt_misc/*")
	parts = append(parts, strings.Join(emulators, " "), strings.Join(registered, " "))
	for _, file := range []string{"/etc/subuid", "/etc/subgid", "/usr/bin/newuidmap"} {
		if st, err := os.Stat(file); err == nil {
			parts = append(parts, file, st.ModTime().String())
		}
	}
	return strings.Join(parts, "\n")
}

func (m *machine) canRun(platform string) error {
	if p := m.capability().Platform(platform); !p.Runs {
		return errors.New(p.Reason)
	}
	if ids, why := m.ids(); m.kind == "runc" && ids.Kind == sandbox.IDMapSingle {
		return fmt.Errorf("runc is run by root, or with subordinate ids; %w", why)
	}
	return nil
}

// local is the machine as the engine wants it.
func (m *machine) local() local.Machine {
	return local.Machine{
		IDMap:    func() sandbox.IDMap { ids, _ := m.ids(); return ids },
		CanRun:   m.canRun,
		Emulator: func(platform string) *sandbox.Emulator { return m.capability().Platform(platform).Emulator },
	}
}

// idmap is the map that steps run with. Outside of a namespace it is the one
// of the namespace that a build would enter, so that a plan looks for what a
// build looks for; it does not run with it.
func (m *machine) idmap() (sandbox.IDMap, error) {
	if m.users.inside {
		return m.users.ids, nil
	}
	if os.Geteuid() == 0 {
		ids := m.capability().IDMap
		if ids.Kind == sandbox.IDMapSingle {
			return ids, errors.New("root has not its privileges here")
		}
		return ids, nil
	}
	ids, err := m.users.subordinate()
	if err == nil && !m.capability().SubIDs {
		err = errors.New(m.capability().OneID)
	}
	if err != nil {
		return sandbox.IDMap{Kind: sandbox.IDMapSingle}, err
	}
	return ids, nil
}

// notes say what this machine cannot do for the platforms of a plan's steps.
func (m *machine) notes(platforms []string) []string {
	var out []string
	runs := false
	for _, p := range platforms {
		if err := m.canRun(p); err != nil {
			out = append(out, fmt.Sprintf("steps and tests for %s cannot run here: %v", p, err))
		} else {
			runs = true
		}
	}
	if _, why := m.ids(); why != nil && runs {
		out = append(out, fmt.Sprintf("steps know one user, root: %v", why))
	}
	return out
}
