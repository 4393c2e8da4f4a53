package rules

import (
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/specbuild/specbuild/spec"
)

// ociPrefix is the name space of the OCI image-spec v1.1, annotations.md,
// "Pre-Defined Annotation Keys": nobody else may define keys in it.
const ociPrefix = "org.opencontainers.image."

// ociKeys are those that it defines, with what a value must be.
var ociKeys = map[string]func(value string) string{
	"created":       wantTime,
	"authors":       wantAddresses,
	"url":           wantURL,
	"documentation": wantURL,
	"source":        wantURL,
	"version":       wantText,
	"revision":      wantRevision,
	"vendor":        wantText,
	"licenses":      wantLicence,
	"ref.name":      wantText,
	"title":         wantText,
	"description":   wantText,
	"base.digest":   wantDigest,
	"base.name":     wantText,
}

// requiredMetadata takes an annotation of the same key for a label: tools
// read both. What a base hands down counts, where a lock tells it.
func requiredMetadata(d *docket) {
	required, allowed := d.list("labels"), d.list("allow")
	for _, inst := range d.images() {
		img := inst.Body.Image
		_, _, read, based := d.base(inst)
		var missing []string
		wanted := required
		if d.unknownLabels(inst) {
			wanted = nil // what is missing may be what has no value yet
		}
		for _, key := range wanted {
			inherited := based && !read && !strings.HasPrefix(key, ociPrefix) // may be, nobody knows
			if !inherited && strings.TrimSpace(inst.Labels[key]) == "" && !says(img.Annotations, key) && !says(img.Stamp, key) {
				missing = append(missing, key)
			}
		}
		if len(missing) > 0 {
			d.found(inst.Body.Addr, inst.Body.Range, "Labels are missing", "%s has no %s. Say it in `labels`.", inst.Body.Addr.Local(), few(missing))
		}
		if len(allowed) == 0 {
			continue
		}
		for _, l := range img.Labels {
			if !l.Unset && !slices.Contains(required, l.Name) && !slices.ContainsFunc(allowed, func(p string) bool { return strings.HasPrefix(l.Name, p) }) {
				d.found(inst.Body.Addr, l.Range, "The label is not listed",
					"%s has the label %s, and the policy lists what labels begin with, %s. Leave it out.", inst.Body.Addr.Local(), l.Name, few(allowed))
			}
		}
	}
}

// unknownLabels reports whether a label or annotation of a chain has no value
// yet: `validate` asks before a variable has one.
func (d *docket) unknownLabels(img *Instance) bool {
	return slices.ContainsFunc(d.chain(img), func(inst *Instance) bool {
		return slices.ContainsFunc(inst.Body.Incomplete, func(name string) bool {
			return slices.ContainsFunc([]string{"labels", "annotations", "stamp"}, func(of string) bool { return name == of || strings.HasPrefix(name, of+" ") })
		})
	})
}

func says(vars []spec.EnvVar, key string) bool {
	return slices.ContainsFunc(vars, func(v spec.EnvVar) bool { return v.Name == key && strings.TrimSpace(v.Value) != "" })
}

func validMetadata(d *docket) {
	for _, inst := range d.Instances {
		img := inst.Body.Image
		if img == nil {
			continue
		}
		judge := func(what string, vars []spec.EnvVar) {
			for _, v := range vars {
				if wrong := wrongMetadata(v.Name, v.Value); !v.Unset && wrong != "" {
					d.found(inst.Body.Addr, v.Range, "Malformed metadata", "The %s %q of %s %s.", what, v.Name, inst.Body.Addr.Local(), wrong)
				}
			}
		}
		judge("label", img.Labels)
		judge("annotation", img.Annotations)
		judge("annotation", img.Stamp)
	}
}

// wrongMetadata says what is wrong with a key or its value, as the end of a
// sentence. Keys of others are theirs: only what no tool could ask for is
// wrong with them.
func wrongMetadata(key, value string) string {
	if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`"'=`, r) }) {
		return "has a key with a quote or `=` in it, which no tool can ask for. Take letters, digits, dots and dashes"
	}
	name, ours := strings.CutPrefix(key, ociPrefix)
	if !ours {
		return ""
	}
	want, known := ociKeys[name]
	if !known {
		var names []string
		for k := range ociKeys {
			names = append(names, k)
		}
		return "is none of those that the OCI image-spec defines" + didYouMean(name, names) + ". Take a name space of your own, such as com.example"
	}
	return want(value)
}

func wantText(v string) string {
	if strings.TrimSpace(v) == "" {
		return "is empty. Say something, or leave it out"
	}
	return ""
}

func wantTime(v string) string {
	if _, err := time.Parse(time.RFC3339, v); err != nil {
		return fmt.Sprintf("is %q, which is no time of RFC 3339. Write 2026-03-31T12:00:00Z", v)
	}
	return ""
}

// wantURL takes any scheme: sources are git+ssh:// as well as https://. An scp
// path, git@host:path, is no URL, and pages do not link it.
func wantURL(v string) string {
	if u, err := url.Parse(v); err != nil || u.Scheme == "" || u.Host == "" || strings.ContainsAny(v, " \t\n") {
		return fmt.Sprintf("is %q, which is no URL. Write it whole, https://git.example.com/shop/web", v)
	}
	return ""
}

// wantRevision takes any system's: only a variable that nothing put in, or a
// sentence, is none.
func wantRevision(v string) string {
	if v == "" || strings.ContainsAny(v, " \t\n$") {
		return fmt.Sprintf("is %q, which names no revision. Write the commit's id", v)
	}
	return ""
}

// wantAddresses looks at what is written as an address only: names and pages
// are contacts as well.
func wantAddresses(v string) string {
	if strings.TrimSpace(v) == "" {
		return wantText(v)
	}
	for rest := v; ; {
		_, after, begins := strings.Cut(rest, "<")
		inner, tail, ends := strings.Cut(after, ">")
		if !begins || !ends {
			return ""
		}
		if _, err := mail.ParseAddress(inner); strings.Contains(inner, "@") && err != nil {
			return fmt.Sprintf("holds <%s>, which is no e-mail address. Write Name <name@example.com>", inner)
		}
		rest = tail
	}
}

func wantDigest(v string) string {
	hex, ok := strings.CutPrefix(v, "sha256:")
	if ok && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == "" {
		return ""
	}
	if hex, ok := strings.CutPrefix(v, "sha512:"); ok && len(hex) == 128 && strings.Trim(hex, "0123456789abcdef") == "" {
		return ""
	}
	return fmt.Sprintf("is %q, which is no digest. Write sha256: and 64 hexadecimal digits", v)
}
