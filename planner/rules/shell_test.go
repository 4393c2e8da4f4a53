package rules_test

import "testing"

// TestScripts has the ways in which a command can stand in a step, by the
// rule that is easiest to break: what is called, and where that is.
func TestScripts(t *testing.T) {
	t.Parallel()
	cases{
		also:  around,
		files: map[string]string{"build.sh": "set -e\nsudo id\n", "quiet.sh": "# sudo id\n"},
		fires: []string{
			// Forms of the step.
			`run {
    command = ["bash", "-c", "«sudo» id"]
  }`,
			`run {
    command = ["/bin/busybox", "sh", "-euc", "id; «sudo» id"]
  }`,
			`run {
    command = ["/bin/sh", "-e", "-u", "-c", "«sudo» id", "name"]
  }`,
			`run {
    command = ["bash", "-o", "pipefail", "-ec", "x | «sudo» id"]
  }`,
			`run {
    command = ["env", "A=b", «"sudo"», "id"]
  }`,
			`run {
    script = "«sudo» id"
  }`,
			`run {
    script = «file("build.sh")»
  }`,
			`shell = ["/bin/bash", "-c"]
  run {
    script = "a=(1 2); «sudo» id <(ls)"
  }`,
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
			`run {
    script = "«sudo» id; «sudo» ls"
  }`,
			// The same line twice has no certain place, and is one finding.
			"run {\n    script = «\"sudo id\\nsudo id\"»\n  }",
		},
		quiet: []string{
			`run {
    command = ["echo", "sudo", "id"]
  }`,
			`run {
    command = ["bash", "/sudo", "-x"]
  }`,
			`run {
    command = ["/python", "-c", "sudo id"]
  }`,
			`run {
    script = file("quiet.sh")
  }`,
			`shell = ["/usr/bin/perl", "-e"]
  run {
    script = "sudo id"
  }`,
			run("echo sudo id; echo 'sudo id'; echo \"sudo id\""),
			run(`cat <<'EOT'
      $(sudo id)
      sudo id
      EOT`),
			run("$sudo id; x=sudo"),
			run("[ -x /usr/bin/sudo ] && ls sudo"),
			run("a=(1 2); sudo id"),      // bash, but sh was said: it does not parse
			run("echo \"unclosed; sudo"), // nor does this
		},
	}.run(t, "no-sudo")
}
