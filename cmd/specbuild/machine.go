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
	runner     sandbox.Runner
	capability func() sandbox.Capability
}

// newMachine chooses what runs steps.
func newMachine(kind string, store *cache.Store) (*machine, error) {
	m := &machine{capability: sync.OnceValue(func() sandbox.Capability { return probe(store) })}
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
func probe(store *cache.Store) sandbox.Capability {
	const kind = "machine"
	key := machineKey()
	var c sandbox.Capability
	if text, ok := store.Record(kind, key); ok && json.Unmarshal([]byte(text), &c) == nil {
		return c
	}
	c = sandbox.Probe(sandbox.Options{})
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
	return nil
}

// local is the machine as the engine wants it.
func (m *machine) local() local.Machine {
	return local.Machine{
		IDMap:    m.idmap,
		CanRun:   m.canRun,
		Emulator: func(platform string) *sandbox.Emulator { return m.capability().Platform(platform).Emulator },
	}
}

// idmap is the map that steps run with. An ordinary user's steps know one
// user, root, which is the caller: layers are unpacked and read by this
// process, which cannot give files to subordinate ids (docs/rootless.md).
func (m *machine) idmap() sandbox.IDMap {
	if os.Geteuid() != 0 {
		return sandbox.IDMap{Kind: sandbox.IDMapSingle}
	}
	return m.capability().IDMap
}

// notes say what this machine cannot run of the platforms of a plan.
func (m *machine) notes(platforms []string) []string {
	var out []string
	for _, p := range platforms {
		if err := m.canRun(p); err != nil {
			out = append(out, fmt.Sprintf("steps and tests for %s cannot run here: %v", p, err))
		}
	}
	return out
}
