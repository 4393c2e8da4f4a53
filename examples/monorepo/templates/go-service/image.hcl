# A Go service without dependencies, and nothing besides it.
variable "name" {
  description = "The service's name: of its command below ./cmd, its binary and its user."
  type        = string
}

variable "src" {
  description = "The service's sources: go.mod and cmd."
  type        = context
}

variable "version" {
  description = "What the service says it is."
  type        = string
  default     = "0.0.0-dev"
}

variable "port" {
  description = "Where the service listens."
  type        = number
  default     = 8080
}

stage "build" {
  from     = scratch
  platform = build.platform # compile natively, whatever the target
  workdir  = "/src"

  packages "deb" {
    repository = workspace.repository.debian
    install    = ["golang-go"]
  }

  copy {
    from = var.src
    to   = "./"
  }

  run {
    command = [
      "go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=${var.version}",
      "-o", "/out/${var.name}", "./cmd/${var.name}",
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
    repository = workspace.repository.debian
    install    = ["ca-certificates"]
  }
}

image "service" {
  from      = scratch
  platforms = ["linux/amd64", "linux/arm64"]

  copy {
    from   = stage.certificates
    source = "/etc/ssl/certs/ca-certificates.crt"
    to     = "/etc/ssl/certs/ca-certificates.crt"
  }

  dynamic "user" { # its name is the service's
    for_each = [var.name]
    labels   = [user.value]
    content {
      uid = 10001
    }
  }

  copy {
    from   = stage.build
    source = "/out/${var.name}"
    to     = "/usr/bin/${var.name}"
  }

  run_as     = var.name
  entrypoint = ["/usr/bin/${var.name}"]
  expose     = [var.port]
  labels     = { "com.example.shop.team" = "shop", "org.opencontainers.image.version" = var.version }

  healthcheck { # the image has no shell and no curl: the service asks itself
    command  = ["/usr/bin/${var.name}", "-check"]
    interval = "30s"
    timeout  = "3s"
  }

  test "ships nothing but the service" {
    dynamic "file" {
      for_each = ["/usr/bin/${var.name}"]
      labels   = [file.value]
      content {
        mode  = "0755"
        owner = "0:0"
      }
    }
    absent = ["/usr/bin/go", "/usr/lib/go", "/usr/bin/sh", "/src"]
  }

  budget { # of each platform, uncompressed
    size   = "20MiB"
    layers = 4
  }
}
