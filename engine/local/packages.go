package local

import (
	"context"
	"errors"

	"github.com/specbuild/specbuild/lower/dag"
)

const fixupsVersion = "v1"

func (b *build) packages(context.Context, *state, *dag.Packages) (executor, error) {
	return executor{}, errors.New("packages")
}
