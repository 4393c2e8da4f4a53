package rules_test

import (
	"testing"

	"github.com/specbuild/specbuild/spec/diag"
)

// placing is a step with a mode, by its own attributes.
func placing(kind, attributes string) string { return kind + " {\n" + attributes + "\n}\n" }

func TestModesThatLetEverybodyWrite(t *testing.T) {
	t.Parallel()
	dir := func(path, mode string) string { return placing("directory", "path = \""+path+"\"\nmode = "+mode) }
	file := func(path, mode string) string {
		return placing("file", "path = \""+path+"\"\ncontent = \"x\"\nmode = "+mode)
	}
	c := cases{
		severity: diag.Info, release: diag.Info, files: map[string]string{"a": "a"},
		fires: []string{
			dir("/srv/up", `«"0777"»`), file("/srv/x", `«"0666"»`), file("/srv/x", `«"0602"»`),
			placing("copy", "source = \"a\"\nto = \"/srv/\"\nmode = «\"0777\"»"),
			"locals {\n  m = \"0777\"\n}\n" + image(dir("/srv/up", `«local.m»`)),
			"stage \"s\" {\n  from = scratch\n" + dir("/srv/up", `«"0777"»`) + "}\nimage \"web\" {\n  from = stage.s\n  run_as = \"1\"\n}\nimage \"job\" {\n  from = stage.s\n  run_as = \"1\"\n}\n",
			dir("/srv/up", `«"0777"»`) + run("chmod 0755 /srv/other"),
			dir("/srv/up", `«"0777"»`) + file("/srv/up/x", `"0644"`),
		},
		quiet: []string{
			dir("/tmp", `"1777"`), dir("/srv/up", `"0775"`), file("/srv/x", `"0664"`), dir("/srv/up", `"2755"`),
			// What later steps change is theirs.
			dir("/srv/up", `"0777"`) + run("chmod -R o-w /srv"),
			dir("/srv/up", `"0777"`) + run("cd /srv && chmod 755 up"),
			dir("/srv/up", `"0777"`) + run("find /srv -type d -exec chmod 755 {} +"),
			dir("/srv/up", `"0777"`) + run("for d in /srv/*; do chmod 755 \"$d\"; done"),
			dir("/srv/up", `"0777"`) + dir("/srv/up", `"0755"`),
			// A stage of which files are taken is in no image.
			"stage \"s\" {\n  from = scratch\n" + dir("/srv/up", `"0777"`) + "}\nimage \"web\" {\n  from = scratch\n  run_as = \"1\"\n  copy {\n    from = stage.s\n    source = \"/srv\"\n    to = \"/srv/\"\n  }\n}\n",
		},
	}
	c.run(t, "file-modes-explicit")
}

func TestModesThatAPolicyAllows(t *testing.T) {
	t.Parallel()
	cases{
		grade: of("allow", "/srv/up", "/opt/"),
		quiet: []string{
			placing("directory", "path = \"/srv/up\"\nmode = \"0777\""),
			placing("file", "path = \"/opt/x/y\"\ncontent = \"x\"\nmode = \"0666\""),
			placing("copy", "source = \"a\"\nto = \"/srv/\"\nmode = \"0777\""), // the finished image tells
		},
		files: map[string]string{"a": "a"},
	}.run(t, "file-modes-explicit")
	cases{
		grade: of("allow", "/usr/bin/ping", "/usr/lib/*/helper"),
		files: map[string]string{"ping": "x", "helper": "x"},
		quiet: []string{
			placing("copy", "source = \"ping\"\nto = \"/usr/bin/\"\nmode = \"4755\""),
			placing("copy", "source = \"helper\"\nto = \"/usr/lib/x/helper\"\nmode = \"2755\""),
		},
	}.run(t, "no-setuid-files")
}

func TestModesThatAreSetuid(t *testing.T) {
	t.Parallel()
	program := func(mode string) string {
		return placing("copy", "source = \"a\"\nto = \"/usr/bin/a\"\nmode = "+mode)
	}
	cases{
		severity: diag.Info, release: diag.Info, files: map[string]string{"a": "a"},
		fires: []string{program(`«"4755"»`), program(`«"2755"»`), program(`«"6711"»`), placing("file", "path = \"/x\"\ncontent = \"x\"\nmode = «\"4755\"»")},
		quiet: []string{
			program(`"0755"`), program(`"4644"`), program(`"2745"`), // which nobody can start
			placing("directory", "path = \"/srv/shared\"\nmode = \"2775\""),
			program(`"4755"`) + run("chmod u-s /usr/bin/a"),
		},
	}.run(t, "no-setuid-files")
}

