module "site" {
  source  = "//templates/static-site"
  targets = ["site"]

  name = "status"
  src  = context.default
}
