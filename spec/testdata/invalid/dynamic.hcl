# Blocks that are written by dynamic.
locals {
  files = { a = "1", b = "2" }
}

image "i" {
  from = scratch
  dynamic "file" {
    for_each = local.files
    content {
      path    = "/etc/${file.key}"
      content = file.valeu # want: Unknown name | valeu
    }
  }
  dynamic "file" {
    for_each = local.files
    content {
      path    = file.key # want: Invalid value | "a" is not absolute
      content = file.value
    }
  }
  dynamic "flie" { # want: Unknown block | Did you mean "file"?
    for_each = []
    content {}
  }
  dynamic "env" { # want: Attribute expected | "env" is an attribute
    for_each = []
    content {}
  }
  dynamic "copy" { # want: Missing attribute | needs "for_each"
    content {
      source = "a"
      to     = "/a"
    }
  }
  dynamic "copy" { # want: Missing block | "content"
    for_each = ["a"]
  }
  dynamic "copy" {
    for_each = 5 # want: Wrong type | a map, or a list
    content {}
  }
  dynamic { # want: Missing label | the name of the block
    for_each = []
    content {}
  }
  dynamic "user" { # want: Missing label | user "name"
    for_each = ["x"]
    content {
      uid = 1
    }
  }
  dynamic "user" {
    for_each = ["x", "y"]
    labels   = [user.value] 
    iterator = "it" # want: Invalid iterator | without quotes
    content {
      uid = 2
    }
  }
  dynamic "run" {
    for_each = ["x"]
    iterator = var # want: Invalid iterator | name of your own
    content {
      command = ["true"]
    }
  }
  run {
    command = ["true"]
    dynamic "mount" {
      for_each = ["/a"]
      labels   = ["cahce"] # want: Unknown label | did you mean "cache"?
      content {
        target = mount.value
      }
    }
  }
}
