//go:build !linux

package sandbox

// Reenter would start this program again in a user namespace: here are none.
func Reenter(IDMap, string) (code int, err error) { return 0, unsupported() }

// Inside says whether Reenter started this program: not here.
func Inside() (ids IDMap, note string, ok bool) { return IDMap{}, "", false }

// Subordinate gives the ids that this user may have in a namespace: none here.
func Subordinate() (IDMap, error) { return IDMap{}, unsupported() }

// ProbeInside looks at this machine, which is not Linux: nothing runs.
func ProbeInside(opts Options, _ IDMap) Capability { return Probe(opts) }
