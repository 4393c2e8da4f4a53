package eval

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// check runs one parser over texts that it takes and texts that it refuses.
func check(t *testing.T, parse func(string) (string, error), good, bad map[string]string) {
	t.Helper()
	for in, want := range good {
		if got, err := parse(in); err != nil || got != want {
			t.Errorf("%q = %q, %v; want %q", in, got, err, want)
		}
	}
	for in, want := range bad {
		if got, err := parse(in); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), fmt.Sprintf("%q", in)) {
			t.Errorf("%q = %q, %v; want an error that names it and says %q", in, got, err, want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	check(t, func(s string) (string, error) { d, err := ParseDuration(s); return d.String(), err },
		map[string]string{"90s": "1m30s", "1h30m": "1h30m0s", "500ms": "500ms", "0s": "0s", "1.5s": "1.5s"},
		map[string]string{"90": `such as "90s"`, "-1s": "not a duration", "": "not a duration", "0": "unit", "1 s": "not a duration", "+1s": "not", "1d": "not"})
	if d, _ := ParseDuration("2m"); d != 2*time.Minute {
		t.Error(d)
	}
}

func TestParseSize(t *testing.T) {
	t.Parallel()
	check(t, func(s string) (string, error) { n, err := ParseSize(s); return fmt.Sprint(n), err },
		map[string]string{"30MiB": "31457280", "1.5GB": "1500000000", "512B": "512", "0B": "0", "1 KiB": "1024", "1kB": "1000", "2TiB": "2199023255552"},
		map[string]string{"30": "unit", "30M": "not a size", "-1B": "not a size", "": "not a size", ".5B": "not a size", "1.5B": "whole number of bytes",
			"1..5MB": "not a size", "99999999999TiB": "larger", "1e3B": "not a size", "MiB": "not a size"})
}

func TestParseMode(t *testing.T) {
	t.Parallel()
	check(t, func(s string) (string, error) { m, err := ParseMode(s); return fmt.Sprintf("%o", m), err },
		map[string]string{"0755": "755", "4755": "4755", "0000": "0", "7777": "7777"},
		map[string]string{"755": "four octal digits", "0888": "octal", "00755": "four", "": "four", "u+x1": "octal", "-755": "octal", "0x1f": "octal"})
}

func TestParsePort(t *testing.T) {
	t.Parallel()
	check(t, func(s string) (string, error) {
		n, p, err := ParsePort(cty.StringVal(s))
		return fmt.Sprintf("%d/%s", n, p), err
	},
		map[string]string{"8080": "8080/tcp", "53/udp": "53/udp", "1/sctp": "1/sctp", "65535/tcp": "65535/tcp"},
		map[string]string{"0": "1 to 65535", "65536": "1 to 65535", "080": "not a port", "": "not a port", "http": "not a port", "+80": "not a port", "80-90": "not a port"})
	for _, in := range []string{"80/icmp", "80/", "80/TCP"} {
		if _, _, err := ParsePort(cty.StringVal(in)); err == nil || !strings.Contains(err.Error(), "tcp, udp or sctp") {
			t.Errorf("%s: %v", in, err)
		}
	}
	if n, p, err := ParsePort(cty.NumberIntVal(443)); err != nil || n != 443 || p != "tcp" {
		t.Error(n, p, err)
	}
	for _, v := range []cty.Value{cty.NumberFloatVal(80.5), cty.NumberIntVal(-1), cty.True, cty.EmptyTupleVal} {
		if _, _, err := ParsePort(v); err == nil || !strings.Contains(err.Error(), Describe(v)+" is not a port") {
			t.Errorf("%#v: %v", v, err)
		}
	}
}

func TestParsePlatform(t *testing.T) {
	t.Parallel()
	check(t, func(s string) (string, error) {
		o, a, v, err := ParsePlatform(s)
		return strings.TrimSuffix(o+"/"+a+"/"+v, "/"), err
	}, map[string]string{
		"linux/amd64": "linux/amd64", "linux/arm64": "linux/arm64", "linux/arm64/v8": "linux/arm64", "linux/aarch64": "linux/arm64", "linux/x86_64": "linux/amd64",
		"linux/amd64/v1": "linux/amd64", "linux/amd64/v3": "linux/amd64/v3", "linux/arm": "linux/arm/v7", "linux/arm/v6": "linux/arm/v6", "linux/arm/7": "linux/arm/v7",
		"linux/armhf": "linux/arm/v7", "linux/armel": "linux/arm/v6", "linux/i386": "linux/386", "linux/riscv64": "linux/riscv64", "Linux/AMD64": "linux/amd64",
	}, map[string]string{
		"linux": "os/arch", "": "os/arch", "linux/": "os/arch", "linux/a/b/c": "os/arch", "windows/amd64": "built for linux", "linux/amd46": `Did you mean "amd64"?`,
		"linux/vax": "known are amd64", "linux/amd64/v9": "amd64 has v2, v3, v4", "linux/s390x/v1": "s390x has none",
	})
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	check(t, func(s string) (string, error) { return s, CheckName(s) },
		map[string]string{"a": "a", "go-1_25": "go-1_25", "z9": "z9"},
		map[string]string{"": "not a name", "A": "small letter", "9a": "not a name", "-a": "not a name", "a.b": "not a name", "é": "not a name", "a b": "not a name"})
}
