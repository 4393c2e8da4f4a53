module "site" {
  source  = "//templates/static-site"
  targets = ["site"]

  name = "www"
  src  = context.default
}
