package layer

import (
	"fmt"
	"time"
)

// UnpackOptions say how a layer becomes a directory.
type UnpackOptions struct {
	ReadOptions
	// Below gives the metadata of parents that a foreign layer left out; nil
	// makes them 0755 0:0.
	Below Below
	// MTimes are modification times by path; everything else has the time
	// of unpacking. Steps must not see constant ones: make with a cache
	// mount would ship the old program.
	MTimes map[string]time.Time
	// UserXattr writes overlay's marks into user.overlay.*, for mounts with
	// userxattr, instead of trusted.overlay.*, which needs privileges.
	UserXattr bool
	// XattrWhiteouts writes deletions as marked empty files, which overlay
	// understands from kernel 6.7 on, instead of 0:0 character devices,
	// which need a user namespace at least.
	XattrWhiteouts bool
	// Unprivileged leaves owners as they come and makes no devices: the
	// table alone records them.
	Unprivileged bool
	// NoDevices makes no devices, which in a user namespace nobody can.
	NoDevices bool
	// UIDs and GIDs translate the layer's ids into the machine's, for a
	// store of a user namespace; empty for no translation.
	UIDs, GIDs []IDRange
}

// IDRange maps Size ids of a container, from Container on, to the machine's
// ids from Host on (user_namespaces(7)).
type IDRange struct{ Container, Host, Size int }

// toHost translates a container's id into the machine's.
func toHost(ranges []IDRange, id int) (int, error) {
	if len(ranges) == 0 {
		return id, nil
	}
	for _, r := range ranges {
		if id >= r.Container && id-r.Container < r.Size {
			return r.Host + id - r.Container, nil
		}
	}
	return 0, fmt.Errorf("the id %d has no place in the user namespace; give it more subordinate ids (/etc/subuid, /etc/subgid)", id)
}

// toContainer translates a machine's id into the container's.
func toContainer(ranges []IDRange, id int) (int, error) {
	if len(ranges) == 0 {
		return id, nil
	}
	for _, r := range ranges {
		if id >= r.Host && id-r.Host < r.Size {
			return r.Container + id - r.Host, nil
		}
	}
	return 0, fmt.Errorf("the id %d of this machine is not one of the container's", id)
}
