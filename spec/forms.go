package spec

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/eval"
	"github.com/specbuild/specbuild/spec/grammar"
)

// The forms of text that attributes ask for, as value types.

var (
	duration = formOf("a duration", func(s string) (time.Duration, error) {
		d, err := eval.ParseDuration(s)
		if err == nil && d == 0 {
			err = fmt.Errorf("%q is no time at all; leave the attribute out where there is no limit", s)
		}
		return d, err
	})
	size  = formOf("a size", eval.ParseSize)
	mode  = formOf("four octal digits", parseMode)
	words = formOf("a text", func(s string) (string, error) {
		if strings.TrimSpace(s) == "" {
			return "", errors.New("the text is empty")
		}
		return s, nil
	})
	name     = formOf("a name", func(s string) (string, error) { return s, eval.CheckName(s) })
	platform = formOf("a platform", ParsePlatform)
	day      = formOf("a day", parseDay)

	platforms = listOf("a list of platforms", platform, distinct(func(p Platform) string { return p.String() }, 1))
	ports     = listOf("a list of ports", port, distinct(func(p Port) string { return fmt.Sprint(p.Number, "/", p.Protocol) }, 0))
	regexps   = oneOrList("a regular expression or a list of them", formOf("a regular expression", func(s string) (string, error) {
		if _, err := regexp.Compile(s); err != nil {
			return "", fmt.Errorf("%q is not a regular expression: %s", s, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		return s, nil
	}))
	port = valueType[Port]{name: "a port", form: grammar.Value{Type: grammar.Port}, typ: cty.DynamicPseudoType, from: func(d *decoder, in input) (Port, bool) {
		n, protocol, err := eval.ParsePort(in.v)
		if err != nil {
			d.refused(in, err)
		}
		return Port{Number: n, Protocol: protocol}, err == nil
	}}
)

// pattern is a regular expression that is compiled when it is first asked:
// together they would cost every start of the program, a step's sandbox
// included, 0.7 ms.
func pattern(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

// patterns that are easier said than programmed.
var (
	envNamePattern = pattern(`^[A-Za-z_][A-Za-z0-9_]*$`)
	digestPattern  = pattern(`^sha256:[0-9a-f]{64}$`)
	accountPattern = pattern(`^[a-z_][a-z0-9_-]{0,31}$`)
	suitePattern   = pattern(`^[A-Za-z0-9][A-Za-z0-9._/+-]*$`)
	debPattern     = pattern(`^[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?(=[0-9A-Za-z][0-9A-Za-z.+:~-]*)?$`)
	// A name that ends in "-" asks apt-get to remove the package; a version that
	// does, too.
	aptPattern      = pattern(`^[a-z0-9][a-z0-9+.-]*[a-z0-9+](:[a-z0-9]+(-[a-z0-9]+)*)?(=[0-9A-Za-z]([0-9A-Za-z.+:~-]*[0-9A-Za-z.+~])?)?$`)
	apkPattern      = pattern(`^[A-Za-z0-9][A-Za-z0-9+._-]*(=[0-9][0-9A-Za-z._~]*(-r[0-9]+)?)?$`)
	rpmPattern      = pattern(`^[A-Za-z0-9][A-Za-z0-9+._-]*(=[0-9A-Za-z][0-9A-Za-z.+~^:_-]*)?$`)
	sha256Pattern   = pattern(`^[0-9a-f]{64}$`)
	snapshotPattern = pattern(`^[0-9]{8}T[0-9]{6}Z$`)
	scpPattern      = pattern(`^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^:]+$`)
	refPattern      = pattern(`^[A-Za-z0-9_][A-Za-z0-9_./+@-]*$`)
	rulePattern     = pattern(`^[a-z][a-z0-9-]*$`)
	addressPattern  = pattern(`^((//[^:]*:)?(module\.[a-z][a-z0-9_-]*(\["[^"]*"\])?\.)*|workspace\.)(base|context|image|module|repository|secret|stage)\.[a-z][a-z0-9_-]*(\["[^"]*"\])?$`)
	// imagePattern is the grammar of distribution/reference: repository, tag, digest.
	imagePattern = pattern(`^((?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?/)?[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*)(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$`)
)

// matching is text of one pattern; example shows what is meant.
func matching(what string, pattern func() *regexp.Regexp, example string) valueType[string] {
	return formOf(what, func(s string) (string, error) {
		if !pattern().MatchString(s) {
			return "", fmt.Errorf("%q is not %s; write it like %q", s, what, example)
		}
		return s, nil
	})
}

var (
	envName      = matching("the name of a variable", envNamePattern, "HTTP_TOKEN")
	envNames     = listOf("a list of names of variables", envName, distinctText)
	digest       = matching("a digest", digestPattern, "sha256:"+strings.Repeat("0123456789abcdef", 4))
	suite        = matching("a suite", suitePattern, "trixie")
	suites       = listOf("a list of suites", suite, atLeastOne[string])
	components   = listOf("a list of components", matching("a component", suitePattern, "main"), atLeastOne[string])
	ruleID       = matching("a rule's id", rulePattern, "final-user-non-root")
	address      = matching("an address", addressPattern, "image.web")
	accountName  = matching("the name of a user or group", accountPattern, "app")
	accountNames = listOf("a list of names of groups", accountName, distinctText)
	debNames     = listOf("a list of packages", matching("a package", debPattern, "nginx"), distinct(func(s string) string { return s }, 1))
	aptNames     = listOf("a list of packages", matching("a package", aptPattern, "curl=7.88.1-10"), distinct(packageName, 1))
	apkNames     = listOf("a list of packages", matching("a package", apkPattern, "curl=8.14.1-r2"), distinct(packageName, 1))
	dnfNames     = listOf("a list of packages", matching("a package", rpmPattern, "curl=8.9.1-3.fc41"), distinct(packageName, 1))
	snapshot     = formOf("a time", parseSnapshot)
	imageName    = formOf("the name of an image", parseImageName)
	tagList      = listOf("a list of names with tags", formOf("a name with a tag", parseTag), distinctText)
	owner        = formOf("an owner", parseOwner)
	httpURL      = formOf("a URL", parseURL)
	gitURL       = formOf("the URL of a repository", parseGitURL)
	gitRef       = formOf("a branch, tag or commit", parseGitRef)
	sha256Hex    = matching("a SHA-256", sha256Pattern, strings.Repeat("0123456789abcdef", 4))
	signal       = formOf("a signal", parseSignal)
	sealList     = listOf("a list of what is sealed", formOf("a sealed name", parseSeal), distinctText)
)

// parseSnapshot reads a time as snapshot.debian.org writes it, or as everybody
// does; the lock's keys have the first.
func parseSnapshot(s string) (string, error) {
	const form = "20060102T150405Z"
	if t, err := time.Parse(time.RFC3339, s); err == nil && t.Nanosecond() == 0 {
		return t.UTC().Format(form), nil
	}
	if _, err := time.Parse(form, s); err != nil || !snapshotPattern().MatchString(s) {
		return "", fmt.Errorf("%q is not a time of the archive; write it like %q or %q", s, "20260301T000000Z", "2026-03-01T00:00:00Z")
	}
	return s, nil
}

// oneOf is one of a few words.
func oneOf(words ...string) valueType[string] {
	allowed := list(words, "or")
	vt := formOf(allowed, func(s string) (string, error) {
		if !slices.Contains(words, s) {
			return "", fmt.Errorf("%q is not known%s; write %s", s, didYouMean(s, words), allowed)
		}
		return s, nil
	})
	vt.form.Words = words
	return vt
}

// distinct is the end of a list whose elements must differ and be at least
// a number.
func distinct[V any](key func(V) string, least int) func(*decoder, input, []V) bool {
	return func(d *decoder, in input, items []V) bool {
		if len(items) < least {
			d.invalid(in.at(), "%s is empty; it needs at least one element.", in.name)
			return false
		}
		seen := map[string]bool{}
		for i, e := range in.elements() {
			k := key(items[i])
			if seen[k] {
				d.invalid(e.at(), "%s has %q twice.", in.name, k)
				return false
			}
			seen[k] = true
		}
		return true
	}
}

// packageName is a package without its version.
func packageName(s string) string {
	name, _, _ := strings.Cut(s, "=")
	return name
}

func distinctText(d *decoder, in input, items []string) bool {
	return distinct(func(s string) string { return s }, 0)(d, in, items)
}

func atLeastOne[V any](d *decoder, in input, items []V) bool {
	if len(items) == 0 {
		d.invalid(in.at(), "%s is empty; it needs at least one element.", in.name)
	}
	return len(items) > 0
}

// ParsePlatform reads os/arch or os/arch/variant, normalised: linux/arm64 and
// linux/arm64/v8 are one.
func ParsePlatform(s string) (Platform, error) {
	osName, arch, variant, err := eval.ParsePlatform(s)
	return Platform{osName, arch, variant}, err
}

// parseDay is the end of the day, so that the day itself counts.
func parseDay(s string) (time.Time, error) {
	t, err := time.Parse("2006-01-02", s)
	if err != nil {
		return t, fmt.Errorf("%q is not a day; write it like %q", s, "2027-03-31")
	}
	return t.AddDate(0, 0, 1), nil
}

// parseImageName asks for a tag or digest: "latest" by silence is how an image
// changes without a change (the rule base-explicit-tag, made impossible).
func parseImageName(s string) (string, error) {
	m := imagePattern().FindStringSubmatch(s)
	switch {
	case s == "scratch":
		return "", errors.New("nothing is called scratch in a registry; where nothing is to be below, write from = scratch and no base")
	case strings.Contains(s, "://"):
		return "", fmt.Errorf("%q is a URL; a name of an image has no scheme: %q", s, s[strings.Index(s, "://")+3:])
	case m == nil:
		return "", fmt.Errorf("%q is not the name of an image; write it like %q, in small letters", s, "docker.io/library/debian:13")
	case m[2] == "" && m[3] == "":
		return "", fmt.Errorf("%q has no tag; say which version, such as %q, or a digest", s, s+":1.0")
	}
	return s, nil
}

// parseTag takes a name without a tag too, as a registry does.
func parseTag(s string) (string, error) {
	m := imagePattern().FindStringSubmatch(s)
	switch {
	case strings.Contains(s, "://"):
		return "", fmt.Errorf("%q is a URL; a name of an image has no scheme: %q", s, s[strings.Index(s, "://")+3:])
	case m == nil:
		return "", fmt.Errorf("%q is not a name to push under; write it like %q, the repository in small letters", s, "registry.example.com/shop/checkout:1.4.2")
	case m[3] != "":
		return "", fmt.Errorf("%q has a digest, which is known only after the build; write the tag alone", s)
	}
	return s, nil
}

// parseOwner takes numbers and names; whether a name is one of a `user` step
// depends on the chain below, which the planner knows.
func parseOwner(s string) (string, error) {
	parts := strings.Split(s, ":")
	good := len(parts) <= 2
	for _, p := range parts {
		n, err := strconv.ParseUint(p, 10, 32)
		number := err == nil && n < 1<<32-1 && strconv.FormatUint(n, 10) == p
		good = good && (number || accountPattern().MatchString(p))
	}
	if !good {
		return "", fmt.Errorf("%q is not an owner; write \"uid\" or \"uid:gid\" as numbers, or names of `user` and `group` steps", s)
	}
	return s, nil
}

// parseURL takes http as well: what is fetched is fixed by signature and
// digest, not by the way it took.
func parseURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("%q is not a URL; write it like %q", s, "https://packages.example.com/debian")
	}
	return s, nil
}

// signals are those of Linux on every architecture that Go knows.
var signals = strings.Fields("ABRT ALRM BUS CHLD CONT FPE HUP ILL INT IO KILL PIPE PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ")

// parseSignal takes the forms that OCI configurations hold.
func parseSignal(s string) (string, error) {
	if n, err := strconv.Atoi(s); err == nil && n >= 1 && n <= 64 {
		return s, nil
	}
	word, found := strings.CutPrefix(s, "SIG")
	if base, offset, ok := strings.Cut(word, "+"); ok && base == "RTMIN" {
		if n, err := strconv.Atoi(offset); err == nil && n >= 0 && n <= 30 {
			return s, nil
		}
	}
	if !found || !slices.Contains(signals, word) {
		hint := ""
		if full := "SIG" + strings.ToUpper(strings.TrimPrefix(strings.ToUpper(s), "SIG")); slices.Contains(signals, full[3:]) {
			hint = "; write " + quote(full)
		}
		return "", fmt.Errorf("%q is not a signal, such as \"SIGTERM\", \"SIGRTMIN+3\" or \"15\"%s", s, hint)
	}
	return s, nil
}

// parseSeal takes the names that a seal can protect (language.md, Files,
// paths, modules).
func parseSeal(s string) (string, error) {
	whole := []string{"run_as", "entrypoint", "cmd", "workdir", "healthcheck", "base"}
	if slices.Contains(whole, s) {
		return s, nil
	}
	for _, prefix := range []string{"env.", "labels.", "user."} {
		if len(s) > len(prefix) && strings.HasPrefix(s, prefix) {
			return s, nil
		}
	}
	return "", fmt.Errorf("%q cannot be sealed%s; %s, env.NAME, labels.NAME and user.NAME can", s, didYouMean(s, whole), strings.Join(whole, ", "))
}

// envMap is what goes into an environment: any name that a process can see.
var envMap = mapOf("a map of names to strings", func(key, value string) error {
	switch {
	case key == "" || strings.ContainsFunc(key, func(r rune) bool { return r == '=' || r <= ' ' || r == 0x7f }):
		return fmt.Errorf("%q is not a name of a variable; it has no \"=\" and no blanks", key)
	case strings.ContainsRune(value, 0):
		return errors.New("the value holds a NUL character, which no environment can")
	}
	return nil
})

// textMap is labels and annotations.
var textMap = mapOf("a map of names to strings", func(key, _ string) error {
	if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return fmt.Errorf("%q is not a key; it has no blanks and is not empty", key)
	}
	return nil
})

