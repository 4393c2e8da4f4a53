package sandbox

// Capability is what this machine can do for commands of images: for "doctor"
// and for errors while planning.
type Capability struct {
	Root     bool   // we are root, with the capabilities that this needs
	Kernel   string // its release
	UserNS   bool   // user namespaces can be made
	SubIDs   bool   // subordinate ids are usable
	OneID    string // without root: why they are not
	Cgroup   string // "v1", "v2" or "", with which limits work
	Overlay  string // "lowerdir+", "mount", or "" for none
	RuncPath string // empty: not installed
	// IDMap is the widest one that works.
	IDMap IDMap
	// Platforms lists whether commands run, for this machine's platform first.
	Platforms []Platform
	// Findings are sentences for a person, each with what to do where
	// something is missing.
	Findings []Finding
}

// Finding is one thing that was looked at.
type Finding struct {
	Name   string // "user namespaces"
	OK     bool
	Detail string // what was found
	Advice string // what to do; empty when OK
}

// Platform tells how commands of a platform are run here.
type Platform struct {
	Name     string // "linux/arm64"
	Runs     bool
	Emulator *Emulator // to put into Spec; nil natively, or if the machine has it registered
	Reason   string    // how, or why not and what to do
}

// Platform finds a platform by name; one that was never heard of does not run.
func (c Capability) Platform(name string) Platform {
	for _, p := range c.Platforms {
		if p.Name == name {
			return p
		}
	}
	return Platform{Name: name, Reason: "commands of " + name + " cannot be run here: no emulator for it is known"}
}
