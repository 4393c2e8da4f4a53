# A file that does not parse says only that.
image "a" {
  from = scratch
  from = scratch # want: Attribute set twice | only once
}

image "b" {
  from = nothing.here
}
