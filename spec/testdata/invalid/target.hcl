# Where target may not stand.
locals {
  arch = target.arch
  tag  = "app-${local.arch}"
}

base "b" {
  image = "debian:${target.arch}" # want: target is not known here | a `base` is one for all platforms
}

context "c" {
  path = local.arch # want: target is not known here | local.arch is computed from target
}

secret "s" {
  env = target.os # want: target is not known here | a `secret` is one
}

variable "v" {
  default = target.arch # want: Not a constant | target.arch is not
}

variable "w" {
  default = "x"
  validation {
    condition     = var.w == target.arch # want: target is not known here | one value for all platforms
    error_message = "No."
  }
}

image "i" {
  from      = scratch
  platforms = [target.platform] # want: target is not known here | `platforms` is decided before
  tags      = [local.tag]       # want: target is not known here | local.tag is computed from target
  dynamic "file" {
    for_each = [target.arch]    # want: target is not known here | `for_each` is decided before
    content {
      path    = "/a"
      content = target.arch
    }
  }
  file {
    path    = "/b"
    content = target.arch
  }
}
