package debtest_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/engine/xz"
	"github.com/specbuild/specbuild/planner/pin/deb/debtest"
)

// TestIndexesAreXZ reads an index of several chunks with the reader that
// is compared with xz itself.
func TestIndexesAreXZ(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key, err := debtest.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	var many []debtest.Package
	for range 1000 {
		many = append(many, debtest.Package{Name: "a", Fields: "Depends: b\n"})
	}
	suite := debtest.Suite{Name: "s", Components: map[string][]debtest.Package{"main": many, "empty": nil}, Forms: []string{"", "xz"}}
	if err := debtest.Write(dir, key, suite); err != nil {
		t.Fatal(err)
	}
	for _, component := range []string{"main", "empty"} {
		at := filepath.Join(dir, "dists/s", component, "binary-amd64/Packages")
		plain, err := os.ReadFile(at)
		if err != nil {
			t.Fatal(err)
		}
		packed, err := os.ReadFile(at + ".xz")
		if err != nil {
			t.Fatal(err)
		}
		got, err := xz.Decode(t.Context(), bytes.NewReader(packed), int64(len(packed)), 1<<20)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: %d bytes, %v; wanted %d", component, len(got), err, len(plain))
		}
	}
}

// TestDpkgReadsThePackages: what is tested with them is tested with packages.
func TestDpkgReadsThePackages(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		if os.Getenv("SPECBUILD_TEST_REQUIRE") != "" {
			t.Fatal("dpkg-deb is required here")
		}
		t.Skip("needs dpkg-deb")
	}
	data, err := debtest.Package{Name: "hello", Version: "1:2-3", Fields: "Depends: b\n", Files: map[string]string{"usr/bin/hello": "#!x"}}.Deb()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "hello.deb")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	info, err := exec.Command("dpkg-deb", "-I", file).CombinedOutput()
	if err != nil || !strings.Contains(string(info), "Version: 1:2-3") || !strings.Contains(string(info), "Depends: b") {
		t.Errorf("%v\n%s", err, info)
	}
	list, err := exec.Command("dpkg-deb", "-c", file).CombinedOutput()
	if err != nil || !strings.Contains(string(list), "-rwxr-xr-x 0/0") || !strings.Contains(string(list), "./usr/bin/hello") {
		t.Errorf("%v\n%s", err, list)
	}
}
