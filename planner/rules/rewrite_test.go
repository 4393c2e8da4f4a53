package rules_test

import (
	"strings"
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

// onBase is an image on a base, with a step.
func onBase(step string) string {
	return "base \"b\" {\n  image = \"registry.example.com/nonroot:1\"\n}\nstage \"s\" {\n  from = base.b\n  " + step +
		"}\nimage \"web\" {\n  from   = stage.s\n  run_as = \"1\"\n}\n"
}

// TestFixesOfInstalls holds that commands which install packages of known
// versions become `packages` steps, and that others are left.
func TestFixesOfInstalls(t *testing.T) {
	t.Parallel()
	net := func(script, more string) string {
		return "run {\n    user    = \"0:0\"\n    network = \"outbound\"\n    script  = \"" + script + "\"\n" + more + "  }\n"
	}
	for name, tc := range map[string]fixCase{
		"apk": {text: onBase(net("apk add --no-cache curl=8.1-r2 jq=1.7-r0", "")), was: net("apk add --no-cache curl=8.1-r2 jq=1.7-r0", ""), is: "packages \"apk\" {\n    install = [\"curl=8.1-r2\", \"jq=1.7-r0\"]\n  }\n"},
		"apt, with all around it": {
			text: onBase(net("apt-get update && apt-get install -y --no-install-recommends curl=8.1-2 && rm -rf /var/lib/apt/lists/*", "    cache = [\"/var/cache/apt\"]\n    env = { DEBIAN_FRONTEND = \"noninteractive\" }\n")),
			was:  net("apt-get update && apt-get install -y --no-install-recommends curl=8.1-2 && rm -rf /var/lib/apt/lists/*", "    cache = [\"/var/cache/apt\"]\n    env = { DEBIAN_FRONTEND = \"noninteractive\" }\n"),
			is:   "packages \"apt\" {\n    install = [\"curl=8.1-2\"]\n  }\n",
		},
		"before more": {
			text: onBase(net("apk add --no-cache gcc=14-r0 && make install", "")), was: net("apk add --no-cache gcc=14-r0 && make install", ""),
			is: "packages \"apk\" {\n    install = [\"gcc=14-r0\"]\n  }\n  " + net("make install", ""),
		},
		"a list": {
			text: onBase("run {\n    user = \"0\"\n    network = \"outbound\"\n    command = [\"apk\", \"add\", \"--no-cache\", \"jq=1\"]\n  }\n"),
			was:  "run {\n    user = \"0\"\n    network = \"outbound\"\n    command = [\"apk\", \"add\", \"--no-cache\", \"jq=1\"]\n  }", is: "packages \"apk\" {\n    install = [\"jq=1\"]\n  }",
		},
		"in YAML": {
			file: "image.yaml",
			text: "base:\n  b: {image: registry.example.com/root:1}\nimage:\n  web:\n    from: base.b\n    run_as: \"1\"\n    steps:\n      # tools\n      - run:\n          script: apk add --no-cache jq=1\n          network: outbound\n      - run: {command: [id]}\n",
			was:  "run:\n          script: apk add --no-cache jq=1\n          network: outbound\n", is: "packages: {apk: {install: [\"jq=1\"]}}\n",
		},
		"without a version":   {text: onBase(net("apk add --no-cache curl=8.1-r2 jq", ""))},
		"with another option": {text: onBase(net("apk add --no-cache --virtual .tools jq=1", ""))},
		"with recommends":     {text: onBase(net("apt-get update && apt-get install -y curl=8.1-2 && rm -rf /var/lib/apt/lists/*", ""))},
		"behind a key":        {text: onBase(net("curl -f https://example.com/k > /k && apt-get update && apt-get install -y --no-install-recommends x=1", ""))},
		"with a secret":       {text: "secret \"s\" {\n  env = \"S\"\n}\n" + onBase(net("apk add --no-cache jq=1", "    mount \"secret\" {\n      secret = secret.s\n    }\n"))},
		"with a limit":        {text: onBase(net("apk add --no-cache jq=1", "    timeout = \"90s\"\n"))},
		"as another user":     {text: onBase("run {\n    network = \"outbound\"\n    script = \"apk add --no-cache jq=1\"\n  }\n")},
		"from scratch":        {text: whole(net("apk add --no-cache jq=1", ""))},
	} {
		tc.rule = "packages-declared"
		t.Run(name, tc.run)
	}
}

// TestFixesOfShells holds that a link from /bin/sh leaves, and that scripts
// which counted on it say their shell.
func TestFixesOfShells(t *testing.T) {
	t.Parallel()
	link := "run {\n    command = [\"ln\", \"-sf\", \"/bin/bash\", \"/bin/sh\"]\n  }\n"
	script := "run {\n    script = \"make install\"\n  }\n"
	said := "\n  shell = [\"/bin/bash\", \"-euo\", \"pipefail\", \"-c\"]"
	from := "  from = base.b # tools\n"
	for name, tc := range map[string]fixCase{
		"alone": {text: onBase(link), was: "  " + link, is: ""},
		"before a script": {
			text: strings.Replace(onBase("# why\n  "+link+"  "+script), "  from = base.b\n", from, 1),
			was:  from + "  # why\n  " + link, is: strings.TrimSuffix(from, "\n") + said + "\n  # why\n",
		},
		"of a script": {
			text: onBase("run {\n    script = \"ln -sf /bin/bash /bin/sh && make install\"\n  }\n"),
			was:  "from = base.b\n  run {\n    script = \"ln -sf /bin/bash /bin/sh && make", is: "from = base.b" + said + "\n  run {\n    script = \"make",
		},
		"with a shell": {text: onBase("shell = [\"/bin/dash\", \"-eu\", \"-c\"]\n  " + link + "  " + script), was: "  " + link, is: ""},
		"in YAML": {
			file: "image.yaml",
			text: "base:\n  b: {image: registry.example.com/root:1}\nimage:\n  web:\n    from: base.b\n    run_as: \"1\"\n    steps:\n      - run:\n          script: ln -sf /bin/bash /bin/sh\n      - run: {script: make install}\n",
			was:  "from: base.b\n    run_as: \"1\"\n    steps:\n      - run:\n          script: ln -sf /bin/bash /bin/sh\n",
			is:   "from: base.b\n    shell: [\"/bin/bash\", \"-euo\", \"pipefail\", \"-c\"]\n    run_as: \"1\"\n    steps:\n",
		},
		"of another shell": {text: onBase("run {\n    command = [\"ln\", \"-sf\", \"/bin/zsh\", \"/bin/sh\"]\n  }\n")},
		"in the middle":    {text: onBase("run {\n    script = \"id && ln -sf /bin/bash /bin/sh\"\n  }\n")},
	} {
		tc.rule = "run-shell-declared"
		t.Run(name, tc.run)
	}
}
