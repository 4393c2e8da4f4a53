// Command specbuild compiles declarative image specs into OCI images.
//
// The commands are one file each; this package only wires the phases
// together, prints, and turns errors into exit codes.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	users := here()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once: nothing of it is left then, too
	c := &cli{stdout: os.Stdout, stderr: os.Stderr, users: users}
	os.Exit(c.run(ctx, os.Args[1:]))
}

// garbage is how much a collection lets pile up, in per cent of what is alive:
// a command allocates for less than a second and ends. Go's 100 collects a
// dozen times meanwhile, which over a monorepo of 200 services is a fifth of the
// CPU time of apply with nothing changed. 200 and 300 differ in no figure of
// time, and 300 takes 151 MB for it where 200 takes 122 (plan: 112 and 109).
const garbage = 200

// run is the whole program but for the process: what tests call.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c := &cli{stdout: stdout, stderr: stderr}
	return c.run(ctx, args)
}

func (c *cli) run(ctx context.Context, args []string) int {
	root := c.root()
	root.SetArgs(args)
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	err := root.ExecuteContext(ctx)
	return c.exit(ctx, err)
}

// The exit codes.
const (
	exitOK          = 0
	exitFailed      = 1   // a build or a test failed
	exitChanges     = 2   // plan --detailed-exitcode: there is something to do
	exitSpec        = 3   // the spec, the lock or a rule is wrong
	exitUsage       = 64  // the command line is wrong
	exitInterrupted = 130 // the user stopped it
)

// usageError is a mistake on the command line.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errSpec is returned when diagnostics were printed and one is an error.
var errSpec = errors.New("the spec has errors")

// errChanges is plan's word for "there is something to do".
var errChanges = errors.New("there are changes")

// exit prints an error that was not printed yet, and gives the exit code: the
// only place that decides either.
func (c *cli) exit(ctx context.Context, err error) int {
	var usage usageError
	var code exitCode
	switch {
	case errors.As(err, &code):
		return int(code)
	case err == nil:
		return exitOK
	case errors.Is(err, errChanges):
		return exitChanges
	case errors.Is(err, errSpec):
		return exitSpec
	case ctx.Err() != nil || errors.Is(err, context.Canceled):
		fmt.Fprintln(c.stderr, "specbuild: interrupted; what was finished is kept")
		return exitInterrupted
	case errors.As(err, &usage):
		fmt.Fprintf(c.stderr, "specbuild: %v\nTry `specbuild --help`.\n", err)
		return exitUsage
	default:
		c.printFailure(err)
		return exitFailed
	}
}

// noArgs and the like are cobra's checks with our kind of error.
func checkArgs(f cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := f(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}
