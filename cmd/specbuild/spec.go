package main

import (
	"os"
	"strings"
)

// isSpec reports whether an argument names a spec file or a folder.
func isSpec(arg string) bool {
	if strings.HasSuffix(arg, ".hcl") || strings.ContainsAny(arg, `/\`) || arg == "." {
		return true
	}
	_, err := os.Stat(arg)
	return err == nil
}