func TestProgramsWithoutX(t *testing.T) {
	t.Parallel()
	script := func(path, rest string) string {
		return placing("file", "path = \""+path+"\"\ncontent = \"#!/bin/sh\\ntrue\\n\"\n"+rest)
	}
	cases{
		severity: diag.Info, release: diag.Info, files: map[string]string{"a": "a"},
		fires: []string{
			"entrypoint = [\"/start.sh\"]\n«file» {\n  path = \"/start.sh\"\n  content = \"#!/bin/sh\\n\"\n}\n",
			"cmd = [\"/start.sh\", \"x\"]\n«file» {\n  path = \"/start.sh\"\n  content = \"#!/bin/sh\\n\"\n}\n",
			"healthcheck {\n  command = [\"/well\"]\n}\n" + script("/well", `mode = «"0600"»`),
			"«file» {\n  path = \"/usr/local/bin/migrate\"\n  content = \"#!/bin/sh\\n\"\n}\n",
			"entrypoint = [\"/usr/bin/web\"]\n" + placing("copy", "source = \"a\"\nto = \"/usr/bin/web\"\nmode = «\"0644\"»"),
			"entrypoint = [\"/srv/a\"]\n" + placing("copy", "source = \"a\"\nto = \"/srv/\"\nmode = «\"0644\"»"),
		},
		quiet: []string{
			// Others read it, or may.
			script("/usr/local/lib/x.sh", ""), script("/etc/profile.d/x.sh", ""), script("/usr/local/bin/lib.sh", ""), script("/srv/run", ""),
			"entrypoint = [\"/bin/sh\", \"/usr/local/bin/start\"]\n" + script("/usr/local/bin/start", ""),
			script("/usr/local/bin/common", "") + placing("file", "path = \"/usr/local/bin/migrate\"\nmode = \"0755\"\ncontent = \"#!/bin/sh\\n. common\\n\""),
			script("/usr/local/bin/setup", "") + run(". /usr/local/bin/setup"),
			// It has x, or gets it.
			"entrypoint = [\"/start\"]\n" + script("/start", `mode = "0755"`),
			"entrypoint = [\"/start\"]\n" + script("/start", "") + run("chmod +x /start"),
			"entrypoint = [\"/start\"]\n" + script("/start", "") + placing("copy", "source = \"a\"\nto = \"/start\"\nmode = \"0755\""),
			// A context has modes of its own, and this is no script.
			"entrypoint = [\"/web\"]\n" + placing("copy", "source = \"a\"\nto = \"/web\""),
			placing("file", "path = \"/usr/bin/README\"\ncontent = \"# read me\""),
			// The words that a base's entrypoint may take.
			"base \"b\" {\n  image = \"nonroot:1.2\"\n}\nimage \"web\" {\n  from = base.b\n  cmd = [\"/x\"]\n" + script("/x", "") + "}\n",
		},
	}.run(t, "file-modes-explicit")
}

// image is an image of some steps.
func image(steps string) string {
	return "image \"web\" {\n  from = scratch\n  run_as = \"10001\"\n" + steps + "}\n"
}

