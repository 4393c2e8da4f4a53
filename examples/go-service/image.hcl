# A Go service: Debian's compiler builds it offline, and nothing but the
# binary, a user and CA certificates is shipped.
variable "version" {
  description = "What the service says it is."
  type        = string
  default     = "0.0.0-dev"
}

repository "trixie" {
  type  = "deb"
  suite = "trixie"
}

context "src" {
  path    = "."
  include = ["go.mod", "cmd"]
}

stage "build" {
  from     = scratch
  platform = build.platform # compile natively, whatever the target
  workdir  = "/src"

  packages "deb" {
    repository = repository.trixie
    install    = ["golang-go"]
  }

  copy {
    from = context.src
    to   = "./"
  }

  run {
    command = [
      "go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=${var.version}",
      "-o", "/out/greeter", "./cmd/greeter",
    ]
    env = {
      CGO_ENABLED = "0"
      GOOS        = target.os # makes one such step for each platform
      GOARCH      = target.arch
      GOPROXY     = "off" # a run has no network unless it asks for it
      GOTOOLCHAIN = "local"
    }
    cache   = ["/root/.cache/go-build"] # stays between builds, in no image
    outputs = ["/out"]                  # all that is kept of this step
  }
}

# Only one file of this package is wanted, so it is unpacked in a stage.
stage "certificates" {
  from     = scratch
  platform = build.platform

  packages "deb" {
    repository = repository.trixie
    install    = ["ca-certificates"]
  }
}

image "greeter" {
  from      = scratch
  platforms = ["linux/amd64", "linux/arm64"]

  copy {
    from   = stage.certificates
    source = "/etc/ssl/certs/ca-certificates.crt"
    to     = "/etc/ssl/certs/ca-certificates.crt"
  }

  user "greeter" {
    uid = 10001
  }

  copy {
    from   = stage.build
    source = "/out/greeter"
    to     = "/usr/bin/greeter"
  }

  run_as     = "greeter"
  entrypoint = ["/usr/bin/greeter"]
  expose     = [8080]
  labels     = { "org.opencontainers.image.version" = var.version }

  healthcheck { # the image has no shell and no curl: the service asks itself
    command  = ["/usr/bin/greeter", "-check"]
    interval = "30s"
    timeout  = "3s"
  }

  test "says its version" {
    command = ["/usr/bin/greeter", "-version"]
    expect {
      stdout_contains = [var.version]
    }
  }

  test "ships nothing but the service" {
    file "/usr/bin/greeter" {
      mode  = "0755"
      owner = "0:0"
    }
    absent = ["/usr/bin/go", "/usr/lib/go", "/usr/bin/sh", "/src"]
  }

  budget { # of each platform, uncompressed
    size   = "20MiB"
    layers = 4
  }
}
