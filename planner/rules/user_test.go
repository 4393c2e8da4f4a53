package rules_test

import "testing"

func base(name string) string {
	return "base \"b\" {\n  image = \"registry.example.com/" + name + ":1.2\"\n}\n"
}

func TestFinalUserNonRoot(t *testing.T) {
	t.Parallel()
	cases{
		fires: []string{
			`«image "web"» {` + "\n  from = scratch\n}\n",
			"image \"web\" {\n  from = scratch\n  run_as = «\"0\"»\n}\n",
			"image \"web\" {\n  from = scratch\n  run_as = «\"0:10001\"»\n}\n",
			"image \"web\" {\n  from = scratch\n  user \"toor\" {\n    uid = 0\n  }\n  run_as = «\"toor\"»\n}\n",
			base("root") + "«image \"web\"» {\n  from = base.b\n}\n",
			base("zero") + "«image \"web\"» {\n  from = base.b\n  platforms = [\"linux/amd64\", \"linux/arm64\"]\n}\n",
			base("nonroot") + "stage \"s\" {\n  from = base.b\n}\nimage \"web\" {\n  from = stage.s\n  run_as = «\"0\"»\n}\n",
			// What another image is built on is shipped too.
			"«image \"base\"» {\n  from = scratch\n}\nimage \"web\" {\n  from = image.base\n  run_as = \"1\"\n}\n",
		},
		quiet: []string{
			`# run_as = "0"`,
			"user \"app\" {\n    uid = 10001\n  }\n  # root's name in a comment: run_as = \"0\"",
			base("nonroot") + "image \"web\" {\n  from = base.b\n}\n",
			base("nonroot") + "stage \"s\" {\n  from = base.b\n}\nimage \"web\" {\n  from = stage.s\n}\n",
			base("root") + "stage \"s\" {\n  from = base.b\n}\nimage \"web\" {\n  from = stage.s\n  run_as = \"app\"\n  user \"app\" {\n    uid = 5\n  }\n}\n",
			"stage \"s\" {\n  from = scratch\n  run {\n    command = [\"/id\"]\n    user = \"0\"\n  }\n}\nimage \"web\" {\n  from = stage.s\n  run_as = \"1\"\n}\n",
		},
	}.run(t, "final-user-non-root")
}

// TestUnknownUser is the same rule where no lock tells.
func TestUnknownUser(t *testing.T) {
	t.Parallel()
	cases{
		unlocked: true,
		quiet:    []string{base("nonroot") + "image \"web\" {\n  from = base.b\n  run_as = \"7\"\n}\n"},
	}.run(t, "final-user-non-root")
	j := judgement{unlocked: true}
	found := 0
	for _, d := range j.judge(t, base("nonroot")+"image \"web\" {\n  from = base.b\n}\n") {
		if d.Code == "final-user-non-root" && d.Summary == "The image's user is unknown" {
			found++
		}
	}
	if found != 1 {
		t.Errorf("%d findings about a user that is not known", found)
	}
}

func run(line string) string {
	return "run {\n    script = <<-SH\n      set -eu\n      " + line + "\n    SH\n  }\n"
}

func TestUserNoPassword(t *testing.T) {
	t.Parallel()
	cases{
		fires: []string{
			run(`echo "root:toor" | «chpasswd»`),
			run(`«passwd» -d root`),
			run(`id app || «usermod» -p '$6$abc' app`),
			run(`printf x | «passwd» --stdin root`),
			"run {\n    command = [«\"/usr/sbin/chpasswd\"», \"-e\"]\n  }",
			"run {\n    command = [\"/bin/bash\", \"-euo\", \"pipefail\", \"-c\", \"cd / && «passwd» -d app\"]\n  }",
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
			run("f() {\n        «groupadd» app\n      }\n      f"),
			run(`timeout -k 1 5 env A=b «/usr/sbin/useradd» app`),
			run(`chroot /mnt nice -n 5 «useradd» app; xargs -n 1 «groupadd» < /groups`),
			run(`exec «adduser» app`),
			"run {\n    command = [«\"/usr/sbin/useradd\"», \"app\"]\n  }",
			"stage \"s\" {\n  from = scratch\n  run {\n    script = \"«useradd» app\"\n  }\n}\nimage \"web\" {\n  from = stage.s\n  run_as = \"1\"\n}\n",
		},
		quiet: []string{
			"user \"app\" {\n    uid = 10002\n  }",
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
	repository := "repository \"d\" {\n  type = \"deb\"\n  suite = \"trixie\"\n}\n"
	cases{
		fires: []string{
			run(`«sudo» make install`),
			run(`echo $(cd / && «sudo» -u app id)`),
			"run {\n    command = [«\"sudo\"», \"id\"]\n  }",
			"run {\n    command = [\"sh\", \"-c\", \"id; «sudo» id\"]\n  }",
			run(`«apt-get» install -y --no-install-recommends curl sudo`),
			repository + "image \"web\" {\n  from = scratch\n  run_as = \"1\"\n  packages \"deb\" {\n    repository = repository.d\n    install = [\"curl\", «\"sudo\"»]\n  }\n}\n",
			repository + "stage \"s\" {\n  from = scratch\n  packages \"deb\" {\n    repository = repository.d\n    install = [«\"sudo=1.9\"»]\n  }\n}\nimage \"web\" {\n  from = stage.s\n  run_as = \"1\"\n}\n",
		},
		quiet: []string{
			run(`echo "no sudo here" # sudo id`),
			run(`visudo -c; cat /etc/sudoers; rm -rf /etc/sudo`),
			run(`apt-get remove sudo`),
			repository + "image \"web\" {\n  from = scratch\n  run_as = \"1\"\n  packages \"deb\" {\n    repository = repository.d\n    install = [\"sudo-ldap\"]\n  }\n}\n",
			// Only copied from: not in the image.
			repository + "stage \"s\" {\n  from = scratch\n  packages \"deb\" {\n    repository = repository.d\n    install = [\"sudo\"]\n  }\n}\nimage \"web\" {\n  from = scratch\n  run_as = \"1\"\n  copy {\n    from = stage.s\n    source = \"/usr/bin/id\"\n    to = \"/usr/bin/id\"\n  }\n}\n",
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
			"copy {\n    source = \"a\"\n    to = «\"/proc/a\"»\n  }",
			"directory {\n    path = «\"/sys/fs/x\"»\n  }",
			"symlink {\n    path = «\"/dev/log\"»\n    to = \"/run/log\"\n  }",
		},
		quiet: []string{
			`volumes = ["/etc/app", "/usr/share/app", "/var/lib/data", "/devices"]`,
			`workdir = "/"`,
			`workdir = "/usr/src/app"`,
			"copy {\n    source = \"a\"\n    to = \"/process/a\"\n  }\n  directory {\n    path = \"/development\"\n  }",
		},
		files: map[string]string{"a": "a"},
	}.run(t, "no-system-dir-volume")
}
