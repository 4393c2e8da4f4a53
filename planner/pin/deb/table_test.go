package deb

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/engine/fetch"
	"github.com/specbuild/specbuild/planner/pin/deb/debtest"
)

// large is a Packages file of as many stanzas as Debian's, of its size.
func large() string {
	var b strings.Builder
	for i := range 68_000 {
		fmt.Fprintf(&b, "Package: pkg%05[1]d\nVersion: 1.%[1]d-1\nArchitecture: amd64\nMaintainer: Somebody <somebody@example.com>\nDepends: libc6 (>= 2.36), pkg%05[2]d, pkg%05[3]d (>= 1)\nProvides: virtual%[4]d (= 1)\nPriority: optional\nFilename: pool/main/p/pkg/pkg%05[1]d_1_amd64.deb\nSize: 1000\nMD5sum: 00000000000000000000000000000000\nSHA256: %064[1]d\nDescription: a package that is one of many, and has a line about it\nDescription-md5: 00000000000000000000000000000000\nHomepage: https://example.com/some/project/that/is/packaged\nTag: implemented-in::c, role::program, scope::utility, use::converting\n\n",
			i, i/2, i/3, i%20_000)
	}
	b.WriteString("Package: libc6\nVersion: 2.40\nArchitecture: amd64\nFilename: pool/c\nSize: 1\nSHA256: " + strings.Repeat("0", 64) + "\n")
	return b.String()
}

// BenchmarkIndexFirst is an index that was just downloaded: read, sorted,
// packed, written.
func BenchmarkIndexFirst(b *testing.B) {
	text := large()
	b.SetBytes(int64(len(text)))
	k := kept(b.TempDir())
	for b.Loop() {
		records, err := readRecords(text)
		if err != nil {
			b.Fatal(err)
		}
		t, err := newTable(records)
		if err != nil {
			b.Fatal(err)
		}
		raw, err := t.encode()
		if err != nil {
			b.Fatal(err)
		}
		if err := k.write("x", raw); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIndexAgain is one that is kept: read, checked, solved against.
func BenchmarkIndexAgain(b *testing.B) {
	records, err := readRecords(large())
	if err != nil {
		b.Fatal(err)
	}
	t, err := newTable(records)
	if err != nil {
		b.Fatal(err)
	}
	raw, err := t.encode()
	if err != nil {
		b.Fatal(err)
	}
	k := kept(b.TempDir())
	if err := k.write("x", raw); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		t, err := decodeTable(k.read("x"))
		if err != nil {
			b.Fatal(err)
		}
		list, err := newIndex("amd64", []shelf{{t, sourceDebian}}).Solve(Request{Install: []string{"pkg60000"}})
		if err != nil || len(list) < 20 {
			b.Fatalf("%d packages, %v", len(list), err)
		}
	}
}

// BenchmarkResolveAgain is all that `specbuild lock` does for a small archive
// that it knows: ask for the release, verify it, read, solve.
func BenchmarkResolveAgain(b *testing.B) {
	dir := b.TempDir()
	key, err := debtest.NewKey()
	if err != nil {
		b.Fatal(err)
	}
	if err := debtest.Write(dir, key, stable()); err != nil {
		b.Fatal(err)
	}
	server := debtest.Serve(dir, nil)
	defer server.Close()
	public, err := key.Public()
	if err != nil {
		b.Fatal(err)
	}
	source := Source{URL: server.URL, Suites: []string{"stable"}, Components: []string{"main", "extra"}, SignedBy: []byte(public)}
	cache, client := b.TempDir(), fetch.New(fetch.Options{})
	for b.Loop() {
		r := NewResolver(Options{Cache: cache, Client: client})
		if _, err := r.Resolve(b.Context(), Query{Archive: Archive{Sources: []Source{source}}, Arch: "amd64", Request: Request{Install: []string{"plugin"}}}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestTablesOfAnySize: blocks have a last one that is not full.
func TestTablesOfAnySize(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, perBlock - 1, perBlock, perBlock + 1, 3*perBlock - 1} {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, "Package: p%03d\nVersion: %d\nArchitecture: all\nDepends: a,\n b\n\tc\nFilename: f\nSize: 1\nSHA256: %064d\nProvides: v, w%d\n\n", n-i, i, i, i%2)
		}
		records, err := readRecords(text.String())
		if err != nil {
			t.Fatal(err)
		}
		made, err := newTable(records)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := made.encode()
		if err != nil {
			t.Fatal(err)
		}
		read, err := decodeTable(raw)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			r, err := read.stanza(i)
			if err != nil || r[0] != fmt.Sprintf("p%03d", i+1) || r[11] != "a, b c" {
				t.Fatalf("%d of %d: %q, %v", i, n, r, err)
			}
			if from, to := read.find(r[0]); from != i || to != i+1 {
				t.Errorf("%s of %d is from %d to %d", r[0], n, from, to)
			}
		}
		if from, to := read.find("q"); from != to {
			t.Errorf("q of %d was found", n)
		}
		if got := len(read.providers("v")); got != n {
			t.Errorf("%d of %d provide v", got, n)
		}
	}
}

// TestIndexesThatAreNone name the package that is wrong.
func TestIndexesThatAreNone(t *testing.T) {
	t.Parallel()
	good := "Package: p\nVersion: 1\nArchitecture: all\nFilename: f\nSize: 1\nSHA256: " + strings.Repeat("0", 64) + "\n"
	if records, err := readRecords(strings.ReplaceAll(good, "\n", "\r\n")); err != nil || len(records) != 1 || records[0][1] != "1" {
		t.Errorf("%v, %v", records, err)
	}
	for _, line := range []string{"Version: 1\n", "Architecture: all\n", "Filename: f\n", "Size: 1\n", "0\n"} {
		if _, err := readRecords(strings.Replace(good, line, "", 1)); err == nil || !strings.Contains(err.Error(), `"p"`) {
			t.Errorf("without %q: %v", line, err)
		}
	}
	if _, err := decodeTable(nil); err == nil {
		t.Error("nothing is a table")
	}
	if _, err := os.Stat(kept("").path("x")); err == nil {
		t.Error("a file was kept where none is")
	}
}
