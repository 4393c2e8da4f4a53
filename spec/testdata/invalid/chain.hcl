# What a chain of `from` decides: inherited workdirs and seals.
base "b" {
  image = "example.com/b:1"
}

image "platform" {
  from = base.b
  env  = { LANG = "C", KEPT = "1" }
  seal = ["run_as", "env.LANG", "env.PATH", "labels.team", "user.app", "cmd", "workdir", "healthcheck", "base"]
}

stage "between" {
  from    = image.platform
  workdir = "/w" # want: Sealed | workdir is sealed by image.platform
}

image "service" {
  from         = stage.between
  run_as       = "1"              # want: Sealed | run_as is sealed by image.platform
  env          = { LANG = null, KEPT = "2" } # want: Sealed | env.LANG
  path_prepend = ["/opt/bin"]     # want: Sealed | env.PATH
  unset_labels = ["team"]         # want: Sealed | labels.team
  entrypoint   = ["/bin/a"]       # want: Sealed | cmd is sealed
  user "app" {                    # want: Sealed | user.app
    uid = 1
  }
  healthcheck {                   # want: Sealed | healthcheck
    none = true
  }
  copy {
    source = "a"
    to     = "a"
  }
}

stage "nowhere" {
  from = base.b
}

stage "relative" {
  from = stage.nowhere
  copy {
    to = "./" # want: Relative destination | no workdir
  }
}

stage "cycle" {
  from = stage.round
  copy {
    to = "x/"
  }
}

stage "round" {
  from = stage.cycle
}