func TestFixesOfModes(t *testing.T) {
	t.Parallel()
	yaml := func(steps string) string {
		return "image:\n  web:\n    from: scratch\n    run_as: \"10001\"\n    steps:\n" + steps
	}
	for name, tc := range map[string]fixCase{
		"a file's":       {rule: "file-modes-explicit", text: whole("file {\n    path = \"/srv/x\"\n    content = \"x\"\n    mode = \"0666\" # all\n  }"), was: `"0666" #`, is: `"0644" #`},
		"a copy's":       {rule: "file-modes-explicit", text: whole("copy {\n    source = \"a\"\n    to = \"/srv/\"\n    mode = \"0777\"\n  }"), was: "0777", is: "0755"},
		"of who owns it": {rule: "file-modes-explicit", text: whole("directory {\n    path = \"/srv/up\"\n    mode = \"0777\"\n    owner = \"10001\"\n  }"), was: "0777", is: "0755"},
		"with an owner": {
			rule: "file-modes-explicit", text: whole("directory {\n    path = \"/srv/up\"\n    mode = \"0777\" # all\n  }"),
			was: "\"0777\" # all\n", is: "\"0755\" # all\n    owner = \"10001\"\n",
		},
		"root writes": {rule: "file-modes-explicit", text: "image \"web\" {\n  from = scratch\n  run_as = \"0\"\n  directory {\n    path = \"/srv/up\"\n    mode = \"0777\"\n  }\n}\n", was: "0777", is: "0755"},
		"data": {
			rule: "file-modes-explicit", text: whole("file {\n    path = \"/var/lib/web/state\"\n    content = \"x\"\n    mode = \"0666\"\n  }"),
			was: "\"0666\"\n", is: "\"0644\"\n    owner = \"10001\"\n",
		},
		"data of a copy": {rule: "file-modes-explicit", text: whole("copy {\n    source = \"a\"\n    to = \"/var/lib/web/\"\n    mode = \"0666\"\n  }")},
		"computed":       {rule: "file-modes-explicit", text: "locals {\n  m = \"0777\"\n}\n" + whole("directory {\n    path = \"/srv/up\"\n    mode = local.m\n  }")},
		"two users": {
			rule: "file-modes-explicit",
			text: "stage \"s\" {\n  from = scratch\n  directory {\n    path = \"/srv/up\"\n    mode = \"0777\"\n  }\n}\nimage \"web\" {\n  from = stage.s\n  run_as = \"1\"\n}\nimage \"job\" {\n  from = stage.s\n  run_as = \"2\"\n}\n",
		},
		"two users of a loop": {
			rule: "file-modes-explicit",
			text: "image \"web\" {\n  for_each = { a = \"1\", b = \"2\" }\n  from = scratch\n  run_as = each.value\n  directory {\n    path = \"/srv/up\"\n    mode = \"0777\"\n  }\n}\n",
		},
		"in YAML": {
			rule: "file-modes-explicit", file: "image.yaml", text: yaml("      - directory:\n          path: /srv/up\n          mode: \"0777\" # all\n"),
			was: "\"0777\" # all\n", is: "\"0755\" # all\n          owner: \"10001\"\n",
		},
		"in YAML's flow": {
			rule: "file-modes-explicit", file: "image.yaml", text: yaml("      - file: {path: /srv/x, content: x, mode: '0666'}\n"), was: "'0666'", is: "'0644'",
		},
		"setuid":         {rule: "no-setuid-files", text: whole("copy {\n    source = \"a\"\n    to = \"/usr/bin/a\"\n    mode = \"4755\"\n  }"), was: "4755", is: "0755"},
		"setgid in YAML": {rule: "no-setuid-files", file: "image.yaml", text: yaml("      - copy: {source: a, to: /usr/bin/a, mode: \"2755\"}\n"), was: "2755", is: "0755"},
		"a script": {
			rule: "file-modes-explicit", text: whole("file {\n    path = \"/usr/bin/go\" # it\n    content = \"#!/bin/sh\\n\"\n  }"),
			was: "# it\n", is: "# it\n    mode = \"0755\"\n",
		},
		"a script's mode": {
			rule: "file-modes-explicit", text: whole("file {\n    path = \"/usr/bin/go\"\n    content = \"#!/bin/sh\\n\"\n    mode = \"0640\"\n  }"), was: "0640", is: "0750",
		},
		"a script in YAML": {
			rule: "file-modes-explicit", file: "image.yaml", text: yaml("      - file:\n          path: /usr/bin/go\n          content: |\n            #!/bin/sh\n            true\n"),
			was: "/usr/bin/go\n", is: "/usr/bin/go\n          mode: \"0755\"\n",
		},
	} {
		t.Run(name, tc.run)
	}
}

// TestBothModesAreMended holds that of a mode with two mistakes both are told,
// each with a replacement of its own; `validate --fix` makes one after the other.
func TestBothModesAreMended(t *testing.T) {
	t.Parallel()
	var got []string
	for _, d := range (&judgement{files: map[string]string{"a": "a"}}).judge(t, whole("copy {\n  source = \"a\"\n  to = \"/usr/bin/a\"\n  mode = \"4777\"\n}")) {
		if d.Fix != nil {
			got = append(got, d.Code+" "+d.Fix.Replacement)
		}
	}
	if len(got) != 2 || got[0] == got[1] {
		t.Errorf("%q", got)
	}
}
