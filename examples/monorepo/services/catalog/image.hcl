module "service" {
  source  = "//templates/go-service"
  targets = ["service"]

  name = "catalog"
  src  = context.default
}
