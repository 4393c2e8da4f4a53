# What the shop asks of every image. `specbuild policy test policy` tries it.
policy "shop" {
  enforcement = "hard"

  grade = {
    "final-user-non-root" = "error"
    "healthcheck-decided" = "error"
    "port-unprivileged"   = "error"
    "metadata-required"   = { severity = "error", labels = ["com.example.shop.team"] }
  }

  # What the templates say of these holds.
  seal = ["run_as", "entrypoint", "healthcheck", "base"]

  rule "no-base" {
    for_each  = spec.bases
    condition = false
    message   = "${each.key} is a base, and the shop's images have none"
    help      = "Build on a template, or from scratch out of Debian's packages"
  }

  rule "templates-only" {
    for_each  = spec.images
    condition = length(regexall("module\\.", each.key)) > 0 || length(regexall("module\\.", each.value.from)) > 0
    message   = "${each.key} is not built by a template"
    help      = "Call one of //templates, and build on its image what it lacks"
  }

  rule "two-platforms" {
    for_each  = plan.images
    condition = alltrue([for p in ["linux/amd64", "linux/arm64"] : contains(each.value.platforms[*].platform, p)])
    message   = "${each.key} is not built for both kinds of our machines"
  }

  waiver {
    rule    = "port-unprivileged"
    address = "//sites/legacy:module.site.image.site"
    reason  = "its load balancer asks for port 80 until OPS-123 is done"
    owner   = "team-web"
    expires = "2099-03-31"
  }
}
