package pin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/specbuild/specbuild/spec/diag"
)

func digest(c string) string { return "sha256:" + strings.Repeat(c, 64) }

const debian = "docker.io/library/debian:12"

// sample is a lock with everything that a lock can hold.
func sample() Lock {
	request := NewRequest([]string{"nginx", "curl=8.0-1"}, false, false)
	return Lock{
		Bases: map[string]Base{debian: {
			Digest: digest("a"), MediaType: "application/vnd.oci.image.index.v1+json",
			Manifests: map[string]string{"linux/amd64": digest("b"), "linux/arm64": digest("c")},
			Facts: map[string]Facts{"linux/amd64": {
				Config: `{"architecture":"amd64","config":{"User":"app"},"os":"linux"}`, UID: 1000, GID: 1000,
				Shape:  []string{`l 0777 0 0 "bin" "usr/bin"`, `d 1777 0 0 "tmp"`},
				Passwd: digest("d"), Group: digest("e"),
				Layers: []Layer{{Digest: digest("f"), DiffID: digest("0"), MediaType: "application/vnd.oci.image.layer.v1.tar+gzip", Size: 42}},
			}},
		}},
		Repositories: map[string]Repository{"deb:trixie:main": {
			Releases: []Release{{Source: "debian/trixie", Suite: "trixie", Date: "2026-09-12T07:55:41Z", Digest: digest("1")}},
			Packages: map[string][]Package{"amd64": {
				{Name: "curl", Version: "8.0-1", Arch: "amd64", Source: "debian", Path: "pool/main/c/curl_8.0-1_amd64.deb", Size: 7, SHA256: strings.Repeat("2", 64)},
				{Name: "nginx", Version: "1:1.26-3", Arch: "amd64", Source: "debian", Path: "pool/main/n/nginx.deb", Size: 9, SHA256: strings.Repeat("3", 64)},
			}},
			Closures: []Closure{{Arch: "amd64", Request: request, Packages: []Package{
				{Name: "curl", Version: "8.0-1", Arch: "amd64", Source: "debian", Path: "pool/main/c/curl_8.0-1_amd64.deb", Size: 7, SHA256: strings.Repeat("2", 64)},
				{Name: "nginx", Version: "1:1.26-3", Arch: "amd64", Source: "debian", Path: "pool/main/n/nginx.deb", Size: 9, SHA256: strings.Repeat("3", 64)},
			}}},
		}},
	}
}

func parse(t *testing.T, text []byte) Lock {
	t.Helper()
	l, ds := Parse(FileName, text)
	if len(ds) > 0 {
		t.Fatalf("%v", ds)
	}
	return l
}

func TestALockReadsBackAsItWas(t *testing.T) {
	t.Parallel()
	text := sample().Encode()
	l := parse(t, text)
	if diff := cmp.Diff(sample(), l); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	if again := l.Encode(); !bytes.Equal(text, again) {
		t.Errorf("encoded again it is\n%s\nwas\n%s", again, text)
	}
}

func TestLinesMayStandInAnyOrder(t *testing.T) {
	t.Parallel()
	text := string(sample().Encode())
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		r.Shuffle(len(lines)-1, func(i, j int) { lines[i+1], lines[j+1] = lines[j+1], lines[i+1] })
		if got := parse(t, []byte(strings.Join(lines, "\n")+"\n")).Encode(); string(got) != text {
			t.Fatalf("shuffled lines give\n%s", got)
		}
	}
}

// TestDamagedLocksAreRefused changes one thing at a time: each gives an error
// at the line, with what to run.
func TestDamagedLocksAreRefused(t *testing.T) {
	t.Parallel()
	good := string(sample().Encode())
	for name, change := range map[string]func(string) string{
		"no header":      func(s string) string { return strings.TrimPrefix(s, header+"\n") },
		"newer":          func(s string) string { return strings.Replace(s, header, "specbuild-lock 99", 1) },
		"unknown kind":   func(s string) string { return s + "image x - y\n" },
		"merge conflict": func(s string) string { return strings.Replace(s, "\nbase ", "\n<<<<<<< HEAD\nbase ", 1) },
		"cut line":       func(s string) string { return s[:len(s)-20] },
		"bad digest":     func(s string) string { return strings.Replace(s, digest("b"), "sha256:xyz", 1) },
		"said twice": func(s string) string {
			return s + "base " + debian + " - index " + digest("9") + " application/vnd.oci.image.index.v1+json\n"
		},
		"bad quoting": func(s string) string { return s + "base \"x - y\n" },
		"closure of nobody": func(s string) string {
			return strings.Replace(s, "package deb:trixie:main amd64 nginx", "package deb:trixie:main amd64 nginy", 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, ds := Parse(FileName, []byte(change(good)))
			if !ds.HasErrors() {
				t.Fatal("it was taken")
			}
			d := ds.Sorted()[0]
			if d.Range.File != FileName || d.Range.Start.Line == 0 {
				t.Errorf("no place: %+v", d)
			}
			if !strings.Contains(d.Detail, "specbuild") {
				t.Errorf("it does not say what to run: %s", d.Detail)
			}
		})
	}
}

