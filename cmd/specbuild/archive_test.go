package main

import (
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/specbuild/specbuild/planner/pin/deb/debtest"
)

// archiveCommand is `archive FILE`: it serves a signed Debian archive on
// loopback, suite stable, component main, as $ARCHIVE, with its key in
// archive.asc. A line of the file is a package: name, version, architecture,
// then fields of its control file, separated by semicolons; it holds
// /usr/share/NAME/version. Given again, the archive has what the new file
// says, besides the files of packages that it had.
func archiveCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: archive FILE")
	}
	a := ts.Value(archiveKey{}).(*servedArchive)
	suite := debtest.Suite{Name: "stable", Arches: []string{"amd64", "arm64"}, Components: map[string][]debtest.Package{}}
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		head, fields, _ := strings.Cut(strings.TrimSpace(line), ";")
		f := strings.Fields(head)
		if len(f) != 3 {
			ts.Fatalf("archive: %q is no package", line)
		}
		p := debtest.Package{Name: f[0], Version: f[1], Arch: f[2], Files: map[string]string{"usr/share/" + f[0] + "/version": f[1] + "\n"}}
		for field := range strings.SplitSeq(fields, ";") {
			if field = strings.TrimSpace(field); field != "" {
				p.Fields += field + "\n"
			}
		}
		suite.Components["main"] = append(suite.Components["main"], p)
	}
	if a.server == nil {
		ts.Check(a.start(ts))
	}
	ts.Check(debtest.Write(a.dir, a.key, suite))
}

// archiveKey finds a story's archive.
type archiveKey struct{}

type servedArchive struct {
	dir    string
	key    debtest.Key
	server *debtest.Server
}

func (a *servedArchive) start(ts *testscript.TestScript) error {
	a.dir = ts.MkAbs(".archive")
	var err error
	if a.key, err = debtest.NewKey(); err != nil {
		return err
	}
	public, err := a.key.Public()
	if err != nil {
		return err
	}
	a.server = debtest.Serve(a.dir, nil)
	ts.Setenv("ARCHIVE", a.server.URL)
	return os.WriteFile(ts.MkAbs("archive.asc"), []byte(public), 0o644)
}

// close may be called for a story that served nothing.
func (a *servedArchive) close() {
	if a.server != nil {
		a.server.Close()
	}
}
