# Everything below is one workspace: one lock, one graph, one policy.
workspace {
  name    = "shop"
  members = ["services/*", "sites/*"]
  policy  = ["//policy/shop.policy.hcl"]
}

# What the templates build from; members name it workspace.repository.debian.
repository "debian" {
  type  = "deb"
  suite = "trixie"
}
