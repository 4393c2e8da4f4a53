specbuild {
  required_verson = ">= 0.1" # want: Unknown attribute | Did you mean "required_version"?
}
