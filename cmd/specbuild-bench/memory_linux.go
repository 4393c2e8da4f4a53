package main

import (
	"os"
	"syscall"
)

// maxResident is the most memory that an ended process had resident, in bytes.
func maxResident(p *os.ProcessState) int64 {
	usage, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return usage.Maxrss << 10 // Linux counts in KiB
}
