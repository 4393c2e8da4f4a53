package eval

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// ParseDuration reads "90s", "1h30m", "500ms": a duration that is not
// negative, and always has a unit.
func ParseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || s == "0" || strings.HasPrefix(s, "+") {
		return 0, fmt.Errorf("%q is not a duration; write a number with a unit, such as \"90s\", \"1h30m\" or \"500ms\"", s)
	}
	return d, nil
}

// ParseSize reads "30MiB", "1.5GB", "512B": bytes. Units with an i are powers
// of 1024, those without of 1000.
func ParseSize(s string) (int64, error) {
	wrong := fmt.Errorf("%q is not a size; write a number with a unit, such as \"30MiB\", \"1.5GB\" or \"512B\"", s)
	i := 0
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.') {
		i++
	}
	number, unit := s[:i], strings.TrimPrefix(s[i:], " ")
	if number == "" || number[0] == '.' || number[len(number)-1] == '.' {
		return 0, wrong
	}
	n, err := strconv.ParseFloat(number, 64)
	factor, ok := sizeUnit(unit)
	if err != nil || !ok {
		return 0, wrong
	}
	bytes := n * factor
	if bytes > math.MaxInt64/2 {
		return 0, fmt.Errorf("%q is larger than any size can be", s)
	}
	if bytes != math.Trunc(bytes) {
		return 0, fmt.Errorf("%q is not a whole number of bytes", s)
	}
	return int64(bytes), nil
}

func sizeUnit(unit string) (float64, bool) {
	switch unit {
	case "B":
		return 1, true
	case "kB", "KB":
		return 1e3, true
	case "MB":
		return 1e6, true
	case "GB":
		return 1e9, true
	case "TB":
		return 1e12, true
	case "KiB":
		return 1 << 10, true
	case "MiB":
		return 1 << 20, true
	case "GiB":
		return 1 << 30, true
	case "TiB":
		return 1 << 40, true
	}
	return 0, false
}

// ParseMode reads four octal digits, "0755", "4755".
func ParseMode(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil || len(s) != 4 {
		return 0, fmt.Errorf("%q is not a mode; write four octal digits, such as \"0755\"", s)
	}
	return uint32(n), nil
}

// ParsePort reads 8080, "8080" or "53/udp"; v is known and not null. The
// protocol is tcp, udp or sctp, tcp where none is written.
func ParsePort(v cty.Value) (number int, protocol string, err error) {
	wrong := fmt.Errorf("%s is not a port; write a number from 1 to 65535, or one with a protocol, such as \"53/udp\"", Describe(v))
	var text string
	switch v.Type() {
	case cty.String:
		text = v.AsString()
	case cty.Number:
		text = printNumber(v.AsBigFloat())
	default:
		return 0, "", wrong
	}
	digits, protocol, given := strings.Cut(text, "/")
	if !given {
		protocol = "tcp"
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != digits {
		return 0, "", wrong
	}
	if protocol != "tcp" && protocol != "udp" && protocol != "sctp" {
		return 0, "", fmt.Errorf("%q is not a protocol of a port; it is tcp, udp or sctp", protocol)
	}
	return int(n), protocol, nil
}

// CheckName says what is wrong with a name that an author gives to a block:
// it matches [a-z][a-z0-9_-]*.
func CheckName(s string) error {
	ok := s != "" && s[0] >= 'a' && s[0] <= 'z'
	for i := 1; ok && i < len(s); i++ {
		c := s[i]
		ok = c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-'
	}
	if !ok {
		return fmt.Errorf("%q is not a name: it begins with a small letter and goes on with small letters, digits, \"_\" and \"-\"", s)
	}
	return nil
}

// ParsePlatform reads "linux/amd64" or "linux/arm/v7" and normalises it as
// containerd does: linux/arm64/v8 and linux/aarch64 are linux/arm64, linux/arm
// is linux/arm/v7, linux/x86_64 is linux/amd64.
func ParsePlatform(s string) (osName, arch, variant string, err error) {
	parts := strings.Split(strings.ToLower(s), "/")
	if len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") {
		return "", "", "", fmt.Errorf("%q is not a platform; write os/arch or os/arch/variant, such as \"linux/amd64\" or \"linux/arm/v7\"", s)
	}
	osName, arch = parts[0], parts[1]
	if len(parts) == 3 {
		variant = parts[2]
	}
	if osName != "linux" {
		return "", "", "", fmt.Errorf("the platform %q has the operating system %q; images are built for linux", s, osName)
	}
	arch, variant = normalise(arch, variant)
	variants, known := knownVariants(arch)
	if !known {
		names := architectures()
		return "", "", "", fmt.Errorf("the platform %q has the unknown architecture %q; known are %s.%s", s, parts[1],
			strings.Join(names, ", "), DidYouMean(parts[1], names))
	}
	if variant != "" && !slices.Contains(variants, variant) {
		if len(variants) == 0 {
			return "", "", "", fmt.Errorf("the platform %q has a variant; %s has none", s, arch)
		}
		return "", "", "", fmt.Errorf("the platform %q has the unknown variant %q; %s has %s", s, variant, arch, strings.Join(variants, ", "))
	}
	return osName, arch, variant, nil
}

// normalise drops a variant that every processor of an architecture is, and
// maps the kernel's names of architectures to Go's.
func normalise(arch, variant string) (string, string) {
	switch arch {
	case "x86_64", "x86-64":
		arch = "amd64"
	case "aarch64":
		arch = "arm64"
	case "i386", "i686":
		arch = "386"
	case "armhf":
		arch, variant = "arm", "v7"
	case "armel":
		arch, variant = "arm", "v6"
	}
	switch {
	case arch == "arm64" && (variant == "v8" || variant == "8"), arch == "amd64" && variant == "v1":
		variant = ""
	case arch == "arm" && variant == "":
		variant = "v7"
	case arch == "arm" && len(variant) == 1:
		variant = "v" + variant
	}
	return arch, variant
}

// architectures is every architecture that a Linux kernel and Go both know,
// the common ones first.
func architectures() []string {
	return []string{"amd64", "arm64", "arm", "386", "ppc64le", "riscv64", "s390x", "loong64", "mips64le", "mips64", "mipsle", "mips", "ppc64"}
}

func knownVariants(arch string) ([]string, bool) {
	switch arch {
	case "amd64":
		return []string{"v2", "v3", "v4"}, true
	case "arm64":
		return []string{"v9"}, true
	case "arm":
		return []string{"v5", "v6", "v7", "v8"}, true
	}
	return nil, slices.Contains(architectures(), arch)
}
