module "site" {
  source  = "//templates/static-site"
  targets = ["site"]

  name = "careers"
  src  = context.default
}