func FuzzParseLock(f *testing.F) {
	f.Add(sample().Encode())
	f.Add([]byte(header + "\nbase a - index sha256:" + strings.Repeat("a", 64) + " x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, ds := Parse(FileName, data)
		if ds.HasErrors() {
			return
		}
		text := l.Encode()
		again, ds := Parse(FileName, text)
		if ds.HasErrors() || !bytes.Equal(again.Encode(), text) {
			t.Errorf("%q was read, but its encoding is refused or differs: %v", data, ds)
		}
	})
}

func TestWriteReplacesTheWholeFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := Write(dir, sample()); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, Lock{}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil || string(text) != header+"\n" {
		t.Errorf("it holds %q (%v)", text, err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("%d files are left in the folder", len(names))
	}
	if err := Write(filepath.Join(dir, "none"), sample()); err == nil {
		t.Error("a folder that is not there was written to")
	}
}

// world is a registry and an archive in memory: the interfaces are this
// package's own.
type world struct {
	mu    sync.Mutex
	index Index
	err   error
	asked map[string]int
	names []string // packages of every answer
	signs Signed
}

func (w *world) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.asked == nil {
		w.asked = map[string]int{}
	}
	w.asked[what]++
}

func (w *world) Resolve(context.Context, string) (Index, error) {
	w.count("resolve")
	return w.index, w.err
}

func (w *world) Facts(_ context.Context, _, d string) (Facts, error) {
	w.count("facts")
	return Facts{Config: `{"os":"linux"}`, Passwd: d}, w.err
}

func (w *world) Signed(context.Context, string, string) (Signed, error) {
	w.count("signed")
	return w.signs, w.err
}

type archive struct{ *world }

func (a archive) Resolve(_ context.Context, q Query) (Answer, error) {
	a.count("packages")
	var out Answer
	for _, n := range a.names {
		out.Packages = append(out.Packages, Package{
			Name: n, Version: "1", Arch: q.Arch, Source: "debian", Path: "pool/" + n, Size: 1, SHA256: strings.Repeat("4", 64),
		})
	}
	out.Releases = []Release{{Source: "debian/trixie", Suite: "trixie", Date: "2026-09-12T07:55:41Z", Digest: digest("1")}}
	return out, a.err
}

func needs() Needs {
	var n Needs
	n.AddBase(BaseNeed{Key: debian, Ref: debian, Names: []string{"os"}, Platforms: []string{"linux/amd64"}, Range: at})
	n.AddClosure(ClosureNeed{
		Repo: Repo{Type: "deb", Suite: "trixie", Components: []string{"main"}}, Names: []string{"trixie"}, Arch: "amd64",
		Request: NewRequest([]string{"nginx"}, false, false), Range: at,
	})
	return n
}

var at = diag.Range{File: "image.hcl", Start: diag.Pos{Line: 3, Column: 1}}

func (w *world) resolvers() Resolvers { return Resolvers{Registry: w, Packages: archive{w}} }

func TestUpdateAsksForWhatIsMissingAndKeepsTheRest(t *testing.T) {
	t.Parallel()
	w := &world{
		index: Index{Digest: digest("a"), MediaType: "m", Manifests: map[string]string{"linux/amd64": digest("b")}},
		names: []string{"libc6", "nginx"},
	}
	l, changes, ds := Update(t.Context(), Lock{}, needs(), w.resolvers(), UpgradePolicy{})
	if len(ds) > 0 || len(changes) == 0 {
		t.Fatalf("%d changes, %v", len(changes), ds)
	}
	if missing := l.Missing(needs()); len(missing) > 0 {
		t.Errorf("it still lacks something: %v", missing)
	}
	if w.asked["resolve"] != 1 || w.asked["facts"] != 1 || w.asked["packages"] != 1 {
		t.Errorf("asked %v", w.asked)
	}
	w.index.Digest = digest("9")
	same, changes, ds := Update(t.Context(), l, needs(), w.resolvers(), UpgradePolicy{})
	if len(changes)+len(ds) > 0 || !bytes.Equal(same.Encode(), l.Encode()) || w.asked["resolve"] != 1 {
		t.Errorf("a whole lock was not kept: %v %v, asked %v", changes, ds, w.asked)
	}
	for _, policy := range []UpgradePolicy{{All: true}, {Names: []string{"os"}}} {
		up, changes, ds := Update(t.Context(), l, needs(), w.resolvers(), policy)
		if len(ds) > 0 || up.Bases[debian].Digest != digest("9") || len(changes) == 0 {
			t.Errorf("%+v: digest %s, %v %v", policy, up.Bases[debian].Digest, changes, ds)
		}
	}
	if l.Bases[debian].Digest != digest("a") {
		t.Error("the old lock was changed")
	}
}

