stage "x" {
  workdir = "/a"
  workdir = "/b"
}
