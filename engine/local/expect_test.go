package local

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/specbuild/specbuild/engine/sandbox"
)

// counted counts what is asked of the sandbox that it wraps.
type counted struct {
	sandbox.Runner
	expected, ran atomic.Int64
}

func (c *counted) Expect(ctx context.Context, s sandbox.Spec) {
	c.expected.Add(1)
	c.Runner.Expect(ctx, s)
}

func (c *counted) Run(ctx context.Context, s sandbox.Spec) (sandbox.Exit, error) {
	c.ran.Add(1)
	return c.Runner.Run(ctx, s)
}

// A process is started ahead for the commands that will run, once each, and
// for no command of a build that runs none.
func TestCommandsAreExpectedOnceAndOnlyIfTheyRun(t *testing.T) {
	t.Parallel()
	var c *counted
	e := newEngine(t, func(o *Options) {
		c = &counted{Runner: o.Sandbox}
		o.Sandbox = c
	})
	first := func() *graphOf {
		return withShell(t).run("/bin/sh", "-c", "echo a >/a").run("/bin/sh", "-c", "echo b >/b")
	}
	for _, round := range []struct {
		what          string
		g             *graphOf
		expected, ran int64
	}{
		{"new", first(), 2, 2},
		{"nothing changed", first(), 0, 0},
		{"a file on top", first().file("/etc/motd", "x", ""), 0, 0},
		{"a third command", first().run("/bin/sh", "-c", "echo c >/c"), 1, 1},
	} {
		mustRun(t, e, round.g.image())
		if x, r := c.expected.Swap(0), c.ran.Swap(0); x != round.expected || r != round.ran {
			t.Errorf("%s: %d commands expected and %d run, wanted %d and %d", round.what, x, r, round.expected, round.ran)
		}
	}
}

// What is below changes, gives what it gave before, and nothing above runs:
// an expectation is no promise.
func TestExpectationsMayBeVain(t *testing.T) {
	t.Parallel()
	var c *counted
	e := newEngine(t, func(o *Options) {
		c = &counted{Runner: o.Sandbox}
		o.Sandbox = c
	})
	for i, how := range []string{"echo a >/a", "printf 'a\\n' >/a"} {
		mustRun(t, e, withShell(t).run("/bin/sh", "-c", how).run("/bin/sh", "-c", "cat /a >/b").image())
		if x, r := c.expected.Swap(0), c.ran.Swap(0); x != 2 || r != int64(2-i) {
			t.Errorf("%s: %d expected, %d run", how, x, r)
		}
	}
}
