package schemas

import (
	_ "embed" // the plan's schema is a file
	"slices"
)

//go:embed plan.schema.json
var plan []byte

// Plan is the schema of what `specbuild plan --json` prints. It is no table's
// output but a promise, so it is written by hand; that it is kept is tested on
// all that plans are made of. It takes names that it does not know, since a
// newer specbuild may print more.
func Plan() []byte { return slices.Clone(plan) }
