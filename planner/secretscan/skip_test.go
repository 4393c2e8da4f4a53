package secretscan

import "testing"

func TestSkips(t *testing.T) {
	t.Parallel()
	for _, file := range []string{
		"go.mod", "go.sum", "a/package-lock.json", "yarn.lock", "Cargo.lock", "web/app.min.js", "web/app.js.map", "logo.PNG", "README.md", "x/vendor/a/b.go",
		"node_modules/a/index.js", "a/.git/config", "server_test.go", "src/app.spec.ts", "tests/unit/keys.py", "internal/testdata/key.txt",
		"usr/lib/python3.12/ssl.py", "a/b-1.0.dist-info/RECORD", "lib/app.jar", "docs/setup.txt", "ca.crt", "gitleaks.toml", "test_app.py",
	} {
		if !Skips(file) {
			t.Errorf("%s is looked at", file)
		}
	}
	for _, file := range []string{
		"config.json", ".env", "etc/app.conf", "main.go", "contest/app.py", "latest.yaml", "web/app.js", "Makefile", "a.pem", "testing.go", "vendors/a.py",
		"attest.sh", "docker/entrypoint", "config/settings.py", "prod.tfvars", "inspect/keys.txt",
	} {
		if Skips(file) {
			t.Errorf("%s is not looked at", file)
		}
	}
}
