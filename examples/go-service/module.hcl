# The same image as in image.hcl, out of a template: to use this one, move it
# there.
context "src" {
  path    = "."
  include = ["go.mod", "cmd"]
}

module "greeter" {
  source  = "./template"
  targets = ["service"] # built as it stands; another image could be built from it

  name = "greeter"
  src  = context.src
  port = 8080
}
