package rules_test

import (
	"strings"
	"testing"

	"github.com/specbuild/specbuild/planner/rules"
)

// TestImpossible shows, for each rule that the language or the planner keeps,
// which diagnostic says so: "code: summary", and a part of the detail; and
// specs beside it that are right.
func TestImpossible(t *testing.T) {
	t.Parallel()
	users := `user "a" {
    uid = 5
  }
  user "b" {
    uid = %
  }`
	secret := `secret "token" {
  env = "TOKEN"
}
image "web" {
  from = scratch
  run_as = "1"
  %
}
`
	mounted := `run {
    command = ["/x"]
    mount "secret" {
      secret = secret.token
    }
  }`
	for _, tc := range []struct {
		rule, text string
		want       string // empty: the spec is right
	}{
		{"base-explicit-tag", built(`image = "docker.io/library/root"`), ": Invalid value | has no tag"},
		{"base-explicit-tag", built(`image = "localhost:5000/root"`), ": Invalid value | has no tag"},
		{"base-explicit-tag", built(`image = "root:1.2"`), ""},
		{"base-explicit-tag", built(`image = "localhost:5000/root@` + digest('0') + `"`), ""},

		{"stage-name-valid", `stage "Build" {
  from = scratch
}
` + whole(""), ": Invalid name | Build"},
		{"stage-name-valid", `stage "s" {
  from = scratch
}
stage "s" {
  from = scratch
}
` + whole(""), ": Declared twice | s"},
		{"stage-name-valid", `stage "web" {
  from = scratch
}
` + strings.ReplaceAll(whole(""), "scratch", "stage.web"), ""},

		{"stage-ref-resolves", strings.ReplaceAll(whole(""), "scratch", "stage.biuld") + `stage "build" {
  from = scratch
}
`, ": Unknown name | stage.build"},
		{"stage-ref-resolves", `stage "a" {
  from = stage.b
}
stage "b" {
  from = scratch
  copy {
    from = stage.a
    to = "/x/"
  }
}
` + strings.ReplaceAll(whole(""), "scratch", "stage.a"), ": References form a cycle | stage.a → stage.b → stage.a"},
		{"stage-ref-resolves", `stage "a" {
  from = scratch
  copy {
    from = stage.a
    to = "/x/"
  }
}
` + strings.ReplaceAll(whole(""), "scratch", "stage.a"), ": References form a cycle | stage.a → stage.a"},
		{"stage-ref-resolves", `stage "b" {
  from = scratch
}
stage "a" {
  from = stage.b
  copy {
    from = stage.b
    to = "/x/"
  }
}
` + strings.ReplaceAll(whole(""), "scratch", "stage.a"), ""},

		{"stage-unused", `stage "s" {
  from = scratch
}
` + whole(""), "stage-unused: Nothing uses this | stage.s"},
		{"stage-unused", `secret "s" {
  env = "S"
}
` + whole(""), "stage-unused: Nothing uses this | secret.s"},
		{"stage-unused", `base "b" {
  image = "root:1"
}
` + whole(""), "stage-unused: Nothing uses this | base.b"},
		{"stage-unused", strings.ReplaceAll(secret, "%", mounted), ""},

		{"variable-defined", whole("labels = { a = var.version }"), ": Unknown name | var.version"},
		{"variable-defined", `variable "version" {
}
` + whole("labels = { a = var.version }"), ": Variable without a value | version"},
		{"variable-defined", `variable "v" {
  default = "1"
}
` + whole("labels = { a = var.v }"), ""},

		{"user-numeric-id", whole("")[:len(whole(""))-3] + `  user "app" {
    uid = 7
    gid = 8
  }
}
image "named" {
  from = image.web
  run_as = "app"
}
`, ""},

		{"user-ids-unique", strings.ReplaceAll(whole(users), "%", "5"), "user-ids-unique: Two accounts have one name or number | a (5)"},
		{"user-ids-unique", whole(`group "a" {
    gid = 9
  }
  user "b" {
    uid = 9
  }`), "user-ids-unique: Two accounts have one name or number | a (9)"},
		{"user-ids-unique", `stage "s" {
  from = scratch
  user "app" {
    uid = 5
  }
}
` + strings.ReplaceAll(whole(`user "app" {
    uid = 6
  }`), "scratch", "stage.s"), "user-ids-unique: Two accounts have one name or number | app (5)"},
		{"user-ids-unique", whole(`user "a" {
    uid = 5
  }
  user "a" {
    uid = 6
  }`), ": Declared twice | a"},
		{"user-ids-unique", strings.ReplaceAll(whole(users), "%", "6"), ""},

		{"run-privilege-declared", whole(`run {
    command = ["/x"]
    network = "host"
  }`), "run-privilege-declared: The machine's network is not granted | --allow network.host"},
		{"run-privilege-declared", whole(`run {
    command = ["/x"]
    privileged = true
  }`), ": Unknown attribute | privileged"},
		{"run-privilege-declared", whole(`run {
    command = ["/x"]
    network = "outbound"
  }`), ""},

		{"no-host-socket-mount", whole(`run {
    command = ["/x"]
    mount "bind" {
      from = "/var/run/docker.sock"
      target = "/s"
    }
  }`), ": Invalid value | takes a reference"},
		{"no-host-socket-mount", whole(`run {
    command = ["/x"]
    mount "bind" {
      source = ["../../var/run/docker.sock"]
      target = "/s"
    }
  }`), ": Invalid value | .."},
		{"no-host-socket-mount", `context "run" {
  path = "/var/run"
}
` + whole(`copy {
    from = context.run
    source = ["docker.sock"]
    to = "/s"
  }`), ": Invalid value | /var/run"},
		{"no-host-socket-mount", whole(`run {
    command = ["/x"]
    mount "bind" {
      source = ["a"]
      target = "/var/run/docker.sock"
    }
  }`), ""},

		{"secret-typed", strings.ReplaceAll(secret, "%", "env = { TOKEN = secret.token }"), ": Invalid value | mount it in a run step"},
		{"secret-typed", strings.ReplaceAll(secret, "%", "labels = { a = \"x-${secret.token}\" }"), ": Cannot be put in string | mount it in a run step"},
		{"secret-typed", strings.ReplaceAll(secret, "%", "labels = { a = jsonencode([secret.token]) }"), ": Invalid function argument | mount it in a run step"},
		{"secret-typed", strings.ReplaceAll(secret, "%", `copy {
    from = secret.token
    source = "x"
    to = "/x"
  }`), ": Invalid value | another kind"},
		{"secret-typed", strings.ReplaceAll(secret, "%", mounted), ""},

		{"copy-is-typed", whole(`add {
    source = "a"
    to = "/a"
  }`), ": Unknown block | Dockerfile's ADD is `copy`"},
		{"copy-is-typed", whole(`copy {
    url = "https://example.com/a"
    to = "/a"
  }`), ": Unknown attribute | What is fetched"},
		{"copy-is-typed", whole(`copy {
    source = "https://example.com/a.tgz"
    to = "/a"
  }`), "copy-source-exists: The source matches nothing | a.tgz"},
		{"copy-is-typed", whole(`copy {
    source = "a"
    to = "/a/"
    unpack = true
  }`), ""},

		{"copy-source-exists", whole(`copy {
    source = "aa"
    to = "/a"
  }`), "copy-source-exists: The source matches nothing | \"aa\""},
		{"copy-source-exists", whole(`copy {
    source = "*.pem"
    to = "/a/"
  }`), "copy-source-exists: The source matches nothing | built-in list"},
		{"copy-source-exists", whole(`copy {
    source = "ignored"
    to = "/a"
  }`), "copy-source-exists: The source matches nothing | .dockerignore"},
		{"copy-source-exists", whole(`copy {
    source = "a"
    to = "/a"
  }`), ""},

		{"copy-destination-absolute", whole("workdir = \"app\""), ": Invalid value | app"},
		{"copy-destination-absolute", whole(`copy {
    source = "a"
    to = "./a"
  }`), ": Relative destination | set workdir"},
		{"copy-destination-absolute", whole(`copy {
    source = ["a", "b"]
    to = "/x"
  }`), ": Destination is a folder | with a slash"},
		{"copy-destination-absolute", whole(`workdir = "/app"
  copy {
    source = ["a", "b"]
    to = "./"
  }`), ""},

		{"entrypoint-exec-form", whole(`entrypoint = "nginx -g 'daemon off;'"`), ": Invalid value | entrypoint"},
		{"entrypoint-exec-form", whole(`cmd = "-v"`), ": Invalid value | cmd"},
		{"entrypoint-exec-form", whole(`entrypoint = ["/usr/sbin/nginx", "-g", "daemon off;"]`), ""},

		{"entrypoint-single", whole(`cmd = ["a"]
  cmd = ["b"]`), ": Attribute set twice | cmd"},
		{"entrypoint-single", whole(`healthcheck {
    none = true
  }
  healthcheck {
    command = ["/x"]
  }`), ": Block written twice | healthcheck"},
		{"entrypoint-single", whole(`entrypoint = ["/x"]
  cmd = ["a"]`), ""},

		{"packages-repo-trusted", `repository "own" {
  type = "deb"
  source {
    url        = "https://deb.example.com"
    suites     = ["stable"]
    components = ["main"]
  }
}
` + whole(`packages "deb" {
    repository = repository.own
    install    = ["agent"]
  }`), ": Missing attribute | signed_by"},
		{"packages-repo-trusted", `repository "own" {
  type  = "deb"
  suite = "trixie"
}
` + whole(`packages "deb" {
    repository = repository.own
    install    = ["nginx"]
  }`), ""},

		{"port-valid", whole(`expose = [0]`), ": Invalid value | number 0 is not a port"},
		{"port-valid", whole(`expose = [65536]`), ": Invalid value | 65536"},
		{"port-valid", whole(`expose = ["8080:80"]`), ": Invalid value | 8080:80"},
		{"port-valid", whole(`expose = ["53/icmp"]`), ": Invalid value | icmp"},
		{"port-valid", whole(`expose = [65535, "5300/udp", "9999/sctp"]
  healthcheck {
    none = true
  }`), ""},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			t.Parallel()
			j := judgement{files: map[string]string{"a": "a", "b": "b", "tls.pem": "x", "ignored": "x", ".dockerignore": "ignored\n"}}
			ds := j.judge(t, tc.text)
			head, part, _ := strings.Cut(tc.want, " | ")
			switch {
			case tc.want == "" && len(ds) > 0:
				t.Errorf("%v in\n%s", ds, tc.text)
			case tc.want != "" && len(ds) != 1:
				t.Errorf("%d messages for one mistake: %v in\n%s", len(ds), ds, tc.text)
			case tc.want != "" && (!strings.HasPrefix(ds[0].Code+": "+ds[0].Summary, head) || !strings.Contains(ds[0].Detail, part)):
				t.Errorf("%s: %s. %s", ds[0].Code, ds[0].Summary, ds[0].Detail)
			}
		})
	}
}

