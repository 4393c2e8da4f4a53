# Pages, served by one static program.
variable "name" {
  description = "The site's name, of its user as well."
  type        = string
}

variable "src" {
  description = "The folder that holds pages/."
  type        = context
}

variable "port" {
  description = "Where the site listens."
  type        = number
  default     = 8080
}

locals {
  root = "/srv/www"
}

image "site" {
  from      = scratch
  platforms = ["linux/amd64", "linux/arm64"]

  packages "deb" {
    repository = workspace.repository.debian
    install    = ["busybox-static"]
  }

  dynamic "user" {
    for_each = [var.name]
    labels   = [user.value]
    content {
      uid  = 10080
      home = local.root
    }
  }

  copy {
    from   = var.src
    source = "pages/*"
    to     = "${local.root}/"
  }

  run_as     = var.name
  entrypoint = ["/usr/bin/busybox", "httpd", "-f", "-p", tostring(var.port), "-h", local.root]
  expose     = [var.port]
  labels     = { "com.example.shop.team" = "web" }

  healthcheck {
    command = ["/usr/bin/busybox", "wget", "-qO", "/dev/null", "http://127.0.0.1:${var.port}/"]
  }

  test "has a front page" {
    file "/srv/www/index.html" {
      mode = "0644"
    }
  }
}
