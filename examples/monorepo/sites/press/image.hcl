module "site" {
  source  = "//templates/static-site"
  targets = ["site"]

  name = "press"
  src  = context.default
}
