# {{.Name}}: a Go program. It is compiled in a stage; the image holds the binary
# and the certificates that TLS needs.
variable "version" {
  description = "What is built."
  type        = string
  default     = "0.0.0-dev"
}

base "go" {
  image = "docker.io/library/golang:{{.Version}}-bookworm" # `specbuild lock` pins its digest
}
{{if .From}}
base "runtime" {
  image = {{quote .From}}
}
{{end}}
stage "build" {
  from     = base.go
  platform = build.platform # compile natively, whatever the image is for
  workdir  = "/src"
{{if .Locked}}
  # The modules first: they are fetched again only when these files change.
  copy {
    source = ["go.mod", "go.sum"]
    to     = "./"
  }

  run {
    command = ["go", "mod", "download"]
    network = "outbound" # a step has no network unless it says so
    cache   = ["/go/pkg/mod"]
  }
{{end}}
  copy {
    to      = "./"
    exclude = ["out"] # where `apply -o oci:out` writes
  }

  run {
    command = ["go", "build", "-trimpath", "-o", "/out/{{.Name}}", {{quote .Main}}]
    env     = { CGO_ENABLED = "0", GOOS = target.os, GOARCH = target.arch, GOTOOLCHAIN = "local" }
    cache   = ["/root/.cache/go-build", "/go/pkg/mod"] # kept between builds, in no image
    outputs = ["/out"]                                 # nothing else of this step is kept
  }
}

image "{{.Name}}" {
  from      = {{if .From}}base.runtime{{else}}scratch{{end}}
  platforms = ["linux/amd64", "linux/arm64"]

  user "app" {
    uid = 10001
  }

  copy {
    from   = base.go
    source = "/etc/ssl/certs/ca-certificates.crt"
    to     = "/etc/ssl/certs/ca-certificates.crt"
  }

  copy {
    from   = stage.build
    source = "/out/{{.Name}}"
    to     = "/usr/bin/{{.Name}}"
  }

  run_as     = "app"
  entrypoint = ["/usr/bin/{{.Name}}"]
  labels     = { "org.opencontainers.image.version" = var.version }
}
