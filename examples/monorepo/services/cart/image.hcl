module "service" {
  source  = "//templates/go-service"
  targets = ["service"]

  name = "cart"
  src  = context.default
}
