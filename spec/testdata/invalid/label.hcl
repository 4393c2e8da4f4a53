image "a" {
  from = scratch
  test "${var.x} works" { # want: Invalid string literal | A label is a fixed text
    absent = ["/x"]
  }
}
