package main

import (
	"fmt"
	"strconv"
	"strings"
)

// parseBytes reads a size on the command line: 10GB, 512MiB, 1000.
func parseBytes(s string) (int64, error) {
	units := []struct {
		suffix string
		factor int64
	}{
		{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
		{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1},
	}
	for _, u := range units {
		number, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		f, err := strconv.ParseFloat(number, 64)
		if err != nil || f < 0 || f*float64(u.factor) > 1<<62 {
			break
		}
		return int64(f * float64(u.factor)), nil
	}
	return 0, fmt.Errorf("%q is not a size, such as 10GB or 512MiB", s)
}
