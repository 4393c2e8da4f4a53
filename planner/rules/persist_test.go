package rules_test

import (
	"strings"
	"testing"

	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec/diag"
)

// secretly is an image with a step that has a secret, mounted as is said.
func secretly(mount, script string) string {
	return `secret "token" {
  env = "TOKEN"
}
image "web" {
  from = scratch
  run_as = "1"
  run {
    script = "` + script + `"
    mount "secret" {
      secret = secret.token
      ` + mount + `
    }
  }
}
`
}

func TestSecretPersistedByCommand(t *testing.T) {
	t.Parallel()
	variable, file := `env = "TOKEN"`, `target = "/run/secrets/token"`
	cases{
		severity: diag.Warning, release: diag.Warning, also: around,
		fires: []string{
			run("echo $P | «docker» login -u me --password-stdin registry.example.com"),
			run("«podman» login registry.example.com"),
			run("«helm» registry login registry.example.com"),
			run("«npm» config set //registry.npmjs.org/:_authToken $NPM_TOKEN"),
			run("«npm» set //registry.npmjs.org/:_authToken=$NPM_TOKEN"),
			run("«git» config --global credential.helper store"),
			run("«git» config --global url.\"https://$TOKEN@github.com/\".insteadOf https://github.com/"),
			run("«gh» auth login --with-token"),
			run("«aws» configure set aws_secret_access_key $KEY"),
			run("«gcloud» auth activate-service-account --key-file=/k.json"),
			run("«poetry» config http-basic.corp me $PW"),
			run("«composer» config --global github-oauth.github.com $T"),
			run("«cargo» login $T"),
			secretly(variable, "«echo $TOKEN > /etc/app.conf»"),
			secretly(variable, "«printf '%s' $TOKEN >> ~/.netrc»"),
			secretly(file, "«cat /run/secrets/token > /etc/app.conf»"),
			secretly(file, "«cp» /run/secrets/token /etc/app.conf"),
			`run {
    command = [«"docker"», "login", "registry.example.com"]
  }`,
		},
		quiet: []string{
			run("docker login registry.example.com; docker push x; docker logout registry.example.com"),
			run("npm config set registry https://x; npm config get //x/:_authToken; npm config set //x/:_authToken $T && npm ci && rm -f ~/.npmrc"),
			run("git config --global user.name me; git config --global credential.helper cache; git config credential.helper '!f() { :; }; f'"),
			run("docker run x login; docker ps; su - me; az account show; echo docker login"),
			run("export DOCKER_CONFIG=/tmp/x; docker login registry.example.com"),
			run("git config --global url.https://github.com/.insteadOf git@github.com:"),
			run("aws configure set region eu-west-1; cargo build; gh auth status"),
			secretly(variable, "echo $TOKEN | docker-push; curl -fH \\\"a: $TOKEN\\\" https://example.com"),
			secretly(variable, "echo $TOKEN > /dev/null; echo token > /etc/app.conf; echo $${TOKEN:+set} $${#TOKEN} > /etc/x"),
			secretly(variable, "echo $TOKEN > /etc/x && make && rm /etc/x"),
			secretly(file, "cat /etc/passwd > /etc/x; sha256sum /run/secrets/token; cat /run/secrets/token | make -f -"),
			secretly("target = \"/root/.docker/config.json\"\n    }\n    mount \"tmpfs\" {\n      target = \"/root/.docker\"", "docker login registry.example.com"),
			`run {
    script  = "docker login registry.example.com"
    outputs = ["/out"]
  }`,
		},
	}.run(t, "secret-persisted-by-command")
}

// TestPersistedSecretIsNotPrinted: what is handed to a login may be the
// secret itself.
func TestPersistedSecretIsNotPrinted(t *testing.T) {
	t.Parallel()
	ds := (&judgement{}).judge(t, whole(run("cargo login hunter2; npm set //x/:_authToken=hunter2; docker login -p hunter2 x")))
	n := 0
	for _, d := range ds {
		if d.Code == "secret-persisted-by-command" {
			n++
		}
		if strings.Contains(d.Summary+d.Detail, "hunter2") {
			t.Errorf("%s", d.Detail)
		}
	}
	if n != 3 {
		t.Errorf("%d findings: %v", n, ds)
	}
}

func TestPackagesNoDevToolsInFinal(t *testing.T) {
	t.Parallel()
	debian := `base "debian" {
  image = "docker.io/library/root:13.1"
}
`
	installs := func(list string) string {
		return debian + "image \"web\" {\n  from = base.debian\n  run_as = \"1\"\n  packages \"apt\" {\n    install = " + list + "\n  }\n}\n"
	}
	cases{
		severity: diag.Info, release: diag.Info, also: around,
		fires: []string{
			installs(`["curl=1", «"gcc=4:14"»]`),
			installs(`[«"g++-14=14"», «"vim=2"», "gcc-14-base=14"]`),
			installs(`[«"openjdk-21-jdk=21"», "openjdk-21-jre=21"]`),
			run("apt-get update && apt-get install -y --no-install-recommends curl «build-essential» && rm -rf /var/lib/apt/lists/*"),
			run("apk add --no-cache «build-base» «gdb=16.2»"),
			run("dnf install -y «openssh-server» && dnf clean all"),
			`stage "s" {
  from = scratch
  ` + run("apk add --no-cache «strace»") + `}
image "web" {
  from = stage.s
  run_as = "1"
}
`,
		},
		quiet: []string{
			installs(`["curl=1", "libgcc-s1=14", "gcc-14-base=14", "python3=3", "makedev=1", "nanomsg-utils=1"]`),
			run("apk add --no-cache --virtual .build gcc && make && apk del .build"),
			run("apt-get install -y gcc; make; apt-get purge -y --auto-remove gcc"),
			run("apk add --no-cache $TOOLS; pip install --no-cache-dir make==1; make gcc; apt-get remove -y gcc"),
			`run {
    script  = "apk add --no-cache gcc"
    outputs = ["/out"]
  }`,
			`stage "s" {
  from = scratch
  ` + run("apk add --no-cache gcc make") + `}
image "web" {
  from = scratch
  run_as = "1"
  copy {
    from = stage.s
    source = "/out"
    to = "/out/"
  }
}
`,
		},
	}.run(t, "packages-no-dev-tools-in-final")
	cases{
		severity: diag.Info, release: diag.Info, also: around,
		grade: rules.Grade{Lists: map[string][]string{"deny": {"perl*"}}},
		fires: []string{run("apk add --no-cache gcc «perl-utils»")},
		quiet: []string{run("apk add --no-cache gcc vim")},
	}.run(t, "packages-no-dev-tools-in-final")
}