// TestUserNumericID is the rule of that name: what the plan says is numbers.
func TestUserNumericID(t *testing.T) {
	t.Parallel()
	for runAs, want := range map[string]string{"app": "7:8", "app:0": "7:0", "10001": "10001", "7": "7:8", "10001:wheel": "10001:10"} {
		j := judgement{}
		ds := j.judge(t, `image "web" {
  from = scratch
  user "app" {
    uid = 7
    gid = 8
  }
  group "wheel" {
    gid = 10
  }
  run_as = "`+runAs+`"
}
`)
		if len(ds) > 0 || j.plan.Instances[0].Config.User != want {
			t.Errorf("%s is %q, not %q: %v", runAs, j.plan.Instances[0].Config.User, want, ds)
		}
	}
	// fires: user-numeric-id
	if ds := (&judgement{}).judge(t, strings.ReplaceAll(whole(""), "10001", "app")); len(ds) != 1 || ds[0].Summary != "No such user" {
		t.Errorf("%v", ds)
	}
}

// TestHostNetworkGranted is the other half of run-privilege-declared.
func TestHostNetworkGranted(t *testing.T) {
	t.Parallel()
	j := judgement{allow: []string{"network.host"}}
	if ds := j.judge(t, whole(`run {
    command = ["/x"]
    network = "host"
  }`)); len(ds) > 0 {
		t.Errorf("%v", ds)
	}
}

// TestRulesAreWellFormed holds the form of the table, which the documentation
// is made of.
func TestRulesAreWellFormed(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range rules.All() {
		if seen[r.ID] || r.Title == "" || r.Why == "" || r.By == "" {
			t.Errorf("%q is there twice, or says too little", r.ID)
		}
		seen[r.ID] = true
		if strings.HasSuffix(r.Title, ".") || !strings.HasSuffix(r.Why, ".") {
			t.Errorf("%s: a title has no full stop, a reason has", r.ID)
		}
		if r.Release > r.Severity {
			t.Errorf("%s is milder in a release", r.ID)
		}
	}
	if len(seen) != 81 {
		t.Errorf("%d rules", len(seen))
	}
}
