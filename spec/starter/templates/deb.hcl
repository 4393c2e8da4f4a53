# {{.Name}}: made of Debian packages, without a base image. Nothing runs while it
# is built, so any machine builds it for any platform.
repository "trixie" {
  type  = "deb"
  suite = "trixie"
}

image "{{.Name}}" {
  from      = scratch
  platforms = ["linux/amd64", "linux/arm64"]

  packages "deb" {
    repository = repository.trixie
    install    = ["busybox-static"] # your packages; their versions go into specbuild.lock
  }

  run_as     = "10001:10001"
  entrypoint = ["/usr/bin/busybox"]
  cmd        = ["uname", "-a"]

  # Tests run in the finished image, before it is written anywhere.
  test "runs" {
    command = ["/usr/bin/busybox", "true"]
  }
}
