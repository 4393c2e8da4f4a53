# Steps whose parts do not fit.
stage "s" {
  from     = scratch
  platform = "linux/amd46" # want: Invalid value | unknown architecture
  workdir  = "src"         # want: Invalid value | is not absolute

  file {
    path    = "/etc/a/" # want: Invalid value | shortest form
    content = "a"
    mode    = "755"     # want: Invalid value | four octal digits
    owner   = "1:2:3"   # want: Invalid value | is not an owner
  }
  file {
    path    = "/etc/b"
    content = 1e3       # want: Invalid value | write "1e3"
  }
  directory {
    path = "/etc/\n"    # want: Invalid value | a character that a path cannot
    mode = "0999"       # want: Invalid value | four octal digits
  }
  symlink {
    path = ""           # want: Invalid value | the path is empty
    to   = "b"
  }
  user "u" {
    uid   = -1          # want: Invalid value | from 0 to
    shell = "zsh"       # want: Invalid value | is not absolute
  }
  user "v" {
    uid   = 5
    gid   = 6           # want: Attributes exclude each other | said by its `group` step
    group = "w"
  }
  user "v" {            # want: Declared twice | user "v"
    uid = 7
  }
  group "w" {
    gid = 1.5           # want: Invalid value | a whole number
  }
}

stage "copies" {
  from = scratch
  copy {
    source = ["a", "b"]
    to     = "/c"           # want: Destination is a folder | write "/c/"
  }
  copy {
    source = "*.go"
    to     = "/c"           # want: Destination is a folder | A glob may match
  }
  copy {
    source  = "a"
    to      = "/c"          # want: Destination is a folder | parents = true
    parents = true
  }
  copy {
    source = "a"
    to     = "./"           # want: Relative destination | no workdir
  }
  copy {
    source = "../a"         # want: Invalid value | has ".."
    to     = "/a//b"        # want: Invalid value | write "/a/b"
  }
  copy {
    source = []             # want: Invalid value | at least one
    to     = "/a"
    owner  = 0.5            # want: Invalid value | is not an owner
    mode   = "0755x"        # want: Invalid value | is not a mode
    parents = "maybe"       # want: Invalid value | true or false
  }
  copy {
    from   = secret.s       # want: Invalid value | secret.s is of another kind
    to     = "/a"
  }
  copy {
    from   = "context.src"  # want: Invalid value | without quotes
    to     = "/a"
  }
}

stage "runs" {
  from = scratch
  run {
    command = []             # want: Invalid value | at least the program
    network = "outbond"      # want: Invalid value | did you mean "outbound"?
    timeout = "soon"         # want: Invalid value | is not a duration
    outputs = ["out"]        # want: Invalid value | is not absolute
    cache   = ["/a", "b"]    # want: Invalid value | is not absolute
    hosts   = { db = "x" }   # want: Invalid value | is not an address
    user    = ""             # want: Invalid value | is not an owner
  }
  run {
    command = "make all"     # want: Invalid value | write ["make", "all"]
  }
  run {
    script = "  "            # want: Invalid value | the script is empty
  }
  run {
    command = [""]           # want: Invalid value | begins with an empty string
  }
  run {
    command = ["true"]
    cache   = ["/c"]
    env     = { TOKEN = "x" } # want: Set twice | by env and by a secret
    mount "cache" {           # want: Mounted twice | at /c
      target = "/c"
    }
    mount "cache" {
      target  = "/"           # want: Invalid value | cannot hide
      sharing = "exclusive"   # want: Invalid value | write "shared"
    }
    mount "secret" {
      secret = secret.s
      env    = "TOKEN"
    }
    mount "secret" {
      secret = secret.agent   # want: Wrong kind of secret | mount "ssh"
    }
    mount "ssh" {
      agent = secret.s        # want: Wrong kind of secret | ssh = true
    }
    mount "bind" {
      target = "/b"
      from   = scratch        # want: Invalid value | scratch is of another kind
    }
    mount "tmpfs" {
      target = "/t"
      size   = "1.5.2MB"      # want: Invalid value | is not a size
    }
    resources {
      memory = 512            # want: Invalid value | is not a size
      cpus   = 0              # want: Invalid value | above 0
      pids   = "many"         # want: Invalid value | a whole number
    }
  }
}

stage "packages" {
  from = scratch
  packages "deb" {
    repository = secret.s        # want: Invalid value | secret.s is of another kind
    install    = ["nginx curl"]  # want: Invalid value | is not a package
  }
  packages "deb" {
    repository = repository.trixie
    install    = []              # want: Invalid value | at least one
  }
  packages "deb" {
    repository = repository.trixie
    install    = ["a1", "b2", "a1"]  # want: Invalid value | "a1" twice
  }
  file {
    path    = "/twice"
    content = "1"
  }
  file {
    path    = "/twice" # want: Written twice | for nothing
    content = "2"
  }
}

image "both" {
  from      = scratch
  env       = { A = "1" }
  unset_env = ["A"] # want: Set and removed | the variable A
  test "a" {
    absent = ["/a"]
  }
  test "a" { # want: Declared twice | test "a"
    absent = ["/b"]
  }
}

secret "s" {
  env = "S"
}

secret "agent" {
  ssh = true
}

repository "trixie" {
  type  = "deb"
  suite = "trixie"
}
