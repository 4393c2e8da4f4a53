package rules_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/spec/diag"
)

// drawn is a random value of n bytes, always the same. Values are composed
// when tests run, so that no scanner finds them in this file.
func drawn(n int) string {
	const alnum = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
	r := rand.New(rand.NewPCG(7, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = alnum[r.IntN(len(alnum))]
	}
	return string(b)
}

func githubToken() string { return "gh" + "p_" + drawn(36) }
func npmToken() string    { return "np" + "m_" + drawn(36) }
func stripeKey() string   { return "sk_" + "live_" + drawn(24) }

func privateKey() string {
	return "-----BEGIN " + "PRIVATE KEY-----\n" + drawn(64) + "\n" + drawn(63) + "\n-----END " + "PRIVATE KEY-----\n"
}

func TestSecretLiteralValue(t *testing.T) {
	t.Parallel()
	token := githubToken()
	cases{
		fires: []string{
			`env = { UPSTREAM = "«` + token + `»" }`,
			`labels = { "org.example.build" = "«` + token + `»" }`,
			`annotations = { "org.example.build" = "«` + token + `»" }`,
			`stamp = { "org.example.build" = "«` + token + `»" }`,
			`entrypoint = ["/b", "--upstream", "«` + token + `»"]`,
			`cmd = ["/b", "-H=«` + token + `»"]`,
			`«healthcheck» {
    command = ["/b", "` + token + `"]
  }`,
			run(`printf %s «` + token + `» | /b login`),
			run(`/b # it was «` + token + `» once`),
			run("cat > /etc/app.conf <<'E'\n      upstream «" + token + "»\n      E"),
			`run {
    command = ["/b", "«` + token + `»"]
  }`,
			`run {
    command = ["/b"]
    env = { UPSTREAM = "«` + stripeKey() + `»" }
  }`,
			`file {
    path = "/etc/npmrc"
    content = "registry=https://npm.example.com/:x=«` + npmToken() + `»"
  }`,
			`file {
    path = "/etc/app.json"
    content = jsonencode({ apiToken = "` + "«" + drawn(40) + "»" + `" })
  }`,
			// What only the source holds: a comment, what nothing uses.
			`# once «` + token + `»
image "web" {
  from = scratch
  run_as = "1"
}
`,
			`variable "v" {
  default = "«` + token + `»"
}
image "web" {
  from = scratch
  run_as = "1"
  workdir = "/${length(var.v)}"
}
`,
			// Of two images with the same value, each is told.
			`image "a" {
  from = scratch
  run_as = "1"
  env = { UPSTREAM = "«` + token + `»" }
}
image "b" {
  from = scratch
  run_as = "1"
  platforms = ["linux/amd64", "linux/arm64"]
  env = { UPSTREAM = "«` + token + `»" }
}
`,
		},
		quiet: []string{
			`env = { GPG_KEY = "7169605F62C751356D054A26A821E680E5FA6305", TOKEN_TTL = "300", A = "AKIA` + `IOSFODNN7EXAMPLE" }`,
			`env = { DATADOG_VERSION = "` + strings.Repeat("0a1b", 10) + `", SNYK_ORG_ID = "0c7a6d1e-93a1-4b6e-8f0a-2b9e8d7c6f5a", FACEBOOK_SHA256 = "` + strings.Repeat("0a1b2c3d", 8) + `" }`,
			`labels = { "org.opencontainers.image.revision" = "` + strings.Repeat("0a1b", 10) + `" }`,
			run(`echo "` + strings.Repeat("0a1b2c3d", 8) + `  app.tar.gz" | sha256sum -c`),
			run(`gpg --batch --keyserver keyserver.ubuntu.com --recv-keys 7169605F62C751356D054A26A821E680E5FA6305`),
			run(`curl -fsS -u "$USER:$(cat /run/secrets/pw)" -H "Authorization: Bearer $TOKEN" -o /x https://example.com/x`),
			run(`cache_key=build-20260101-abcdef1; token_file=/run/secrets/token1; primary_key=a1b2c3d4e5f6a7b8c9d0`),
			`file {
    path = "/etc/app.yaml"
    content = <<-T
      access_token_ttl: 3600
      csrf_token: generated-at-start-1
      primary_key: a1b2c3d4e5f6a7b8c9d0
      signing_key: 7169605F62C751356D054A26A821E680E5FA6305
      password_hash_rounds: 12
      api_key: $${API_KEY_FROM_ENV1}
      session_token: changeme-0a1b2c3d4e5f
    T
  }`,
			`file {
    path = "/etc/ssh/authorized_keys"
    content = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me@host\n-----BEGIN CERTIFICATE-----\n` + drawn(64) + `\n-----END CERTIFICATE-----\n"
  }`,
			// A test's own server may have any password; the language keeps what
			// is a real token out of nothing but that.
			`test "t" {
    command = ["/b"]
    env = { UPSTREAM_PASSWORD = "` + drawn(24) + `" }
  }`,
		},
	}.run(t, "secret-literal-value")
}

// TestSecretOnce holds that one value at one place is one finding, whatever
// rules it breaks.
func TestSecretOnce(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`env = { NPM_TOKEN = "` + npmToken() + `" }`:                                         "secret-named-variable",
		`env = { U = "https://oauth2:` + "gl" + "pat-" + drawn(20) + `@git.example.com/x" }`: "secret-in-url",
		run(`export API_KEY=` + githubToken() + `; ./configure`):                             "secret-named-variable",
		`env = { UPSTREAM = "` + npmToken() + `" }`:                                          "secret-literal-value",
	} {
		var got []string
		for _, d := range (&judgement{}).judge(t, whole(text)) {
			if strings.HasPrefix(d.Code, "secret-") {
				got = append(got, d.Code)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%v, not %s, of\n%s", got, want, text)
		}
	}
}

// TestSecretIsNotPrinted holds for all that is printed of a finding: neither
// the sentences nor the lines of the spec below them show the value.
func TestSecretIsNotPrinted(t *testing.T) {
	t.Parallel()
	token, key, password := githubToken(), privateKey(), "Tr0ub"+"4dor"
	spec := whole("env = { UPSTREAM = \"" + token + "\", DB_PASSWORD = \"" + password + "\", U = \"https://me:" + password + "@x.example.com\" }\n" +
		run("curl -fsS -u deploy:"+password+" -o /x https://x.example.com; apt-get install "+token) +
		"file {\n  path = \"/k\"\n  content = <<-T\n" + key + "T\n}\n")
	ds := (&judgement{}).judge(t, spec)
	codes := map[string]int{}
	for _, d := range ds {
		codes[d.Code]++
	}
	if codes["secret-literal-value"] < 3 || codes["secret-named-variable"] != 1 || codes["secret-in-url"] != 1 {
		t.Errorf("%v", codes)
	}
	var text, json bytes.Buffer
	if err := diag.WriteText(&text, ds, map[string][]byte{"image.hcl": []byte(spec)}, diag.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := diag.WriteJSON(&json, ds); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{token, password, drawn(64)} {
		if strings.Contains(text.String(), secret) || strings.Contains(json.String(), secret) {
			t.Errorf("%q is shown in\n%s", secret, text.String())
		}
	}
	if !strings.Contains(text.String(), "UPSTREAM = \"****") {
		t.Errorf("the line is not shown:\n%s", text.String())
	}
}

func TestSecretLiteralWaived(t *testing.T) {
	t.Parallel()
	ds := (&judgement{}).judge(t, whole(`env = { UPSTREAM = "`+githubToken()+`" }`)+`
waiver {
  rule    = "secret-literal-value"
  address = "image.web"
  reason  = "Revoked; the test of the parser needs its form."
  owner   = "team-x"
  expires = "2090-12-31"
}
`)
	for _, d := range ds {
		if d.Code == "secret-literal-value" || d.Code == "suppression-justified" {
			t.Errorf("%s: %s", d.Summary, d.Detail)
		}
	}
}

func TestSecretInCopiedFile(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"app/main.py": "import os\nTOKEN = '" + githubToken() + "'\n", "app/a.py": "print()\n", "app/b/deploy.key.txt": "x\n" + privateKey(),
		"conf/app.env.txt": "a\nb\nUPSTREAM=" + npmToken() + "\n", "conf/app.yaml": "a: 1\napi_key: " + drawn(40) + "\n", "plain/app.py": "api_key = '" + drawn(40) + "'\n",
		"plain/go.sum": githubToken(), "plain/tests/a.py": githubToken(), "plain/README.md": githubToken(), "plain/node_modules/a.js": githubToken(),
		"plain/a_test.go": githubToken(), "plain/data": "\x00\n" + githubToken(), "plain/large.txt": githubToken() + "\n" + strings.Repeat("0123456789abcde\n", 1<<16),
		"plain/app.json": `{"integrity": "sha512-` + drawn(86) + `==", "token_ttl": "` + drawn(20) + `", "commit": "` + strings.Repeat("0a1b", 10) + `"}`,
		"plain/web.js":   `var c={key:"` + drawn(20) + `",apiKey:"AI` + "za" + drawn(35) + `",tokenUrl:"x"}`,
		"plain/gpg.conf": "signing_key=7169605F62C751356D054A26A821E680E5FA6305\n", "named/id.pem": privateKey(), "named/.env": "TOKEN=" + githubToken(),
	}
	copyOf := func(source string) string {
		return "copy {\n    source = " + source + "\n    to = \"/app/\"\n  }"
	}
	cases{
		files: files,
		fires: []string{
			copyOf(`«"app/main.py"»`), copyOf(`«"app"»`), copyOf(`«["app/a.py", "conf/app.env.txt"]»`), copyOf(`«"conf/app.yaml"»`),
			`stage "s" {
  from = scratch
  copy {
    source = «"app"»
    to = "/app/"
  }
}
image "web" {
  from = stage.s
  run_as = "1"
  platforms = ["linux/amd64", "linux/arm64"]
}
`,
		},
		quiet: []string{
			copyOf(`"plain"`), copyOf(`"app/a.py"`), copyOf(`"plain/go.sum"`), copyOf(`["named/id.pem", "named/.env"]`),
			`copy {
    source = "app"
    exclude = ["app/main.py", "app/b"]
    to = "/app/"
  }`,
			`run {
    command = ["/b"]
    mount "bind" {
      source = ["app"]
      target = "/src"
    }
  }`,
		},
	}.run(t, "secret-literal-value")
	for _, d := range (&judgement{files: files}).judge(t, whole(copyOf(`["app", "conf"]`))) {
		if d.Code != "secret-literal-value" {
			continue
		}
		for _, want := range []string{"app/main.py:2 (github-pat)", "app/b/deploy.key.txt:2 (private-key)", "conf/app.env.txt:3 (npm-access-token)", "conf/app.yaml:2 (generic-api-key)"} {
			if !strings.Contains(d.Detail, want) {
				t.Errorf("%s is not in %s", want, d.Detail)
			}
		}
		for _, secret := range []string{githubToken(), npmToken(), drawn(40)} {
			if strings.Contains(d.Detail, secret) {
				t.Errorf("the secret is in the message: %s", d.Detail)
			}
		}
	}
}
