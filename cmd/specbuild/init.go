package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/format"
	"github.com/specbuild/specbuild/spec/starter"
)

// initFlags are those of init.
type initFlags struct {
	name, from, kind string
	yaml, force      bool
}

func (c *cli) initCmd() *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:   "init [FOLDER]",
		Short: "Write a first spec for a folder",
		Long: `Write a spec to begin with, image.hcl or image.yaml, for what a folder holds:
a Go, Node.js, Python or Rust program, pages, or else an image of Debian packages.
On a terminal it asks; flags answer beforehand. A spec that is there already is
left alone.`,
		Example: "  specbuild init\n  specbuild init --lang python --yaml services/mail",
		Args:    checkArgs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			return c.runInit(cmd.Context(), cmd.InOrStdin(), dir, f)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.name, "name", "", "the image's name (default: the folder's)")
	fl.StringVar(&f.kind, "lang", "", "what the folder holds: go, node, python, rust, static or deb (default: by its files)")
	fl.StringVar(&f.from, "from", "", "what the image is built on: scratch, or an image with its tag")
	fl.BoolVar(&f.yaml, "yaml", false, "write image.yaml")
	fl.BoolVar(&f.force, "force", false, "replace the image.hcl or image.yaml that is there")
	return cmd
}

func (c *cli) runInit(ctx context.Context, stdin io.Reader, dir string, f initFlags) error {
	full, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if info, err := os.Stat(full); err != nil || !info.IsDir() {
		return usagef("init %s: there is no such folder", dir)
	}
	kind, sign := starter.Detect(os.DirFS(full))
	guess := starter.Options{Name: starter.Name(filepath.Base(full)), Kind: kind, YAML: f.yaml, From: f.from}
	if file, ok := stdin.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		ask(stdin, c.stderr, &f, guess, sign)
	}
	if f.name != "" {
		guess.Name = f.name
	}
	if f.kind != "" {
		guess.Kind = starter.Kind(f.kind)
	}
	why := ""
	switch {
	case f.kind != "":
	case sign != "":
		why = ", for the " + sign + " that is there"
	default:
		why = ", since there is nothing here that init knows"
	}
	guess.YAML = f.yaml
	text, err := starter.Spec(os.DirFS(full), guess)
	if err != nil {
		return usagef("init: %w", err)
	}
	file := filepath.Join(dir, "image.hcl")
	if f.yaml {
		file = filepath.Join(dir, "image.yaml")
	}
	if err := c.writeNew(ctx, file, text, f.force); err != nil {
		return err
	}
	c.sayNext(dir, file, guess, why)
	return nil
}

// ask fills what no flag has said. An empty line, or the end, takes what is
// proposed.
func ask(in io.Reader, out io.Writer, f *initFlags, guess starter.Options, sign string) {
	lines := bufio.NewScanner(in)
	question := func(text, proposed string) string {
		fmt.Fprintf(out, "%s [%s]: ", text, proposed)
		if lines.Scan() {
			if answer := strings.TrimSpace(lines.Text()); answer != "" {
				return answer
			}
		}
		return proposed
	}
	if f.name == "" {
		f.name = question("The image's name", guess.Name)
	}
	if f.kind == "" {
		why := ""
		if sign != "" {
			why = " (there is a " + sign + ")"
		}
		f.kind = question("What it is made of"+why+": go, node, python, rust, static or deb", string(guess.Kind))
	}
	if !f.yaml {
		f.yaml = strings.HasPrefix(strings.ToLower(question("Syntax: hcl or yaml", "hcl")), "y")
	}
}

// writeNew writes a spec where there is none, or one of the same name that may
// be replaced. A spec that the loader does not take, because of what was asked
// for, is taken back.
func (c *cli) writeNew(ctx context.Context, file string, text []byte, force bool) error {
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == filepath.Base(file) && force {
			continue
		}
		if e.Name() != "specbuild.hcl" && !ofPolicy(e.Name()) && format.Knows(e.Name()) {
			if e.Name() == filepath.Base(file) {
				return fmt.Errorf("%s is there already; --force replaces it", file)
			}
			return fmt.Errorf("%s has the spec %s already", filepath.Dir(file), e.Name())
		}
	}
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeFile(file, func(w io.Writer) error { _, err := w.Write(text); return err }); err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	sp, ds, err := c.load(ctx, []string{file}, &specFlags{}, true)
	if err == nil {
		err = c.report(onlyErrors(ds), sp)
	}
	if err == nil {
		return nil
	}
	if old == nil {
		return errors.Join(err, os.Remove(file))
	}
	return errors.Join(err, os.WriteFile(file, old, 0o644))
}

func onlyErrors(ds diag.List) diag.List {
	var out diag.List
	for _, d := range ds {
		if d.Severity == diag.Error {
			out = append(out, d)
		}
	}
	return out
}

// sayNext tells what was written and what one does with it.
func (c *cli) sayNext(dir, file string, o starter.Options, why string) {
	fmt.Fprintf(c.stdout, "wrote %s: image.%s, %s%s\n", filepath.ToSlash(file), o.Name, o.Kind, why)
	if _, err := os.Stat(filepath.Join(dir, "Dockerfile")); err == nil {
		fmt.Fprintf(c.stdout, "There is a Dockerfile: `specbuild import --force %s` writes a spec from that instead.\n", filepath.ToSlash(filepath.Join(dir, "Dockerfile")))
	}
	fmt.Fprintln(c.stdout)
	arg := ""
	if dir != "." {
		arg = " " + filepath.ToSlash(dir)
	}
	c.printTable([][]string{
		{"  specbuild validate" + arg, "find mistakes"},
		{"  specbuild lock" + arg, "pin what it is made of; commit specbuild.lock"},
		{"  specbuild apply" + arg + " -o oci:out", "build, test and write the image"},
	})
}
