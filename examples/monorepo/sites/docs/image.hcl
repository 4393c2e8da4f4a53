module "site" {
  source  = "//templates/static-site"
  targets = ["site"]

  name = "docs"
  src  = context.default
}
