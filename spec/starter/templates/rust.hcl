# {{.Name}}: a Rust program. It is compiled in a stage; the image holds the
# binary, on Debian without a shell.
base "rust" {
  image = "docker.io/library/rust:1.90-slim-bookworm" # `specbuild lock` pins its digest
}

base "runtime" {
  image = {{quote .From}}
}

stage "build" {
  from    = base.rust
  workdir = "/src"

  copy {
    to      = "./"
    exclude = ["target", "out"] # out: where `apply -o oci:out` writes
  }

  run {
    command = ["cargo", "install", {{if .Locked}}"--locked", {{end}}"--path", ".", "--root", "/out", "--bin", {{quote .Main}}]
    network = "outbound" # a step has no network unless it says so
    env     = { CARGO_TARGET_DIR = "/target" }
    cache   = ["/target", "/usr/local/cargo/registry"] # kept between builds, in no image
    outputs = ["/out"]                                 # nothing else of this step is kept
  }
}

# Its platforms are the building machine's: cargo runs on each of them. Add
# platforms = ["linux/amd64", "linux/arm64"] where an emulator is installed.
image "{{.Name}}" {
  from = base.runtime

  copy {
    from   = stage.build
    source = "/out/bin/{{.Main}}"
    to     = "/usr/bin/{{.Main}}"
  }

  run_as     = "10001:10001"
  entrypoint = ["/usr/bin/{{.Main}}"]
}
