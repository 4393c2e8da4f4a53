package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

type consoleFlags struct {
	specFlags
	platform string
	eval     []string
}

func (c *cli) console() *cobra.Command {
	var f consoleFlags
	cmd := &cobra.Command{
		Use:   "console [SPEC]",
		Short: "Evaluate expressions in a spec's scope",
		Long: `Evaluate expressions as the spec would: variables, locals, functions, references,
what modules and the workspace give. An expression a line; an empty line is
passed over, and exit or Ctrl-D ends. Nothing is run, fetched or written.

A variable without a value, and target where no --platform says it, is not
known yet.`,
		Example: "  specbuild console\n  specbuild console --eval 'local.tags' --platform linux/arm64 services/web",
		Args:    checkArgs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.runConsole(cmd.Context(), args, cmd.InOrStdin(), &f)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.platform, "platform", "", "what target is, such as linux/arm64 (default: not known)")
	cmd.Flags().StringArrayVarP(&f.eval, "eval", "e", nil, "evaluate this and end; may be repeated")
	return cmd
}

func (c *cli) runConsole(ctx context.Context, args []string, in io.Reader, f *consoleFlags) error {
	target, err := parseTarget(f.platform)
	if err != nil {
		return err
	}
	sp, ds, err := c.load(ctx, args, &f.specFlags, true)
	if err != nil {
		return err
	}
	if err := c.report(ds, sp); err != nil {
		return err
	}
	e := &evaluator{c: c, spec: sp, module: sp.Modules()[0], target: target}
	if len(f.eval) > 0 {
		for _, text := range f.eval {
			if !e.line(c.stdout, text) {
				return errSpec
			}
		}
		return nil
	}
	if file, ok := in.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return e.interactive(file)
	}
	good := true
	for lines := bufio.NewScanner(in); lines.Scan() && ctx.Err() == nil; {
		if strings.TrimSpace(lines.Text()) == "exit" {
			break
		}
		good = e.line(c.stdout, lines.Text()) && good
	}
	if !good {
		return errSpec
	}
	return nil
}

func parseTarget(s string) (spec.Platform, error) {
	if s == "" {
		return spec.Platform{}, nil
	}
	p, err := spec.ParsePlatform(s)
	if err != nil {
		return p, usagef("--platform %s: %v", s, err)
	}
	return p, nil
}

// evaluator answers one line at a time.
type evaluator struct {
	c      *cli
	spec   *spec.Spec
	module string
	target spec.Platform
}

// line prints what a line is worth, or what is wrong with it, and answers
// whether it was right.
func (e *evaluator) line(out io.Writer, text string) bool {
	if strings.TrimSpace(text) == "" {
		return true
	}
	value, ds := e.spec.Evaluate(e.module, text, e.target)
	if len(ds) > 0 {
		files := map[string][]byte{spec.ConsoleFile: []byte(text)}
		_ = diag.WriteText(e.c.stderr, ds.Sorted(), files, e.c.textOptions()) // a terminal that is gone is met by the next write
	}
	if ds.HasErrors() {
		return false
	}
	fmt.Fprintln(out, value)
	return true
}

// interactive reads from a terminal, with a line editor and its history.
func (e *evaluator) interactive(file *os.File) error {
	state, err := term.MakeRaw(int(file.Fd()))
	if err != nil {
		return err
	}
	defer func() { _ = term.Restore(int(file.Fd()), state) }()
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{file, e.c.stdout}, "> ")
	for {
		text, err := t.ReadLine()
		if errors.Is(err, io.EOF) || err == nil && strings.TrimSpace(text) == "exit" {
			return nil
		}
		if err != nil {
			return err
		}
		// Messages are written as by a program that knows nothing of raw mode.
		if err := term.Restore(int(file.Fd()), state); err != nil {
			return err
		}
		e.line(e.c.stdout, text)
		if _, err := term.MakeRaw(int(file.Fd())); err != nil {
			return err
		}
	}
}
