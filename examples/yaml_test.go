package examples_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// inYAML puts the example's spec in YAML, if it has one, in the place of the
// one in HCL, which has just been built: nothing is left to do, since in which
// syntax a spec is written is in no key and no image.
func (l *lab) inYAML(t *testing.T, dir string, built applied) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "yaml")); err != nil {
		return
	}
	if err := os.Rename(filepath.Join(dir, "yaml", "image.yaml"), filepath.Join(dir, "image.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "image.hcl")); err != nil {
		t.Fatal(err)
	}
	again := l.apply(t, dir)
	if again.state != "unchanged" || again.digest != built.digest {
		t.Errorf("in YAML, apply says %q and %s, wanted \"unchanged\" and %s", again.state, again.digest, built.digest)
	}
	if len(again.ran) > 0 {
		t.Errorf("in YAML, apply ran %q", again.ran)
	}
	l.run(t, dir, "validate", "image.yaml").blameless(t)
}

// byTemplate does the same with the call of a template, if the example has
// one: whose steps they are is in no key either.
func (l *lab) byTemplate(t *testing.T, dir string, built applied) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "module.hcl")); err != nil {
		return
	}
	for _, name := range []string{"image.hcl", "image.yaml"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if err := os.Rename(filepath.Join(dir, "module.hcl"), filepath.Join(dir, "image.hcl")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "out")); err != nil { // in it the image has its own name
		t.Fatal(err)
	}
	again := l.apply(t, dir)
	if again.digest != built.digest {
		t.Errorf("through a template, the digest is %s, wanted %s", again.digest, built.digest)
	}
	if len(again.ran) > 0 {
		t.Errorf("through a template, apply ran %q", again.ran)
	}
	l.run(t, dir, "validate", "image.hcl").blameless(t)
}

// The example that is written in three ways still is.
func TestGoServiceIsWrittenInThreeWays(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"go-service/image.hcl", "go-service/yaml/image.yaml", "go-service/module.hcl", "go-service/template/image.hcl"} {
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
	}
}
