# What is meant for the shell does not always parse.
stage "a" {
  from = scratch
  run {
    # want+1: Unexpected text in template | the sign doubled
    script = "echo ${NAME:-x}"
  }
}