func TestUpgradeOfOnePackageAsksItsClosureAlone(t *testing.T) {
	t.Parallel()
	w := &world{index: Index{Digest: digest("a"), MediaType: "m", Manifests: map[string]string{"linux/amd64": digest("b")}}, names: []string{"nginx"}}
	l, _, ds := Update(t.Context(), Lock{}, needs(), w.resolvers(), UpgradePolicy{})
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	w.asked = nil
	if _, _, ds := Update(t.Context(), l, needs(), w.resolvers(), UpgradePolicy{Names: []string{"nginx"}}); len(ds) > 0 {
		t.Fatal(ds)
	}
	if w.asked["packages"] != 1 || w.asked["resolve"] != 0 {
		t.Errorf("asked %v", w.asked)
	}
}

func TestUpgradeOfANameThatNothingHas(t *testing.T) {
	t.Parallel()
	w := &world{index: Index{Digest: digest("a"), Manifests: map[string]string{"linux/amd64": digest("b")}}}
	_, _, ds := Update(t.Context(), Lock{}, needs(), w.resolvers(), UpgradePolicy{Names: []string{"nosuch"}})
	if !ds.HasErrors() || !strings.Contains(ds[0].Detail, "nosuch") || !strings.Contains(ds[0].Detail, "os, trixie") {
		t.Errorf("%v", ds)
	}
}

func TestARegistryThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	w := &world{err: errors.New("the registry cannot be reached")}
	_, _, ds := Update(t.Context(), Lock{}, needs(), w.resolvers(), UpgradePolicy{})
	found := false
	for _, d := range ds {
		if strings.Contains(d.Detail, "docker.io") {
			found = true
			if strings.Count(d.Detail, debian) != 1 || d.Range != at {
				t.Errorf("%+v", d)
			}
		}
	}
	if !found {
		t.Errorf("nothing is said of the base: %v", ds)
	}
}

func TestADigestThatTheRegistryDoesNotHave(t *testing.T) {
	t.Parallel()
	n := needs()
	n.Bases[0].Digest = digest("7")
	w := &world{index: Index{Digest: digest("a"), Manifests: map[string]string{"linux/amd64": digest("b")}}, names: []string{"nginx"}}
	_, _, ds := Update(t.Context(), Lock{}, n, w.resolvers(), UpgradePolicy{})
	if !ds.HasErrors() || !strings.Contains(ds[0].Detail, digest("7")) || !strings.Contains(ds[0].Detail, digest("a")) {
		t.Errorf("%v", ds)
	}
}

func TestAStaleLockSaysWhichLine(t *testing.T) {
	t.Parallel()
	ds := sample().Missing(needs())
	if len(ds) != 1 || !strings.Contains(ds[0].Detail, "closure deb:trixie:main amd64 nginx") || !strings.Contains(ds[0].Detail, "`specbuild lock`") {
		t.Errorf("%v", ds)
	}
	ds = Lock{}.Missing(needs())
	if len(ds) != 2 {
		t.Errorf("an empty lock lacks %d things, wanted 2: %v", len(ds), ds)
	}
}

