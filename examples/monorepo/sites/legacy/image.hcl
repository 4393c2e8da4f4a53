module "site" {
  source  = "//templates/static-site"
  targets = ["site"]

  name = "legacy"
  src  = context.default
  port = 80 # what its load balancer has always asked for
}
