# {{.Name}}: pages, served by one small program out of a Debian package. Nothing
# runs while it is built, so any machine builds it for any platform.
repository "trixie" {
  type  = "deb"
  suite = "trixie"
}

image "{{.Name}}" {
  from      = scratch
  platforms = ["linux/amd64", "linux/arm64"]

  packages "deb" {
    repository = repository.trixie
    install    = ["busybox-static"] # its version goes into specbuild.lock
  }

  user "web" {
    uid = 10080
  }

  copy {
    source  = {{list .Sources}}
    to      = "/srv/www/"
    parents = true
  }

  run_as     = "web"
  entrypoint = ["/usr/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/srv/www"]
  expose     = [8080]

  healthcheck {
    command = ["/usr/bin/busybox", "wget", "-qO", "/dev/null", "http://127.0.0.1:8080/"]
  }

  # Tests run in the finished image, before it is written anywhere.
  test "ships the front page" {
    file "/srv/www/index.html" {
      mode = "0644"
    }
  }
}
