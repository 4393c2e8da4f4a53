# What must be written, and what excludes each other.
stage "from" { # want: Missing attribute | scratch, base.x
}

stage "null" { # want: Missing attribute | needs "from"
  from = null
}

base "none" { # want: Missing attribute | one of "image" and "layout"
}

base "both" {
  image  = "docker.io/library/debian:13"
  layout = "src" # want: Attributes exclude each other | only one of
}

base "digest" {
  layout = "src"
  digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  # want-2: Attributes exclude each other | "digest" and "layout"
}

base "digests" {
  image  = "debian@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  digest = "sha256:1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" # want: Two digests | Keep one
}

context "none" { # want: Missing attribute | one of "path"
}

context "git" {
  git { # want: Missing attribute | "url"
    ref = "main"
  }
}

secret "none" { # want: Missing attribute | one of "env"
}

secret "two" {
  env  = "A"
  file = "~/b" # want: Attributes exclude each other | "env" and "file"
}

repository "none" { # want: Missing attribute | one of "suite"
  type = "deb"
}

repository "type" { # want: Missing attribute | needs "type"
  suite = "trixie"
}

repository "source" {
  type = "deb"
  source { # want: Missing attribute | needs "signed_by"
    url    = "https://packages.example.com"
    suites = ["stable"]
  }
}

waiver { # want: Missing attribute | needs "expires"
  rule    = "final-user-non-root"
  address = "image.steps"
  reason  = "it is a test"
  owner   = "team"
}

variable "unset" { # want: Variable without a value | --var unset=
}

image "steps" {
  from = scratch
  copy { # want: Missing attribute | needs "to"
    source = "src"
  }
  copy { # want: Missing attribute | Only in stages
    to = "/src/"
  }
  run { # want: Missing attribute | one of "command" and "script"
  }
  run {
    command = ["true"]
    script  = "true" # want: Attributes exclude each other | "command" and "script"
  }
  run {
    command = ["true"]
    mount "secret" { # want: Missing attribute | needs "secret"
    }
    mount "cache" { # want: Missing attribute | needs "target"
    }
    mount "secret" {
      secret = secret.two
      target = "/a"
      env    = "A" # want: Attributes exclude each other | "target" and "env"
    }
    mount "cache" {
      target = "/c"
      source = "src" # want: Missing attribute | there is no `from`
    }
  }
  packages "deb" { # want: Missing attribute | needs "repository"
    install = ["nginx"]
  }
  file { # want: Missing attribute | needs "content"
    path = "/a"
  }
  symlink { # want: Missing attribute | needs "to"
    path = "/b"
  }
  user "app" { # want: Missing attribute | needs "uid"
  }
  healthcheck { # want: Missing attribute | one of "command" and "none"
  }
  test "empty" { # want: Empty test | checks nothing
  }
  test "misspelt" {
    fil "/etc/passwd" { # want: Unknown block | "file"
    }
  }
  test "no command" {
    user   = "1" # want: Nothing to run | no command
    absent = ["/a"]
  }
}