// hostMap is the lines of /etc/hosts. Names of the machine's own, such as
// Docker's host-gateway, are not taken: they differ from machine to machine.
var hostMap = mapOf("a map of host names to addresses", func(key, value string) error {
	if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' }) {
		return fmt.Errorf("%q is not the name of a host", key)
	}
	if _, err := netip.ParseAddr(value); err != nil {
		return fmt.Errorf("%q is not an address, such as \"10.0.0.7\" or \"::1\"", value)
	}
	return nil
})

// parseGitURL takes what the git program can be given without it being an
// option or a helper's name (ext::sh -c …), which would run a command.
func parseGitURL(s string) (string, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	switch {
	case strings.HasPrefix(s, "-") || strings.Contains(s, "::") || strings.ContainsAny(s, "\x00\n\r\t "):
		return "", fmt.Errorf("%q is not the URL of a repository", s)
	case ok && slices.Contains([]string{"https", "http", "ssh", "git", "file"}, scheme) && rest != "":
	case !ok && scpPattern().MatchString(s):
	default:
		return "", fmt.Errorf("%q is not the URL of a repository; write https://, ssh://, git:// or file://, or user@host:path", s)
	}
	if u, err := url.Parse(s); ok && err == nil && u.User != nil {
		if _, has := u.User.Password(); has {
			return "", errors.New("the URL holds a password, which would be in the plan and the lock; leave it to git's credential helper")
		}
	}
	return s, nil
}

// parseGitRef follows the parts of git-check-ref-format that keep a name from
// being an option or a range.
func parseGitRef(s string) (string, error) {
	if !refPattern().MatchString(s) || strings.Contains(s, "..") || strings.HasSuffix(s, ".lock") || strings.HasSuffix(s, "/") {
		return "", fmt.Errorf("%q is not the name of a branch or tag, nor a commit", s)
	}
	return s, nil
}
