package deb

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTheOrderOfPreinsts: users first, with what their tables are made by;
// then what others depend on, through packages without a script and in
// circles too.
func TestTheOrderOfPreinsts(t *testing.T) {
	t.Parallel()
	script := map[string]string{"preinst": "#!/bin/sh\n"}
	r, err := Unpacker{}.Install(t.Context(), Request{Arch: "amd64", Configure: true, Packages: []Package{
		spec{name: "aa", control: script, fields: "Depends: nothing | between (>= 1), zz:any\n"}.pkg(t),
		spec{name: "base-files", control: script, fields: "Pre-Depends: awk\n"}.pkg(t),
		spec{name: "base-passwd", control: script, fields: "Depends: libc6 (>= 2.8), aa\n"}.pkg(t),
		spec{name: "between", fields: "Depends: mm [amd64]\n"}.pkg(t),
		spec{name: "libc6", control: script, fields: "Multi-Arch: same\n"}.pkg(t),
		spec{name: "mm", control: script, fields: "Pre-Depends: aa\n"}.pkg(t),
		spec{name: "nn", control: map[string]string{"postinst": "#!/bin/sh\n"}}.pkg(t),
		spec{name: "zz", control: script}.pkg(t),
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := `format 1
preinst libc6:amd64 libc6 amd64
preinst mm mm amd64
preinst zz zz amd64
preinst aa aa amd64
preinst base-passwd base-passwd amd64
preinst base-files base-files amd64
`
	if d := cmp.Diff(want, content(t, r, markPath)); d != "" {
		t.Error("the order of the scripts (-want +got): ", d)
	}
	status := content(t, r, "var/lib/dpkg/status")
	if strings.Count(status, "\nStatus: install ok unpacked\n") != 8 || strings.Contains(status, "installed") {
		t.Errorf("status: %s", status)
	}
	if has(r, "etc/passwd") {
		t.Error("what scripts are to make was made natively")
	}

	// Without scripts that are to run, the mark says no more than who wrote.
	if got := content(t, mustInstall(t, spec{control: script}), markPath); got != "format 1\n" {
		t.Errorf("the mark says %q", got)
	}
}
