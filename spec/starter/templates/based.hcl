# {{.Name}}: pages, served by another image.
base "server" {
  image = {{quote .From}} # `specbuild lock` pins its digest
}

image "{{.Name}}" {
  from = base.server

  copy {
    source  = {{list .Sources}}
    to      = "/srv/www/" # where the server looks for them
    parents = true
  }

  run_as = "10080:10080"
}
