# A reference cannot get into a string, whatever the way.
secret "s" {
  env = "S"
}

locals {
  indirect = { key = [secret.s] }
}

image "leaks" {
  from = scratch
  env = {
    A = "${secret.s}"                     # want: Invalid value | a reference to secret.s cannot be used as a string
    B = "x${secret.s}"                    # want: Cannot be put in string | secret.s
    C = jsonencode(secret.s)              # want: Invalid function argument | secret.s
    D = format("%v", secret.s)            # want: Invalid function argument | secret.s
    E = jsonencode(local.indirect)        # want: Invalid function argument | secret.s
    F = tostring(secret.s)                # want: Invalid function argument | secret.s
    G = join(",", [secret.s])             # want: Invalid function argument | secret.s
    H = "${local.indirect.key[0]}!"       # want: Cannot be put in string | secret.s
    I = secret.s                          # want: Invalid value | secret.s
    J = templatefile("script.tmpl", { word = secret.s }) # want: Invalid function argument | secret.s
    K = secret.s.value                    # want: References have no attributes | nothing of it can be read
    L = base64encode(secret.s)            # want: Invalid function argument | secret.s
    M = try(tostring(secret.s), "no")
  }
  labels      = { a = secret.s }          # want: Invalid value | secret.s
  tags        = [secret.s]                # want: Invalid value | secret.s
  entrypoint  = ["/bin/x", secret.s]      # want: Invalid value | secret.s
  workdir     = secret.s                  # want: Invalid value | secret.s
  file {
    path    = "/a"
    content = secret.s                    # want: Invalid value | secret.s
  }
  copy {
    from   = secret.s                     # want: Invalid value | secret.s is of another kind
    source = "a"
    to     = "/a"
  }
  run {
    command = ["echo", secret.s]          # want: Invalid value | secret.s
    env     = { A = secret.s }            # want: Invalid value | secret.s
    network = secret.s == secret.s ? "none" : "host"
  }
}
