package rules_test

import "testing"

func base(name string) string {
	return "base \"b\" {\n  image = \"registry.example.com/" + name + `:1.2"
}
`
}

func TestFinalUserNonRoot(t *testing.T) {
	t.Parallel()
	cases{
		fires: []string{
			`«image "web"» {` + `
  from = scratch
}
`,
			`image "web" {
  from = scratch
  run_as = «"0"»
}
`,
			`image "web" {
  from = scratch
  run_as = «"0:10001"»
}
`,
			`image "web" {
  from = scratch
  user "toor" {
    uid = 0
  }
  run_as = «"toor"»
}
`,
			base("root") + `«image "web"» {
  from = base.b
}
`,
			base("zero") + `«image "web"» {
  from = base.b
  platforms = ["linux/amd64", "linux/arm64"]
}
`,
			base("nonroot") + `stage "s" {
  from = base.b
}
image "web" {
  from = stage.s
  run_as = «"0"»
}
`,
			// What another image is built on is shipped too.
			`«image "base"» {
  from = scratch
}
image "web" {
  from = image.base
  run_as = "1"
}
`,
		},
		quiet: []string{
			`# run_as = "0"`,
			`user "app" {
    uid = 10001
  }
  # root's name in a comment: run_as = "0"`,
			base("nonroot") + `image "web" {
  from = base.b
}
`,
			base("nonroot") + `stage "s" {
  from = base.b
}
image "web" {
  from = stage.s
}
`,
			base("root") + `stage "s" {
  from = base.b
}
image "web" {
  from = stage.s
  run_as = "app"
  user "app" {
    uid = 5
  }
}
`,
			`stage "s" {
  from = scratch
  run {
    command = ["/id"]
    user = "0"
  }
}
image "web" {
  from = stage.s
  run_as = "1"
}
`,
		},
	}.run(t, "final-user-non-root")
}

// TestUnknownUser is the same rule where no lock tells.
func TestUnknownUser(t *testing.T) {
	t.Parallel()
	cases{
		unlocked: true,
		quiet: []string{base("nonroot") + `image "web" {
  from = base.b
  run_as = "7"
}
`},
	}.run(t, "final-user-non-root")
	j := judgement{unlocked: true}
	found := 0
	for _, d := range j.judge(t, base("nonroot")+`image "web" {
  from = base.b
}
`) {
		if d.Code == "final-user-non-root" && d.Summary == "The image's user is unknown" {
			found++
		}
	}
	if found != 1 {
		t.Errorf("%d findings about a user that is not known", found)
	}
}

func run(line string) string {
	return `run {
    script = <<-SH
      set -eu
      ` + line + `
    SH
  }
`
}

func TestUserNoPassword(t *testing.T) {
	t.Parallel()
	cases{
		fires: []string{
			run(`echo "root:toor" | «chpasswd»`),
			run(`«passwd» -d root`),
			run(`id app || «usermod» -p '$6$abc' app`),
			run(`printf x | «passwd» --stdin root`),
			`run {
    command = [«"/usr/sbin/chpasswd"», "-e"]
  }`,
			`run {
    command = ["/bin/bash", "-euo", "pipefail", "-c", "cd / && «passwd» -d app"]
  }`,
			"file {\n    path = \"/etc/shadow\"\n    content = «\"root::19000:0:99999:7:::\\n\"»\n  }",
			"file {\n    path = \"/etc/shadow\"\n    content = «\"a:*:1:::::::\\nroot:$6$x$y:19000:0:99999:7:::\\n\"»\n  }",
		},
		quiet: []string{
			run(`passwd -l root; usermod -L app; usermod -p '*' app`),
			run(`echo "chpasswd is not called"`),
			run(`# passwd -d root`),
			run(`grep -d skip passwd /etc`),
			run(`install -d /etc/passwd -p x`),
			run(`if ( then chpasswd`), // does not parse
			"file {\n    path = \"/etc/shadow\"\n    content = \"root:*:19000:0:99999:7:::\\napp:!:19000::::::\\n\"\n  }",
			"file {\n    path = \"/etc/passwd\"\n    content = \"root:x:0:0:root:/root:/bin/sh\\n\"\n  }",
			"file {\n    path = \"/etc/hosts\"\n    content = \"a::1\\n\"\n  }",
			"shell = [\"/usr/bin/python3\", \"-c\"]\n" + run(`chpasswd = 1`),
		},
	}.run(t, "user-no-password")
}