func TestALockDoesNotSayOtherwiseThanTheSpec(t *testing.T) {
	t.Parallel()
	const manifest = "application/vnd.oci.image.manifest.v1+json"
	index := Base{Digest: digest("a"), MediaType: "application/vnd.oci.image.index.v1+json", Manifests: map[string]string{"linux/amd64": digest("b")}}
	single := Base{Digest: digest("b"), MediaType: manifest, Manifests: map[string]string{"linux/amd64": digest("b")}}
	edited := Base{Digest: digest("b"), MediaType: manifest, Manifests: map[string]string{"linux/amd64": digest("c")}}
	for name, c := range map[string]struct {
		need BaseNeed
		have Base
		want string // of the detail; "" is that the lock is good
	}{
		"by tag":                {BaseNeed{Key: debian}, index, ""},
		"by attribute":          {BaseNeed{Key: debian + "@" + digest("a"), Digest: digest("a")}, index, ""},
		"in the name":           {BaseNeed{Key: debian + "@" + digest("a")}, index, ""},
		"another by attribute":  {BaseNeed{Key: debian + "@" + digest("7"), Digest: digest("7")}, index, digest("7")},
		"another in the name":   {BaseNeed{Key: debian + "@" + digest("7")}, index, digest("7")},
		"a manifest":            {BaseNeed{Key: debian}, single, ""},
		"a manifest of another": {BaseNeed{Key: debian}, edited, digest("c")},
		"a layout":              {BaseNeed{Key: "layout:base"}, index, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.need.Ref = c.need.Key
			ds := Lock{Bases: map[string]Base{c.need.Key: c.have}}.Missing(Needs{Bases: []BaseNeed{c.need}})
			if c.want == "" && len(ds) > 0 || c.want != "" && (len(ds) != 1 || ds[0].Summary != Stale || !strings.Contains(ds[0].Detail, c.want)) {
				t.Errorf("want %q: %v", c.want, ds)
			}
		})
	}
}

func TestABaseThatWasEditedIsAskedForAnew(t *testing.T) {
	t.Parallel()
	key := debian + "@" + digest("a")
	n := Needs{Bases: []BaseNeed{{Key: key, Ref: key, Platforms: []string{"linux/amd64"}}}}
	w := &world{index: Index{Digest: digest("a"), MediaType: "index", Manifests: map[string]string{"linux/amd64": digest("b")}}}
	edited := Lock{Bases: map[string]Base{key: {Digest: digest("7"), MediaType: "index", Manifests: map[string]string{"linux/amd64": digest("8")}}}}
	lock, _, ds := Update(t.Context(), edited, n, w.resolvers(), UpgradePolicy{})
	if b := lock.Bases[key]; len(ds) > 0 || b.Digest != digest("a") || b.Manifests["linux/amd64"] != digest("b") || b.Facts["linux/amd64"].Config == "" {
		t.Errorf("%v %+v", ds, b)
	}
}

func TestDiffIsForPeople(t *testing.T) {
	t.Parallel()
	old, now := sample(), parse(t, sample().Encode())
	b := now.Bases[debian]
	b.Digest = digest("9")
	now.Bases[debian] = b
	var lines []string
	for _, c := range Diff(old, now) {
		lines = append(lines, c.String())
	}
	want := fmt.Sprintf("~ base %s %s -> %s", debian, digest("a"), digest("9"))
	if len(lines) != 1 || lines[0] != want {
		t.Errorf("got %q, want %q", lines, want)
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"debian:12":                         "docker.io/library/debian:12",
		"shop/web:1":                        "docker.io/shop/web:1",
		"localhost:5000/x:1":                "localhost:5000/x:1",
		"registry.example.com/a/b:1.2":      "registry.example.com/a/b:1.2",
		"debian@" + digest("a"):             "docker.io/library/debian@" + digest("a"),
		"127.0.0.1:5000/x:1@" + digest("a"): "127.0.0.1:5000/x:1@" + digest("a"),
	} {
		r, err := ParseReference(in)
		if err != nil || r.String() != want {
			t.Errorf("%s is %s (%v), want %s", in, r, err, want)
		}
	}
	for _, in := range []string{"", "UPPER/x:1", "a b:1", "x:", "x@sha256:12", "x:" + strings.Repeat("t", 200), "/x:1", "x//y:1"} {
		if r, err := ParseReference(in); err == nil {
			t.Errorf("%q was read as %s", in, r)
		}
	}
}

// BenchmarkParse reads a lock of 40,000 lines.
func BenchmarkParse(b *testing.B) {
	l := sample()
	r := l.Repositories["deb:trixie:main"]
	r.Packages = map[string][]Package{"amd64": nil}
	var all []Package
	for i := range 39_000 {
		all = append(all, Package{
			Name: fmt.Sprintf("p%05d", i), Version: "1.2-3", Arch: "amd64", Source: "debian",
			Path: fmt.Sprintf("pool/main/p/p%05d_1.2-3_amd64.deb", i), Size: int64(i), SHA256: strings.Repeat("5", 64),
		})
	}
	r.Packages["amd64"] = all
	r.Closures = []Closure{{Arch: "amd64", Request: NewRequest([]string{"p00000"}, false, false), Packages: all}}
	l.Repositories = map[string]Repository{"deb:trixie:main": r}
	text := l.Encode()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, ds := Parse(FileName, text); len(ds) > 0 {
			b.Fatal(ds)
		}
	}
}
