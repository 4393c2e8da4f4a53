test "an image of one's own is refused" {
  spec = <<-EOT
    image "own" {
      from   = scratch
      run_as = "1:1"
      labels = { "com.example.shop.team" = "web" }
    }
  EOT
  expect "templates-only" {
    address  = "//:image.own"
    contains = ["Call one of //templates"]
  }
}

test "a service says how it is asked whether it is well, and whose it is" {
  spec = <<-EOT
    image "own" {
      from   = scratch
      run_as = "1:1"
      expose = [8080]
    }
  EOT
  expect "templates-only" {}
  expect "healthcheck-decided" {}
  expect "metadata-required" {
    contains = ["com.example.shop.team"]
  }
}

test "root and a base are refused, too" {
  spec = <<-EOT
    base "debian" {
      image = "docker.io/library/debian:13"
    }
    image "own" {
      from   = base.debian
      run_as = "0:0"
      expose = [80]
    }
  EOT
  expect "no-base" {}
  expect "template-sealed" {
    contains = ["its own folder declares"]
  }
  expect "final-user-non-root" {}
  expect "templates-only" {}
}

test "what a template says of its user holds" {
  files = {
    "template/image.hcl" = <<-EOT
      image "app" {
        from   = scratch
        run_as = "1:1"
        labels = { "com.example.shop.team" = "web" }
      }
    EOT
    "service/image.hcl"  = <<-EOT
      module "app" {
        source = "//template"
      }
      image "more" {
        from   = module.app.image.app
        run_as = "2:2"
        labels = { "com.example.shop.team" = "web" }
      }
    EOT
    "specbuild.hcl"      = <<-EOT
      workspace {
        members = ["service"]
      }
    EOT
  }
  expect "template-sealed" {
    address = "//service:image.more"
  }
}
