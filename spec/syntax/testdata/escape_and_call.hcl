a = "\q"
b = upper("x"
