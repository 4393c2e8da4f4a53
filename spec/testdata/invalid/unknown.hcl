# Mistakes of type in what is not known before the target is.
base "a" {
  image = "example.com/a:1"
}

base "b" {
  image = "example.com/b:1"
}

locals {
  either = target.arch == "amd64" ? base.a : base.b
}

stage = "x" # want: Block expected | write stage "name" { … }

stage "string" {
  from = target.arch # want: Invalid value | not a string
}

stage "texts" {
  from    = local.either
  workdir = local.either                # want: Invalid value | not a reference
  env     = { A = local.either }        # want: Invalid value | not a reference
  shell   = ["/bin/sh", target.nothing] # want: Unknown name | target has
  file {
    path    = "/a"
    content = [target.arch]  # want: Invalid value | a list
    mode    = { a = "0755" } # want: Invalid value | a map
  }
  copy {
    to      = "/a"
    parents = target.platforms # want: Unknown name | did you mean "platform"?
    unpack  = local.either     # want: Invalid value | not a reference
  }
  run {
    command = ["true", local.either] # want: Invalid value | a reference
    hosts   = { a = local.either }   # want: Invalid value | hosts "a"
  }
}

repository "both" {
  type  = "deb"
  suite = "trixie"
  source { # want: Attributes exclude each other | "suite" and "source"
    url       = "https://packages.example.com"
    suites    = ["stable"]
    signed_by = file("key.asc")
  }
}

repository "key" {
  type = "deb"
  source {
    url       = "https://packages.example.com"
    suites    = ["stable"]
    signed_by = file("nokey.asc") # want: Invalid function argument | there is no file
  }
}
