package main

import (
	"fmt"
	"os"
	"runtime"

	"github.com/specbuild/specbuild/engine/local"
	"github.com/specbuild/specbuild/engine/sandbox"
)

// machine is what this machine can run, found out once a command.
type machine struct {
	runner sandbox.Runner
	idmap  sandbox.IDMap
}

// newMachine probes the machine and chooses what runs steps.
func newMachine(kind string) (*machine, error) {
	m := &machine{}
	if os.Geteuid() != 0 {
		m.idmap.Kind = sandbox.IDMapSingle
	}
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

func (m *machine) canRun(platform string) error {
	if platform == "linux/"+runtime.GOARCH {
		return nil
	}
	return fmt.Errorf("no emulator")
}

// local is the machine as the engine wants it.
func (m *machine) local() local.Machine {
	return local.Machine{IDMap: m.idmap, CanRun: m.canRun, Emulator: func(string) *sandbox.Emulator { return nil }}
}

// notes say what this machine cannot do, for plans.
func (m *machine) notes() []string { return nil }
