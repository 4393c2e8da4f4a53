# {{.Name}}: a Node.js program. What it depends on is installed in a stage, so
# that npm's own files stay out of the image.
base "node" {
  image = {{quote .From}} # `specbuild lock` pins its digest
}

stage "modules" {
  from    = base.node
  workdir = "/app"

  copy {
{{- if .Manifests}}
    source = {{list .Manifests}}
{{- end}}
    to     = "./"
  }

  run {
    command = ["npm", {{if .Locked}}"ci"{{else}}"install"{{end}}, "--omit=dev", "--no-audit", "--no-fund"]
    network = "outbound"      # a step has no network unless it says so
    cache   = ["/root/.npm"]  # kept between builds, in no image
    outputs = ["/app"]        # nothing else of this step is kept
  }
}

{{- if .Built}}
# What is started is made here, with all that package.json names.
stage "build" {
  from    = base.node
  workdir = "/app"

  copy {
    source = {{list .Manifests}}
    to     = "./"
  }

  run {
    command = ["npm", {{if .Locked}}"ci"{{else}}"install"{{end}}, "--no-audit", "--no-fund"]
    network = "outbound"
    cache   = ["/root/.npm"]
  }

  copy {
    source  = {{list .Sources}}
    to      = "./"
    parents = true
  }

  run {
    command = ["npm", "run", "build"]
    outputs = [{{quote (print "/app/" .Built)}}]
  }
}
{{end}}
# Its platforms are the building machine's: npm runs on each of them. Add
# platforms = ["linux/amd64", "linux/arm64"] where an emulator is installed.
image "{{.Name}}" {
  from    = base.node
  workdir = "/app"

  copy {
    from   = stage.modules
    source = "/app"
    to     = "/app"
  }
{{if .Built}}
  copy {
    from   = stage.build
    source = {{quote (print "/app/" .Built)}}
    to     = {{quote (print "/app/" .Built)}}
  }
{{else}}
  copy {
    source  = {{list .Sources}}
    to      = "./"
    parents = true
  }
{{end}}
  run_as     = "1000:1000" # node, in the official images
  env        = { NODE_ENV = "production" }
  entrypoint = ["node", {{quote .Main}}]
}
