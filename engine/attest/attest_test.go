package attest_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/attest"
	"github.com/specbuild/specbuild/lower/dag"
)

// madeLayer is a layer of the given entries, in order: a name that ends in "/"
// is a folder.
type madeLayer struct {
	engine.Layer
	id, origin string
	tar        []byte
	opened     *int
}

func (l madeLayer) DiffID() string { return l.id }
func (l madeLayer) Origin() string { return l.origin }
func (l madeLayer) Tar(context.Context) (io.ReadCloser, error) {
	*l.opened++
	return io.NopCloser(bytes.NewReader(l.tar)), nil
}

type entry struct {
	name, content string
	mode          int64
}

func newLayer(t *testing.T, entries ...entry) madeLayer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Size: int64(len(e.content)), Mode: 0o644 | e.mode, Typeflag: tar.TypeReg}
		if strings.HasSuffix(e.name, "/") {
			h.Typeflag, h.Size = tar.TypeDir, 0
		}
		if err := errors.Join(w.WriteHeader(h), write(w, e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return madeLayer{id: fmt.Sprintf("sha256:%x", sha256.Sum256(b.Bytes())), tar: b.Bytes(), opened: new(int)}
}

func write(w io.Writer, s string) error {
	_, err := io.WriteString(w, s)
	return err
}

// memory is a store's records.
type memory map[string]string

func (m memory) Record(kind, key string) (string, bool)  { v, ok := m[kind+"/"+key]; return v, ok }
func (m memory) PutRecord(kind, key, value string) error { m[kind+"/"+key] = value; return nil }

func scan(t *testing.T, layers ...madeLayer) attest.Contents {
	t.Helper()
	c, err := attest.Scan(t.Context(), imageOf(layers...), memory{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func imageOf(layers ...madeLayer) engine.Image {
	img := engine.Image{Platform: "linux/amd64"}
	for _, l := range layers {
		img.Layers = append(img.Layers, l)
	}
	return img
}

// names are what was found, as "kind name version arch".
func names(c attest.Contents) []string {
	var out []string
	for _, p := range c.Packages {
		out = append(out, strings.TrimSpace(strings.Join([]string{p.Kind, p.Name, p.Version, p.Arch}, " ")))
	}
	return out
}

const status = `Package: nginx
Status: install ok installed
Architecture: amd64
Version: 1.26.3-3+deb13u1
Description: small, powerful web server
 Package: not a field, but a line of the description

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: libc6
Status: install ok unpacked
Architecture: amd64
Version: 2.41-12
`

const apk = `C:Q1abc=
P:musl
V:1.2.5-r1
A:x86_64
F:lib
R:libc.so
a:0:0:755

P:busybox
V:1.36.1-r29
A:x86_64
`

func TestScanReadsDatabases(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		entries []entry
		want    []string
	}{
		{"dpkg", []entry{{"var/lib/dpkg/status", status, 0}}, []string{"deb libc6 2.41-12 amd64", "deb nginx 1.26.3-3+deb13u1 amd64"}},
		{"distroless", []entry{
			{"./var/lib/dpkg/status.d/tzdata", "Package: tzdata\nVersion: 2025b-0\nArchitecture: all\n", 0},
			{"./var/lib/dpkg/status.d/tzdata.md5sums", "Package: no\nVersion: 1\n", 0},
		}, []string{"deb tzdata 2025b-0 all"}},
		{"apk", []entry{{"lib/apk/db/installed", apk, 0}}, []string{"apk busybox 1.36.1-r29 x86_64", "apk musl 1.2.5-r1 x86_64"}},
		{"somebody's notes", []entry{{"home/me/var/lib/dpkg/status", status, 0}, {"srv/installed", apk, 0}}, nil},
		{"an empty database", []entry{{"var/lib/dpkg/status", "", 0}}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := names(scan(t, newLayer(t, tt.entries...))); !slices.Equal(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}

// TestScanSeesWhatTheLastLayerLeaves: a database that was replaced, deleted or
// hidden is no longer there.
func TestScanSeesWhatTheLastLayerLeaves(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		over entry
		want []string
	}{
		{"replaced", entry{"var/lib/dpkg/status", strings.SplitAfter(status, "\n\n")[0], 0}, []string{"deb nginx 1.26.3-3+deb13u1 amd64"}},
		{"deleted", entry{"var/lib/dpkg/.wh.status", "", 0}, nil},
		{"its folder deleted", entry{"var/lib/.wh.dpkg", "", 0}, nil},
		{"an opaque folder", entry{"var/lib/dpkg/.wh..wh..opq", "", 0}, nil},
		{"a file in its folder's place", entry{"var/lib", "x", 0}, nil},
		{"the folder again", entry{"var/lib/dpkg/", "", 0}, []string{"deb libc6 2.41-12 amd64", "deb nginx 1.26.3-3+deb13u1 amd64"}},
		{"a neighbour deleted", entry{"var/lib/dpkg/.wh.stat", "", 0}, []string{"deb libc6 2.41-12 amd64", "deb nginx 1.26.3-3+deb13u1 amd64"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := names(scan(t, newLayer(t, entry{"var/lib/dpkg/status", status, 0}), newLayer(t, tt.over)))
			if !slices.Equal(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}

// TestScanReadsProgramsOfGo on the best example at hand: this test.
func TestScanReadsProgramsOfGo(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	found := names(scan(t, newLayer(t, entry{"app", string(data), 0o111})))
	for _, want := range []string{"golang stdlib 1.", "golang github.com/specbuild/specbuild"} {
		if !slices.ContainsFunc(found, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("no %s in %q", want, found)
		}
	}
	for name, e := range map[string]entry{
		"not executable": {"app", string(data), 0},
		"cut off":        {"app", string(data[:len(data)/3]), 0o111},
		"no ELF":         {"app", strings.Repeat("x", 1<<20), 0o111},
	} {
		if found := names(scan(t, newLayer(t, e))); name != "cut off" && len(found) > 0 {
			t.Errorf("%s: found %q", name, found)
		}
	}
}

// TestScanLeavesBasesAlone: a layer that a registry holds is not fetched, and
// what is known is not read again.
func TestScanLeavesBasesAlone(t *testing.T) {
	t.Parallel()
	base, own := newLayer(t, entry{"var/lib/dpkg/status", status, 0}), newLayer(t, entry{"etc/os-release", "NAME=x\nID=\"debian\"\n", 0},
		entry{"var/lib/rpm/rpmdb.sqlite", "SQLite format 3", 0})
	base.origin = "registry.example.com/base"
	known := memory{}
	for range 2 {
		c, err := attest.Scan(t.Context(), imageOf(base, own), known)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Packages) > 0 || c.Distro != "debian" || !slices.Equal(c.Unread, []string{"/var/lib/rpm/rpmdb.sqlite"}) {
			t.Errorf("found %+v", c)
		}
	}
	if *base.opened != 0 || *own.opened != 1 {
		t.Errorf("the base was read %d times, the other %d times", *base.opened, *own.opened)
	}
}

func TestScanSaysWhichLayerIsBroken(t *testing.T) {
	t.Parallel()
	l := newLayer(t, entry{"var/lib/dpkg/status", status, 0})
	l.tar = l.tar[:700]
	if _, err := attest.Scan(t.Context(), imageOf(l), memory{}); err == nil || !strings.Contains(err.Error(), l.id) {
		t.Errorf("err = %v", err)
	}
}

// build is a graph of an image over a base, with packages, a network step and
// sources of each kind.
func build(t *testing.T, found attest.Contents) attest.Build {
	t.Helper()
	var b dag.Builder
	base := b.Add(&dag.Base{Digest: "sha256:" + strings.Repeat("b", 64), Platform: "linux/arm64"}, nil,
		dag.Meta{Ref: "registry.example.com/team/Base:1.2@sha256:" + strings.Repeat("b", 64)})
	tools := b.Add(&dag.Scratch{}, nil, dag.Meta{})
	tools = b.Add(&dag.Packages{Manager: "deb", Arch: "amd64", Packages: []dag.Package{
		{Name: "g++", Version: "4:14.2.0-1", Arch: "amd64", SHA256: strings.Repeat("1", 64)},
	}}, []dag.ID{tools}, dag.Meta{})
	git := b.Add(&dag.Git{Commit: strings.Repeat("c", 40)}, nil, dag.Meta{URL: "https://user:hush@git.example.com/a.git"})
	tools = b.Add(&dag.Copy{To: "/src/"}, []dag.ID{tools, git}, dag.Meta{})
	tools = b.Add(&dag.Run{Args: []string{"make", "TOKEN=hush"}, Env: []dag.KV{{Name: "A", Value: "hush"}}, Network: "outbound"}, []dag.ID{tools}, dag.Meta{})
	root := b.Add(&dag.Packages{Manager: "deb", Arch: "arm64", Packages: []dag.Package{
		{Name: "libc6", Version: "2.41-12", Arch: "arm64", SHA256: strings.Repeat("2", 64)},
	}}, []dag.ID{base}, dag.Meta{})
	root = b.Add(&dag.Copy{To: "/app", Sources: []string{"/src/app"}}, []dag.ID{root, tools}, dag.Meta{})
	http := b.Add(&dag.HTTP{SHA256: strings.Repeat("d", 64), Name: "x"}, nil, dag.Meta{URL: "https://example.com/x?token=hush"})
	root = b.Add(&dag.Copy{To: "/x"}, []dag.ID{root, http}, dag.Meta{})
	local := b.Add(&dag.Local{Context: "services/web"}, nil, dag.Meta{})
	root = b.Add(&dag.Copy{To: "/srv/"}, []dag.ID{root, local}, dag.Meta{})
	img := b.Add(&dag.Image{Platform: "linux/arm64"}, []dag.ID{root}, dag.Meta{})
	b.Output(dag.Output{Addr: "//services/web:image.web", Node: img, Images: []dag.ID{img}, Platforms: []string{"linux/arm64"}})
	g := b.Graph()
	return attest.Build{Graph: g, Output: g.Outputs[0], Digest: "sha256:" + strings.Repeat("a", 64), Version: "1.0", Found: found}
}

// statements are both, read again.
func statements(t *testing.T, b attest.Build) (sbom, provenance map[string]any) {
	t.Helper()
	list, err := b.Statements()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]any
	for _, s := range list {
		var m map[string]any
		if err := json.Unmarshal(s.JSON, &m); err != nil {
			t.Fatal(err)
		}
		if m["_type"] != "https://in-toto.io/Statement/v1" || m["predicateType"] != s.Predicate {
			t.Errorf("the statement begins %v, %v", m["_type"], m["predicateType"])
		}
		subject, _ := json.Marshal(m["subject"])
		if want := `[{"digest":{"sha256":"` + strings.Repeat("a", 64) + `"},"name":"//services/web:image.web"}]`; string(subject) != want {
			t.Errorf("the subject is %s, want %s", subject, want)
		}
		body, _ := json.Marshal(m["predicate"])
		var own map[string]any
		if json.Unmarshal(s.Body, &own) != nil || !jsonEqual(t, own, m["predicate"]) {
			t.Errorf("the predicate alone is %s, in the statement it is %s", s.Body, body)
		}
		if strings.Contains(string(s.JSON), "hush") {
			t.Errorf("it tells a value:\n%s", s.JSON)
		}
		out = append(out, own)
	}
	return out[0], out[1]
}

func jsonEqual(t *testing.T, a, b any) bool {
	t.Helper()
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

func TestProvenanceListsWhatWasUsed(t *testing.T) {
	t.Parallel()
	_, p := statements(t, build(t, attest.Contents{}))
	var got struct {
		BuildDefinition struct {
			External map[string]any `json:"externalParameters"`
			Internal map[string]any `json:"internalParameters"`
			Deps     []struct {
				URI    string            `json:"uri"`
				Digest map[string]string `json:"digest"`
			} `json:"resolvedDependencies"`
		} `json:"buildDefinition"`
	}
	data, _ := json.Marshal(p)
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	d := got.BuildDefinition
	if d.External["platform"] != "linux/arm64" || !jsonEqual(t, d.External["contexts"], []string{"services/web"}) {
		t.Errorf("asked for: %v", d.External)
	}
	if d.Internal["network"] != "outbound" || d.Internal["steps"] != 7.0 {
		t.Errorf("followed: %v", d.Internal)
	}
	want := []string{
		"git+https://git.example.com/a.git@" + strings.Repeat("c", 40) + " gitCommit",
		"https://example.com/x sha256",
		"pkg:deb/debian/g%2B%2B@4:14.2.0-1?arch=amd64 sha256",
		"pkg:deb/debian/libc6@2.41-12?arch=arm64 sha256",
		"pkg:oci/base@sha256:" + strings.Repeat("b", 64) + "?arch=arm64&repository_url=registry.example.com%2Fteam%2FBase sha256",
	}
	var have []string
	for _, dep := range d.Deps {
		for kind := range dep.Digest {
			have = append(have, dep.URI+" "+kind)
		}
	}
	if !slices.Equal(have, want) {
		t.Errorf("used:\n%s\nwant:\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
}

// purls are the package URLs of a bill of materials without what is behind
// the question mark, each with the first digit of its checksum.
func purls(t *testing.T, sbom map[string]any) []string {
	t.Helper()
	var doc struct {
		Packages []struct {
			Checksums []struct {
				Value string `json:"checksumValue"`
			}
			Refs []struct {
				Locator string `json:"referenceLocator"`
			} `json:"externalRefs"`
		}
		Relationships []struct {
			Kind string `json:"relationshipType"`
			To   string `json:"relatedSpdxElement"`
		}
	}
	data, _ := json.Marshal(sbom)
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Relationships) != len(doc.Packages) {
		t.Errorf("%d things and %d relations between them", len(doc.Packages), len(doc.Relationships))
	}
	var out []string
	for _, p := range doc.Packages {
		for _, r := range p.Refs {
			sum := "-"
			if len(p.Checksums) > 0 {
				sum = p.Checksums[0].Value[:1]
			}
			url, _, _ := strings.Cut(r.Locator, "?")
			out = append(out, url+" "+sum)
		}
	}
	return out
}

// TestSBOMListsWhatIsInTheImage and not what it was built with.
func TestSBOMListsWhatIsInTheImage(t *testing.T) {
	t.Parallel()
	base := "pkg:oci/base@sha256:" + strings.Repeat("b", 64) + " b"
	for _, tt := range []struct {
		name  string
		found attest.Contents
		want  []string
	}{
		{"no database", attest.Contents{}, []string{base, "pkg:deb/debian/libc6@2.41-12 2"}},
		{"the database has more", attest.Contents{Dpkg: true, Distro: "ubuntu", Packages: []attest.Package{
			{Kind: "deb", Name: "bash", Version: "5.2", Arch: "arm64"}, {Kind: "deb", Name: "libc6", Version: "2.41-12", Arch: "arm64"},
		}}, []string{base, "pkg:deb/ubuntu/bash@5.2 -", "pkg:deb/ubuntu/libc6@2.41-12 2"}},
		{"removed by a step", attest.Contents{Dpkg: true}, []string{base}},
		{"a program", attest.Contents{Packages: []attest.Package{{Kind: "golang", Name: "golang.org/x/sys", Version: "v0.1.0"}, {Kind: "golang", Name: "stdlib", Version: "1.26"}}},
			[]string{base, "pkg:deb/debian/libc6@2.41-12 2", "pkg:golang/golang.org/x/sys@v0.1.0 -", "pkg:golang/stdlib@1.26 -"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sbom, _ := statements(t, build(t, tt.found))
			if got := purls(t, sbom); !slices.Equal(got, tt.want) {
				t.Errorf("it lists:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
	sbom, _ := statements(t, build(t, attest.Contents{Unread: []string{"/var/lib/rpm/rpmdb.sqlite"}}))
	if text, _ := sbom["comment"].(string); !strings.Contains(text, "rpmdb.sqlite") {
		t.Errorf("what could not be read is not said: %q", text)
	}
}

// TestStatementsAreTheSameBytes for the same image.
func TestStatementsAreTheSameBytes(t *testing.T) {
	t.Parallel()
	found := attest.Contents{Packages: []attest.Package{{Kind: "apk", Name: "musl", Version: "1"}}}
	one, err := build(t, found).Statements()
	if err != nil {
		t.Fatal(err)
	}
	two, err := build(t, found).Statements()
	if err != nil {
		t.Fatal(err)
	}
	for i := range one {
		if !bytes.Equal(one[i].JSON, two[i].JSON) {
			t.Errorf("%s\n%s", one[i].JSON, two[i].JSON)
		}
	}
}

func TestSearchTellsWhichStatement(t *testing.T) {
	t.Parallel()
	list, err := build(t, attest.Contents{}).Statements()
	if err != nil {
		t.Fatal(err)
	}
	found := errors.New("found")
	r := engine.Result{Search: func(what string, value any) error {
		if data, err := json.Marshal(value); err == nil && strings.Contains(what, attest.ProvenanceType) && bytes.Contains(data, []byte("services/web")) {
			return found
		}
		return nil
	}}
	if err := attest.Search(r, list); !errors.Is(err, found) {
		t.Errorf("err = %v", err)
	}
	if err := attest.Search(engine.Result{}, list); err != nil {
		t.Errorf("a build without secrets: %v", err)
	}
}

func TestStatementsNeedASubject(t *testing.T) {
	t.Parallel()
	b := build(t, attest.Contents{})
	b.Digest = ""
	if _, err := b.Statements(); err == nil {
		t.Error("statements about nothing")
	}
}
