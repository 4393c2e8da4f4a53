package rules_test

import (
	"testing"
)

// TestFixesOfAccounts holds that commands which make users become steps.
func TestFixesOfAccounts(t *testing.T) {
	t.Parallel()
	const rule = "user-created-declaratively"
	yaml := func(step string) string {
		return "image:\n  web:\n    from: scratch\n    run_as: \"1\"\n    steps:\n" + step
	}
	for name, tc := range map[string]fixCase{
		"a command": {
			text: whole("  # our own\n  run { \n    command = [\"useradd\", \"--uid\", \"10002\", \"web\"]\n  } # done"),
			was:  "run { \n    command = [\"useradd\", \"--uid\", \"10002\", \"web\"]\n  }", is: "user \"web\" {\n    uid = 10002\n  }",
		},
		"a script with a group": {
			text: whole("  run {\n    script = \"addgroup -S -g 101 app && adduser -S -D -H -u 101 -G app app\"\n  }"),
			was:  "run {\n    script = \"addgroup -S -g 101 app && adduser -S -D -H -u 101 -G app app\"\n  }", is: "user \"app\" {\n    uid = 101\n  }",
		},
		"a group of another number": {
			text: whole("  run {\n    script = \"groupadd -g 7 staff && useradd -u 8 -g staff -s /bin/sh -d /srv web\"\n  }"),
			was:  "run {\n    script = \"groupadd -g 7 staff && useradd -u 8 -g staff -s /bin/sh -d /srv web\"\n  }",
			is:   "group \"staff\" {\n    gid = 7\n  }\n  user \"web\" {\n    uid   = 8\n    group = \"staff\"\n    home  = \"/srv\"\n    shell = \"/bin/sh\"\n  }",
		},
		"by the number of a group": {
			text: whole("  group \"staff\" {\n    gid = 7\n  }\n  run {\n    command = [\"useradd\", \"-u\", \"8\", \"-g\", \"7\", \"web\"]\n  }"),
			was:  "run {\n    command = [\"useradd\", \"-u\", \"8\", \"-g\", \"7\", \"web\"]\n  }", is: "user \"web\" {\n    uid   = 8\n    group = \"staff\"\n  }",
		},
		"before more": {
			text: whole("  run {\n    # make it\n    script = \"useradd -u 8 web && make install\" # all\n    workdir = \"/src\"\n  }"),
			was:  "run {\n    # make it\n    script = \"useradd -u 8 web && make install\"", is: "user \"web\" {\n    uid = 8\n  }\n  run {\n    # make it\n    script = \"make install\"",
		},
		"before more lines": {
			text: whole("  " + run("set -e\n      groupadd -g 7 web\n      useradd -u 7 \\\n        -g 7 web\n      make install # it")),
			was:  "run {\n    script = <<-SH\n      set -eu\n      set -e\n      groupadd -g 7 web\n      useradd -u 7 \\\n        -g 7 web\n", is: "user \"web\" {\n    uid = 7\n  }\n  run {\n    script = <<-SH\n      set -eu\n      set -e\n",
		},
		"in YAML": {
			file: "image.yaml", text: yaml("      # ours\n      - run: {command: [useradd, -u, \"8\", web]}\n"),
			was: "run: {command: [useradd, -u, \"8\", web]}", is: "user: {web: {uid: 8}}",
		},
		"in YAML's blocks": {
			file: "image.yaml", text: yaml("      # ours\n      - run:\n          command: [useradd, -u, \"8\", web]\n      # then\n      - directory: {path: /x}\n"),
			was: "run:\n          command: [useradd, -u, \"8\", web]\n", is: "user: {web: {uid: 8}}\n",
		},
		"before more in YAML": {
			file: "image.yaml", text: yaml("      - run:\n          script: |\n            useradd -u 8 web\n            make install\n"),
			was: "- run:\n          script: |\n            useradd -u 8 web\n", is: "- user: {web: {uid: 8}}\n      - run:\n          script: |\n",
		},
		"behind others":       {text: whole(run("make install && useradd -u 8 web"))},
		"without a number":    {text: whole(run("useradd web"))},
		"a group of a base":   {text: whole(run("useradd -u 8 -g www-data web"))},
		"a password":          {text: whole(run("useradd -u 8 -e 2030-01-01 web"))},
		"a name from the run": {text: whole(run("useradd -u 8 \"$NAME\""))},
		"with a condition":    {text: whole("  run {\n    when   = target.arch == \"amd64\"\n    script = \"useradd -u 8 web\"\n  }")},
		"with a comment":      {text: whole("  run {\n    script = \"useradd -u 8 web\" # why\n  }")},
		"with more to lose":   {text: whole("  run {\n    script = \"useradd -u 8 web\"\n    network = \"outbound\"\n  }")},
		"from a variable":     {text: "locals {\n  n = \"web\"\n}\n" + whole("run {\n    script = \"useradd -u 8 ${local.n}\"\n  }")},
		"by another user":     {text: whole("  run {\n    script = \"useradd -u 8 web\"\n    user = \"7\"\n  }")},
		"tested":              {text: whole(run("useradd -u 8 web || true"))},
	} {
		tc.rule = rule
		t.Run(name, tc.run)
	}
}

// TestFixesOfWhatIsUnused holds that a declaration which nothing names is
// taken out whole, and one that anything names is not.
func TestFixesOfWhatIsUnused(t *testing.T) {
	t.Parallel()
	idle := "stage \"lint\" {\n  from = scratch # nothing\n}\n"
	for name, tc := range map[string]fixCase{
		"a stage":            {text: "# Head.\n\n" + idle + "\n" + whole(""), was: idle + "\n", is: ""},
		"with its comment":   {text: "# Head.\n\n# It lints\n# all.\n" + idle + "\n# The image.\n" + whole(""), was: "# It lints\n# all.\n" + idle + "\n", is: ""},
		"below the head":     {text: "# Head.\n" + idle + whole(""), was: idle, is: ""},
		"at the end":         {text: whole("") + "\n" + idle, was: "\n" + idle, is: ""},
		"between":            {text: "locals {\n}\n" + idle + whole(""), was: idle, is: ""},
		"a base":             {text: "base \"b\" {\n  image = \"root:1\"\n}\n" + whole(""), was: "base \"b\" {\n  image = \"root:1\"\n}\n", is: ""},
		"a secret on a line": {text: "secret \"s\" { env = \"S\" }\n" + whole(""), was: "secret \"s\" { env = \"S\" }\n", is: ""},
		"in YAML": {
			file: "image.yaml", text: "# Head.\n\nstage:\n  # it lints\n  lint:\n    from: scratch\n\nimage:\n  web:\n    from: scratch\n    run_as: \"1\"\n",
			was: "stage:\n  # it lints\n  lint:\n    from: scratch\n\n", is: "",
		},
		"of two in YAML": {
			file: "image.yaml", text: "stage:\n  a:\n    from: scratch\n  # it lints\n  lint:\n    from: scratch\nimage:\n  web:\n    from: stage.a\n    run_as: \"1\"\n",
			was: "  # it lints\n  lint:\n    from: scratch\n", is: "",
		},
		"in YAML's flow": {file: "image.yaml", text: "stage: {lint: {from: scratch}}\nimage:\n  web:\n    from: scratch\n    run_as: \"1\"\n"},
		"of for_each":    {text: "stage \"lint\" {\n  for_each = toset([\"a\"])\n  from     = scratch\n}\n" + whole("")},
	} {
		tc.rule = "stage-unused"
		t.Run(name, tc.run)
	}
}
