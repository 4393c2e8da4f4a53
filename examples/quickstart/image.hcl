# nginx out of Debian packages: no base image, no root, no emulation.
repository "trixie" {
  type  = "deb"
  suite = "trixie"
}

image "web" {
  from      = scratch
  platforms = ["linux/amd64", "linux/arm64"]

  packages "deb" {
    repository = repository.trixie
    install    = ["nginx"] # and what it depends on, pinned in specbuild.lock
  }

  copy { # from this folder; nothing is read but what is named
    source = "nginx.conf"
    to     = "/etc/nginx/nginx.conf"
  }

  copy {
    source = "site"
    to     = "/srv/www/"
  }

  run_as      = "33:33" # www-data, the same number on every Debian
  entrypoint  = ["/usr/sbin/nginx", "-g", "daemon off;"]
  expose      = [8080]
  stop_signal = "SIGQUIT" # nginx's word for: finish what is being served

  healthcheck {
    none = true # there is no client in here: who runs it asks from outside
  }

  # Tests run in the finished image; one that fails, and nothing is written.
  test "accepts its configuration" {
    command = ["/usr/sbin/nginx", "-t"]
    expect {
      stderr_contains = ["test is successful"]
    }
  }

  test "ships the page, and no shell" {
    file "/srv/www/index.html" {
      mode     = "0644"
      owner    = "0:0"
      contains = "built by specbuild"
    }
    absent = ["/usr/bin/sh", "/usr/bin/apt"]
  }
}
