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
	users := "user \"a\" {\n    uid = 5\n  }\n  user \"b\" {\n    uid = %\n  }"
	secret := "secret \"token\" {\n  env = \"TOKEN\"\n}\nimage \"web\" {\n  from = scratch\n  run_as = \"1\"\n  %\n}\n"
	mounted := "run {\n    command = [\"/x\"]\n    mount \"secret\" {\n      secret = secret.token\n    }\n  }"
	for _, tc := range []struct {
		rule, text string
		want       string // empty: the spec is right
	}{
		{"base-explicit-tag", built(`image = "docker.io/library/root"`), ": Invalid value | has no tag"},
		{"base-explicit-tag", built(`image = "localhost:5000/root"`), ": Invalid value | has no tag"},
		{"base-explicit-tag", built(`image = "root:1.2"`), ""},
		{"base-explicit-tag", built(`image = "localhost:5000/root@` + digest('0') + `"`), ""},

		{"stage-name-valid", "stage \"Build\" {\n  from = scratch\n}\n" + whole(""), ": Invalid name | Build"},
		{"stage-name-valid", "stage \"s\" {\n  from = scratch\n}\nstage \"s\" {\n  from = scratch\n}\n" + whole(""), ": Declared twice | s"},
		{"stage-name-valid", "stage \"web\" {\n  from = scratch\n}\n" + strings.ReplaceAll(whole(""), "scratch", "stage.web"), ""},

		{"stage-ref-resolves", strings.ReplaceAll(whole(""), "scratch", "stage.biuld") + "stage \"build\" {\n  from = scratch\n}\n", ": Unknown name | stage.build"},
		{"stage-ref-resolves", "stage \"a\" {\n  from = stage.b\n}\nstage \"b\" {\n  from = scratch\n  copy {\n    from = stage.a\n    to = \"/x/\"\n  }\n}\n" + strings.ReplaceAll(whole(""), "scratch", "stage.a"), ": References form a cycle | stage.a → stage.b → stage.a"},
		{"stage-ref-resolves", "stage \"a\" {\n  from = scratch\n  copy {\n    from = stage.a\n    to = \"/x/\"\n  }\n}\n" + strings.ReplaceAll(whole(""), "scratch", "stage.a"), ": References form a cycle | stage.a → stage.a"},
		{"stage-ref-resolves", "stage \"b\" {\n  from = scratch\n}\nstage \"a\" {\n  from = stage.b\n  copy {\n    from = stage.b\n    to = \"/x/\"\n  }\n}\n" + strings.ReplaceAll(whole(""), "scratch", "stage.a"), ""},

		{"stage-unused", "stage \"s\" {\n  from = scratch\n}\n" + whole(""), "stage-unused: Nothing uses this | stage.s"},
		{"stage-unused", "secret \"s\" {\n  env = \"S\"\n}\n" + whole(""), "stage-unused: Nothing uses this | secret.s"},
		{"stage-unused", "base \"b\" {\n  image = \"root:1\"\n}\n" + whole(""), "stage-unused: Nothing uses this | base.b"},
		{"stage-unused", strings.ReplaceAll(secret, "%", mounted), ""},

		{"variable-defined", whole("labels = { a = var.version }"), ": Unknown name | var.version"},
		{"variable-defined", "variable \"version\" {\n}\n" + whole("labels = { a = var.version }"), ": Variable without a value | version"},
		{"variable-defined", "variable \"v\" {\n  default = \"1\"\n}\n" + whole("labels = { a = var.v }"), ""},

		{"user-numeric-id", whole("")[:len(whole(""))-3] + "  user \"app\" {\n    uid = 7\n    gid = 8\n  }\n}\nimage \"named\" {\n  from = image.web\n  run_as = \"app\"\n}\n", ""},

		{"user-ids-unique", strings.ReplaceAll(whole(users), "%", "5"), "user-ids-unique: Two accounts have one name or number | a (5)"},
		{"user-ids-unique", whole("group \"a\" {\n    gid = 9\n  }\n  user \"b\" {\n    uid = 9\n  }"), "user-ids-unique: Two accounts have one name or number | a (9)"},
		{"user-ids-unique", "stage \"s\" {\n  from = scratch\n  user \"app\" {\n    uid = 5\n  }\n}\n" + strings.ReplaceAll(whole("user \"app\" {\n    uid = 6\n  }"), "scratch", "stage.s"), "user-ids-unique: Two accounts have one name or number | app (5)"},
		{"user-ids-unique", whole("user \"a\" {\n    uid = 5\n  }\n  user \"a\" {\n    uid = 6\n  }"), ": Declared twice | a"},
		{"user-ids-unique", strings.ReplaceAll(whole(users), "%", "6"), ""},

		{"run-privilege-declared", whole("run {\n    command = [\"/x\"]\n    network = \"host\"\n  }"), "run-privilege-declared: The machine's network is not granted | --allow network.host"},
		{"run-privilege-declared", whole("run {\n    command = [\"/x\"]\n    privileged = true\n  }"), ": Unknown attribute | privileged"},
		{"run-privilege-declared", whole("run {\n    command = [\"/x\"]\n    network = \"outbound\"\n  }"), ""},

		{"no-host-socket-mount", whole("run {\n    command = [\"/x\"]\n    mount \"bind\" {\n      from = \"/var/run/docker.sock\"\n      target = \"/s\"\n    }\n  }"), ": Invalid value | takes a reference"},
		{"no-host-socket-mount", whole("run {\n    command = [\"/x\"]\n    mount \"bind\" {\n      source = [\"../../var/run/docker.sock\"]\n      target = \"/s\"\n    }\n  }"), ": Invalid value | .."},
		{"no-host-socket-mount", "context \"run\" {\n  path = \"/var/run\"\n}\n" + whole("copy {\n    from = context.run\n    source = [\"docker.sock\"]\n    to = \"/s\"\n  }"), ": Invalid value | /var/run"},
		{"no-host-socket-mount", whole("run {\n    command = [\"/x\"]\n    mount \"bind\" {\n      source = [\"a\"]\n      target = \"/var/run/docker.sock\"\n    }\n  }"), ""},

		{"secret-typed", strings.ReplaceAll(secret, "%", "env = { TOKEN = secret.token }"), ": Invalid value | mount it in a run step"},
		{"secret-typed", strings.ReplaceAll(secret, "%", "labels = { a = \"x-${secret.token}\" }"), ": Cannot be put in string | mount it in a run step"},
		{"secret-typed", strings.ReplaceAll(secret, "%", "labels = { a = jsonencode([secret.token]) }"), ": Invalid function argument | mount it in a run step"},
		{"secret-typed", strings.ReplaceAll(secret, "%", "copy {\n    from = secret.token\n    source = \"x\"\n    to = \"/x\"\n  }"), ": Invalid value | another kind"},
		{"secret-typed", strings.ReplaceAll(secret, "%", mounted), ""},

		{"copy-is-typed", whole("add {\n    source = \"a\"\n    to = \"/a\"\n  }"), ": Unknown block | Dockerfile's ADD is `copy`"},
		{"copy-is-typed", whole("copy {\n    url = \"https://example.com/a\"\n    to = \"/a\"\n  }"), ": Unknown attribute | What is fetched"},
		{"copy-is-typed", whole("copy {\n    source = \"https://example.com/a.tgz\"\n    to = \"/a\"\n  }"), "copy-source-exists: The source matches nothing | a.tgz"},
		{"copy-is-typed", whole("copy {\n    source = \"a\"\n    to = \"/a/\"\n    unpack = true\n  }"), ""},

		{"copy-source-exists", whole("copy {\n    source = \"aa\"\n    to = \"/a\"\n  }"), "copy-source-exists: The source matches nothing | \"aa\""},
		{"copy-source-exists", whole("copy {\n    source = \"*.pem\"\n    to = \"/a/\"\n  }"), "copy-source-exists: The source matches nothing | built-in list"},
		{"copy-source-exists", whole("copy {\n    source = \"ignored\"\n    to = \"/a\"\n  }"), "copy-source-exists: The source matches nothing | .dockerignore"},
		{"copy-source-exists", whole("copy {\n    source = \"a\"\n    to = \"/a\"\n  }"), ""},

		{"copy-destination-absolute", whole("workdir = \"app\""), ": Invalid value | app"},
		{"copy-destination-absolute", whole("copy {\n    source = \"a\"\n    to = \"./a\"\n  }"), ": Relative destination | set workdir"},
		{"copy-destination-absolute", whole("copy {\n    source = [\"a\", \"b\"]\n    to = \"/x\"\n  }"), ": Destination is a folder | with a slash"},
		{"copy-destination-absolute", whole("workdir = \"/app\"\n  copy {\n    source = [\"a\", \"b\"]\n    to = \"./\"\n  }"), ""},

		{"entrypoint-exec-form", whole(`entrypoint = "nginx -g 'daemon off;'"`), ": Invalid value | entrypoint"},
		{"entrypoint-exec-form", whole(`cmd = "-v"`), ": Invalid value | cmd"},
		{"entrypoint-exec-form", whole(`entrypoint = ["/usr/sbin/nginx", "-g", "daemon off;"]`), ""},

		{"port-valid", whole(`expose = [0]`), ": Invalid value | number 0 is not a port"},
		{"port-valid", whole(`expose = [65536]`), ": Invalid value | 65536"},
		{"port-valid", whole(`expose = ["8080:80"]`), ": Invalid value | 8080:80"},
		{"port-valid", whole(`expose = ["53/icmp"]`), ": Invalid value | icmp"},
		{"port-valid", whole(`expose = [65535, "5300/udp", "9999/sctp"]`), ""},
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
		ds := j.judge(t, "image \"web\" {\n  from = scratch\n  user \"app\" {\n    uid = 7\n    gid = 8\n  }\n  group \"wheel\" {\n    gid = 10\n  }\n  run_as = \""+runAs+"\"\n}\n")
		if len(ds) > 0 || j.plan.Instances[0].Config.User != want {
			t.Errorf("%s is %q, not %q: %v", runAs, j.plan.Instances[0].Config.User, want, ds)
		}
	}
	if ds := (&judgement{}).judge(t, strings.ReplaceAll(whole(""), "10001", "app")); len(ds) != 1 || ds[0].Summary != "No such user" {
		t.Errorf("%v", ds)
	}
}

// TestHostNetworkGranted is the other half of run-privilege-declared.
func TestHostNetworkGranted(t *testing.T) {
	t.Parallel()
	j := judgement{allow: []string{"network.host"}}
	if ds := j.judge(t, whole("run {\n    command = [\"/x\"]\n    network = \"host\"\n  }")); len(ds) > 0 {
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
	if len(seen) != 36 {
		t.Errorf("%d rules", len(seen))
	}
}
