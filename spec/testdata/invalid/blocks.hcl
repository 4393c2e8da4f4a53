# Blocks and attributes that are not there.

target "app" { # want: Unknown block | A bake target is an `image`
}

resource "x" "y" {} # want: Unknown block | Terraform calls a resource
output "x" {}       # want: Unknown block | Terraform's outputs are not needed
imgae "x" {}        # want: Unknown block | Did you mean "image"?
module "m" {}       # want: Missing attribute | "source"
workspace {}        # want: Unknown block | specbuild.hcl
nonsense {}         # want: Unknown block | It may have "base"
version = 1         # want: Unknown attribute | A spec consists of blocks
image   = "x"       # want: Block expected | without an equals sign

stage {             # want: Missing label | needs a name
  from = scratch
}

stage "a" "b" { # want: Too many labels | one label
  from = scratch
}

locals "a" {} # want: Too many labels | has no label

locals {
  nested {} # want: Unknown block | names and values only
  twice = 1
}

locals {
  twice = 2 # want: Declared twice | local.twice
}

stage "attributes" {
  from       = scratch
  envv       = {}       # want: Unknown attribute | Did you mean "env"?
  run        = "make"   # want: Block expected | write run { … }
  ENV        = {}       # want: Unknown attribute | Did you mean "env"?
  depends_on = []       # want: Unknown attribute | The order follows from the references
  count      = 2        # want: Unknown attribute | Terraform's count
  tags       = []       # want: Unknown attribute | It may have "env"
  for_each   = ["a"]    # want: Wrong type | toset
  env {                 # want: Attribute expected | with an equals sign
  }
  ARG {}                # want: Unknown block | `variable` block
  cpoy {}               # want: Unknown block | Did you mean "copy"?
  healthcheck {}        # want: Unknown block | It stands in an `image`
}

image "steps" {
  from = scratch
  copy {
    src  = "a"  # want: Unknown attribute | What is copied is `source`
    dest = "/b" # want: Unknown attribute | The destination is `to`
    link = true # want: Unknown attribute | as with --link
  }
  run {
    command = ["true"]
    mount {           # want: Missing label | one of "cache"
      target = "/a"
    }
    mount "cahce" {   # want: Unknown label | did you mean "cache"?
      target = "/b"
    }
    mount "secret" {
      secret  = secret.s
      sharing = "locked" # want: Unknown attribute | It may have "env"
    }
    resources {}
    resources {} # want: Block written twice | only once
  }
  packages "apt" {
    install    = ["curl", "$(id)"] # want: Invalid value | "$(id)" is not a package
    repository = "x"               # want: Unknown attribute | apt-get takes from the archives that the base lists in /etc/apt
    configure  = true              # want: Unknown attribute | apt-get always runs what the packages bring
  }
  packages "apt" {
    install    = ["-o=APT::Get::AllowUnauthenticated=true"] # want: Invalid value | is not a package
    recomends  = true                                       # want: Unknown attribute | Did you mean "recommends"?
  }
  packages "apt" {
    install = ["curl-"] # want: Invalid value | is not a package; write it like "curl=7.88.1-10"
  }
  packages "apk" {
    install    = ["curl", "curl=8.14.1-r2"] # want: Invalid value | has "curl" twice
    recommends = true                       # want: Unknown attribute | Packages of apk recommend nothing
  }
  packages "dnf" { # want: Missing attribute | "install"
  }
  packages "brew" { # want: Unknown label | it is one of
    install = ["curl"]
  }
  user "app" "b" {  # want: Too many labels | one label
    uid = 1
  }
  user "App" {      # want: Invalid name | cannot name a user
    uid = 1
  }
  test "" {         # want: Invalid name | is empty
    absent = ["/x"]
  }
}

secret "s" {
  env = "S"
}
