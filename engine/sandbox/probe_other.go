//go:build !linux

package sandbox

import "runtime"

// Probe looks at this machine, which is not Linux: nothing runs.
func Probe(Options) Capability {
	why := unsupported().Error()
	return Capability{
		Platforms: []Platform{{Name: "linux/" + runtime.GOARCH, Reason: why}},
		Findings:  []Finding{{Name: "Linux", Detail: runtime.GOOS, Advice: why}},
	}
}
