package secretscan_test

import (
	"strings"
	"testing"

	"github.com/specbuild/specbuild/planner/secretscan"
)

// TestLeavesAlone holds that what looks like a credential and is none is not
// found, whatever it is called.
func TestLeavesAlone(t *testing.T) {
	t.Parallel()
	var e secretscan.Engine
	texts := []string{
		"", "x", "=", "key = ", "token:", "secret =>", strings.Repeat("key=", 50),
		// Ids and fingerprints of keys.
		`GPG_KEY = "7169605F62C751356D054A26A821E680E5FA6305"`,
		`OPENSSL_PGP_KEY_IDS="0x216094DFD0CB81EF"`, "gpg --recv-keys 7169605F62C751356D054A26A821E680E5FA6305",
		"SHA256:" + drawn(43, alnum) + " deploy@example.com (ED25519)",
		// Checksums and digests.
		"sha256sum: " + drawn(64, hex) + "  app.tar.gz", "image@sha256:" + drawn(64, hex), `"integrity": "sha512-` + drawn(86, alnum) + `=="`,
		"github.com/a/b v1.2.3 h1:" + drawn(43, alnum) + "=", "--hash=sha256:" + drawn(64, hex), "commit " + drawn(40, hex),
		"ETag: \"" + drawn(32, hex) + "\"", "DOWNLOAD_SHA512 = " + drawn(128, hex),
		// Settings about secrets.
		"TOKEN_TTL=300", "ACCESS_TOKEN_LIFETIME: 3600s", "password_min_length = 12", `API_KEY_FILE="/run/secrets/api_key_0a1b2c"`, "SECRET_NAME=db-credentials-v2",
		"AUTH_URL = https://auth.internal/v2/token9/keys", "keyboard_layout: de-latin1-nodeadkeys", "csrf_token_name = csrf_9_name_field", "KEYCLOAK_VERSION=26.0.10.11.12",
		"primary_key: user_id_2024_0001", "public_key = " + drawn(43, alnum), "tokenizer: bpe-50k-cl100k-base-v2",
		// What stands in the place of one.
		"API_KEY=changeme12345", "API_KEY=your-api-key-goes-here-123", "TOKEN=<insert-token-here-1>", "token: ${GITHUB_TOKEN_1234567}", "TOKEN=$(cat /run/secrets/token1)",
		"api_key: {{ .Values.apiKey123 }}", "password=************1", "SECRET=xxxxxxxxxxxxxxx1", "SECRET_KEY=%(secret_key_1)s", "token: null", "token = undefined_value",
		"AWS_ACCESS_KEY_ID=AKIA" + "IOSFODNN7EXAMPLE", "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY", "key: 0123456789abcdef0123456789abcdef",
		"gh" + "p_" + strings.Repeat("x", 36), "gh" + "p_" + strings.Repeat("A", 36), "gh" + "p_example" + drawn(29, alnum), "sk_" + "test_" + "your_key_here", "np" + "m_" + strings.Repeat("0", 36),
		// The public kind, and ids.
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA" + drawn(44, alnum) + " me@host", "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ" + drawn(300, alnum) + " me@host",
		"-----BEGIN PUBLIC KEY-----\n" + drawn(64, alnum) + "\n-----END PUBLIC KEY-----", "-----BEGIN CERTIFICATE-----\n" + drawn(64, alnum) + "\n-----END CERTIFICATE-----",
		"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n" + drawn(64, alnum) + "\n-----END PGP PUBLIC KEY BLOCK-----", "PK=pk_" + "live_" + drawn(24, alnum),
		"MAPBOX_TOKEN=p" + "k." + drawn(60, lower+digits) + "." + drawn(22, lower+digits), "DISCORD_CLIENT_ID=" + drawn(18, digits),
		// Programs that handle keys.
		`fmt.Sprintf("-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n", base64.StdEncoding.EncodeToString(der))`,
		"begin := \"-----BEGIN RSA PRIVATE KEY-----\"\nend := \"-----END RSA PRIVATE KEY-----\" // and what is between the two lines is read by the parser of the library",
		"func accessToken(key string, value2 int) (token Token1, err error)", "if (token == nil || token2.Key256() != key.Key512()) {", "const key = crypto.subtle.importKey(kind1)",
		`curl -u "$USER:$PASSWORD" https://example.com`, `curl -H "Authorization: Bearer $TOKEN" https://example.com`, "curl -u user:password https://example.com",
		`curl -fsSL https://example.com/key.gpg | gpg --dearmor -o /etc/apt/keyrings/docker.gpg`, "apt-key adv --keyserver keyserver.ubuntu.com",
		// Forms that are too weak to stop a build.
		"s." + drawn(24, alnum), "EAAA" + drawn(40, alnum), "sourcegraph commit " + drawn(40, hex), "heroku_app_uuid 550e8400-e29b-41d4-a716-446655440000",
		"session_token: 550e8400-e29b-41d4-a716-446655440000", "data:image/png;base64,iVBORw0KGgo" + drawn(400, alnum),
		"ey" + "JhbGciOiJIUzI1NiJ9.ey" + "JzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIn0." + drawn(43, alnum), // jwt.io's, of John Doe
		"ey" + "JhbGciOiJIUzI1NiJ9.not-base64-at-all!." + drawn(43, alnum),
	}
	if len(texts) < 60 {
		t.Errorf("only %d look-alikes", len(texts))
	}
	for _, text := range texts {
		for _, form := range []string{text, "before\n" + text + "\nafter\n", "env:\n  " + text} {
			for _, h := range e.Scan("", form) {
				t.Errorf("%s %q is found: %q, in\n%s", h.Rule, h.Name, form[h.Start:h.End], form)
			}
		}
	}
}

// TestFilesOfSomeKinds holds that rules about some files find nothing in
// others.
func TestFilesOfSomeKinds(t *testing.T) {
	t.Parallel()
	var e secretscan.Engine
	manifest := "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\ndata:\n  password: " + drawn(24, alnum) + "\n"
	if hits := e.Scan("deploy/db.yaml", manifest); len(hits) != 1 || hits[0].Rule != "kubernetes-secret-yaml" {
		t.Errorf("%+v of a manifest", hits)
	}
	for _, h := range e.Scan("deploy/db.txt", manifest) {
		if h.Rule == "kubernetes-secret-yaml" {
			t.Errorf("%+v of a text", h)
		}
	}
	key := `apiKey: "AI` + "za" + drawn(35, alnum) + `"`
	if hits := e.Scan("web/app.js", key); len(hits) > 0 && hits[0].Rule == "gcp-api-key" {
		t.Errorf("%+v of a page, whose key is everybody's", hits)
	}
	if hits := e.Scan("etc/app.ini", key); len(hits) != 1 || hits[0].Rule != "gcp-api-key" {
		t.Errorf("%+v of a server's settings", hits)
	}
}
