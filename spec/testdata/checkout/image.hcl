# The first example of the language, as it stands there.
specbuild {
  required_version = ">= 0.1"
}

variable "version" {
  description = "Release version: stamped into the binary and the tag."
  type        = string
  default     = "0.0.0-dev"
  validation {
    condition     = can(regex("^\\d+\\.\\d+\\.\\d+", var.version))
    error_message = "A semantic version, such as 1.4.2."
  }
}

locals {
  registry = "registry.example.com/shop"
}

base "go" {
  image = "docker.io/library/golang:1.25-bookworm" # its digest, per platform, is in specbuild.lock
}

base "static" {
  image  = "gcr.io/distroless/static-debian12:nonroot"
  digest = "sha256:2b7c6a1f0c3d4e5f60718293a4b5c6d7e8f90123456789abcdef0123456789ab"                          # or pinned right here
}

secret "netrc" {
  env = "NETRC"                                    # or: file = "~/.netrc"   or: command = ["vault", "kv", "get", "secret/netrc"]
}

context "src" {
  path    = "."
  include = ["go.mod", "go.sum", "cmd", "internal"]
}

stage "build" {
  from     = base.go
  platform = build.platform                        # compile natively, whatever the target
  workdir  = "/src"

  copy {
    from   = context.src
    source = ["go.mod", "go.sum"]
    to     = "./"
  }

  run {
    command = ["go", "mod", "download"]
    network = "outbound"                           # default "none"
    cache   = ["/go/pkg/mod"]                      # short for mount "cache" { target = … }
    mount "secret" {
      secret = secret.netrc
      target = "/root/.netrc"                      # or env = "NETRC", for this step alone
    }
  }

  copy {
    from = context.src
    to   = "./"
  }

  run {
    command = ["go", "build", "-trimpath", "-o", "/out/checkout", "./cmd/checkout"]
    env     = { CGO_ENABLED = "0", GOOS = target.os, GOARCH = target.arch }
    cache   = ["/root/.cache/go-build", "/go/pkg/mod"]
    outputs = ["/out"]                             # nothing else of this step is kept
  }
}

image "checkout" {
  from      = base.static
  platforms = ["linux/amd64", "linux/arm64"]
  tags      = ["${local.registry}/checkout:${var.version}"]

  user "app" {                                     # written to passwd and group; no useradd, works from scratch
    uid = 10001
  }

  copy {
    from   = stage.build
    source = "/out/checkout"
    to     = "/usr/bin/checkout"
  }

  run_as      = "app"
  entrypoint  = ["/usr/bin/checkout"]
  env         = { PORT = "8080" }
  expose      = [8080]
  labels      = { "org.opencontainers.image.source" = "https://git.example.com/shop/checkout" }
  stop_signal = "SIGTERM"

  test "prints its version" {
    command = ["/usr/bin/checkout", "--version"]
    expect {
      exit_code       = 0
      stdout_contains = [var.version]              # also stdout_matches, stderr_…
    }
  }

  test "ships nothing but the binary" {
    file "/usr/bin/checkout" {
      mode  = "0755"
      owner = "0:0"
    }
    absent = ["/usr/bin/sh", "/go"]
  }

  budget {
    size   = "30MiB"
    layers = 8
  }
}
