specbuild {
  required_version = "new" # want: Invalid value | is not a condition on a version
}
