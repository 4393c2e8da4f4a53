//go:build !linux

package sandbox

import (
	"context"
	"fmt"
	"runtime"
)

// Options say how a Runner works on this machine; the zero value is right.
type Options struct {
	// Runc is the path of runc, for [Runc]; empty looks it up in PATH.
	Runc string
	// CgroupRoot is where cgroups are mounted; empty is /sys/fs/cgroup.
	CgroupRoot string
}

type nowhere struct{}

// Native is the sandbox in pure Go, which is for Linux.
func Native(Options) Runner { return nowhere{} }

// Runc is the sandbox through an installed runc, which is for Linux.
func Runc(Options) (Runner, error) { return nil, unsupported() }

// CleanCgroups removes cgroups of runs that were killed: here are none.
func CleanCgroups(string) error { return nil }

// Expect implements Runner.
func (nowhere) Expect(context.Context, Spec) {}

// Run implements Runner.
func (nowhere) Run(context.Context, Spec) (Exit, error) { return Exit{}, unsupported() }

func unsupported() error {
	return fmt.Errorf("%w: it runs %s, and commands of images need Linux (use the buildkit engine, or a Linux machine)", ErrUnsupported, runtime.GOOS)
}
