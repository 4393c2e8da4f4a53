# A folder of pages, served by one static program. Nothing runs while it is
# built, so any machine builds it for any platform.
repository "trixie" {
  type  = "deb"
  suite = "trixie"
}

locals {
  root = "/srv/www"
}

image "site" {
  from      = scratch
  platforms = ["linux/amd64", "linux/arm64"]

  packages "deb" {
    repository = repository.trixie
    install    = ["busybox-static"]
  }

  user "web" {
    uid  = 10080
    home = local.root
  }

  copy {
    source = "pages/*.html"
    to     = "${local.root}/"
  }

  file {
    path    = "/etc/httpd.conf"
    content = <<-CONF
      I:index.html
      E404:${local.root}/404.html
      .webmanifest:application/manifest+json
    CONF
  }

  symlink {
    path = "${local.root}/home.html"
    to   = "index.html"
  }

  run_as     = "web"
  entrypoint = ["/usr/bin/busybox", "httpd", "-f", "-p", "8080", "-h", local.root, "-c", "/etc/httpd.conf"]
  expose     = [8080]

  healthcheck {
    command = ["/usr/bin/busybox", "wget", "-qO", "/dev/null", "http://127.0.0.1:8080/"]
  }

  test "serves the front page, also by its other name" {
    command = ["/usr/bin/busybox", "sh", "-euc", <<-SCRIPT
      busybox httpd -p 8080 -h ${local.root} -c /etc/httpd.conf
      busybox wget -qO- http://127.0.0.1:8080/
      busybox wget -qO- http://127.0.0.1:8080/home.html
    SCRIPT
    ]
    expect {
      stdout_contains = ["Opening hours"]
    }
  }

  budget {
    size = "8MiB"
  }
}
