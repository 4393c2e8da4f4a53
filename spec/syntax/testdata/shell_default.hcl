stage "x" {
  run {
    script = "echo ${NAME:-x}"
  }
}
