package rules_test

import (
	"strings"
	"testing"
)

func TestSecretNamedVariable(t *testing.T) {
	t.Parallel()
	var fires, quiet []string
	for _, v := range []string{
		`DB_PASSWORD = «"hunter2"»`, `POSTGRES_PASSWORD = «"postgres"»`, `ROOT_PASSWD = «"123456"»`, `CLIENT_SECRET = «"s3cr3t!"»`,
		`APIKEY = «"abc"»`, `API_KEY = «"0123456789abcdef0123456789abcdef"»`, `AWS_SECRET_ACCESS_KEY = «"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"»`,
		`NPM_TOKEN = «"npm_a1B2c3"»`, `SECRET_KEY = «"dev only"»`, `GITHUB_CREDENTIALS = «"me:Pa55"»`,
		`REGISTRY_AUTH = «"dXNlcjpwYXNzMTIzNDU2"»`, `LICENSE_KEY = «"A1b2C3d4E5f6G7h8"»`, `password = «"x1"»`,
	} {
		fires = append(fires, "env = {\n    "+v+"\n  }", `run {
    command = ["/b"]
    env = { `+v+" }\n  }")
	}
	for _, v := range []string{
		`GPG_KEY = "7169605F62C751356D054A26A821E680E5FA6305"`, `OPENSSL_PGP_KEY_IDS = "0x216094DFD0CB81EF"`, `GPG_KEYS = "7169605F62C751356D054A26A821E680E5FA6305"`,
		`RABBITMQ_PGP_KEY_ID = "0x0A9AF2115F4687BD29803A206B73A36E6026DFCA"`, `PGP_KEYSERVER = "keyserver.ubuntu.com"`,
		`RELEASE_KEY = "7169605F62C751356D054A26A821E680E5FA6305"`, `SIGNING_KEY = "7169 605F 62C7 5135 6D05 4A26 A821 E680 E5FA 6305"`,
		`TOKEN_TTL = "300"`, `AUTH_URL = "https://auth.example.com"`, `KEY_PATH = "/run/key"`, `PASSWORD_FILE = "/run/secrets/p"`,
		`DB_PASSWORD = "/run/secrets/db"`, `PASSWORD = ""`, `TLS_KEY = "/etc/tls/key.pem"`, `SECRET = "$SECRET"`,
		`MYSQL_RANDOM_ROOT_PASSWORD = "yes"`, `POSTGRES_HOST_AUTH_METHOD = "trust"`, `SORT_KEY = "created_at"`, `EOS_TOKEN = "<eos>"`,
		`AUTH = "oidc"`, `AUTH_TYPE = "bearer"`, `CORS_CREDENTIALS = "include"`, `AWS_ACCESS_KEY_ID = "AKIAIOSFODNN7EXAMPLE"`,
		`PUBLIC_KEY = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"`, `SSH_AUTH_SOCK = "/run/agent"`, `KEYCLOAK_VERSION = "26.0"`, `MONKEY = "banana123456789012345"`,
		`PASSENGER_VERSION = "6.0.4"`, `TOKENIZER = "gpt2-0123456789abcdef"`, `DOWNLOAD_SHA256 = "` + strings.Repeat("0a", 32) + `"`,
		`KEY_SHA256 = "` + strings.Repeat("0a", 32) + `"`, `SECRET_NAME = "db"`, `MAX_TOKENS = "4096"`, `TOKEN = "4096"`, `PASSWORD_MIN_LENGTH = "12"`,
		`TOKEN_REFRESH_SECONDS = "60"`, `PASSWORD_RETRIES = "3"`, `CACHE_KEY = "v1"`, `DB_PASSWORD = null`, `PASSWORD = "***"`,
		`API_KEY = "<your key>"`, `TOKEN_ISSUER = "Example1"`, `COMPASS = "north-1"`, `AUTHOR = "Jane Doe 1"`, `LESSKEY = "abc0123456789abcdef"`,
	} {
		quiet = append(quiet, "env = {\n    "+v+"\n  }", `run {
    command = ["/b"]
    env = { `+v+" }\n  }")
	}
	cases{
		fires: append(fires,
			`labels = { "com.example.db.password" = «"hunter2"» }`,
			`annotations = { "com.example.apikey" = «"A1b2"» }`,
			`variable "p" {
  default = "hunter2"
}
image "web" {
  from = scratch
  run_as = "1"
  env = { DB_PASSWORD = «var.p» }
}
`,
			run(`export «DB_PASSWORD=hunter2»; ./configure`),
			run(`«API_KEY="abc123"» ./deploy`),
		),
		quiet: append(quiet,
			`labels = { "traefik.http.middlewares.auth.basicauth" = "on1", "io.example.token" = "bearer", "secret.example.com/name" = "x1" }`,
			`stamp = { "org.opencontainers.image.revision" = "0123456789abcdef0123456789abcdef01234567" }`,
			run(`PASSWORD=$(cat /run/secrets/p); export TOKEN="$PASSWORD"; key=abc123; token=next`),
			run(`echo DB_PASSWORD=hunter2 # PASSWORD=hunter2`),
			run(`cat_passwd="getent passwd"; $cat_passwd root`),
			run(`PASSWORD= ./configure; read -r PASSWORD < /run/secrets/p`),
			// A test's own server may have any password.
			`test "t" {
    command = ["/b"]
    env = { POSTGRES_PASSWORD = "hunter2" }
  }`,
			`secret "token" {
  env = "NPM_TOKEN"
}
image "web" {
  from = scratch
  run_as = "1"
  run {
    command = ["/b"]
    mount "secret" {
      secret = secret.token
      env = "NPM_TOKEN"
    }
  }
}
`,
		),
	}.run(t, "secret-named-variable")
}

