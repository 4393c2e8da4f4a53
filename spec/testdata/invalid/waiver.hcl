# A waiver for nothing.
waiver {
  rule    = "final-user-non-root"
  address = "image.wbe" # want: Unknown address | did you mean "web"?
  reason  = "it is a test"
  owner   = "team"
  expires = "2027-03-31"
}

waiver {
  rule    = "final-user-non-root"
  address = "//elsewhere:image.web"
  reason  = "it is a test"
  owner   = ""           # want: Invalid value | is empty
  expires = "2027-03-31"
}

image "web" {
  from = scratch
}
