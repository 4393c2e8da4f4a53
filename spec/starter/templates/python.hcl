# {{.Name}}: a Python program. What it depends on is installed in a stage, so
# that pip's own files stay out of the image.
base "python" {
  image = {{quote .From}} # `specbuild lock` pins its digest
}

stage "packages" {
  from    = base.python
  workdir = "/src"

  copy {
{{- if .Manifests}}
    source = {{list .Manifests}}
{{- else}}
    exclude = ["out"] # where `apply -o oci:out` writes
{{- end}}
    to     = "./"
  }

  run {
    command = ["pip", "install", "--no-compile", "--target=/packages", {{list2 .Install}}]
    network = "outbound"           # a step has no network unless it says so
    cache   = ["/root/.cache/pip"] # kept between builds, in no image
    outputs = ["/packages"]        # nothing else of this step is kept
  }
}

# Its platforms are the building machine's: pip runs on each of them. Add
# platforms = ["linux/amd64", "linux/arm64"] where an emulator is installed.
image "{{.Name}}" {
  from    = base.python
  workdir = "/app"

  user "app" {
    uid = 10001
  }

  copy {
    from   = stage.packages
    source = "/packages"
    to     = "/packages"
  }
{{if .Sources}}
  copy {
    source  = {{list .Sources}}
    to      = "./"
    parents = true
  }
{{end}}
  run_as     = "app"
  env        = { PYTHONPATH = "/packages", PYTHONUNBUFFERED = "1", PYTHONDONTWRITEBYTECODE = "1" }
  entrypoint = ["python", {{list2 .Command}}]
}
