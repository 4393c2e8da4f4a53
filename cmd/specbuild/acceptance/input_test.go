//go:build linux

package acceptance

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// plain is a small image that nothing runs for.
const plain = `
image "a" {
  from = scratch
  copy {
    source = "data"
    to     = "/data/"
  }
  file {
    path    = "/etc/motd"
    content = "hello"
  }
  run_as = "1:1"
}
`

// TestSpecsThatAreNoSpecs: whatever is in the file, the answer is a place and
// a sentence, in no time.
func TestSpecsThatAreNoSpecs(t *testing.T) {
	t.Parallel()
	random := make([]byte, 64<<10)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(random) // it never fails
	for name, c := range map[string]struct {
		spec string
		says []string
	}{
		"binary":             {string(random), says("UTF-8")},
		"zeros":              {strings.Repeat("\x00", 4096), says("image.hcl:1")},
		"ten megabytes":      {strings.Repeat("# "+strings.Repeat("x", 98)+"\n", 100_000), says("too large")},
		"nested brackets":    {"locals {\n  a = " + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "\n}\n", says("image.hcl:2", "500")},
		"nested blocks":      {strings.Repeat("a {\n", 10_000) + strings.Repeat("}\n", 10_000), says("500")},
		"nested parentheses": {"locals {\n  a = " + strings.Repeat("(", 10_000) + "1" + strings.Repeat(")", 10_000) + "\n}\n", says("500")},
		"nested templates":   {"locals {\n  a = " + strings.Repeat("\"${", 10_000) + strings.Repeat("}\"", 10_000) + "\n}\n", says("500")},
		"nested negations":   {"locals {\n  a = " + strings.Repeat("!", 10_000) + "true\n}\n", says("image.hcl:2")},
		"never closed":       {"image \"a\" {\n  from = scratch\n", says("image.hcl")},
		"a script":           {"#!/bin/sh\necho hello\n", says("image.hcl:2")},
		"json":               {`{"image": {"a": {"from": "scratch"}}}`, says("image.hcl:1")},
		"a dockerfile":       {"FROM debian:12\nRUN apt-get update\n", says("image.hcl:1")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, files{"image.hcl": c.spec})
			for _, command := range []string{"validate", "plan", "apply"} {
				r := p.fails(3, append(c.says, "image.hcl"), command)
				if r.took > 5*time.Second {
					t.Errorf("%s took %v", command, r.took)
				}
				if len(r.stderr) > 20_000 {
					t.Errorf("%s printed %d bytes", command, len(r.stderr))
				}
			}
		})
	}
}

func TestAFullDiskIsSaidAndHarmsNothing(t *testing.T) {
	t.Parallel()
	needRoot(t)
	p := newProject(t, files{"image.hcl": plain, "data/small": "small"})
	random := make([]byte, 3<<20)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(random)
	p.write(files{"data/big": string(random)})
	want := p.ok("apply", "-o", "oci:out").digest(t)

	full := t.TempDir()
	if err := syscall.Mount("specbuild-test", full, "tmpfs", 0, "size=2m"); err != nil {
		missing(t, "mounting a tmpfs: %v", err)
	}
	t.Cleanup(func() { unmountBelow(t, full) })

	t.Run("cache", func(t *testing.T) {
		q := *p
		q.t, q.cache = t, full
		q.fails(1, says("no space left"), "apply", "-o", "oci:out-2")
		absent(t, p.path("out-2"))

		// The same cache with more space builds what was always built.
		if err := syscall.Mount("", full, "", syscall.MS_REMOUNT, "size=64m"); err != nil {
			t.Fatal(err)
		}
		if got := q.ok("apply", "-o", "oci:out-2").digest(t); got != want {
			t.Errorf("it is %s, want %s", got, want)
		}
		q.ok("cache", "prune", "--all")
		if err := syscall.Mount("", full, "", syscall.MS_REMOUNT, "size=2m"); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("output", func(t *testing.T) {
		q := *p
		q.t = t
		for _, kind := range []string{"oci", "oci-tar", "docker-tar"} {
			q.fails(1, says("no space left", kind+":"), "apply", "-o", kind+":"+filepath.Join(full, kind))
			// A file is there whole or not at all, a layout names nothing that it lacks.
			switch kind {
			case "oci":
				absent(t, filepath.Join(full, kind, "index.json"))
			default:
				absent(t, filepath.Join(full, kind))
			}
			_ = os.RemoveAll(filepath.Join(full, kind)) // make space for the next
		}
	})
}

// TestLinksDoNotLeadOutOfAContext: a link is copied as a link, and one that is
// named is followed only inside its context.
func TestLinksDoNotLeadOutOfAContext(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "passwords"), []byte("outside-content"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ target, source string }{
		"a file by its name":        {filepath.Join(outside, "passwords"), "link"},
		"a relative one":            {"../../../../../../../.." + filepath.Join(outside, "passwords"), "link"},
		"a folder on the way":       {outside, "link/passwords"},
		"a glob below a linked one": {outside, "link/*"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, files{"image.hcl": strings.ReplaceAll(plain, `"data"`, `"`+c.source+`"`)})
			p.must(os.Symlink(c.target, p.path("link")))
			r := p.run("apply", "-o", "dir:tree")
			if r.code == 0 {
				t.Errorf("it was built:\n%s", r.all())
			}
			wants(t, r.stderr, "image.hcl", "link")
			if held := holders(t, p.cache, "outside-content"); len(held) > 0 {
				t.Errorf("the content is in %q", held)
			}
			absent(t, p.path("tree"))
		})
	}

	// Below a folder it stays a link, whatever it points at.
	p := newProject(t, files{"image.hcl": plain, "data/f": "f"})
	p.must(os.Symlink(outside, p.path("data/link")))
	p.ok("apply", "-o", "dir:tree")
	if to, err := os.Readlink(p.path("tree/data/link")); err != nil || to != outside {
		t.Errorf("the link is %q, %v", to, err)
	}
	if held := holders(t, p.cache, "outside-content"); len(held) > 0 {
		t.Errorf("the content is in %q", held)
	}
}

