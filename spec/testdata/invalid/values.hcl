# Values of the wrong type or form.
base "tag" {
  image = "docker.io/library/debian" # want: Invalid value | has no tag
}

base "url" {
  image = "https://example.com/debian:13" # want: Invalid value | is a URL
}

base "upper" {
  image = "example.com/Debian:13" # want: Invalid value | in small letters
}

base "scratch" {
  image = "scratch" # want: Invalid value | from = scratch
}

base "digest" {
  image  = "debian:13"
  digest = "sha256:12" # want: Invalid value | is not a digest
}

base "layout" {
  layout = "nowhere" # want: Invalid value | there is no folder "nowhere"
}

context "outside" {
  path = "../.." # want: Invalid value | leads out of the workspace
}

context "file" {
  path = "key.asc" # want: Invalid value | is a file
}

context "absolute" {
  path = "/etc" # want: Invalid value | is absolute
}

context "globs" {
  path    = "src"
  include = ["a", "!b"]       # want: Invalid value | begins with "!"
  exclude = ["../x"]          # want: Invalid value | has ".."
}

context "glob" {
  path    = "src"
  include = ["[a"]            # want: Invalid value | is not a glob
  exclude = "*.o"             # want: Invalid value | not the string "*.o"
}

secret "env" {
  env = "A-B" # want: Invalid value | the name of a variable
}

secret "command" {
  command = "vault get" # want: Invalid value | write ["vault", "get"]
}

repository "kind" {
  type  = "rpm" # want: Invalid value | write "deb"
  suite = "a b" # want: Invalid value | is not a suite
}

repository "time" {
  type       = "deb"
  suite      = "trixie"
  components = []           # want: Invalid value | at least one element
  snapshot   = "2026-03-01" # want: Invalid value | time of the archive
}

repository "url" {
  type = "deb"
  source {
    url       = "ftp://example.com" # want: Invalid value | is not a URL
    suites    = ["stable"]
    signed_by = file("key.asc")
  }
}

waiver {
  rule    = "Root User"  # want: Invalid value | is not a rule's id
  address = "web"        # want: Invalid value | is not an address
  reason  = "it is a test"
  owner   = "team"
  expires = "31.03.2027" # want: Invalid value | is not a day
}

image "config" {
  from        = scratch
  platforms   = ["linux/amd64", "linux/x86_64"]          # want: Invalid value | "linux/amd64" twice
  tags        = ["Example.com/App:1"]                    # want: Invalid value | is not a name to push under
  run_as      = "a b"                                    # want: Invalid value | is not an owner
  entrypoint  = "nginx -g daemon"                        # want: Invalid value | ["nginx", "-g", "daemon"]
  cmd         = ["a", null]                              # want: Invalid value | this one is null
  expose      = [80, 70000]                              # want: Invalid value | from 1 to 65535
  volumes     = ["data"]                                 # want: Invalid value | is not absolute
  labels      = { "a b" = "c" }                          # want: Invalid value | is not a key
  annotations = ["a"]                                    # want: Invalid value | not a list
  stop_signal = "TERM"                                   # want: Invalid value | write "SIGTERM"
  workdir     = "/a/../b"                                # want: Invalid value | has ".."
  shell       = []                                       # want: Invalid value | is empty
  seal        = ["user"]                                 # want: Invalid value | cannot be sealed
  env = {
    A   = 1.20                                           # want: Invalid value | write "1.20"
    "B=" = "x"                                           # want: Invalid value | no "="
    C   = ["x"]                                          # want: Invalid value | a list
    E   = "1"
    E   = "2"                                            # want: Key written twice | The key "E"
    D   = base.tag                                       # want: Invalid value | cannot be used as a string
  }
  path_prepend = ["/a", "/a"]                            # want: Invalid value | "/a" twice
  unset_env    = ["X Y"]                                 # want: Invalid value | the name of a variable
  budget {
    size   = "30"  # want: Invalid value | is not a size
    layers = 0     # want: Invalid value | a whole number from 1
  }
  healthcheck {
    command  = ["true"]
    interval = 30    # want: Invalid value | is not a duration
    timeout  = "0s"  # want: Invalid value | no time at all
  }
}

image "tags" {
  from      = scratch
  platforms = []                                    # want: Invalid value | at least one
  tags      = ["a/b:1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"] # want: Invalid value | the tag alone
  expose    = ["53/icmp"]                           # want: Invalid value | is not a protocol
  test "t" {
    command = ["true"]
    expect {
      exit_code      = 300       # want: Invalid value | from 0 to 255
      stdout_matches = ["a", "("] # want: Invalid value | is not a regular expression
    }
    file "etc/passwd" { # want: Invalid value | is not absolute
      mode = 0644       # want: Invalid value | write "0644"
    }
  }
}

image "platform" {
  from      = scratch
  platforms = ["windows/amd64"] # want: Invalid value | linux
  tags      = "a:1"             # want: Invalid value | not the string "a:1"
}
