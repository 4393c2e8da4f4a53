package rules_test

import (
	"strings"
	"testing"

	"github.com/specbuild/specbuild/spec/diag"
)

// TestLookAlikes holds that what looks like a mistake of the rules which the
// language and the planner keep, and is none, is taken without a word.
func TestLookAlikes(t *testing.T) {
	t.Parallel()
	user := func(steps, runAs string) string {
		return "image \"web\" {\n  from = scratch\n  " + steps + "\n  run_as = \"" + runAs + "\"\n}\n"
	}
	const app = "user \"app\" {\n    uid = 7\n  }"
	secret := "secret \"token\" {\n  env = \"TOKEN\"\n}\n"
	copied := func(attributes string) string { return whole("copy {\n    " + attributes + "\n  }") }
	for rule, texts := range map[string][]string{
		"base-explicit-tag": {
			built(`image = "registry.example.com:5000/root:1"`),
			built("image = \"docker.io/library/root:1.2\"\n  digest = \"" + digest('0') + "\""),
			built(`image = "root@` + digest('0') + `"`),
		},
		"stage-name-valid": {
			strings.ReplaceAll(whole(""), "scratch", "stage.b-1_x") + "stage \"b-1_x\" {\n  from = scratch\n}\n",
			strings.ReplaceAll(whole(""), "scratch", "stage.image") + "stage \"image\" {\n  from = scratch\n}\n",
			strings.ReplaceAll(whole(""), "scratch", "stage.scratch") + "stage \"scratch\" {\n  from = scratch\n}\n",
		},
		"stage-ref-resolves": {
			"stage \"a\" {\n  for_each = toset([\"x\", \"y\"])\n  from = scratch\n}\n" + strings.ReplaceAll(whole("copy {\n    from = stage.a[\"y\"]\n    source = \"/b\"\n    to = \"/b\"\n  }"), "scratch", "stage.a[\"x\"]"),
			"locals {\n  s = { a = stage.a }\n}\nstage \"a\" {\n  from = scratch\n}\n" + strings.ReplaceAll(whole(""), "scratch", "local.s[\"a\"]"),
			"image \"base\" {\n  from = scratch\n  run_as = \"1\"\n}\nimage \"web\" {\n  from = image.base\n}\n",
		},
		"stage-unused": {
			"variable \"debug\" {\n  type = bool\n  default = false\n}\nstage \"a\" {\n  from = scratch\n}\nstage \"b\" {\n  from = scratch\n}\n" + strings.ReplaceAll(whole(""), "scratch", "var.debug ? stage.a : stage.b"),
			"stage \"a\" {\n  from = scratch\n}\n" + copied("when = false\n    from = stage.a\n    source = \"/x\"\n    to = \"/x\""),
			"stage \"a\" {\n  for_each = toset([\"x\", \"y\"])\n  from = scratch\n}\n" + strings.ReplaceAll(whole(""), "scratch", "stage.a[\"x\"]"),
			"locals {\n  all = { a = stage.a, b = stage.b }\n}\nstage \"a\" {\n  from = scratch\n}\nstage \"b\" {\n  from = scratch\n}\n" + strings.ReplaceAll(whole(""), "scratch", "local.all[\"a\"]"),
		},
		"variable-defined": {
			"variable \"v\" {\n  default = null\n}\n" + whole("labels = { a = var.v }"),
			"variable \"v\" {\n  default = \"\"\n}\n" + whole("env = { A = \"x${var.v}\" }"),
			whole(run("echo \"$VERSION $${VERSION:-1}\"")),
		},
		"user-numeric-id": {user(app, "app"), user(app, "7"), user(app, "app:7"), user("group \"g\" {\n    gid = 9\n  }\n  "+app, "app:g")},
		"user-ids-unique": {
			user(app+"\n  user \"b\" {\n    uid = 8\n    gid = 9\n  }", "app"),
			user("group \"g\" {\n    gid = 9\n  }\n  user \"g\" {\n    uid = 9\n    group = \"g\"\n  }", "g"),
			user("group \"g\" {\n    gid = 9\n  }\n  user \"a\" {\n    uid = 1\n    group = \"g\"\n  }\n  user \"b\" {\n    uid = 2\n    group = \"g\"\n  }", "a"),
		},
		"run-privilege-declared": {
			whole("run {\n    command = [\"/x\"]\n    network = \"none\"\n  }"),
			whole("run {\n    command = [\"/x\", \"--network\", \"host\"]\n  }"),
			whole("run {\n    command = [\"/x\"]\n    hosts = { host = \"10.0.0.1\" }\n  }"),
		},
		"no-host-socket-mount": {
			copied("source = \"a\"\n    to = \"/var/run/docker.sock.txt\""),
			whole("volumes = [\"/var/run\"]"),
			whole("run {\n    command = [\"/x\"]\n    env = { DOCKER_HOST = \"unix:///var/run/docker.sock\" }\n  }"),
		},
		"secret-typed": {
			secret + whole("run {\n    command = [\"/x\"]\n    mount \"secret\" {\n      secret = secret.token\n      env = \"TOKEN\"\n    }\n  }"),
			secret + "locals {\n  s = { a = secret.token }\n}\n" + whole("run {\n    command = [\"/x\"]\n    mount \"secret\" {\n      secret = local.s[\"a\"]\n      target = \"/t\"\n    }\n  }"),
			whole("labels = { a = \"secret.token\" }"),
		},
		"packages-repo-trusted": {
			"repository \"own\" {\n  type = \"deb\"\n  source {\n    url = \"https://deb.example.com\"\n    suites = [\"stable\"]\n    components = [\"main\"]\n    signed_by = \"key\"\n  }\n}\n" + whole("packages \"deb\" {\n    repository = repository.own\n    install = [\"nginx\"]\n  }"),
			"repository \"own\" {\n  type = \"deb\"\n  suite = \"trixie\"\n  components = [\"main\", \"contrib\"]\n}\n" + whole("packages \"deb\" {\n    repository = repository.own\n    install = [\"nginx\"]\n  }"),
			"repository \"own\" {\n  type = \"deb\"\n  suite = \"bookworm\"\n  snapshot = \"20260101T000000Z\"\n}\n" + whole("packages \"deb\" {\n    repository = repository.own\n    install = [\"nginx\"]\n  }"),
		},
		"copy-is-typed": {
			copied("source = \"a\"\n    to = \"/a.tar.gz\""),
			"context \"c\" {\n  http {\n    url = \"https://example.com/x.tgz\"\n    sha256 = \"" + sum + "\"\n    unpack = true\n  }\n}\n" + copied("from = context.c\n    source = \"x\"\n    to = \"/x\""),
			whole(run("add() { echo \"$1\"; }; add https")),
		},
		"copy-source-exists": {copied("source = [\"a\", \"b\"]\n    to = \"/x/\""), copied("source = \"{a,z}\"\n    to = \"/x/\""), copied("source = \"./a\"\n    to = \"/x\""), copied("source = \"?\"\n    to = \"/x/\"")},
		"copy-destination-absolute": {
			copied("source = \"a\"\n    to = \"/x\""),
			whole("workdir = \"/app\"\n  copy {\n    source = \"a\"\n    to = \"x/y\"\n  }"),
			"stage \"s\" {\n  from = scratch\n  workdir = \"/app\"\n}\n" + strings.ReplaceAll(copied("source = \"a\"\n    to = \"./a\""), "scratch", "stage.s"),
		},
		"entrypoint-exec-form": {whole(`entrypoint = ["/bin/sh", "-c", "exec nginx -g 'daemon off;'"]`), whole(`cmd = []`), whole(`entrypoint = ["nginx -g"]`)},
		"entrypoint-single": {
			"stage \"s\" {\n  from = scratch\n}\nimage \"base\" {\n  from = stage.s\n  run_as = \"1\"\n  cmd = [\"a\"]\n}\nimage \"web\" {\n  from = image.base\n  cmd = [\"b\"]\n}\n",
			whole("cmd = [\"a\", \"b\"]\n  healthcheck {\n    command = [\"/x\"]\n  }"),
			whole("env = { cmd = \"x\" }\n  labels = { cmd = \"y\" }\n  cmd = [\"a\"]"),
		},
		"port-valid": {
			whole("expose = [8080]\n  healthcheck {\n    none = true\n  }"), whole("expose = [\"8443/tcp\", \"8443/udp\"]\n  healthcheck {\n    none = true\n  }"),
			whole("expose = []"), whole("env = { PORT = \"0\", BIND = \"8080:80\" }"),
		},
	} {
		for _, text := range texts {
			t.Run(rule, func(t *testing.T) {
				t.Parallel()
				j := judgement{files: map[string]string{"a": "a", "b": "b"}}
				for _, d := range j.judge(t, text) {
					if d.Severity == diag.Error || d.Code == rule || d.Code == "" {
						t.Errorf("%s of %s: %s. %s\n%s", d.Severity, d.Code, d.Summary, d.Detail, text)
					}
				}
			})
		}
	}
}