// TestADamagedCacheNeverMakesAWrongImage truncates, empties and removes files
// of the cache at random: the next build is right. What steps stand on, the
// trees below snap, is left alone, since checking it would cost a walk over all of
// it; and so is the format, without which a cache is not touched at all.
func TestADamagedCacheNeverMakesAWrongImage(t *testing.T) {
	t.Parallel()
	p := workProject(t)
	want := p.ok("apply", "-o", "oci:out").digest(t)
	tree := func(q *project) string {
		q.must(os.RemoveAll(q.path("tree")))
		q.ok("apply", "-o", "dir:tree")
		return strings.Join(treeOf(t, q.path("tree")), "\n")
	}
	wantTree := tree(p)
	random := rand.New(rand.NewPCG(3, 4))
	for round := range 12 {
		damaged := damage(t, p.cache, random)
		p.must(os.RemoveAll(p.path("out")))
		r := p.run("apply", "-o", "oci:out")
		if r.code != 0 {
			t.Fatalf("round %d: refused:\n%s\ndamaged were\n%s", round, r.all(), strings.Join(damaged, "\n"))
		}
		if got := r.digest(t); got != want {
			t.Fatalf("round %d: it is %s, want %s; damaged were\n%s", round, got, want, strings.Join(damaged, "\n"))
		}
		checkBlobs(t, p.path("out"))
		if round%4 == 0 {
			if got := tree(p); got != wantTree {
				t.Fatalf("round %d: another tree; damaged were\n%s", round, strings.Join(damaged, "\n"))
			}
		}
	}
}

// TestAnEmptiedTarIsNoLayerWithoutFiles: the copy of a file and the run that
// made it have one layer, whose tar is kept for the copy and was emptied.
func TestAnEmptiedTarIsNoLayerWithoutFiles(t *testing.T) {
	t.Parallel()
	p := workProject(t)
	want := p.ok("apply", "-o", "oci:out").digest(t)
	for _, kind := range []string{"def", "act"} {
		p.must(os.RemoveAll(filepath.Join(p.cache, "specbuild", kind)))
	}
	emptied := 0
	p.must(filepath.WalkDir(filepath.Join(p.cache, "specbuild", "blob"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		emptied++
		return os.Truncate(path, 0)
	}))
	if emptied < 5 {
		t.Fatalf("only %d blobs are in the cache", emptied)
	}
	if got := p.ok("apply", "-o", "oci:again").digest(t); got != want {
		t.Errorf("it is %s, want %s", got, want)
	}
	checkBlobs(t, p.path("again"))
}

// damage hurts a third of a cache's files, each in one of three ways that
// disks and people have, and lists them.
func damage(t testing.TB, dir string, random *rand.Rand) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "fs" {
			return fs.SkipDir // a snapshot's tree
		}
		if err != nil || !d.Type().IsRegular() || d.Name() == "format" || random.IntN(3) > 0 {
			return err
		}
		how := []string{"truncated", "emptied", "removed"}[random.IntN(3)]
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch how {
		case "truncated":
			err = os.Truncate(path, info.Size()/2)
		case "emptied":
			err = os.Truncate(path, 0)
		default:
			err = os.Remove(path)
		}
		out = append(out, how+" "+path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
