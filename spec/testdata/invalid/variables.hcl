# Variables.
variable "type" {
  type    = strng # want: Invalid type | strng
  default = "x"
}

variable "default" {
  type    = number
  default = "many" # want: Invalid value | does not fit the type
}

variable "quoted" {
  type    = string
  default = 1.20 # want: Invalid value | write "1.20"
}

variable "computed" {
  default = var.quoted # want: Not a constant | var.quoted is not
}

variable "checked" {
  type    = string
  default = "abc" # want: Invalid value | A semantic version.
  validation {
    condition     = can(regex("^\\d+", var.checked))
    error_message = "A semantic version."
  }
}

variable "half" {
  default = 1
  validation { # want: Missing attribute | needs "error_message"
    condition = true
  }
}

variable "described" {
  default     = 1
  description = local.nothing # want: Unknown name | local.nothing is not declared
}

variable "secretive" {
  default   = 1
  sensitive = true # want: Unknown attribute | a `secret` block
}

variable "reference" {
  type    = repository
  default = base.b # want: Invalid value | not of a kind
}

variable "noreference" {
  type    = filesystem
  default = "base.b" # want: Invalid value | a reference is needed
}

variable "half" { # want: Declared twice | variable "half"
}

base "b" {
  image = "debian:13"
}

# One mistake is one message: what uses a variable that is wrong is right.
image "uses" {
  from   = var.reference
  labels = { a = var.type, b = var.default, c = var.quoted, d = var.computed }
}
