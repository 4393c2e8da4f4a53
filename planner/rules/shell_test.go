package rules_test

import "testing"

// TestScripts has the ways in which a command can stand in a step, by the
// rule that is easiest to break: what is called, and where that is.
func TestScripts(t *testing.T) {
	t.Parallel()
	cases{
		files: map[string]string{"build.sh": "set -e\nsudo id\n", "quiet.sh": "# sudo id\n"},
		fires: []string{
			// Forms of the step.
			"run {\n    command = [\"bash\", \"-c\", \"«sudo» id\"]\n  }",
			"run {\n    command = [\"/bin/busybox\", \"sh\", \"-euc\", \"id; «sudo» id\"]\n  }",
			"run {\n    command = [\"/bin/sh\", \"-e\", \"-u\", \"-c\", \"«sudo» id\", \"name\"]\n  }",
			"run {\n    command = [\"bash\", \"-o\", \"pipefail\", \"-ec\", \"x | «sudo» id\"]\n  }",
			"run {\n    command = [\"env\", \"A=b\", «\"sudo\"», \"id\"]\n  }",
			"run {\n    script = \"«sudo» id\"\n  }",
			"run {\n    script = «file(\"build.sh\")»\n  }",
			"shell = [\"/bin/bash\", \"-c\"]\n  run {\n    script = \"a=(1 2); «sudo» id <(ls)\"\n  }",
			// Where a command can be.
			run("if «sudo» true; then id; fi"),
			run("for i in 1 2; do «sudo» id $i; done"),
			run("while ! «sudo» id; do :; done"),
			run("case x in x) «sudo» id;; esac"),
			run("(cd / && { «sudo» id; })"),
			run("x=$(«sudo» id)"),
			run("echo \"$(«sudo» id)\""),
			run("cat <<EOT\n      $(«sudo» id)\n      EOT"),
			run("f() { «sudo» id; }; f"),
			run("A=b «sudo» -E id &"),
			run("«/usr/bin/sudo» id"),
			run("trap x EXIT; «'sudo'» id"),
			run("«sh» -c 'cd / && sudo id'"),
			run("find . -print0 | xargs -0 -n 1 «sudo» rm"),
			"run {\n    script = \"«sudo» id; «sudo» ls\"\n  }",
			// The same line twice has no certain place, and is one finding.
			"run {\n    script = «\"sudo id\\nsudo id\"»\n  }",
		},
		quiet: []string{
			"run {\n    command = [\"echo\", \"sudo\", \"id\"]\n  }",
			"run {\n    command = [\"bash\", \"/sudo\", \"-x\"]\n  }",
			"run {\n    command = [\"/python\", \"-c\", \"sudo id\"]\n  }",
			"run {\n    script = file(\"quiet.sh\")\n  }",
			"shell = [\"/usr/bin/perl\", \"-e\"]\n  run {\n    script = \"sudo id\"\n  }",
			run("echo sudo id; echo 'sudo id'; echo \"sudo id\""),
			run("cat <<'EOT'\n      $(sudo id)\n      sudo id\n      EOT"),
			run("$sudo id; x=sudo"),
			run("[ -x /usr/bin/sudo ] && ls sudo"),
			run("a=(1 2); sudo id"),      // bash, but sh was said: it does not parse
			run("echo \"unclosed; sudo"), // nor does this
		},
	}.run(t, "no-sudo")
}
