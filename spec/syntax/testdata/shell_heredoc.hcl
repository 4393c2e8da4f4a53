script = <<-EOT
  curl -w %{http_code} x
  echo ${A%%.*}
  echo ${A#x} y
EOT
b = 3
