package main

import (
	"os"
	"strings"
)

// label is an address as people read it: that of the workspace's own folder
// goes without saying.
func label(addr string) string { return strings.TrimPrefix(addr, "//:") }

// isSpec reports whether an argument names a spec file or a folder.
func isSpec(arg string) bool {
	if strings.HasSuffix(arg, ".hcl") || strings.ContainsAny(arg, `/\`) || arg == "." {
		return true
	}
	_, err := os.Stat(arg)
	return err == nil
}