func TestUserCreatedDeclaratively(t *testing.T) {
	t.Parallel()
	cases{
		severity: 1, release: 1,
		fires: []string{
			run(`«useradd» -r app`),
			run(`[ -e /x ] || { «addgroup» -S app && «adduser» -S app; }`),
			run(`f() {
        «groupadd» app
      }
      f`),
			run(`timeout -k 1 5 env A=b «/usr/sbin/useradd» app`),
			run(`chroot /mnt nice -n 5 «useradd» app; xargs -n 1 «groupadd» < /groups`),
			run(`exec «adduser» app`),
			`run {
    command = [«"/usr/sbin/useradd"», "app"]
  }`,
			`stage "s" {
  from = scratch
  run {
    script = "«useradd» app"
  }
}
image "web" {
  from = stage.s
  run_as = "1"
}
`,
		},
		quiet: []string{
			`user "app" {
    uid = 10002
  }`,
			run(`echo useradd app > /docs`),
			run(`cat > /usr/sbin/adduser <<EOT
      useradd
      EOT`),
			run(`rm -f /usr/sbin/useradd && id useradd`),
			run(`useradd=1; echo $useradd`),
		},
	}.run(t, "user-created-declaratively")
}

func TestNoSudo(t *testing.T) {
	t.Parallel()
	repository := `repository "d" {
  type = "deb"
  suite = "trixie"
}
`
	cases{
		also: around,
		fires: []string{
			run(`«sudo» make install`),
			run(`echo $(cd / && «sudo» -u app id)`),
			`run {
    command = [«"sudo"», "id"]
  }`,
			`run {
    command = ["sh", "-c", "id; «sudo» id"]
  }`,
			run(`«apt-get» install -y --no-install-recommends curl sudo`),
			repository + `image "web" {
  from = scratch
  run_as = "1"
  packages "deb" {
    repository = repository.d
    install = ["curl", «"sudo"»]
  }
}
`,
			repository + `stage "s" {
  from = scratch
  packages "deb" {
    repository = repository.d
    install = [«"sudo=1.9"»]
  }
}
image "web" {
  from = stage.s
  run_as = "1"
}
`,
		},
		quiet: []string{
			run(`echo "no sudo here" # sudo id`),
			run(`visudo -c; cat /etc/sudoers; rm -rf /etc/sudo`),
			run(`apt-get remove sudo`),
			repository + `image "web" {
  from = scratch
  run_as = "1"
  packages "deb" {
    repository = repository.d
    install = ["sudo-ldap"]
  }
}
`,
			// Only copied from: not in the image.
			repository + `stage "s" {
  from = scratch
  packages "deb" {
    repository = repository.d
    install = ["sudo"]
  }
}
image "web" {
  from = scratch
  run_as = "1"
  copy {
    from = stage.s
    source = "/usr/bin/id"
    to = "/usr/bin/id"
  }
}
`,
		},
	}.run(t, "no-sudo")
}

func TestNoSystemDirVolume(t *testing.T) {
	t.Parallel()
	cases{
		fires: []string{
			`volumes = ["/data", «"/etc"»]`,
			`volumes = [«"/usr"»]`,
			`volumes = [«"/"»]`,
			`workdir = «"/proc"»`,
			`copy {
    source = "a"
    to = «"/proc/a"»
  }`,
			`directory {
    path = «"/sys/fs/x"»
  }`,
			`symlink {
    path = «"/dev/log"»
    to = "/run/log"
  }`,
		},
		quiet: []string{
			`volumes = ["/etc/app", "/usr/share/app", "/var/lib/data", "/devices"]`,
			`workdir = "/"`,
			`workdir = "/usr/src/app"`,
			`copy {
    source = "a"
    to = "/process/a"
  }
  directory {
    path = "/development"
  }`,
		},
		files: map[string]string{"a": "a"},
	}.run(t, "no-system-dir-volume")
}