func TestSecretInURL(t *testing.T) {
	t.Parallel()
	cases{
		fires: []string{
			`env = { PIP_INDEX_URL = "«https://me:pw1@pypi.example.com/simple»" }`,
			`env = { DATABASE_URL = "«postgres://app:pw@db/app»" }`,
			`entrypoint = ["/b", "--upstream", "«http://admin:admin@10.0.0.1:8080/»"]`,
			`labels = { "a.b" = "see «https://x.example.com/?access_token=a1b2c3»" }`,
			run(`git clone «https://oauth2:glpat-abc@gitlab.example.com/a/b.git» /src`),
			run(`curl -fsSL "«https://api.example.com/v1?x=1&api_key=0a1b2c3d»" -o /x`),
			run(`git clone «https://ghp0123456789abcdefghij@github.com/a/b» /src`),
			run(`U="«amqp://guest:guest@mq»"; echo`),
			`file {
    path = "/etc/pip.conf"
    content = <<-T
      [global]
      index-url = «https://me:pw1@pypi.example.com/simple»
    T
  }`,
			`repository "d" {
  type = "deb"
  source {
    url = "«https://me:pw@deb.example.com/»"
    suites = ["stable"]
    signed_by = file("k")
  }
}
image "web" {
  from = scratch
  run_as = "1"
  packages "deb" {
    repository = repository.d
    install = ["curl"]
  }
}
`,
		},
		quiet: []string{
			`env = { A = "https://example.com/a@b:c", B = "mailto:me@example.com", C = "git+ssh://git@example.com/a", D = "https://user@example.com" }`,
			`env = { A = "postgres://$USER:$PASS@db", B = "https://USER:PASSWORD@example.com", C = "https://user:<password>@x", D = "https://u:***@x", E = "https://u:xxxx@x" }`,
			`labels = { a = "https://example.com/?token=$TOKEN&page=2&password=", b = "https://example.com/?tokens=a1b2c3&key=a1" }`,
			run(`curl -u "$USER:$PASS" "https://$USER:$PASS@example.com/?token=$TOKEN"`),
			run(`curl "https://me:$(cat /run/secrets/pw)@example.com"`),
			run(`# curl https://me:pw@example.com`),
			run(`scp a:b me@host:/x; echo "a:b@c"`),
			`test "t" {
    command = ["/curl", "http://admin:admin@127.0.0.1/"]
  }`,
		},
		files: map[string]string{"k": "key"},
	}.run(t, "secret-in-url")
}

// TestNoSecretInMessages is why findings can be printed in a public log.
func TestNoSecretInMessages(t *testing.T) {
	t.Parallel()
	text := "env = { DB_PASSWORD = \"hunter2\", U = \"https://me:hunter2@x.example.com/?token=hunter2\" }\n" + run(`API_KEY=hunter2 curl -f https://x.example.com/?password=hunter2`)
	ds := (&judgement{}).judge(t, whole(text))
	if len(ds) != 4 {
		t.Errorf("%d findings, not 4", len(ds))
	}
	for _, d := range ds {
		if strings.Contains(d.Summary+d.Detail, "hunter2") {
			t.Errorf("the secret is in the message: %s", d.Detail)
		}
	}
}

func TestSecretFileInContext(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"app/main.py": "x", "app/.npmrc": "x", "app/sub/.netrc": "x", "ca/ca.pem": "x", "keys/k.p12": "x", "keys/k.p12.md": "x", "ssh/id_rsa.pub": "x",
		"empty/.netrc": "", ".env": "x", ".env.example": "x", "id_ed25519": "x", "tf/terraform.tfstate": "x", "kube/.kube/config": "x", "plain/config": "x",
		"d/.docker/config.json": "x", "plain/config.json": "x", "plain/credentials.go": "x", "plain/id_map.go": "x", "plain/key.py": "x", "plain/password.txt.tmpl": "x",
	}
	copyOf := func(source string) string {
		return "copy {\n    source = " + source + `
    to = "/app/"
  }`
	}
	cases{
		files: files,
		fires: []string{
			copyOf(`«"app"»`), copyOf(`«"app/*/.n*"»`), copyOf(`«"tf/*"»`), copyOf(`«"kube"»`), copyOf(`«["plain/key.py", "keys/*.p12"]»`),
			`stage "s" {
  from = scratch
  copy {
    source = «"keys"»
    to = "/k/"
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
			copyOf(`"app/main.py"`), copyOf(`"plain"`), copyOf(`"ssh"`), copyOf(`"empty"`), copyOf(`"ca"`), copyOf(`"keys/*.md"`), copyOf(`"d"`),
			`copy {
    source = "app"
    exclude = ["**/.npmrc", "**/.netrc"]
    to = "/app/"
  }`,
			`run {
    command = ["/npm", "ci"]
    mount "bind" {
      source = ["app"]
      target = "/src"
    }
  }`,
		},
	}.run(t, "secret-file-in-context")
	cases{
		files: files, severity: 1, release: 1,
		fires: []string{copyOf(`«".env"»`), copyOf(`«"app/.npmrc"»`), copyOf(`«["id_ed25519", "plain/key.py"]»`), copyOf(`«"ca/ca.pem"»`)},
	}.run(t, "secret-file-in-context")
}
