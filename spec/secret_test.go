package spec

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A secret's bytes do not become a string by another way than the reference.
func TestASecretsFileIsNoText(t *testing.T) {
	t.Parallel()
	const image = "image \"web\" {\n  from = scratch\n  run_as = \"1000:1000\"\n  labels = { a = %s }\n}\nsecret \"token\" {\n  file = %q\n}\n"
	for _, c := range []struct {
		label, secret string
		want          string // the name in the message; empty for none
	}{
		{`file("token")`, "token", "//token"},
		{`upper(file("./sub/../token"))`, "token", "//token"},
		{`file("alias")`, "token", "//alias"},
		{`file("token")`, "alias", "//token"},
		{`templatefile("token", {})`, "token", "//token"},
		{`can(file("token")) ? "yes" : "no"`, "token", "//token"},
		{`file("other")`, "token", ""},
		{`filesha256("token")`, "token", ""},
		{`file("token")`, "missing", ""},
		{`"${length(fileset(".", "tok*"))}"`, "token", ""},
	} {
		t.Run(c.label+" of "+c.secret, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, text := range map[string]string{
				"token": "hunter2hunter2", "other": "hunter2hunter2", "sub/x": "", "image.hcl": fmt.Sprintf(image, c.label, c.secret),
			} {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink("token", filepath.Join(dir, "alias")); err != nil {
				t.Fatal(err)
			}
			_, l := Load(t.Context(), Options{Dir: dir, Build: amd64})
			if c.want == "" {
				noDiagnostics(t, l)
				return
			}
			want := "The file of secret.token is read as text, too, as \"" + c.want + "\", and a string is no secret: " +
				"it would stand in plans, keys and layers. Mount the secret where a step needs it, or read another file."
			if len(l) != 1 || l[0].Summary != "Secret read as text" || l[0].Detail != want || l[0].Range.Start.Line != 7 {
				t.Errorf("got %v", l)
			}
		})
	}
}
