# Names that mean nothing, and names of blocks that cannot be used.

base "debian" {
  image = "docker.io/library/debian:13"
}

base "Debian" { # want: Invalid name | begin with a small letter
  image = "docker.io/library/debian:13"
}

variable "version" {
  default = "1"
}

locals {
  registry = "registry.example.com"
  a        = local.b # want: Definitions form a cycle | local.a → local.b → local.a
  b        = local.a
}

stage "misspelt" {
  from = base.debain # want: Unknown name | Did you mean base.debian?
}

stage "undeclared" {
  from = stage.other-thing # want: Unknown name | There is "again", "attributes"
}

stage "bare" {
  from = debian # want: Unknown name | Did you mean base.debian?
}

stage "attributes" {
  from = base.debian.image # want: References have no attributes | nothing of it can be read
}

stage "indexed" {
  from = base.debian["a"] # want: Not an indexed name | it has no for_each
}

image "values" {
  from = base.debian
  labels = {
    a = var.versoin       # want: Unknown name | Did you mean var.version?
    b = local.registri    # want: Unknown name | Did you mean local.registry?
    c = target.architect  # want: Unknown name | target has "os", "arch", "variant" and "platform"
    d = path.folder       # want: Unknown name | path has "module" and "root"
    e = env.HOME          # want: Unknown name | The environment is not read
    f = version           # want: Unknown name | Did you mean var.version?
    g = each.key          # want: Unknown name | its iterator
    h = uper("a")         # want: Unknown function | Did you mean "upper"?
    i = var               # want: Incomplete name | write var.name
    j = build.variant     # want: Unknown name | build has
    k = module.m.image.x  # want: Unknown name | module.m is not declared
    l = workspace.base.go # want: Unknown name | There is no specbuild.hcl above
  }
  run {
    # want+1: Unknown name | the sign doubled
    script = "echo ${NAME}"
  }
}

stage "again" {
  from = scratch
}

stage "again" { # want: Declared twice | one namespace
  from = scratch
}
