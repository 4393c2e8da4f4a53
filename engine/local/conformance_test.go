package local

import (
	"testing"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/enginetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, func(t *testing.T) engine.Engine { return newEngine(t) })
}
