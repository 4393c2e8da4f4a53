stage "x" {
  a = 1
