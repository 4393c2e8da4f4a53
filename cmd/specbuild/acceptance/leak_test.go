//go:build linux

package acceptance

import (
	"strings"
	"testing"
)

const leaked = "hush-4f9Ae27b/Q+x0"

// withSecret is an image on the static shell with a secret in a file beside
// the spec's folder's other files.
func withSecret(body string) files {
	tree := onShell(body)
	tree["image.hcl"] = "secret \"token\" {\n  file = \"./token.secret\"\n}\n" + tree["image.hcl"]
	tree["token.secret"] = leaked + "\n"
	return tree
}

// TestABakedSecretIsNotWritten: the whole program fails with the step, the
// file and the secret's name, and leaves no output and no entry behind.
func TestABakedSecretIsNotWritten(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"as it is":     "busybox cp /run/secrets/token /app.conf",
		"base64":       "busybox base64 /run/secrets/token > /app.conf",
		"in a gzip":    "busybox gzip -c /run/secrets/token > /app.conf",
		"then deleted": "busybox cp /run/secrets/token /app.conf\n    EOT\n  }\n  run {\n    script = <<-EOT\n      busybox rm /app.conf",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newShellProject(t, withSecret("  run {\n    mount \"secret\" {\n      secret = secret.token\n    }\n    script = <<-EOT\n      "+script+"\n    EOT\n  }"))
			for range 2 { // it is not remembered either
				r := p.fails(1, says("A secret is in what was built", "secret.token is in /app.conf", "image.hcl:"),
					"apply", "-o", "dir:out", "-o", "oci:oci")
				if strings.Contains(r.all(), leaked) {
					t.Errorf("the value is told:\n%s", r.all())
				}
				absent(t, p.path("out"))
				absent(t, p.path("oci"))
			}
		})
	}
}

// TestASecretHasNoText: where the language knows the type, a secret's value is
// not even said.
func TestASecretHasNoText(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"variable":   `  env = { TOKEN = secret.token }`,
		"label":      `  labels = { token = "${secret.token}" }`,
		"annotation": `  annotations = { token = secret.token }`,
		"entrypoint": `  entrypoint = ["/app", secret.token]`,
		"file":       "  file {\n    path = \"/token\"\n    content = secret.token\n  }",
		"script":     "  run {\n    script = \"echo ${secret.token} > /token\"\n  }",
		"copy":       "  copy {\n    from = secret.token\n    source = \"x\"\n    to = \"/x\"\n  }",
		"tag":        `  tags = ["registry.example.com/a:${secret.token}"]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newShellProject(t, withSecret(body))
			p.fails(3, says("image.hcl:", "secret"), "validate")
		})
	}
}
