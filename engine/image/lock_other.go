//go:build !unix

package image

import "os"

// lockDir does nothing: folders cannot be locked here.
func lockDir(*os.File) error { return nil }
