# A spec for another version is judged by nothing else.
specbuild {
  required_version = ">= 9" # want: Wrong version | this is 0.1.0
}

image "b" {
  from = nothing.here
}
